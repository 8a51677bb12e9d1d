"""What a schedule asks, gathered: a person's standing and consents, a record, and the days of the place.

An instant becomes a day where the record's jurisdiction is, or where controller and person are: a period
begins with the latest of the days that it may be there, and today is the earliest, so that nothing ends a day
too soon.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.calendar import local_day, zone_info, zones_of
from governance.consent.kinds import CONSENT, REQUEST
from governance.consent.model import ALL
from governance.consent.tables import consent_state
from governance.database import from_micros, micros
from governance.policy.schedules import CLOCKS, RUNNING, Anchor, Circumstances, Running
from governance.retention.model import OWN, Record
from governance.retention.standing import IN_FORCE, ConsentSpan, Standing
from governance.subjects.model import Subject

_CHUNK = 400
_CELL = ("purpose", "controller", "channel", "topic")
CONSENTED = "consent_in_force"
_TRADE = ("client", "active_service", "dormant", "churned")
_SERVED = ("client", "active_service")


_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND
_EPOCH = date(1970, 1, 1).toordinal()

Moment = datetime | int | Running | None
"""An instant, in SQLite's own form microseconds since 1970; `running` before it; None for never."""


Person = Subject | Standing | sa.Row[Any]
"""A person, a row that has the same columns, or what was known of somebody whose row is blank."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is governed: jurisdictions with their countries, and the zones of the day there."""

    names: frozenset[str]
    zones: tuple[str, ...]

    def day(self, moment: datetime | int) -> date:
        """The day on which something happened."""
        return _day(self.zones, moment)

    def today(self, now: datetime) -> date:
        """The day that it is, at the earliest."""
        return local_day(now, self.zones, first=True)


@lru_cache(maxsize=4096)
def place_of(
    jurisdiction: str | None, controller: str | None, country: str | None, region: str | None
) -> Place:
    """Where a record is governed: its own jurisdiction, else where controller and person are."""
    if jurisdiction is not None:
        parts = [(jurisdiction[:2], jurisdiction if "-" in jurisdiction else None)]
    else:
        parts = [(each, None) for each in (controller,) if each] + [
            (each, region) for each in (country,) if each
        ]
    names = {name for pair in parts for name in pair if name is not None}
    zones = {zone for pair in parts for zone in zones_of(*pair)}
    return Place(frozenset(names), tuple(sorted(zones)))


@lru_cache(maxsize=4096)
def _offsets(zones: tuple[str, ...]) -> tuple[int, int]:
    """The least and the greatest distance from UTC, in microseconds, of the zone furthest ahead."""
    ahead = [
        max(
            datetime(year, month, 1, tzinfo=UTC).astimezone(zone_info(zone)).utcoffset() or timedelta()
            for zone in zones
        )
        for year in range(1970, 2040)
        for month in (1, 7)
    ]
    hour = timedelta(hours=1)
    return (min(ahead) - hour) // _MICROSECOND, (max(ahead) + hour) // _MICROSECOND


def _day(zones: tuple[str, ...], moment: datetime | int) -> date:
    """The latest day of an instant in these zones; the zones are only asked near midnight.

    An instant may be given as microseconds since 1970, as SQLite keeps it.
    """
    at = moment if isinstance(moment, int) else micros(moment)
    least, most = _offsets(zones) if zones else (0, 0)
    early = (at + least) // _DAY
    if early == (at + most) // _DAY:
        return date.fromordinal(_EPOCH + early)
    return local_day(from_micros(at), zones)


def consent_spans(
    connection: Connection, tenant_id: str, subject_refs: Iterable[str], now: datetime
) -> dict[str, ConsentSpan]:
    """When the consents of several people ended; people without any are not listed."""
    cells: dict[str, list[Any]] = {}
    refs = list(dict.fromkeys(subject_refs))
    for start in range(0, len(refs), _CHUNK):
        rows = connection.execute(
            sa.select(
                consent_state.c.subject_ref,
                *(consent_state.c[name] for name in _CELL),
                consent_state.c.pos_status,
                consent_state.c.pos_seq,
                consent_state.c.pos_at,
                consent_state.c.pos_expires_at,
                consent_state.c.neg_seq,
                consent_state.c.neg_at,
            ).where(
                consent_state.c.tenant_id == tenant_id,
                consent_state.c.subject_ref.in_(refs[start : start + _CHUNK]),
                consent_state.c.kind.in_((CONSENT, REQUEST)),
            )
        )
        for row in rows:
            cells.setdefault(row.subject_ref, []).append(row)
    return {ref: _span(rows, now) for ref, rows in cells.items()}


def spans_together(spans: Mapping[str, ConsentSpan]) -> ConsentSpan:
    """The consents of a person and of the records merged into it, as one."""
    return ConsentSpan(
        any(span.in_force for span in spans.values()),
        max((span.ended_at for span in spans.values() if span.ended_at is not None), default=None),
    )


