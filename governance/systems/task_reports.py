"""What a person reports of a task: read as strictly as what a machine reports."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from governance.errors import InvalidError
from governance.systems import far_side, operation_store, operations, task_store, tasks
from governance.systems.connector import Problem
from governance.systems.model import COLLECT, DISPOSE, ERASE, Outcome, failed
from governance.systems.model import DONE as ANSWERED
from governance.systems.task_store import OPEN, Task
from governance.work import Work


def done(
    work: Work,
    task_id: str,
    *,
    steps: Sequence[Mapping[str, Any]],
    items: Sequence[Mapping[str, Any]] = (),
    evidence: Mapping[str, Any],
) -> tuple[Task, Outcome]:
    """End a task and the operation that it belongs to, with what became of each data class, and evidence.

    Raises InvalidError if a class that was asked about is missing or the evidence is, ConflictError if the
    task is done already.
    """
    task = tasks.get(work, task_id).task
    record = operation_store.find(work.connection, work.tenant_id, task.operation_id)
    wanted = (
        [each["data_class"] for each in record.remembered] if record and task.verb in (ERASE, DISPOSE) else []
    )
    document = {"status": "done", "steps": list(steps), "items": list(items)}
    try:
        outcome = far_side.read_report(document, wanted, collects=task.verb == COLLECT)
    except Problem as problem:
        sentence = problem.sentence.replace("The system", "The report")
        raise InvalidError(
            "This does not say what became of the data.", fields={"steps": [sentence]}
        ) from None
    closed = tasks.close(work, task_id, evidence)
    operations.finish(work, task.operation_id, outcome)
    return closed, outcome


def noted(work: Work, operation_id: str, *, done: bool, evidence: Mapping[str, Any]) -> None:
    """Settle an operation that waits for somebody, after staff noted elsewhere what became of it.

    `done`: its task is done, with this evidence; else it is impossible and the task is dropped. Nothing
    happens to an operation without an open task: a machine may still report it.
    """
    task = task_store.of_operation(work.connection, work.tenant_id, operation_id)
    if task is None or task.state != OPEN:
        return
    if not done:
        operations.finish(work, operation_id, failed("Staff noted that this is impossible."))
        return
    shown = dict(evidence) if evidence.get("text") or evidence.get("file") else {"text": json.dumps(evidence)}
    tasks.close(work, task.task_id, shown)
    operations.finish(work, operation_id, Outcome(ANSWERED, "Staff noted by hand that it was done."))


def no_longer_asked(work: Work, within: str) -> int:
    """Drop the open tasks of operations whose ids begin so, and give how many: nobody has a use for them."""
    dropped = task_store.open_within(work.connection, work.tenant_id, within)
    for task in dropped:
        operations.finish(work, task.operation_id, failed("It is no longer asked for."))
    return len(dropped)
