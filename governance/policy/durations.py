"""Calendar durations of the clauses ("24 months", "30 days") and the exact instants at which they end.

An age rule says `under 24 months`: now < anchor + 24 months, by calendar addition in UTC with the day
clamped to the end of a shorter month (31 January + 1 month = 28 or 29 February). Because of that clamping
the anchors that have reached an age are not always one unbroken stretch of time: `Cutoff` keeps the two
ends and stays exact.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_FORM = re.compile(r"^([1-9][0-9]{0,4}) (minute|hour|day|week|month|year)s?$")
_LONGEST_DAYS = 200 * 366
_APPROXIMATE_HOURS = {
    "minute": 1 / 60,
    "hour": 1.0,
    "day": 24.0,
    "week": 168.0,
    "month": 730.485,
    "year": 8765.82,
}


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of calendar units; `unit` is minute, hour, day, week, month or year."""

    n: int
    unit: str

    def __str__(self) -> str:
        """Render as a rule writes it, for example `24 months`."""
        return f"{self.n} {self.unit}{'' if self.n == 1 else 's'}"

    @property
    def months(self) -> int:
        """Give the length in calendar months, 0 if it is a fixed length of time."""
        return {"month": self.n, "year": 12 * self.n}.get(self.unit, 0)

    @property
    def fixed(self) -> timedelta:
        """Give the length as a fixed time, zero if it is counted in calendar months."""
        return timedelta(
            minutes=self.n * {"minute": 1, "hour": 60, "day": 1440, "week": 10_080}.get(self.unit, 0)
        )

    @property
    def approximate_hours(self) -> float:
        """Give a length in hours that orders durations; never used to decide anything."""
        return self.n * _APPROXIMATE_HOURS[self.unit]


def parse_duration(text: str) -> Duration | None:
    """Read `24 months`, `30 days`, `2 years`; None if the text is not a duration of at most 200 years."""
    found = _FORM.match(text)
    if found is None:
        return None
    duration = Duration(int(found.group(1)), found.group(2))
    return duration if duration.approximate_hours <= _LONGEST_DAYS * 24 else None


def plus(anchor: datetime, duration: Duration) -> datetime:
    """Give the instant at which `anchor` reaches the age `duration`, in UTC with month-end clamping.

    Raises OverflowError if the result lies after the year 9999.
    """
    moment = anchor.astimezone(UTC)
    if not duration.months:
        return moment + duration.fixed
    count = moment.year * 12 + moment.month - 1 + duration.months
    year, month = divmod(count, 12)
    if year > 9999:
        raise OverflowError(f"{duration} after the year {moment.year} is beyond the calendar")
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def minus(moment: datetime, duration: Duration) -> datetime:
    """Give an instant `duration` before `moment`, by the same calendar rule."""
    utc = moment.astimezone(UTC)
    if not duration.months:
        return utc - duration.fixed
    year, month = divmod(utc.year * 12 + utc.month - 1 - duration.months, 12)
    return utc.replace(year=year, month=month + 1, day=min(utc.day, monthrange(year, month + 1)[1]))


def plus_days(day: date, duration: Duration) -> date:
    """Give the day on which a period ends that began with the end of `day`; like `plus`, in whole days."""
    return plus(datetime.combine(day, time.min, UTC), duration).date()


def minus_days(day: date, duration: Duration) -> date:
    """Give the day `duration` before `day`, by the same calendar rule."""
    return minus(datetime.combine(day, time.min, UTC), duration).date()


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Which anchors have reached an age at one instant.

    Every anchor up to `surely` has; none after `possibly` has. Between them lie anchors on days that the
    present month does not have (29 to 31): those have reached it if their time of day is not after `at`.
    """

    surely: datetime
    possibly: datetime
    at: time

    def reached(self, anchor: datetime) -> bool:
        """Say whether `anchor` (aware) has reached the age."""
        if anchor <= self.surely:
            return True
        return anchor <= self.possibly and anchor.astimezone(UTC).time() <= self.at


def cutoff(duration: Duration, now: datetime) -> Cutoff:
    """Give the cutoff of `duration` at `now` (aware); exact to the microsecond."""
    utc = now.astimezone(UTC)
    at = utc.time()
    if not duration.months:
        edge = utc - duration.fixed
        return Cutoff(edge, edge, at)
    year, month0 = divmod(utc.year * 12 + utc.month - 1 - duration.months, 12)
    length = monthrange(year, month0 + 1)[1]
    if length < utc.day:
        # Every day of the anchor's month maps to a day before today.
        edge = datetime.combine(utc.replace(year=year, month=month0 + 1, day=length), time.max, UTC)
        return Cutoff(edge, edge, at)
    edge = utc.replace(year=year, month=month0 + 1)
    if utc.day == monthrange(utc.year, utc.month)[1] and length > utc.day:
        # Later days of the anchor's month are clamped to today.
        return Cutoff(edge, edge.replace(day=length), at)
    return Cutoff(edge, edge, at)
