"""The five passes of a stream: their columns, their choice of people, and how they are read.

All are ordered by person in the database's own order and choose the same people, so that what is said of a
person is met exactly when the person is. Most people are met in the first pass only, so nothing is joined to
it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications import dealings, facts
from governance.communications.facts import Raw, Reading
from governance.communications.narrowing import age_bits
from governance.communications.situations import Bars
from governance.consent.model import Cell, PointBar
from governance.consent.tables import consent_state, suppression
from governance.database import is_sqlite
from governance.policy.durations import Cutoff, Duration, cutoff
from governance.subjects.store import contact_point, subject

_BATCH_ROWS = 5000

CELL_TEXTS = ("purpose", "controller", "channel", "topic", "kind", "neg_status", "pos_status")
"""What a cell says in words; with the packed number and its contact point it is the cell's signature."""

POINT_NAMES = ("state", "country", "subscriber", "point_ref")
"""Columns of the contact points' pass after the person's reference; as `facts.POINT_COLUMNS`."""

CELL_REF, CELL_POINT, CELL_NEG_SEQ, CELL_NEG_AT, CELL_POS_SEQ, CELL_POS_AT = range(6)
CELL_EXPIRES, CELL_BY_PERSON, CELL_WORDS = 6, 7, 8
BAR_REF, BAR_POINT, BAR_RECORDED, BAR_ORIGIN, BAR_WORDS = range(5)
_BAR_TEXTS = ("scope", "purpose", "controller", "channel", "topic")


class Side:
    """A pass that is laid beside the people's: `ref` is who comes next in it, None at the end."""

    __slots__ = ("_head", "_rows", "ref")

    def __init__(self, rows: Iterator[Raw]) -> None:
        self._rows = rows
        self._head = next(rows, None)
        self.ref: str | None = None if self._head is None else self._head[0]

    def take(self, ref: str) -> Sequence[Raw]:
        """Everything that this pass has of a person; nothing unless it is that person's turn."""
        if self.ref != ref:
            return ()
        taken = [self._head]
        for row in self._rows:
            if row[0] != ref:
                self._head, self.ref = row, row[0]
                return taken  # type: ignore[return-value]  # the head is a row while ref is somebody
            taken.append(row)
        self._head = self.ref = None
        return taken  # type: ignore[return-value]


