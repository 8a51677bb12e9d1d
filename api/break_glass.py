"""Broken glass and its review queue; who could see a person, and who did."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import of_anybody, of_person
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot
from api.shapes import Answer, Listing, Page, Shape, SubjectName, Text
from governance.access import break_glass
from governance.access.model import ASKER_TYPES
from governance.access.store import Glass
from governance.clock import wire
from governance.reports import exposure as reports
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.work import Snapshot, Work

room = Room("break-glass", description="Broken glass, its review, and the exposure of a person.")


class GlassAskerShape(Shape):
    """For whom the glass is broken."""

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(ASKER_TYPES))
    id = Text(128, required=True)


class BreakGlassBody(Shape):
    """Fields of one person, and why. Without `asker` it is for whoever the credential belongs to."""

    subject = ma.fields.Nested(SubjectName, required=True)
    fields_ = ma.fields.List(
        Text(64),
        required=True,
        data_key="fields",
        validate=ma.validate.Length(1, break_glass.MOST_FIELDS),
    )
    reason = Text(2000, required=True)
    asker = ma.fields.Nested(GlassAskerShape)


class GlassReviewBody(Shape):
    """Whether it was justified, and why."""

    outcome = ma.fields.String(required=True, validate=ma.validate.OneOf(break_glass.OUTCOMES))
    note = Text(2000, required=True)


class BreakGlassReply(Answer):
    """A grant behind broken glass."""

    id = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)
    review = ma.fields.String(required=True)


class QueueQuery(Page):
    """Which part of the queue."""

    review = ma.fields.String(validate=ma.validate.OneOf(break_glass.REVIEWS))


class ExposureReply(Answer):
    """Who could see a person, and who did."""

    could_see = ma.fields.List(ma.fields.Dict(), required=True)
    did_see = ma.fields.List(ma.fields.Dict(), required=True)
    break_glass = ma.fields.List(ma.fields.Dict(), required=True)


@room.post("/v1/access/break-glass", scope="access:write")
@room.body(BreakGlassBody)
@room.answers(201, BreakGlassReply)
def break_the_glass(body: Mapping[str, Any]) -> Response:
    """Open fields of a person for a quarter of an hour; another person looks at it afterwards."""

    def effect(work: Work) -> Reply:
        person = subjects.resolve_existing(work, body["subject"])
        asker = body.get("asker")
        made = break_glass.open_(
            work,
            person.subject_ref,
            body["fields_"],
            body["reason"],
            asker=None if asker is None else (asker["type"], asker["id"]),
        )
        return Reply(201, _document(work, made), kept={"id": made.grant_id})

    return act(effect, again=lambda work, kept: _again(work, str(kept.kept["id"]), 201))


@room.get("/v1/access/break-glass", scope="access:read", discloses=of_anybody("access_logs"))
@room.query(QueueQuery)
@room.answers(200, Listing)
def queue(query: Mapping[str, Any]) -> Response:
    """List grants, the oldest first; `?review=pending` is the review queue."""
    with request_snapshot() as snapshot:
        limit, state = query["limit"], query.get("review")
        use = f"break-glass:{state}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        after = cursor[0] if cursor else ""
        found = break_glass.listed(snapshot, review=state, after=after, limit=limit + 1)
        items = [_document(snapshot, each) for each in found]
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


@room.get("/v1/access/break-glass/<grant_id>", scope="access:read", discloses=of_anybody("access_logs"))
@room.answers(200, BreakGlassReply)
def look(grant_id: str) -> Response:
    """Give a grant."""
    with request_snapshot() as snapshot:
        return reply(_document(snapshot, break_glass.get(snapshot, grant_id)))


@room.post("/v1/access/break-glass/<grant_id>/review", scope="access:write")
@room.body(GlassReviewBody)
@room.answers(200, BreakGlassReply)
def review(body: Mapping[str, Any], grant_id: str) -> Response:
    """Say whether it was justified; whoever broke the glass cannot: 403 `second-person-needed`."""

    def effect(work: Work) -> Reply | Response:
        made = break_glass.review(work, grant_id, body["outcome"], body["note"])
        if isinstance(made, break_glass.Refusal):
            return problem(403, "A second person is needed", made.sentence, code=made.code)
        return Reply(200, _document(work, made), kept={"id": made.grant_id})

    return act(effect, again=lambda work, kept: _again(work, str(kept.kept["id"]), 200))


@room.get("/v1/subjects/<external_id>/exposure", scope="access:read", discloses=of_person("access_logs"))
@room.answers(200, ExposureReply)
def exposure(external_id: str) -> Response:
    """Say who could see this person now, by grants and policies, and who did, by the decision log."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        return reply({"subject": {"id": external_id}, **reports.exposure(snapshot, person.subject_ref)})


def _again(work: Work, grant_id: str, status: int) -> Reply:
    return Reply(status, _document(work, break_glass.get(work, grant_id)))


def _document(snap: Snapshot, each: Glass) -> dict[str, Any]:
    told = break_glass.told(snap, each)
    ids = subjects.external_ids(snap, [each.subject_ref])
    return {
        "id": each.grant_id,
        "subject": {"id": ids.get(each.subject_ref)},
        "asker": {"type": each.asker_type, "id": each.asker_id},
        "opened_by": each.opened_by,
        "fields": list(each.fields),
        "reason": told.reason,
        "opened_at": wire(each.opened_at),
        "expires_at": wire(each.expires_at),
        "review": each.review,
        "reviewed_by": each.reviewed_by,
        "reviewed_at": None if each.reviewed_at is None else wire(each.reviewed_at),
        "note": told.note,
    }
