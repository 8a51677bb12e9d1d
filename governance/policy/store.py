"""Tables of the policy room: documents by digest (of no tenant), versions and the active digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata


@dataclass(frozen=True, slots=True)
class InForce:
    """What a tenant decides by since when, and what it will decide by from `next_at` on (None: nothing)."""

    digest: str
    since: datetime
    next_digest: str | None = None
    next_at: datetime | None = None
    next_proposal: str | None = None

    def is_due(self, now: datetime) -> bool:
        """Say whether what comes next has come at `now`."""
        return self.next_at is not None and self.next_at <= now

    def at(self, now: datetime) -> str:
        """Give the digest that decides at `now`."""
        return self.next_digest if self.next_digest is not None and self.is_due(now) else self.digest


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
    sa.Column("number", sa.Integer, nullable=False, server_default="0"),
    # `adopted` (from files), `activated` (a draft, by two persons), `rolled_back`.
    sa.Column("kind", sa.Text, nullable=False, server_default="adopted"),
    sa.Column("pack", sa.Text),
    sa.Column("before", sa.Text),
    sa.Column("proposal_id", sa.Text),
    sa.Column("proposed_by", sa.Text),
    sa.Column("notes", sa.Text),
    sa.Column("changes", Json),
    sa.Column("undone_by", sa.Text),
    sa.Column("reviewed_by", sa.Text),
    sa.Column("reviewed_at", Instant),
    sa.Column("review_note", sa.Text),
)

policy_active = sa.Table(
    "policy_active",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, sa.ForeignKey("policy_document.digest"), nullable=False),
    sa.Column("since", Instant, nullable=False),
    # What comes into force at an instant that was approved: every snapshot from then on decides by it.
    sa.Column("next_digest", sa.Text),
    sa.Column("next_at", Instant),
    sa.Column("next_proposal", sa.Text),
)

_ACTIVE = sa.select(
    policy_active.c.digest,
    policy_active.c.since,
    policy_active.c.next_digest,
    policy_active.c.next_at,
    policy_active.c.next_proposal,
).where(policy_active.c.tenant_id == sa.bindparam("tenant"))
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
    """Add a row of `policy_version` after all others; `values` are its columns without the number."""
    of_tenant = policy_version.c.tenant_id == values["tenant_id"]
    newest = connection.execute(sa.select(sa.func.max(policy_version.c.number)).where(of_tenant)).scalar()
    connection.execute(sa.insert(policy_version).values(number=(newest or 0) + 1, **values))


def activate(connection: Connection, values: dict[str, object]) -> None:
    """Make a digest the active one of a tenant; `values` are the columns of `policy_active`."""
    insert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    connection.execute(
        insert(policy_active)
        .values(values)
        .on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={
                "digest": values["digest"],
                "since": values["since"],
                "next_digest": None,
                "next_at": None,
                "next_proposal": None,
            },
        )
    )


def schedule(connection: Connection, tenant_id: str, next_digest: str | None, **values: object) -> None:
    """Say what comes into force next (`next_at`, `next_proposal`); None for nothing."""
    connection.execute(
        sa.update(policy_active)
        .where(policy_active.c.tenant_id == tenant_id)
        .values(next_digest=next_digest, **(values or {"next_at": None, "next_proposal": None}))
    )


def active_row(connection: Connection, tenant_id: str, *, lock: bool = False) -> InForce | None:
    """Give what is in force of a tenant and what comes next; `lock` holds off every other change of it."""
    query = _ACTIVE.with_for_update() if lock else _ACTIVE
    row = connection.execute(query, {"tenant": tenant_id}).one_or_none()
    return None if row is None else InForce(*row)


def active_digest(connection: Connection, tenant_id: str, now: datetime) -> str | None:
    """Give the active digest of a tenant in this snapshot at `now`, None before the first adoption."""
    row = active_row(connection, tenant_id)
    return None if row is None else row.at(now)


def versions(connection: Connection, tenant_id: str) -> Sequence[sa.RowMapping]:
    """Give the rows of everything that was ever in force of a tenant, newest first."""
    query = (
        sa.select(policy_version)
        .where(policy_version.c.tenant_id == tenant_id)
        .order_by(
            policy_version.c.number.desc(),
            policy_version.c.adopted_at.desc(),
            policy_version.c.event_id.desc(),
        )
    )
    return connection.execute(query).mappings().all()


def update_version(connection: Connection, tenant_id: str, event_id: str, values: dict[str, object]) -> None:
    """Change a row of `policy_version`: that it was undone or reviewed."""
    connection.execute(
        sa.update(policy_version)
        .where(policy_version.c.tenant_id == tenant_id, policy_version.c.event_id == event_id)
        .values(values)
    )
