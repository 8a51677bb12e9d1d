"""Tells who holds a copy of corrections and restrictions, and ends the request when all did it."""

from governance.bootstrap import Runtime
from governance.rights import telling

_BATCH = 50


def run(runtime: Runtime) -> int:
    """Tell who is due, a recipient at a time; gives how many have answered for good."""
    answered = 0
    for tenant_id in runtime.tenant_ids():
        with runtime.snapshot(tenant_id, telling.ACTOR) as snapshot:
            due = telling.due(snapshot, limit=_BATCH)
        for row in due:
            runtime.heed()
            answered += telling.tell(runtime, tenant_id, row)
        with runtime.snapshot(tenant_id, telling.ACTOR) as snapshot:
            waiting = telling.unsettled(snapshot, limit=1000)
        for request_id in waiting:
            runtime.heed()
            with runtime.work(tenant_id, telling.ACTOR) as work:
                telling.settle(work, request_id)
    return answered
