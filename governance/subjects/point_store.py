"""Statements about contact points and relationship events (their tables are in `store`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.subjects.model import ContactPoint, RelationshipEvent
from governance.subjects.relations import Happening
from governance.subjects.store import contact_point, relationship_event, subject

_POINT = [contact_point.c[name] for name in ContactPoint.__slots__]
_EVENT = [relationship_event.c[name] for name in RelationshipEvent.__slots__]

# Built once: imports run them for every row.
_ADD = sa.insert(contact_point)
_OF_TENANT = sa.select(*_POINT).where(contact_point.c.tenant_id == sa.bindparam("tenant"))
_OF = _OF_TENANT.where(contact_point.c.subject_ref == sa.bindparam("subject")).order_by(
    contact_point.c.point_ref
)
_OF_MANY = _OF_TENANT.where(
    contact_point.c.subject_ref.in_(sa.bindparam("subjects", expanding=True))
).order_by(contact_point.c.subject_ref, contact_point.c.point_ref)
_BY_BLIND_INDEX = (
    _OF_TENANT.join(
        subject,
        sa.and_(
            subject.c.tenant_id == contact_point.c.tenant_id,
            subject.c.subject_ref == contact_point.c.subject_ref,
        ),
    )
    .where(
        contact_point.c.blind_index == sa.bindparam("index"),
        subject.c.merged_into.is_(None),
        subject.c.erased.is_(False),
    )
    .order_by(contact_point.c.subject_ref)
)
_SHARING = (
    sa.select(contact_point.c.blind_index, contact_point.c.subject_ref, subject.c.erasure_pending)
    .join(
        subject,
        sa.and_(
            subject.c.tenant_id == contact_point.c.tenant_id,
            subject.c.subject_ref == contact_point.c.subject_ref,
        ),
    )
    .where(
        contact_point.c.tenant_id == sa.bindparam("tenant"),
        contact_point.c.blind_index.in_(sa.bindparam("indexes", expanding=True)),
    )
    .order_by(contact_point.c.subject_ref)
)
_FROZEN = _SHARING.where(subject.c.erasure_pending)
_SHARING_LOCKED = _SHARING.where(subject.c.erased.is_(False)).with_for_update(
    read=True, key_share=True, of=subject
)
_BEFORE = sa.select(sa.func.coalesce(sa.func.max(relationship_event.c.seq), 0)).where(
    relationship_event.c.tenant_id == sa.bindparam("tenant_id"),
    relationship_event.c.subject_ref == sa.bindparam("subject_ref"),
)
_ADD_EVENT = sa.insert(relationship_event).values(
    {
        "tenant_id": sa.bindparam("tenant_id"),
        "seq": _BEFORE.scalar_subquery() + 1,
        **{name: sa.bindparam(name) for name in RelationshipEvent.__slots__},
    }
)


def add(connection: Connection, tenant_id: str, points: Sequence[ContactPoint]) -> None:
    """Insert contact points."""
    rows = [
        {"tenant_id": tenant_id, **{name: getattr(point, name) for name in ContactPoint.__slots__}}
        for point in points
    ]
    connection.execute(_ADD, rows)


def update(
    connection: Connection, tenant_id: str, subject_ref: str, point_ref: str, values: Mapping[str, Any]
) -> None:
    """Set columns of one contact point."""
    connection.execute(
        sa.update(contact_point)
        .where(
            contact_point.c.tenant_id == tenant_id,
            contact_point.c.subject_ref == subject_ref,
            contact_point.c.point_ref == point_ref,
        )
        .values(**values)
    )


def of(connection: Connection, tenant_id: str, subject_ref: str) -> list[ContactPoint]:
    """All contact points of a person, whatever their state, oldest first."""
    rows = connection.execute(_OF, {"tenant": tenant_id, "subject": subject_ref})
    return [ContactPoint(*row) for row in rows]


def of_many(
    connection: Connection, tenant_id: str, subject_refs: Sequence[str]
) -> dict[str, list[ContactPoint]]:
    """The contact points of several persons, by reference; a person without any is not listed."""
    found: dict[str, list[ContactPoint]] = {}
    if subject_refs:
        for row in connection.execute(_OF_MANY, {"tenant": tenant_id, "subjects": list(subject_refs)}):
            found.setdefault(row.subject_ref, []).append(ContactPoint(*row))
    return found


def by_blind_index(connection: Connection, tenant_id: str, blind_index: str) -> list[ContactPoint]:
    """Every living person's contact point with this value; not those of the erased and the merged away."""
    rows = connection.execute(_BY_BLIND_INDEX, {"tenant": tenant_id, "index": blind_index})
    return [ContactPoint(*row) for row in rows]


def frozen(
    connection: Connection, tenant_id: str, blind_indexes: Iterable[str], *, lock: bool = False
) -> dict[str, str]:
    """Those of the values that somebody who is being erased has, each with whose it is.

    `lock`: nobody who has one of them is ordered to be erased until the transaction ends. On PostgreSQL an
    order under way is waited for; on SQLite a unit of work is alone anyway.
    """
    wanted = list(blind_indexes)
    query = _SHARING_LOCKED if lock else _FROZEN
    rows = connection.execute(query, {"tenant": tenant_id, "indexes": wanted}) if wanted else ()
    return {row.blind_index: row.subject_ref for row in rows if row.erasure_pending}


def add_event(connection: Connection, tenant_id: str, happened: RelationshipEvent) -> None:
    """Insert a relationship event after the person's others (the person is locked)."""
    values = {name: getattr(happened, name) for name in RelationshipEvent.__slots__}
    connection.execute(_ADD_EVENT, {"tenant_id": tenant_id, **values})


def events(connection: Connection, tenant_id: str, subject_refs: Iterable[str]) -> list[RelationshipEvent]:
    """The relationship events of these references, in the order of occurrence."""
    statement = (
        sa.select(*_EVENT)
        .where(
            relationship_event.c.tenant_id == tenant_id,
            relationship_event.c.subject_ref.in_(list(subject_refs)),
        )
        .order_by(relationship_event.c.occurred_at, relationship_event.c.seq)
    )
    return [RelationshipEvent(*row) for row in connection.execute(statement)]


def happenings(
    connection: Connection, tenant_id: str, subject_refs: Iterable[str], kinds: Sequence[str] | None = None
) -> list[Happening]:
    """What standing depends on: the events of these references (and of these kinds only, if named)."""
    statement = sa.select(
        relationship_event.c.event,
        relationship_event.c.occurred_at,
        relationship_event.c.matter,
        relationship_event.c.seq,
    ).where(
        relationship_event.c.tenant_id == tenant_id,
        relationship_event.c.subject_ref.in_(list(subject_refs)),
    )
    if kinds is not None:
        statement = statement.where(relationship_event.c.event.in_(kinds))
    return [Happening(*row) for row in connection.execute(statement)]
