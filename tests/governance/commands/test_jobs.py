"""`governance jobs`: list, run one, and work off what waits."""

import json
import subprocess
import sys
from hashlib import sha256

import pytest

from governance.bootstrap import COMMAND_LINE
from governance.imports import service as imports
from retention_jobs.schedule import JOBS
from tests.governance.commands.conftest import CommandLine
from tests.promises.servers import ROOT, environ_of

MAPPING = ROOT / "governance/commands/demo.mapping.yaml"


def jobs(cli: CommandLine, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a real process: the command gives way to the scheduler's."""
    done = subprocess.run(
        [sys.executable, "-m", "governance", "jobs", *words],
        env=environ_of(cli.settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_timetable_is_listed(cli: CommandLine) -> None:
    listed = json.loads(jobs(cli, "list", "--json").stdout)["jobs"]
    assert [one["name"] for one in listed] == [one.name for one in JOBS]
    assert all(one["every_seconds"] > 0 and one["means"] for one in listed)


@pytest.mark.parametrize("words", [("run", "bogus"), ("walk",)], ids=["job", "word"])
def test_what_is_no_job_is_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    refused = jobs(cli, *words, code=2)
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1


def test_an_uploaded_file_is_taken_in_by_the_job_once(cli: CommandLine) -> None:
    people = cli.run("demo-data", "--subjects", "20").stdout.encode()
    runtime = cli.runtime()
    with runtime.work("acme", COMMAND_LINE) as work:
        run = imports.begin(
            work,
            mapping_name="m.yaml",
            mapping_text=MAPPING.read_text(),
            file_sha256=sha256(people).hexdigest(),
            total=None,
        )
        imports.keep_file(work, run.import_id, people)
    assert json.loads(jobs(cli, "run", "run-imports", "--json").stdout) == {"job": "run-imports", "done": 1}
    assert json.loads(jobs(cli, "run", "run-imports", "--json").stdout) == {"job": "run-imports", "done": 0}
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        ended = imports.get(snapshot, run.import_id)
    runtime.close()
    assert (ended.state, ended.counts["created"]) == ("completed", 20)


@pytest.mark.parametrize("one", JOBS, ids=lambda one: one.name)
def test_every_job_runs_where_nothing_waits_and_may_be_repeated(cli: CommandLine, one: object) -> None:
    from retention_jobs.schedule import Job

    assert isinstance(one, Job)
    runtime = cli.runtime()
    try:
        one.run(runtime)
        assert one.run(runtime) in (0, 1)
    finally:
        runtime.close()
    assert cli.json("fsck")["ok"]
