"""What the queue has done and has before it, counted; and what is forgotten of it, with its counts kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant
from governance.queue.model import DONE, FAILED, WAITING
from governance.queue.store import queue_kind, queue_slot

_COUNTED = (
    sa.func.count().filter(queue_slot.c.state == DONE).label("runs"),
    sa.func.sum(queue_slot.c.failures).label("failures"),
    sa.func.count().filter(queue_slot.c.state == FAILED).label("given_up"),
)


def kinds(connection: Connection) -> Sequence[sa.Row[Any]]:
    """All kinds of work, by name."""
    return connection.execute(sa.select(queue_kind).order_by(queue_kind.c.kind)).all()


def unfinished(connection: Connection, now: datetime) -> Sequence[sa.Row[Any]]:
    """Of each kind with unfinished slots: `due` and `oldest` of the free ones, `running` and `since`."""
    taken = queue_slot.c.until > now
    free = sa.and_(
        sa.or_(queue_slot.c.until.is_(None), queue_slot.c.until <= now), queue_slot.c.due_at <= now
    )
    return connection.execute(
        sa.select(
            queue_slot.c.kind,
            sa.func.count().filter(free).label("due"),
            sa.type_coerce(sa.func.min(queue_slot.c.due_at).filter(free), Instant).label("oldest"),
            sa.func.count().filter(taken).label("running"),
            sa.type_coerce(sa.func.min(queue_slot.c.started_at).filter(taken), Instant).label("since"),
        )
        .where(queue_slot.c.state == WAITING)
        .group_by(queue_slot.c.kind)
    ).all()


def misses(connection: Connection, since: datetime, limit: int) -> Sequence[sa.Row[Any]]:
    """The slots due since an instant that stood for others, newest first."""
    return connection.execute(
        sa.select(queue_slot)
        .where(queue_slot.c.due_at >= since, queue_slot.c.stands_for > 1)
        .order_by(queue_slot.c.due_at.desc(), queue_slot.c.kind)
        .limit(limit)
    ).all()


def totals(connection: Connection) -> Sequence[sa.Row[Any]]:
    """Of each kind with slots: `runs`, `failures`, `given_up`, and when the last attempt ended (`ended`)."""
    return connection.execute(
        sa.select(
            queue_slot.c.kind,
            *_COUNTED,
            sa.type_coerce(sa.func.max(queue_slot.c.ended_at), Instant).label("ended"),
        ).group_by(queue_slot.c.kind)
    ).all()


def ended(connection: Connection, kind: str, at: datetime) -> sa.Row[Any]:
    """A slot of this kind whose last attempt ended at this very instant."""
    query = sa.select(queue_slot).where(queue_slot.c.kind == kind, queue_slot.c.ended_at == at)
    return connection.execute(query.order_by(queue_slot.c.slot.desc()).limit(1)).one()


def prune(connection: Connection, *, dull: datetime, done: datetime, failed: datetime) -> int:
    """Forget slots that ended before these instants, and keep their counts; how many.

    `dull` is for slots of a timetable in which nothing was to be done.
    """
    timed = sa.select(queue_kind.c.kind).where(queue_kind.c.every_seconds.is_not(None))
    old = sa.or_(
        sa.and_(queue_slot.c.state == DONE, queue_slot.c.ended_at < done),
        sa.and_(queue_slot.c.state == FAILED, queue_slot.c.ended_at < failed),
        sa.and_(
            queue_slot.c.state == DONE,
            queue_slot.c.ended_at < dull,
            queue_slot.c.done == 0,
            queue_slot.c.stands_for == 1,
            queue_slot.c.failures == 0,
            queue_slot.c.kind.in_(timed),
        ),
    )
    for row in connection.execute(
        sa.select(queue_slot.c.kind, *_COUNTED).where(old).group_by(queue_slot.c.kind)
    ).all():
        connection.execute(
            sa.update(queue_kind)
            .where(queue_kind.c.kind == row.kind)
            .values(
                {name: queue_kind.c[name] + row._mapping[name] for name in ("runs", "failures", "given_up")}
            )
        )
    return connection.execute(sa.delete(queue_slot).where(old)).rowcount
