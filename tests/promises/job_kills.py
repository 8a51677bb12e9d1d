"""kill -9 of whoever does the jobs, again and again: the frame that every kind of work can be put into.

A builder of a job writes a `Flow` in a module that needs no fixtures. `survive` kills at random moments,
statements and commits, `survive_points` before and after every n-th commit. Both end with an undisturbed
worker, which must finish everything within two leases, and then demand: no faults by the flow's own account
(nothing lost, nothing done twice), and `fsck` green (no gap in the audit).
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner

from governance.bootstrap import COMMAND_LINE, Runtime, assemble
from governance.commands import main
from governance.settings import Settings
from retention_jobs.schedule import Job
from tests.promises.crash_points import MOMENTS
from tests.promises.servers import ROOT, environ_of

LEASE = 1.0
"""Seconds: the queue's lease in the workers here, and what `shorten` should bring a room's own down to."""

_SLACK = 30.0
_MOST_EVENTS = {"statement": 100, "before": 12, "after": 12}


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Flow:
    """A kind of work that jobs do.

    `make(runtime, number)` gives jobs something to do, differently for every number, and returns what was
    asked for. `left(runtime)`: how much of it is not finished. `faults(runtime, made)`: sentences on what was
    lost, done twice or done wrongly, given all that `make` returned; it is called when nothing is left.
    `shorten` is called in the worker's process before anything else: it may set constants of rooms.
    """

    jobs: tuple[Job, ...]
    make: Callable[[Runtime, int], Any]
    left: Callable[[Runtime], int]
    faults: Callable[[Runtime, Sequence[Any]], Iterable[str]]
    shorten: Callable[[], None] = _nothing


def counted(runtime: Runtime, *queries: sa.Select[tuple[int]]) -> int:
    """What these queries count, all together: how a flow says what is `left`."""
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        return sum(snapshot.connection.scalar(query) or 0 for query in queries)


class Nurse:
    """The nursery, as the tests see it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, do: str, **order: Any) -> dict[str, Any]:
        """Give an order and hear the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def nursery(settings: Settings, flow: str) -> Iterator[Nurse]:
    """Start a nursery for `module:attribute` of a flow."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.promises.job_nursery", flow],
        env=environ_of(settings),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Nurse(process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def opened(settings: Settings) -> Iterator[Runtime]:
    """A runtime in this process, beside those that are killed."""
    runtime = assemble(settings)
    try:
        yield runtime
    finally:
        runtime.close()


def survive(settings: Settings, flow: Flow, name: str, *, kills: int, seed: int) -> list[str]:
    """Kill workers so many times while there is work; gives the faults, none if all is well.

    Two of three kills come at a statement or around a commit that the dice choose, the others at any moment.
    """
    dice = random.Random(seed)
    with opened(settings) as runtime, nursery(settings, name) as nurse:
        made = [flow.make(runtime, 0)]
        for number in range(1, kills + 1):
            moment = dice.choice(MOMENTS)
            if dice.random() < 2 / 3:
                nurse("bear", moment=moment, number=dice.randrange(1, _MOST_EVENTS[moment]))
            else:
                nurse("bear")
            if nurse("wait", seconds=dice.uniform(0.05, 1.5))["status"] is None:
                nurse("kill")
            if not flow.left(runtime):
                made.append(flow.make(runtime, number))
        made.append(flow.make(runtime, kills + 1))
        return _finish(settings, flow, runtime, nurse, made)


def survive_points(settings: Settings, flow: Flow, name: str, *, every: int = 1) -> list[str]:
    """Kill a worker before and after every n-th commit that an undisturbed one needs; gives the faults.

    `every`: only each so many of the commits, to be quick.
    """
    with opened(settings) as runtime, nursery(settings, name) as nurse:
        made = [flow.make(runtime, 0)]
        nurse("bear", moment="before", number=0)
        _wait(flow, runtime, 60)
        commits = nurse("stop")["passed"]
        assert commits, "nothing was committed"
        hits = tries = 0
        for number, point in enumerate(range(1, commits + 1, every)):
            for moment in ("before", "after"):
                if not flow.left(runtime):
                    made.append(flow.make(runtime, number * 2 + (moment == "after") + 1))
                nurse("bear", moment=moment, number=point)
                tries += 1
                if nurse("wait", seconds=3 * LEASE)["status"] is None:
                    nurse("kill")
                else:
                    hits += 1
        assert hits * 2 >= tries, f"only {hits} of {tries} points were ever reached"
        made.append(flow.make(runtime, 2 * commits + 2))
        return _finish(settings, flow, runtime, nurse, made)


def _finish(settings: Settings, flow: Flow, runtime: Runtime, nurse: Nurse, made: list[Any]) -> list[str]:
    """Let an undisturbed worker do what is left, in time, and see what became of everything."""
    nurse("bear")
    faults = _wait(flow, runtime, 2 * LEASE + _SLACK)
    ended = nurse("stop")["status"]
    if ended != 0:
        faults.append(f"the worker ended with {ended} on SIGTERM")
    faults += flow.faults(runtime, made)
    told = json.loads(CliRunner().invoke(main, ["fsck", "--json"], env=environ_of(settings)).stdout)
    if not told["ok"]:
        faults.append(f"fsck: {told['problems']}")
    return faults


def _wait(flow: Flow, runtime: Runtime, seconds: float) -> list[str]:
    deadline = time.monotonic() + seconds
    while left := flow.left(runtime):
        if time.monotonic() > deadline:
            return [f"stuck: {left} not finished after two leases"]
        time.sleep(0.02)
    return []
