"""Every row of one tenant, in whichever store it lies: read, counted, deleted."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance import tables
from governance.database import metadata
from governance.decisions.store import decision_log_metadata
from governance.vault.keyring import WRAPPED_BYTES, keyring_metadata

__all__ = ["tables"]

KEPT = frozenset({"tenant", "tenant_deletion"})
"""Tables of tenants that outlive the rest: the tenant's own row goes last, its deletion stays."""

_BATCH = 1000


def main_tables() -> list[sa.Table]:
    """The tables of the main database with rows of tenants, those that are referred to first."""
    return [each for each in metadata.sorted_tables if "tenant_id" in each.c and each.name not in KEPT]


def log_tables() -> list[sa.Table]:
    """The tables of the decision log with rows of tenants."""
    return [each for each in decision_log_metadata.sorted_tables if "tenant_id" in each.c]


def key_tables() -> list[sa.Table]:
    """The tables of the keyring with rows of tenants."""
    return [each for each in keyring_metadata.sorted_tables if "tenant_id" in each.c]


def counts(connection: Connection, which: list[sa.Table], tenant_id: str) -> dict[str, int]:
    """How many rows a tenant has in each table; tables without any are left out."""
    found: dict[str, int] = {}
    for table in which:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.tenant_id == tenant_id)
        number = connection.scalar(query) or 0
        if number:
            found[table.name] = number
    return found


def rows(connection: Connection, table: sa.Table, tenant_id: str) -> Iterator[Mapping[str, object]]:
    """The rows of a tenant in one table, in the order of the key, never all of them in memory."""
    query = sa.select(table).where(table.c.tenant_id == tenant_id).order_by(*table.primary_key.columns)
    result = connection.execute(query, execution_options={"yield_per": _BATCH})
    for row in result.mappings():
        yield dict(row)


def delete(connection: Connection, table: sa.Table, tenant_id: str) -> int:
    """Delete the rows of a tenant in one table; keys are overwritten first."""
    if "wrapped" in table.c:
        blank = sa.update(table).where(table.c.tenant_id == tenant_id)
        connection.execute(blank.values(wrapped=bytes(WRAPPED_BYTES)))
    done = connection.execute(sa.delete(table).where(table.c.tenant_id == tenant_id))
    return int(done.rowcount)
