"""Use cases of registered records: the CRM says what it keeps, of whom, of which class, since when.

Only ids, a class and dates are told; what a record holds stays in its system. Telling the same again changes
nothing and records nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.errors import GovernanceError, InvalidError, NotFoundError
from governance.happened import happened_at
from governance.retention import record_store
from governance.retention.model import OWN, Record, check_record_id
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_code
from governance.subjects.model import SubjectReference
from governance.subjects.places import check_country, check_region
from governance.systems.model import may_name
from governance.work import Work

MOST = 1000
"""Records that may be told in one unit of work."""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record as a caller tells it; `subject` None is a record of nobody in particular.

    `created_at` and `closed_at` begin the clocks `record_created` and `record_closed`; what is still to
    come is refused.
    """

    system: str
    record_id: str
    subject: SubjectReference | None
    data_class: str
    created_at: datetime
    closed_at: datetime | None = None
    jurisdiction: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a told record; `refusal` says why it was not taken."""

    record: Record | None
    created: bool = False
    changed: bool = False
    refusal: GovernanceError | None = None


def put(work: Work, told: NewRecord) -> Registered:
    """Register one record or change it; raises what would refuse it."""
    (done,) = put_many(work, [told])
    if done.refusal is not None:
        raise done.refusal
    return done


def put_many(work: Work, told: Sequence[NewRecord]) -> list[Registered]:
    """Register many records at once, in the order told; one that cannot be meant is refused by itself.

    One event for all that changed. A record told twice is as it was told last.
    """
    ids = {each.subject.id for each in told if each.subject is not None and each.subject.id is not None}
    people = record_store.people(work.connection, work.tenant_id, ids) if ids else {}
    keys = [(each.system, each.record_id) for each in told]
    known = record_store.find_many(work.connection, work.tenant_id, keys)
    fresh: dict[tuple[str, str], Record] = {}
    done: list[Registered] = []
    for each in told:
        try:
            new = _read(work, each, people)
        except GovernanceError as refusal:
            done.append(Registered(None, refusal=refusal))
            continue
        key = (new.system, new.record_id)
        before = fresh.get(key) or known.get(key)
        if before != new:
            fresh[key] = new
        done.append(Registered(new, created=before is None, changed=before != new))
    if fresh:
        event = work.record(
            "retention.records_registered",
            facts={
                "records": len(fresh),
                "new": sum(key not in known for key in fresh),
                "systems": sorted({system for system, _ in fresh}),
                "data_classes": sorted({each.data_class for each in fresh.values()}),
            },
        )
        record_store.put_many(work.connection, work.tenant_id, fresh.values(), work.now, event.id)
    return done


def _read(work: Work, told: NewRecord, people: dict[str, str]) -> Record:
    """Bring a told record into its one form; InvalidError or NotFoundError."""
    if not may_name(told.system) or told.system == OWN:
        complaint = f"A system is named by 1 to 63 of a-z, 0-9, - and _; {OWN!r} is this service itself."
        raise InvalidError(complaint, fields={"system": [complaint]})
    created = happened_at(told.created_at, work.now, "created_at")
    closed = None if told.closed_at is None else happened_at(told.closed_at, work.now, "closed_at")
    if closed is not None and closed < created:
        complaint = "A record is closed after it was created."
        raise InvalidError(complaint, fields={"closed_at": [complaint]})
    return Record(
        system=told.system,
        record_id=check_record_id(told.record_id),
        subject_ref=_person(work, told.subject, people),
        data_class=check_code(told.data_class, "data_class"),
        purpose=None if told.purpose is None else check_code(told.purpose, "purpose"),
        jurisdiction=None if told.jurisdiction is None else check_jurisdiction(told.jurisdiction),
        created_at=created,
        closed_at=closed,
    )


def _person(work: Work, named: SubjectReference | None, people: dict[str, str]) -> str | None:
    if named is None:
        return None
    if named.id is not None:
        found = people.get(named.id)
        if found is None:
            raise NotFoundError("This data subject does not exist here; PUT /v1/subjects/{id} first.")
        return found
    return subjects.resolve_existing(work, named).subject_ref


def check_jurisdiction(place: str) -> str:
    """Return a country (ISO 3166-1) or region (ISO 3166-2) whose law governs; InvalidError."""
    try:
        return check_region(place, None) if "-" in place else check_country(place, "jurisdiction")
    except InvalidError:
        complaint = "A jurisdiction is a country (DE) or a region (US-CA), by ISO 3166."
        raise InvalidError(complaint, fields={"jurisdiction": [complaint]}) from None
