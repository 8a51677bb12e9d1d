"""Tables of the tenants. They stand outside row-level security: they hold ids and settings, no persons."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata
from governance.tenants.model import Tenant

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
)


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


def set_sectors(connection: Connection, tenant_id: str, sectors: Sequence[str]) -> None:
    """Set the declared sectors of a tenant."""
    change = sa.update(tenant).where(tenant.c.tenant_id == tenant_id)
    connection.execute(change.values(sectors=",".join(sectors) or None))


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
    )
