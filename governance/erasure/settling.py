"""What the steps of an erasure come to: its own state, and the end of the case with its certificate."""

from dataclasses import replace

from governance.erasure import planning, registered, service, store
from governance.erasure.certificate import certify
from governance.erasure.model import (
    CANCELLED,
    COMPLETE,
    FAILED,
    PARTLY_COMPLETE,
    PROBE_AFTER,
    UNDO_WINDOW,
    Erasure,
    next_at,
    overall,
)
from governance.subjects import service as subjects
from governance.work import Work


def settle(work: Work, found: Erasure) -> None:
    """Write the erasure's own state after its steps."""
    if found.status in (UNDO_WINDOW, CANCELLED):
        return  # taken back, perhaps, while a worker was on its way to it
    before = planning.before(work)
    status = overall(found.steps, before)
    if status == found.status and status in (COMPLETE, PARTLY_COMPLETE, FAILED):
        with work.bookkeeping():
            store.change(work.connection, work.tenant_id, found.erasure_id, {"next_at": None})
        return
    values: dict[str, object] = {"status": status, "next_at": next_at(found.steps, work.now, before)}
    if status not in (COMPLETE, PARTLY_COMPLETE):
        if status == found.status:
            with work.bookkeeping():
                store.change(work.connection, work.tenant_id, found.erasure_id, values)
            return
        store.change(work.connection, work.tenant_id, found.erasure_id, values)
        work.record(
            f"erasure.{'failed' if status == FAILED else 'went_on'}",
            subject_ref=found.subject_ref,
            facts={"erasure": found.erasure_id, "status": status},
        )
        return
    _close(work, found, status)


def _close(work: Work, found: Erasure, status: str) -> None:
    """Every step has its proof: sign the certificate, plan the second look."""
    values: dict[str, object] = {
        "status": status,
        "next_at": None,
        "completed_at": work.now,
        "probe_at": work.now + PROBE_AFTER,
        "probed_at": None,
    }
    store.change(work.connection, work.tenant_id, found.erasure_id, values)
    for step in found.steps:
        if step.probe is not None:  # of an earlier round: it is looked again
            store.change_step(work.connection, work.tenant_id, found.erasure_id, replace(step, probe=None))
    closed = service.get(work, found.erasure_id)
    certificate = certify(work, closed)
    undated = (found.undated_since or work.now) if closed.awaits_date else None
    signed = {"certificate": certificate, "undated_since": undated}
    store.change(work.connection, work.tenant_id, found.erasure_id, signed)
    person = subjects.find_by_ref(work, found.subject_ref)
    if person is not None and person.erased:
        registered.let_go(work, closed)
    if person is not None and not person.erased and not closed.awaits_lifting:
        service.free(work, found)
    work.record(
        "erasure.completed",
        subject_ref=found.subject_ref,
        facts={"erasure": found.erasure_id, "status": status, "rows": sum(each.rows for each in found.steps)},
    )
