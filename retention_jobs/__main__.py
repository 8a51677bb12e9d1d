"""`python -m retention_jobs [run NAME | list]`: the scheduler. The only file that knows APScheduler."""

import json
import os
import signal
import sys
import threading

from apscheduler.schedulers.background import BackgroundScheduler

from governance.bootstrap import Runtime, assemble
from governance.errors import GovernanceError
from governance.settings import Settings
from retention_jobs.schedule import JOBS, job


def main(arguments: list[str]) -> int:
    """Serve the timetable, run one job now, or list them; gives the exit code."""
    as_json = "--json" in arguments
    words = [word for word in arguments if word != "--json"]
    if words == ["list"]:
        rows = [{"name": one.name, "every_seconds": one.every_seconds, "means": one.means} for one in JOBS]
        lines = [f"{one.name:<18} every {one.every_seconds:>4} s  {one.means}" for one in JOBS]
        print(json.dumps({"jobs": rows}) if as_json else "\n".join(lines))
        return 0
    try:
        runtime = assemble(Settings.from_environ(os.environ))
    except GovernanceError as problem:
        print(f"governance: {problem.message}", file=sys.stderr)
        return 2
    try:
        if len(words) == 2 and words[0] == "run":
            return _run_one(runtime, words[1], as_json)
        if words:
            print("governance: say `jobs`, `jobs list` or `jobs run NAME`.", file=sys.stderr)
            return 2
        _serve(runtime)
        return 0
    finally:
        runtime.close()


def _run_one(runtime: Runtime, name: str, as_json: bool) -> int:
    found = job(name)
    if found is None:
        known = ", ".join(one.name for one in JOBS)
        print(f"governance: there is no job {name!r}; there are {known}.", file=sys.stderr)
        return 2
    count = found.run(runtime)
    print(json.dumps({"job": name, "done": count}) if as_json else f"{name}: {count} done.")
    return 0


def _serve(runtime: Runtime) -> None:
    """Tick until told to stop. The triggers live in memory: the timetable is code, nothing is pickled."""
    scheduler = BackgroundScheduler(timezone="UTC")
    for one in JOBS:
        scheduler.add_job(
            one.run,
            "interval",
            args=[runtime],
            seconds=one.every_seconds,
            id=one.name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    scheduler.start()
    stopped.wait()
    scheduler.shutdown(wait=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
