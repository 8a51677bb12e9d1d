"""The table of notices that a restriction is about to end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata

restriction_notice = sa.Table(
    "restriction_notice",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("notice_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("content_sealed", sa.LargeBinary, nullable=False),
    sa.Column("written_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("lifted_at", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("restriction_notice_subject", "tenant_id", "subject_ref", "notice_id"),
)
"""Letters that tell a person that the restriction is about to be lifted, sealed under the person's evidence
key. `lifted_at`: when that restriction ended; a later one has notices of its own."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as kept; its address and text are sealed."""

    notice_id: str
    subject_ref: str
    language: str
    content_sealed: bytes = field(repr=False)
    written_at: datetime
    sent_at: datetime | None
    lifted_at: datetime | None
    event_id: str


_COLUMNS = [restriction_notice.c[name] for name in Notice.__slots__]


def add(connection: Connection, tenant_id: str, notice: Notice) -> None:
    """Insert a notice."""
    values = {name: getattr(notice, name) for name in Notice.__slots__}
    connection.execute(sa.insert(restriction_notice).values(tenant_id=tenant_id, **values))


def of_subject(connection: Connection, tenant_id: str, subject_ref: str) -> list[Notice]:
    """The notices to a person, oldest first."""
    query = (
        sa.select(*_COLUMNS)
        .where(restriction_notice.c.tenant_id == tenant_id, restriction_notice.c.subject_ref == subject_ref)
        .order_by(restriction_notice.c.notice_id)
    )
    return [Notice(*row) for row in connection.execute(query)]


def change(connection: Connection, tenant_id: str, notice_id: str, values: Mapping[str, Any]) -> None:
    """Write what changed of a notice."""
    connection.execute(
        sa.update(restriction_notice)
        .where(restriction_notice.c.tenant_id == tenant_id, restriction_notice.c.notice_id == notice_id)
        .values(**values)
    )
