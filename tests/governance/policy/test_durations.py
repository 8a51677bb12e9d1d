"""Calendar durations: clamping, and cutoffs that are exact to the microsecond."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.policy.durations import Duration, cutoff, minus, parse_duration, plus

_START = datetime(2020, 1, 1, tzinfo=UTC)
_INSTANTS = st.timedeltas(timedelta(0), timedelta(days=4400)).map(lambda since: _START + since)
_DURATIONS = st.one_of(
    st.builds(Duration, st.integers(1, 60), st.just("month")),
    st.builds(Duration, st.integers(1, 5), st.just("year")),
    st.builds(Duration, st.integers(1, 800), st.just("day")),
    st.builds(Duration, st.integers(1, 60), st.just("week")),
)


def _relative(duration: Duration) -> relativedelta:
    return relativedelta(**{f"{duration.unit}s": duration.n})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["24 months", "1 month", "30 days", "2 years", "36 hours", "6 weeks"])
def test_a_duration_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse_duration(text)) == text


@pytest.mark.parametrize(
    "text",
    ["24", "months", "0 days", "-1 day", "1.5 years", "24  months", "24months", "999 years", "3 moons"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert parse_duration(text) is None


def test_the_last_of_january_plus_a_month_is_the_last_of_february() -> None:
    assert plus(datetime(2026, 1, 31, 9, tzinfo=UTC), Duration(1, "month")) == datetime(
        2026, 2, 28, 9, tzinfo=UTC
    )
    assert plus(datetime(2024, 2, 29, tzinfo=UTC), Duration(1, "year")) == datetime(2025, 2, 28, tzinfo=UTC)


def test_a_length_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises(OverflowError):
        plus(datetime(9999, 1, 1, tzinfo=UTC), Duration(1, "year"))


@given(_INSTANTS, _DURATIONS)
def test_plus_and_minus_are_calendar_addition(moment: datetime, duration: Duration) -> None:
    assert plus(moment, duration) == moment + _relative(duration)
    assert minus(moment, duration) == moment - _relative(duration)


@settings(max_examples=600)
@given(_INSTANTS, _DURATIONS, st.integers(-5, 5), st.integers(-1, 1), st.booleans())
def test_a_cutoff_says_what_addition_says(
    now: datetime, duration: Duration, days: int, micros: int, at_month_end: bool
) -> None:
    if at_month_end:
        now = now.replace(day=monthrange(now.year, now.month)[1])
    anchor = now - _relative(duration) + timedelta(days=days, microseconds=micros)
    assert cutoff(duration, now).reached(anchor) == (anchor + _relative(duration) <= now)


def test_anchors_that_have_reached_an_age_are_not_always_one_stretch() -> None:
    # 28 January 11:00 has not come of age at 10:30 on the last of February, 29 January 10:00 has.
    edge = cutoff(Duration(1, "month"), datetime(2026, 2, 28, 10, 30, tzinfo=UTC))
    assert not edge.reached(datetime(2026, 1, 28, 11, tzinfo=UTC))
    assert edge.reached(datetime(2026, 1, 29, 10, tzinfo=UTC))
    assert edge.reached(datetime(2026, 1, 31, 10, 30, tzinfo=UTC))
    assert not edge.reached(datetime(2026, 1, 31, 10, 30, 0, 1, tzinfo=UTC))


def test_other_zones_name_the_same_instant() -> None:
    zone = timezone(timedelta(hours=-7))
    now = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    edge = cutoff(Duration(1, "month"), now.astimezone(zone))
    assert edge == cutoff(Duration(1, "month"), now)
    assert edge.reached(datetime(2026, 2, 28, 16, 30, tzinfo=zone)) == edge.reached(
        datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    )
