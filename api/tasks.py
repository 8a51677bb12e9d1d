"""Tasks for people, in systems that no machine reaches; and reports that systems make by themselves."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request

from api.disclosures import disclose, of_those_named
from api.links import open_link
from api.reported import reported
from api.rooms import PUBLIC, Room
from api.runtime import (
    Reply,
    act,
    page,
    read_cursor,
    reply,
    request_snapshot,
    request_work,
    this_runtime,
)
from api.shapes import Answer, AnyObject, Listing, OwnerBody, Page, Shape, Text
from governance.clock import wire
from governance.systems import callbacks, task_reports, tasks
from governance.systems.abroad import CARRIES_DATA_OUT
from governance.systems.task_store import OPEN, STATES, Task
from governance.transfers.model import ERASURE, ORDINARY
from governance.work import Work

room = Room("tasks", description="What people do by hand in connected systems, and what systems report.")

_MOST_ITEMS = 10_000


class TasksQuery(Page):
    """Which tasks."""

    state = ma.fields.String(load_default=OPEN, validate=ma.validate.OneOf(STATES))


class TaskReply(Answer):
    """A task. `instructions` and `evidence` only where one task is read."""

    id = ma.fields.String(required=True)
    system = ma.fields.String(required=True)
    operation = ma.fields.String(required=True)
    verb = ma.fields.String(required=True)
    owner = ma.fields.String(required=True)
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(STATES))
    due_at = ma.fields.String(required=True)
    instructions = ma.fields.Dict(metadata={"description": "Who is meant, and what is to be done."})
    evidence = ma.fields.Dict(allow_none=True)


class FileShape(Shape):
    """A file kept elsewhere, and the digest that proves it is the same one."""

    reference = Text(1000, required=True)
    sha256 = ma.fields.String(required=True, validate=ma.validate.Regexp(r"^[0-9a-f]{64}$"))


class EvidenceShape(Shape):
    """What is shown for it: a text, or a file, or both."""

    text = ma.fields.String(validate=ma.validate.Length(1, 10_000))
    file = ma.fields.Nested(FileShape)


class DoneBody(Shape):
    """What became of the data, class by class, or what was found."""

    steps = ma.fields.List(
        ma.fields.Nested(AnyObject),
        load_default=list,
        validate=ma.validate.Length(0, 500),
        metadata={"description": "`{data_class, outcome, rows: {place: count}, because, until}`."},
    )
    items = ma.fields.List(
        ma.fields.Nested(AnyObject),
        load_default=list,
        validate=ma.validate.Length(0, _MOST_ITEMS),
        metadata={"description": "Of a collection: `{data_class, table, row, values}`."},
    )
    evidence = ma.fields.Nested(EvidenceShape, required=True)


@room.get("/v1/tasks", scope="systems:read")
@room.query(TasksQuery)
@room.answers(200, Listing)
def list_tasks(query: Mapping[str, Any]) -> Response:
    """List tasks, the oldest first, without who is meant."""
    use = f"tasks:{query['state']}"
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, use, query.get("after"))
        after = str(cursor[0]) if cursor else ""
        found = tasks.page(snapshot, state=query["state"], after=after, limit=query["limit"] + 1)
        items = [_task(each) for each in found]
        return reply(page(snapshot, use, items, query["limit"], lambda item: [item["id"]]))


@room.get("/v1/tasks/<task_id>", scope="systems:write", discloses=of_those_named("contact_details"))
@room.answers(200, TaskReply)
def get_task(task_id: str) -> Response:
    """Give a task with its instructions: who is meant, and what is to be done."""
    with request_snapshot() as snapshot:
        found = tasks.get(snapshot, task_id)
        # To erase or restrict is an order, what is collected comes back; a correction tells what to write.
        corrects = found.task.verb in CARRIES_DATA_OUT
        errand = ORDINARY if corrects else ERASURE
        disclose(snapshot, [found.task.subject_ref or None], errand=errand, own_request=corrects)
    evidence = None if found.evidence is None else dict(found.evidence)
    return reply(_task(found.task) | {"instructions": dict(found.instructions), "evidence": evidence})


@room.put("/v1/tasks/<task_id>/owner", scope="systems:write")
@room.body(OwnerBody)
@room.answers(200, TaskReply)
def assign_task(body: Mapping[str, Any], task_id: str) -> Response:
    """Give an open task to another owner."""
    with request_work() as work:
        return reply(_task(tasks.assign(work, task_id, body["owner"])))


@room.post("/v1/tasks/<task_id>/done", scope="systems:write")
@room.body(DoneBody)
@room.answers(200, TaskReply)
def end_task(body: Mapping[str, Any], task_id: str) -> Response:
    """End a task with what became of the data, and evidence for it, which is sealed."""

    def effect(work: Work) -> Reply:
        task, _ = task_reports.done(
            work, task_id, steps=body["steps"], items=body["items"], evidence=body["evidence"]
        )
        return Reply(200, _task(task), _task(task))

    return act(effect)


@room.post("/callbacks/<system_id>/<token>", scope=PUBLIC)
@room.answers(202, AnyObject)
@room.refuses(400)
@room.refuses(403)
def take_callback(system_id: str, token: str) -> Response:
    """Take what a system reports of a request: proven by its signature, else recorded and refused."""
    tenant_id, secret = open_link(this_runtime(), token)
    headers = {name.lower(): value for name, value in request.headers.items()}
    received = callbacks.receive(this_runtime(), tenant_id, system_id, secret, headers, request.get_data())
    return reported(received)


def _task(each: Task) -> dict[str, object]:
    return {
        "id": each.task_id,
        "system": each.system_id,
        "operation": each.operation_id,
        "verb": each.verb,
        "owner": each.owner,
        "state": each.state,
        "due_at": wire(each.due_at),
        "created_at": wire(each.created_at),
        "done_at": None if each.done_at is None else wire(each.done_at),
        "done_by": each.done_by,
    }
