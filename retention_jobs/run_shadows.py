"""Decides drafts beside what is in force, on what was decided since: behind answers, never in their way."""

from governance.bootstrap import Runtime
from governance.decisions import shadow_store, shadows
from governance.events import Actor

ACTOR = Actor("job:run-shadows", "job")


def run(runtime: Runtime) -> int:
    """Take what was decided since, some thousand at a time; gives how many steps were made.

    A shadow that cannot be decided is marked as failed, and nothing else happens.
    """
    steps = 0
    for tenant_id in runtime.tenant_ids():
        with runtime.snapshot(tenant_id, ACTOR) as snapshot:
            found = shadow_store.running(snapshot.connection, tenant_id)
        for row in found:
            runtime.heed()
            values: dict[str, object] | None
            try:
                with runtime.snapshot(tenant_id, ACTOR) as snapshot:
                    values = shadows.advance(snapshot, row)
            except Exception as error:
                values = {"state": shadows.FAILED, "because": type(error).__name__}
            if values is not None:
                with runtime.work(tenant_id, ACTOR) as work:
                    shadows.note(work, row, values)
                steps += 1
    return steps
