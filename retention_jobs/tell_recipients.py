"""Tells who holds a copy of corrections and restrictions, and ends the request when all did it."""

from governance.bootstrap import Runtime
from governance.rights import telling
from governance.rights.recipient_store import Recipient
from retention_jobs.alone import Alone

_BATCH = 50


def run(runtime: Runtime) -> int:
    """Tell who is due, a recipient at a time; gives how many have answered for good.

    One that fails is logged and left for the next run.
    """
    answered, alone = 0, Alone("tell-recipients")
    for tenant_id in runtime.tenant_ids():
        last: Recipient | None = None
        while True:
            with runtime.snapshot(tenant_id, telling.ACTOR) as snapshot:
                due = telling.due(snapshot, after=last, limit=_BATCH)
            for row in due:
                runtime.heed()
                with alone():
                    answered += telling.tell(runtime, tenant_id, row)
            if len(due) < _BATCH:
                break
            last = due[-1]
        _settle(runtime, tenant_id, alone)
    alone.end()
    return answered


def _settle(runtime: Runtime, tenant_id: str, alone: Alone) -> None:
    """End requests whose recipients have all answered."""
    after = ""
    while True:
        unsettled = []
        with runtime.snapshot(tenant_id, telling.ACTOR) as snapshot:
            waiting = telling.waiting(snapshot, after=after, limit=_BATCH)
            for each in waiting:
                with alone():
                    unsettled += [each] if telling.is_unsettled(snapshot, each) else []
        for request_id in unsettled:
            runtime.heed()
            with alone(), runtime.work(tenant_id, telling.ACTOR) as work:
                telling.settle(work, request_id)
        if len(waiting) < _BATCH:
            return
        after = waiting[-1]
