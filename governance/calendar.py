"""Where on the clock and in the calendar a place is: its time zones, their changes, its public holidays.

Zones come from the IANA database (package `tzdata`, file `zone.tab`), public holidays from the package
`holidays`. What is not known is never guessed: several zones or regions are then given as candidates.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import holidays

_STEP = timedelta(days=2)
_MINUTE = timedelta(minutes=1)

_EAST, _CENTRAL, _MOUNTAIN, _PACIFIC = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
_SYDNEY = "Australia/Sydney"


def _states(letters: str) -> list[str]:
    return [f"US-{each}" for each in letters.split()]


REGION_ZONES: Mapping[str, tuple[str, ...]] = {
    # United States: every zone in which some part of the state lies.
    **dict.fromkeys(_states("CT DE DC GA ME MD MA NH NJ NY NC OH PA RI SC VT VA WV"), (_EAST,)),
    **dict.fromkeys(_states("AR IL IA LA MN MS MO OK WI"), (_CENTRAL,)),
    **dict.fromkeys(_states("KS NE SD TX"), (_CENTRAL, _MOUNTAIN)),
    **dict.fromkeys(_states("CO MT NM UT WY"), (_MOUNTAIN,)),
    **dict.fromkeys(_states("CA WA"), (_PACIFIC,)),
    **dict.fromkeys(_states("FL TN KY"), (_EAST, _CENTRAL)),
    "US-AL": (_CENTRAL, _EAST),
    "US-MI": ("America/Detroit", "America/Menominee"),
    "US-IN": ("America/Indiana/Indianapolis", _CENTRAL),
    "US-ND": (_CENTRAL, _MOUNTAIN),
    "US-AZ": ("America/Phoenix", _MOUNTAIN),
    "US-ID": ("America/Boise", _PACIFIC),
    "US-NV": (_PACIFIC, _MOUNTAIN),
    "US-OR": (_PACIFIC, "America/Boise"),
    "US-AK": ("America/Anchorage", "America/Adak", "America/Metlakatla"),
    "US-HI": ("Pacific/Honolulu",),
    # Canada
    "CA-ON": ("America/Toronto", "America/Winnipeg", "America/Atikokan"),
    "CA-QC": ("America/Toronto", "America/Halifax", "America/Blanc-Sablon"),
    "CA-BC": ("America/Vancouver", "America/Edmonton", "America/Fort_Nelson"),
    "CA-AB": ("America/Edmonton",),
    "CA-SK": ("America/Regina", "America/Edmonton"),
    "CA-MB": ("America/Winnipeg",),
    "CA-NB": ("America/Moncton",),
    "CA-NS": ("America/Halifax",),
    "CA-PE": ("America/Halifax",),
    "CA-NL": ("America/St_Johns", "America/Goose_Bay"),
    "CA-YT": ("America/Whitehorse",),
    "CA-NT": ("America/Edmonton",),
    # Australia
    "AU-NSW": (_SYDNEY, "Australia/Broken_Hill", "Australia/Lord_Howe"),
    "AU-ACT": (_SYDNEY,),
    "AU-VIC": ("Australia/Melbourne",),
    "AU-QLD": ("Australia/Brisbane",),
    "AU-SA": ("Australia/Adelaide",),
    "AU-WA": ("Australia/Perth", "Australia/Eucla"),
    "AU-TAS": ("Australia/Hobart",),
    "AU-NT": ("Australia/Darwin",),
    # Spain: the Canary Islands
    "ES-CN": ("Atlantic/Canary",),
    "ES-GC": ("Atlantic/Canary",),
    "ES-TF": ("Atlantic/Canary",),
}
"""ISO 3166-2 regions of countries with several zones. A region that is not here has its country's zones."""


@lru_cache(maxsize=1)
def _country_zones() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    text = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


@cache
def zone_info(name: str) -> ZoneInfo:
    """The zone of this IANA name, read once: `zoneinfo` itself keeps only the last eight."""
    return ZoneInfo(name)


def zones_of(country: str, region: str | None = None) -> tuple[str, ...]:
    """The IANA zones of a country (ISO 3166-1), or of its region (ISO 3166-2) if that is known more closely.

    Empty for a country that has none of its own.
    """
    if region is not None and region in REGION_ZONES:
        return REGION_ZONES[region]
    return _country_zones().get(country, ())


@lru_cache(maxsize=4096)
def changes(zone: str, year: int) -> tuple[datetime, ...]:
    """The instants of a UTC year at which the zone's distance from UTC changes, exact to the minute."""
    place = zone_info(zone)
    found = []
    before = datetime(year, 1, 1, tzinfo=UTC) - _MINUTE
    end = datetime(year + 1, 1, 1, tzinfo=UTC) - _MINUTE
    while before < end:
        after = min(before + _STEP, end)
        if before.astimezone(place).utcoffset() != after.astimezone(place).utcoffset():
            found.append(_first_after(place, before, after))
        before = after
    return tuple(found)


def _first_after(place: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Halve the time between two instants until the minute of the change is found."""
    old = before.astimezone(place).utcoffset()
    minutes = (after - before) // _MINUTE
    low, high = 0, minutes
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _MINUTE).astimezone(place).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + high * _MINUTE


@lru_cache(maxsize=4096)
def public_holidays(country: str, region: str | None, year: int) -> frozenset[date] | None:
    """The public holidays of a year; None if those of the country are not known.

    With the region unknown, the holidays of any region: the stricter answer. Holidays that move by the
    moon are the library's forecast.
    """
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        return None
    parts = known[country]
    if region is not None:
        part = region.partition("-")[2]
        chosen: list[str | None] = [part if part in parts else None]
    else:
        chosen = [None, *parts]
    days: set[date] = set()
    for part_or_none in chosen:
        days.update(holidays.country_holidays(country, subdiv=part_or_none, years=year))
    return frozenset(days)


@lru_cache(maxsize=4096)
def nationwide_holidays(country: str, year: int) -> frozenset[date]:
    """The public holidays of a year that the whole country has; none if those of the country are not known.

    For periods that a holiday makes longer: the fewer days are the stricter answer.
    """
    if country not in holidays.list_supported_countries(include_aliases=False):
        return frozenset()
    return frozenset(holidays.country_holidays(country, years=year))


def is_public_holiday(country: str, region: str | None, day: date) -> bool | None:
    """Whether a day is a public holiday there; None if the country's holidays are not known."""
    known = public_holidays(country, region, day.year)
    return None if known is None else day in known


def end_of_year(day: date, month: int = 12, last: int = 31) -> date:
    """The last day of the year that a day lies in; `month` and `last` are the end of a financial year.

    29 February stands for the end of February in every year.
    """
    for year in (day.year, day.year + 1):
        end = date(year, month, min(last, monthrange(year, month)[1]))
        if end >= day:
            return end
    raise AssertionError("a year ends within a year")


def local_day(moment: datetime, zones: Iterable[str], *, first: bool = False) -> date:
    """The day of an instant in the latest of several zones, with `first` in the earliest; in UTC for none.

    Periods are counted in days of the place. Where the place has several zones, the later day begins a period
    and the earlier one is today, so that nothing ends a day too soon.
    """
    days = [moment.astimezone(zone_info(zone)).date() for zone in zones] or [moment.astimezone(UTC).date()]
    return min(days) if first else max(days)
