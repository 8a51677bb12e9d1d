"""Use cases of erasure: order, undo, look, try again. What runs afterwards is in `saga`.

Whoever orders freezes the person in the same transaction. A second order joins one that does all that it asks
for; a wider one widens what can still be undone, and is a case of its own beside what has begun.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from governance import persons
from governance.erasure import keys, planning, store
from governance.erasure.model import (
    CANCELLED,
    FAILED,
    IN_PROGRESS,
    PENDING,
    UNDO_HOURS,
    UNDO_WINDOW,
    Erasure,
    Refused,
    check_reason,
    check_scope,
    check_undo,
)
from governance.errors import ConflictError, NotFoundError
from governance.events import Fact
from governance.purposes import catalogue
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.vault.service import Vault
from governance.work import Snapshot, Work


def order(
    work: Work,
    subject_ref: str,
    *,
    reason: str,
    scope: Iterable[str] | None = None,
    request_id: str | None = None,
    undo_hours: int = UNDO_HOURS,
) -> Erasure:
    """Order the erasure of a person, or of some data classes (`scope`), and freeze the person at once.

    An order that finds an open erasure of all that it asks for joins it; one that asks for more widens it
    while it can be undone, else it is carried out by itself. Raises NotFoundError for an unknown person,
    ConflictError `erased` for one who is erased already, InvalidError for a reason, scope or window that
    cannot be.
    """
    check_reason(reason)
    check_undo(undo_hours)
    known = catalogue.vocabulary(work.resource(Settings).policies_dir).data_classes
    wanted = check_scope(scope, known)
    person = subjects.lock(work, subject_ref)
    if person.merged_into is not None:
        person = subjects.lock(work, person.merged_into)
    if person.erased:
        raise ConflictError("This person is erased already.", reason="erased")
    running = [each for each in _of(work, person.subject_ref, lock=True) if each.is_open]
    for each in running:
        if each.covers(wanted):
            return _join(work, each, reason, request_id)
    for each in running:
        if each.status == UNDO_WINDOW and each.undo_until > work.now:
            return _widen(work, each, wanted, reason, request_id, undo_hours)
    new = _open(work, person.subject_ref, reason, wanted, request_id, undo_hours)
    subjects.set_erasure_pending(work, person.subject_ref, True)
    event = work.record(
        "erasure.ordered",
        subject_ref=person.subject_ref,
        facts={
            "erasure": new.erasure_id,
            "reason": reason,
            "scope": list(wanted or ()),
            "systems": len(list(new.steps)),
        },
    )
    sealed = keys.seal_known(work, new.erasure_id, new.subject_ref)
    store.add(work.connection, work.tenant_id, new, sealed, event.id)
    return new


def cancel(work: Work, erasure_id: str) -> Erasure:
    """Undo an order while its window is open; the person is free again.

    Raises NotFoundError, ConflictError `too-late` once anything may have been erased.
    """
    found = _get(work, erasure_id, lock=True)
    if found.status == CANCELLED:
        return found
    if found.status != UNDO_WINDOW or found.undo_until <= work.now:
        raise ConflictError("The undo window of this erasure is over.", reason="too-late")
    if work.resource(Vault).is_shredded(work.tenant_id, found.subject_ref):
        raise ConflictError(
            "This person's keys are destroyed already; run `governance erasures replay` after a restore.",
            reason="too-late",
        )
    values = {"status": CANCELLED, "completed_at": work.now, "next_at": None}
    store.change(work.connection, work.tenant_id, erasure_id, values)
    keys.drop(work, found)
    free(work, found)
    work.record("erasure.cancelled", subject_ref=found.subject_ref, facts={"erasure": erasure_id})
    return _get(work, erasure_id)


def is_undoable(snap: Snapshot, found: Erasure) -> bool:
    """Whether an order can still be undone, as `cancel` sees it."""
    if found.status != UNDO_WINDOW or found.undo_until <= snap.now:
        return False
    return not snap.resource(Vault).is_shredded(snap.tenant_id, found.subject_ref)


def approve(work: Work, erasure_id: str) -> Erasure | Refused:
    """Let a second person end the undo window now: the one way to a shorter window.

    Whoever ordered cannot (a returned refusal, which is recorded). Raises NotFoundError, ConflictError
    `too-late` after the window, `asked-by-person` where a person asked for the erasure: the window is theirs.
    """
    found = _get(work, erasure_id, lock=True)
    if found.status != UNDO_WINDOW or found.undo_until <= work.now:
        raise ConflictError("The undo window of this erasure is over.", reason="too-late")
    if found.request_id is not None:
        raise ConflictError(
            "The person who asked for this erasure can take it back until the window ends.",
            reason="asked-by-person",
        )
    same = "Whoever ordered an erasure cannot approve it; ask another."
    why_not = persons.not_second(work, found.ordered_by, otherwise=same)
    if why_not is not None:
        work.record("erasure.approval_refused", facts={"erasure": erasure_id, "because": persons.CODE})
        return Refused(persons.CODE, why_not)
    values = {"undo_until": work.now, "next_at": work.now}
    store.change(work.connection, work.tenant_id, erasure_id, values)
    work.record("erasure.approved", subject_ref=found.subject_ref, facts={"erasure": erasure_id})
    return _get(work, erasure_id)


def retry(work: Work, erasure_id: str) -> Erasure:
    """Take up the failed steps again, after whatever was wrong was put right.

    Raises NotFoundError, ConflictError `nothing-failed`.
    """
    found = _get(work, erasure_id, lock=True)
    failed = [step for step in found.steps if step.status == FAILED]
    if not failed:
        raise ConflictError("No step of this erasure has failed.", reason="nothing-failed")
    for step in failed:
        again = replace(step, status=PENDING, round=step.round + 1, attempts=0, because="", next_at=work.now)
        store.change_step(work.connection, work.tenant_id, erasure_id, again)
    values = {"status": IN_PROGRESS, "next_at": work.now}
    store.change(work.connection, work.tenant_id, erasure_id, values)
    work.record(
        "erasure.retried",
        subject_ref=found.subject_ref,
        facts={"erasure": erasure_id, "systems": [step.system for step in failed]},
    )
    return _get(work, erasure_id)


def get(snap: Snapshot, erasure_id: str, *, lock: bool = False) -> Erasure:
    """The erasure of this id; NotFoundError if there is none. `lock`: nobody else changes it meanwhile."""
    return _get(snap, erasure_id, lock=lock)


def of_subject(snap: Snapshot, subject_ref: str) -> list[Erasure]:
    """All erasures of a person, newest first."""
    return _of(snap, subject_ref)


def listed(snap: Snapshot, *, status: str | None = None, after: str = "", limit: int = 50) -> list[Erasure]:
    """Erasures in the order in which they were ordered."""
    return store.page(snap.connection, snap.tenant_id, status=status, after=after, limit=limit)


def free(work: Work, erasure: Erasure) -> None:
    """Let the person be dealt with again when this case is over, unless another one freezes them."""
    others = [each for each in _of(work, erasure.subject_ref) if each.erasure_id != erasure.erasure_id]
    if not any(each.is_open for each in others):
        subjects.set_erasure_pending(work, erasure.subject_ref, False)


def _open(
    work: Work,
    subject_ref: str,
    reason: str,
    scope: tuple[str, ...] | None,
    request_id: str | None,
    undo_hours: int,
) -> Erasure:
    undo_until = work.now + timedelta(hours=undo_hours)
    return Erasure(
        erasure_id=work.new_id("era"),
        subject_ref=subject_ref,
        reason=reason,
        scope=scope,
        request_id=request_id,
        status=UNDO_WINDOW,
        ordered_by=work.actor.ref,
        ordered_at=work.now,
        undo_until=undo_until,
        fence_at=None,
        completed_at=None,
        next_at=undo_until,
        probe_at=None,
        probed_at=None,
        evidence_until=None,
        evidence_shredded_at=None,
        certificate=None,
        steps=planning.first_steps(work, scope),
    )


def _join(work: Work, running: Erasure, reason: str, request_id: str | None) -> Erasure:
    """Let a second order share the first; whoever asked first for it by a request stays named."""
    if request_id is not None and running.request_id is None:
        store.change(work.connection, work.tenant_id, running.erasure_id, {"request_id": request_id})
    work.record(
        "erasure.joined",
        subject_ref=running.subject_ref,
        facts={"erasure": running.erasure_id, "reason": reason},
    )
    return _get(work, running.erasure_id)


def _widen(
    work: Work,
    running: Erasure,
    wanted: tuple[str, ...] | None,
    reason: str,
    request_id: str | None,
    undo_hours: int,
) -> Erasure:
    """Let an order that nothing was done of yet take in more; its window is as long as either asked for.

    It is the order of whoever widened it: nobody approves alone what they asked for.
    """
    scope = running.with_more(wanted)
    undo_until = max(running.undo_until, work.now + timedelta(hours=undo_hours))
    values = {
        "scope": None if scope is None else list(scope),
        "request_id": running.request_id or request_id,
        "ordered_by": work.actor.ref,
        "undo_until": undo_until,
        "next_at": undo_until,
    }
    steps = planning.first_steps(work, scope)
    store.change(work.connection, work.tenant_id, running.erasure_id, values)
    store.replace_steps(work.connection, work.tenant_id, running.erasure_id, steps)
    facts: dict[str, Fact] = {
        "erasure": running.erasure_id,
        "reason": reason,
        "scope": list(scope or ()),
        "systems": len(steps),
    }
    work.record("erasure.widened", subject_ref=running.subject_ref, facts=facts)
    return _get(work, running.erasure_id)


def _of(snap: Snapshot, subject_ref: str, *, lock: bool = False) -> list[Erasure]:
    return store.of_subject(snap.connection, snap.tenant_id, subject_ref, lock=lock)


def _get(snap: Snapshot, erasure_id: str, *, lock: bool = False) -> Erasure:
    found = store.find(snap.connection, snap.tenant_id, erasure_id, lock=lock)
    if found is None:
        raise NotFoundError("There is no erasure of this id.")
    return found
