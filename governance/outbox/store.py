"""Tables of the outbox: webhooks, where each is in the ledger, and each event on its way."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, metadata
from governance.outbox.model import ACTIVE, DELIVERED, PENDING, Delivery, Spread, Webhook

webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("types", Json, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("because", sa.Text),
    sa.Column("secret_version", sa.Integer, nullable=False),
    sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
    sa.Column("previous_sealed", sa.LargeBinary),
    sa.Column("previous_until", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("country", sa.Text),
)
"""The webhooks. `ref` is random and new whenever an id is used again; secrets are sealed for it."""

webhook_cursor = sa.Table(
    "webhook_cursor",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("resumes_at", Instant),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("until", Instant),
)
"""How far each webhook is: every entry up to `position` was looked at. Also its lease."""

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("webhook_id", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_tried_at", Instant, nullable=False),
    sa.Column("last_tried_at", Instant, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("problem", sa.Text),
    sa.Column("lag_micros", sa.BigInteger),
    sa.Index("webhook_delivery_state", "tenant_id", "webhook_id", "state", "next_at"),
    sa.Index("webhook_delivery_age", "tenant_id", "last_tried_at"),
)
"""What was sent, is to be sent again, or was given up. Events that were never tried have no row."""

_WEBHOOK = [webhook.c[name] for name in Webhook.__slots__]


def add(connection: Connection, tenant_id: str, new: Webhook, sealed: bytes, event_id: str) -> None:
    """Insert a webhook."""
    values = {name: getattr(new, name) for name in Webhook.__slots__}
    values |= {
        "tenant_id": tenant_id,
        "types": list(new.types),
        "secret_sealed": sealed,
        "event_id": event_id,
    }
    connection.execute(sa.insert(webhook).values(values))


def add_cursor(connection: Connection, tenant_id: str, webhook_id: str, position: int) -> None:
    """Let a webhook begin behind this position."""
    row = {"tenant_id": tenant_id, "webhook_id": webhook_id, "position": position, "failures": 0, "fence": 0}
    connection.execute(sa.insert(webhook_cursor).values(row))


def change(connection: Connection, tenant_id: str, webhook_id: str, values: dict[str, Any]) -> None:
    """Change some members of a webhook."""
    connection.execute(sa.update(webhook).where(_of(webhook, tenant_id, webhook_id)).values(values))


def forget_troubles(connection: Connection, tenant_id: str, webhook_id: str, now: datetime) -> None:
    """Let a webhook be tried at once, with all that waits for it."""
    connection.execute(
        sa.update(webhook_cursor)
        .where(_of(webhook_cursor, tenant_id, webhook_id))
        .values(failures=0, resumes_at=None)
    )
    hurry(connection, tenant_id, webhook_id, now)


def remove(connection: Connection, tenant_id: str, webhook_id: str) -> None:
    """Remove a webhook with its secrets, its place and its deliveries."""
    for table in (webhook_cursor, webhook_delivery, webhook):
        connection.execute(sa.delete(table).where(_of(table, tenant_id, webhook_id)))


def find(connection: Connection, tenant_id: str, webhook_id: str, *, lock: bool = False) -> Webhook | None:
    """The webhook of this id, if there is one."""
    wanted = sa.select(*_WEBHOOK).where(_of(webhook, tenant_id, webhook_id))
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _webhook(row)


def every(connection: Connection, tenant_id: str) -> list[Webhook]:
    """All webhooks of the tenant, by id."""
    wanted = sa.select(*_WEBHOOK).where(webhook.c.tenant_id == tenant_id).order_by(webhook.c.webhook_id)
    return [_webhook(row) for row in connection.execute(wanted)]


def secrets(connection: Connection, tenant_id: str, webhook_id: str) -> tuple[bytes, bytes | None]:
    """The sealed secrets of a webhook: the present one and the one before, if that is still kept."""
    row = connection.execute(
        sa.select(webhook.c.secret_sealed, webhook.c.previous_sealed).where(
            _of(webhook, tenant_id, webhook_id)
        )
    ).one()
    return bytes(row[0]), None if row[1] is None else bytes(row[1])


def hurry(connection: Connection, tenant_id: str, webhook_id: str, now: datetime) -> None:
    """Make all that waits for a webhook due."""
    connection.execute(
        sa.update(webhook_delivery)
        .where(
            _of(webhook_delivery, tenant_id, webhook_id),
            webhook_delivery.c.state == PENDING,
            webhook_delivery.c.next_at > now,
        )
        .values(next_at=now)
    )


def due(connection: Connection, tenant_id: str, webhook_id: str, now: datetime, limit: int) -> list[Delivery]:
    """What is to be tried again by now, in the order of the ledger."""
    return _deliveries(
        connection,
        sa.select(webhook_delivery)
        .where(
            _of(webhook_delivery, tenant_id, webhook_id),
            webhook_delivery.c.state == PENDING,
            webhook_delivery.c.next_at <= now,
        )
        .order_by(webhook_delivery.c.position)
        .limit(limit),
    )


def put_delivery(connection: Connection, tenant_id: str, webhook_id: str, done: Delivery) -> None:
    """Write how an event fares: a first attempt makes the row, a further one replaces it."""
    values = {
        "state": done.state,
        "attempts": done.attempts,
        "last_tried_at": done.last_tried_at,
        "next_at": done.next_at,
        "problem": done.problem,
        "lag_micros": None if done.lag is None else done.lag // timedelta(microseconds=1),
    }
    if done.attempts > 1:
        connection.execute(
            sa.update(webhook_delivery)
            .where(_of(webhook_delivery, tenant_id, webhook_id), webhook_delivery.c.position == done.position)
            .values(values)
        )
        return
    values |= {
        "tenant_id": tenant_id,
        "webhook_id": webhook_id,
        "position": done.position,
        "event_id": done.event_id,
        "kind": done.kind,
        "recorded_at": done.recorded_at,
        "first_tried_at": done.first_tried_at,
    }
    connection.execute(sa.insert(webhook_delivery).values(values))


def deliveries(
    connection: Connection, tenant_id: str, webhook_id: str, *, state: str | None, before: int, limit: int
) -> list[Delivery]:
    """What was tried at positions below `before`, the newest first; all, or those in one state."""
    wanted = sa.select(webhook_delivery).where(
        _of(webhook_delivery, tenant_id, webhook_id), webhook_delivery.c.position < before
    )
    if state is not None:
        wanted = wanted.where(webhook_delivery.c.state == state)
    return _deliveries(connection, wanted.order_by(webhook_delivery.c.position.desc()).limit(limit))


def counts(connection: Connection, tenant_id: str, webhook_id: str) -> dict[str, int]:
    """How many events are in which state."""
    rows = connection.execute(
        sa.select(webhook_delivery.c.state, sa.func.count())
        .where(_of(webhook_delivery, tenant_id, webhook_id))
        .group_by(webhook_delivery.c.state)
    )
    return {row[0]: row[1] for row in rows}


def lag(connection: Connection, tenant_id: str, webhook_id: str) -> Spread:
    """How long this webhook's receiver took to acknowledge, from the event on."""
    return spread(
        connection,
        sa.select(webhook_delivery.c.lag_micros.label("lag")).where(
            _of(webhook_delivery, tenant_id, webhook_id), webhook_delivery.c.state == DELIVERED
        ),
    )


