"""Every day of four years, every kind of period, six zones: the clock agrees with one counted on fingers.

The oracle shares no code with the clock: it walks from day to day, knows the lengths of months by heart,
finds American and German holidays by their own rules (and Easter by Gauss), and looks for the end of a day by
asking another library hour by hour.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from dateutil import tz

from governance.rights.clocks import Clock, Course, Extended, Extension, Ground, read
from governance.rights.periods import Period, months_after

ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "America/Los_Angeles",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Auckland",
)
FIRST, LAST = date(2024, 1, 1), date(2027, 12, 31)
ONE = timedelta(days=1)
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
NOTHING = Ground((), (), False)


def leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def length(year: int, month: int) -> int:
    return 29 if month == 2 and leap(year) else LENGTHS[month - 1]


@cache
def easter(year: int) -> date:
    """Gauss's rule, in the form of Lichtenberg."""
    k = year // 100
    m = 15 + (3 * k + 3) // 4 - (8 * k + 13) // 25
    s = 2 - (3 * k + 3) // 4
    a = year % 19
    d = (19 * a + m) % 30
    r = (d + a // 11) // 29
    og = 21 + d - r
    sz = 7 - (year + year // 4 + s) % 7
    oe = 7 - (og - sz) % 7
    return date(year, 3, 1) + timedelta(days=og + oe - 1)


@cache
def german(year: int) -> frozenset[date]:
    moving = [easter(year) + timedelta(days=n) for n in (-2, 1, 39, 50)]
    fixed = [date(year, *at) for at in ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))]
    return frozenset([*moving, *fixed])


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th such weekday of a month; the last for n = -1."""
    days = [date(year, month, 1) + timedelta(days=i) for i in range(length(year, month))]
    return [day for day in days if day.weekday() == weekday][n - 1 if n > 0 else n]


@cache
def american(year: int) -> frozenset[date]:
    moving = [nth(year, 1, 0, 3), nth(year, 2, 0, 3), nth(year, 5, 0, -1), nth(year, 9, 0, 1)]
    moving += [nth(year, 10, 0, 2), nth(year, 11, 3, 4)]
    found = set(moving)
    for owner in (year, year + 1):  # New Year's Day of a Saturday is observed in the year before
        for at in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25)):
            day = date(owner, *at)
            found.add(day)
            found.add(day - ONE if day.weekday() == 5 else day + ONE if day.weekday() == 6 else day)
    return frozenset(day for day in found if day.year == year)


def works(day: date, country: str | None) -> bool:
    if day.weekday() in (5, 6):
        return False
    return day not in ({"DE": german, "US": american}[country](day.year) if country else ())


def month_end(start: date, months: int) -> tuple[date, bool]:
    """Walk month by month; also whether the month reached has the day."""
    year, month = start.year, start.month
    for _ in range(months):
        month += 1
        if month == 13:
            year, month = year + 1, 1
    has = start.day <= length(year, month)
    return date(year, month, start.day if has else length(year, month)), has


def walk(start: date, n: int, counts: Callable[[date], bool], *, inclusive: bool = False) -> date:
    """Count days on fingers until `n` that count have passed."""
    day, passed = start, int(inclusive and counts(start))
    while passed < n:
        day += ONE
        passed += counts(day)
    return day


def expected(start: date, period: Period, *, inclusive: bool, roll: str | None, country: str | None) -> date:
    if period.unit == "month":
        day, has = month_end(start, period.n)
        day = day - ONE if inclusive and has else day
    elif period.unit == "day":
        day = walk(start, period.n, lambda _: True, inclusive=inclusive)
    else:
        day = walk(start, period.n, lambda each: works(each, country), inclusive=inclusive)
    while roll and not works(day, roll):
        day += ONE
    return day


@cache
def over(day: date, zone: str) -> datetime:
    """The first hour that no longer belongs to a day, looked for hour by hour with another library."""
    place = tz.gettz(zone)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=14)
    while at.astimezone(place).date() <= day:
        at += timedelta(minutes=30)
    return at


KINDS: tuple[tuple[str, Clock, str | None], ...] = (
    *(
        (f"{n} months, GDPR", Clock(NOTHING, ("receipt",), Period(n, "month"), on_working_day=NOTHING), "DE")
        for n in (1, 2, 3)
    ),
    *(
        (f"{n} months, UK", Clock(NOTHING, ("receipt",), Period(n, "month"), first_day_counts=True), None)
        for n in (1, 3)
    ),
    *((f"{n} days", Clock(NOTHING, ("receipt",), Period(n, "day")), None) for n in (10, 15, 30, 45, 90)),
    ("30 days beginning with", Clock(NOTHING, ("receipt",), Period(30, "day"), first_day_counts=True), None),
    *(
        (f"{n} business days", Clock(NOTHING, ("receipt",), Period(n, "business day")), "US")
        for n in (2, 10, 15)
    ),
)


def days(step: int) -> Iterator[date]:
    day = FIRST
    while day <= LAST:
        yield day
        day += timedelta(days=step)


def differences(step: int, clock_of: Callable[[Clock], Clock] = lambda clock: clock) -> tuple[int, list[str]]:
    asked, wrong = 0, []
    for zone in ZONES:
        place = tz.gettz(zone)
        for number, start in enumerate(days(step)):
            # Some hour of the day there, another one every time, so that dates differ from those in UTC.
            local = datetime(start.year, start.month, start.day, number * 7 % 24, 59, tzinfo=place)
            received = local.astimezone(UTC)
            for name, clock, country in KINDS:
                asked += 1
                course = Course("access", received, zone, country)
                got = read(clock_of(clock), course, received)
                roll = country if clock.on_working_day else None
                inclusive = clock.first_day_counts
                day = expected(start, clock.respond, inclusive=inclusive, roll=roll, country=country)
                if (got.due_on, got.due_at) != (day, over(day, zone)):
                    wrong.append(f"{name} from {start} in {zone}: {got.due_on} {got.due_at}, not {day}")
    return asked, wrong


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.full)], ids=["a part", "every day"])
def test_deadlines_agree_with_a_calendar_counted_on_fingers(step: int) -> None:
    asked, wrong = differences(step)
    assert wrong == []
    assert asked == len(ZONES) * len(KINDS) * len(list(days(step)))
    if step == 1:
        assert asked >= 78_894


def test_a_clock_that_counts_a_month_as_thirty_days_is_caught() -> None:
    def careless(clock: Clock) -> Clock:
        if clock.respond.unit != "month":
            return clock
        hasty = Period(30 * clock.respond.n, "day")
        return Clock(NOTHING, clock.starts, hasty, on_working_day=clock.on_working_day)

    assert len(differences(97, careless)[1]) > 50


def test_an_extension_is_counted_from_the_start_and_never_chained() -> None:
    extension = Extension(Period(2, "month"), Period(1, "month"))
    clock = Clock(NOTHING, ("receipt",), Period(1, "month"), extension=extension)
    chained = 0
    for start in days(1):
        received = datetime(start.year, start.month, start.day, 9, tzinfo=UTC)
        course = Course("access", received, "UTC", extended=(Extended(received),))
        assert read(clock, course, received).due_on == month_end(start, 3)[0], start
        chained += months_after(months_after(start, 1), 2) != month_end(start, 3)[0]
    assert chained > 10, "the days on which chaining would have been wrong"
