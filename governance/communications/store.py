"""Tables of the messages that were authorised and of what became of them: references only, never a body."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.messages import Message, MessageOutcome, RefusedRepeat
from governance.database import Instant, metadata
from governance.subjects.store import subject

message = sa.Table(
    "message",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("message_ref", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("point_ref", sa.Text),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("message_class", sa.Text, nullable=False),
    sa.Column("commercial", sa.Boolean, nullable=False),
    sa.Column("topic", sa.Text),
    sa.Column("campaign", sa.Text),
    sa.Column("screening_id", sa.Text),
    sa.Column("decision_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("hand_over_by", Instant, nullable=False),
    sa.Column("authorised_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant_id", "message_ref", name="message_ref"),
    sa.Index("message_subject", "tenant_id", "subject_ref", "message_ref"),
    sqlite_with_rowid=False,
)
"""One row for each `message_id` of the tenant; a repeat decides anew and counts once."""

message_outcome = sa.Table(
    "message_outcome",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("message_ref", sa.Text, primary_key=True),
    sa.Column("outcome_id", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("bounce", sa.Text),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

message_refusal = sa.Table(
    "message_refusal",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("message_ref", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, primary_key=True),
    sa.Column("refused_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""Repeats of a message that were refused; its own row stays, for it may have been handed over before."""

_MESSAGE = [message.c[name] for name in Message.__slots__]
_REFUSAL = [message_refusal.c[name] for name in RefusedRepeat.__slots__]
_OUTCOME = [message_outcome.c[name] for name in MessageOutcome.__slots__]
# Built once: every authorisation runs them.
_OF_TENANT = sa.select(*_MESSAGE).where(message.c.tenant_id == sa.bindparam("tenant"))
_BY_ID = _OF_TENANT.where(message.c.message_id == sa.bindparam("which"))
_BY_REF = _OF_TENANT.where(message.c.message_ref == sa.bindparam("which"))
_OF_GROUP = _OF_TENANT.where(
    message.c.message_id.in_(
        sa.select(sa.bindparam("screening") + "." + subject.c.subject_ref).where(
            subject.c.tenant_id == sa.bindparam("tenant"),
            sa.or_(
                subject.c.subject_ref == sa.bindparam("person"),
                subject.c.merged_into == sa.bindparam("person"),
            ),
        )
    )
).order_by(message.c.message_ref)
_ADD = sa.insert(message)


def add(connection: Connection, tenant_id: str, new: Message) -> None:
    """Insert an authorised message; IntegrityError if its `message_id` is taken."""
    values = {name: getattr(new, name) for name in Message.__slots__}
    connection.execute(_ADD, {"tenant_id": tenant_id, **values})


def update(connection: Connection, tenant_id: str, message_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of one message."""
    connection.execute(
        sa.update(message)
        .where(message.c.tenant_id == tenant_id, message.c.message_id == message_id)
        .values(**values)
    )


def find(connection: Connection, tenant_id: str, message_id: str) -> Message | None:
    """The message with this id of the caller's."""
    return _one(connection, _BY_ID, tenant_id, message_id)


def find_by_ref(connection: Connection, tenant_id: str, message_ref: str) -> Message | None:
    """The message with this reference of ours."""
    return _one(connection, _BY_REF, tenant_id, message_ref)


def find_of_group(
    connection: Connection, tenant_id: str, screening_id: str, subject_ref: str
) -> Message | None:
    """The first message that was authorised from a screening to a person or to whom was merged into them."""
    named = {"tenant": tenant_id, "screening": screening_id, "person": subject_ref}
    row = connection.execute(_OF_GROUP, named).first()
    return None if row is None else Message(*row)


def of_subjects(
    connection: Connection, tenant_id: str, subject_refs: Sequence[str], *, after: str | None, limit: int
) -> list[Message]:
    """Messages to these references, newest first, older than the reference `after`."""
    query = sa.select(*_MESSAGE).where(
        message.c.tenant_id == tenant_id, message.c.subject_ref.in_(subject_refs)
    )
    if after is not None:
        query = query.where(message.c.message_ref < after)
    return [
        Message(*row) for row in connection.execute(query.order_by(message.c.message_ref.desc()).limit(limit))
    ]


def add_outcome(connection: Connection, tenant_id: str, new: MessageOutcome) -> None:
    """Insert an outcome."""
    values = {name: getattr(new, name) for name in MessageOutcome.__slots__}
    connection.execute(sa.insert(message_outcome), {"tenant_id": tenant_id, **values})


def outcomes(connection: Connection, tenant_id: str, message_refs: Sequence[str]) -> list[MessageOutcome]:
    """What became of these messages, in the order in which it was recorded."""
    query = (
        sa.select(*_OUTCOME)
        .where(message_outcome.c.tenant_id == tenant_id, message_outcome.c.message_ref.in_(message_refs))
        .order_by(message_outcome.c.outcome_id)
    )
    return [MessageOutcome(*row) for row in connection.execute(query)]


def add_refusal(connection: Connection, tenant_id: str, new: RefusedRepeat) -> None:
    """Insert a repeat that was refused."""
    values = {name: getattr(new, name) for name in RefusedRepeat.__slots__}
    connection.execute(sa.insert(message_refusal), {"tenant_id": tenant_id, **values})


def refusals(connection: Connection, tenant_id: str, message_refs: Sequence[str]) -> list[RefusedRepeat]:
    """The repeats of these messages that were refused, oldest first."""
    query = (
        sa.select(*_REFUSAL)
        .where(message_refusal.c.tenant_id == tenant_id, message_refusal.c.message_ref.in_(message_refs))
        .order_by(message_refusal.c.decision_id)
    )
    return [RefusedRepeat(*row) for row in connection.execute(query)]


def _one(connection: Connection, query: sa.Select[Any], tenant_id: str, which: str) -> Message | None:
    row = connection.execute(query, {"tenant": tenant_id, "which": which}).one_or_none()
    return None if row is None else Message(*row)
