"""Closes batches of the decision log: the Merkle root of each becomes one leaf of the ledger."""

from governance.bootstrap import Runtime
from governance.events import Actor

ACTOR = Actor("job:seal-decisions", "job")


def run(runtime: Runtime) -> int:
    """Seal what is unsealed, a batch to a transaction; gives the number of decisions sealed."""
    sealed = 0
    for tenant_id in runtime.tenant_ids():
        while True:
            with runtime.work(tenant_id, ACTOR) as work:
                count = runtime.decision_log.seal_batch(work)
            sealed += count
            if count == 0:
                break
    return sealed