class Passes:
    """The queries over people, contact points, cells, suppressions and dealings, in this order.

    `key` are the columns of a person's own facts. `every_no`: cells that
    speak of something else count if they hold a no.
    """

    def __init__(
        self,
        key: Sequence[sa.ColumnElement[Any]],
        consent_ages: Iterable[object],
        refused_ages: Iterable[object],
        sale_ages: Iterable[object],
        now: datetime,
        *,
        every_no: bool = False,
    ) -> None:
        yes, no, sold = (
            [cutoff(each, now) for each in ages if isinstance(each, Duration)]
            for ages in (consent_ages, refused_ages, sale_ages)
        )
        self._queries = (_people(key), _points(), _cells(_packed(yes, no, now), every_no=every_no), _bars())
        self._bits = age_bits(dealings.latest(), sold)

    def of(
        self,
        relationship: Sequence[str],
        country: Sequence[str],
        *,
        after: str | None = None,
        until: str | None = None,
    ) -> Sequence[sa.Select[Any]]:
        """The passes over everyone of these stages and countries (empty: all), between two references."""
        where: list[sa.ColumnElement[bool]] = []
        if relationship:
            where.append(subject.c.stage_relationship.in_(relationship))
        if country:
            where.append(subject.c.country.in_(country))
        queries = (*self._queries, dealings.offered(self._bits))
        return [
            query.where(*where, *_between(own, after, until))
            for query, own in zip(queries, _OWN_REFERENCES, strict=True)
        ]

    def of_refs(self) -> Sequence[sa.Select[Any]]:
        """The passes over the people named by the parameter `people`."""
        people: sa.BindParameter[Any] = sa.bindparam("people", expanding=True)
        named = [query.where(subject.c.subject_ref.in_(people)) for query in self._queries]
        return [*named, dealings.offered(self._bits, of=people)]

    def any_dealings(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """Whether anybody has a dealing that may count for the question."""
        return connection.execute(dealings.any_offered(), values).first() is not None

    def any_bars(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """Whether any suppression of a contact point may speak about the question; most tenants have none."""
        query = sa.select(sa.literal(1)).select_from(suppression).limit(1)
        query = query.where(
            suppression.c.tenant_id == _tenant(),
            suppression.c.released_at.is_(None),
            facts.speaks(suppression),
        )
        return connection.execute(query, values).first() is not None

    def rows(
        self, connection: Connection, query: sa.Select[Any], values: Mapping[str, Any], stack: ExitStack
    ) -> Iterator[Raw]:
        """Run a pass and give its rows unread; `stack` closes it."""
        streamed = not is_sqlite(connection)
        if streamed:
            # All rows will be fetched: PostgreSQL shall not plan for the first tenth of them.
            connection.exec_driver_sql("SET LOCAL cursor_tuple_fraction = 1.0")
        result = connection.execute(query, values, execution_options={"stream_results": streamed})
        stack.callback(result.close)
        cursor: Any = result.cursor
        if not streamed:
            return iter(cursor)
        # SQLAlchemy has fetched the first row of a server-side cursor already; the rest comes as it is.
        first = result.fetchone()
        if first is None:
            return iter(())
        cursor.itersize = _BATCH_ROWS
        return chain((tuple(first),), cursor)

    def cell(self, reading: Reading, raw: Raw) -> Cell:
        """Read a row of the cells' pass; ids of events are left out, no answer depends on them."""
        words = dict(zip(CELL_TEXTS, raw[CELL_WORDS:], strict=False))
        return Cell(
            **words,
            point_ref=raw[CELL_POINT],
            neg_seq=raw[CELL_NEG_SEQ],
            neg_at=reading.instant(raw[CELL_NEG_AT]),
            pos_seq=raw[CELL_POS_SEQ],
            pos_at=reading.instant(raw[CELL_POS_AT]),
            pos_by_person=bool(raw[CELL_BY_PERSON]),
            pos_expires_at=reading.instant(raw[CELL_EXPIRES]),
        )

    def bars(self, reading: Reading, rows: Sequence[Raw]) -> Bars:
        """Read a person's rows of the suppressions' pass."""
        found: dict[str, list[PointBar]] = {}
        for raw in rows:
            words = dict(zip(_BAR_TEXTS, raw[BAR_WORDS:], strict=True))
            bar = PointBar(
                **words,
                origin_subject_ref=raw[BAR_ORIGIN],
                recorded_at=reading.instant(raw[BAR_RECORDED]),
            )
            found.setdefault(raw[BAR_POINT], []).append(bar)
        return found


_OWN_REFERENCES = (
    subject.c.subject_ref,
    contact_point.c.subject_ref,
    consent_state.c.subject_ref,
    contact_point.c.subject_ref,
    subject.c.subject_ref,
)
"""The reference that each pass is ordered by, in its own table: by another's a database would not start."""


def _between(own: sa.Column[str], after: str | None, until: str | None) -> list[sa.ColumnElement[bool]]:
    bounds: list[sa.ColumnElement[bool]] = []
    if after is not None:
        bounds.append(own > after)
    if until is not None:
        bounds.append(own <= until)
    return bounds


def _tenant() -> sa.BindParameter[Any]:
    return sa.bindparam("tenant")


def _chosen(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.where(subject.c.tenant_id == _tenant(), subject.c.merged_into.is_(None))


def _whose(ref: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(subject.c.tenant_id == _tenant(), subject.c.subject_ref == ref)


def _of_type(query: sa.Select[Any]) -> sa.Select[Any]:
    query = query.where(contact_point.c.tenant_id == _tenant(), contact_point.c.type == sa.bindparam("type"))
    # By the points' own column: SQLite would start from all the people by the other one.
    return _chosen(query).order_by(contact_point.c.subject_ref)


def _people(key: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    return _chosen(sa.select(subject.c.subject_ref, *key)).order_by(subject.c.subject_ref)


def _points() -> sa.Select[Any]:
    joined = contact_point.join(subject, _whose(contact_point.c.subject_ref))
    columns = [contact_point.c[name] for name in ("subject_ref", *POINT_NAMES)]
    return _of_type(sa.select(*columns).select_from(joined))


def _cells(packed: sa.ColumnElement[int], *, every_no: bool) -> sa.Select[Any]:
    columns = [
        consent_state.c[name]
        for name in (
            "subject_ref",
            "point_ref",
            "neg_seq",
            "neg_at",
            "pos_seq",
            "pos_at",
            "pos_expires_at",
            "pos_by_person",
            *CELL_TEXTS,
        )
    ]
    joined = consent_state.join(subject, _whose(consent_state.c.subject_ref))
    query = sa.select(*columns, packed).select_from(joined)
    # As `facts.speaks`, but plainly, so that PostgreSQL can tell how many rows to expect.
    speaking = sa.and_(
        consent_state.c.purpose.in_(("", sa.bindparam("purpose"))),
        consent_state.c.channel.in_(("", sa.bindparam("channel"))),
    )
    if every_no:
        speaking = sa.or_(speaking, facts.says_no())
    query = query.where(consent_state.c.tenant_id == _tenant(), speaking)
    # By the cells' own column: SQLite would sort them all by the other one.
    return _chosen(query).order_by(consent_state.c.subject_ref)


def _bars() -> sa.Select[Any]:
    joined = contact_point.join(
        suppression,
        sa.and_(
            suppression.c.tenant_id == _tenant(),
            suppression.c.suppression_hash == contact_point.c.suppression_hash,
            suppression.c.released_at.is_(None),
            facts.speaks(suppression),
        ),
    ).join(subject, _whose(contact_point.c.subject_ref))
    query = sa.select(
        contact_point.c.subject_ref,
        contact_point.c.point_ref,
        suppression.c.recorded_at,
        suppression.c.origin_subject_ref,
        *(suppression.c[name] for name in _BAR_TEXTS),
    ).select_from(joined)
    return _of_type(query)


def _packed(yes: Sequence[Cutoff], no: Sequence[Cutoff], now: datetime) -> sa.ColumnElement[int]:
    """What rules can tell apart of a cell in one number.

    Of its yes: by the person, run out, later than the no beside it, its age in bits; then the no's age.
    """
    cell = consent_state.c
    by_person = sa.case((cell.pos_by_person, 1), else_=0)
    over = sa.case((cell.pos_expires_at <= sa.literal(now, cell.pos_expires_at.type), 2), else_=0)
    later = sa.case(
        (sa.or_(cell.pos_seq.is_(None), cell.pos_at.is_(None)), 0),
        (sa.or_(cell.neg_seq.is_(None), cell.neg_at.is_(None)), 4),
        (sa.and_(cell.pos_seq > cell.neg_seq, cell.pos_at > cell.neg_at), 4),
        else_=0,
    )
    packed = by_person + over + later + age_bits(cell.pos_at, yes) * 8
    if no:
        packed = packed + age_bits(cell.neg_at, no) * (8 * (1 + (1 << len(yes))))
    return packed
