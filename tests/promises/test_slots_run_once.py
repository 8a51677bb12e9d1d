"""Four schedulers with workers, some of them paused for longer than their lease: each slot takes effect once.

The work of a slot is a row in a table that nothing keeps unique; the row and the end of the slot are written
under the fence, in one transaction. Two twins must fail the same test: schedulers that share a job store, and
workers that do not ask the fence.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from governance.clock import wire
from governance.database import for_reading, make_engine
from governance.queue import service as queue
from governance.queue.store import queue_slot
from governance.settings import Settings
from tests.promises.servers import ROOT, environ_of
from tests.promises.slot_racers import EVERY, KINDS, LEASE, START, effect

Slot = tuple[str, str]


def expected(count: int) -> set[Slot]:
    """The first slots of every kind, worked out from the timetable alone."""
    return {(kind, wire(START + number * EVERY)) for kind in KINDS for number in range(count // len(KINDS))}


def faults(effects: Counter[Slot], slots: set[Slot]) -> list[str]:
    """What did not happen exactly once."""
    lost = [f"lost: {slot}" for slot in sorted(slots - set(effects))]
    return lost + [f"{times} times: {slot}" for slot, times in sorted(effects.items()) if times > 1]


class Race:
    """What the racers have done so far, and who they are."""

    def __init__(self, engine: sa.Engine, racers: list[int]) -> None:
        self._engine = engine
        self.racers = racers

    def effects(self) -> Counter[Slot]:
        with self._engine.connect() as plain, for_reading(plain).begin():
            return Counter((kind, slot) for kind, slot, _ in plain.execute(sa.select(effect)))

    def turns(self) -> Counter[int]:
        """How many slots needed how many claims."""
        with self._engine.connect() as plain, for_reading(plain).begin():
            return Counter(plain.scalars(sa.select(queue_slot.c.fence)))

    def pause(self, racer: int, seconds: float) -> None:
        os.kill(racer, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(racer, signal.SIGCONT)


@contextmanager
def racing(settings: Settings, mode: str, count: int) -> Iterator[Race]:
    """Let so many processes race; they are told to end when the block does."""
    engine = make_engine(settings.database_url)
    effect.metadata.create_all(engine)
    with engine.connect() as connection, connection.begin():
        if mode == "shared-store":  # its own schedulers would fall over each other in making it
            names = "id VARCHAR(191) PRIMARY KEY, next_run_time FLOAT, job_state BYTEA NOT NULL"
            connection.exec_driver_sql(f"CREATE TABLE apscheduler_jobs ({names})")
        for kind in KINDS:
            queue.offer(connection, kind, EVERY, START, each=True)
    command = [sys.executable, "-m", "tests.promises.slot_racers", mode, str(count), str(time.monotonic())]
    process = subprocess.Popen(
        command,
        env=environ_of(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        racers = json.loads(process.stdout.readline())
        yield Race(engine, racers)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        engine.dispose()


def run_all(settings: Settings, *, slots: int, racers: int, seed: int, mode: str = "real") -> Race:
    """Pause one racer after the other until the work of all these slots is done; gives the ended race."""
    dice, wanted = random.Random(seed), expected(slots)
    with racing(settings, mode, racers) as race:
        deadline = time.monotonic() + 60 + slots / 20
        while wanted - set(race.effects()):
            assert time.monotonic() < deadline, f"{len(wanted - set(race.effects()))} slots are not done"
            race.pause(dice.choice(race.racers), dice.uniform(1.2, 2) * LEASE)
            time.sleep(dice.uniform(0, 0.5) if racers > 1 else dice.uniform(1, 2))
        time.sleep(0.2)  # whoever was paused last gets the time to do harm
    return race


@pytest.mark.parametrize(
    "slots", [pytest.param(300, id="300"), pytest.param(10_000, id="10000", marks=pytest.mark.full)]
)
def test_four_schedulers_run_each_slot_once(slots: int, make_settings: Callable[[str], Settings]) -> None:
    race = run_all(make_settings("postgresql"), slots=slots, racers=4, seed=1)
    effects = race.effects()
    assert faults(effects, expected(slots)) == []
    assert sum(times for fence, times in race.turns().items() if fence > 1) > 0, "no pause was in the way"


@pytest.mark.parametrize(
    "slots", [pytest.param(60, id="60"), pytest.param(10_000, id="10000", marks=pytest.mark.full)]
)
def test_one_process_on_sqlite_runs_each_slot_once(
    slots: int, make_settings: Callable[[str], Settings]
) -> None:
    race = run_all(make_settings("sqlite"), slots=slots, racers=1, seed=2)
    assert faults(race.effects(), expected(slots)) == []


def test_schedulers_that_share_a_job_store_are_caught(make_settings: Callable[[str], Settings]) -> None:
    with racing(make_settings("postgresql"), "shared-store", 4) as race:
        deadline = time.monotonic() + 60
        while not any("times" in fault for fault in faults(race.effects(), set())):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_workers_that_do_not_ask_the_fence_are_caught(make_settings: Callable[[str], Settings]) -> None:
    with racing(make_settings("postgresql"), "fenceless", 3) as race:
        deadline, dice = time.monotonic() + 60, random.Random(3)
        while not any("times" in fault for fault in faults(race.effects(), set())):
            assert time.monotonic() < deadline
            race.pause(dice.choice(race.racers), 1.5 * LEASE)
            time.sleep(0.3)
