"""Tables of the caps: what they say, how much of each window is taken, and by which message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.communications.caps import Cap, Full, Window, read_cap
from governance.database import Instant, Json, Prepared, is_sqlite, metadata

cap = sa.Table(
    "cap",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("cap_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", Json, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
)

cap_counter = sa.Table(
    "cap_counter",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, primary_key=True),
    sa.Column("cap_id", sa.Text, primary_key=True),
    sa.Column("window_start", Instant, primary_key=True),
    sa.Column("window_end", Instant, primary_key=True),
    sa.Column("taken", sa.Integer, nullable=False),
    sa.Index("cap_counter_window", "tenant_id", "cap_id", "window_end"),
    sqlite_with_rowid=False,
)
"""How many slots of a window are taken. Only `take_slot`, `give_slot` and a merge change it."""

cap_slot = sa.Table(
    "cap_slot",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("message_ref", sa.Text, primary_key=True),
    sa.Column("cap_id", sa.Text, primary_key=True),
    sa.Column("subject_ref", sa.Text, nullable=False),
    sa.Column("window_start", Instant, nullable=False),
    sa.Column("window_end", Instant, nullable=False),
    sa.Column("given_back_at", Instant),
    sa.Index("cap_slot_subject", "tenant_id", "subject_ref", "window_end"),
    sqlite_with_rowid=False,
)
"""Which message took a slot; `given_back_at` is set once, when it gives it back."""

_CAPS = Prepared(
    sa.select(cap.c.cap_id, cap.c.version, sa.type_coerce(cap.c.body, sa.Text))
    .where(cap.c.tenant_id == sa.bindparam("tenant"))
    .order_by(cap.c.cap_id)
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that a message holds."""

    cap_id: str
    subject_ref: str
    window_start: datetime
    window_end: datetime


def caps(connection: Connection, tenant_id: str) -> list[tuple[Any, ...]]:
    """Rows (id, version, body as JSON text) of every cap of the tenant, by id; on the path of every check."""
    return _CAPS.rows(connection, tenant=tenant_id)


def find(connection: Connection, tenant_id: str, cap_id: str) -> Cap | None:
    """The cap of this id."""
    query = sa.select(cap.c.version, cap.c.body).where(cap.c.tenant_id == tenant_id, cap.c.cap_id == cap_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else read_cap(cap_id, row.version, row.body)


def write(connection: Connection, tenant_id: str, new: Cap, *, at: datetime, event_id: str) -> bool:
    """Insert version 1 or replace version `new.version - 1`; False if another writer was faster."""
    values = {"version": new.version, "body": new.body(), "updated_at": at, "event_id": event_id}
    if new.version == 1:
        row = {"tenant_id": tenant_id, "cap_id": new.cap_id, **values}
        insert = _insert(connection, cap).values(row).on_conflict_do_nothing().returning(cap.c.cap_id)
        return connection.execute(insert).first() is not None
    which = (cap.c.tenant_id == tenant_id, cap.c.cap_id == new.cap_id, cap.c.version == new.version - 1)
    return connection.execute(sa.update(cap).where(*which).values(values)).rowcount == 1


def take_slot(
    connection: Connection, tenant_id: str, subject_ref: str, cap_id: str, window: Window, limit: int
) -> bool:
    """Take one slot of a window if one is left: one statement, so that N processes never take N + 1."""
    key = {
        "tenant_id": tenant_id,
        "subject_ref": subject_ref,
        "cap_id": cap_id,
        "window_start": window.start,
        "window_end": window.end,
    }
    statement = _insert(connection, cap_counter).values({**key, "taken": 1})
    statement = statement.on_conflict_do_update(
        index_elements=list(key),
        set_={"taken": cap_counter.c.taken + 1},
        where=cap_counter.c.taken < limit,
    )
    return connection.execute(statement.returning(cap_counter.c.taken)).first() is not None


def give_slot(connection: Connection, tenant_id: str, slot: Slot) -> None:
    """Make one slot of a window free again."""
    connection.execute(
        sa.update(cap_counter)
        .where(
            cap_counter.c.tenant_id == tenant_id,
            cap_counter.c.subject_ref == slot.subject_ref,
            cap_counter.c.cap_id == slot.cap_id,
            cap_counter.c.window_start == slot.window_start,
            cap_counter.c.window_end == slot.window_end,
            cap_counter.c.taken > 0,
        )
        .values(taken=cap_counter.c.taken - 1)
    )


def hold(connection: Connection, tenant_id: str, message_ref: str, slot: Slot) -> None:
    """Write down that a message holds a slot; one that it had given back is replaced."""
    held = {
        "subject_ref": slot.subject_ref,
        "window_start": slot.window_start,
        "window_end": slot.window_end,
        "given_back_at": None,
    }
    key = {"tenant_id": tenant_id, "message_ref": message_ref, "cap_id": slot.cap_id}
    statement = _insert(connection, cap_slot).values({**key, **held})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=held))