def lag_of_all(connection: Connection, tenant_id: str) -> Spread:
    """How long the last of all active webhooks took, for the events that none of them still waits for."""
    active = (
        sa.select(webhook.c.webhook_id)
        .where(webhook.c.tenant_id == tenant_id, webhook.c.state == ACTIVE)
        .scalar_subquery()
    )
    seen = (
        sa.select(sa.func.min(webhook_cursor.c.position))
        .where(webhook_cursor.c.tenant_id == tenant_id, webhook_cursor.c.webhook_id.in_(active))
        .scalar_subquery()
    )
    return spread(
        connection,
        sa.select(sa.func.max(webhook_delivery.c.lag_micros).label("lag"))
        .where(
            webhook_delivery.c.tenant_id == tenant_id,
            webhook_delivery.c.webhook_id.in_(active),
            webhook_delivery.c.position <= seen,
        )
        .group_by(webhook_delivery.c.position)
        .having(sa.func.count() == sa.func.count(webhook_delivery.c.lag_micros)),
    )


def prune(connection: Connection, tenant_id: str, *, delivered: datetime, dead: datetime) -> int:
    """Forget what was delivered or given up before these instants; return how many."""
    old = webhook_delivery.c.last_tried_at
    gone = connection.execute(
        sa.delete(webhook_delivery).where(
            webhook_delivery.c.tenant_id == tenant_id,
            webhook_delivery.c.state != PENDING,
            sa.or_(sa.and_(webhook_delivery.c.state == DELIVERED, old < delivered), old < dead),
        )
    )
    return gone.rowcount


def _of(table: sa.Table, tenant_id: str, webhook_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant_id == tenant_id, table.c.webhook_id == webhook_id)


def spread(connection: Connection, lags: sa.Select[Any]) -> Spread:
    """The middle, the 95th of a hundred and the greatest (nearest rank), found by the database."""
    found = lags.subquery()
    total: int = connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()
    if not total:
        return Spread(None, None, None)

    def at(share: int) -> timedelta:
        rank = -(-total * share // 100) - 1
        value = connection.execute(
            sa.select(found.c.lag).order_by(found.c.lag).offset(rank).limit(1)
        ).scalar_one()
        return timedelta(microseconds=int(value))

    return Spread(at(50), at(95), at(100))


def _webhook(row: sa.Row[Any]) -> Webhook:
    values = dict(row._mapping)
    return Webhook(**(values | {"types": tuple(values["types"])}))


def _deliveries(connection: Connection, which: sa.Select[Any]) -> list[Delivery]:
    found = []
    for row in connection.execute(which):
        values = {name: row._mapping[name] for name in Delivery.__slots__ if name != "lag"}
        micros = row.lag_micros
        found.append(Delivery(**values, lag=None if micros is None else timedelta(microseconds=micros)))
    return found
