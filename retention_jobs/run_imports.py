"""Takes in uploaded files that wait, and goes on with those whose runner died."""

from contextlib import AbstractContextManager
from functools import partial

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.imports import service
from governance.imports.runner import run_kept
from governance.work import Work

ACTOR = Actor("job:run-imports", "job")


def run(runtime: Runtime) -> int:
    """Take in what waits, a tenant after the other; gives how many files were taken in."""
    done = 0
    for tenant_id in runtime.tenant_ids(active=True):
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            waiting = service.waiting(snapshot)
        opened = partial(_batch, runtime, tenant_id), partial(runtime.snapshot, tenant_id, ACTOR)
        done += sum(run_kept(*opened, import_id) is not None for import_id in waiting)
    return done


def _batch(runtime: Runtime, tenant_id: str) -> AbstractContextManager[Work]:
    """A batch is a unit of work: between two of them the run may be told to stop."""
    runtime.heed()
    return runtime.work(tenant_id, ACTOR)
