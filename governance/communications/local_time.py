"""What the clock and the calendar say where a person is, and when they will next say something else. Pure.

Where the time zone is not recorded, every zone of the region or country is a candidate: a rule that forbids
on the clock then forbids if any candidate is inside its window.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import Any

from governance.calendar import changes, is_public_holiday, zone_info, zones_of
from governance.policy.conditions import WEEKDAYS

CLOCK, WEEKDAY = "local.clock", "local.weekday"
HOLIDAY, HOLIDAY_EVE = "local.public_holiday", "local.holiday_eve"
LOCAL = frozenset({CLOCK, WEEKDAY, HOLIDAY, HOLIDAY_EVE})
"""The facts that follow from the place and the instant alone."""

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_NOTHING: Mapping[str, Any] = dict.fromkeys(LOCAL)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a person is, as far as it is known: country, region (ISO 3166) and IANA zone."""

    country: str | None = None
    region: str | None = None
    time_zone: str | None = None

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones in which the person may be: the recorded one, or all of the region or country."""
        if self.time_zone is not None:
            return (self.time_zone,)
        return () if self.country is None else zones_of(self.country, self.region)


NOWHERE = Whereabouts()


def whereabouts(facts: Mapping[str, Any], time_zone: str | None) -> Whereabouts:
    """Where the person of a world is; the contact point's country stands in where none is recorded."""
    country = facts.get("person.country")
    if country is None:
        return Whereabouts(facts.get("contact_point.country"), None, time_zone)
    return Whereabouts(country, facts.get("person.region"), time_zone)


def local_facts(place: Whereabouts, now: datetime) -> Mapping[str, Any]:
    """The facts in `LOCAL` at an instant; absent (None) where nothing is known of the place."""
    return _local_facts(place, now.replace(second=0, microsecond=0))


@lru_cache(maxsize=8192)
def _local_facts(place: Whereabouts, minute: datetime) -> Mapping[str, Any]:
    zones = place.zones
    if not zones:
        return _NOTHING
    moments = [minute.astimezone(zone_info(zone)) for zone in zones]
    days = {moment.date() for moment in moments}
    said: dict[str, Any] = {
        CLOCK: tuple(sorted({moment.hour * 60 + moment.minute for moment in moments})),
        WEEKDAY: tuple(WEEKDAYS[number] for number in sorted({day.weekday() for day in days})),
        HOLIDAY: None,
        HOLIDAY_EVE: None,
    }
    if place.country is not None:
        for name, ahead in ((HOLIDAY, timedelta(0)), (HOLIDAY_EVE, _DAY)):
            found = [is_public_holiday(place.country, place.region, day + ahead) for day in days]
            said[name] = None if None in found else any(found)
    return said


def edges(place: Whereabouts, since: datetime, until: datetime, minutes: Iterable[int]) -> Iterator[datetime]:
    """In order, the instants of [since, until) at which a fact in `LOCAL` may change.

    `minutes` are the minutes of the day that rules name; midnight, when day and holiday change, is always one
    of them. A clock that is put forward changes at the first instant after the gap; one that is put back
    passes the same minutes twice, and both are given.
    """
    wanted = sorted({0, *minutes})
    ways = {_stretches(zone, since, until): None for zone in place.zones}
    last = None
    for instant in merge(*(_edges(way, wanted) for way in ways)):
        if instant != last:
            yield instant
            last = instant


_Stretches = tuple[tuple[datetime, datetime, timedelta], ...]


def _stretches(zone: str, since: datetime, until: datetime) -> _Stretches:
    """Cut [since, until) where the zone's distance from UTC changes: (from, to, distance).

    Zones that agree throughout are equal, so that they are looked at once.
    """
    place = zone_info(zone)
    start, end = since.astimezone(UTC), until.astimezone(UTC)
    cuts = [
        each for year in range(start.year, end.year + 1) for each in changes(zone, year) if start < each < end
    ]
    found = []
    for begin, finish in zip([start, *cuts], [*cuts, end], strict=True):
        distance = begin.astimezone(place).utcoffset()
        found.append((begin, finish, timedelta(0) if distance is None else distance))
    return tuple(found)


def _edges(stretches: _Stretches, minutes: Sequence[int]) -> Iterator[datetime]:
    for begin, finish, distance in stretches:
        yield begin
        midnight = (begin + distance).replace(hour=0, minute=0, second=0, microsecond=0) - distance
        while midnight < finish:
            for minute in minutes:
                instant = midnight + minute * _MINUTE
                if begin < instant < finish:
                    yield instant
            midnight += _DAY
