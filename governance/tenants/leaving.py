"""Use cases of a tenant that pauses or leaves: suspend and resume; deletion asked for, approved, taken back.

Each is an event in the tenant's own ledger. The deletion itself is `governance.offboarding`.
"""

from dataclasses import replace
from datetime import timedelta

from governance import persons
from governance.errors import ConflictError
from governance.tenants import store
from governance.tenants.model import (
    ACTIVE,
    APPROVED,
    ASKED,
    CANCELLED,
    CLOSING,
    GRACE_DAYS,
    LEAVING,
    SUSPENDED,
    Deletion,
    Refusal,
    Tenant,
    check_grace,
)
from governance.tenants.service import get
from governance.work import Snapshot, Work


def suspend(work: Work) -> Tenant:
    """Suspend the tenant: from the next unit of work every gate and route says no, in every process.

    Links that people hold, opt-outs and requests of people go on. ConflictError unless it is active.
    """
    return _move(work, {ACTIVE}, SUSPENDED, "tenant.suspended")


def resume(work: Work) -> Tenant:
    """Resume a suspended tenant; ConflictError if it is not suspended."""
    return _move(work, {SUSPENDED}, ACTIVE, "tenant.resumed")


def ask_deletion(work: Work, *, grace_days: int = GRACE_DAYS) -> Deletion:
    """Ask that the tenant be deleted. Nothing changes until a second person approves.

    ConflictError if that was asked already.
    """
    days, now = check_grace(grace_days), get(work)
    if pending(work) is not None:
        raise ConflictError("The deletion of this tenant was asked for already.", reason="deletion-pending")
    new = Deletion(work.tenant_id, work.new_id("del"), now.ref, ASKED, work.actor.ref, work.now, days)
    work.record("tenant.deletion_asked", facts={"deletion": new.deletion_id, "grace_days": days})
    store.add_deletion(work.connection, new)
    return new


def approve_deletion(work: Work) -> Deletion | Refusal:
    """Approve the deletion that was asked for: the grace begins, and the tenant is suspended.

    Whoever asked cannot approve. ConflictError unless it waits for approval.
    """
    asked = pending(work)
    if asked is None or asked.state != ASKED:
        raise ConflictError("No deletion of this tenant waits for approval.", reason="nothing-to-approve")
    same = "Whoever asked for the deletion cannot approve it."
    why_not = persons.not_second(work, asked.asked_by, otherwise=same)
    if why_not is not None:
        facts = {"deletion": asked.deletion_id, "because": persons.CODE}
        work.record("tenant.deletion_approval_refused", facts=dict(facts))
        return Refusal(persons.CODE, why_not)
    due_at = work.now + timedelta(days=asked.grace_days)
    done = replace(asked, state=APPROVED, approved_by=work.actor.ref, approved_at=work.now, due_at=due_at)
    work.record(
        "tenant.deletion_approved",
        facts={"deletion": asked.deletion_id, "asked_by": asked.asked_by, "grace_days": asked.grace_days},
    )
    store.change_deletion(
        work.connection,
        work.tenant_id,
        asked.deletion_id,
        state=APPROVED,
        approved_by=done.approved_by,
        approved_at=done.approved_at,
        due_at=due_at,
    )
    store.set_state(work.connection, work.tenant_id, LEAVING, work.now)
    return done


def cancel_deletion(work: Work) -> Tenant:
    """Take a deletion back before its grace is over; the tenant stays suspended until it is resumed.

    ConflictError if there is none, or it has begun.
    """
    asked, now = pending(work), get(work)
    if asked is None or now.state == CLOSING:
        raise ConflictError("No deletion of this tenant can be taken back.", reason="too-late")
    work.record("tenant.deletion_cancelled", facts={"deletion": asked.deletion_id})
    store.change_deletion(work.connection, work.tenant_id, asked.deletion_id, state=CANCELLED)
    if now.state != LEAVING:
        return now
    store.set_state(work.connection, work.tenant_id, SUSPENDED, work.now)
    return replace(now, state=SUSPENDED, state_since=work.now)


def pending(snap: Snapshot) -> Deletion | None:
    """The deletion that was asked for or approved, if there is one."""
    found = store.deletions(snap.connection, snap.tenant_id)
    return next((each for each in found if each.state in (ASKED, APPROVED)), None)


def _move(work: Work, before: set[str], state: str, kind: str) -> Tenant:
    now = get(work)
    if now.state not in before:
        raise ConflictError(f"This tenant is {now.state}.", reason=f"tenant-{now.state}")
    work.record(kind)
    store.set_state(work.connection, work.tenant_id, state, work.now)
    return replace(now, state=state, state_since=work.now)
