"""Erasures that have ordered what a system is not mapped for any more: told when it is, and ended by a word.

A step never passes over a class that was ordered: it fails until the class is mapped again, or until somebody
answers for it that the system holds none of it. That is recorded, and stands in the certificate.
"""

from collections.abc import Sequence
from dataclasses import replace

from governance.erasure import passes, service, store, waiting_store
from governance.erasure.model import DONE, FAILED, HELD, IN_PROGRESS, PENDING, Erasure
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.systems import service as systems
from governance.systems.model import KEPT_UNTIL, System
from governance.work import Snapshot, Work


def left_behind(snap: Snapshot, system: System) -> dict[str, int]:
    """How many erasures wait for each class for which a system is not registered, or not any more."""
    counted: dict[str, int] = {}
    for step, is_open in waiting_store.waiting_for(snap.connection, snap.tenant_id, system.system_id):
        asked = step.data_classes if step.plan is None else tuple(step.plan)
        kept = [part.data_class for part in (*step.parts, *step.kept) if part.outcome == KEPT_UNTIL]
        wanted = {*(asked if is_open and step.status != DONE else ()), *step.held, *kept}
        for each in sorted(wanted - set(system.data_classes)):
            counted[each] = counted.get(each, 0) + 1
    return counted


def warnings(snap: Snapshot, system: System) -> list[str]:
    """What whoever registers a system is told about classes that erasures still have to ask it for."""
    return [
        f"Erasures that are not over wait for {name} in this system ({count}), which is not mapped any more: "
        "their steps fail until it is mapped again."
        for name, count in left_behind(snap, system).items()
    ]


def not_held(work: Work, erasure_id: str, system_id: str, data_classes: Sequence[str]) -> Erasure:
    """Answer for it that a system holds none of these classes any more; its failed step goes on without them.

    Raises NotFoundError, ConflictError `nothing-failed`, InvalidError for a class that was not ordered or is
    mapped: of that the system itself has to answer.
    """
    found = service.get(work, erasure_id, lock=True)
    step = next((each for each in found.steps if each.system == system_id), None)
    system = systems.find(work, system_id)
    if step is None or system is None:
        raise NotFoundError("This erasure asks no such system.")
    if step.status != FAILED:
        raise ConflictError("This step of the erasure has not failed.", reason="nothing-failed")
    lost = set(step.plan or ()) - set(system.data_classes)
    if set(data_classes) - lost:
        named = ", ".join(sorted(lost)) or "none"
        complaint = f"Name classes that were ordered and that the system is not mapped for: {named}."
        raise InvalidError(complaint, fields={"data_classes": [complaint]})
    classes = tuple(dict.fromkeys(data_classes))
    again = replace(
        passes.without(step, classes), round=step.round + 1, attempts=0, because="", next_at=work.now
    )
    again = replace(again, status=HELD if again.held and not again.plan else PENDING)
    store.change_step(work.connection, work.tenant_id, erasure_id, again)
    values = {"status": IN_PROGRESS, "next_at": work.now}
    store.change(work.connection, work.tenant_id, erasure_id, values)
    work.record(
        "erasure.not_held",
        subject_ref=found.subject_ref,
        facts={"erasure": erasure_id, "system": system_id, "data_classes": list(classes)},
    )
    return service.get(work, erasure_id)
