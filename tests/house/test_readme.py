"""The README's first conversation is run as it stands there; its commands, settings and rooms exist."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retention_jobs.schedule import JOBS
from tests.promises.servers import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
OPERATING = (ROOT / "docs/operate.md").read_text()
BIN = Path(sys.executable).parent


def conversation() -> str:
    section = README.split("## A first conversation", 1)[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found
    return found.group(1)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the conversation is told with curl")
def test_the_first_conversation_goes_as_told(tmp_path: Path) -> None:
    port = str(free_port())
    script = conversation().replace("8080", port).replace(".venv/bin/governance", str(BIN / "governance"))
    script = script.replace("governance serve &", f"governance serve --port {port} &")
    script = f"set -eu\ntrap 'kill 0' EXIT\n{script}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GOVERNANCE_")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(answers) == 6, done.stdout + done.stderr
    assert [answer["decision"] for answer in answers if "decision" in answer] == [False, True, False]
    refused, withdrawn = answers[1]["context"], answers[5]["context"]
    assert "consent-missing" in {reason["code"] for reason in refused["reasons"]}
    assert "consent-withdrawn" in {reason["code"] for reason in withdrawn["reasons"]}
    for reason in refused["reasons"]:
        assert reason["text"]
        assert reason["cites"]
        assert reason["remedy"]


def test_every_setting_is_documented() -> None:
    named = set(re.findall(r"GOVERNANCE_[A-Z_]+[A-Z]", (ROOT / "governance/settings.py").read_text()))
    assert {name for name in named if name not in OPERATING} == set()


def test_every_job_is_documented_as_the_timetable_has_it() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) (s|min|h|day) \| (.+) \|$", OPERATING, re.MULTILINE)
    unit = {"s": 1, "min": 60, "h": 3600, "day": 86_400}
    told = [(name, int(count) * unit[of], means) for name, count, of, means in rows]
    assert told == [(job.name, job.every_seconds, job.means) for job in JOBS]


def test_every_guide_is_linked_from_the_readme() -> None:
    guides = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert [name for name in guides if f"(docs/{name})" not in README] == []


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_ci_calls_the_readmes_test_command() -> None:
    assert "make check" in (ROOT / ".ci/run").read_text()
