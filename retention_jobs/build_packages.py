"""Collects the packages of verified access requests, and drops those whose term is over."""

from governance.bootstrap import Runtime
from governance.rights import package


def run(runtime: Runtime) -> int:
    """Make what is due; gives how many requests were answered with their package."""
    answered = 0
    for tenant_id in runtime.tenant_ids():
        with runtime.snapshot(tenant_id, package.ACTOR) as snapshot:
            waiting = package.due(snapshot)
        for request_id in waiting:
            answered += package.build(runtime, tenant_id, request_id)
            runtime.heed()
        with runtime.work(tenant_id, package.ACTOR) as work:
            package.forget_old(work)
    return answered
