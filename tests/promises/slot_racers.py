"""Schedulers and workers in several processes, on a clock that goes faster than the wall's.

`python -m tests.promises.slot_racers MODE COUNT BEGAN` forks COUNT racers and prints their process ids; BEGAN
is the reading of the machine's monotonic clock at which the fast clock shows START. SIGTERM ends them.

Modes: `real` is the service's own scheduler and workers. The twins have seeded bugs: `shared-store` is
APScheduler with one job store in the database for all, `fenceless` has its effect without asking the fence.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from governance.bootstrap import Runtime, assemble
from governance.clock import wire
from governance.database import make_engine
from governance.queue import service as queue
from governance.queue.model import Claim, slot_at
from governance.settings import Settings
from retention_jobs.schedule import Job
from retention_jobs.scheduler import Scheduler
from retention_jobs.worker import Workers

START = datetime(2026, 11, 21, tzinfo=UTC)
SPEED = 25
KINDS = [f"kind-{number}" for number in range(4)]
EVERY = timedelta(seconds=1)
TICKS_FOR = 5
"""So many slots fall due between two ticks of a scheduler."""

LEASE = 1.0
"""Seconds of the wall's clock."""

effect = sa.Table(
    "effect",
    sa.MetaData(),
    sa.Column("kind", sa.Text),
    sa.Column("slot", sa.Text),
    sa.Column("racer", sa.Integer),
)
"""One row for each time that the work of a slot took effect; nothing in the table keeps two apart."""


def fast_clock(began: float) -> Callable[[], datetime]:
    return lambda: START + timedelta(seconds=(time.monotonic() - began) * SPEED)


def take_effect(connection: sa.Connection, kind: str, slot: str) -> None:
    connection.execute(sa.insert(effect).values(kind=kind, slot=slot, racer=os.getpid()))


def fenced(own: Runtime) -> int:
    """Take a moment, then have the effect and finish the slot in one transaction."""
    claim = own.resources[Claim]
    assert isinstance(claim, Claim)
    time.sleep(random.uniform(0, 0.03))
    with own.engine.connect() as connection, connection.begin():
        own.fence(connection)
        take_effect(connection, claim.kind, claim.slot)
        assert queue.complete(connection, claim, now=own.clock(), done=1)
    return 1


def fenceless(own: Runtime) -> int:
    """The seeded bug: the effect does not ask whether the claim still holds."""
    claim = own.resources[Claim]
    assert isinstance(claim, Claim)
    time.sleep(random.uniform(0, 0.03))
    with own.engine.connect() as connection, connection.begin():
        take_effect(connection, claim.kind, claim.slot)
    return 1


def race(run: Callable[[Runtime], int], began: float, stopped: threading.Event) -> None:
    runtime = assemble(Settings.from_environ(os.environ), clock=fast_clock(began))
    every = EVERY // timedelta(seconds=1)
    jobs = [Job(kind, every, run, "counts its slots", at_once=4, each_slot=True) for kind in KINDS]
    crew = Workers(runtime, jobs, count=3, lease=timedelta(seconds=LEASE) * SPEED, poll=0.02)
    scheduler = Scheduler(runtime, jobs, offered=crew.wake, speed=SPEED / TICKS_FOR)
    crew.start()
    scheduler.start()
    stopped.wait()
    scheduler.stop()
    crew.stop()
    runtime.close()


def tick(kind: str, began: float) -> None:
    """What the shared store's jobs do: the work of the newest slot."""
    engine = make_engine(os.environ["GOVERNANCE_DATABASE_URL"], pool_size=1)
    with engine.connect() as connection, connection.begin():
        take_effect(connection, kind, wire(slot_at(fast_clock(began)(), EVERY)))
    engine.dispose()


def share(began: float, stopped: threading.Event) -> None:
    """The seeded bug: every process runs a scheduler on one job store."""
    store = SQLAlchemyJobStore(url=os.environ["GOVERNANCE_DATABASE_URL"])
    scheduler = BackgroundScheduler({"default": store}, timezone="UTC")
    for kind in KINDS:
        scheduler.add_job(
            tick,
            "interval",
            args=[kind, began],
            seconds=EVERY.total_seconds() / SPEED,
            id=kind,
            replace_existing=True,
        )
    scheduler.start()
    stopped.wait()
    scheduler.shutdown()


MODES: dict[str, Callable[[float, threading.Event], None]] = {
    "real": lambda began, stopped: race(fenced, began, stopped),
    "fenceless": lambda began, stopped: race(fenceless, began, stopped),
    "shared-store": share,
}


def child(mode: str, began: float) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    MODES[mode](began, stopped)


def main(mode: str, count: int, began: float) -> int:
    racers = []
    for _ in range(count):
        racer = os.fork()
        if racer == 0:
            child(mode, began)
            os._exit(0)
        racers.append(racer)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(json.dumps(racers), flush=True)
    return max(os.waitstatus_to_exitcode(os.waitpid(racer, 0)[1]) for racer in racers)


if __name__ == "__main__":
    from tests.promises import slot_racers  # jobs of the shared store are found by their module's name

    sys.exit(slot_racers.main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
