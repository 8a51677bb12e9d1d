"""Sales, negotiations and support in which a way to refuse messages was offered, and what follows from them.

They are the relationship events that were recorded with `opt_out_offered`. One counts for the contact point
that it names, or for the one of the same value that stands for it since a merge; one that names none counts
only for people of whom no contact point of the channel is known. Sales and negotiations count for messages
about their own product family. Check and screening share the one query.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.communications.asked import Asked
from governance.communications.facts import Reading
from governance.communications.situations import Dealing, Situation
from governance.database import Prepared
from governance.subjects.store import contact_point, relationship_event, subject
from governance.work import Snapshot

SALE, NEGOTIATION, SUPPORT = range(3)
_KINDS: Mapping[int, Sequence[str]] = {
    SALE: ("purchase", "contract_signed", "subscription_started"),
    NEGOTIATION: ("inquiry", "negotiation"),
    SUPPORT: ("charity_support",),
}
"""Kind of dealing -> the relationship events that are one."""

_NONE, _ANOTHER = -1, -2
AT_REF, AT_KIND, AT_POINT, AT_LATEST, AT_BITS = range(5)
"""Places in a row of `offered`; the bits come last where they are asked for."""


def counts(asked: Asked) -> bool:
    """Whether dealings are looked up for a question: they bear on commercial messages only."""
    return bool(asked.facts["message.commercial"])


def values(asked: Asked) -> dict[str, Any]:
    """The parameters of the query that follow from the question."""
    return {"family": asked.product_family or ""}


def any_offered() -> sa.Select[Any]:
    """Ask whether the tenant has any dealing that may count; parameters: tenant, family."""
    return sa.select(sa.literal(1)).select_from(relationship_event).where(*_offers()).limit(1)


def offered(*more: sa.ColumnElement[Any], of: sa.BindParameter[Any] | None = None) -> sa.Select[Any]:
    """The query: per person, kind and contact point ('' none) the instant of the latest dealing.

    `more` columns are reckoned from that instant (`latest`). `of`: a parameter of the person asked about, an
    expanding one of several; else all. Parameters: tenant, family. Merged records count for the person
    they were merged into.
    """
    event, own = relationship_event, subject.alias("own")
    aside, twin = contact_point.alias("aside"), contact_point.alias("twin")
    tenant: sa.BindParameter[Any] = sa.bindparam("tenant")
    joined = (
        event.join(own, sa.and_(own.c.tenant_id == tenant, own.c.subject_ref == event.c.subject_ref))
        .join(
            subject,
            sa.and_(
                subject.c.tenant_id == tenant,
                subject.c.subject_ref == sa.func.coalesce(own.c.merged_into, own.c.subject_ref),
            ),
        )
        .outerjoin(
            aside,
            sa.and_(
                aside.c.tenant_id == tenant,
                aside.c.subject_ref == event.c.subject_ref,
                aside.c.point_ref == event.c.point_ref,
            ),
        )
        .outerjoin(
            twin,
            sa.and_(
                twin.c.tenant_id == tenant,
                twin.c.subject_ref == subject.c.subject_ref,
                twin.c.type == aside.c.type,
                twin.c.blind_index == aside.c.blind_index,
            ),
        )
    )
    point = sa.func.coalesce(twin.c.point_ref, event.c.point_ref, "").label("dealing_point")
    kind = sa.case(
        *((_one_of(event.c.event, events), sa.literal_column(str(each))) for each, events in _KINDS.items())
    ).label("dealing_kind")
    query = sa.select(subject.c.subject_ref, kind, point, latest(), *more).select_from(joined)
    query = query.where(*_offers(), subject.c.tenant_id == tenant, subject.c.merged_into.is_(None))
    if of is not None:
        query = query.where(_is(subject.c.subject_ref, of), event.c.subject_ref.in_(_records(of)))
    return query.group_by(subject.c.subject_ref, "dealing_kind", "dealing_point").order_by(
        subject.c.subject_ref
    )


def latest() -> sa.ColumnElement[datetime]:
    """When the latest of the dealings of one row was."""
    return sa.func.max(relationship_event.c.occurred_at, type_=relationship_event.c.occurred_at.type)


def with_dealings(snap: Snapshot, found: Situation, asked: Asked) -> Situation:
    """The same person with the dealings that count for the question."""
    if not counts(asked):
        return found
    named = {"tenant": snap.tenant_id, "person": found.subject_ref, **values(asked)}
    rows = _OF_PERSON.rows(snap.connection, **named)
    return replace(found, dealings=read(Reading.of(snap.connection), rows))


def of_many(snap: Snapshot, people: Sequence[str], family: str | None) -> dict[str, tuple[Dealing, ...]]:
    """The dealings of people (references, up to some hundreds), by reference: an entry for each of them."""
    named = {"tenant": snap.tenant_id, "family": family or ""}
    rows: dict[str, list[Sequence[Any]]] = {ref: [] for ref in people}
    if rows and _ANY.rows(snap.connection, **named):
        cursor: Any = snap.connection.execute(_OF_PEOPLE, {**named, "people": list(rows)}).cursor
        for row in cursor:
            rows[row[AT_REF]].append(row)
    reading = Reading.of(snap.connection)
    return {ref: read(reading, found) for ref, found in rows.items()}


def read(reading: Reading, rows: Iterable[Sequence[Any]]) -> tuple[Dealing, ...]:
    """Read rows as the driver gives them."""
    found = ((row[AT_KIND], row[AT_POINT] or None, reading.instant(row[AT_LATEST])) for row in rows)
    return tuple(Dealing(kind, point, at) for kind, point, at in found if at is not None)


def signature(rows: Iterable[Sequence[Any]], points: Mapping[str, int]) -> Hashable:
    """What rules can tell apart of a person's rows; `points` gives the place of each contact point."""
    return frozenset(
        (row[AT_KIND], points.get(row[AT_POINT], row[AT_POINT] == ""), row[AT_BITS]) for row in rows
    )


def _records(people: sa.BindParameter[Any]) -> sa.CompoundSelect[Any]:
    """The references of people and of the records that were merged into them."""
    same = subject.alias("same")
    whose = sa.select(same.c.subject_ref).where(same.c.tenant_id == sa.bindparam("tenant"))
    return sa.union_all(
        whose.where(_is(same.c.subject_ref, people)), whose.where(_is(same.c.merged_into, people))
    )


def _is(column: sa.ColumnElement[Any], people: sa.BindParameter[Any]) -> sa.ColumnElement[bool]:
    return column.in_(people) if people.expanding else column == people


def _one_of(column: sa.ColumnElement[str], values: Sequence[str]) -> sa.ColumnElement[bool]:
    """A plain list, as a prepared query needs it: IN would be written out anew at every run."""
    return sa.or_(*(column == value for value in values))


def _offers() -> tuple[sa.ColumnElement[bool], ...]:
    event = relationship_event.c
    about = (*_KINDS[SALE], *_KINDS[NEGOTIATION])
    return (
        event.tenant_id == sa.bindparam("tenant"),
        event.opt_out_offered,
        sa.or_(
            _one_of(event.event, _KINDS[SUPPORT]),
            sa.and_(_one_of(event.event, about), event.product_family == sa.bindparam("family")),
        ),
    )


_OF_PERSON = Prepared(offered(of=sa.bindparam("person")))
_OF_PEOPLE = offered(of=sa.bindparam("people", expanding=True))
_ANY = Prepared(any_offered())
