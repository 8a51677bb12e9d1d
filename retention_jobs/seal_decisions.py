"""Closes batches of the decision log: the Merkle root of each becomes one leaf of the ledger."""

from governance.bootstrap import Runtime
from governance.events import Actor

ACTOR = Actor("job:seal-decisions", "job")


def run(runtime: Runtime) -> int:
    """Seal what is unsealed, a batch to a transaction; gives how many batches were sealed."""
    sealed = 0
    for tenant_id in runtime.tenant_ids():
        batch: str | None = ""
        while batch is not None:
            runtime.heed()
            with runtime.work(tenant_id, ACTOR) as work:
                batch = runtime.decision_log.seal_batch(work)
            sealed += batch is not None
    return sealed
