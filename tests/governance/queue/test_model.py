from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.queue.model import rest, slot_at, slots_after

instants = st.integers(min_value=10**8, max_value=4 * 10**9).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
periods = st.integers(min_value=1, max_value=10**7).map(lambda seconds: timedelta(seconds=seconds))


@given(instants, periods)
def test_the_newest_slot_is_the_last_multiple_that_is_not_after_now(now: datetime, every: timedelta) -> None:
    slot = slot_at(now, every)
    assert slot <= now < slot + every
    assert (slot - datetime(1970, 1, 1, tzinfo=UTC)) % every == timedelta(0)


@given(instants, periods, st.integers(min_value=0, max_value=500), periods)
def test_slots_are_counted_as_if_ticked_one_by_one(
    start: datetime, every: timedelta, steps: int, other: timedelta
) -> None:
    latest = slot_at(start, other)  # the timetable may have been another one before
    newest = slot_at(latest + steps * every, every)
    ticked, at = 0, slot_at(latest, every) + every
    while at <= newest:
        ticked, at = ticked + 1, at + every
    assert slots_after(latest, newest, every) == ticked


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (1_000, 300)])
def test_a_failure_is_followed_by_a_rest_that_grows_to_five_minutes(attempt: int, seconds: int) -> None:
    assert rest(attempt) == timedelta(seconds=seconds)
