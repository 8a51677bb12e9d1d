"""Legal holds beside erasures: whom one can still be placed on, and what goes on when one ends.

Once our own rows are blank a person is found by the case alone, as long as something of theirs is still to be
deleted anywhere: in a step to come, at the end of a term, or here at the term of the evidence.
"""

from datetime import datetime

from governance.erasure import keys, service, waiting_store
from governance.erasure.model import CANCELLED, HELD, PARTLY_COMPLETE, WAITING, Erasure
from governance.errors import ConflictError, NotFoundError
from governance.retention import holds
from governance.retention.model import SUBJECT, Hold, HoldScope, Refusal
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier, read_identifier
from governance.subjects.model import SubjectReference
from governance.work import Snapshot, Work

_ALL_GONE = "Nothing of this person is left that a hold could keep: the erasure is over, its evidence too."
_SEVERAL = 'Several erasures are about whoever this named; name one of them: {"erasure": "era_…"}.'


def scope_of_person(snap: Snapshot, reference: SubjectReference) -> HoldScope:
    """The scope of a hold on a person: one who is here, else one of whom something is still to be erased.

    The latter is found by what the case knows them by. NotFoundError; ConflictError `several-people`.
    """
    person = subjects.resolve(snap, reference)
    if person is not None:
        return HoldScope(SUBJECT, person.subject_ref)
    found: dict[str, str] = {}
    for erasure_id, subject_ref in keys.found_by(snap, *_asked(reference)):
        found.setdefault(subject_ref, erasure_id)
    if len(found) > 1:
        raise ConflictError(_SEVERAL, reason="several-people")
    for subject_ref, erasure_id in found.items():
        return HoldScope(SUBJECT, subject_ref, {"erasure": (erasure_id,)})
    raise NotFoundError("This data subject does not exist here.")


def scope_of_case(snap: Snapshot, erasure_id: str) -> HoldScope:
    """The scope of a hold on the person of a case; NotFoundError, ConflictError `nothing-left`."""
    found = service.get(snap, erasure_id)
    if not _is_anything_left(snap, found):
        raise ConflictError(_ALL_GONE, reason="nothing-left")
    return HoldScope(SUBJECT, found.subject_ref, {"erasure": (erasure_id,)})


def place(
    work: Work, *, matter: str, scope: HoldScope, reason: str, expires_at: datetime | None = None
) -> Hold:
    """Place a hold, and let tasks that it stops be taken back soon; see `holds.place`."""
    made = holds.place(work, matter=matter, scope=scope, reason=reason, expires_at=expires_at)
    _wake(work, made, WAITING)
    return made


def release(work: Work, hold_id: str) -> Hold | Refusal:
    """Release a hold, and wake what it held in the same transaction; see `holds.release`."""
    made = holds.release(work, hold_id)
    if isinstance(made, Hold):
        _wake(work, made, HELD)
    return made


def notify(work: Work, hold_id: str) -> int | None:
    """Give the notice that is due about a hold's end, or end it and wake what it held; see `holds.notify`."""
    days = holds.notify(work, hold_id)
    if days == 0:
        _wake(work, holds.get(work, hold_id), HELD)
    return days


def _wake(work: Work, hold: Hold, status: str) -> None:
    """Let cases with a step in this state be taken up now; a look at all holds tells what stands by then."""
    ref = hold.scope.subject_ref
    with work.bookkeeping():
        group = None if ref is None else subjects.group(work, subjects.get_by_ref(work, ref).subject_ref)
        waiting_store.wake(work.connection, work.tenant_id, work.now, status, group)


def _is_anything_left(snap: Snapshot, found: Erasure) -> bool:
    if found.status == CANCELLED:
        return False
    if found.is_open or found.status == PARTLY_COMPLETE or not found.whole:
        return True
    person = subjects.find_by_ref(snap, found.subject_ref)
    return found.evidence_shredded_at is None or (person is not None and not person.erased)


def _asked(reference: SubjectReference) -> tuple[str, str]:
    """The member of the keys that is compared, and what with."""
    if reference.id is not None:
        return "external_ids", reference.id
    if reference.email is not None:
        return "emails", read_identifier(Identifier("email", reference.email)).normalised
    return "phones", read_identifier(Identifier("phone", reference.phone or "")).normalised
