"""What follows erasures: the second look, the end of what was kept, of the evidence, and of whom a restore
brought back."""

from governance.bootstrap import Runtime
from governance.erasure import afterwards, probing, replay, store
from retention_jobs.alone import Alone

_BATCH = 50


def run(runtime: Runtime) -> int:
    """Do what is due; gives how many cases were looked at.

    One that fails is logged and left for the next run.
    """
    done, alone = 0, Alone("probe-erasures")
    for tenant_id in runtime.tenant_ids():
        with alone():
            done += replay.replay(runtime, tenant_id)
        done += _probe(runtime, tenant_id, alone)
        done += _come_back(runtime, tenant_id, alone)
        done += _shred(runtime, tenant_id, alone)
    alone.end()
    return done


def _probe(runtime: Runtime, tenant_id: str, alone: Alone) -> int:
    """Look a second time."""
    done, after = 0, ""
    while True:
        with runtime.snapshot(tenant_id, afterwards.ACTOR) as snapshot:
            found = store.to_probe(snapshot.connection, tenant_id, snapshot.now, after, _BATCH)
        for erasure_id in found:
            with alone():
                probing.probe(runtime, tenant_id, erasure_id)
                done += 1
            runtime.heed()
        if len(found) < _BATCH:
            return done
        after = found[-1]


def _come_back(runtime: Runtime, tenant_id: str, alone: Alone) -> int:
    """Take up what was kept until now; what is kept for years is passed over, page by page."""
    done, after = 0, ""
    while True:
        free = []
        with runtime.snapshot(tenant_id, afterwards.ACTOR) as snapshot:
            today = snapshot.now.date()
            kept = store.coming_back(snapshot.connection, tenant_id, after, _BATCH)
            for each in kept:
                with alone():
                    free += [each] if afterwards.comes_back(snapshot, each, today) else []
        for erasure_id in free:
            with alone(), runtime.work(tenant_id, afterwards.ACTOR) as work:
                done += afterwards.come_back(work, erasure_id, work.now.date())
            runtime.heed()
        if len(kept) < _BATCH:
            return done
        after = kept[-1]


def _shred(runtime: Runtime, tenant_id: str, alone: Alone) -> int:
    """End the evidence whose term is over."""
    done, after = 0, ""
    while True:
        with runtime.snapshot(tenant_id, afterwards.ACTOR) as snapshot:
            today = snapshot.now.date()
            over = store.with_evidence_over(snapshot.connection, tenant_id, today, after, _BATCH)
        for erasure_id in over:
            with alone(), runtime.work(tenant_id, afterwards.ACTOR) as work:
                done += afterwards.shred_evidence(work, erasure_id)
            runtime.heed()
        if len(over) < _BATCH:
            return done
        after = over[-1]
