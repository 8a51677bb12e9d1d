"""Taking a system out of service although, or unless, erasures and requests wait for it."""

from dataclasses import replace

import sqlalchemy as sa

from governance.erasure import service as cases
from governance.erasure import store
from governance.erasure.model import DONE, FAILED, OPEN, UNDO_WINDOW, WAITING
from governance.erasure.tables import erasure as case_table
from governance.erasure.tables import erasure_step
from governance.errors import ConflictError
from governance.systems import operation_store, retiring
from governance.systems import service as systems
from governance.systems.model import System
from governance.work import Snapshot, Work


def retire(work: Work, system_id: str, because: str | None) -> System:
    """Take a system out of service; one that is out already stays so.

    NotFoundError; ConflictError `system-awaited` where erasures or other questions are open and nobody says
    why it goes all the same. With `because` what is open becomes tasks for whoever retires it.
    """
    found = systems.get(work, system_id)
    if found.retired_at is not None:
        return found
    waiting = _waiting(work, system_id)
    asked = operation_store.open_of(work.connection, work.tenant_id, system_id)
    if (waiting or asked) and because is None:
        raise ConflictError(
            f"{len(waiting)} erasures and {len(asked)} questions still wait for this system. Say `because`, "
            "and each becomes a task for you.",
            reason="system-awaited",
        )
    retiring.retire(work, found, because)
    for erasure_id in waiting:
        _take_up(work, erasure_id, system_id)
    return systems.get(work, system_id)


def _waiting(snap: Snapshot, system_id: str) -> list[str]:
    """Ids of open erasures with a step of this system that has not ended."""
    rows = snap.connection.execute(
        sa.select(erasure_step.c.erasure_id)
        .join(
            case_table,
            sa.and_(
                case_table.c.tenant_id == erasure_step.c.tenant_id,
                case_table.c.erasure_id == erasure_step.c.erasure_id,
            ),
        )
        .where(
            erasure_step.c.tenant_id == snap.tenant_id,
            erasure_step.c.system == system_id,
            erasure_step.c.status != DONE,
            case_table.c.status.in_(sorted(OPEN)),
        )
        .order_by(erasure_step.c.erasure_id)
    )
    return list(rows.scalars())


def _take_up(work: Work, erasure_id: str, system_id: str) -> None:
    """Let a case ask again, so that the task is made now."""
    found = cases.get(work, erasure_id)
    if found.status == UNDO_WINDOW:
        return
    if any(step.system == system_id and step.status == FAILED for step in found.steps):
        cases.retry(work, erasure_id)
        return
    with work.bookkeeping():
        for step in found.steps:
            if step.system == system_id and step.status == WAITING:
                store.change_step(
                    work.connection, work.tenant_id, erasure_id, replace(step, next_at=work.now)
                )
        store.change(work.connection, work.tenant_id, erasure_id, {"next_at": work.now})
