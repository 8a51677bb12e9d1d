"""From when to when the use of a person's data was restricted, as the ledger has it."""

from datetime import date, datetime

from governance.rights import states
from governance.rights.dossier import Dossier
from governance.rights.model import RESTRICTION
from governance.rights.periods import local_day
from governance.rights.releasing import ended_at
from governance.subjects import service as subjects
from governance.work import Snapshot


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
