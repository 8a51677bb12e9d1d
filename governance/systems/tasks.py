"""Tasks for people: what a manual system is asked, who does it, and what they show for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.systems import task_store as store
from governance.systems.model import TaskDraft
from governance.systems.operation_store import Record
from governance.systems.task_store import OPEN, Task
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work


@dataclass(frozen=True, slots=True)
class Opened:
    """A task with what is sealed of it: who is meant and what is to be done, and what was shown for it."""

    task: Task
    instructions: Mapping[str, Any] = field(repr=False)
    evidence: Mapping[str, Any] | None = field(repr=False)


def make(work: Work, record: Record, draft: TaskDraft) -> None:
    """Make the one task of an operation; nothing if it has one."""
    if store.of_operation(work.connection, work.tenant_id, record.operation_id) is not None:
        return
    task_id = work.new_id("tsk")
    facts = {"task": task_id, "system": record.system_id, "verb": record.verb, "owner": draft.owner}
    event = work.record("system.task_made", subject_ref=record.subject_ref or None, facts=facts)
    task = Task(
        task_id,
        record.operation_id,
        record.system_id,
        record.verb,
        record.subject_ref,
        draft.owner,
        OPEN,
        work.now + timedelta(days=draft.days),
        work.now,
        None,
        None,
    )
    sealed = _seal(work, task, "instructions_sealed", draft.instructions.encode())
    store.add(work.connection, work.tenant_id, task, sealed, event.id)


def page(snap: Snapshot, *, state: str, after: str, limit: int) -> list[Task]:
    """Tasks in this state, the oldest first; who is meant stays sealed."""
    return store.page(snap.connection, snap.tenant_id, state, after, limit)


def get(snap: Snapshot, task_id: str) -> Opened:
    """A task with its instructions; NotFoundError."""
    task = _find(snap, task_id)
    instructions, evidence = store.sealed(snap.connection, snap.tenant_id, task_id)
    return Opened(
        task,
        json.loads(_reveal(snap, task, "instructions_sealed", instructions)),
        None if evidence is None else json.loads(_reveal(snap, task, "evidence_sealed", evidence)),
    )


def assign(work: Work, task_id: str, owner: str) -> Task:
    """Give an open task to another owner (an opaque id); ConflictError if it is done."""
    task = _open(work, task_id)
    facts = {"task": task_id, "system": task.system_id, "owner": owner}
    event = work.record("system.task_assigned", subject_ref=task.subject_ref or None, facts=facts)
    store.change(work.connection, work.tenant_id, task_id, {"owner": owner, "event_id": event.id})
    return replace(task, owner=owner)


def close(work: Work, task_id: str, evidence: Mapping[str, Any]) -> Task:
    """Mark a task as done and seal what its doer shows for it; ConflictError if it is done already."""
    if not evidence.get("text") and not evidence.get("file"):
        sentence = "Show something for it: a text, or a reference to a file and its SHA-256."
        raise InvalidError("A task is not done without evidence.", fields={"evidence": [sentence]})
    task = _open(work, task_id)
    facts = {"task": task_id, "system": task.system_id, "verb": task.verb}
    event = work.record("system.task_done", subject_ref=task.subject_ref or None, facts=facts)
    done = replace(task, state=store.DONE, done_at=work.now, done_by=work.actor.ref)
    sealed = _seal(work, task, "evidence_sealed", json.dumps(dict(evidence)).encode())
    values: dict[str, str | datetime | bytes | None] = {
        "state": done.state,
        "done_at": done.done_at,
        "done_by": done.done_by,
        "evidence_sealed": sealed,
        "event_id": event.id,
    }
    store.change(work.connection, work.tenant_id, task_id, values)
    return done


def drop(work: Work, task: Task) -> None:
    """Take an open task off the list: what it was for has ended in another way."""
    facts = {"task": task.task_id, "system": task.system_id, "verb": task.verb}
    event = work.record("system.task_dropped", subject_ref=task.subject_ref or None, facts=facts)
    values = {
        "state": store.DROPPED, "done_at": work.now, "done_by": work.actor.ref, "event_id": event.id,
    }  # fmt: skip
    store.change(work.connection, work.tenant_id, task.task_id, values)


def drop_of(work: Work, operation_id: str) -> None:
    """Drop the task of an operation that has ended, if one is open."""
    task = store.of_operation(work.connection, work.tenant_id, operation_id)
    if task is not None and task.state == OPEN:
        drop(work, task)


def _open(work: Work, task_id: str) -> Task:
    task = _find(work, task_id, lock=True)
    if task.state != OPEN:
        raise ConflictError("This task is done already.", reason="task-done")
    return task


def _find(snap: Snapshot, task_id: str, *, lock: bool = False) -> Task:
    # What can name nothing is not looked up: a database would choke on some of it.
    known = task_id.isascii() and task_id.isprintable()
    found = store.find(snap.connection, snap.tenant_id, task_id, lock=lock) if known else None
    if found is None:
        raise NotFoundError("There is no task of this id.")
    return found


_NOBODY = "systems"
"""In place of a person, where a task is about records of many."""


def _seal(work: Work, task: Task, column: str, plain: bytes) -> bytes:
    place = Place("system_task", column, task.task_id)
    return work.resource(Vault).seal(work.tenant_id, task.subject_ref or _NOBODY, EVIDENCE, place, plain)


def _reveal(snap: Snapshot, task: Task, column: str, sealed: bytes) -> bytes:
    place = Place("system_task", column, task.task_id)
    return snap.resource(Vault).reveal(snap.tenant_id, task.subject_ref or _NOBODY, EVIDENCE, place, sealed)
