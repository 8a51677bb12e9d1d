"""From when to when the use of a person's data was restricted, as the ledger has it."""

from datetime import date, datetime

import sqlalchemy as sa

from governance.ledger.store import ledger_entry
from governance.rights import states
from governance.rights.dossier import Dossier
from governance.rights.model import RESTRICTION
from governance.rights.periods import local_day
from governance.subjects import service as subjects
from governance.work import Snapshot

_BEGUN, _ENDED = "subject.restricted", "subject.restriction_lifted"


def began_at(snap: Snapshot, subject_ref: str) -> datetime | None:
    """When a person's use of data was restricted last; None if that was never sealed under this reference."""
    return _last(snap, subject_ref, _BEGUN)


def ended_at(snap: Snapshot, subject_ref: str) -> datetime | None:
    """When a person's restriction was lifted last; None if that was never sealed under this reference."""
    return _last(snap, subject_ref, _ENDED)


def lasted(snap: Snapshot, dossier: Dossier) -> tuple[date, date] | None:
    """First and last day of a restriction that was asked for and is over; None for any other.

    Days are those of the request's zone.
    """
    request = dossier.request
    if request.type != RESTRICTION or request.verified_at is None:
        return None
    ends: list[datetime] = []
    for subject_ref in states.entitled(dossier.case):
        person = subjects.find_by_ref(snap, subject_ref)
        if person is None or person.erased or person.restricted:
            return None
        ends.append(ended_at(snap, person.subject_ref) or snap.now)
    if not ends:
        return None
    begun, ended = (local_day(each, request.zone) for each in (request.verified_at, max(ends)))
    return begun, ended


def _last(snap: Snapshot, subject_ref: str, kind: str) -> datetime | None:
    at = ledger_entry.c
    found: datetime | None = snap.connection.scalar(
        sa.select(at.at)
        .where(at.tenant_id == snap.tenant_id, at.subject_ref == subject_ref, at.kind == kind)
        .order_by(at.position.desc())
        .limit(1)
    )
    return found
