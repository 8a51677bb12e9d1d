"""What a person reports of a task: read as strictly as what a machine reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from governance.errors import InvalidError
from governance.systems import far_side, operation_store, operations, tasks
from governance.systems.connector import Problem
from governance.systems.model import COLLECT, DISPOSE, ERASE, Outcome
from governance.systems.task_store import Task
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
