"""Statements about registered records, one and many."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import is_sqlite
from governance.retention.model import Record
from governance.retention.store import RECORD, governed_record
from governance.subjects.store import subject

_KEY = ("tenant_id", "system", "record_id")


def find_many(
    connection: Connection, tenant_id: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Record]:
    """The registered records of these (system, record id), by that key."""
    found: dict[tuple[str, str], Record] = {}
    for system in sorted({system for system, _ in keys}):
        ids = [record_id for each, record_id in keys if each == system]
        rows = connection.execute(
            sa.select(*RECORD).where(
                governed_record.c.tenant_id == tenant_id,
                governed_record.c.system == system,
                governed_record.c.record_id.in_(ids),
            )
        )
        found.update({(row.system, row.record_id): Record(*row) for row in rows})
    return found


def put_many(
    connection: Connection, tenant_id: str, records: Iterable[Record], now: Any, event_id: str
) -> None:
    """Write records over what is there."""
    rows = [
        {
            "tenant_id": tenant_id,
            **{name: getattr(each, name) for name in Record.__slots__},
            "registered_at": now,
            "event_id": event_id,
        }
        for each in records
    ]
    connection.execute(_UPSERT_SQLITE if is_sqlite(connection) else _UPSERT_POSTGRESQL, rows)


def remove(connection: Connection, tenant_id: str, system: str, record_id: str) -> bool:
    """Forget a record; whether it was there."""
    gone = connection.execute(
        sa.delete(governed_record).where(
            governed_record.c.tenant_id == tenant_id,
            governed_record.c.system == system,
            governed_record.c.record_id == record_id,
        )
    )
    return gone.rowcount == 1


def set_free(connection: Connection, tenant_id: str, system: str, record_id: str) -> None:
    """Make a record nobody's."""
    connection.execute(
        sa.update(governed_record)
        .where(
            governed_record.c.tenant_id == tenant_id,
            governed_record.c.system == system,
            governed_record.c.record_id == record_id,
        )
        .values(subject_ref=None)
    )


def people(connection: Connection, tenant_id: str, external_ids: Iterable[str]) -> dict[str, str]:
    """The references of people by the CRM's id; of those merged away, the survivor's."""
    rows = connection.execute(
        sa.select(subject.c.external_id, subject.c.subject_ref, subject.c.merged_into).where(
            subject.c.tenant_id == tenant_id, subject.c.external_id.in_(list(external_ids))
        )
    )
    return {row.external_id: row.merged_into or row.subject_ref for row in rows}


def of_subjects(
    connection: Connection, tenant_id: str, subject_refs: Sequence[str], data_class: str | None = None
) -> list[Record]:
    """The registered records of a person, of one class or all."""
    query = sa.select(*RECORD).where(
        governed_record.c.tenant_id == tenant_id, governed_record.c.subject_ref.in_(list(subject_refs))
    )
    if data_class is not None:
        query = query.where(governed_record.c.data_class == data_class)
    rows = connection.execute(query.order_by(governed_record.c.system, governed_record.c.record_id))
    return [Record(*row) for row in rows]


def count(connection: Connection, tenant_id: str, most: int) -> int:
    """How many records are registered, counted no further than `most`."""
    some = sa.select(governed_record.c.record_id).where(governed_record.c.tenant_id == tenant_id).limit(most)
    found: int = connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
    return found


def _upsert(statement: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    said = [column.name for column in governed_record.c if column.name not in _KEY]
    return statement.on_conflict_do_update(
        index_elements=_KEY, set_={name: statement.excluded[name] for name in said}
    )


_UPSERT_SQLITE = _upsert(sqlite.insert(governed_record))
_UPSERT_POSTGRESQL = _upsert(postgresql.insert(governed_record))
