"""What systems report of an erasure by themselves, and erasures that go on when they have.

A report is believed only with the system's own signature, and only of an order of this very erasure; one that
is not believed is recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from governance.erasure import service
from governance.erasure import store as cases
from governance.erasure.model import WAITING
from governance.erasure.tables import erasure_step
from governance.errors import NotFoundError
from governance.events import Actor
from governance.systems import operations
from governance.systems import service as systems
from governance.systems.model import Received
from governance.systems.store import system_operation
from governance.work import Opener, Snapshot, Work

Waiting = tuple[str, str]
"""An erasure and a system of it."""


def receive(
    opener: Opener,
    actor: Actor,
    tenant_id: str,
    erasure_id: str,
    system_id: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Received:
    """Take a report of a system about its share of an erasure; `headers` by lower-case name.

    Raises NotFoundError if there is no such erasure or share. `Received.refused` says why a report was not
    believed; that is recorded.
    """
    with opener.snapshot(tenant_id, actor) as snap:
        found = service.get(snap, erasure_id)
        if system_id not in {step.system for step in found.steps if systems.find(snap, step.system)}:
            raise NotFoundError("This erasure asks no such system.")
        connector, context = systems.connect(snap, system_id, "callback", "")
    received = connector.receive(context, headers, body)
    within = f"{erasure_id}/{system_id}/"
    with opener.work(tenant_id, actor) as work:
        if received.refused is None and received.outcome is not None:
            if operations.finish_reported(work, system_id, received, received.outcome, within=within):
                wake(work, [(erasure_id, system_id)])
                work.record("erasure.step_reported", facts={"erasure": erasure_id, "system": system_id})
            else:
                received = Received(received.reference, None, "unknown-request")
        if received.refused is not None:
            facts = {"system": system_id, "erasure": erasure_id, "because": received.refused}
            work.record("system.callback_refused", facts=facts)
    return received


def reported(snap: Snapshot, *, limit: int = 100) -> list[Waiting]:
    """Shares that still wait although their system has reported, or somebody has ended its task."""
    step, asked = erasure_step.c, system_operation.c
    name = step.erasure_id + "/" + step.system + "/" + sa.cast(step.round, sa.Text)
    query = (
        sa.select(step.erasure_id, step.system)
        .join(system_operation, sa.and_(asked.tenant_id == step.tenant_id, asked.operation_id == name))
        .where(
            step.tenant_id == snap.tenant_id,
            step.status == WAITING,
            step.next_at > snap.now,
            asked.status.in_(("done", "failed")),
        )
        .limit(limit)
    )
    return [(row.erasure_id, row.system) for row in snap.connection.execute(query)]


def wake(work: Work, shares: Sequence[Waiting]) -> None:
    """Let these shares be taken up now."""
    at = (work.connection, work.tenant_id)
    with work.bookkeeping():
        for erasure_id, system_id in shares:
            found = service.get(work, erasure_id)
            for step in found.steps:
                if step.system == system_id and step.status == WAITING:
                    cases.change_step(*at, erasure_id, replace(step, next_at=work.now))
                    cases.change(*at, erasure_id, {"next_at": work.now})
