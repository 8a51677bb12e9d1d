"""Collects the packages of verified access requests, and drops those whose term is over."""

from governance.bootstrap import Runtime
from governance.rights import package
from retention_jobs.alone import Alone

_BATCH = 50


def run(runtime: Runtime) -> int:
    """Make what is due; gives how many requests were answered with their package.

    One that fails is logged and left for the next run.
    """
    answered, alone = 0, Alone("build-packages")
    for tenant_id in runtime.tenant_ids():
        after = ""
        while True:
            with runtime.snapshot(tenant_id, package.ACTOR) as snapshot:
                waiting = package.due(snapshot, after=after, limit=_BATCH)
            for request_id in waiting:
                with alone():
                    answered += package.build(runtime, tenant_id, request_id)
                runtime.heed()
            if len(waiting) < _BATCH:
                break
            after = waiting[-1]
        with alone(), runtime.work(tenant_id, package.ACTOR) as work:
            package.forget_old(work)
    alone.end()
    return answered
