"""Announces consents that lapse unless the person confirms them again."""

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.events import Actor
from governance.reports import reconfirmations

ACTOR = Actor("job:announce-reconfirmations", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Look at grants that grew old, some to a transaction; gives how many were announced."""
    announced = 0
    for tenant_id in runtime.tenant_ids():
        while True:
            runtime.heed()
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                found = reconfirmations.unannounced(snapshot, limit=_BATCH)
            if not found:
                break
            with runtime.work(tenant_id, ACTOR) as work:
                for each in sorted(found, key=lambda looked: looked.grant.subject_ref):
                    announced += consent.announce_reconfirmation(
                        work, each.grant, each.lapse, look_again_at=each.look_again_at
                    )
    return announced
