"""Statements about consent events and consent state."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.consent.model import ALL, Cell
from governance.consent.projection import RETROACTIVE, ConsentEvent, Place
from governance.consent.tables import consent_event, consent_state
from governance.database import is_sqlite

_EVENT = [consent_event.c[name] for name in ConsentEvent.__slots__]
_CELL = [consent_state.c[name] for name in Cell.__slots__]
_KEY = ("tenant_id", "subject_ref", "purpose", "controller", "channel", "topic", "point_ref", "kind")
_CHUNK = 400

# Built once: composing a statement takes longer than running it.
_OF_PERSON = sa.and_(
    consent_state.c.tenant_id == sa.bindparam("tenant"), consent_state.c.subject_ref == sa.bindparam("person")
)
_CELLS_OF = sa.select(*_CELL).where(_OF_PERSON)
_CELLS_ABOUT = _CELLS_OF.where(
    consent_state.c.purpose.in_(sa.bindparam("purposes", expanding=True)),
    consent_state.c.topic.in_(sa.bindparam("topics", expanding=True)),
)
_LAST_SEQ = sa.select(sa.func.max(consent_event.c.seq)).where(
    consent_event.c.tenant_id == sa.bindparam("tenant"), consent_event.c.subject_ref == sa.bindparam("person")
)


def add_events(connection: Connection, tenant_id: str, events: Sequence[ConsentEvent]) -> None:
    """Append events; IntegrityError if a sequence number is taken."""
    if events:
        rows = [
            {"tenant_id": tenant_id, **{name: getattr(event, name) for name in ConsentEvent.__slots__}}
            for event in events
        ]
        connection.execute(sa.insert(consent_event), rows)


def events_of(connection: Connection, tenant_id: str, subject_ref: str) -> list[ConsentEvent]:
    """All events of a person, in sequence."""
    statement = (
        sa.select(*_EVENT)
        .where(consent_event.c.tenant_id == tenant_id, consent_event.c.subject_ref == subject_ref)
        .order_by(consent_event.c.seq)
    )
    return [ConsentEvent(*row) for row in connection.execute(statement)]


def events_at(
    connection: Connection, tenant_id: str, subject_ref: str, kind: str, place: Sequence[str]
) -> list[ConsentEvent]:
    """A person's events of one kind at a purpose, controller, channel and topic, in sequence.

    With all the person's releases and voids: what is needed to fold the cells there anew.
    """
    columns = (consent_event.c[name] for name in _KEY[2:6])
    there = [column == value for column, value in zip(columns, place, strict=True)]
    statement = (
        sa.select(*_EVENT)
        .where(
            consent_event.c.tenant_id == tenant_id,
            consent_event.c.subject_ref == subject_ref,
            sa.or_(
                sa.and_(consent_event.c.kind == kind, *there), consent_event.c.status.in_(sorted(RETROACTIVE))
            ),
        )
        .order_by(consent_event.c.seq)
    )
    return [ConsentEvent(*row) for row in connection.execute(statement)]


def events_of_act(connection: Connection, tenant_id: str, consent_id: str) -> list[ConsentEvent]:
    """The events that carry this act's id (a merge repeats them under the surviving person), in sequence."""
    statement = (
        sa.select(*_EVENT)
        .where(consent_event.c.tenant_id == tenant_id, consent_event.c.consent_id == consent_id)
        .order_by(consent_event.c.subject_ref, consent_event.c.seq)
    )
    return [ConsentEvent(*row) for row in connection.execute(statement)]


def last_seq(connection: Connection, tenant_id: str, subject_ref: str) -> int:
    """The greatest sequence number of a person; 0 before the first event."""
    return connection.scalar(_LAST_SEQ, {"tenant": tenant_id, "person": subject_ref}) or 0


