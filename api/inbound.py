"""What comes in from people and from their mailbox providers: text messages, complaint reports, the queue."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from api.disclosures import of_anybody
from api.rooms import Room
from api.runtime import Reply, act, page_from, read_cursor, reply, request_snapshot
from api.shapes import Answer, Instant, Listing, Page, Shape, Text
from governance.communications import feedback, inbound
from governance.communications.feedback_reports import MOST_BYTES, read_report
from governance.communications.inbound import CHANNELS, LONGEST_TEXT, RESOLUTIONS
from governance.work import Work

room = Room("inbound", description="What people send back: texts, complaints, and what people must read.")

_REPORT_TYPES = ("message/feedback-report", "multipart/report", "message/rfc822")


class Sender(Shape):
    """Whom a message came from."""

    phone = Text(40, required=True)


class InboundBody(Shape):
    """A text message as it came in."""

    channel = ma.fields.String(required=True, validate=ma.validate.OneOf(CHANNELS))
    from_ = ma.fields.Nested(Sender, required=True, data_key="from", attribute="from_")
    text = ma.fields.String(required=True, validate=ma.validate.Length(0, LONGEST_TEXT))
    received_at = Instant(allow_none=True)


class InboundReply(Answer):
    """What it led to; `reply` is the one answer that may be sent."""

    action = ma.fields.String(
        required=True, validate=ma.validate.OneOf(("opted_out", "help", "not_lifted", "queued"))
    )
    reply = ma.fields.String(required=True, allow_none=True)
    needs = ma.fields.List(ma.fields.String(), required=True)
    review = ma.fields.String(required=True, allow_none=True)


class FeedbackReply(Answer):
    """What a complaint report led to."""

    feedback_type = ma.fields.String(required=True)
    action = ma.fields.String(required=True, validate=ma.validate.OneOf(("suppressed", "none", "queued")))
    because = ma.fields.String(required=True)
    review = ma.fields.String(required=True, allow_none=True)


class InboundReviewPage(Page):
    """Which part of the queue."""

    state = ma.fields.String(load_default="open", validate=ma.validate.OneOf(("open", "resolved")))


class InboundResolution(Shape):
    """What a message meant."""

    resolution = ma.fields.String(required=True, validate=ma.validate.OneOf(RESOLUTIONS))


class InboundReviewReply(Answer):
    """Something that people must read, or have read."""

    id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    due_at = ma.fields.String(required=True)


@room.post("/v1/communications/inbound", scope="communications:write", even_suspended=True)
@room.body(InboundBody)
@room.answers(200, InboundReply)
def take_in(body: Mapping[str, Any]) -> Response:
    """Take in a text message: STOP and its kin act at once, START lifts nothing, free text is queued."""

    def effect(work: Work) -> Reply:
        made = inbound.take(
            work, body["channel"], body["from_"]["phone"], body["text"], body.get("received_at")
        )
        document = made.document()
        return Reply(200, document, kept=document)

    return act(effect)


@room.post("/v1/communications/feedback", scope="communications:write", even_suspended=True)
@room.describe(
    requestBody={
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in _REPORT_TYPES},
        "description": "The report as it came in, up to 1 MiB.",
    }
)
@room.answers(200, FeedbackReply)
def take_feedback() -> Response:
    """Take in a complaint report (ARF): abuse and opt-out end marketing to the person at once."""
    request.max_content_length = MOST_BYTES
    raw = request.get_data(cache=True)
    if request.mimetype not in _REPORT_TYPES:
        raise UnsupportedMediaType(f"Send one of {', '.join(_REPORT_TYPES)}.")
    report = read_report(raw, request.content_type)

    def effect(work: Work) -> Reply:
        document = feedback.take(work, report).document()
        return Reply(200, document, kept=document)

    return act(effect, body=raw)


@room.get(
    "/v1/communications/reviews",
    scope="communications:read",
    discloses=of_anybody("contact_details", "messages"),
)
@room.query(InboundReviewPage)
@room.answers(200, Listing)
def list_reviews(query: Mapping[str, Any]) -> Response:
    """List what people must read, oldest first, with its text and the day by which it must be read."""
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, "reviews", query.get("after"))
        items, more = inbound.reviews(
            snapshot, state=query["state"], after=cursor[0] if cursor else None, limit=query["limit"]
        )
        return reply(page_from(snapshot, "reviews", items, more))


@room.post("/v1/communications/reviews/<review_id>/resolve", scope="communications:write")
@room.body(InboundResolution)
@room.answers(200, InboundReviewReply)
def resolve(body: Mapping[str, Any], review_id: str) -> Response:
    """Say what a message meant: an opt-out acts as of its arrival; the text is destroyed with the answer."""

    def effect(work: Work) -> Reply:
        document = inbound.resolve(work, review_id, body["resolution"])
        return Reply(200, document, kept=document)

    return act(effect)
