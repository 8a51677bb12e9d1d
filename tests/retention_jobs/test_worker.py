"""Workers in this process, on a clock moved by hand: who works, who may write, and what is given back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.database import for_reading
from governance.events import Actor
from governance.queue import service as queue
from governance.queue.model import Standing
from retention_jobs.schedule import Job
from retention_jobs.scheduler import Scheduler, offer
from retention_jobs.worker import LeaseLostError, Workers
from tests.conftest import HandClock

ACTOR = Actor("job:test", "job")
PATIENCE = 30.0


def job(run: Callable[[Runtime], int], *, name: str = "test", at_once: int = 1) -> Job:
    return Job(name, 60, run, "does what the test says", at_once=at_once)


@contextmanager
def working(runtime: Runtime, *jobs: Job, count: int = 2) -> Iterator[Workers]:
    crew = Workers(runtime, jobs, count=count, poll=0.01)
    crew.start()
    try:
        yield crew
    finally:
        crew.stop()


def standing(runtime: Runtime, name: str = "test") -> Standing:
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        return next(one for one in queue.standings(plain, runtime.clock()) if one.kind == name)


def until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE * 100)):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to that")


def events(runtime: Runtime, kind: str) -> int:
    with runtime.engine.connect() as connection:
        sql = f"SELECT count(*) FROM ledger_entry WHERE kind = '{kind}'"
        return int(connection.exec_driver_sql(sql).scalar_one())


def note(runtime: Runtime, kind: str = "test.noted") -> int:
    with runtime.work("acme", ACTOR) as work:
        work.record(kind)
    return 1


def test_what_is_due_is_done_once_and_what_it_did_is_told(any_runtime: Runtime) -> None:
    one = job(note)
    offer(any_runtime, one)
    with working(any_runtime, one):
        until(lambda: standing(any_runtime).runs == 1)
    found = standing(any_runtime)
    assert (found.last_done, found.backlog, found.running) == (1, 0, 0)
    assert events(any_runtime, "test.noted") == 1


def test_a_run_that_overslept_its_lease_changes_nothing_any_more(
    any_runtime: Runtime, clock: HandClock
) -> None:
    asleep, awake, ended = threading.Event(), threading.Event(), threading.Event()
    refused: list[BaseException] = []

    def sleeper(runtime: Runtime) -> int:
        if asleep.is_set():  # the second turn
            return note(runtime, "test.second")
        asleep.set()
        assert awake.wait(PATIENCE)
        try:
            return note(runtime, "test.first")
        except LeaseLostError as lost:
            refused.append(lost)
            raise
        finally:
            ended.set()

    one = job(sleeper)
    offer(any_runtime, one)
    with working(any_runtime, one):
        assert asleep.wait(PATIENCE)
        clock.forward(timedelta(seconds=61))
        until(lambda: standing(any_runtime).runs == 1)
        awake.set()
        assert ended.wait(PATIENCE)
    assert len(refused) == 1
    assert (events(any_runtime, "test.first"), events(any_runtime, "test.second")) == (0, 1)
    found = standing(any_runtime)
    assert (found.runs, found.failures, found.running) == (1, 0, 0)


def test_a_stop_waits_for_the_batch_at_hand_and_gives_the_rest_back(runtime: Runtime) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def batches(own: Runtime) -> int:
        for _ in range(1000):
            own.heed()
            note(own)
            begun.set()
            assert goes_on.wait(PATIENCE)
        return 1000

    one = job(batches)
    offer(runtime, one)
    crew = Workers(runtime, [one], count=1, poll=0.01)
    crew.start()
    assert begun.wait(PATIENCE)
    stopping = threading.Thread(target=crew.stop)
    stopping.start()
    until(lambda: crew._stopping.is_set())
    goes_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert events(runtime, "test.noted") == 1
    found = standing(runtime)
    assert (found.runs, found.failures, found.backlog, found.running) == (0, 0, 1, 0)


def test_a_job_that_fails_rests_and_holds_up_no_other(runtime: Runtime, clock: HandClock) -> None:
    broken = [True]

    def fragile(own: Runtime) -> int:
        if broken[0]:
            with own.work("acme", ACTOR) as work:
                work.record("test.noted")
                raise OSError("anna@example.org")
        return note(own)

    one, other = job(fragile), job(lambda _: 0, name="other")
    offer(runtime, one)
    offer(runtime, other)
    with working(runtime, one, other, count=1):
        until(lambda: standing(runtime).failures == 1 and standing(runtime, "other").runs == 1)
        found = standing(runtime)
        assert (found.last_problem, found.backlog) == ("OSError", 1)
        assert events(runtime, "test.noted") == 0
        broken[0] = False
        clock.forward(timedelta(seconds=5))
        until(lambda: standing(runtime).runs == 1)
    assert events(runtime, "test.noted") == 1


def test_what_goes_wrong_is_logged_without_its_message(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Runtime) -> int:
        raise OSError("anna@example.org")

    one = job(broken)
    offer(runtime, one)
    with working(runtime, one):
        until(lambda: standing(runtime).failures == 1)
    told = capsys.readouterr().err
    assert '"kind": "OSError"' in told
    assert "anna" not in told


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_workers_do_a_job_at_once_than_it_allows(
    at_once: int, runtime: Runtime, clock: HandClock
) -> None:
    inside, most, goes_on = [0], [0], threading.Event()
    lock = threading.Lock()

    def slow(_: Runtime) -> int:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        assert goes_on.wait(PATIENCE)
        with lock:
            inside[0] -= 1
        return 0

    one = Job("test", 60, slow, "waits", at_once=at_once, each_slot=True)
    for _ in range(3):
        offer(runtime, one)
        clock.forward(timedelta(minutes=1))
    clock.forward(timedelta(minutes=-1))
    with working(runtime, one, count=4):
        until(lambda: inside[0] == at_once)
        threading.Event().wait(0.1)
        goes_on.set()
        until(lambda: standing(runtime).runs == 3)
    assert most[0] == at_once


def test_a_job_run_by_hand_counts_as_a_run(runtime: Runtime) -> None:
    assert Workers(runtime, [], count=1).run_now(job(note)) == 1
    assert standing(runtime).runs == 1

    def broken(_: Runtime) -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Workers(runtime, [], count=1).run_now(job(broken))
    found = standing(runtime)
    assert (found.failures, found.given_up, found.backlog) == (1, 1, 0)


def test_a_scheduler_offers_at_its_start_and_ticks_on(runtime: Runtime, clock: HandClock) -> None:
    offers = threading.Semaphore(0)
    every_second = Job("test", 1, lambda _: 0, "ticks")
    scheduler = Scheduler(runtime, [every_second], offered=offers.release, speed=50)
    scheduler.start()
    try:
        assert offers.acquire(timeout=PATIENCE)
        clock.forward(timedelta(seconds=1))
        until(lambda: standing(runtime).overlapped == 1)  # nobody works: the first slot stands for the second
    finally:
        scheduler.stop()


def test_a_tick_that_finds_no_database_is_made_up_for_by_the_next(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    real = runtime.clock
    failures = [2]

    def flaky() -> object:
        if failures[0]:
            failures[0] -= 1
            raise OSError("away")
        return real()

    runtime.clock = flaky  # type: ignore[assignment]
    scheduler = Scheduler(runtime, [Job("test", 1, lambda _: 0, "ticks")], offered=lambda: None, speed=50)
    scheduler.start()
    try:
        until(lambda: failures[0] == 0)
        until(lambda: bool(_standings(runtime)))
    finally:
        scheduler.stop()
    assert '"kind": "OSError"' in capsys.readouterr().err


def _standings(runtime: Runtime) -> list[Standing]:
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        return queue.standings(plain, runtime.clock())
