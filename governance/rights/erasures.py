"""Erasure requests: the erasure room carries them out, this one tells the person what became of it.

An erasure is ordered when the request is verified (the person is frozen at once) and may be undone for a day:
whatever ends the request in that time, or makes it wait, takes its erasure back (`leaving`). A job closes the
request when every erasure is done; one that failed leaves it open, and its clock runs on. A legal hold stops
what it covers: the person is told at once what stays, and is answered in part before the term ends, should it
still stand. Nothing is ordered while the person is restricted (Art. 18 GDPR): they may need the data, so they
are asked which of the two they want, and the request waits until the restriction ends.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date

from governance.erasure import service as erasure
from governance.erasure.model import (
    CANCELLED,
    COMPLETE,
    DONE,
    FAILED,
    HELD,
    PARTLY_COMPLETE,
    UNDO_WINDOW,
    Erasure,
)
from governance.errors import ConflictError
from governance.rights import letters, sealing, states, store
from governance.rights.dossier import Dossier
from governance.rights.intake import value_of
from governance.rights.model import ERASURE, IN_PROGRESS, Identity
from governance.rights.reasons import reasons
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.work import Snapshot, Work

REASON = "rights_request"
WAITS, FAILS, UNDONE, HOLD = "erasure", "erasure-failed", "erasure-undone", "legal-hold"
RESTRICTED = "restriction"
_DONE = (COMPLETE, PARTLY_COMPLETE)
_GONE = ("erased", "anonymised")


def start(work: Work, dossier: Dossier, people: Sequence[str]) -> str:
    """Order the erasure of these people; whoever is erased already stays so.

    Of nobody while one of them is restricted: they are told so whenever the request begins to wait for it.
    """
    if _is_restricted(work, people):
        if dossier.request.waits_for != RESTRICTED:
            _tell_of_restriction(work, dossier)
        return RESTRICTED
    for identity in dossier.identities:
        _keep_address(work, dossier, identity)
    for subject_ref in people:
        person = subjects.find_by_ref(work, subject_ref)
        if person is not None and not person.erased:
            erasure.order(work, subject_ref, reason=REASON, request_id=dossier.request_id)
    return WAITS


def of_request(snap: Snapshot, dossier: Dossier) -> list[Erasure]:
    """The newest erasure, of everything, of each person whom the request was proved to mean.

    One of some data classes only is no answer to the request, whatever came of it.
    """
    newest = [_newest(snap, subject_ref) for subject_ref in states.entitled(dossier.case)]
    return [each for each in newest if each is not None]


def standing(snap: Snapshot, dossier: Dossier) -> str | None:
    """What an erasure request waits for now; None if it waits for nothing more, or is no such request.

    One that was opened again for a part is carried out by staff, who say when it is done.
    """
    said = dossier.request
    if said.type != ERASURE or said.state != IN_PROGRESS or dossier.is_part:
        return None
    restricted = _is_restricted(snap, states.entitled(dossier.case))
    if said.waits_for == RESTRICTED:
        return RESTRICTED if restricted else WAITS
    found = of_request(snap, dossier)
    statuses = {each.status for each in found}
    if CANCELLED in statuses or _is_anybody_left(snap, dossier):
        return UNDONE
    if statuses <= set(_DONE):
        if not any(_is_left_alone(snap, each) for each in found):
            return None
        return RESTRICTED if restricted else WAITS  # `probe-erasures` takes it up, now that it was lifted
    if restricted and any(_may_undo(snap, dossier, each) for each in found):
        return RESTRICTED
    if FAILED in statuses:
        return FAILS
    return HOLD if _held(snap, dossier) else WAITS


def held(snap: Snapshot, dossier: Dossier) -> str:
    """The data classes that a legal hold covers, in the person's language; '' for none.

    Never the matter: who is told of it might be whom it is about.
    """
    if dossier.request.type != ERASURE:
        return ""
    return letters.words_of(snap, dossier).classes(_held(snap, dossier))


def is_only_held(snap: Snapshot, dossier: Dossier) -> bool:
    """Whether everything is done but what a legal hold covers."""
    found = of_request(snap, dossier)
    if standing(snap, dossier) != HOLD or any(_is_left_alone(snap, each) for each in found):
        return False
    return all(step.status in (DONE, HELD) for each in found for step in each.steps)


def tell_of_hold(work: Work, dossier: Dossier) -> None:
    """Tell the person, once, what must stay for now."""
    if not letters.has(work, dossier, letters.HELD):
        letters.send(work, dossier, letters.HELD, held=held(work, dossier))


def wait_for_lifting(work: Work, dossier: Dossier) -> None:
    """Take back what the request ordered before the restriction, while it may be; tell the person.

    What has begun leaves alone by itself what it has not erased yet.
    """
    for each in of_request(work, dossier):
        if _may_undo(work, dossier, each):
            subjects.lock(work, each.subject_ref)  # in the order in which an order locks
            with suppress(ConflictError):  # it began this moment
                erasure.cancel(work, each.erasure_id)
    _tell_of_restriction(work, dossier)


def _tell_of_restriction(work: Work, dossier: Dossier) -> None:
    """Tell the person that nothing, or what, was not erased for the restriction, and what ends that."""
    steps = [step for each in of_request(work, dossier) if _is_left_alone(work, each) for step in each.steps]
    gone = any(part.outcome in _GONE for step in steps for part in (*step.parts, *step.kept))
    kept = dict.fromkeys(name for step in steps for name in step.restricted) if gone else {}
    left = letters.words_of(work, dossier).classes(kept)
    letters.send(work, dossier, letters.RESTRICTED, held=left, whole=not gone)


def _is_restricted(snap: Snapshot, people: Iterable[str]) -> bool:
    """Whether the use of the data of one of these people is restricted."""
    found = [subjects.find_by_ref(snap, subject_ref) for subject_ref in people]
    return any(person is not None and person.restricted and not person.erased for person in found)


def _is_left_alone(snap: Snapshot, each: Erasure) -> bool:
    """Whether an erasure left something alone for a restriction, and nobody has erased it since."""
    person = subjects.find_by_ref(snap, each.subject_ref) if each.awaits_lifting else None
    return person is not None and not person.erased


def _may_undo(snap: Snapshot, dossier: Dossier, each: Erasure) -> bool:
    """Whether this request ordered it, and it has not begun."""
    mine = each.request_id == dossier.request_id
    return mine and each.status == UNDO_WINDOW and each.undo_until > snap.now


def _held(snap: Snapshot, dossier: Dossier) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for each in of_request(snap, dossier):
        for step in each.steps:
            if step.status == HELD:
                found.update(dict.fromkeys(step.held or step.data_classes))
    return tuple(found)


def check_done(snap: Snapshot, dossier: Dossier, *, partly: bool = False) -> None:
    """Refuse to call an erasure done that is not; ConflictError `erasure-open`.

    `partly`: what a legal hold covers may be left.
    """
    if standing(snap, dossier) is not None and not (partly and is_only_held(snap, dossier)):
        raise ConflictError(
            "The erasure is not complete, so the request cannot be fulfilled; look at the erasure's steps.",
            reason="erasure-open",
        )


def report(snap: Snapshot, dossier: Dossier) -> tuple[bool, str]:
    """Whether something was kept, and what, until when and why, in the language of the letter."""
    said = reasons(dossier.request.language, snap.resource(Settings).policies_dir)
    alike: dict[tuple[str, date | None], list[str]] = {}  # one sentence for all that is kept for it
    for each in of_request(snap, dossier):
        for step in each.steps:
            for part in (*step.parts, *step.kept):
                if part.outcome == "kept_until":
                    alike.setdefault((part.because, part.until), []).append(part.data_class)
    kept = [said.kept(classes, because, until) for (because, until), classes in alike.items()]
    return bool(kept), f"{'; '.join(kept)}." if kept else ""


def _newest(snap: Snapshot, subject_ref: str) -> Erasure | None:
    return next((each for each in erasure.of_subject(snap, subject_ref) if each.whole), None)


def is_anybody_here(snap: Snapshot, dossier: Dossier) -> bool:
    """Whether somebody whom the request means is not erased yet."""
    found = [subjects.find_by_ref(snap, subject_ref) for subject_ref in states.entitled(dossier.case)]
    return any(person is not None and not person.erased for person in found)


def _is_anybody_left(snap: Snapshot, dossier: Dossier) -> bool:
    """Whether somebody whom the request means is still here and nobody has ordered to erase all of them."""
    for subject_ref in states.entitled(dossier.case):
        person = subjects.find_by_ref(snap, subject_ref)
        if person is not None and not person.erased and _newest(snap, subject_ref) is None:
            return True
    return False


def _keep_address(work: Work, dossier: Dossier, identity: Identity) -> None:
    """Keep where the answer goes with the request: the person's own contact points are about to go."""
    address = letters.address_of(work, identity)
    if identity.kind != "id" or address is None:
        return
    place = sealing.identity_place(identity.identity_id)
    value = {"kind": identity.kind, "value": value_of(work, identity) or "", "address": address}
    sealed = sealing.seal(work, dossier.request_id, place, value)
    at = (work.connection, work.tenant_id)
    store.update_part(*at, Identity, dossier.request_id, identity.identity_id, {"value_sealed": sealed})
