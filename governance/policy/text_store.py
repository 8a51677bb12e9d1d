"""The table of texts: policy files as somebody wrote them, comments and lines included, by what they say."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from governance.database import is_sqlite, metadata

policy_text = sa.Table(
    "policy_text",
    metadata,
    # Of a tenant, unlike `policy_document`: what somebody wrote in a comment is nobody else's business.
    sa.Column("tenant_id", sa.Text, primary_key=True),
    # SHA-256 of the canonical form of the one file.
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)


def keep(connection: Connection, tenant_id: str, texts: Mapping[str, str], event_id: str) -> None:
    """Keep texts by the digest of what they say; the newest text that says the same stays."""
    insert = sqlite_insert if is_sqlite(connection) else postgresql_insert
    query = insert(policy_text)
    query = query.on_conflict_do_update(
        index_elements=["tenant_id", "digest"],
        set_={"text": query.excluded.text, "event_id": query.excluded.event_id},
    )
    rows = [
        {"tenant_id": tenant_id, "digest": digest, "text": text, "event_id": event_id}
        for digest, text in texts.items()
    ]
    if rows:
        connection.execute(query, rows)


def find(connection: Connection, tenant_id: str, digests: Collection[str]) -> dict[str, str]:
    """The texts of these digests that are kept."""
    query = sa.select(policy_text.c.digest, policy_text.c.text).where(
        policy_text.c.tenant_id == tenant_id, policy_text.c.digest.in_(list(digests))
    )
    return dict(tuple(row) for row in connection.execute(query))
