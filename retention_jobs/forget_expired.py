"""Forgets what has run out by itself: idempotency keys, revoked tokens, used assertions, old slots."""

from governance.bootstrap import Runtime
from governance.callers import service as callers
from governance.events import Actor
from governance.idempotency import service as idempotency
from governance.queue import service as queue

ACTOR = Actor("job:forget-expired", "job")


def run(runtime: Runtime) -> int:
    """Forget, a tenant to a transaction; gives how many rows."""
    gone = 0
    for tenant_id in runtime.tenant_ids():
        runtime.heed()
        with runtime.work(tenant_id, ACTOR) as work:
            gone += idempotency.sweep(work) + callers.sweep(work)
    runtime.heed()
    with runtime.engine.connect() as connection, connection.begin():
        runtime.fence(connection)
        return gone + queue.sweep(connection, runtime.clock())
