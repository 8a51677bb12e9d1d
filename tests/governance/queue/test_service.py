from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from governance.bootstrap import Runtime
from governance.database import for_reading
from governance.queue import service as queue
from governance.queue.model import Claim, Offered, Standing
from tests.conftest import START, HandClock

MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=60)


@contextmanager
def transaction(runtime: Runtime) -> Iterator[Connection]:
    with runtime.engine.connect() as connection, connection.begin():
        yield connection


def offer(runtime: Runtime, *, each: bool = False, kind: str = "sweep") -> Offered:
    with transaction(runtime) as connection:
        return queue.offer(connection, kind, MINUTE, runtime.clock(), each=each)


def claim(runtime: Runtime, owner: str = "wrk_1", kind: str = "sweep") -> Claim | None:
    with transaction(runtime) as connection:
        return queue.claim(connection, kind, runtime.clock(), LEASE, owner=owner)


def complete(runtime: Runtime, held: Claim | None, done: int = 0) -> bool:
    assert held is not None
    with transaction(runtime) as connection:
        return queue.complete(connection, held, now=runtime.clock(), done=done)


def standing(runtime: Runtime) -> Standing:
    with runtime.engine.connect() as plain, for_reading(plain).begin():
        (found,) = queue.standings(plain, runtime.clock())
    return found


def test_a_slot_is_queued_once_however_many_offer_it(any_runtime: Runtime) -> None:
    assert [offer(any_runtime) for _ in range(3)] == [Offered(queued=1), Offered(), Offered()]
    assert complete(any_runtime, claim(any_runtime))
    assert offer(any_runtime) == Offered()
    assert claim(any_runtime) is None


def test_a_slot_that_is_done_and_forgotten_is_not_offered_again(
    any_runtime: Runtime, clock: HandClock
) -> None:
    offer(any_runtime)
    complete(any_runtime, claim(any_runtime))
    clock.forward(queue.KEEP_DULL * 2)
    offer(any_runtime)
    with transaction(any_runtime) as connection:
        assert queue.sweep(connection, clock()) == 1
    clock.at = START  # a scheduler that was asleep for so long wakes up in the middle of its offer
    assert offer(any_runtime) == Offered()
    assert claim(any_runtime) is None


def test_slots_that_no_scheduler_offered_are_stood_for_by_one_run_and_counted(
    any_runtime: Runtime, clock: HandClock
) -> None:
    offer(any_runtime)
    complete(any_runtime, claim(any_runtime))
    clock.forward(10 * MINUTE)
    assert standing(any_runtime).lag == 9 * MINUTE  # nobody offers: that shows too
    assert offer(any_runtime) == Offered(queued=1, missed=9)
    held = claim(any_runtime)
    assert held is not None
    assert (held.stands_for, held.due_at) == (10, clock())
    complete(any_runtime, held)
    assert claim(any_runtime) is None
    with transaction(any_runtime) as connection:
        (miss,) = queue.missed(connection, START)
    assert (miss.slot, miss.stands_for) == (held.slot, 10)
    assert standing(any_runtime).missed == 9


def test_a_slot_that_comes_while_one_waits_is_stood_for_by_that(
    any_runtime: Runtime, clock: HandClock
) -> None:
    offer(any_runtime)
    clock.forward(MINUTE)
    assert offer(any_runtime) == Offered(overlapped=1)
    assert (standing(any_runtime).backlog, standing(any_runtime).lag) == (1, MINUTE)
    held = claim(any_runtime)
    assert held is not None
    assert (held.due_at, held.stands_for) == (START, 2)
    clock.forward(MINUTE / 2)
    with transaction(any_runtime) as connection:
        assert queue.renew(connection, held, clock(), LEASE)
    clock.forward(MINUTE / 2)
    assert offer(any_runtime) == Offered(queued=1)  # one that is worked on stands for nothing new


