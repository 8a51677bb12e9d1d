"""Tables of the purposes and capture points, and the statements about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata

purpose = sa.Table(
    "purpose",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("purpose_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)

capture_point = sa.Table(
    "capture_point",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("capture_point_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record: its id, its version (from 1) and what it says."""

    id: str
    version: int
    body: Mapping[str, Any]


def find(connection: Connection, tenant_id: str, table: sa.Table, record_id: str) -> Record | None:
    """The record of this id in `purpose` or `capture_point`."""
    row = connection.execute(
        _select(table).where(table.c.tenant_id == tenant_id, _id(table) == record_id)
    ).one_or_none()
    return None if row is None else Record(*row)


def every(connection: Connection, tenant_id: str, table: sa.Table) -> list[Record]:
    """All records of the tenant, by id."""
    rows = connection.execute(_select(table).where(table.c.tenant_id == tenant_id).order_by(_id(table)))
    return [Record(*row) for row in rows]


def write(
    connection: Connection,
    tenant_id: str,
    table: sa.Table,
    new: Record,
    *,
    at: datetime,
    event_id: str,
    **more: object,
) -> bool:
    """Insert version 1 or replace version `new.version - 1`; False if another writer was faster."""
    values = {"version": new.version, "body": dict(new.body), "updated_at": at, "event_id": event_id, **more}
    if new.version == 1:
        dialect = sqlite if is_sqlite(connection) else postgresql
        insert = dialect.insert(table).values({"tenant_id": tenant_id, _id(table).name: new.id, **values})
        return connection.execute(insert.on_conflict_do_nothing().returning(_id(table))).first() is not None
    which = (table.c.tenant_id == tenant_id, _id(table) == new.id, table.c.version == new.version - 1)
    return connection.execute(sa.update(table).where(*which).values(values)).rowcount == 1


def _id(table: sa.Table) -> sa.Column[Any]:
    return table.c.purpose_id if table is purpose else table.c.capture_point_id


def _select(table: sa.Table) -> sa.Select[Any]:
    return sa.select(_id(table), table.c.version, table.c.body)
