"""Tables of runs and dispositions, and the statements about runs: who works on one, and how far it came.

The lease (`owner`, `fence`, `lease_until`) and the progress are bookkeeping of work under way; a worker who
lost the lease cannot pass the fence.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, metadata

retention_run = sa.Table(
    "retention_run",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("evaluated_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("policy", sa.Text),
    sa.Column("tally", Json),
    sa.Column("before_run", sa.Text),
    sa.Column("diff", Json),
    sa.Column("within_limit", sa.Boolean),
    sa.Column("decided_by", sa.Text),
    sa.Column("decided_at", Instant),
    sa.Column("failure", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("progress", sa.BigInteger, nullable=False),
    sa.Column("cursor", Json),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("retention_run_status", "tenant_id", "status", "run_id"),
)

OPEN_STATES = ("proposed", "approved", "executing")

disposition = sa.Table(
    "disposition",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("disposition_id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text),
    sa.Column("data_class", sa.Text, nullable=False),
    sa.Column("demand", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("kept_until", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("because", sa.Text),
    sa.Column("sentence", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("rows_changed", sa.BigInteger),
    sa.Column("proposed_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("decided_by", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index(
        "disposition_open",
        "tenant_id",
        "system",
        "record_id",
        unique=True,
        sqlite_where=sa.text("state IN ('proposed', 'approved', 'executing')"),
        postgresql_where=sa.text("state IN ('proposed', 'approved', 'executing')"),
    ),
    sa.Index("disposition_state", "tenant_id", "state", "disposition_id"),
    sa.Index("disposition_run", "tenant_id", "run_id", "state"),
)
"""What is to become of a record, one at a time: `demand` is delete or review, `kept_until` an ISO day."""

LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 10
"""So often a run is taken up without getting any further; `cursor` remembers the fence that got so far."""


def add(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a run; `values` are its columns."""
    connection.execute(sa.insert(retention_run).values(fence=0, progress=0, **values))


def find(connection: Connection, tenant_id: str, run_id: str, *, lock: bool = False) -> sa.Row[Any] | None:
    """The run of this id; with `lock` nobody else changes it until the transaction ends."""
    query = sa.select(retention_run).where(_this(tenant_id, run_id))
    return connection.execute(query.with_for_update() if lock else query).one_or_none()


def listed(
    connection: Connection, tenant_id: str, *, before: str | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Runs, the newest first, with ids below `before`."""
    query = sa.select(retention_run).where(retention_run.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(retention_run.c.run_id < before)
    return connection.execute(query.order_by(retention_run.c.run_id.desc()).limit(limit)).all()


def newest_counted(connection: Connection, tenant_id: str, *, dry_only: bool = False) -> sa.Row[Any] | None:
    """The run that counted last; `dry_only`: the dry run."""
    query = sa.select(retention_run).where(
        retention_run.c.tenant_id == tenant_id, retention_run.c.evaluated_at.is_not(None)
    )
    if dry_only:
        query = query.where(retention_run.c.dry_run.is_(True))
    return connection.execute(
        query.order_by(retention_run.c.evaluated_at.desc(), retention_run.c.run_id.desc()).limit(1)
    ).one_or_none()


def unfinished_real(connection: Connection, tenant_id: str) -> str | None:
    """The real run that is queued, running, or waits for approval; one at a time."""
    found: str | None = connection.execute(
        sa.select(retention_run.c.run_id)
        .where(
            retention_run.c.tenant_id == tenant_id,
            retention_run.c.dry_run.is_(False),
            retention_run.c.status.in_(("queued", "approving", "awaiting_approval", "cancelling")),
        )
        .limit(1)
    ).scalar_one_or_none()
    return found


def due(connection: Connection, tenant_id: str, now: datetime) -> list[str]:
    """The runs that wait for a worker, oldest first."""
    rows = connection.execute(
        sa.select(retention_run.c.run_id)
        .where(
            retention_run.c.tenant_id == tenant_id,
            retention_run.c.status.in_(("queued", "approving", "cancelling")),
            sa.or_(retention_run.c.lease_until.is_(None), retention_run.c.lease_until <= now),
        )
        .order_by(retention_run.c.run_id)
    )
    return list(rows.scalars())


def claim(connection: Connection, tenant_id: str, run_id: str, owner: str, now: datetime) -> int | None:
    """Take the lease if it is free, and give its fence; None if somebody has it or nothing is left to do."""
    taken = connection.execute(
        sa.update(retention_run)
        .where(
            _this(tenant_id, run_id),
            retention_run.c.status.in_(("queued", "approving", "cancelling")),
            sa.or_(retention_run.c.lease_until.is_(None), retention_run.c.lease_until <= now),
        )
        .values(owner=owner, fence=retention_run.c.fence + 1, lease_until=now + LEASE)
    )
    if taken.rowcount != 1:
        return None
    fence: int = connection.execute(
        sa.select(retention_run.c.fence).where(_this(tenant_id, run_id))
    ).scalar_one()
    return fence


def advance(
    connection: Connection, tenant_id: str, run_id: str, fence: int, values: Mapping[str, Any]
) -> bool:
    """Write columns of a run that is ours; False if the lease was lost. Locks the row."""
    return (
        connection.execute(
            sa.update(retention_run)
            .where(_this(tenant_id, run_id), retention_run.c.fence == fence)
            .values(**values)
        ).rowcount
        == 1
    )


def update(connection: Connection, tenant_id: str, run_id: str, values: Mapping[str, Any]) -> None:
    """Write columns of a run, whoever works on it."""
    connection.execute(sa.update(retention_run).where(_this(tenant_id, run_id)).values(**values))


def _this(tenant_id: str, run_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(retention_run.c.tenant_id == tenant_id, retention_run.c.run_id == run_id)
