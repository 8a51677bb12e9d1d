"""What all decisions of one snapshot stand on.

The active policy, the ledger's position, the tenant's country and sectors.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from governance.database import Prepared
from governance.ledger.store import ledger_head
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy
from governance.policy.store import policy_active
from governance.tenants.model import REGISTERED
from governance.tenants.store import read_sectors, tenant
from governance.work import Snapshot

_STANDING = Prepared(
    sa.select(
        tenant.c.country,
        tenant.c.sectors,
        tenant.c.askers,
        sa.func.coalesce(ledger_head.c.size, 0),
        policy_active.c.digest,
        policy_active.c.next_digest,
    )
    .select_from(
        tenant.outerjoin(ledger_head, ledger_head.c.tenant_id == tenant.c.tenant_id).outerjoin(
            policy_active, policy_active.c.tenant_id == tenant.c.tenant_id
        )
    )
    .where(tenant.c.tenant_id == sa.bindparam("tenant"))
)


@dataclass(frozen=True, slots=True)
class Ground:
    """Read once a snapshot, never kept for the next: `ledger_position` counts the events that it sees.

    `registered_askers`: the tenant answers only askers that it has registered.
    """

    policy: CompiledPolicy
    ledger_position: int
    tenant_country: str | None
    tenant_sectors: tuple[str, ...] = ()
    registered_askers: bool = False


def stand(snap: Snapshot) -> Ground:
    """Read the ground of this snapshot.

    Raises what `policy.service.active` raises if no policy is adopted.
    """
    ((country, sectors, askers, position, digest, coming),) = _STANDING.rows(
        snap.connection, tenant=snap.tenant_id
    )
    policy = (
        policies.active(snap.connection, snap.tenant_id, snap.now)
        if digest is None or coming is not None
        else policies.by_digest(snap.connection, digest)
    )
    return Ground(policy, position, country, read_sectors(sectors), askers == REGISTERED)
