"""Takes in uploaded files that wait, and goes on with those whose runner died."""

from functools import partial

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.imports import service
from governance.imports.runner import run_kept

ACTOR = Actor("job:run-imports", "job")


def run(runtime: Runtime) -> int:
    """Take in what waits, a tenant after the other; gives how many files were taken in."""
    done = 0
    for tenant_id in runtime.tenant_ids():
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            waiting = service.waiting(snapshot)
        opened = partial(runtime.work, tenant_id, ACTOR), partial(runtime.snapshot, tenant_id, ACTOR)
        done += sum(run_kept(*opened, import_id) is not None for import_id in waiting)
    return done
