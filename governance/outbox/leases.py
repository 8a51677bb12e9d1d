"""Who sends to which webhook: a lease in time, and a fence that a worker who lost it cannot pass.

Each function is one statement, atomic on both databases, in a transaction that the caller opens.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.outbox.model import ACTIVE, PENDING
from governance.outbox.store import webhook, webhook_cursor, webhook_delivery

LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send to one webhook; `fence` tells this turn from every other. `position`: done so far."""

    webhook_id: str
    owner: str
    fence: int
    position: int
    failures: int


def waiting(connection: Connection, tenant_id: str, head: int, now: datetime) -> list[str]:
    """The active webhooks that nobody serves and that have something to be sent, by id.

    `head` is the number of entries in the ledger.
    """
    due = sa.exists().where(
        webhook_delivery.c.tenant_id == tenant_id,
        webhook_delivery.c.webhook_id == webhook_cursor.c.webhook_id,
        webhook_delivery.c.state == PENDING,
        webhook_delivery.c.next_at <= now,
    )
    rows = connection.execute(
        sa.select(webhook.c.webhook_id)
        .join(
            webhook_cursor,
            sa.and_(
                webhook_cursor.c.tenant_id == webhook.c.tenant_id,
                webhook_cursor.c.webhook_id == webhook.c.webhook_id,
            ),
        )
        .where(
            webhook.c.tenant_id == tenant_id,
            webhook.c.state == ACTIVE,
            _free(now),
            sa.or_(webhook_cursor.c.position < head - 1, due),
        )
        .order_by(webhook.c.webhook_id)
    )
    return [row[0] for row in rows]


def claim(connection: Connection, tenant_id: str, webhook_id: str, owner: str, now: datetime) -> Lease | None:
    """Take the lease if it is free; None if somebody has it or the receiver is to be left alone."""
    mine = sa.and_(webhook_cursor.c.tenant_id == tenant_id, webhook_cursor.c.webhook_id == webhook_id)
    taken = connection.execute(
        sa.update(webhook_cursor)
        .where(mine, _free(now))
        .values(owner=owner, fence=webhook_cursor.c.fence + 1, until=now + LEASE)
    )
    if taken.rowcount != 1:
        return None
    row = connection.execute(sa.select(webhook_cursor).where(mine)).one()
    return Lease(webhook_id, owner, row.fence, row.position, row.failures)


def finish(
    connection: Connection,
    tenant_id: str,
    held: Lease,
    *,
    position: int,
    failures: int,
    resumes_at: datetime | None,
) -> bool:
    """Write how far the webhook is and give the lease back; False, nothing written, if it was lost."""
    written = connection.execute(
        sa.update(webhook_cursor)
        .where(
            webhook_cursor.c.tenant_id == tenant_id,
            webhook_cursor.c.webhook_id == held.webhook_id,
            webhook_cursor.c.owner == held.owner,
            webhook_cursor.c.fence == held.fence,
        )
        .values(position=position, failures=failures, resumes_at=resumes_at, owner=None, until=None)
    )
    return written.rowcount == 1


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        sa.or_(webhook_cursor.c.until.is_(None), webhook_cursor.c.until <= now),
        sa.or_(webhook_cursor.c.resumes_at.is_(None), webhook_cursor.c.resumes_at <= now),
    )


def position_of(connection: Connection, tenant_id: str, webhook_id: str) -> tuple[int, datetime | None]:
    """How far a webhook is, and until when its receiver is left alone."""
    row = connection.execute(
        sa.select(webhook_cursor.c.position, webhook_cursor.c.resumes_at).where(
            webhook_cursor.c.tenant_id == tenant_id, webhook_cursor.c.webhook_id == webhook_id
        )
    ).one()
    return row[0], row[1]
