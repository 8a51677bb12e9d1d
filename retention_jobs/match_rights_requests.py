"""Looks whom new requests mean: those that the public form took in without looking anybody up."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.rights import service as rights
from retention_jobs.alone import Alone

ACTOR = Actor("job:match-rights-requests", "job")
JOB = "match-rights-requests"
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Look whom each means, a request to a transaction; gives how many.

    One that fails is logged and left for the next run: it does not keep anybody else from their answer.
    """
    done, alone = 0, Alone(JOB)
    for tenant_id in runtime.tenant_ids():
        after = ""
        while True:
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                waiting = rights.unmatched(snapshot, after=after, limit=_BATCH)
            for request_id in waiting:
                runtime.heed()
                with alone():
                    with runtime.work(tenant_id, ACTOR) as work:
                        rights.match(work, request_id)
                    done += 1
            if len(waiting) < _BATCH:
                break
            after = waiting[-1]
    alone.end()
    return done
