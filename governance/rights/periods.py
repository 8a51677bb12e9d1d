"""Counting periods of law: days, business days, months and hours, and the instant at which a day is over.

Pure.

A period in days, business days or months ends with the end of a calendar day where the person is. Whether the
day of the event counts is the clause's own matter (`first_day_counts`): Regulation (EEC, Euratom) 1182/71
Art. 3(1) does not count it, "beginning with" (UK GDPR Art. 12A) does.
"""

import re
from calendar import monthrange
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from governance.calendar import nationwide_holidays, zone_info

HOUR, DAY, BUSINESS_DAY, MONTH = "hour", "day", "business day", "month"
_FORM = re.compile(r"([1-9][0-9]{0,3}) (hour|day|business day|month)s?")
_SATURDAY = 5
_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """So many hours, days, business days or months."""

    n: int
    unit: str

    def __str__(self) -> str:
        """Write it as the data does: `45 days`."""
        return f"{self.n} {self.unit}{'' if self.n == 1 else 's'}"


def read_period(text: str) -> Period | None:
    """Read `1 month`, `45 days`, `10 business days`, `72 hours`; None for any other text."""
    found = _FORM.fullmatch(text)
    return None if found is None else Period(int(found.group(1)), found.group(2))


def is_working_day(day: date, holidays_of: str | None) -> bool:
    """Whether a day is neither Saturday, Sunday nor a public holiday of the whole country (ISO 3166-1)."""
    if day.weekday() >= _SATURDAY:
        return False
    return holidays_of is None or day not in nationwide_holidays(holidays_of, day.year)


def next_working_day(day: date, holidays_of: str | None) -> date:
    """The day itself if people work on it, else the first after it on which they do."""
    while not is_working_day(day, holidays_of):
        day += _ONE
    return day


def months_after(day: date, months: int) -> date:
    """The same date so many months later, or the last day of a month that has no such date."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def last_day(
    start: date, period: Period, *, first_day_counts: bool = False, holidays_of: str | None = None
) -> date:
    """The last day of a period that an event on `start` sets off. ValueError for hours: they end in a moment.

    Of months "beginning with" a day, the last is the day before the same date; of one that a month does not
    have (30 February) the month's last day.
    """
    if period.unit == DAY:
        return start + timedelta(days=period.n - first_day_counts)
    if period.unit == MONTH:
        end = months_after(start, period.n)
        return end - _ONE if first_day_counts and end.day == start.day else end
    if period.unit == BUSINESS_DAY:
        day = start if first_day_counts else start + _ONE
        left = period.n - is_working_day(day, holidays_of)
        while left:
            day += _ONE
            left -= is_working_day(day, holidays_of)
        return day
    raise ValueError("hours end in a moment, not with a day")


def without(day: date, start: date, uncounted: AbstractSet[date]) -> date:
    """Where a period that would end on `day` ends if these days, from `start` on, do not count."""
    end = day
    while True:
        moved = day + timedelta(days=sum(start <= each <= end for each in uncounted))
        if moved == end:
            return end
        end = moved


def local_day(instant: datetime, zone: str) -> date:
    """The date that an instant has in a zone."""
    return instant.astimezone(zone_info(zone)).date()


def end_of(day: date, zone: str) -> datetime:
    """The instant at which a day is over in a zone: the first that no longer belongs to it, in UTC."""
    return datetime.combine(day + _ONE, time(), zone_info(zone)).astimezone(UTC)
