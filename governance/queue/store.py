"""Tables of the queue. They stand outside row-level security: names of work, ids and instants only."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from governance.database import Instant, is_sqlite, metadata
from governance.queue.model import DONE, FAILED, WAITING, Claim

queue_slot = sa.Table(
    "queue_slot",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("slot", sa.Text, primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("stands_for", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("until", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("done", sa.BigInteger),
    sa.Column("problem", sa.Text),
    sa.Index("queue_slot_due", "state", "next_at"),
    sa.Index("queue_slot_leased", "state", "until"),
    sa.Index("queue_slot_ended", "kind", "ended_at"),
)

queue_kind = sa.Table(
    "queue_kind",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("every_seconds", sa.BigInteger),
    sa.Column("latest", Instant),
    sa.Column("missed", sa.BigInteger, nullable=False),
    sa.Column("overlapped", sa.BigInteger, nullable=False),
    sa.Column("runs", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("given_up", sa.BigInteger, nullable=False),
)
"""What is known of a kind of work. `latest`: the newest slot that was offered; never goes back, so that a
scheduler that was asleep cannot offer again what is done and forgotten. `runs`, `failures` and `given_up` are
those of forgotten slots only: a row that every ending wrote to would let all wait for one that is paused."""

_ZEROES = dict.fromkeys(("missed", "overlapped", "runs", "failures", "given_up"), 0)


def add_kind(connection: Connection, kind: str) -> None:
    """Note that there is this kind of work, unless it is known."""
    _insert_missing(connection, queue_kind, [{"kind": kind, **_ZEROES}])


def latest(connection: Connection, kind: str) -> datetime | None:
    """The newest slot that was offered, if there was one. Takes no lock."""
    found: datetime | None = connection.scalar(
        sa.select(queue_kind.c.latest).where(queue_kind.c.kind == kind)
    )
    return found


def lock_latest(connection: Connection, kind: str) -> datetime | None:
    """The same, with the kind's row locked until the end of the transaction: offers come one by one."""
    found: datetime | None = connection.scalar(
        sa.select(queue_kind.c.latest).where(queue_kind.c.kind == kind).with_for_update()
    )
    return found


def set_offered(
    connection: Connection, kind: str, every_seconds: int, latest: datetime, missed: int, overlapped: int
) -> None:
    """Keep how far the timetable of a kind has come."""
    connection.execute(
        sa.update(queue_kind)
        .where(queue_kind.c.kind == kind)
        .values(
            every_seconds=every_seconds,
            latest=latest,
            missed=queue_kind.c.missed + missed,
            overlapped=queue_kind.c.overlapped + overlapped,
        )
    )


def add_slots(
    connection: Connection, kind: str, slots: Sequence[tuple[str, datetime]], *, stands_for: int = 1
) -> int:
    """Queue the slots, names and instants, that are not there yet; how many."""
    rows = [
        {
            "kind": kind,
            "slot": slot,
            "due_at": due_at,
            "stands_for": stands_for,
            "state": WAITING,
            "next_at": due_at,
            "fence": 0,
            "attempts": 0,
            "failures": 0,
        }
        for slot, due_at in slots
    ]
    return _insert_missing(connection, queue_slot, rows)


