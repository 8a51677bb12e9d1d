"""The check of the people from inside: nobody without an event in the ledger, and nobody lost."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.ledger.store import ledger_entry
from governance.subjects.store import subject

MAX_PROBLEMS = 100


def check(connection: Connection, tenant_id: str) -> list[str]:
    """Give every disagreement as a sentence, at most 100; sentences name references, never values."""
    created = (ledger_entry.c.tenant_id == tenant_id) & (ledger_entry.c.kind == "subject.created")
    same = subject.c.subject_ref == ledger_entry.c.subject_ref
    told = sa.select(ledger_entry.c.position).where(created, same).exists()
    there = sa.select(subject.c.subject_ref).where(subject.c.tenant_id == tenant_id, same).exists()
    unknown = sa.select(subject.c.subject_ref).where(subject.c.tenant_id == tenant_id, ~told)
    lost = sa.select(ledger_entry.c.subject_ref).where(created, ~there)
    return [
        *(f"{ref}: the person is not in the ledger." for ref in _first(connection, unknown)),
        *(f"{ref}: the person is in the ledger and nowhere else." for ref in _first(connection, lost)),
    ][:MAX_PROBLEMS]


def _first(connection: Connection, which: sa.Select[tuple[str]]) -> list[str]:
    return list(connection.scalars(which.limit(MAX_PROBLEMS)))