def test_where_each_slot_counts_all_that_were_missed_are_made_up_for(
    any_runtime: Runtime, clock: HandClock
) -> None:
    offer(any_runtime, each=True)
    clock.forward(MINUTE * (queue.CATCH_UP + 100))
    assert [offer(any_runtime, each=True).queued for _ in range(3)] == [queue.CATCH_UP, 100, 0]
    assert standing(any_runtime).backlog == queue.CATCH_UP + 101
    slots = [claim(any_runtime) for _ in range(5)]
    assert [held.due_at for held in slots if held] == [START + n * MINUTE for n in range(5)]


def test_whoever_overslept_its_lease_can_finish_nothing(any_runtime: Runtime, clock: HandClock) -> None:
    offer(any_runtime)
    zombie = claim(any_runtime, "wrk_1")
    assert zombie is not None
    assert claim(any_runtime, "wrk_2") is None
    clock.forward(LEASE)
    heir = claim(any_runtime, "wrk_2")
    assert heir is not None
    assert (heir.slot, heir.fence, heir.attempt) == (zombie.slot, zombie.fence + 1, 2)
    for refused in (
        lambda c: queue.complete(c, zombie, now=clock()),
        lambda c: queue.fail(c, zombie, clock(), now=clock()),
        lambda c: queue.fail(c, zombie, None, now=clock()),
        lambda c: queue.release(c, zombie, now=clock()),
        lambda c: queue.renew(c, zombie, clock(), LEASE),
        lambda c: queue.holds(c, zombie),
    ):
        with transaction(any_runtime) as connection:
            assert refused(connection) is False
    assert standing(any_runtime).runs == 0
    assert complete(any_runtime, heir, 7)
    assert complete(any_runtime, heir, 9)  # a repeat of one's own is fine and changes nothing
    assert not complete(any_runtime, zombie)
    assert (standing(any_runtime).runs, standing(any_runtime).last_done) == (1, 7)


def test_a_sign_of_life_keeps_a_lease(any_runtime: Runtime, clock: HandClock) -> None:
    offer(any_runtime)
    held = claim(any_runtime)
    assert held is not None
    for _ in range(5):
        clock.forward(LEASE / 2)
        with transaction(any_runtime) as connection:
            assert queue.renew(connection, held, clock(), LEASE)
        assert claim(any_runtime, "wrk_2") is None
    assert complete(any_runtime, held)


def test_a_failure_rests_and_then_comes_again_or_is_given_up(any_runtime: Runtime, clock: HandClock) -> None:
    offer(any_runtime)
    held = claim(any_runtime)
    assert held is not None
    with transaction(any_runtime) as connection:
        assert queue.fail(connection, held, clock() + LEASE, now=clock(), problem="OSError")
    assert claim(any_runtime) is None
    found = standing(any_runtime)
    assert (found.failures, found.last_problem, found.backlog) == (1, "OSError", 1)
    clock.forward(LEASE)
    again = claim(any_runtime)
    assert again is not None
    assert again.attempt == 2
    with transaction(any_runtime) as connection:
        assert queue.fail(connection, again, None, now=clock(), problem="OSError")
    clock.forward(timedelta(days=1))
    assert claim(any_runtime) is None
    assert (standing(any_runtime).failures, standing(any_runtime).given_up) == (2, 1)


def test_what_was_given_back_is_free_at_once_and_no_failure(any_runtime: Runtime) -> None:
    offer(any_runtime)
    held = claim(any_runtime)
    assert held is not None
    with transaction(any_runtime) as connection:
        assert queue.release(connection, held, now=any_runtime.clock())
    again = claim(any_runtime, "wrk_2")
    assert again is not None
    assert (again.attempt, again.fence) == (1, 2)
    assert standing(any_runtime).failures == 0


