"""Watches the clocks of open requests: reminders, overdue ones, those that nobody confirmed."""

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.rights import service as rights

ACTOR = Actor("job:run-rights-clocks", "job")
_BATCH = 50


def run(runtime: Runtime) -> int:
    """Note what is due, a request to a transaction; gives of how many something was."""
    noted = 0
    for tenant_id in runtime.tenant_ids():
        after = ""
        while True:
            runtime.heed()
            with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                found = rights.waiting(snapshot, after=after, limit=_BATCH)
                due = [each for each in found if rights.is_due(snapshot, each)]
            for request_id in due:
                with runtime.work(tenant_id, ACTOR) as work:
                    noted += rights.watch(work, request_id)
            if len(found) < _BATCH:
                break
            after = found[-1]
    return noted
