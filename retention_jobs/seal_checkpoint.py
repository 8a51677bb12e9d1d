"""Signs each tenant's ledger head, at least every 60 seconds while there is traffic."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.ledger import service as ledger

ACTOR = Actor("job:seal-checkpoint", "job")


def run(runtime: Runtime) -> int:
    """Sign every head that is not signed yet; gives how many tenants were visited."""
    signer = runtime.vault.checkpoint_signer("governance")
    tenants = runtime.tenant_ids()
    for tenant_id in tenants:
        runtime.heed()
        with runtime.work(tenant_id, ACTOR) as work:
            ledger.checkpoint(work, signer)
    return len(tenants)
