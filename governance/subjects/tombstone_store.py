"""Statements about the hashes of erased persons."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.subjects.store import subject_tombstone


def add(connection: Connection, tenant_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember hashes of erased persons (`hash`, `type`, `subject_ref`, `since`); the latest fence counts."""
    known = matching(connection, tenant_id, [row["hash"] for row in rows])
    fresh = {row["hash"]: {"tenant_id": tenant_id, **row} for row in rows if row["hash"] not in known}
    if fresh:
        connection.execute(sa.insert(subject_tombstone), list(fresh.values()))
    for row in rows:
        if row["hash"] in known and known[row["hash"]][2] < row["since"]:
            mine = subject_tombstone.c.tenant_id == tenant_id, subject_tombstone.c.hash == row["hash"]
            values = {"subject_ref": row["subject_ref"], "since": row["since"]}
            connection.execute(sa.update(subject_tombstone).where(*mine).values(**values))


def any_there(connection: Connection, tenant_id: str) -> bool:
    """Whether anybody was ever erased here: spares the hashing of ids where nobody was."""
    of_tenant = sa.select(subject_tombstone.c.hash).where(subject_tombstone.c.tenant_id == tenant_id)
    return connection.execute(of_tenant.limit(1)).first() is not None


def matching(
    connection: Connection, tenant_id: str, hashes: Sequence[str]
) -> dict[str, tuple[str, str, datetime]]:
    """Those of the hashes that belong to erased persons: hash -> (type, whose it was, the fence)."""
    if not hashes:
        return {}
    row = subject_tombstone.c
    statement = sa.select(row.hash, row.type, row.subject_ref, row.since).where(
        row.tenant_id == tenant_id, row.hash.in_(hashes)
    )
    return {each.hash: (each.type, each.subject_ref, each.since) for each in connection.execute(statement)}


def of_person(connection: Connection, tenant_id: str, subject_ref: str) -> list[tuple[str, str]]:
    """What an erased person was known by: (hash, type)."""
    row = subject_tombstone.c
    statement = sa.select(row.hash, row.type).where(
        row.tenant_id == tenant_id, row.subject_ref == subject_ref
    )
    return [(each.hash, each.type) for each in connection.execute(statement.order_by(row.hash))]
