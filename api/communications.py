"""The communications gate: authorise a message at its hand-over, tell what became of it, read the history."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import batch
from api.consents import CHANNELS
from api.rooms import Room
from api.runtime import Reply, act, denied, page_from, read_cursor, reply, request_snapshot, request_work
from api.shapes import Answer, Flag, Instant, Listing, Page, Shape, SubjectName, Text
from api.telemetry import count_decision
from governance.communications import service as communications
from governance.communications.gate import Gate
from governance.communications.messages import BOUNCES, OUTCOMES, OutcomeReport, SendRequest
from governance.communications.model import ACTION, CALL_MODES, WRITERS, read_check
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.work import Work

room = Room("communications", description="Messages: authorised, told, remembered.")


class PointOf(Shape):
    """A contact point by our reference, or by type and value."""

    ref = Text(64)
    type = Text(16)
    value = Text(512)


class SendBody(Shape):
    """A message that is about to be handed over. No message body is ever sent here."""

    subject = ma.fields.Nested(SubjectName, required=True)
    message_id = Text(128, required=True)
    channel = ma.fields.String(required=True, validate=CHANNELS)
    message_class = Text(128, required=True)
    purpose = Text(128, required=True)
    topic = Text(128, allow_none=True)
    contact_point = ma.fields.Nested(PointOf, allow_none=True)
    product_family = Text(128, allow_none=True)
    in_reply_to = Text(256, allow_none=True, metadata={"description": "The message that is answered."})
    contains_promotion = Flag()
    call_mode = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(CALL_MODES))
    written_by = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(WRITERS))
    sender_country = Text(2, allow_none=True)
    campaign = Text(128, allow_none=True)
    screening = Text(128, allow_none=True)


class SendReply(Answer):
    """The authorisation: hand the message over before `hand_over_by`, with these headers."""

    id = ma.fields.String(required=True)
    decision = ma.fields.Dict(required=True)
    contact_point = ma.fields.Dict(allow_none=True)
    hand_over_by = ma.fields.String(required=True)
    headers = ma.fields.Dict(required=True)


class OutcomeBody(Shape):
    """What became of a message."""

    outcome = ma.fields.String(required=True, validate=ma.validate.OneOf(OUTCOMES))
    bounce = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(BOUNCES))
    occurred_at = Instant(allow_none=True)


class OutcomeReply(Answer):
    """Whether the outcome was kept, and what followed."""

    id = ma.fields.String(required=True)
    kept = ma.fields.Boolean(required=True)


@room.post("/v1/communications", scope="communications:write", effect=False)
@room.body(SendBody)
@room.answers(201, SendReply)
def authorise(body: Mapping[str, Any]) -> Response:
    """Decide about a message at its hand-over and enter it into the history; denied: 403 with the decision.

    Keyed by `message_id`: a repeat decides anew, counts nothing twice, and is denied if it is now forbidden.
    """
    with request_work() as work:
        made = _authorise(work, body, None)
    return made if isinstance(made, Response) else reply(made.document, made.status)


@room.post("/v1/communications/batch", scope="communications:write", effect=False)
@room.describe(requestBody={"required": True, "content": {batch.MEDIA_TYPE: {"schema": SendBody}}})
@room.answers(200, SendReply, content_type=batch.MEDIA_TYPE, description="A result per line.")
def authorise_batch() -> Response:
    """Authorise up to 1,000 messages, one a line; a bad line never stops the others."""
    gate: list[tuple[Work, Gate]] = []

    def one(work: Work, body: Mapping[str, Any]) -> Reply | Response:
        # Policy and purposes are read once for each transaction of the batch, never kept beyond it.
        if not gate or gate[0][0] is not work:
            gate[:] = [(work, communications.open_gate(work))]
        return _authorise(work, body, gate[0][1])

    return batch.run_batch(one, SendBody())


@room.post("/v1/communications/<message_id>/outcomes", scope="communications:write")
@room.body(OutcomeBody)
@room.answers(201, OutcomeReply)
def outcome(body: Mapping[str, Any], message_id: str) -> Response:
    """Tell what became of a message: bounces, complaints and leaving have consequences at once."""

    def effect(work: Work) -> Reply:
        document = communications.outcome(work, message_id, OutcomeReport(**body)).document()
        return Reply(201, document, kept=document)

    return act(effect)


@room.get("/v1/subjects/<external_id>/communications", scope="communications:read")
@room.query(Page)
@room.answers(200, Listing)
def history(query: Mapping[str, Any], external_id: str) -> Response:
    """List a person's messages with their outcomes, newest first."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        cursor = read_cursor(snapshot, "communications", query.get("after"))
        items, more = communications.history(
            snapshot, person.subject_ref, after=cursor[0] if cursor else None, limit=query["limit"]
        )
        return reply(page_from(snapshot, "communications", items, more))


def _authorise(work: Work, body: Mapping[str, Any], gate: Gate | None) -> Reply | Response:
    members = dict(body)
    subject = members.pop("subject")
    send = SendRequest(
        members.pop("message_id"),
        read_check(subject, members, members),
        campaign=members.get("campaign"),
        screening_id=members.get("screening"),
    )
    made = communications.authorise(work, send, gate=gate)
    count_decision(ACTION, made.allowed)
    if not made.allowed:
        return denied(made.record.answer(), "Policy does not permit this message; see `decision`.")
    return Reply(201, made.document())
