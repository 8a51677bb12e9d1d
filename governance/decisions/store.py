"""Tables of the decisions: those of acts in the main database, those of checks in the decision log's own."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, metadata

decision_log_metadata = sa.MetaData()
"""Every table of the decision log's database."""

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sa.Column("codes", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("caller_ref", sa.Text, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Index("decision_subject", "tenant_id", "subject_ref", "decision_id"),
    sqlite_with_rowid=False,
)
"""Decisions behind acts, kept in the act's own transaction."""

decision_seal = sa.Table(
    "decision_seal",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("sealed_at", Instant, nullable=False),
)
"""What the ledger was told of each batch of the log: number of rows and Merkle root (64 hex digits)."""

logged_decision = sa.Table(
    "logged_decision",
    decision_log_metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sa.Column("codes", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("caller_ref", sa.Text, nullable=False),
    sa.Column("body", sa.Text),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("batch_id", sa.Text),
    sa.Index("logged_decision_subject", "tenant_id", "subject_ref", "decision_id"),
    sa.Index(
        "logged_decision_open",
        "tenant_id",
        "decision_id",
        sqlite_where=sa.text("batch_id IS NULL"),
        postgresql_where=sa.text("batch_id IS NULL"),
    ),
    sqlite_with_rowid=False,
)
"""Decisions of checks. `commitment` is 32 bytes of HMAC-SHA-256 under `salt`.

Erasing empties row and salt.
"""

decision_batch = sa.Table(
    "decision_batch",
    decision_log_metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("closed_at", Instant, nullable=False),
    sa.Column("recorded", sa.Boolean, nullable=False),
)
"""Closed batches of the log. `recorded` once the ledger is known to hold the batch's root."""


_KEEP = sa.insert(decision)


def keep(connection: Connection, row: dict[str, Any]) -> None:
    """Insert the decision behind an act."""
    connection.execute(_KEEP, row)


def page(
    table: sa.Table,
    connection: Connection,
    tenant_id: str,
    *,
    subject_ref: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    allowed: bool | None = None,
    action: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Sequence[sa.RowMapping]:
    """Rows of `decision` or `logged_decision`, newest first, older than the id `after`.

    `until` is excluded.
    """
    query = sa.select(table).where(table.c.tenant_id == tenant_id)
    if subject_ref is not None:
        query = query.where(table.c.subject_ref == subject_ref)
    if since is not None:
        query = query.where(table.c.at >= since)
    if until is not None:
        query = query.where(table.c.at < until)
    if allowed is not None:
        query = query.where(table.c.allowed == allowed)
    if action is not None:
        query = query.where(table.c.action == action)
    if after is not None:
        query = query.where(table.c.decision_id < after)
    query = query.order_by(table.c.decision_id.desc()).limit(limit)
    return connection.execute(query).mappings().all()


def find(table: sa.Table, connection: Connection, tenant_id: str, decision_id: str) -> sa.RowMapping | None:
    """The row of this id in `decision` or `logged_decision`."""
    query = sa.select(table).where(table.c.tenant_id == tenant_id, table.c.decision_id == decision_id)
    return connection.execute(query).mappings().one_or_none()


def seals(connection: Connection, tenant_id: str) -> dict[str, tuple[int, str]]:
    """Batch id to (count, root) of everything that the ledger was told."""
    query = sa.select(decision_seal.c.batch_id, decision_seal.c.count, decision_seal.c.root)
    rows = connection.execute(query.where(decision_seal.c.tenant_id == tenant_id))
    return {batch_id: (count, root) for batch_id, count, root in rows}


def add_seal(connection: Connection, row: dict[str, Any]) -> None:
    """Insert what the ledger is told of a batch."""
    connection.execute(sa.insert(decision_seal), row)


def stream(
    table: sa.Table,
    connection: Connection,
    tenant_id: str,
    *,
    since: datetime | None,
    after: str | None,
    before: datetime | None,
    limit: int,
) -> Iterator[tuple[Any, ...]]:
    """(id, at, action, allowed, digest, body) of decisions, read from the database as they are taken.

    The newest first; the oldest first after the id `after`, if that is given. `body` is read from its JSON.
    """
    columns = (table.c.decision_id, table.c.at, table.c.action, table.c.allowed, table.c.digest, table.c.body)
    query = sa.select(*columns).where(table.c.tenant_id == tenant_id)
    if since is not None:
        query = query.where(table.c.at >= since)
    if before is not None:
        query = query.where(table.c.at < before)
    if after is None:
        query = query.order_by(table.c.decision_id.desc())
    else:
        query = query.where(table.c.decision_id > after).order_by(table.c.decision_id)
    rows = connection.execute(query.limit(limit).execution_options(yield_per=500))
    for decision_id, at, action, allowed, digest, body in rows:
        read = json.loads(body) if isinstance(body, str) else body
        yield decision_id, at, action, allowed, digest, read
