"""Notes the end of consents that were given for a time."""

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.events import Actor

ACTOR = Actor("job:expire-consents", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Note what has run out, some people to a transaction; gives how many consents ended."""
    ended = 0
    for tenant_id in runtime.tenant_ids():
        while True:
            runtime.heed()
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                found = consent.people_with_expired(snapshot, _BATCH)
            if not found:
                break
            with runtime.work(tenant_id, ACTOR) as work:
                ended += sum(consent.expire(work, subject_ref) for subject_ref in sorted(found))
    return ended
