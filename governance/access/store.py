"""Tables of the access gate: who may see what, their credentials, and grants behind broken glass."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.access.model import Record
from governance.database import Instant, Json, is_sqlite, metadata

access_record = sa.Table(
    "access_record",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""Roles, components, staff, fields of the tenant's own, compatibility assessments: opaque ids and codes."""

access_credential = sa.Table(
    "access_credential",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""Which component or member of staff a credential of the room `callers` belongs to."""

access_former_credential = sa.Table(
    "access_former_credential",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("until", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)
"""Whose a credential was before: who once held its secret may still know it."""

break_glass = sa.Table(
    "break_glass",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("grant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("asker_type", sa.Text, nullable=False),
    sa.Column("asker_id", sa.Text, nullable=False),
    sa.Column("opened_by", sa.Text, nullable=False),
    sa.Column("fields", Json, nullable=False),
    sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("review", sa.Text, nullable=False),
    sa.Column("reviewed_by", sa.Text),
    sa.Column("reviewed_at", Instant),
    sa.Column("note_sealed", sa.LargeBinary),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("break_glass_subject", "tenant_id", "subject_ref", "expires_at"),
    sa.Index("break_glass_review", "tenant_id", "review", "grant_id"),
)
"""Grants of a quarter of an hour, each with a reason and a review by another person."""


@dataclass(frozen=True, slots=True)
class Glass:
    """One grant behind broken glass, as it is kept."""

    grant_id: str
    subject_ref: str
    asker_type: str
    asker_id: str
    opened_by: str
    fields: tuple[str, ...]
    reason_sealed: bytes
    opened_at: datetime
    expires_at: datetime
    review: str
    reviewed_by: str | None
    reviewed_at: datetime | None
    note_sealed: bytes | None
    event_id: str


_RECORD = (
    access_record.c.kind,
    access_record.c.record_id,
    access_record.c.version,
    access_record.c.status,
    access_record.c.body,
    access_record.c.updated_at,
)
_GLASS = [break_glass.c[name] for name in Glass.__slots__]


def find(connection: Connection, tenant_id: str, kind: str, record_id: str) -> Record | None:
    """The record of this kind and id."""
    row = connection.execute(
        sa.select(*_RECORD).where(
            access_record.c.tenant_id == tenant_id,
            access_record.c.kind == kind,
            access_record.c.record_id == record_id,
        )
    ).one_or_none()
    return None if row is None else Record(*row)


def every(
    connection: Connection,
    tenant_id: str,
    kinds: Collection[str],
    *,
    after: str = "",
    limit: int | None = None,
    status: str | None = None,
) -> list[Record]:
    """Records of some kinds, by kind and id; `after` and `limit` page through those of a single kind."""
    query = sa.select(*_RECORD).where(
        access_record.c.tenant_id == tenant_id,
        access_record.c.kind.in_(sorted(kinds)),
        access_record.c.record_id > after,
    )
    if status is not None:
        query = query.where(access_record.c.status == status)
    rows = connection.execute(query.order_by(access_record.c.kind, access_record.c.record_id).limit(limit))
    return [Record(*row) for row in rows]


def has_any(connection: Connection, tenant_id: str, kind: str) -> bool:
    """Whether there is any record of this kind."""
    there = (access_record.c.tenant_id == tenant_id, access_record.c.kind == kind)
    return connection.execute(sa.select(sa.literal(1)).where(*there).limit(1)).first() is not None


def write(connection: Connection, tenant_id: str, new: Record, *, at: datetime, event_id: str) -> bool:
    """Insert version 1 or replace version `new.version - 1`; False if another writer was faster."""
    values = {
        "version": new.version,
        "status": new.status,
        "body": dict(new.body),
        "updated_at": at,
        "event_id": event_id,
    }
    if new.version == 1:
        dialect = sqlite if is_sqlite(connection) else postgresql
        insert = dialect.insert(access_record).values(
            tenant_id=tenant_id, kind=new.kind, record_id=new.id, **values
        )
        made = insert.on_conflict_do_nothing().returning(access_record.c.record_id)
        return connection.execute(made).first() is not None
    which = (
        access_record.c.tenant_id == tenant_id,
        access_record.c.kind == new.kind,
        access_record.c.record_id == new.id,
        access_record.c.version == new.version - 1,
    )
    return connection.execute(sa.update(access_record).where(*which).values(values)).rowcount == 1


def owner_of(connection: Connection, tenant_id: str, client_id: str) -> tuple[str, str] | None:
    """The kind and id of the record that a credential belongs to."""
    row = connection.execute(
        sa.select(access_credential.c.kind, access_credential.c.record_id).where(
            access_credential.c.tenant_id == tenant_id, access_credential.c.client_id == client_id
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def owners_ever(connection: Connection, tenant_id: str, client_id: str) -> set[tuple[str, str]]:
    """The kinds and ids of all records that a credential belongs to or did."""
    found = [
        sa.select(table.c.kind, table.c.record_id).where(
            table.c.tenant_id == tenant_id, table.c.client_id == client_id
        )
        for table in (access_credential, access_former_credential)
    ]
    return {(row[0], row[1]) for row in connection.execute(sa.union(*found))}


def queue(connection: Connection, tenant_id: str) -> None:
    """Let whoever changes who may what wait for this transaction: rules over all records are checked on what
    the one before has left. On SQLite every writer waits."""
    if not is_sqlite(connection):
        key = sa.func.hashtextextended(f"access:{tenant_id}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def set_credentials(
    connection: Connection,
    tenant_id: str,
    owner: tuple[str, str],
    client_ids: Collection[str],
    *,
    at: datetime,
    event_id: str,
) -> None:
    """Replace the credentials of a record (kind, id); a credential has one owner, former ones are kept."""
    now = access_credential.c
    theirs = (now.tenant_id == tenant_id, now.kind == owner[0], now.record_id == owner[1])
    had = set(connection.scalars(sa.select(now.client_id).where(*theirs)))
    row = {"tenant_id": tenant_id, "kind": owner[0], "record_id": owner[1], "event_id": event_id}
    for each in sorted(had - set(client_ids)):
        dialect = sqlite if is_sqlite(connection) else postgresql
        former = dialect.insert(access_former_credential).values({**row, "client_id": each, "until": at})
        connection.execute(former.on_conflict_do_nothing())
        connection.execute(sa.delete(access_credential).where(*theirs, now.client_id == each))
    for each in sorted(set(client_ids) - had):
        connection.execute(sa.insert(access_credential).values({**row, "client_id": each}))


def add_glass(connection: Connection, tenant_id: str, new: Glass) -> None:
    """Insert a grant."""
    values: dict[str, Any] = {name: getattr(new, name) for name in Glass.__slots__}
    connection.execute(
        sa.insert(break_glass).values({**values, "tenant_id": tenant_id, "fields": list(new.fields)})
    )


def find_glass(connection: Connection, tenant_id: str, grant_id: str, *, lock: bool = False) -> Glass | None:
    """The grant of this id; `lock` holds it until the transaction ends."""
    query = sa.select(*_GLASS).where(break_glass.c.tenant_id == tenant_id, break_glass.c.grant_id == grant_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _glass(row)


def open_glass(
    connection: Connection,
    tenant_id: str,
    subject_refs: Sequence[str],
    asker: tuple[str, str],
    at: datetime,
) -> list[Glass]:
    """Grants of an asker about some people that hold at an instant and that no review has ended."""
    query = sa.select(*_GLASS).where(
        break_glass.c.tenant_id == tenant_id,
        break_glass.c.subject_ref.in_(list(subject_refs)),
        break_glass.c.asker_type == asker[0],
        break_glass.c.asker_id == asker[1],
        break_glass.c.expires_at > at,
        break_glass.c.review != "not_justified",
    )
    return [_glass(row) for row in connection.execute(query.order_by(break_glass.c.grant_id))]


def list_glass(
    connection: Connection,
    tenant_id: str,
    *,
    review: str | None = None,
    subject_refs: Sequence[str] | None = None,
    opened_by: Collection[str] | None = None,
    after: str = "",
    limit: int = 50,
) -> list[Glass]:
    """Grants, the oldest first."""
    query = sa.select(*_GLASS).where(break_glass.c.tenant_id == tenant_id, break_glass.c.grant_id > after)
    if review is not None:
        query = query.where(break_glass.c.review == review)
    if subject_refs is not None:
        query = query.where(break_glass.c.subject_ref.in_(list(subject_refs)))
    if opened_by is not None:
        query = query.where(break_glass.c.opened_by.in_(sorted(opened_by)))
    rows = connection.execute(query.order_by(break_glass.c.grant_id).limit(limit))
    return [_glass(row) for row in rows]


def update_glass(connection: Connection, tenant_id: str, grant_id: str, values: dict[str, Any]) -> None:
    """Change a grant."""
    connection.execute(
        sa.update(break_glass)
        .where(break_glass.c.tenant_id == tenant_id, break_glass.c.grant_id == grant_id)
        .values(values)
    )


def _glass(row: Any) -> Glass:
    values = dict(row._mapping)
    return Glass(**{**values, "fields": tuple(values["fields"])})
