"""How fast a no reaches everybody who must know: from the click to the last system's acknowledgement."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.ledger.store import ledger_entry
from governance.outbox import store
from governance.outbox.model import ACTIVE, DEAD, PENDING, Spread
from governance.outbox.store import webhook_cursor, webhook_delivery
from governance.work import Snapshot

OPT_OUTS = (
    "consent.objected",
    "consent.point_suppressed",
    "consent.refused",
    "consent.suppressed",
    "consent.withdrawn",
)
"""The events that are a no: withdrawals by link or otherwise, objections, refusals, suppressions."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How the noes fare that are kept (a week). `systems` are those that want to hear of any of them.

    `told`: every system has acknowledged; `waiting`: one of them has yet to; `given_up`: one never did.
    `lag` is from the event to the last acknowledgement, of those that were told.
    """

    systems: tuple[str, ...]
    told: int
    waiting: int
    given_up: int
    lag: Spread


def of_opt_outs(snap: Snapshot) -> Reach:
    """How fast opt-outs reach all active webhooks that want them."""
    connection, tenant_id = snap.connection, snap.tenant_id
    active = [each for each in store.every(connection, tenant_id) if each.state == ACTIVE]
    listening = tuple(each.webhook_id for each in active if any(map(each.wants, OPT_OUTS)))
    if not listening:
        return Reach((), 0, 0, 0, Spread(None, None, None))
    seen = _seen_by_all(connection, tenant_id, listening)
    by_event = (
        sa.select(
            sa.func.max(webhook_delivery.c.lag_micros).label("lag"),
            _count_of(PENDING).label("pending"),
            _count_of(DEAD).label("dead"),
        )
        .where(
            webhook_delivery.c.tenant_id == tenant_id,
            webhook_delivery.c.webhook_id.in_(listening),
            webhook_delivery.c.kind.in_(OPT_OUTS),
            webhook_delivery.c.position <= seen,
        )
        .group_by(webhook_delivery.c.position)
    ).subquery()
    told = sa.and_(by_event.c.pending == 0, by_event.c.dead == 0)
    counts = connection.execute(
        sa.select(
            sa.func.count().filter(told),
            sa.func.count().filter(by_event.c.pending > 0),
            sa.func.count().filter(by_event.c.pending == 0, by_event.c.dead > 0),
        ).select_from(by_event)
    ).one()
    lag = store.spread(connection, sa.select(by_event.c.lag).where(told))
    return Reach(listening, counts[0], counts[1] + _not_seen(connection, tenant_id, seen), counts[2], lag)


def _count_of(state: str) -> sa.ColumnElement[int]:
    return sa.func.count().filter(webhook_delivery.c.state == state)


def _seen_by_all(connection: Connection, tenant_id: str, webhook_ids: tuple[str, ...]) -> int:
    """The position up to which each of these webhooks was asked about every event."""
    statement = sa.select(sa.func.min(webhook_cursor.c.position)).where(
        webhook_cursor.c.tenant_id == tenant_id, webhook_cursor.c.webhook_id.in_(webhook_ids)
    )
    return int(connection.execute(statement).scalar_one())


def _not_seen(connection: Connection, tenant_id: str, seen: int) -> int:
    statement = sa.select(sa.func.count()).where(
        ledger_entry.c.tenant_id == tenant_id,
        ledger_entry.c.position > seen,
        ledger_entry.c.kind.in_(OPT_OUTS),
    )
    return int(connection.execute(statement).scalar_one())
