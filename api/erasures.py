"""Erasures: ordered, undone in their window, looked at, taken up again."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request

from api.problems import problem
from api.reported import reported
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot, this_caller, this_runtime
from api.shapes import Answer, AnyObject, Instant, Listing, Page, Shape, SubjectName, Text
from governance.clock import wire
from governance.erasure import afterwards, mappings, planning, reporting
from governance.erasure import service as erasures
from governance.erasure.certificate import look_document, part_document
from governance.erasure.model import MOST_UNDO_HOURS, STATUSES, UNDO_HOURS, Erasure, Refused, Step
from governance.idempotency.model import Outcome
from governance.retention.standing import ENDINGS
from governance.subjects import service as subjects
from governance.work import Snapshot, Work

room = Room("erasures", description="Erasing a person in every connected system, and the proof of it.")


def _window(hours: int) -> None:
    """Refuse a window that cannot be, and a shorter one than one person may choose."""
    if not UNDO_HOURS <= hours <= MOST_UNDO_HOURS:
        raise ma.ValidationError(
            f"Send {UNDO_HOURS} to {MOST_UNDO_HOURS} hours; a shorter window takes a second person: "
            "POST /v1/erasures/{id}/approve ends it."
        )


class ScopeBody(Shape):
    """Which data classes; without it, everything."""

    data_classes = ma.fields.List(Text(64), required=True, validate=ma.validate.Length(1, 100))


class ErasureBody(Shape):
    """An order to erase a person."""

    subject = ma.fields.Nested(SubjectName, required=True)
    reason = Text(64, load_default="rights_request")
    scope = ma.fields.Nested(ScopeBody, allow_none=True, load_default=None)
    undo_hours = ma.fields.Integer(strict=True, load_default=UNDO_HOURS, validate=_window)


class EndingBody(Shape):
    """Something that ended. `occurred_at`: now, if it is left out."""

    event = ma.fields.String(required=True, validate=ma.validate.OneOf(ENDINGS))
    occurred_at = Instant(load_default=None, allow_none=True)


class ErasureQuery(Page):
    """Which erasures."""

    status = ma.fields.String(validate=ma.validate.OneOf(STATUSES))


class StepReply(Answer):
    """One system's share."""

    system = ma.fields.String(required=True)
    status = ma.fields.String(required=True)
    outcome = ma.fields.String(required=True, allow_none=True)
    rows = ma.fields.Integer(required=True)
    because = ma.fields.String(required=True, allow_none=True)


