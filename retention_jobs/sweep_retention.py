"""Proposes, for each tenant, what its retention schedules say is due."""

from governance.bootstrap import Runtime
from governance.retention import runs, sweeping
from governance.retention.sweeping import WORKER


def run(runtime: Runtime) -> int:
    """Begin a run for each tenant that has none under way, and work off what waits; gives how many ended."""
    for tenant_id in runtime.tenant_ids():
        runtime.heed()
        with runtime.work(tenant_id, WORKER) as work:
            runs.begin(work)
    return sweeping.run_due(runtime)