def test_work_that_follows_no_timetable_is_queued_by_name_once(any_runtime: Runtime) -> None:
    now = any_runtime.clock()
    with transaction(any_runtime) as connection:
        assert queue.put(connection, "step", "ers_1", now + MINUTE)
        assert not queue.put(connection, "step", "ers_1", now)
        assert queue.put(connection, "step", "ers_2", now)
    held = claim(any_runtime, kind="step")
    assert held is not None
    assert held.slot == "ers_2"
    assert claim(any_runtime, kind="step") is None
    assert standing(any_runtime).next_at is None


def test_an_effect_that_is_rolled_back_leaves_its_slot_undone(any_runtime: Runtime) -> None:
    offer(any_runtime)
    held = claim(any_runtime)
    assert held is not None
    with any_runtime.engine.connect() as connection:
        assert queue.complete(connection, held, now=any_runtime.clock())
        connection.rollback()
    assert complete(any_runtime, held)


def test_two_claims_at_once_get_two_slots(postgres_runtime: Runtime, clock: HandClock) -> None:
    offer(postgres_runtime, each=True)
    clock.forward(MINUTE)
    offer(postgres_runtime, each=True)
    engine, now = postgres_runtime.engine, clock()
    with engine.connect() as one, engine.connect() as other, one.begin(), other.begin():
        first = queue.claim(one, "sweep", now, LEASE, owner="wrk_1")
        second = queue.claim(other, "sweep", now, LEASE, owner="wrk_2")  # does not wait for the first
        assert first is not None
        assert second is not None
        assert first.slot != second.slot
    with engine.connect() as one, one.begin():
        assert queue.holds(one, first)
        clock.forward(2 * LEASE)
        # The fence of an effect holds off a claim, and no sign of life.
        assert claim(postgres_runtime, "wrk_3") is not None
        assert claim(postgres_runtime, "wrk_3") is None
        with transaction(postgres_runtime) as other:
            assert queue.renew(other, first, clock(), LEASE)


def test_what_is_forgotten_still_counts(any_runtime: Runtime, clock: HandClock) -> None:
    for done in (0, 3):
        offer(any_runtime)
        complete(any_runtime, claim(any_runtime), done)
        clock.forward(MINUTE)
    with transaction(any_runtime) as connection:
        queue.put(connection, "step", "ers_1", clock())
    complete(any_runtime, claim(any_runtime, kind="step"))
    clock.forward(queue.KEEP_DULL * 2)
    with transaction(any_runtime) as connection:
        assert queue.sweep(connection, clock()) == 1  # the one of the timetable that did nothing
        assert not queue.put(connection, "step", "ers_1", clock())
    clock.forward(queue.KEEP_DONE)
    with transaction(any_runtime) as connection:
        assert queue.sweep(connection, clock()) == 2
        found = {one.kind: one for one in queue.standings(connection, clock())}
    assert {kind: one.runs for kind, one in found.items()} == {"sweep": 2, "step": 1}
    assert found["sweep"].last_ended_at is None


def test_what_no_scheduler_ever_offered_lags_since_there_was_something_to_do(
    any_runtime: Runtime, clock: HandClock
) -> None:
    def found(since: datetime | None) -> Standing:
        with any_runtime.engine.connect() as plain, for_reading(plain).begin():
            (only,) = queue.standings(plain, clock(), timetable={"sweep": 60}, since=since)
        return only

    assert (found(None).next_at, found(None).lag) == (None, timedelta(0)), "there is nothing to do yet"
    made = START + timedelta(seconds=10)
    clock.at = START + timedelta(seconds=20)
    assert (found(made).next_at, found(made).lag) == (START + MINUTE, timedelta(0)), "not due yet"
    clock.at = START + timedelta(hours=2)
    assert (found(made).lag, found(made).every_seconds) == (timedelta(hours=2) - MINUTE, 60)
    with transaction(any_runtime) as connection:  # run by hand: that is no scheduler
        queue.put(connection, "sweep", "by-hand", clock())
    assert found(made).lag == timedelta(hours=2) - MINUTE
    offer(any_runtime)
    assert found(made).lag == timedelta(0)
    assert found(made).next_at == clock() + MINUTE
