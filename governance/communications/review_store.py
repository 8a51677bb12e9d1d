"""Table of what came in and must be read by people: the text sealed, with the day it must be read by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata

inbound_review = sa.Table(
    "inbound_review",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("review_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("key_ref", sa.Text, nullable=False),
    sa.Column("content_sealed", sa.LargeBinary),
    sa.Column("leaving", sa.Boolean, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("resolution", sa.Text),
    sa.Column("resolved_at", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("inbound_review_open", "tenant_id", "state", "review_id"),
)
"""`key_ref`: under whose key the content is sealed: the person's, or the review's own if none or several are
reached there. `state`: open | resolved; what is resolved has no content left."""


@dataclass(frozen=True, slots=True)
class StoredReview:
    """One row of the queue. `kind`: text | feedback. `leaving`: it sounds like leaving and is read first."""

    review_id: str
    kind: str
    channel: str
    key_ref: str
    content_sealed: bytes | None
    leaving: bool
    received_at: datetime
    due_at: datetime
    state: str
    resolution: str | None
    resolved_at: datetime | None
    event_id: str


_COLUMNS = [inbound_review.c[name] for name in StoredReview.__slots__]


def add(connection: Connection, tenant_id: str, new: StoredReview) -> None:
    """Insert what must be read."""
    values = {name: getattr(new, name) for name in StoredReview.__slots__}
    connection.execute(sa.insert(inbound_review), {"tenant_id": tenant_id, **values})


def find(connection: Connection, tenant_id: str, review_id: str) -> StoredReview | None:
    """The row of this id, locked where the database locks rows."""
    query = sa.select(*_COLUMNS).where(
        inbound_review.c.tenant_id == tenant_id, inbound_review.c.review_id == review_id
    )
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else StoredReview(*row)


def page(
    connection: Connection, tenant_id: str, *, state: str, after: str | None, limit: int
) -> list[StoredReview]:
    """Rows in this state, oldest first, later than the id `after`."""
    query = sa.select(*_COLUMNS).where(
        inbound_review.c.tenant_id == tenant_id, inbound_review.c.state == state
    )
    if after is not None:
        query = query.where(inbound_review.c.review_id > after)
    rows = connection.execute(query.order_by(inbound_review.c.review_id).limit(limit))
    return [StoredReview(*row) for row in rows]


def update(connection: Connection, tenant_id: str, review_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of one row."""
    connection.execute(
        sa.update(inbound_review)
        .where(inbound_review.c.tenant_id == tenant_id, inbound_review.c.review_id == review_id)
        .values(**values)
    )
