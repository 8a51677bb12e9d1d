"""Telling recipients, one at a time: ask the system outside any transaction, then keep the receipt.

`tell` may be killed at any line and called again by anybody: a system is asked under an id that names
request, system and person, so that it does the same once. Whatever fails for a while rests and is tried
again; what fails for good waits for somebody.
"""

from governance.erasure.model import MOST_ATTEMPTS, rest
from governance.errors import ConflictError, NotFoundError
from governance.events import Actor, Fact
from governance.rights import correcting, handling, recipients
from governance.rights import recipient_store as store
from governance.rights.dossier import Dossier, keep, open_dossier, record
from governance.rights.execution import people_of
from governance.rights.model import CLOSED_STATES, IN_PROGRESS
from governance.rights.reach import keys_of
from governance.rights.recipient_store import DONE, DROPPED, FAILED, PENDING, UNSUPPORTED, WAITING, Recipient
from governance.subjects import service as subjects
from governance.systems import model as asked
from governance.systems import operations
from governance.systems.model import Outcome
from governance.systems.operations import Operation
from governance.work import Opener, Snapshot, Work

ACTOR = Actor("job:tell-recipients", "job")


def due(snap: Snapshot, *, after: Recipient | None = None, limit: int = 50) -> list[Recipient]:
    """Whom to tell now, or to ask again, or who has reported; those after one, in order."""
    return store.due(snap.connection, snap.tenant_id, snap.now, after, limit)


def waiting(snap: Snapshot, *, after: str = "", limit: int = 50) -> list[str]:
    """Ids of requests that wait for recipients, after an id, in order."""
    return store.open_requests(
        snap.connection, snap.tenant_id, (recipients.WAITS, recipients.FAILS), after, limit
    )


def is_unsettled(snap: Snapshot, request_id: str) -> bool:
    """Whether a request waits for recipients otherwise than it says."""
    return _is_unsettled(snap, open_dossier(snap, request_id))


def tell(opener: Opener, tenant_id: str, row: Recipient) -> bool:
    """Tell one recipient, or look how it is doing; gives whether it has answered for good."""
    with opener.work(tenant_id, ACTOR) as work:
        question = _question(work, row)
    if question is None:
        return False
    try:
        outcome = operations.run(opener, ACTOR, tenant_id, question)
    except (NotFoundError, ConflictError):
        outcome = asked.failed("This system is no longer registered, or was asked something else.")
    with opener.work(tenant_id, ACTOR) as work:
        return _keep(work, row, outcome)


def settle(work: Work, request_id: str) -> bool:
    """Answer a request when all recipients have answered, else note what it waits for; gives whether so."""
    dossier = open_dossier(work, request_id)
    if not _is_unsettled(work, dossier):
        return False
    stands = recipients.standing(work, dossier)
    if stands is not None:
        keep(work, dossier, "delayed", facts={"waits_for": stands}, waits_for=stands)
        return False
    handling.fulfil(work, request_id, partly=bool(recipients.report(work, dossier)[1]))
    return True


def _is_unsettled(snap: Snapshot, dossier: Dossier) -> bool:
    return recipients.awaited(snap, dossier) and (
        recipients.standing(snap, dossier) != dossier.request.waits_for
    )


def _question(work: Work, row: Recipient) -> Operation | None:
    """What to ask, if the row is still to be told and the request still proves it; notes what is not."""
    now = store.again(work.connection, work.tenant_id, row)
    if now is None or now.status not in (PENDING, WAITING) or now.operation_id != row.operation_id:
        return None
    dossier = open_dossier(work, row.request_id)
    if not _stands(work, dossier, row):
        return None
    changes = correcting.changes_for(work, row.request_id, row.system_id) if row.verb == asked.CORRECT else ()
    if row.verb == asked.CORRECT and not changes:
        _drop(work, dossier, row, "nothing-to-tell")
        return None
    return Operation(
        row.operation_id, row.system_id, row.verb, keys_of(work, row.subject_ref), changes=changes
    )


def _stands(work: Work, dossier: Dossier, row: Recipient) -> bool:
    """Whether a row may be told now; drops what may never be, puts off what may not yet."""
    person = subjects.find_by_ref(work, row.subject_ref)
    if person is None or person.erased:
        _drop(work, dossier, row, "erased")
        return False
    if row.verb == asked.RELEASE:
        if person.restricted:
            _drop(work, dossier, row, "restricted-again")
        return not person.restricted
    if dossier.request.state in CLOSED_STATES:
        _drop(work, dossier, row, "closed")
        return False
    if dossier.request.state != IN_PROGRESS:
        with work.bookkeeping():  # it waits for the person, or for proof
            store.change(work.connection, work.tenant_id, row, {"next_at": work.now + rest(7)})
        return False
    _, people = people_of(work, dossier)
    if people is not None and row.subject_ref not in people:
        _drop(work, dossier, row, "somebody-else")
        return False
    return people is not None


def _drop(work: Work, dossier: Dossier, row: Recipient, because: str) -> None:
    record(work, dossier, "recipient_dropped", facts={"system": row.system_id, "because": because})
    store.change(work.connection, work.tenant_id, row, {"status": DROPPED, "next_at": None})


def _keep(work: Work, row: Recipient, outcome: Outcome) -> bool:
    """Write what a system answered."""
    dossier = open_dossier(work, row.request_id)
    now = store.again(work.connection, work.tenant_id, row)
    if now is None or now.status not in (PENDING, WAITING) or now.operation_id != row.operation_id:
        return False  # somebody was faster, noted it by hand, or has more to tell since
    attempts = now.attempts + 1
    facts: dict[str, Fact] = {"system": row.system_id, "verb": row.verb, "attempts": attempts}
    if outcome.status == asked.WAITING:
        after = outcome.check_after or work.now + rest(7)
        values: dict[str, object] = {"status": WAITING, "because": outcome.because, "next_at": after}
        if now.status == PENDING:
            record(work, dossier, "recipient_asked", facts=facts)
        with work.bookkeeping():
            store.change(work.connection, work.tenant_id, row, values | {"attempts": attempts})
        return False
    if outcome.status == asked.FAILED and outcome.transient and attempts < MOST_ATTEMPTS:
        values = {"attempts": attempts, "because": outcome.because, "next_at": work.now + rest(attempts)}
        record(work, dossier, "recipient_put_off", facts=facts)
        store.change(work.connection, work.tenant_id, row, values)
        return False
    status = {asked.DONE: DONE, asked.UNSUPPORTED: UNSUPPORTED}.get(outcome.status, FAILED)
    kind = {DONE: "recipient_told", UNSUPPORTED: "recipient_cannot"}.get(status, "recipient_failed")
    event = record(work, dossier, kind, facts={**facts, "rows": outcome.rows})
    values = {
        "status": status,
        "attempts": attempts,
        "because": outcome.because,
        "rows_told": outcome.rows,
        "next_at": None,
        "answered_at": work.now if status == DONE else None,
        "event_id": event.id,
    }
    store.change(work.connection, work.tenant_id, row, values)
    if status == DONE:
        recipients.marked(work, row)
    return status == DONE
