"""Writes down policies that came into force at the instant for which they were approved."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.policy import activation
from governance.policy.store import active_row

ACTOR = Actor("job:settle-policies", "job")


def run(runtime: Runtime) -> int:
    """Write down what has come since; gives how many. Every check decides by it already."""
    settled = 0
    for tenant_id in runtime.tenant_ids():
        runtime.heed()
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            row = active_row(snapshot.connection, tenant_id)
        if row is None or not row.is_due(snapshot.now):
            continue
        with runtime.work(tenant_id, ACTOR) as work:
            before = len(work.events)
            activation.settle(work)
            settled += len(work.events) > before
    return settled
