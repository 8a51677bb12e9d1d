"""The end of a restriction: the mark goes here, every system releases the data, open notices are over.

Also since when and until when one lasted, as the ledger has it, and which request it rests on.
"""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from governance.ledger.store import ledger_entry
from governance.rights import lifting_store, store
from governance.rights import recipient_store as recipients
from governance.rights.model import ANSWERED, IN_PROGRESS, RESTRICTION, WAITING, Identity, Request
from governance.rights.recipient_store import DONE, DROPPED, PENDING, Recipient
from governance.rights.states import PROVED
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.systems import task_reports
from governance.systems.model import RELEASE, RESTRICT
from governance.work import Snapshot, Work

LIFTED = "lifted"
"""Why a recipient was dropped: the restriction had ended before it was told, or before it did it."""

_BEGUN, _ENDED, _VERIFIED = "subject.restricted", "subject.restriction_lifted", "rights.verified"
_MOST = 200
_ASKED = (
    "operation_id",
    "status",
    "attempts",
    "because",
    "rows_told",
    "noted_by",
    "next_at",
    "answered_at",
    "event_id",
)


def end(work: Work, subject_ref: str, *, because: str | None = None) -> Subject:
    """End a person's restriction, and have it released wherever the data was marked."""
    lifted = subjects.set_restriction(work, subject_ref, False, because=because)
    for ref in subjects.group(work, subject_ref):
        release(work, ref)
    for each in lifting_store.of_subject(work.connection, work.tenant_id, subject_ref):
        if each.lifted_at is None:
            lifting_store.change(work.connection, work.tenant_id, each.notice_id, {"lifted_at": work.now})
    return lifted


def release(work: Work, subject_ref: str) -> None:
    """Have every system that was to mark the data release it; whoever was not told yet never is."""
    marked = recipients.of_subject(work.connection, work.tenant_id, subject_ref, RESTRICT)
    released: set[str] = set()
    # Of several requests for one system one release is enough: that of a mark which was confirmed, if any.
    for each in sorted(marked, key=lambda one: (one.status != DONE, one.request_id)):
        if each.status == DROPPED:
            continue
        if each.status == PENDING or task_reports.no_longer_asked(work, each.operation_id):
            values = {"status": DROPPED, "because": LIFTED, "next_at": None}
            recipients.change(work.connection, work.tenant_id, each, values)
            continue
        if each.system_id in released:
            continue
        told = replace(
            each,
            verb=RELEASE,
            operation_id=f"{base(each, RELEASE)}{turn(each)}",
            status=PENDING,
            attempts=0,
            because="",
            rows_told=0,
            noted_by=None,
            next_at=work.now,
            answered_at=None,
        )
        before = recipients.again(work.connection, work.tenant_id, told)
        if before is None:
            recipients.add(work.connection, work.tenant_id, [told])
            released.add(each.system_id)
        elif before.operation_id != told.operation_id:  # it was marked again since it was released
            again = {name: getattr(told, name) for name in _ASKED}
            recipients.change(work.connection, work.tenant_id, told, again)
            released.add(each.system_id)


def base(each: Recipient, verb: str) -> str:
    """What a question to a recipient is named by."""
    return f"{each.request_id}/{each.system_id}/{each.subject_ref}/{verb}"


def turn(each: Recipient) -> str:
    """Which time it is asked: nothing for the first, `/2` for the second."""
    return each.operation_id.removeprefix(base(each, each.verb))


def rests_on(snap: Snapshot, request: Request, subject_ref: str) -> bool:
    """Whether a person is restricted because this request asked for it, and for no other reason.

    Not where staff restricted the person, nor where another request asks for the same.
    """
    person = subjects.find_by_ref(snap, subject_ref)
    if person is None or person.erased or not person.restricted:
        return False
    group = subjects.group(snap, person.subject_ref)
    begun = max((at for at in (began_at(snap, ref) for ref in group) if at is not None), default=None)
    if begun is None or not _by_request(snap, group, begun):
        return False
    named = store.page(
        snap.connection, snap.tenant_id, filters={"type": RESTRICTION}, subject_refs=group, limit=_MOST
    )
    others = [each for each in named if each.request_id != request.request_id]
    return not any(_stands(snap, each, group, begun) for each in others)


def began_at(snap: Snapshot, subject_ref: str) -> datetime | None:
    """When a person's use of data was restricted last; None if that was never sealed under this reference."""
    return _last(snap, subject_ref, _BEGUN)


def ended_at(snap: Snapshot, subject_ref: str) -> datetime | None:
    """When a person's restriction was lifted last; None if that was never sealed under this reference."""
    return _last(snap, subject_ref, _ENDED)


def _stands(snap: Snapshot, each: Request, group: tuple[str, ...], begun: datetime) -> bool:
    """Whether another request asks for the restriction that holds."""
    if each.state not in (IN_PROGRESS, WAITING, *ANSWERED):
        return False
    if each.verified_at is None or each.verified_at < begun:
        return False
    parts = store.parts_of(snap.connection, snap.tenant_id, each.request_id, Identity)
    return any(part.state == PROVED and part.subject_ref in group for part in parts)


def _by_request(snap: Snapshot, group: tuple[str, ...], begun: datetime) -> bool:
    """Whether a request was verified at the very instant at which the restriction began."""
    at = ledger_entry.c
    mine = sa.and_(at.tenant_id == snap.tenant_id, at.subject_ref.in_(group), at.kind == _VERIFIED)
    if begun in set(snap.connection.scalars(sa.select(at.at).where(mine))):
        return True
    named = store.page(
        snap.connection, snap.tenant_id, filters={"type": RESTRICTION}, subject_refs=group, limit=_MOST
    )
    return any(each.verified_at == begun for each in named)


def _last(snap: Snapshot, subject_ref: str, kind: str) -> datetime | None:
    at = ledger_entry.c
    found: datetime | None = snap.connection.scalar(
        sa.select(at.at)
        .where(at.tenant_id == snap.tenant_id, at.subject_ref == subject_ref, at.kind == kind)
        .order_by(at.position.desc())
        .limit(1)
    )
    return found