class ErasureReply(Answer):
    """How an erasure stands. `subject` is null once the person is erased."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(required=True)
    subject = ma.fields.String(required=True, allow_none=True)
    undo_until = ma.fields.String(required=True)
    steps = ma.fields.List(ma.fields.Nested(StepReply), required=True)
    certificate = ma.fields.String(required=True, allow_none=True)


@room.post("/v1/erasures", scope="erasures:write")
@room.body(ErasureBody)
@room.answers(202, ErasureReply)
def order(body: Mapping[str, Any]) -> Response:
    """Order an erasure: the person is frozen at once, and erased when the undo window has closed."""
    return act(lambda work: _order(work, body), again=_again)


@room.get("/v1/erasures", scope="erasures:read")
@room.query(ErasureQuery)
@room.answers(200, Listing)
def list_erasures(query: Mapping[str, Any]) -> Response:
    """List erasures in the order in which they were ordered."""
    with request_snapshot() as snapshot:
        limit, status = query["limit"], query.get("status")
        use = f"erasures:{status or ''}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = erasures.listed(snapshot, status=status, after=cursor[0] if cursor else "", limit=limit + 1)
        items = [_document(snapshot, each) for each in found]
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


@room.get("/v1/erasures/<erasure_id>", scope="erasures:read")
@room.answers(200, ErasureReply)
def get_erasure(erasure_id: str) -> Response:
    """Say how an erasure stands, system by system; `holds` are the legal holds on the person now."""
    with request_snapshot() as snapshot:
        found = erasures.get(snapshot, erasure_id)
        return reply({**_document(snapshot, found), "holds": list(planning.holds_on(snapshot, found))})


@room.post("/v1/erasures/<erasure_id>/cancel", scope="erasures:write")
@room.refuses(409)
@room.answers(200, ErasureReply)
def cancel(erasure_id: str) -> Response:
    """Undo an order while its window is open."""
    return act(lambda work: _show(work, erasures.cancel(work, erasure_id)), again=_again)


@room.post("/v1/erasures/<erasure_id>/approve", scope="erasures:approve")
@room.refuses(409)
@room.answers(200, ErasureReply)
def approve(erasure_id: str) -> Response:
    """End the undo window now; whoever ordered the erasure cannot: 403 `second-person-needed`."""

    def effect(work: Work) -> Reply | Response:
        made = erasures.approve(work, erasure_id)
        if isinstance(made, Refused):
            return problem(403, "A second person is needed", made.sentence, code=made.code)
        return _show(work, made)

    return act(effect, again=_again)


@room.post("/v1/erasures/<erasure_id>/systems/<system_id>/callback", scope="erasures:write")
@room.answers(202, AnyObject)
@room.refuses(400)
def take_report(erasure_id: str, system_id: str) -> Response:
    """Take what a system reports of its share; a wrong signature is recorded and refused."""
    with request_snapshot() as snapshot:  # a token that was taken back ends here
        erasures.get(snapshot, erasure_id)
    caller = this_caller()
    headers = {name.lower(): value for name, value in request.headers.items()}
    received = reporting.receive(
        this_runtime(),
        caller.actor,
        caller.tenant_id,
        erasure_id,
        system_id,
        headers,
        request.get_data(),
    )
    return reported(received)


@room.post("/v1/erasures/<erasure_id>/retry", scope="erasures:write")
@room.refuses(409)
@room.answers(200, ErasureReply)
def retry(erasure_id: str) -> Response:
    """Take up the failed steps again, after what was wrong was put right."""
    return act(lambda work: _show(work, erasures.retry(work, erasure_id)), again=_again)


@room.post("/v1/erasures/<erasure_id>/systems/<system_id>/not-held", scope="erasures:write")
@room.body(ScopeBody)
@room.refuses(409)
@room.answers(200, ErasureReply)
def not_held(body: Mapping[str, Any], erasure_id: str, system_id: str) -> Response:
    """Answer for it that a system holds none of these classes, for which it is not mapped any more."""
    classes = body["data_classes"]
    return act(
        lambda work: _show(work, mappings.not_held(work, erasure_id, system_id, classes)), again=_again
    )


@room.post("/v1/erasures/<erasure_id>/events", scope="erasures:write")
@room.body(EndingBody)
@room.refuses(409)
@room.answers(200, ErasureReply)
def note_event(body: Mapping[str, Any], erasure_id: str) -> Response:
    """Tell what ended in the relationship with somebody who is erased: what is kept gets its day by it."""
    event, at = body["event"], body["occurred_at"]
    return act(lambda work: _show(work, afterwards.note_event(work, erasure_id, event, at)), again=_again)


def _order(work: Work, body: Mapping[str, Any]) -> Reply:
    person = subjects.resolve_existing(work, body["subject"])
    scope = body["scope"]
    made = erasures.order(
        work,
        person.subject_ref,
        reason=body["reason"],
        scope=None if scope is None else scope["data_classes"],
        undo_hours=body["undo_hours"],
    )
    return _show(work, made, status=202)


def _show(work: Work, found: Erasure, *, status: int = 200) -> Reply:
    return Reply(status, _document(work, found), kept={"id": found.erasure_id})


def _again(work: Work, outcome: Outcome) -> Reply:
    """Answer a repeat with how the erasure stands now."""
    return Reply(outcome.status, _document(work, erasures.get(work, str(outcome.kept["id"]))))


def _document(snapshot: Snapshot, found: Erasure) -> dict[str, Any]:
    named = subjects.external_ids(snapshot, [found.subject_ref])
    return {
        "id": found.erasure_id,
        "status": found.status,
        "subject": named.get(found.subject_ref),
        "reason": found.reason,
        "scope": None if found.scope is None else {"data_classes": list(found.scope)},
        "request": found.request_id,
        "ordered_at": wire(found.ordered_at),
        "undo_until": wire(found.undo_until),
        "fence_at": None if found.fence_at is None else wire(found.fence_at),
        "completed_at": None if found.completed_at is None else wire(found.completed_at),
        "probe_at": None if found.probe_at is None else wire(found.probe_at),
        "probed_at": None if found.probed_at is None else wire(found.probed_at),
        "undated_since": None if found.undated_since is None else wire(found.undated_since),
        "evidence_until": None if found.evidence_until is None else found.evidence_until.isoformat(),
        "steps": [_step(each) for each in found.steps],
        "certificate": found.certificate,
    }


def _step(step: Step) -> dict[str, Any]:
    kept = next((part.because for part in (*step.parts, *step.kept) if part.outcome == "kept_until"), "")
    return {
        "system": step.system,
        "status": step.status,
        "outcome": step.outcome,
        "rows": step.rows,
        "because": step.because or kept or None,
        "attempts": step.attempts,
        "next_at": None if step.next_at is None else wire(step.next_at),
        "data_classes": [part_document(part) for part in (*step.parts, *step.kept)],
        "probe": look_document(step),
    }
