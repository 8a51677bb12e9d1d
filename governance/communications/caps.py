"""Frequency caps: how many messages of a kind one person gets in one window. Pure.

A cap is a tenant's own house rule, kept as data. Its windows stand next to each other without gap: a length
of time counts from Monday 5 January 1970 (months: from January) in UTC, `calendar_day` is the day where the
person is. Rolling counts that a law wants ("in any 30 days") are facts of the country packs, not caps.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from governance.clock import wire
from governance.communications.model import CHANNELS, is_code
from governance.decisions.model import Reason
from governance.errors import InvalidError

CODE = "frequency-cap"
CALENDAR_DAY = "calendar_day"
MOST = 10_000
"""The largest limit of a cap."""

_MEMBERS = frozenset({"channel", "message_classes", "purposes", "limit", "window", "active"})
_LENGTH = re.compile(r"P(?:([1-9]\d{0,3})([DWMY])|T([1-9]\d{0,3})([HM]))", re.ASCII)
_UNITS = {
    "D": timedelta(days=1),
    "W": timedelta(weeks=1),
    "TH": timedelta(hours=1),
    "TM": timedelta(minutes=1),
}
_ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)
_LONGEST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a cap: from `start` until before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Cap:
    """One cap. `channel` None, empty classes or purposes mean all. `window`: ISO 8601 or `calendar_day`."""

    cap_id: str
    version: int
    limit: int
    window: str
    channel: str | None = None
    message_classes: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    active: bool = True

    def covers(self, *, channel: str, message_class: str, purpose: str) -> bool:
        """Whether messages of this kind count against the cap."""
        return (
            self.active
            and self.channel in (None, channel)
            and (not self.message_classes or message_class in self.message_classes)
            and (not self.purposes or purpose in self.purposes)
        )

    def window_at(self, now: datetime, zone: str | None) -> Window:
        """The window that `now` falls into for a person in this IANA zone (None: unknown, taken as UTC)."""
        if self.window == CALENDAR_DAY:
            return day_at(now, ZoneInfo(zone or "UTC"))
        return _window(self.window, now)

    def body(self) -> dict[str, Any]:
        """The cap as it is stored and given back."""
        return {
            "channel": self.channel,
            "message_classes": list(self.message_classes),
            "purposes": list(self.purposes),
            "limit": self.limit,
            "window": self.window,
            "active": self.active,
        }

    def document(self) -> dict[str, Any]:
        """The answer of `GET /v1/caps/{id}`."""
        return {"id": self.cap_id, "version": self.version, **self.body()}


@dataclass(frozen=True, slots=True)
class Full:
    """A cap whose window holds no more for a person; `ends` is when the next window begins."""

    cap_id: str
    version: int
    limit: int
    ends: datetime

    def reason(self, rank: int) -> Reason:
        """The reason of the refusal, `rank` being the code's place in the published order."""
        messages = "1 message" if self.limit == 1 else f"{self.limit} messages"
        return Reason(
            CODE,
            f"caps.{self.cap_id}",
            "forbid",
            f"The cap {self.cap_id} allows {messages} in its window, and no slot is left.",
            (f"House rule: cap {self.cap_id}, version {self.version}",),
            True,
            f"Wait until {wire(self.ends)}, or report a message that was not sent as cancelled.",
            rank,
        )


def read_cap(
    cap_id: str, version: int, body: Mapping[str, Any], *, classes: Iterable[str] | None = None
) -> Cap:
    """Read a cap; `classes` are the declared message classes (None: stored text that was checked before).

    Raises InvalidError that names every member that cannot be used.
    """
    if classes is None:
        return Cap(
            cap_id,
            version,
            body["limit"],
            body["window"],
            body["channel"],
            tuple(body["message_classes"]),
            tuple(body["purposes"]),
            body["active"],
        )
    fields: dict[str, list[str]] = {
        str(name): ["A cap has no such member."] for name in body if name not in _MEMBERS
    }
    limit, window, channel, active = (body.get(name) for name in ("limit", "window", "channel", "active"))
    if not is_code(cap_id):
        fields["id"] = ["Give a code of 1 to 128 characters of A-Z a-z 0-9 . _ : - ."]
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
        fields["limit"] = [f"Give a whole number from 1 to {MOST}."]
    if not isinstance(window, str) or not _is_window(window):
        fields["window"] = [f'Give an ISO 8601 duration such as PT12H, P7D, P1M, or "{CALENDAR_DAY}".']
    if channel is not None and channel not in CHANNELS:
        fields["channel"] = [f"Give one of {', '.join(CHANNELS)}, or null for all."]
    if active is not None and not isinstance(active, bool):
        fields["active"] = ["Give true or false."]
    named: dict[str, tuple[str, ...]] = {}
    for name in ("message_classes", "purposes"):
        value = body.get(name)
        chosen = [] if value is None else value
        if not isinstance(chosen, list) or len(chosen) > 100 or not all(is_code(each) for each in chosen):
            fields[name] = ["Give a list of codes; an empty one means all."]
            continue
        named[name] = tuple(sorted(set(chosen)))
    unknown = set(named.get("message_classes", ())) - set(classes)
    if unknown:
        fields["message_classes"] = [f"Give some of {', '.join(sorted(classes))}."]
    if fields:
        raise InvalidError("The cap cannot be used as it was sent; see the fields.", fields=fields)
    assert isinstance(limit, int)
    assert isinstance(window, str)
    return Cap(
        cap_id,
        version,
        limit,
        window,
        channel,
        named["message_classes"],
        named["purposes"],
        active is not False,
    )


def day_at(now: datetime, zone: ZoneInfo) -> Window:
    """The calendar day that `now` falls into in this zone: 23, 24 or 25 hours, or what it made of it."""
    today = now.astimezone(zone).date()
    return Window(first_instant(today, zone), first_instant(today + timedelta(days=1), zone))


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which clocks in the zone show this day or a later one."""
    midnight = datetime.combine(day, time(), zone)
    early, late = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).date() >= day:
        return early
    # Midnight was skipped: the first instant after the gap lies between both readings of it.
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        early, late = (early, middle) if middle.astimezone(zone).date() >= day else (middle, late)
    return late.replace(microsecond=0)


def _is_window(text: str) -> bool:
    found = _LENGTH.fullmatch(text)
    if text == CALENDAR_DAY or found is None:
        return text == CALENDAR_DAY
    count, unit = (found[1], found[2]) if found[1] else (found[3], f"T{found[4]}")
    days = {"M": 31, "Y": 366}.get(unit)
    return int(count) * (timedelta(days) if days else _UNITS[unit]) <= timedelta(_LONGEST_DAYS)


def _window(text: str, now: datetime) -> Window:
    found = _LENGTH.fullmatch(text)
    assert found is not None
    count, unit = (int(found[1]), found[2]) if found[1] else (int(found[3]), f"T{found[4]}")
    if unit in ("M", "Y"):
        months = count * (12 if unit == "Y" else 1)
        utc = now.astimezone(UTC)
        first = (utc.year * 12 + utc.month - 1) // months * months
        return Window(_month(first), _month(first + months))
    length = count * _UNITS[unit]
    start = _ORIGIN + (now - _ORIGIN) // length * length
    return Window(start, start + length)


def _month(number: int) -> datetime:
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
