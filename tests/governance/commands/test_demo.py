"""`governance demo` shows the main job, and would fail if any step of it did."""

import os
import subprocess
import sys


def test_the_demo_shows_every_step_and_exits_0() -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GOVERNANCE_")}
    done = subprocess.run(
        [sys.executable, "-m", "governance", "demo", "--subjects", "300"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    for sign in (
        "300 people created",
        "may be written to",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "suppressed:",
        "consent-withdrawn:",
        "undeliverable:",
        "lead -> client",
        "transition-not-allowed:",
        "entries verify against the signed checkpoint",
    ):
        assert sign in said, f"the demo no longer shows {sign!r}:\n{said}"
    assert "\x1b[" not in said, "piped output is plain"
