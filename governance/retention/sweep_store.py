"""The pages of a run: registered records with their people, and people, in the order of their keys."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, is_sqlite
from governance.retention.store import governed_record
from governance.subjects.store import subject

PERSON = (
    "country",
    "region",
    "stage_relationship",
    "restricted",
    "erasure_pending",
    "erased",
    "held",
    "merged_into",
    "acquired_at",
    "created_at",
    "last_purchase_at",
    "last_inquiry_at",
    "last_contact_at",
    "contract_state",
    "contract_ended_at",
    "subscription_state",
    "subscription_ended_at",
    "invoice_open",
    "warranty_open",
    "dispute_open",
)


def _plain(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column as SQLite keeps it: instants as microseconds since 1970, flags as 0 and 1."""
    if isinstance(column.type, Instant):
        return sa.type_coerce(column, sa.BigInteger).label(column.name)
    if isinstance(column.type, sa.Boolean):
        return sa.type_coerce(column, sa.Integer).label(column.name)
    return column


def _same(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return column


def _records(form: Callable[[sa.Column[Any]], sa.ColumnElement[Any]]) -> sa.Select[Any]:
    created = form(governed_record.c.created_at)
    return (
        sa.select(
            governed_record.c.system,
            governed_record.c.record_id,
            governed_record.c.subject_ref,
            governed_record.c.data_class,
            governed_record.c.purpose,
            governed_record.c.jurisdiction,
            (created.element if isinstance(created, sa.Label) else created).label("record_created_at"),
            form(governed_record.c.closed_at),
            subject.c.subject_ref.label("known_ref"),
            *(form(subject.c[name]) for name in PERSON),
        )
        .select_from(
            governed_record.outerjoin(
                subject,
                sa.and_(
                    subject.c.tenant_id == governed_record.c.tenant_id,
                    subject.c.subject_ref == governed_record.c.subject_ref,
                ),
            )
        )
        .where(
            governed_record.c.tenant_id == sa.bindparam("tenant"),
            sa.tuple_(governed_record.c.system, governed_record.c.record_id)
            > sa.tuple_(sa.bindparam("system"), sa.bindparam("record")),
        )
        .order_by(governed_record.c.system, governed_record.c.record_id)
        .limit(sa.bindparam("most"))
    )


def _people(form: Callable[[sa.Column[Any]], sa.ColumnElement[Any]]) -> sa.Select[Any]:
    return (
        sa.select(subject.c.subject_ref, *(form(subject.c[name]) for name in PERSON))
        .where(
            subject.c.tenant_id == sa.bindparam("tenant"),
            subject.c.subject_ref > sa.bindparam("after"),
            subject.c.merged_into.is_(None),
            subject.c.erased.is_(False),
            subject.c.erasure_pending.is_(False),
        )
        .order_by(subject.c.subject_ref)
        .limit(sa.bindparam("most"))
    )


_RECORDS = {True: _records(_plain), False: _records(_same)}
_PEOPLE = {True: _people(_plain), False: _people(_same)}
"""By whether they go to SQLite, whose own forms spare a million conversions."""


def records(
    connection: Connection, tenant_id: str, after: tuple[str, str], most: int
) -> Sequence[sa.Row[Any]]:
    """The next registered records after (system, record id), each beside its person's columns."""
    system, record = after
    values = {"tenant": tenant_id, "system": system, "record": record, "most": most}
    return connection.execute(_RECORDS[is_sqlite(connection)], values).all()


def people(connection: Connection, tenant_id: str, after: str, most: int) -> Sequence[sa.Row[Any]]:
    """The next living people after a reference."""
    values = {"tenant": tenant_id, "after": after, "most": most}
    return connection.execute(_PEOPLE[is_sqlite(connection)], values).all()


def survivors(connection: Connection, tenant_id: str, refs: Iterable[str]) -> dict[str, sa.Row[Any]]:
    """The people of these references, by reference."""
    wanted = list(refs)
    if not wanted:
        return {}
    form = _plain if is_sqlite(connection) else _same
    rows = connection.execute(
        sa.select(
            subject.c.subject_ref.label("known_ref"), *(form(subject.c[name]) for name in PERSON)
        ).where(subject.c.tenant_id == tenant_id, subject.c.subject_ref.in_(wanted))
    )
    return {row.known_ref: row for row in rows}


def count_people(connection: Connection, tenant_id: str, most: int) -> int:
    """How many people are known, counted no further than `most`."""
    some = sa.select(subject.c.subject_ref).where(subject.c.tenant_id == tenant_id).limit(most)
    found: int = connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
    return found
