"""Holds, runs and tasks that belong to some actors and are not finished."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.retention.model import ACTIVE
from governance.retention.run_store import retention_run
from governance.retention.store import legal_hold
from governance.systems.store import system_task
from governance.systems.task_store import OPEN


def active_holds(connection: Connection, tenant_id: str, refs: Collection[str]) -> list[tuple[str, datetime]]:
    """Holds in force that one of these placed: id and when."""
    table = legal_hold
    query = sa.select(table.c.hold_id, table.c.placed_at).where(
        table.c.tenant_id == tenant_id, table.c.state == ACTIVE, table.c.placed_by.in_(sorted(refs))
    )
    return [(row[0], row[1]) for row in connection.execute(query.order_by(table.c.hold_id))]


def waiting_runs(connection: Connection, tenant_id: str, refs: Collection[str]) -> list[tuple[str, datetime]]:
    """Retention runs that one of these started and that wait for an approval: id and when."""
    table = retention_run
    query = sa.select(table.c.run_id, table.c.created_at).where(
        table.c.tenant_id == tenant_id,
        table.c.started_by.in_(sorted(refs)),
        table.c.dry_run.is_(False),
        table.c.finished_at.is_(None),
        table.c.decided_by.is_(None),
    )
    return [(row[0], row[1]) for row in connection.execute(query.order_by(table.c.run_id))]


def open_tasks(
    connection: Connection, tenant_id: str, refs: Collection[str]
) -> list[tuple[str, str, datetime]]:
    """Open tasks of connected systems that belong to one of these: id, system, when due."""
    table = system_task
    query = sa.select(table.c.task_id, table.c.system_id, table.c.due_at).where(
        table.c.tenant_id == tenant_id, table.c.state == OPEN, table.c.owner.in_(sorted(refs))
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query.order_by(table.c.task_id))]
