"""Tables of the connected systems, of what was asked of them, and of tasks for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata
from governance.systems.model import System

system = sa.Table(
    "system",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("system_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("country", sa.Text),
    sa.Column("processor", sa.Text),
    sa.Column("config", Json, nullable=False),
    sa.Column("data_classes", Json, nullable=False),
    sa.Column("depends_on", Json, nullable=False),
    sa.Column("secrets", Json, nullable=False),
    sa.Column("secrets_sealed", sa.LargeBinary),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("retired_at", Instant),
    sa.Column("retired_by", sa.Text),
    sa.Column("retired_because", sa.Text),
)
"""The systems. `secrets` names what is sealed in `secrets_sealed`, under the version that is stored."""

system_operation = sa.Table(
    "system_operation",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("operation_id", sa.Text, primary_key=True),
    sa.Column("system_id", sa.Text, nullable=False),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("asked_sha256", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("remembered", Json, nullable=False),
    sa.Column("outcome", Json),
    sa.Column("reference", sa.Text),
    sa.Column("check_after", Instant),
    sa.Column("items_sealed", sa.LargeBinary),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Index("system_operation_reference", "tenant_id", "system_id", "reference"),
    sa.Index("system_operation_status", "tenant_id", "status", "check_after"),
)
"""What was asked of systems: the same id has the same effect once. Outcomes count rows and name nobody."""

system_task = sa.Table(
    "system_task",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, primary_key=True),
    sa.Column("operation_id", sa.Text, nullable=False),
    sa.Column("system_id", sa.Text, nullable=False),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("instructions_sealed", sa.LargeBinary, nullable=False),
    sa.Column("evidence_sealed", sa.LargeBinary),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("done_at", Instant),
    sa.Column("done_by", sa.Text),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("system_task_state", "tenant_id", "state", "task_id"),
    sa.Index("system_task_operation", "tenant_id", "operation_id"),
)
"""What people do by hand. Who is meant, and what they show for it, is sealed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A system and its sealed secrets."""

    system: System
    secrets_sealed: bytes | None


_SYSTEM = [system.c[name] for name in System.__slots__]


def find(connection: Connection, tenant_id: str, system_id: str) -> Stored | None:
    """The system of this id."""
    query = sa.select(*_SYSTEM, system.c.secrets_sealed).where(
        system.c.tenant_id == tenant_id, system.c.system_id == system_id
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Stored(_system(row), row.secrets_sealed)


def every(connection: Connection, tenant_id: str) -> list[System]:
    """All systems, by id."""
    query = sa.select(*_SYSTEM).where(system.c.tenant_id == tenant_id).order_by(system.c.system_id)
    return [_system(row) for row in connection.execute(query)]


def write(connection: Connection, tenant_id: str, new: Stored, *, at: datetime, event_id: str) -> bool:
    """Insert version 1 or replace version `new.version - 1`; False if another writer was faster."""
    values = {name: _plain(getattr(new.system, name)) for name in System.__slots__}
    values |= {"secrets_sealed": new.secrets_sealed, "updated_at": at, "event_id": event_id}
    if new.system.version == 1:
        dialect = sqlite if is_sqlite(connection) else postgresql
        insert = dialect.insert(system).values(tenant_id=tenant_id, **values).on_conflict_do_nothing()
        return connection.execute(insert.returning(system.c.system_id)).first() is not None
    which = (
        system.c.tenant_id == tenant_id,
        system.c.system_id == new.system.system_id,
        system.c.version == new.system.version - 1,
    )
    return connection.execute(sa.update(system).where(*which).values(values)).rowcount == 1


def retire(connection: Connection, tenant_id: str, system_id: str, values: Mapping[str, Any]) -> None:
    """Write that a system is out of service; a new version brings it back."""
    which = system.c.tenant_id == tenant_id, system.c.system_id == system_id
    connection.execute(sa.update(system).where(*which).values(**values))


def _system(row: Any) -> System:
    values = {name: getattr(row, name) for name in System.__slots__}
    for name in ("data_classes", "depends_on", "secrets"):
        values[name] = tuple(values[name])
    return System(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
