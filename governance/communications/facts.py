"""The one query that gathers what the gate knows of people, and its reading: check and screening share both.

Rows come ordered by person: subject → contact points of the channel's type → cells of consent state that may
speak about the question → suppressions of the contact point. They are read as the driver gives them,
because a million of them pass; `Reading` knows how each database writes instants and booleans.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.situations import AGE, TIME_ZONE, Bars, Point, Situation, born
from governance.consent.kinds import UNDELIVERABLE
from governance.consent.model import Cell, PointBar
from governance.consent.tables import consent_state, suppression
from governance.database import Prepared, from_micros, is_sqlite
from governance.subjects.store import contact_point, subject

Raw = Sequence[Any]
"""A row as the driver gives it."""

RECORDED: Mapping[str, sa.ColumnElement[Any]] = {
    "person.country": subject.c.country,
    "person.region": subject.c.region,
    "person.customer_type": subject.c.customer_type,
    "stage.relationship": subject.c.stage_relationship,
    "contract.state": subject.c.contract_state,
    "subscription.state": subject.c.subscription_state,
    "source.acquired": subject.c.acquired,
    TIME_ZONE: subject.c.time_zone,
}
"""Facts that stand in a column as they are."""

FLAGS: Mapping[str, sa.ColumnElement[Any]] = {
    "person.restricted": subject.c.restricted,
    "person.erasure_pending": subject.c.erasure_pending,
    "person.erased": subject.c.erased,
    "person.held": subject.c.held,
    "person.zone_known": subject.c.time_zone.is_not(None),
    "notice.given": subject.c.notice_given,
}
"""Facts that are true or false of everyone."""

ANCHORS: Mapping[str, sa.ColumnElement[Any]] = {
    "relationship.last_purchase_age": subject.c.last_purchase_at,
    "relationship.last_inquiry_age": subject.c.last_inquiry_at,
    "relationship.last_contact_age": subject.c.last_contact_at,
    "contract.ended_age": subject.c.contract_ended_at,
    "subscription.ended_age": subject.c.subscription_ended_at,
}
"""Ages, kept as the instants that they are counted from."""

POINT_COLUMNS = (
    contact_point.c.state,
    contact_point.c.country,
    contact_point.c.subscriber,
    contact_point.c.point_ref,
)
CELL_COLUMNS = tuple(consent_state.c[name] for name in Cell.__slots__)
BAR_COLUMNS = (suppression.c.suppression_id, *(suppression.c[name] for name in PointBar.__slots__))


def speaks(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a row of consent state or a suppression may speak about the question.

    Parameters: purpose, channel. `coalesce` keeps SQLite from probing the index once for every combination of
    '' and a value.
    """
    parts = []
    for name in ("purpose", "channel"):
        said = sa.func.coalesce(table.c[name], "")
        parts.append(sa.or_(said == "", said == sa.bindparam(name)))
    return sa.and_(*parts)


def says_no() -> sa.ColumnElement[bool]:
    """Whether a row of consent state holds a no of any purpose and channel; addresses that fail are none."""
    return sa.and_(consent_state.c.neg_status.is_not(None), consent_state.c.kind != UNDELIVERABLE)


def joined(columns: Sequence[sa.ColumnElement[Any]], *, every_no: bool = False) -> sa.Select[Any]:
    """The query over these columns, without its choice of people; parameters: tenant, type, purpose, channel.

    Only cells and suppressions that may speak about the question are joined (with `every_no`, each no of
    the person too); `consent.resolving.resolve` has the last word. `coalesce` keeps SQLite from probing the
    index once for every combination of '' and a value.
    """
    bound: dict[str, sa.BindParameter[Any]] = {
        name: sa.bindparam(name) for name in ("tenant", "type", "purpose", "channel")
    }
    speaking = speaks(consent_state)
    if every_no:
        speaking = sa.or_(speaking, says_no())

    people = (
        subject.outerjoin(
            contact_point,
            sa.and_(
                contact_point.c.tenant_id == bound["tenant"],
                contact_point.c.subject_ref == subject.c.subject_ref,
                contact_point.c.type == bound["type"],
            ),
        )
        .outerjoin(
            consent_state,
            sa.and_(
                consent_state.c.tenant_id == bound["tenant"],
                consent_state.c.subject_ref == subject.c.subject_ref,
                speaking,
            ),
        )
        .outerjoin(
            suppression,
            sa.and_(
                suppression.c.tenant_id == bound["tenant"],
                suppression.c.suppression_hash == contact_point.c.suppression_hash,
                suppression.c.released_at.is_(None),
                speaks(suppression),
            ),
        )
    )
    return sa.select(*columns).select_from(people).where(subject.c.tenant_id == bound["tenant"])


