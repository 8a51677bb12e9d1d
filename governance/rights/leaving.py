"""Every way out of the work on a request: nothing that was ordered for it outlives it.

`dossier.keep`, through which every state is written, calls `leave`: so no way out, whoever adds it, can
forget. A request that is refused, withdrawn, declined by whoever holds the address, proved anew, or waits for
the person takes its erasures back. Where they have begun, the step is refused: nobody is told that nothing
happens while it does. What was collected for a package goes, its links are dead.
"""

from collections.abc import Iterable

from governance.erasure import service as erasure
from governance.erasure.model import CANCELLED, UNDO_WINDOW, Erasure
from governance.errors import ConflictError
from governance.rights import package_store, releasing
from governance.rights import recipient_store as recipients
from governance.rights.model import (
    ACCESS,
    ANSWERED,
    CLOSED_STATES,
    ERASURE,
    IN_PROGRESS,
    PORTABILITY,
    REFUSED,
    RESTRICTION,
    VERIFYING,
    WAITING,
    WITHDRAWN,
    Request,
)
from governance.rights.states import PROVED, Case
from governance.subjects import service as subjects
from governance.systems import operations, task_reports
from governance.systems import service as systems
from governance.work import Snapshot, Work

PACKAGED = (ACCESS, PORTABILITY)
"""The types that are answered with a package."""


def leave(work: Work, request: Request, before: Case, after: Case) -> None:
    """Undo what a request began, as far as this step takes it out of work; before the step is written.

    Raises ConflictError `too-late` where an erasure has begun that the step says will not be, `erasure-open`
    for an answer while one may still be undone, `restriction-in-force` for a no to what holds.
    """
    if not is_exit(before.state, after.state):
        return
    if request.type == ERASURE:
        if after.state in ANSWERED:
            _check_none_waits(work, request, before)
            return
        _take_back(work, request, before)
    elif request.type == RESTRICTION and after.state != WAITING:
        _release(work, request, before, after)
    if after.state == WAITING or after.state in ANSWERED:
        return
    people = _people(before)
    if request.type in PACKAGED:
        _unmake(work, request, people, anew=after.state == VERIFYING)
    if after.state == VERIFYING:
        _forget(work, request.request_id, people - _people(after))


def is_exit(before: str, after: str) -> bool:
    """Whether a step ends or stops the work on a request."""
    if before == after or before in CLOSED_STATES:
        return False
    return after in CLOSED_STATES or (before in (IN_PROGRESS, WAITING) and after != IN_PROGRESS)


def is_too_late(snap: Snapshot, request: Request, case: Case) -> bool:
    """Whether an erasure that a proved request ordered has begun and cannot be taken back any more."""
    if request.type != ERASURE or case.state in CLOSED_STATES:
        return False
    if not any(each.state == PROVED for each in case.proofs):
        return False  # nobody is looked for before somebody is proved
    people = _people(case) | _survivors(snap, case)
    return any(not erasure.is_undoable(snap, each) for each in ordered(snap, request, people))


def ordered(snap: Snapshot, request: Request, people: Iterable[str]) -> list[Erasure]:
    """The erasures of these people that this request ordered and that were not taken back.

    Those that had ended before it was proved (it was opened again since) are not its own any more.
    """
    found = [each for ref in sorted(people) for each in erasure.of_subject(snap, ref)]
    return [
        each
        for each in found
        if each.request_id == request.request_id
        and each.status != CANCELLED
        and (each.is_open or _ended_since(request, each))
    ]


def _ended_since(request: Request, each: Erasure) -> bool:
    if each.completed_at is None or request.verified_at is None:
        return False
    return each.completed_at >= request.verified_at


def _take_back(work: Work, request: Request, before: Case) -> None:
    """Cancel the erasures that this request ordered; ConflictError `too-late` once one has begun."""
    for each in ordered(work, request, _people(before) | _survivors(work, before)):
        subjects.lock(work, each.subject_ref)  # in the order in which an order locks
        try:
            erasure.cancel(work, each.erasure_id)
        except ConflictError:
            raise ConflictError(
                "The erasure that this request asks for has begun and cannot be taken back; the request ends "
                "when the erasure does.",
                reason="too-late",
            ) from None


def _release(work: Work, request: Request, before: Case, after: Case) -> None:
    """End the restrictions that rest on this request alone; ConflictError `restriction-in-force` for a no.

    Nobody who is restricted is told that they will not be, whoever else asked for it.
    Whoever withdraws wants it ended: it ends at once. One that is only proved anew stays in force for whoever
    it still means, who was not told that it ends (Art. 18(3) GDPR); so does one that nobody proved in time.
    """
    people = _survivors(work, before)
    if after.state == VERIFYING:
        people -= _survivors(work, after)
    if after.state == REFUSED and before.is_proved and any(_is_restricted(work, ref) for ref in people):
        raise ConflictError(
            "The restriction that this request asks for is in force. Lift it first, which tells the person "
            "(PUT /v1/subjects/{id}/restriction); then refuse, or answer.",
            reason="restriction-in-force",
        )
    mine = [ref for ref in sorted(people) if releasing.rests_on(work, request, ref)]
    if after.state in (WITHDRAWN, VERIFYING):
        for ref in mine:
            releasing.end(work, ref, because="rights-request")


def _is_restricted(snap: Snapshot, subject_ref: str) -> bool:
    person = subjects.find_by_ref(snap, subject_ref)
    return person is not None and not person.erased and person.restricted


def _check_none_waits(work: Work, request: Request, before: Case) -> None:
    if any(each.status == UNDO_WINDOW for each in ordered(work, request, _people(before))):
        raise ConflictError(
            "The erasure has not begun, so the request is not answered; look at the erasure's steps.",
            reason="erasure-open",
        )


def _unmake(work: Work, request: Request, people: Iterable[str], *, anew: bool) -> None:
    """Drop a package that was begun, and what was collected for it; no link opens it any more.

    That of an earlier answer (the request was opened again since) stays what it was, unless the request has
    to be proved anew: it may mean somebody else then.
    """
    request_id = request.request_id
    made_at = package_store.made_at(work.connection, work.tenant_id, request_id)
    if made_at is not None and request.verified_at is not None and made_at < request.verified_at and not anew:
        return
    package_store.remove(work.connection, work.tenant_id, request_id)
    package_store.end_links(work.connection, work.tenant_id, request_id, work.now)
    for each in systems.registered(work):
        for ref in people:
            operations.forget_items(work, f"{request_id}/{each.system_id}/{ref}/collect")


def _forget(work: Work, request_id: str, mistaken: set[str]) -> None:
    """Let nothing that was decided for somebody else be told on, nor anybody be asked about them."""
    if not mistaken:
        return
    recipients.forget_changes(work.connection, work.tenant_id, request_id)
    for each in systems.registered(work):
        for ref in mistaken:
            task_reports.no_longer_asked(work, f"{request_id}/{each.system_id}/{ref}/")


def _people(case: Case) -> set[str]:
    return {each.subject for each in case.proofs if each.subject is not None}


def _survivors(snap: Snapshot, case: Case) -> set[str]:
    """Whom a request means, by the records into which theirs were merged."""
    found = [subjects.find_by_ref(snap, ref) for ref in _people(case)]
    return {person.subject_ref for person in found if person is not None}
