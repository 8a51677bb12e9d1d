"""Table of look-ups in do-not-call registers, by the keyed hash of the number, and what follows for a person.

A number that is in several registers is listed if it is in any, and was checked when it last was. A person
with several open numbers is listed if any is, and was checked when the one checked longest ago was; one that
never was leaves it open.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, is_sqlite, metadata
from governance.subjects.store import contact_point, subject

register_check = sa.Table(
    "register_check",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("suppression_hash", sa.Text, primary_key=True),
    sa.Column("register", sa.Text, primary_key=True),
    sa.Column("checked_at", Instant, nullable=False),
    sa.Column("listed", sa.Boolean, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The newest look-up of a number in a register."""

_KEY = ("tenant_id", "suppression_hash", "register")


@dataclass(frozen=True, slots=True)
class RegisterCheck:
    """One look-up of a number, by its keyed hash."""

    suppression_hash: str
    register: str
    checked_at: datetime
    listed: bool
    recorded_at: datetime
    event_id: str


def put(connection: Connection, tenant_id: str, new: RegisterCheck) -> None:
    """Keep a look-up unless a newer one is known: then nothing changes."""
    values = {"tenant_id": tenant_id, **{name: getattr(new, name) for name in RegisterCheck.__slots__}}
    insert: Any = (sqlite if is_sqlite(connection) else postgresql).insert(register_check).values(values)
    changed = {name: insert.excluded[name] for name in values if name not in _KEY}
    newer = register_check.c.checked_at < insert.excluded.checked_at
    connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=changed, where=newer))


def find(
    connection: Connection, tenant_id: str, suppression_hash: str, register: str
) -> RegisterCheck | None:
    """The newest look-up of a number in a register."""
    query = sa.select(*(register_check.c[name] for name in RegisterCheck.__slots__)).where(
        register_check.c.tenant_id == tenant_id,
        register_check.c.suppression_hash == suppression_hash,
        register_check.c.register == register,
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else RegisterCheck(*row)


def of_person(
    connection: Connection, tenant_id: str, subject_ref: str
) -> tuple[bool | None, datetime | None]:
    """Whether a person is listed (None: not known of every number), and when that was last checked."""
    checks = sa.and_(
        register_check.c.tenant_id == tenant_id,
        register_check.c.suppression_hash == contact_point.c.suppression_hash,
    )
    query = (
        sa.select(contact_point.c.point_ref, register_check.c.checked_at, register_check.c.listed)
        .select_from(contact_point.outerjoin(register_check, checks))
        .where(contact_point.c.tenant_id == tenant_id, *_open_numbers(sa.literal(subject_ref)))
    )
    latest: dict[str, datetime | None] = {}
    listed = False
    for ref, checked_at, is_listed in connection.execute(query):
        known = latest.get(ref)
        latest[ref] = checked_at if known is None else max(known, checked_at)
        listed = listed or bool(is_listed)
    instants = [each for each in latest.values() if each is not None]
    if not instants or len(instants) < len(latest):
        return (True if listed else None), None
    return listed, min(instants)


def listed_digit() -> sa.ColumnElement[int]:
    """The same for the person of the row: 0 not known, 1 listed, 2 not listed. Parameter: tenant."""
    inner = sa.select(sa.func.max(sa.case((register_check.c.listed, 1), else_=0))).where(*_of_point())
    most = _over_numbers(sa.func.max(inner.correlate(contact_point).scalar_subquery()))
    return sa.case((most == 1, 1), (sa.and_(most == 0, _unchecked() == 0), 2), else_=0)


def checked_anchor() -> sa.ColumnElement[Any]:
    """When the person of the row was last checked, NULL if any number was not. Parameter: tenant."""
    inner = sa.select(sa.func.max(register_check.c.checked_at)).where(*_of_point())
    oldest = _over_numbers(sa.func.min(inner.correlate(contact_point).scalar_subquery()))
    return sa.case((_unchecked() == 0, sa.type_coerce(oldest, Instant)), else_=sa.null())


def _unchecked() -> sa.ColumnElement[int]:
    """How many open numbers of the person of the row were looked up nowhere."""
    known = sa.exists().where(*_of_point()).correlate(contact_point)
    query = sa.select(sa.func.count()).select_from(contact_point).where(~known, *_of_row())
    return query.correlate(subject).scalar_subquery()


def _over_numbers(value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.select(value).select_from(contact_point).where(*_of_row()).correlate(subject).scalar_subquery()


def _of_row() -> tuple[sa.ColumnElement[bool], ...]:
    return (contact_point.c.tenant_id == sa.bindparam("tenant"), *_open_numbers(subject.c.subject_ref))


def _of_point() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        register_check.c.tenant_id == sa.bindparam("tenant"),
        register_check.c.suppression_hash == contact_point.c.suppression_hash,
    )


def _open_numbers(ref: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        contact_point.c.subject_ref == ref,
        contact_point.c.type == "phone",
        contact_point.c.state == "open",
    )
