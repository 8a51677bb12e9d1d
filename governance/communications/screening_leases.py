"""Who works on which screening: a lease in time, and a fence that a worker who lost it cannot pass.

Each function is one statement that is atomic on both databases, in a transaction that the caller opens. A
lease that nobody renewed in time is free again; every new owner gets a higher fence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.communications.screening_tables import lease

LEASE = timedelta(seconds=60)
MOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one screening until `until`; `fence` tells this attempt from every other."""

    screening_id: str
    owner: str
    fence: int
    until: datetime


def due(connection: Connection, tenant_id: str, now: datetime) -> Sequence[str]:
    """The screenings that wait for somebody, oldest first."""
    found: Sequence[str] = (
        connection.execute(
            sa.select(lease.c.screening_id)
            .where(lease.c.tenant_id == tenant_id, sa.or_(lease.c.until.is_(None), lease.c.until <= now))
            .order_by(lease.c.screening_id)
        )
        .scalars()
        .all()
    )
    return found


def claim(
    connection: Connection, tenant_id: str, screening_id: str, owner: str, now: datetime
) -> Lease | None:
    """Take the lease if it is free; None if somebody has it, or the screening is finished."""
    taken = connection.execute(
        sa.update(lease)
        .where(
            lease.c.tenant_id == tenant_id,
            lease.c.screening_id == screening_id,
            sa.or_(lease.c.until.is_(None), lease.c.until <= now),
        )
        .values(owner=owner, fence=lease.c.fence + 1, until=now + LEASE, progress=0)
    )
    if taken.rowcount != 1:
        return None
    fence = connection.execute(
        sa.select(lease.c.fence).where(lease.c.tenant_id == tenant_id, lease.c.screening_id == screening_id)
    ).scalar_one()
    return Lease(screening_id, owner, fence, now + LEASE)


def renew(connection: Connection, tenant_id: str, held: Lease, now: datetime, progress: int) -> bool:
    """Stretch the lease and say how many people are answered; False if it is no longer ours."""
    renewed = connection.execute(
        sa.update(lease).where(_ours(tenant_id, held)).values(until=now + LEASE, progress=progress)
    )
    return renewed.rowcount == 1


def release(connection: Connection, tenant_id: str, held: Lease) -> None:
    """Give the lease back, for another attempt."""
    connection.execute(sa.update(lease).where(_ours(tenant_id, held)).values(owner=None, until=None))


def hold(connection: Connection, tenant_id: str, held: Lease) -> bool:
    """Make sure, in the transaction that finishes, that the lease is still ours; locks the row."""
    kept = connection.execute(sa.update(lease).where(_ours(tenant_id, held)).values(owner=held.owner))
    return kept.rowcount == 1


def _ours(tenant_id: str, held: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        lease.c.tenant_id == tenant_id,
        lease.c.screening_id == held.screening_id,
        lease.c.owner == held.owner,
        lease.c.fence == held.fence,
    )
