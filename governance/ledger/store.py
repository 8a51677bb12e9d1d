"""The ledger's tables: heads, entries (insert only), hashes of complete subtrees, checkpoints."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, is_sqlite, metadata
from governance.ledger.merkle import Frontier, Node
from governance.ledger.model import Entry

NODE_LEVELS = (8, 16)
"""Levels whose complete subtrees are stored: 256 and 65,536 leaves."""

ledger_head = sa.Table(
    "ledger_head",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
)
"""One row a tenant: the lock that appends queue on. `frontier` is `Frontier.pack()`, `root` 32 bytes."""

ledger_entry = sa.Table(
    "ledger_entry",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject_ref", sa.Text),
    sa.Column("actor_ref", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("payload", sa.LargeBinary),
    sa.UniqueConstraint("tenant_id", "event_id", name="ledger_entry_event"),
    sa.Index("ledger_entry_subject", "tenant_id", "subject_ref", "position"),
)
"""The events. Triggers (`governance.ledger.triggers`) refuse every change but setting `payload` to NULL."""

ledger_node = sa.Table(
    "ledger_node",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("index_", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""Hashes of complete subtrees: node (level, index_) covers the 2**level leaves from index_ * 2**level on."""

ledger_checkpoint = sa.Table(
    "ledger_checkpoint",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
"""Signed checkpoints. `key_id` (8 hex digits) lets a quiet ledger be signed again after a change of keys."""


# Built once: every unit of work that records anything runs them.
_HEAD = sa.select(ledger_head).where(ledger_head.c.tenant_id == sa.bindparam("tenant"))
_HEAD_LOCKED = _HEAD.with_for_update()
_WRITE_HEAD = (
    sa.update(ledger_head)
    .where(ledger_head.c.tenant_id == sa.bindparam("tenant"))
    .values({name: sa.bindparam(name) for name in ("size", "frontier", "root")})
)
_ADD_ENTRIES = sa.insert(ledger_entry)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest state of a tenant's tree."""

    frontier: Frontier
    root: bytes

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it was signed."""

    size: int
    key_id: str
    note: str
    at: datetime


def head(connection: Connection, tenant_id: str) -> Head | None:
    """The tenant's head, or None before its first entry."""
    return _head(connection, _HEAD, tenant_id)


def lock_head(connection: Connection, tenant_id: str) -> Head:
    """Take the tenant's head lock until the end of the transaction; make the head if it is not there.

    PostgreSQL: a row lock. SQLite: the transaction holds the only write lock already (BEGIN IMMEDIATE).
    """
    found = _head(connection, _HEAD_LOCKED, tenant_id)
    if found is not None:
        return found
    empty = Frontier()
    _insert_new(
        connection,
        ledger_head,
        {"tenant_id": tenant_id, "size": 0, "frontier": empty.pack(), "root": empty.root()},
    )
    found = _head(connection, _HEAD_LOCKED, tenant_id)
    assert found is not None
    return found


def write_head(connection: Connection, tenant_id: str, frontier: Frontier, root: bytes) -> None:
    """Replace the head. Only while holding its lock."""
    connection.execute(
        _WRITE_HEAD,
        {"tenant": tenant_id, "size": frontier.size, "frontier": frontier.pack(), "root": root},
    )


def add_entries(connection: Connection, tenant_id: str, new: Sequence[Entry]) -> None:
    """Insert entries. Only while holding the head lock."""
    connection.execute(
        _ADD_ENTRIES,
        [
            {
                "tenant_id": tenant_id,
                "position": each.position,
                "event_id": each.event_id,
                "kind": each.kind,
                "subject_ref": each.subject_ref,
                "actor_ref": each.actor_ref,
                "at": each.at,
                "leaf": each.leaf,
                "leaf_hash": each.leaf_hash,
                "payload": each.payload,
            }
            for each in new
        ],
    )


def add_nodes(connection: Connection, tenant_id: str, nodes: Iterable[Node]) -> None:
    """Insert the hashes of subtrees that have become complete."""
    rows = [
        {"tenant_id": tenant_id, "level": each.level, "index_": each.index, "hash": each.hash}
        for each in nodes
    ]
    if rows:
        connection.execute(sa.insert(ledger_node), rows)


def entries(
    connection: Connection, tenant_id: str, *, after: int, limit: int, subject_ref: str | None = None
) -> list[Entry]:
    """Entries at positions greater than `after`, in order, at most `limit` of them."""
    which = sa.select(ledger_entry).where(
        ledger_entry.c.tenant_id == tenant_id, ledger_entry.c.position > after
    )
    if subject_ref is not None:
        which = which.where(ledger_entry.c.subject_ref == subject_ref)
    return [_entry(row) for row in connection.execute(which.order_by(ledger_entry.c.position).limit(limit))]


def entry_of(connection: Connection, tenant_id: str, event_id: str) -> Entry | None:
    """The entry of one event, if it was sealed."""
    row = connection.execute(
        sa.select(ledger_entry).where(
            ledger_entry.c.tenant_id == tenant_id, ledger_entry.c.event_id == event_id
        )
    ).one_or_none()
    return None if row is None else _entry(row)


def leaves(connection: Connection, tenant_id: str, *, until: int, after: int = -1) -> Iterator[Entry]:
    """All entries behind `after` and below `until`, in order, a thousand at a time, without payloads."""
    columns = [column for column in ledger_entry.c if column.name not in ("tenant_id", "payload")]
    while True:
        rows = connection.execute(
            sa.select(*columns)
            .where(
                ledger_entry.c.tenant_id == tenant_id,
                ledger_entry.c.position > after,
                ledger_entry.c.position < until,
            )
            .order_by(ledger_entry.c.position)
            .limit(1000)
        ).all()
        if not rows:
            return
        for row in rows:
            yield Entry(**row._mapping)
        after = rows[-1].position


def positions_between(
    connection: Connection, tenant_id: str, since: datetime, until: datetime
) -> tuple[int, int] | None:
    """The first and last position of what was recorded from `since` on, before `until`; None if nothing."""
    of = ledger_entry
    query = sa.select(sa.func.min(of.c.position), sa.func.max(of.c.position)).where(
        of.c.tenant_id == tenant_id, of.c.at >= since, of.c.at < until
    )
    first, last = connection.execute(query).one()
    return None if first is None else (first, last)


def clear_payloads(connection: Connection, tenant_id: str, subject_ref: str) -> int:
    """Remove a person's sealed payloads, with the salts inside them; return how many. Leaves stay."""
    done = connection.execute(
        sa.update(ledger_entry)
        .where(
            ledger_entry.c.tenant_id == tenant_id,
            ledger_entry.c.subject_ref == subject_ref,
            ledger_entry.c.payload.is_not(None),
        )
        .values(payload=None)
    )
    return done.rowcount


def hashes(connection: Connection, tenant_id: str, *, level: int, first: int, count: int) -> list[bytes]:
    """`count` hashes of one level from index `first` on: of leaves (level 0) or of stored nodes."""
    if level == 0:
        at, wanted = ledger_entry.c.position, ledger_entry.c.leaf_hash
        which = sa.select(wanted).where(ledger_entry.c.tenant_id == tenant_id)
    else:
        at, wanted = ledger_node.c.index_, ledger_node.c.hash
        which = sa.select(wanted).where(ledger_node.c.tenant_id == tenant_id, ledger_node.c.level == level)
    rows = connection.execute(which.where(at >= first, at < first + count).order_by(at))
    return [bytes(row[0]) for row in rows]


def add_checkpoint(connection: Connection, tenant_id: str, new: StoredCheckpoint) -> None:
    """Insert a checkpoint unless this key has signed this size before."""
    _insert_new(
        connection,
        ledger_checkpoint,
        {"tenant_id": tenant_id, "size": new.size, "key_id": new.key_id, "note": new.note, "at": new.at},
    )


def checkpoint_at(
    connection: Connection, tenant_id: str, *, size: int, key_id: str
) -> StoredCheckpoint | None:
    """The checkpoint of this size by this key, if there is one."""
    return _checkpoint(
        connection,
        _checkpoints(tenant_id).where(ledger_checkpoint.c.size == size, ledger_checkpoint.c.key_id == key_id),
    )


def latest_checkpoint(connection: Connection, tenant_id: str) -> StoredCheckpoint | None:
    """The checkpoint of the greatest size; of several, the one signed last."""
    newest = _checkpoints(tenant_id).order_by(
        ledger_checkpoint.c.size.desc(), ledger_checkpoint.c.at.desc(), ledger_checkpoint.c.key_id
    )
    return _checkpoint(connection, newest.limit(1))


def _checkpoints(tenant_id: str) -> sa.Select[Any]:
    return sa.select(ledger_checkpoint).where(ledger_checkpoint.c.tenant_id == tenant_id)


def _checkpoint(connection: Connection, which: sa.Select[Any]) -> StoredCheckpoint | None:
    row = connection.execute(which).one_or_none()
    return None if row is None else StoredCheckpoint(row.size, row.key_id, row.note, row.at)


def _head(connection: Connection, which: sa.Select[Any], tenant_id: str) -> Head | None:
    row = connection.execute(which, {"tenant": tenant_id}).one_or_none()
    if row is None:
        return None
    return Head(Frontier.unpack(row.size, bytes(row.frontier)), bytes(row.root))


def _entry(row: sa.Row[Any]) -> Entry:
    values = dict(row._mapping)
    del values["tenant_id"]
    return Entry(**values)


def _insert_new(connection: Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Insert a row unless its key is there already (both databases spell this differently)."""
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    connection.execute(insert(table).values(values).on_conflict_do_nothing())
