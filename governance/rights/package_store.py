"""Tables of the packages: when one was made, and its sealed pieces."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, metadata
from governance.rights.model import IN_PROGRESS
from governance.rights.tables import rights_request

rights_package = sa.Table(
    "rights_package",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Index("rights_package_made", "tenant_id", "made_at"),
)

rights_package_piece = sa.Table(
    "rights_package_piece",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)


def due(
    connection: Connection, tenant_id: str, waits_for: Sequence[str], types: Sequence[str], limit: int
) -> list[str]:
    """Ids of requests in progress that wait for their package."""
    query = (
        sa.select(rights_request.c.request_id)
        .where(
            rights_request.c.tenant_id == tenant_id,
            rights_request.c.state == IN_PROGRESS,
            rights_request.c.type.in_(types),
            rights_request.c.waits_for.in_(waits_for),
        )
        .order_by(rights_request.c.due_at)
        .limit(limit)
    )
    return list(connection.scalars(query))


def put(
    connection: Connection, tenant_id: str, request_id: str, made_at: datetime, pieces: Sequence[bytes]
) -> None:
    """Keep a package in place of any earlier one."""
    remove(connection, tenant_id, request_id)
    key = {"tenant_id": tenant_id, "request_id": request_id}
    connection.execute(sa.insert(rights_package), {**key, "made_at": made_at})
    rows = [{**key, "number": number, "sealed": piece} for number, piece in enumerate(pieces)]
    connection.execute(sa.insert(rights_package_piece), rows)


def remove(connection: Connection, tenant_id: str, request_id: str) -> None:
    """Drop a package."""
    for table in (rights_package_piece, rights_package):
        connection.execute(
            sa.delete(table).where(table.c.tenant_id == tenant_id, table.c.request_id == request_id)
        )


def made_at(connection: Connection, tenant_id: str, request_id: str) -> datetime | None:
    """When the package was made, if there is one."""
    found: datetime | None = connection.scalar(
        sa.select(rights_package.c.made_at).where(
            rights_package.c.tenant_id == tenant_id, rights_package.c.request_id == request_id
        )
    )
    return found


def made_before(connection: Connection, tenant_id: str, instant: datetime, limit: int) -> list[str]:
    """Requests whose package was made before an instant."""
    query = (
        sa.select(rights_package.c.request_id)
        .where(rights_package.c.tenant_id == tenant_id, rights_package.c.made_at <= instant)
        .limit(limit)
    )
    return list(connection.scalars(query))


def pieces(connection: Connection, tenant_id: str, request_id: str) -> list[tuple[int, bytes]]:
    """The pieces of a package, in order."""
    query = (
        sa.select(rights_package_piece.c.number, rights_package_piece.c.sealed)
        .where(rights_package_piece.c.tenant_id == tenant_id, rights_package_piece.c.request_id == request_id)
        .order_by(rights_package_piece.c.number)
    )
    return [(row.number, row.sealed) for row in connection.execute(query)]