def last_seqs(connection: Connection, tenant_id: str, subject_refs: Iterable[str]) -> dict[str, int]:
    """The greatest sequence number of each of these persons who has any events."""
    found: dict[str, int] = {}
    for part in _parts(subject_refs):
        statement = (
            sa.select(consent_event.c.subject_ref, sa.func.max(consent_event.c.seq))
            .where(consent_event.c.tenant_id == tenant_id, consent_event.c.subject_ref.in_(part))
            .group_by(consent_event.c.subject_ref)
        )
        found.update((row[0], row[1]) for row in connection.execute(statement))
    return found


def cells_of(connection: Connection, tenant_id: str, subject_ref: str) -> dict[Place, Cell]:
    """The stored state of a person."""
    rows = connection.execute(_CELLS_OF, {"tenant": tenant_id, "person": subject_ref})
    return {cell.place: cell for cell in (Cell(*row) for row in rows)}


def cells_about(
    connection: Connection, tenant_id: str, subject_ref: str, events: Sequence[ConsentEvent]
) -> dict[Place, Cell]:
    """A person's cells that these events touch, and all that bear on what holds there.

    What is said about other purposes or topics bears on nothing here (`model.no_covers`, `yes_covers`): of
    somebody with a thousand topics only those asked about are read.
    """
    named = {
        "tenant": tenant_id,
        "person": subject_ref,
        "purposes": sorted({ALL, *(event.purpose for event in events)}),
        "topics": sorted({ALL, *(event.topic for event in events)}),
    }
    rows = connection.execute(_CELLS_ABOUT, named)
    return {cell.place: cell for cell in (Cell(*row) for row in rows)}


def cells_of_many(
    connection: Connection, tenant_id: str, subject_refs: Iterable[str]
) -> dict[str, dict[Place, Cell]]:
    """The stored states of several persons, by reference; persons without any are not listed."""
    found: dict[str, dict[Place, Cell]] = {}
    for part in _parts(subject_refs):
        statement = sa.select(consent_state.c.subject_ref, *_CELL).where(
            consent_state.c.tenant_id == tenant_id, consent_state.c.subject_ref.in_(part)
        )
        for row in connection.execute(statement):
            cell = Cell(*row[1:])
            found.setdefault(row[0], {})[cell.place] = cell
    return found


def put_cells(connection: Connection, tenant_id: str, cells: Mapping[str, Sequence[Cell]]) -> None:
    """Write cells by person, over what is there."""
    rows: list[dict[str, Any]] = [
        {
            "tenant_id": tenant_id,
            "subject_ref": subject_ref,
            **{name: getattr(cell, name) for name in Cell.__slots__},
        }
        for subject_ref, changed in cells.items()
        for cell in changed
    ]
    if not rows:
        return
    connection.execute(_UPSERT_SQLITE if is_sqlite(connection) else _UPSERT_POSTGRESQL, rows)


def _upsert(statement: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    """Let an insert of cells write over what is there."""
    said = [name for name in Cell.__slots__ if name.startswith(("neg_", "pos_"))]
    return statement.on_conflict_do_update(
        index_elements=_KEY, set_={name: statement.excluded[name] for name in said}
    )


_UPSERT_SQLITE = _upsert(sqlite.insert(consent_state))
_UPSERT_POSTGRESQL = _upsert(postgresql.insert(consent_state))


def remove_cells(connection: Connection, tenant_id: str, subject_ref: str, places: Sequence[Place]) -> None:
    """Delete cells of a person."""
    for place in places:
        key = zip(_KEY[2:], place, strict=True)
        connection.execute(
            sa.delete(consent_state).where(
                consent_state.c.tenant_id == tenant_id,
                consent_state.c.subject_ref == subject_ref,
                *(consent_state.c[name] == value for name, value in key),
            )
        )


def _parts(subject_refs: Iterable[str]) -> Iterable[list[str]]:
    """Cut a list of references into lists that every database takes in one statement."""
    every = list(dict.fromkeys(subject_refs))
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]