_PERSON = (*RECORDED.values(), *FLAGS.values(), *ANCHORS.values(), subject.c.birth_month)
_HEAD = (subject.c.subject_ref, subject.c.external_id, subject.c.merged_into, contact_point.c.blind_index)
_COLUMNS = (*_HEAD, *_PERSON, *POINT_COLUMNS, *CELL_COLUMNS, *BAR_COLUMNS)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The query by the ways in which people are chosen."""

    by_id: Prepared
    by_ref: Prepared
    several: sa.Select[Any]


def _statements(*, every_no: bool) -> _Statements:
    whole = joined(_COLUMNS, every_no=every_no)
    named = subject.c.external_id.in_(sa.bindparam("people", expanding=True))
    return _Statements(
        Prepared(whole.where(subject.c.external_id == sa.bindparam("person"))),
        Prepared(whole.where(subject.c.subject_ref == sa.bindparam("person"))),
        whole.where(named, subject.c.merged_into.is_(None)).order_by(subject.c.subject_ref),
    )


_STATEMENTS = {every_no: _statements(every_no=every_no) for every_no in (False, True)}

_RECORDED = tuple(RECORDED)
_FLAGS = tuple(FLAGS)
_ANCHORS = tuple(ANCHORS)
_AT_RECORDED = len(_HEAD)
_AT_FLAGS = _AT_RECORDED + len(_RECORDED)
_AT_ANCHORS = _AT_FLAGS + len(_FLAGS)
_AT_BIRTH = _AT_ANCHORS + len(_ANCHORS)
_AT_POINT = _AT_BIRTH + 1
_AT_CELL = _AT_POINT + len(POINT_COLUMNS)
_AT_BAR = _AT_CELL + len(CELL_COLUMNS)
_CELL_KIND = Cell.__slots__.index("kind")
_CELL_INSTANTS = tuple(Cell.__slots__.index(name) for name in ("neg_at", "pos_at", "pos_expires_at"))
_BAR_RECORDED = 1 + PointBar.__slots__.index("recorded_at")


@dataclass(frozen=True, slots=True)
class Reading:
    """How one database writes instants."""

    instant: Callable[[Any], datetime | None]

    @classmethod
    def of(cls, connection: Connection) -> "Reading":
        """The reading of this connection's database."""
        return cls(_from_micros if is_sqlite(connection) else _as_it_is)

    def cell(self, raw: Raw) -> Cell:
        """Read the columns of `CELL_COLUMNS`."""
        values = list(raw)
        for place in _CELL_INSTANTS:
            values[place] = self.instant(values[place])
        return Cell(*values)

    def bar(self, raw: Raw) -> PointBar:
        """Read the columns of `BAR_COLUMNS`."""
        values = list(raw)
        values[_BAR_RECORDED] = self.instant(values[_BAR_RECORDED])
        return PointBar(*values[1:])

    def points(self, rows: Sequence[Raw], at: int, blind_at: int | None = None) -> tuple[Point, ...]:
        """The contact points in a person's rows, each once; `at` is where `POINT_COLUMNS` begin."""
        found: dict[str, Point] = {}
        for row in rows:
            ref = row[at + 3]
            if ref is not None and ref not in found:
                blind = None if blind_at is None else row[blind_at]
                found[ref] = Point(ref, row[at], row[at + 1], row[at + 2], blind)
        # Their own order, not the database's: the oldest comes first, whoever asks.
        return tuple(found[ref] for ref in sorted(found))

    def cells(self, rows: Sequence[Raw], at: int) -> tuple[Cell, ...]:
        """The cells in a person's rows, each once; `at` is where `CELL_COLUMNS` begin."""
        kind = at + _CELL_KIND
        if len(rows) == 1:
            return () if rows[0][kind] is None else (self.cell(rows[0][at : at + len(CELL_COLUMNS)]),)
        found: dict[Any, Raw] = {}
        for row in rows:
            if row[kind] is not None:
                # The first six columns are the cell's key within the person.
                found.setdefault(row[at : kind + 1], row[at : at + len(CELL_COLUMNS)])
        return tuple(self.cell(raw) for raw in found.values())

    def bars(self, rows: Sequence[Raw], at: int, point_at: int) -> Bars:
        """The suppressions of each contact point in a person's rows.

        `at` is where `BAR_COLUMNS` begin, `point_at` where `POINT_COLUMNS` do.
        """
        found: dict[str, dict[str, PointBar]] = {}
        for row in rows:
            if row[at] is not None:
                found.setdefault(row[point_at + 3], {}).setdefault(
                    row[at], self.bar(row[at : at + len(BAR_COLUMNS)])
                )
        return {ref: tuple(bars.values()) for ref, bars in found.items()}


