"""Tables of the tenants. They stand outside row-level security: they hold ids and settings, no persons."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, Prepared, metadata
from governance.tenants.model import ACTIVE, ANYBODY, Deletion, Tenant

tenant = sa.Table(
    "tenant",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("ref", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("country", sa.Text),
    sa.Column("postal_address", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    # Codes with commas between, as every check reads them; null where none is declared.
    sa.Column("sectors", sa.Text),
    sa.Column("state", sa.Text, nullable=False, server_default=ACTIVE),
    sa.Column("state_since", Instant),
    # `registered`: only registered askers are answered; null: anybody whom a component names.
    sa.Column("askers", sa.Text),
)

tenant_deletion = sa.Table(
    "tenant_deletion",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("deletion_id", sa.Text, primary_key=True),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("grace_days", sa.Integer, nullable=False),
    sa.Column("approved_by", sa.Text),
    sa.Column("approved_at", Instant),
    sa.Column("due_at", Instant),
    sa.Column("deleted_at", Instant),
    sa.Column("rows", Json),
    sa.Column("checkpoint", sa.Text),
    sa.Column("certificate", sa.Text),
)

_STATE = Prepared(sa.select(tenant.c.state).where(tenant.c.tenant_id == sa.bindparam("tenant")))


def add(connection: Connection, new: Tenant) -> None:
    """Insert a tenant."""
    connection.execute(
        sa.insert(tenant).values(
            tenant_id=new.tenant_id,
            ref=new.ref,
            name=new.name,
            country=new.country,
            postal_address=new.postal_address,
            created_at=new.created_at,
            sectors=",".join(new.sectors) or None,
        )
    )


def state_of(connection: Connection, tenant_id: str) -> str | None:
    """The state of a tenant; None if there is none. Asked in every unit of work of the edge."""
    rows = _STATE.rows(connection, tenant=tenant_id)
    return rows[0][0] if rows else None


def first_instant(connection: Connection) -> datetime | None:
    """When the oldest tenant was made; None if there is none yet."""
    found: datetime | None = connection.scalar(
        sa.select(sa.type_coerce(sa.func.min(tenant.c.created_at), Instant))
    )
    return found


def set_state(connection: Connection, tenant_id: str, state: str, since: datetime) -> None:
    """Set the state of a tenant."""
    change = sa.update(tenant).where(tenant.c.tenant_id == tenant_id)
    connection.execute(change.values(state=state, state_since=since))


def remove(connection: Connection, tenant_id: str) -> None:
    """Take the tenant's own row away, as the last of all."""
    connection.execute(sa.delete(tenant).where(tenant.c.tenant_id == tenant_id))


def add_deletion(connection: Connection, new: Deletion) -> None:
    """Insert a deletion that was asked for."""
    connection.execute(sa.insert(tenant_deletion).values(asdict(new)))


def change_deletion(connection: Connection, tenant_id: str, deletion_id: str, **values: Any) -> None:
    """Change a deletion."""
    which = sa.update(tenant_deletion).where(
        tenant_deletion.c.tenant_id == tenant_id, tenant_deletion.c.deletion_id == deletion_id
    )
    connection.execute(which.values(**values))


def deletions(connection: Connection, tenant_id: str) -> list[Deletion]:
    """The deletions of a tenant, the newest first; also of one that is gone."""
    query = sa.select(tenant_deletion).where(tenant_deletion.c.tenant_id == tenant_id)
    rows = connection.execute(query.order_by(tenant_deletion.c.deletion_id.desc()))
    return [Deletion(**row._mapping) for row in rows]


def set_sectors(connection: Connection, tenant_id: str, sectors: Sequence[str]) -> None:
    """Set the declared sectors of a tenant."""
    change = sa.update(tenant).where(tenant.c.tenant_id == tenant_id)
    connection.execute(change.values(sectors=",".join(sectors) or None))


def set_askers(connection: Connection, tenant_id: str, askers: str) -> None:
    """Set on whose behalf may be asked."""
    change = sa.update(tenant).where(tenant.c.tenant_id == tenant_id)
    connection.execute(change.values(askers=None if askers == ANYBODY else askers))


def read_sectors(text: str | None) -> tuple[str, ...]:
    """Read the column `sectors`."""
    return tuple(text.split(",")) if text else ()


def find(connection: Connection, tenant_id: str) -> Tenant | None:
    """The tenant of this id, if there is one."""
    return _one(connection, tenant.c.tenant_id == tenant_id)


def find_by_ref(connection: Connection, ref: str) -> Tenant | None:
    """The tenant of this random name, if there is one."""
    return _one(connection, tenant.c.ref == ref)


def every(connection: Connection) -> list[Tenant]:
    """All tenants, by id."""
    return [_tenant(row) for row in connection.execute(sa.select(tenant).order_by(tenant.c.tenant_id))]


def _one(connection: Connection, which: sa.ColumnElement[bool]) -> Tenant | None:
    row = connection.execute(sa.select(tenant).where(which)).one_or_none()
    return None if row is None else _tenant(row)


def _tenant(row: sa.Row) -> Tenant:  # type: ignore[type-arg]  # rows of a Core table are untyped
    return Tenant(
        row.tenant_id,
        row.ref,
        row.name,
        row.country,
        row.postal_address,
        row.created_at,
        read_sectors(row.sectors),
        row.state,
        row.state_since,
        row.askers or ANYBODY,
    )