def held(connection: Connection, tenant_id: str, message_ref: str) -> set[str]:
    """The caps of which a message holds a slot."""
    query = sa.select(cap_slot.c.cap_id).where(
        cap_slot.c.tenant_id == tenant_id,
        cap_slot.c.message_ref == message_ref,
        cap_slot.c.given_back_at.is_(None),
    )
    return set(connection.execute(query).scalars())


def release(connection: Connection, tenant_id: str, message_ref: str, at: datetime) -> list[Slot]:
    """Take from a message the slots that it holds; whoever comes second gets none."""
    statement = (
        sa.update(cap_slot)
        .where(
            cap_slot.c.tenant_id == tenant_id,
            cap_slot.c.message_ref == message_ref,
            cap_slot.c.given_back_at.is_(None),
        )
        .values(given_back_at=at)
        .returning(*(cap_slot.c[name] for name in Slot.__slots__))
    )
    return sorted((Slot(*row) for row in connection.execute(statement)), key=lambda slot: slot.cap_id)


def full(
    connection: Connection,
    tenant_id: str,
    limits: Sequence[Cap],
    now: datetime,
    subject_ref: str | None = None,
) -> dict[str, list[Full]]:
    """Who has no slot left, person → caps by id, of these caps at `now`; of everyone, or of one person."""
    by_id = {each.cap_id: each for each in limits}
    query = sa.select(
        cap_counter.c.subject_ref, cap_counter.c.cap_id, cap_counter.c.window_end, cap_counter.c.taken
    ).where(
        cap_counter.c.tenant_id == tenant_id,
        cap_counter.c.cap_id.in_(list(by_id)),
        cap_counter.c.window_start <= now,
        cap_counter.c.window_end > now,
        cap_counter.c.taken >= min((each.limit for each in limits), default=1),
    )
    if subject_ref is not None:
        query = query.where(cap_counter.c.subject_ref == subject_ref)
    found: dict[str, list[Full]] = {}
    for ref, cap_id, ends, taken in connection.execute(query.order_by(cap_counter.c.cap_id)):
        each = by_id[cap_id]
        if taken >= each.limit:
            found.setdefault(ref, []).append(Full(cap_id, each.version, each.limit, ends))
    return found


def move(connection: Connection, tenant_id: str, from_ref: str, into_ref: str, now: datetime) -> None:
    """Count what one record has taken of running windows against another, when both are one person."""
    mine = (cap_counter.c.tenant_id == tenant_id, cap_counter.c.subject_ref == from_ref)
    running = sa.select(cap_counter).where(*mine, cap_counter.c.window_end > now)
    for row in connection.execute(running).mappings().all():
        statement = _insert(connection, cap_counter).values({**row, "subject_ref": into_ref})
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "subject_ref", "cap_id", "window_start", "window_end"],
                set_={"taken": cap_counter.c.taken + row["taken"]},
            )
        )
    connection.execute(sa.delete(cap_counter).where(*mine))
    connection.execute(
        sa.update(cap_slot)
        .where(
            cap_slot.c.tenant_id == tenant_id, cap_slot.c.subject_ref == from_ref, cap_slot.c.window_end > now
        )
        .values(subject_ref=into_ref)
    )


def _insert(connection: Connection, table: sa.Table) -> Any:
    return (sqlite if is_sqlite(connection) else postgresql).insert(table)