def stand_for(connection: Connection, kind: str, count: int, now: datetime) -> bool:
    """Let a slot that waits for somebody stand for so many more; False if none of this kind waits.

    Passes over rows that somebody else has in hand: they may be claimed this very moment.
    """
    slot = connection.scalar(
        sa.select(queue_slot.c.slot)
        .where(queue_slot.c.kind == kind, _free(now))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if slot is None:
        return False
    connection.execute(
        sa.update(queue_slot)
        .where(queue_slot.c.kind == kind, queue_slot.c.slot == slot)
        .values(stands_for=queue_slot.c.stands_for + count)
    )
    return True


def claimable(connection: Connection, kinds: Collection[str], now: datetime) -> bool:
    """Whether some slot of these kinds can be claimed now. Takes no lock."""
    return connection.execute(_next(kinds, now, queue_slot.c.slot)).first() is not None


def take(
    connection: Connection,
    kinds: Collection[str],
    owner: str,
    now: datetime,
    until: datetime,
    *,
    slot: str | None = None,
) -> Claim | None:
    """Claim the slot that has been due longest (or this very one); None if none is free."""
    query = _next(kinds, now, queue_slot)
    if slot is not None:
        query = query.where(queue_slot.c.slot == slot)
    row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    connection.execute(
        sa.update(queue_slot)
        .where(queue_slot.c.kind == row.kind, queue_slot.c.slot == row.slot)
        .values(
            owner=owner,
            fence=queue_slot.c.fence + 1,
            until=until,
            attempts=queue_slot.c.attempts + 1,
            started_at=now,
        )
    )
    return Claim(
        row.kind, row.slot, row.fence + 1, owner, row.due_at, until, row.attempts + 1, row.stands_for
    )


def renew(connection: Connection, claim: Claim, until: datetime) -> bool:
    """Stretch the lease; False if it is no longer ours."""
    return _change(connection, claim, {"until": until})


def holds(connection: Connection, claim: Claim) -> bool:
    """Whether the claim is still the newest; keeps it so until the end of this transaction.

    On PostgreSQL by a shared lock that a claim must wait for, but neither a sign of life nor another
    transaction of the same run. On SQLite the transaction is the only one that writes.
    """
    query = sa.select(queue_slot.c.fence).where(*_ours(claim)).with_for_update(read=True, key_share=True)
    return connection.execute(query).first() is not None


def finish(connection: Connection, claim: Claim, now: datetime, done: int) -> bool:
    """Write that the slot is done; False, nothing written, if the claim is no longer ours."""
    end = {"state": DONE, "ended_at": now, "done": done, "problem": None, "owner": None, "until": None}
    return _change(connection, claim, end)


def release(connection: Connection, claim: Claim, now: datetime) -> bool:
    """Give the slot back as if it had not been claimed; False if the claim is no longer ours."""
    free = {"owner": None, "until": None, "next_at": now, "attempts": claim.attempt - 1}
    return _change(connection, claim, free)


def fail(connection: Connection, claim: Claim, now: datetime, next_at: datetime | None, problem: str) -> bool:
    """Write that an attempt failed: to come again at `next_at`, or given up (None). False if not ours."""
    values: dict[str, object] = {"owner": None, "until": None, "ended_at": now, "problem": problem}
    values["failures"] = queue_slot.c.failures + 1
    values |= {"state": FAILED} if next_at is None else {"next_at": next_at}
    return _change(connection, claim, values)


def running(connection: Connection, now: datetime) -> dict[str, int]:
    """How many slots of each kind are under a lease. Looks at those only, however long the backlog is."""
    rows = connection.execute(
        sa.select(queue_slot.c.kind, sa.func.count().label("leases"))
        .where(queue_slot.c.state == WAITING, queue_slot.c.until > now)
        .group_by(queue_slot.c.kind)
    )
    return {row.kind: row.leases for row in rows}


def is_finished(connection: Connection, claim: Claim) -> bool:
    """Whether the slot was finished under this very claim."""
    query = sa.select(queue_slot.c.fence).where(
        queue_slot.c.kind == claim.kind,
        queue_slot.c.slot == claim.slot,
        queue_slot.c.fence == claim.fence,
        queue_slot.c.state == DONE,
    )
    return connection.execute(query).first() is not None


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        queue_slot.c.state == WAITING, sa.or_(queue_slot.c.until.is_(None), queue_slot.c.until <= now)
    )


def _next(kinds: Collection[str], now: datetime, *columns: Any) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .where(queue_slot.c.kind.in_(kinds), _free(now), queue_slot.c.next_at <= now)
        .order_by(queue_slot.c.next_at, queue_slot.c.kind, queue_slot.c.slot)
        .limit(1)
    )


def _ours(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        queue_slot.c.kind == claim.kind,
        queue_slot.c.slot == claim.slot,
        queue_slot.c.state == WAITING,
        queue_slot.c.fence == claim.fence,
        queue_slot.c.owner == claim.owner,
    )


def _change(connection: Connection, claim: Claim, values: Mapping[str, object]) -> bool:
    return connection.execute(sa.update(queue_slot).where(*_ours(claim)).values(values)).rowcount == 1


def _insert_missing(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> int:
    """Insert rows whose key is not there yet; how many were new."""
    dialect = sqlite if is_sqlite(connection) else postgresql
    insert = dialect.insert(table).on_conflict_do_nothing().returning(table.c.kind)
    return sum(connection.execute(insert, row).first() is not None for row in rows)
