"""What a schedule asks, gathered: a person's standing and consents, a record, and the days of the place.

An instant becomes a day where the record's jurisdiction is, or where controller and person are: a period
begins with the latest of the days that it may be there, and today is the earliest, so that nothing ends a day
too soon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.calendar import local_day, zone_info, zones_of
from governance.consent.kinds import CONSENT, REQUEST
from governance.consent.tables import consent_state
from governance.policy.schedules import RUNNING, Anchor, Circumstances
from governance.retention.model import Record
from governance.subjects.model import Subject

_CHUNK = 400
_TRADE = ("client", "active_service", "dormant", "churned")
_SERVED = ("client", "active_service")


@dataclass(frozen=True, slots=True)
class ConsentSpan:
    """Whether any consent of a person is in force, and when the last one ended."""

    in_force: bool = False
    ended_at: datetime | None = None


NO_CONSENT = ConsentSpan()


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is governed: jurisdictions with their countries, and the zones of the day there."""

    names: frozenset[str]
    zones: tuple[str, ...]

    def day(self, moment: datetime) -> date:
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
def _offsets(zones: tuple[str, ...]) -> tuple[timedelta, timedelta]:
    """The least and the greatest distance from UTC that the zone furthest ahead had since 1970."""
    ahead = [
        max(
            datetime(year, month, 1, tzinfo=UTC).astimezone(zone_info(zone)).utcoffset() or timedelta()
            for zone in zones
        )
        for year in range(1970, 2040)
        for month in (1, 7)
    ]
    return min(ahead) - timedelta(hours=1), max(ahead) + timedelta(hours=1)


def _day(zones: tuple[str, ...], moment: datetime) -> date:
    """The latest day of an instant in these zones; the zones are only asked near midnight."""
    if not zones:
        return moment.date()
    least, most = _offsets(zones)
    early, late = (moment + least).date(), (moment + most).date()
    return early if early == late else local_day(moment, zones)


def consent_spans(
    connection: Connection, tenant_id: str, subject_refs: Iterable[str], now: datetime
) -> dict[str, ConsentSpan]:
    """When the consents of several people ended; people without any are not listed."""
    found: dict[str, ConsentSpan] = {}
    refs = list(dict.fromkeys(subject_refs))
    for start in range(0, len(refs), _CHUNK):
        rows = connection.execute(
            sa.select(
                consent_state.c.subject_ref,
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
            found[row.subject_ref] = _joined(found.get(row.subject_ref, NO_CONSENT), row, now)
    return found


def _joined(known: ConsentSpan, row: sa.Row, now: datetime) -> ConsentSpan:  # type: ignore[type-arg]  # untyped
    expired = row.pos_expires_at is not None and row.pos_expires_at <= now
    granted = row.pos_status == "granted" and not expired and (row.pos_seq or 0) > (row.neg_seq or 0)
    ends = [known.ended_at, row.neg_at, row.pos_expires_at if expired else None]
    if not granted:
        ends.append(row.pos_at)
    return ConsentSpan(known.in_force or granted, max((end for end in ends if end), default=None))


def circumstances(
    person: Subject | None,
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
    moments: dict[str, datetime | str | None] = {
        "record_created": now if record is None else record.created_at,
        "record_closed": RUNNING if record is None or record.closed_at is None else record.closed_at,
    }
    states: set[str] = set()
    if person is not None:
        moments |= _of_person(person, record)
        states = _states(person)
    if consents.in_force:
        moments["consent_ended"] = RUNNING
        states.add("consent_in_force")
    else:
        moments["consent_ended"] = consents.ended_at
    clocks: dict[str, Anchor] = {
        name: place.day(at) if isinstance(at, datetime) else RUNNING
        for name, at in moments.items()
        if at is not None
    }
    return Circumstances(
        data_class=data_class,
        purpose=None if record is None else record.purpose,
        stage=None if person is None else person.stage_relationship,
        system=system,
        places=place.names,
        clocks=clocks,
        states=frozenset(states),
        financial_year_end=financial_year_end,
    )


def _of_person(person: Subject, record: Record | None) -> Mapping[str, datetime | str | None]:
    known = person.acquired_at or person.created_at
    contact = _latest([known, person.last_contact_at, person.last_inquiry_at, person.last_purchase_at])
    return {
        "became_known": known,
        "last_meaningful_contact": contact,
        "last_purchase": person.last_purchase_at,
        "contract_ended": _ending(person.contract_state, person.contract_ended_at),
        "subscription_ended": _ending(person.subscription_state, person.subscription_ended_at),
        "relationship_ended": _relationship(person, record, contact),
    }


def _relationship(person: Subject, record: Record | None, contact: datetime | None) -> datetime | str | None:
    """When the relationship ended: after the last contract, subscription and purchase.

    Where none is known, a client is one still; of anybody else with a record of trade the last sign of life
    counts, and a mere lead never had a relationship.
    """
    if "in_force" in (person.contract_state, person.subscription_state):
        return RUNNING
    ended = _latest([person.contract_ended_at, person.subscription_ended_at, person.last_purchase_at])
    if ended is not None:
        return ended
    if person.stage_relationship in _SERVED:
        return RUNNING
    if record is not None or person.stage_relationship in _TRADE:
        return _latest([contact, None if record is None else record.created_at])
    return None


def _ending(state: str, ended_at: datetime | None) -> datetime | str | None:
    return RUNNING if state == "in_force" else ended_at


def _states(person: Subject) -> set[str]:
    said = {
        "contract_in_force": person.contract_state == "in_force",
        "subscription_in_force": person.subscription_state == "in_force",
        "invoice_open": person.invoice_open,
        "warranty_open": person.warranty_open,
        "dispute_open": person.dispute_open,
        "restricted": person.restricted,
    }
    return {name for name, is_so in said.items() if is_so}


def _latest(moments: Sequence[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
