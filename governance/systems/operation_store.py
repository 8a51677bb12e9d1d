"""Statements about operations: what was asked of systems, and how it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import is_sqlite
from governance.systems.model import WAITING
from governance.systems.store import system_operation as operation


@dataclass(frozen=True, slots=True)
class Record:
    """An operation as kept. `status` is `started`, `waiting`, `done` or `failed`."""

    operation_id: str
    system_id: str
    verb: str
    asked_sha256: str
    subject_ref: str
    status: str
    remembered: Sequence[Mapping[str, Any]]
    outcome: Mapping[str, Any] | None
    reference: str | None
    check_after: datetime | None
    items_sealed: bytes | None
    attempts: int


_COLUMNS = [operation.c[name] for name in Record.__slots__]


def find(connection: Connection, tenant_id: str, operation_id: str, *, lock: bool = False) -> Record | None:
    """The operation of this id; `lock` holds it until the transaction ends."""
    query = sa.select(*_COLUMNS).where(
        operation.c.tenant_id == tenant_id, operation.c.operation_id == operation_id
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Record(*row)


def by_reference(connection: Connection, tenant_id: str, system_id: str, reference: str) -> Record | None:
    """The waiting or finished operation that a far side names by its reference."""
    query = sa.select(*_COLUMNS).where(
        operation.c.tenant_id == tenant_id,
        operation.c.system_id == system_id,
        operation.c.reference == reference,
    )
    row = connection.execute(query.with_for_update()).first()
    return None if row is None else Record(*row)


def due(connection: Connection, tenant_id: str, now: datetime, limit: int) -> list[str]:
    """Waiting operations whose time to be followed up has come, the oldest first."""
    query = (
        sa.select(operation.c.operation_id)
        .where(
            operation.c.tenant_id == tenant_id,
            operation.c.status == WAITING,
            operation.c.check_after <= now,
        )
        .order_by(operation.c.check_after)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def open_of(connection: Connection, tenant_id: str, system_id: str) -> list[str]:
    """Ids of what a system was asked and has not answered for good."""
    rows = connection.execute(
        sa.select(operation.c.operation_id)
        .where(
            operation.c.tenant_id == tenant_id,
            operation.c.system_id == system_id,
            operation.c.status.in_((WAITING, "started")),
        )
        .order_by(operation.c.operation_id)
    )
    return list(rows.scalars())


def begin(connection: Connection, tenant_id: str, new: Record, now: datetime) -> bool:
    """Insert an operation; False if it is there already."""
    values = {name: getattr(new, name) for name in Record.__slots__}
    values |= {"tenant_id": tenant_id, "created_at": now, "updated_at": now}
    dialect = sqlite if is_sqlite(connection) else postgresql
    insert = dialect.insert(operation).values(values).on_conflict_do_nothing()
    return connection.execute(insert.returning(operation.c.operation_id)).first() is not None


def change(
    connection: Connection, tenant_id: str, operation_id: str, now: datetime, values: Mapping[str, Any]
) -> None:
    """Write how an operation stands."""
    connection.execute(
        sa.update(operation)
        .where(operation.c.tenant_id == tenant_id, operation.c.operation_id == operation_id)
        .values(updated_at=now, **values)
    )
