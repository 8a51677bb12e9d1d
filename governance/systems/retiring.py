"""Taking a system out of service, and what becomes of what it was asked.

A retired system gets no new orders. What is still open is asked of a person instead: under the same operation
a task is made, for whoever retired the system, that names it. A new version of its record brings it back.
"""

from collections.abc import Mapping
from typing import Any

from governance.events import Fact
from governance.systems import operation_store, store, tasks
from governance.systems.model import System
from governance.systems.settling import STARTED
from governance.work import Work

MANUAL = "manual"


def retire(work: Work, found: System, because: str | None) -> None:
    """Take a system out of service; the caller has seen to it that this may be."""
    facts: dict[str, Fact] = {"system": found.system_id, "version": found.version, "kind": found.kind}
    event = work.record("system.retired", facts=facts)
    values: dict[str, Any] = {
        "retired_at": work.now,
        "retired_by": work.actor.ref,
        "retired_because": because,
        "updated_at": work.now,
        "event_id": event.id,
    }
    store.retire(work.connection, work.tenant_id, found.system_id, values)
    ask_anew(work, found.system_id)


def ask_anew(work: Work, system_id: str) -> None:
    """Let what waits be asked again, of whoever answers for the system now; tasks of before are dropped."""
    with work.bookkeeping():
        for operation_id in operation_store.open_of(work.connection, work.tenant_id, system_id):
            values = {"status": STARTED, "reference": None, "check_after": None}
            operation_store.change(work.connection, work.tenant_id, operation_id, work.now, values)
    for operation_id in operation_store.open_of(work.connection, work.tenant_id, system_id):
        tasks.drop_of(work, operation_id)


def by_hand(found: System) -> Mapping[str, Any]:
    """The config by which the tasks of a retired system are made."""
    why = f": {found.retired_because}" if found.retired_because else ""
    sentence = (
        f"The system {found.system_id} ({found.kind}) was taken out of service{why}. Do by hand what it was "
        "asked, or see that nothing is left of it, and say what shows that."
    )
    return {"owner": found.retired_by or "", "instructions": sentence}
