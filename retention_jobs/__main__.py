"""`python -m retention_jobs [run NAME | list]`: scheduler and workers in one process, or one of them."""

import gc

gc.disable()  # what is loaded stays: looking for garbage in it takes a fifth of the time that loading takes

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from governance.bootstrap import Runtime, assemble
from governance.database import for_reading
from governance.erasure import replay
from governance.errors import GovernanceError, NotReadyError
from governance.queue.model import LEASE
from governance.settings import Settings
from retention_jobs import listing
from retention_jobs.schedule import JOBS, Job, job
from retention_jobs.scheduler import Scheduler
from retention_jobs.worker import Workers

gc.enable()
WORKERS = 4
_USAGE = "say `jobs [--workers N] [--scheduler-only | --workers-only]`, `jobs list` or `jobs run NAME`"


class UsageError(Exception):
    """The words make no sense."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    words: tuple[str, ...]
    as_json: bool
    workers: int
    schedules: bool


def main(arguments: list[str]) -> int:
    """Serve the timetable, run one job now, or list them; gives the exit code."""
    try:
        wish = _read(arguments)
        runtime = assemble(Settings.from_environ(os.environ))
    except UsageError as problem:
        print(f"governance: {problem}", file=sys.stderr)
        return 2
    except GovernanceError as problem:
        print(f"governance: {problem.message}", file=sys.stderr)
        return 2
    try:
        if wish.words == ("list",):
            _list(runtime, wish.as_json)
            return 0
        replay.check_whole(runtime, runtime.tenant_ids())
        if wish.words:
            return _run_one(runtime, _known(wish.words[1]), wish.as_json)
        else:
            serve(runtime, workers=wish.workers, schedules=wish.schedules)
        return 0
    except NotReadyError as problem:
        print(f"governance: {problem.message}", file=sys.stderr)
        return 2
    finally:
        runtime.close()


def _read(arguments: list[str]) -> Wish:
    words, as_json, workers, schedules = [], False, WORKERS, True
    given = iter(arguments)
    for word in given:
        name, _, value = word.partition("=")
        if word == "--json":
            as_json = True
        elif word == "--scheduler-only":
            workers = 0
        elif word == "--workers-only":
            schedules = False
        elif name == "--workers":
            text = value or next(given, "")
            if not text.isdecimal() or not 1 <= int(text) <= 16:
                raise UsageError("--workers takes a number from 1 to 16.")
            workers = int(text)
        elif word.startswith("-"):
            raise UsageError(f"there is no option {word}; {_USAGE}.")
        else:
            words.append(word)
    if not workers and not schedules:
        raise UsageError("--scheduler-only and --workers-only together leave nothing to do.")
    if words and words != ["list"] and (len(words) != 2 or words[0] != "run"):
        raise UsageError(f"{_USAGE}.")
    if words[:1] == ["run"]:
        _known(words[1])
    return Wish(tuple(words), as_json, workers, schedules)


def _known(name: str) -> Job:
    found = job(name)
    if found is None:
        known = ", ".join(one.name for one in JOBS)
        raise UsageError(f"there is no job {name!r}; there are {known}.")
    return found


def _list(runtime: Runtime, as_json: bool) -> None:
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        found = listing.rows(plain, JOBS, runtime.clock())
        missed = listing.missed(plain, runtime.clock())
    print(json.dumps({"jobs": found, "missed": missed}) if as_json else "\n".join(listing.lines(found)))


def _run_one(runtime: Runtime, one: Job, as_json: bool) -> int:
    try:
        count = Workers(runtime, JOBS, count=1).run_now(one)
    except GovernanceError as problem:
        print(f"governance: {problem.message}", file=sys.stderr)
        return 2
    print(json.dumps({"job": one.name, "done": count}) if as_json else f"{one.name}: {count} done.")
    return 0


def serve(
    runtime: Runtime,
    *,
    workers: int,
    schedules: bool,
    jobs: Sequence[Job] = JOBS,
    lease: timedelta = LEASE,
) -> None:
    """Schedule and work until told to stop (SIGTERM, SIGINT); every run finishes the batch at hand."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    crew = Workers(runtime, jobs, count=workers, lease=lease) if workers else None
    scheduler = Scheduler(runtime, jobs, offered=crew.wake if crew else lambda: None) if schedules else None
    if crew:
        crew.start()
    if scheduler:
        scheduler.start()
    stopped.wait()
    if scheduler:
        scheduler.stop()
    if crew:
        crew.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