def _from_micros(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


def _as_it_is(value: datetime | None) -> datetime | None:
    return value


def find(
    connection: Connection,
    tenant_id: str,
    *,
    point_type: str,
    purpose: str,
    channel: str,
    every_no: bool = False,
    external_id: str | None = None,
    subject_ref: str | None = None,
) -> Situation | None:
    """What is known of one person for a question; a merged record leads to the person it was merged into."""
    ways = _STATEMENTS[every_no]
    statement, person = (ways.by_id, external_id) if subject_ref is None else (ways.by_ref, subject_ref)
    values = {"tenant": tenant_id, "type": point_type, "purpose": purpose, "channel": channel}
    rows = statement.rows(connection, **values, person=person or "")
    if rows and rows[0][2] is not None:
        rows = ways.by_ref.rows(connection, **values, person=rows[0][2])
    return _situation(Reading.of(connection), rows) if rows else None


def rows(
    connection: Connection,
    tenant_id: str,
    external_ids: Iterable[str],
    *,
    point_type: str,
    purpose: str,
    channel: str,
    every_no: bool = False,
) -> Iterator[Situation]:
    """What is known of several people for one question, 500 a statement; merged records are left out."""
    reading = Reading.of(connection)
    ordered = list(dict.fromkeys(external_ids))
    values: dict[str, Any] = {"tenant": tenant_id, "type": point_type, "purpose": purpose, "channel": channel}
    for start in range(0, len(ordered), 500):
        values["people"] = ordered[start : start + 500]
        cursor: Any = connection.execute(_STATEMENTS[every_no].several, values).cursor
        yield from grouped(cursor, lambda group: _situation(reading, group))


def grouped(cursor: Iterable[Raw], read: Callable[[list[Raw]], Situation]) -> Iterator[Situation]:
    """Group rows by their first column and read each group."""
    group: list[Raw] = []
    for row in cursor:
        if group and row[0] != group[0][0]:
            yield read(group)
            group = []
        group.append(row)
    if group:
        yield read(group)


def _situation(reading: Reading, rows: Sequence[Raw]) -> Situation:
    first = rows[0]
    person: dict[str, Any] = {"person.known": True}
    person.update(zip(_RECORDED, first[_AT_RECORDED:_AT_FLAGS], strict=True))
    for name, value in zip(_FLAGS, first[_AT_FLAGS:_AT_ANCHORS], strict=True):
        person[name] = bool(value)
    instant = reading.instant
    for name, value in zip(_ANCHORS, first[_AT_ANCHORS:_AT_BIRTH], strict=True):
        person[name] = instant(value)
    person[AGE] = born(first[_AT_BIRTH])
    return Situation(
        subject_ref=first[0],
        external_id=first[1],
        person=person,
        points=reading.points(rows, _AT_POINT, blind_at=3),
        cells=reading.cells(rows, _AT_CELL),
        bars=reading.bars(rows, _AT_BAR, _AT_POINT),
    )
