"""Which of two durations is never the longer one, whatever instant they are counted from.

Calendar units have no fixed length: a month is 28 to 31 days. What is always so within the 400 years after
which the calendar repeats is always so.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

from governance.policy.durations import Duration

_FIRST_YEAR = 2000
_CYCLE = 400 * 12
_LONGEST = 201 * 12


def never_longer(one: Duration, other: Duration) -> bool:
    """Say whether whatever has reached the age `other` has surely reached the age `one` too."""
    if one.months and other.months:
        return one.months <= other.months
    if one.months:
        return timedelta(days=days_of_months(one.months)[1]) <= other.fixed
    if other.months:
        return one.fixed <= timedelta(days=days_of_months(other.months)[0])
    return one.fixed <= other.fixed


@cache
def days_of_months(months: int) -> tuple[int, int]:
    """Give the least and the greatest number of days that a number of calendar months can have.

    The day is clamped to the end of a shorter month, so that the last days of a long month come nearest.
    """
    begins = _beginnings()
    least, most = 1 << 30, 0
    for month in range(_CYCLE):
        apart = begins[month + months] - begins[month]
        length = begins[month + 1] - begins[month]
        target = begins[month + months + 1] - begins[month + months]
        least = min(least, apart - max(0, length - target))
        most = max(most, apart)
    return least, most


@cache
def _beginnings() -> tuple[int, ...]:
    """Give the days on which the months of the cycle, and those that durations reach beyond it, begin."""
    return tuple(
        date(_FIRST_YEAR + month // 12, month % 12 + 1, 1).toordinal()
        for month in range(_CYCLE + _LONGEST + 2)
    )
