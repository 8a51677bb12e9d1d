"""Looks anew at transfer flows: mechanisms that ended, rules that took effect, numbers that were crossed."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.transfers import reviewing

ACTOR = Actor("job:re-evaluate-transfers", "job")


def run(runtime: Runtime) -> int:
    """Review each tenant's flows in one transaction; gives how much was announced."""
    announced = 0
    for tenant_id in runtime.tenant_ids():
        runtime.heed()
        with runtime.work(tenant_id, ACTOR) as work:
            announced += reviewing.review(work)
    return announced
