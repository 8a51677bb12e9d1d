"""Gives notice before legal holds end by themselves, and ends those whose day has come."""

from governance.bootstrap import Runtime
from governance.erasure import holding
from governance.events import Actor
from governance.retention import holds

ACTOR = Actor("job:notify-holds", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Look at every hold that ends within 30 days, one a transaction; gives how many notices were given."""
    given = 0
    for tenant_id in runtime.tenant_ids():
        after = ""
        while True:
            runtime.heed()
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                found = holds.ending(snapshot, after=after, limit=_BATCH)
            if not found:
                break
            after = found[-1].hold_id
            for each in found:
                with runtime.work(tenant_id, ACTOR) as work:
                    given += holding.notify(work, each.hold_id) is not None
    return given
