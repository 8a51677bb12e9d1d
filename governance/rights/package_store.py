"""Tables of the packages: when one was made, its sealed pieces, and the person's links to it."""

from collections.abc import Sequence
from dataclasses import dataclass
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

rights_package_link = sa.Table(
    "rights_package_link",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("link_id", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("package_of", sa.Text, nullable=False),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("used", sa.Boolean, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("rights_package_link_request", "tenant_id", "request_id"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a package. `request_id`: whose answer it belongs to; `package_of`: the request whose package
    it opens (a repeated request is answered with the package of the first). `ended_at`: when it was used up,
    or replaced by a newer one (`used` tells which).
    """

    link_id: str
    request_id: str
    package_of: str
    issued_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    used: bool
    event_id: str


def due(
    connection: Connection,
    tenant_id: str,
    waits_for: Sequence[str],
    types: Sequence[str],
    after: str,
    limit: int,
) -> list[str]:
    """Ids, after an id, of requests in progress that wait for their package, in order."""
    query = (
        sa.select(rights_request.c.request_id)
        .where(
            rights_request.c.tenant_id == tenant_id,
            rights_request.c.state == IN_PROGRESS,
            rights_request.c.type.in_(types),
            rights_request.c.waits_for.in_(waits_for),
            rights_request.c.request_id > after,
        )
        .order_by(rights_request.c.request_id)
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


_LINK = [rights_package_link.c[name] for name in Link.__slots__]


def add_link(connection: Connection, tenant_id: str, new: Link) -> None:
    """Insert a link."""
    values = {name: getattr(new, name) for name in Link.__slots__}
    connection.execute(sa.insert(rights_package_link).values(tenant_id=tenant_id, **values))


def link(connection: Connection, tenant_id: str, link_id: str) -> Link | None:
    """The link of this id."""
    at = rights_package_link.c
    query = sa.select(*_LINK).where(at.tenant_id == tenant_id, at.link_id == link_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Link(*row)


def newest_link(connection: Connection, tenant_id: str, request_id: str) -> Link | None:
    """The link that was issued last for a request."""
    at = rights_package_link.c
    query = (
        sa.select(*_LINK)
        .where(at.tenant_id == tenant_id, at.request_id == request_id)
        .order_by(at.issued_at.desc(), at.link_id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Link(*row)


def use_link(connection: Connection, tenant_id: str, link_id: str, now: datetime) -> bool:
    """Use a link up; False if it was used up or replaced already."""
    at = rights_package_link.c
    done = connection.execute(
        sa.update(rights_package_link)
        .where(at.tenant_id == tenant_id, at.link_id == link_id, at.ended_at.is_(None), at.expires_at > now)
        .values(ended_at=now, used=True)
    )
    return done.rowcount == 1


def end_links(connection: Connection, tenant_id: str, request_id: str, now: datetime) -> None:
    """Let the links of a request open nothing any more."""
    at = rights_package_link.c
    connection.execute(
        sa.update(rights_package_link)
        .where(at.tenant_id == tenant_id, at.request_id == request_id, at.ended_at.is_(None))
        .values(ended_at=now)
    )
