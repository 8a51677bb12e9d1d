"""The table of shadows: drafts that are decided beside what is in force, and how far that has come."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, metadata

policy_shadow = sa.Table(
    "policy_shadow",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("pack", sa.Text, primary_key=True),
    sa.Column("draft", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, sa.ForeignKey("policy_document.digest"), nullable=False),
    # running, ended, stopped, failed
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("stopped_at", Instant),
    # The last decision that was taken, and the instant up to which all were.
    sa.Column("cursor", sa.Text, nullable=False),
    sa.Column("counted_until", Instant),
    sa.Column("counts", Json, nullable=False),
    sa.Column("because", sa.Text),
    sa.Column("event_id", sa.Text, nullable=False),
)


def find(connection: Connection, tenant_id: str, pack: str) -> sa.RowMapping | None:
    """The newest shadow of a pack."""
    query = sa.select(policy_shadow).where(
        policy_shadow.c.tenant_id == tenant_id, policy_shadow.c.pack == pack
    )
    return connection.execute(query).mappings().one_or_none()


def running(connection: Connection, tenant_id: str) -> list[sa.RowMapping]:
    """All shadows that run, by pack."""
    query = (
        sa.select(policy_shadow)
        .where(policy_shadow.c.tenant_id == tenant_id, policy_shadow.c.state == "running")
        .order_by(policy_shadow.c.pack)
    )
    return list(connection.execute(query).mappings())


def put(connection: Connection, tenant_id: str, pack: str, values: dict[str, Any]) -> None:
    """Write a shadow in place of the one before; `values` are its columns."""
    connection.execute(
        sa.delete(policy_shadow).where(policy_shadow.c.tenant_id == tenant_id, policy_shadow.c.pack == pack)
    )
    row = {"tenant_id": tenant_id, "pack": pack, **values}
    connection.execute(sa.insert(policy_shadow).values(row))


def update(connection: Connection, tenant_id: str, pack: str, event_id: str, values: dict[str, Any]) -> None:
    """Change columns of the shadow that this event began, unless another has taken its place."""
    connection.execute(
        sa.update(policy_shadow)
        .where(
            policy_shadow.c.tenant_id == tenant_id,
            policy_shadow.c.pack == pack,
            policy_shadow.c.event_id == event_id,
            policy_shadow.c.state == "running",
        )
        .values(values)
    )
