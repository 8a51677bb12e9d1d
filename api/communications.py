"""The communications gate: authorise a message at its hand-over, tell what became of it, read the history."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma
from flask import Response, request

from api import batch
from api.consents import CHANNELS
from api.disclosures import of_person
from api.problems import denied
from api.rooms import Room, json_body
from api.runtime import (
    Reply,
    act,
    page_from,
    read_cursor,
    refuse_suspended,
    reply,
    request_snapshot,
    request_work,
    write_cursor,
)
from api.shapes import Answer, Flag, Instant, Listing, Page, Shape, SubjectName, Text, Whole
from api.telemetry import count_decision
from governance.communications import service as communications
from governance.communications.gate import Gate
from governance.communications.messages import BOUNCES, OUTCOMES, Authorisation, OutcomeReport, SendRequest
from governance.communications.model import ACTION, CALL_MODES, WRITERS, read_check
from governance.communications.screening_results import completed
from governance.communications.screening_sends import HANDED_OVER, MOST_RECIPIENTS, recipients, send
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.work import Work

room = Room("communications", description="Messages: authorised, told, remembered.")

_HEARD_ALWAYS = ("bounced", "complained", "unsubscribed")


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
    sender_country = Text(
        2, allow_none=True, metadata={"description": "Sent from another country, a message is a transfer."}
    )
    sender = Text(
        64, allow_none=True, metadata={"description": "The system that sends, as transfer flows name it."}
    )
    campaign = Text(128, allow_none=True)
    screening = Text(128, allow_none=True)


class SendReply(Answer):
    """The authorisation: hand the message over before `hand_over_by`, with these headers."""

    id = ma.fields.String(required=True)
    decision = ma.fields.Dict(required=True)
    contact_point = ma.fields.Dict(allow_none=True)
    hand_over_by = ma.fields.String(required=True)
    headers = ma.fields.Dict(required=True)


class FromScreening(Shape):
    """Everybody whom a completed screening allowed, a page at a time."""

    screening = Text(128, required=True)
    campaign = Text(128, allow_none=True)
    limit = Whole(1, MOST_RECIPIENTS, load_default=500)
    after = Text(2000, allow_none=True, metadata={"description": "`next` of the page before."})


class FromScreeningReply(Listing):
    """A result per person, and how the page came out; `reasons` counts by every code who is denied by now."""

    authorised = ma.fields.Integer(required=True)
    repeated = ma.fields.Integer(required=True)
    denied = ma.fields.Integer(required=True)
    already_handed_over = ma.fields.Integer(required=True)
    reasons = ma.fields.List(ma.fields.Dict(), required=True)


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
@room.describe(
    requestBody={
        "required": True,
        "content": {
            batch.MEDIA_TYPE: {"schema": SendBody},
            "application/json": {"schema": FromScreening},
        },
    },
    responses={200: {"content": {"application/json": {"schema": FromScreeningReply}}}},
)
@room.answers(200, SendReply, content_type=batch.MEDIA_TYPE, description="A result per line.")
def authorise_batch() -> Response:
    """Authorise up to 1,000 messages, one a line; a bad line never stops the others.

    As JSON, `{"screening": id}` authorises whom that screening allowed, a page at a time: each is decided
    anew, and the answer is JSON with a result per person, counts, and `next`. The message's id is made of
    screening and person, so repeating a page makes no second message (`repeat` is true then).
    """
    if request.mimetype == "application/json":
        return _authorise_screened(FromScreening().load(json_body(request)))
    gate = _Gates()
    return batch.run_batch(lambda work, body: _authorise(work, body, gate.of(work)), SendBody())


class _Gates:
    """The gate of a batch's transaction: policy and purposes are read once for each, never kept beyond it."""

    def __init__(self) -> None:
        self._made: tuple[Work, Gate] | None = None

    def of(self, work: Work) -> Gate:
        """The gate of this unit of work."""
        if self._made is None or self._made[0] is not work:
            self._made = work, communications.open_gate(work)
        return self._made[1]


def _authorise_screened(body: Mapping[str, Any]) -> Response:
    screening_id = body["screening"]
    use = f"recipients:{screening_id}"
    with request_snapshot() as snapshot:
        done = completed(snapshot, screening_id)
        cursor = read_cursor(snapshot, use, body.get("after"))
        found, place = recipients(
            snapshot, done, after=None if cursor is None else (cursor[0], cursor[1]), limit=body["limit"]
        )
        following = None if place is None else write_cursor(snapshot, use, place)
    gate = _Gates()

    def one(work: Work, line: Mapping[str, Any]) -> Reply | Response:
        made = send(work, done, line["recipient"], campaign=body.get("campaign"), gate=gate.of(work))
        return _told(made)

    lines = [
        batch.Line(number, b"", {"subject": each.external_id, "recipient": each})
        for number, each in enumerate(found)
    ]
    items = [
        {"subject": {"id": each.external_id}, **{name: told[name] for name in told if name != "line"}}
        for each, told in zip(found, batch.run_lines(lines, one), strict=True)
    ]
    return reply({"items": items, "next": following, **_counts(items)})


def _counts(items: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """How a page came out: who was allowed when the screening ran and is not any more, and why."""
    reasons: Counter[str] = Counter()
    for each in items:
        context = _problem(each).get("decision", {}).get("context", {})
        reasons.update({reason["code"] for reason in context.get("reasons", ())})
    return {
        "authorised": sum(each["status"] == 201 and not each["repeat"] for each in items),
        "repeated": sum(each["status"] == 201 and each["repeat"] for each in items),
        "denied": sum(each["status"] == 403 for each in items),
        "already_handed_over": sum(_problem(each).get("type", "").endswith(HANDED_OVER) for each in items),
        "reasons": [{"code": code, "count": count} for code, count in reasons.most_common()],
    }


def _problem(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = item.get("problem", {})
    return found


@room.post("/v1/communications/<message_id>/outcomes", scope="communications:write", even_suspended=True)
@room.body(OutcomeBody)
@room.answers(201, OutcomeReply)
def outcome(body: Mapping[str, Any], message_id: str) -> Response:
    """Tell what became of a message: bounces, complaints and leaving have consequences at once.

    These three are taken while the tenant is suspended, too.
    """

    def effect(work: Work) -> Reply:
        if body["outcome"] not in _HEARD_ALWAYS:
            refuse_suspended(work)
        document = communications.outcome(work, message_id, OutcomeReport(**body)).document()
        return Reply(201, document, kept=document)

    return act(effect)


@room.get(
    "/v1/subjects/<external_id>/communications", scope="communications:read", discloses=of_person("messages")
)
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
    asked = SendRequest(
        members.pop("message_id"),
        read_check(subject, members, members),
        campaign=members.get("campaign"),
        screening_id=members.get("screening"),
    )
    return _told(communications.authorise(work, asked, gate=gate))


def _told(made: Authorisation) -> Reply | Response:
    count_decision(ACTION, made.allowed)
    if not made.allowed:
        return denied(made.record.answer(), "Policy does not permit this message; see `decision`.")
    return Reply(201, made.document())
