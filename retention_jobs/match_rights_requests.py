"""Looks whom new requests mean: those that the public form took in without looking anybody up."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.rights import service as rights

ACTOR = Actor("job:match-rights-requests", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Look whom each means, a request to a transaction; gives how many."""
    done = 0
    for tenant_id in runtime.tenant_ids():
        while True:
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                waiting = rights.unmatched(snapshot, limit=_BATCH)
            for request_id in waiting:
                runtime.heed()
                with runtime.work(tenant_id, ACTOR) as work:
                    rights.match(work, request_id)
                done += 1
            if len(waiting) < _BATCH:
                break
    return done
