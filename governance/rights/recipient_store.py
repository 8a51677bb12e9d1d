"""Tables of who is told: one row for each system and person, and what was put right, sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata
from governance.rights.model import IN_PROGRESS
from governance.rights.tables import rights_request
from governance.systems.store import system_operation

PENDING, WAITING, DONE = "pending", "waiting", "done"
FAILED, UNSUPPORTED = "failed", "unsupported"
IMPOSSIBLE, DROPPED = "impossible", "dropped"
STATES = (PENDING, WAITING, DONE, FAILED, UNSUPPORTED, IMPOSSIBLE, DROPPED)

rights_recipient = sa.Table(
    "rights_recipient",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("system_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("verb", sa.Text, primary_key=True),
    sa.Column("operation_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("rows_told", sa.Integer, nullable=False),
    sa.Column("noted_by", sa.Text),
    sa.Column("next_at", Instant),
    sa.Column("answered_at", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("rights_recipient_due", "tenant_id", "next_at"),
    sa.Index("rights_recipient_subject", "tenant_id", "subject_ref"),
)

rights_correction = sa.Table(
    "rights_correction",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("changes_sealed", sa.LargeBinary),
    sa.Column("decided_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A system that is told of a correction or restriction. `status` is one of STATES.

    `because` names nobody; `noted_by`: who noted the outcome by hand; `next_at`: when it is asked (again).
    """

    request_id: str
    system_id: str
    subject_ref: str
    verb: str
    operation_id: str
    status: str
    attempts: int
    because: str
    rows_told: int
    noted_by: str | None
    next_at: datetime | None
    answered_at: datetime | None
    event_id: str


_COLUMNS = [rights_recipient.c[name] for name in Recipient.__slots__]
_AT = rights_recipient.c


def _is(each: Recipient) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _AT.request_id == each.request_id,
        _AT.system_id == each.system_id,
        _AT.subject_ref == each.subject_ref,
        _AT.verb == each.verb,
    )


def add(connection: Connection, tenant_id: str, new: Sequence[Recipient]) -> None:
    """Insert rows."""
    rows = [{name: getattr(each, name) for name in Recipient.__slots__} for each in new]
    if rows:
        connection.execute(sa.insert(rights_recipient), [{"tenant_id": tenant_id, **row} for row in rows])


def again(connection: Connection, tenant_id: str, each: Recipient) -> Recipient | None:
    """The row as it is now, locked until the transaction ends."""
    query = sa.select(*_COLUMNS).where(_AT.tenant_id == tenant_id, *_is(each)).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else Recipient(*row)


def of_request(connection: Connection, tenant_id: str, request_id: str) -> list[Recipient]:
    """Who is told because of a request."""
    query = (
        sa.select(*_COLUMNS)
        .where(_AT.tenant_id == tenant_id, _AT.request_id == request_id)
        .order_by(_AT.system_id, _AT.subject_ref, _AT.verb)
    )
    return [Recipient(*row) for row in connection.execute(query)]


def of_subject(connection: Connection, tenant_id: str, subject_ref: str, verb: str) -> list[Recipient]:
    """Where a person's data was to be marked, by whatever request."""
    query = sa.select(*_COLUMNS).where(
        _AT.tenant_id == tenant_id, _AT.subject_ref == subject_ref, _AT.verb == verb
    )
    return [Recipient(*row) for row in connection.execute(query)]


def change(connection: Connection, tenant_id: str, each: Recipient, values: Mapping[str, Any]) -> None:
    """Write how a row stands."""
    connection.execute(
        sa.update(rights_recipient).where(_AT.tenant_id == tenant_id, *_is(each)).values(**values)
    )


def due(
    connection: Connection, tenant_id: str, now: datetime, after: Recipient | None, limit: int
) -> list[Recipient]:
    """Rows, after one, whose time has come or whose system has reported meanwhile, the oldest first."""
    asked, order = system_operation.c, (_AT.next_at, _AT.request_id, _AT.system_id, _AT.subject_ref, _AT.verb)
    reported = (
        sa.select(asked.operation_id)
        .where(
            asked.tenant_id == tenant_id,
            asked.operation_id == _AT.operation_id,
            asked.status.in_(("done", "failed")),
        )
        .exists()
    )
    query = (
        sa.select(*_COLUMNS)
        .where(
            _AT.tenant_id == tenant_id,
            _AT.status.in_((PENDING, WAITING)),
            sa.or_(_AT.next_at <= now, sa.and_(_AT.status == WAITING, reported)),
        )
        .order_by(*order)
        .limit(limit)
    )
    if after is not None:
        last = (after.next_at, after.request_id, after.system_id, after.subject_ref, after.verb)
        query = query.where(sa.tuple_(*order) > last)
    return [Recipient(*row) for row in connection.execute(query)]


def open_requests(
    connection: Connection, tenant_id: str, waits_for: Sequence[str], after: str, limit: int
) -> list[str]:
    """Ids of requests in progress that wait for recipients, after an id, in order."""
    query = (
        sa.select(rights_request.c.request_id)
        .where(
            rights_request.c.tenant_id == tenant_id,
            rights_request.c.state == IN_PROGRESS,
            rights_request.c.waits_for.in_(waits_for),
            rights_request.c.request_id > after,
        )
        .order_by(rights_request.c.request_id)
        .limit(limit)
    )
    return list(connection.scalars(query))


def put_changes(
    connection: Connection, tenant_id: str, request_id: str, sealed: bytes, now: datetime, event_id: str
) -> None:
    """Keep what is put right, in place of what was kept."""
    values = {"changes_sealed": sealed, "decided_at": now, "event_id": event_id}
    at = (rights_correction.c.tenant_id == tenant_id, rights_correction.c.request_id == request_id)
    if connection.execute(sa.update(rights_correction).where(*at).values(values)).rowcount:
        return
    connection.execute(
        sa.insert(rights_correction).values(tenant_id=tenant_id, request_id=request_id, **values)
    )


def changes(connection: Connection, tenant_id: str, request_id: str) -> tuple[bytes | None] | None:
    """What is put right, sealed (None once it was forgotten); None if nothing was decided."""
    query = sa.select(rights_correction.c.changes_sealed).where(
        rights_correction.c.tenant_id == tenant_id, rights_correction.c.request_id == request_id
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.changes_sealed,)


def forget_changes(connection: Connection, tenant_id: str, request_id: str) -> None:
    """Take away what was put right; that something was stays."""
    connection.execute(
        sa.update(rights_correction)
        .where(rights_correction.c.tenant_id == tenant_id, rights_correction.c.request_id == request_id)
        .values(changes_sealed=None)
    )
