"""Table of the remembered keys: keyed hashes and ids only."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata
from governance.idempotency.model import Outcome

idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("key_mac", sa.Text, primary_key=True),
    sa.Column("request_mac", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("kept", Json, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Index("ix_idempotency_key_recorded", "tenant_id", "recorded_at"),
)


def try_lock(connection: Connection, key_mac: str) -> bool:
    """Take this key for the rest of the transaction; False if another transaction has it.

    SQLite has one writer at a time: whoever holds the transaction holds the key.
    """
    if is_sqlite(connection):
        return True
    number = int(key_mac[:16], 16) - 2**63
    return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(number))))


def find(connection: Connection, tenant_id: str, key_mac: str) -> tuple[str, Outcome] | None:
    """The request's fingerprint and the outcome under this key, if it was used."""
    row = connection.execute(
        sa.select(idempotency_key).where(
            idempotency_key.c.tenant_id == tenant_id, idempotency_key.c.key_mac == key_mac
        )
    ).one_or_none()
    return None if row is None else (row.request_mac, Outcome(row.status, row.kept, row.recorded_at))


def add(connection: Connection, tenant_id: str, key_mac: str, request_mac: str, outcome: Outcome) -> None:
    """Remember an outcome."""
    connection.execute(
        sa.insert(idempotency_key).values(
            tenant_id=tenant_id,
            key_mac=key_mac,
            request_mac=request_mac,
            status=outcome.status,
            kept=dict(outcome.kept),
            recorded_at=outcome.recorded_at,
        )
    )


def remove(connection: Connection, tenant_id: str, key_mac: str) -> None:
    """Forget one key."""
    connection.execute(
        sa.delete(idempotency_key).where(
            idempotency_key.c.tenant_id == tenant_id, idempotency_key.c.key_mac == key_mac
        )
    )


def sweep(connection: Connection, tenant_id: str, before: datetime) -> int:
    """Forget the keys recorded before this instant; how many."""
    done = connection.execute(
        sa.delete(idempotency_key).where(
            idempotency_key.c.tenant_id == tenant_id, idempotency_key.c.recorded_at < before
        )
    )
    return done.rowcount
