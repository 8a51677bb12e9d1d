"""`governance jobs`: list, run one, and work off what waits."""

import json
import subprocess
import sys
import time
from datetime import timedelta
from hashlib import sha256

import pytest

from governance.bootstrap import COMMAND_LINE
from governance.database import for_reading
from governance.imports import service as imports
from governance.queue import service as queue
from governance.queue.timetable import TIMETABLE
from retention_jobs import __main__ as retention_jobs
from retention_jobs import listing
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


def test_the_timetable_is_served_until_sigterm_and_listed(cli: CommandLine) -> None:
    listed = json.loads(jobs(cli, "list", "--json").stdout)["jobs"]
    assert [one["name"] for one in listed] == [one.name for one in JOBS]
    assert all(one["every_seconds"] > 0 and one["means"] for one in listed)
    assert all(one["last_ended_at"] is None and one["backlog"] == 0 for one in listed)
    assert {one.name: one.every_seconds for one in JOBS} == TIMETABLE, "what the API watches is what runs"
    later = cli.runtime()
    with later.engine.connect() as plain, for_reading(plain).begin():
        waiting = listing.rows(plain, JOBS, later.clock() + timedelta(days=3))
    later.close()
    assert all(row["next_at"] and float(row["lag_seconds"] or 0) > 86_400 for row in waiting), (
        "nobody schedules"
    )
    assert "never" in listing.lines(waiting)[1]
    runtime = cli.runtime()
    now = runtime.clock()
    with runtime.engine.connect() as connection, connection.begin():
        for at in (now - timedelta(minutes=10), now - timedelta(minutes=5)):  # no scheduler in between
            queue.offer(connection, "seal-checkpoint", timedelta(minutes=1), at)
            held = queue.claim(connection, "seal-checkpoint", at, owner="wrk_1")
            assert held is not None
            queue.complete(connection, held, now=at)
    runtime.close()
    (missed,) = json.loads(jobs(cli, "list", "--json").stdout)["missed"]
    assert (missed["name"], missed["stands_for"]) == ("seal-checkpoint", 5)
    serving = subprocess.Popen(
        [sys.executable, "-m", "governance", "jobs", "--workers", "2"],
        env=environ_of(cli.settings),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    runtime = cli.runtime()
    try:
        for _ in range(1200):
            with runtime.engine.connect() as plain, for_reading(plain).begin():
                found = listing.rows(plain, JOBS, runtime.clock())
            if all(row["runs"] for row in found) or serving.poll() is not None:
                break
            time.sleep(0.05)
    finally:
        serving.terminate()
        _, told = serving.communicate(timeout=60)
        runtime.close()
    assert serving.returncode == 0
    assert "job-failed" not in told
    assert [row["name"] for row in found if not row["runs"] or row["failures"]] == []
    assert all(row["next_at"] is not None for row in found)
    lines = jobs(cli, "list").stdout.splitlines()
    assert len({line.index(" s ") for line in lines[1:]}) == 1, "the columns stand below each other"
    assert len(lines) == len(JOBS) + 1


@pytest.mark.parametrize(
    "words",
    [
        ("run", "bogus"),
        ("walk",),
        ("--workers", "0"),
        ("--workers=many",),
        ("--scheduler-only", "--workers-only"),
        ("--bogus",),
    ],
    ids=" ".join,
)
def test_what_is_no_job_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert retention_jobs.main(list(words)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1


def test_the_command_gives_way_to_the_real_process(cli: CommandLine) -> None:
    assert jobs(cli, "walk", code=2).stderr.count("\n") == 1


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


def test_every_job_runs_where_nothing_waits_and_may_be_repeated(cli: CommandLine) -> None:
    runtime = cli.runtime()
    try:
        for one in JOBS:
            one.run(runtime)
            assert one.run(runtime) in ((3,) if one.name == "rewrite-files" else (0, 1)), one.name
    finally:
        runtime.close()
    assert cli.json("fsck")["ok"]
