"""The table of overrides: exceptions from a forbid, for one person, by two people, for a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata

policy_override = sa.Table(
    "policy_override",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("override_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text),
    # requested, approved, refused, ended; an approved one ends by itself at `expires_at`
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", Instant),
    sa.Column("ended_by", sa.Text),
    sa.Column("ended_at", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("policy_override_state", "tenant_id", "state", "expires_at"),
)


def add(connection: Connection, values: dict[str, Any]) -> None:
    """Add a row of `policy_override`; `values` are its columns."""
    connection.execute(sa.insert(policy_override).values(values))


def find(
    connection: Connection, tenant_id: str, override_id: str, *, lock: bool = False
) -> sa.RowMapping | None:
    """The override of this id; `lock` holds off every other change of it."""
    query = sa.select(policy_override).where(
        policy_override.c.tenant_id == tenant_id, policy_override.c.override_id == override_id
    )
    return connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()


def update(connection: Connection, tenant_id: str, override_id: str, values: dict[str, Any]) -> None:
    """Change columns of an override."""
    connection.execute(
        sa.update(policy_override)
        .where(policy_override.c.tenant_id == tenant_id, policy_override.c.override_id == override_id)
        .values(values)
    )


def approved(connection: Connection, tenant_id: str, now: datetime) -> Sequence[sa.RowMapping]:
    """All overrides that are approved and not over at `now`."""
    query = sa.select(policy_override).where(
        policy_override.c.tenant_id == tenant_id,
        policy_override.c.state == "approved",
        policy_override.c.expires_at > now,
    )
    return connection.execute(query).mappings().all()


def listed(
    connection: Connection,
    tenant_id: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str = "",
    limit: int = 50,
) -> Sequence[sa.RowMapping]:
    """Overrides by id, those asked for from `since` up to `until` (not included)."""
    table = policy_override.c
    query = sa.select(policy_override).where(table.tenant_id == tenant_id, table.override_id > after)
    if since is not None:
        query = query.where(table.requested_at >= since)
    if until is not None:
        query = query.where(table.requested_at < until)
    return connection.execute(query.order_by(table.override_id).limit(limit)).mappings().all()
