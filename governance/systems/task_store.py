"""Statements about tasks for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.systems.store import system_task

OPEN = "open"
DONE = "done"
DROPPED = "dropped"
STATES = (OPEN, DONE, DROPPED)
"""`dropped`: what it was for has ended in another way, so nobody needs to do it any more."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a person must do, without who is meant. `owner` and `done_by` are opaque ids."""

    task_id: str
    operation_id: str
    system_id: str
    verb: str
    subject_ref: str
    owner: str
    state: str
    due_at: datetime
    created_at: datetime
    done_at: datetime | None
    done_by: str | None


_COLUMNS = [system_task.c[name] for name in Task.__slots__]


def add(connection: Connection, tenant_id: str, task: Task, instructions: bytes, event_id: str) -> None:
    """Insert a task."""
    values = {name: getattr(task, name) for name in Task.__slots__}
    values |= {"tenant_id": tenant_id, "instructions_sealed": instructions, "event_id": event_id}
    connection.execute(sa.insert(system_task).values(values))


def find(connection: Connection, tenant_id: str, task_id: str, *, lock: bool = False) -> Task | None:
    """The task of this id; `lock` holds it until the transaction ends."""
    query = sa.select(*_COLUMNS).where(system_task.c.tenant_id == tenant_id, system_task.c.task_id == task_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Task(*row)


def of_operation(connection: Connection, tenant_id: str, operation_id: str) -> Task | None:
    """The task that an operation made."""
    query = sa.select(*_COLUMNS).where(
        system_task.c.tenant_id == tenant_id, system_task.c.operation_id == operation_id
    )
    row = connection.execute(query).first()
    return None if row is None else Task(*row)


def open_within(connection: Connection, tenant_id: str, prefix: str) -> list[Task]:
    """The open tasks of operations whose ids begin so."""
    query = sa.select(*_COLUMNS).where(
        system_task.c.tenant_id == tenant_id,
        system_task.c.state == OPEN,
        system_task.c.operation_id.startswith(prefix, autoescape=True),
    )
    return [Task(*row) for row in connection.execute(query)]


def page(connection: Connection, tenant_id: str, state: str, after: str, limit: int) -> list[Task]:
    """Tasks in a state, in the order in which they were made."""
    query = (
        sa.select(*_COLUMNS)
        .where(
            system_task.c.tenant_id == tenant_id,
            system_task.c.state == state,
            system_task.c.task_id > after,
        )
        .order_by(system_task.c.task_id)
        .limit(limit)
    )
    return [Task(*row) for row in connection.execute(query)]


def sealed(connection: Connection, tenant_id: str, task_id: str) -> tuple[bytes, bytes | None]:
    """The sealed instructions and evidence of a task."""
    query = sa.select(system_task.c.instructions_sealed, system_task.c.evidence_sealed).where(
        system_task.c.tenant_id == tenant_id, system_task.c.task_id == task_id
    )
    row = connection.execute(query).one()
    return row.instructions_sealed, row.evidence_sealed


def change(connection: Connection, tenant_id: str, task_id: str, values: Mapping[str, Any]) -> None:
    """Write what changed of a task."""
    connection.execute(
        sa.update(system_task)
        .where(system_task.c.tenant_id == tenant_id, system_task.c.task_id == task_id)
        .values(**values)
    )
