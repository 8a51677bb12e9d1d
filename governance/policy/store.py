"""Tables of the policy room: documents by digest (of no tenant), versions and the active digest."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from governance.database import Instant, is_sqlite, metadata

policy_document = sa.Table(
    "policy_document",
    metadata,
    # Content-addressed and the same for every tenant: the digest is the SHA-256 of the text.
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("text", sa.LargeBinary, nullable=False),
)

policy_version = sa.Table(
    "policy_version",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, sa.ForeignKey("policy_document.digest"), nullable=False),
    sa.Column("adopted_at", Instant, nullable=False),
    sa.Column("adopted_by", sa.Text, nullable=False),
)

policy_active = sa.Table(
    "policy_active",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, sa.ForeignKey("policy_document.digest"), nullable=False),
    sa.Column("since", Instant, nullable=False),
)

_ACTIVE = sa.select(policy_active.c.digest).where(policy_active.c.tenant_id == sa.bindparam("tenant"))
_DOCUMENT = sa.select(policy_document.c.text).where(policy_document.c.digest == sa.bindparam("digest"))


def keep_document(connection: Connection, digest: str, text: bytes) -> None:
    """Store a document unless it is there already."""
    insert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    connection.execute(insert(policy_document).values(digest=digest, text=text).on_conflict_do_nothing())


def document(connection: Connection, digest: str) -> bytes | None:
    """Give the canonical text of a digest, None if it is not stored."""
    text: bytes | None = connection.execute(_DOCUMENT, {"digest": digest}).scalar_one_or_none()
    return text


def add_version(connection: Connection, values: dict[str, object]) -> None:
    """Add a row of `policy_version`; `values` are its columns."""
    connection.execute(sa.insert(policy_version).values(values))


def activate(connection: Connection, values: dict[str, object]) -> None:
    """Make a digest the active one of a tenant; `values` are the columns of `policy_active`."""
    insert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    connection.execute(
        insert(policy_active)
        .values(values)
        .on_conflict_do_update(
            index_elements=["tenant_id"], set_={"digest": values["digest"], "since": values["since"]}
        )
    )


def active_digest(connection: Connection, tenant_id: str) -> str | None:
    """Give the active digest of a tenant in this snapshot, None before the first adoption."""
    digest: str | None = connection.execute(_ACTIVE, {"tenant": tenant_id}).scalar_one_or_none()
    return digest


def versions(connection: Connection, tenant_id: str) -> list[tuple[str, object, str, str]]:
    """Give (digest, adopted_at, adopted_by, event_id) of all adoptions of a tenant, newest first."""
    rows = connection.execute(
        sa.select(
            policy_version.c.digest,
            policy_version.c.adopted_at,
            policy_version.c.adopted_by,
            policy_version.c.event_id,
        )
        .where(policy_version.c.tenant_id == tenant_id)
        .order_by(policy_version.c.adopted_at.desc(), policy_version.c.event_id.desc())
    )
    return [(row.digest, row.adopted_at, row.adopted_by, row.event_id) for row in rows]