def _span(cells: Sequence[Any], now: datetime) -> ConsentSpan:
    """A grant is in force unless it ran out, or a later no covers its cell (empty text covers all)."""
    ends: list[datetime | None] = []
    in_force = False
    for cell in cells:
        expired = cell.pos_expires_at is not None and cell.pos_expires_at <= now
        later = any(
            (no.neg_seq or 0) > (cell.pos_seq or 0)
            and all(getattr(no, name) in (ALL, getattr(cell, name)) for name in _CELL)
            for no in cells
        )
        granted = cell.pos_status == "granted" and not expired and not later
        in_force = in_force or granted
        ends += [cell.neg_at, cell.pos_expires_at if expired else None, None if granted else cell.pos_at]
    return ConsentSpan(in_force, max((end for end in ends if end is not None), default=None))


def circumstances(
    person: Person | None,
    consents: ConsentSpan,
    record: Record | None,
    *,
    data_class: str,
    system: str | None,
    place: Place,
    now: datetime,
    financial_year_end: tuple[int, int],
) -> Circumstances:
    """Put together what the schedule asks about a record, or about a class of a person's data.

    Without a record nobody knows when the newest data of the class came into being: it is taken for now, so
    that nothing is deleted too soon.
    """
    created, closed = (now, None) if record is None else (record.created_at, record.closed_at)
    registered = record is not None and record.system != OWN
    seen = Seen(person, consents, created, closed, registered)
    moments = {clock: moment(clock, seen) for clock in CLOCKS}
    return Circumstances(
        data_class=data_class,
        purpose=None if record is None else record.purpose,
        stage=None if person is None else person.stage_relationship,
        system=system,
        places=place.names,
        clocks={clock: anchor(at, place) for clock, at in moments.items() if at is not None},
        states=states(person, consents),
        financial_year_end=financial_year_end,
    )


def anchor(at: Moment, place: Place) -> Anchor:
    """The day of a moment."""
    return at if isinstance(at, str) or at is None else place.day(at)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a clock may be read from: a person, its consents, a record's own instants."""

    person: Person | None
    consents: ConsentSpan
    created: Any
    closed: Any
    registered: bool


def moment(clock: str, seen: Seen) -> Moment:
    """When a clock began; `running` before it does, None where it never will."""
    if clock == "record_created":
        return seen.created  # type: ignore[no-any-return]  # in the form in which it was read
    if clock == "record_closed":
        return seen.closed or RUNNING
    if clock == "consent_ended":
        return RUNNING if seen.consents.in_force else seen.consents.ended_at
    return None if seen.person is None else _OF_PERSON[clock](seen.person, seen)


def _contact(person: Person) -> Moment:
    known = person.acquired_at or person.created_at
    return _latest([known, person.last_contact_at, person.last_inquiry_at, person.last_purchase_at])


def _relationship(person: Person, record_created: Any) -> Moment:
    """When the relationship ended: after the last contract, subscription and purchase.

    Where none is known, a client is one still; of anybody else with a record of trade the last sign of life
    counts, and a mere lead never had a relationship.
    """
    if IN_FORCE in (person.contract_state, person.subscription_state):
        return RUNNING
    ended = _latest([person.contract_ended_at, person.subscription_ended_at, person.last_purchase_at])
    if ended is not None:
        return ended
    if person.stage_relationship in _SERVED:
        return RUNNING
    if record_created is not None or person.stage_relationship in _TRADE:
        return _latest([_contact(person), record_created])
    return None


_OF_PERSON: Mapping[str, Callable[[Person, Seen], Moment]] = {
    "became_known": lambda person, _: person.acquired_at or person.created_at,
    "last_meaningful_contact": lambda person, _: _contact(person),
    "last_purchase": lambda person, _: person.last_purchase_at,
    "contract_ended": lambda person, _: _ending(person.contract_state, person.contract_ended_at),
    "subscription_ended": lambda person, _: _ending(person.subscription_state, person.subscription_ended_at),
    "relationship_ended": lambda person, seen: _relationship(
        person, seen.created if seen.registered else None
    ),
}


def _ending(state: str, ended_at: Any) -> Moment:
    return RUNNING if state == IN_FORCE else ended_at


def states(person: Person | None, consents: ConsentSpan) -> frozenset[str]:
    """Which states that may keep data last now."""
    found = {name for name, lasts in _STATES.items() if person is not None and lasts(person)}
    return frozenset(found | {CONSENTED} if consents.in_force else found)


_STATES: Mapping[str, Callable[[Person], bool]] = {
    "contract_in_force": lambda person: person.contract_state == IN_FORCE,
    "subscription_in_force": lambda person: person.subscription_state == IN_FORCE,
    "invoice_open": lambda person: person.invoice_open,
    "warranty_open": lambda person: person.warranty_open,
    "dispute_open": lambda person: person.dispute_open,
    "restricted": lambda person: person.restricted,
}


def _latest(moments: Sequence[Any]) -> Moment:
    return max((each for each in moments if each is not None), default=None)
