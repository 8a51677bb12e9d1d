"""Carries ordered erasures out, step by step, in every system."""

from governance.bootstrap import Runtime
from governance.database import scrub
from governance.erasure import reporting, saga, store
from retention_jobs.alone import Alone

_BATCH = 20


def run(runtime: Runtime) -> int:
    """Take every erasure that has something due as far as it goes; gives how many steps ended.

    One that fails is logged and tried again when its lease is over.
    """
    ended, alone = 0, Alone("run-erasures")
    for tenant_id in runtime.tenant_ids():
        with runtime.snapshot(tenant_id, saga.ACTOR) as snapshot:
            reported = reporting.reported(snapshot)
        if reported:
            with alone(), runtime.work(tenant_id, saga.ACTOR) as work:
                reporting.wake(work, reported)
        with runtime.snapshot(tenant_id, saga.ACTOR) as snapshot:
            waiting = store.due(snapshot.connection, tenant_id, snapshot.now, _BATCH)
        for erasure_id in waiting:
            with alone():
                ended += saga.advance(runtime, tenant_id, erasure_id)
            runtime.heed()
    alone.end()
    if ended:
        # A reader in the way delays this to the next erasure; the keys are gone in any case.
        scrub(runtime.engine)
        scrub(runtime.decision_log.engine)
    return ended
