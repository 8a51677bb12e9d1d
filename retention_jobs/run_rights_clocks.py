"""Watches the clocks of open requests: reminders, overdue ones, those that nobody confirmed."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.rights import service as rights
from retention_jobs.alone import Alone

ACTOR = Actor("job:run-rights-clocks", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Note what is due, a request to a transaction; gives of how many something was.

    One that fails is logged and left for the next run.
    """
    noted, alone = 0, Alone("run-rights-clocks")
    for tenant_id in runtime.tenant_ids():
        after = ""
        while True:
            runtime.heed()
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                found = rights.waiting(snapshot, after=after, limit=_BATCH)
                due = []
                for each in found:
                    with alone():
                        due += [each] if rights.is_due(snapshot, each) else []
            for request_id in due:
                with alone(), runtime.work(tenant_id, ACTOR) as work:
                    noted += rights.watch(work, request_id)
            if len(found) < _BATCH:
                break
            after = found[-1]
    alone.end()
    return noted
