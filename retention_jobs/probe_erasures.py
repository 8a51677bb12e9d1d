"""What follows erasures: the second look, the end of what was kept, of the evidence, and of whom a restore
brought back."""

from governance.bootstrap import Runtime
from governance.erasure import afterwards, probing, replay, store

_BATCH = 50


def run(runtime: Runtime) -> int:
    """Do what is due; gives how many cases were looked at."""
    done = 0
    for tenant_id in runtime.tenant_ids():
        done += replay.replay(runtime, tenant_id)
        with runtime.snapshot(tenant_id, afterwards.ACTOR) as snapshot:
            connection, now = snapshot.connection, snapshot.now
            to_probe = store.to_probe(connection, tenant_id, now, _BATCH)
            over = store.with_evidence_over(connection, tenant_id, now.date(), _BATCH)
        for erasure_id in to_probe:
            probing.probe(runtime, tenant_id, erasure_id)
            runtime.heed()
        done += _come_back(runtime, tenant_id)
        for erasure_id in over:
            with runtime.work(tenant_id, afterwards.ACTOR) as work:
                done += afterwards.shred_evidence(work, erasure_id)
        done += len(to_probe)
    return done


def _come_back(runtime: Runtime, tenant_id: str) -> int:
    """Take up what was kept until now; what is kept for years is passed over, page by page."""
    done, after = 0, ""
    while True:
        with runtime.snapshot(tenant_id, afterwards.ACTOR) as snapshot:
            today = snapshot.now.date()
            kept = store.coming_back(snapshot.connection, tenant_id, after, _BATCH)
            free = [each for each in kept if afterwards.comes_back(snapshot, each, today)]
        for erasure_id in free:
            with runtime.work(tenant_id, afterwards.ACTOR) as work:
                done += afterwards.come_back(work, erasure_id, work.now.date())
            runtime.heed()
        if len(kept) < _BATCH:
            return done
        after = kept[-1]
