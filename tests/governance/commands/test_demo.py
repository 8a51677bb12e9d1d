"""`governance demo` shows the main job, and would fail if any step of it did."""

import json
import os
import subprocess
import sys


def shown(*words: str) -> str:
    """What a demo on 300 people prints."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GOVERNANCE_")}
    done = subprocess.run(
        [sys.executable, "-m", "governance", "demo", "--subjects", "300", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_shows_every_step_and_exits_0() -> None:
    said = shown()
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


def test_the_demo_tells_a_program_the_same_in_one_document() -> None:
    told = json.loads(shown("--json"))
    assert told["import"]["created"] == 300
    screening = told["screening"]
    assert screening["total"] == 300
    assert screening["allowed"] + sum(fall["count"] for fall in screening["waterfall"]) == 300
    assert [message["decision"] for message in told["messages"]][:2] == [True, False]
    refused = [message for message in told["messages"] if not message["decision"]]
    assert all(reason["code"] and reason["cites"] for message in refused for reason in message["reasons"])
    assert [check["decision"] for check in told["checks"]] == [True, False]
    assert told["moves"][0]["to"] == "client"
    assert told["moves"][1]["reasons"][0]["code"] == "transition-not-allowed"
    assert told["audit"]["verified"] is True
