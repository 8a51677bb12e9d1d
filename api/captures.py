"""Captures: what a form, a call or an event desk takes in, in one transaction."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import links, subject_documents
from api.consent_documents import outcome as consent_document
from api.consents import CHANNELS, NoticeName
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, ledger_place
from api.shapes import Answer, Flag, Instant, LedgerPlace, PointName, Shape, Text
from api.subjects import SubjectBody, read_change
from api.telemetry import count_refusal
from governance.clock import wire
from governance.consent import service as consent
from governance.consent.acts import CONSENT_STATUSES
from governance.consent.captures import CapturedConsent, CapturedEvent, NewCapture
from governance.consent.outcomes import ConsentOutcome
from governance.subjects.relations import EVENT_EFFECTS
from governance.work import Work

room = Room("captures", description="What forms, calls and event desks take in.")


class CapturedSubject(SubjectBody):
    """The person, with the CRM's id and what they told."""

    id = Text(128, required=True)

    @ma.post_load
    def make(self, data: Mapping[str, Any], **_: Any) -> Any:
        """Read it into the id and what the domain knows."""
        named = {name: value for name, value in data.items() if name != "id"}
        return data["id"], read_change(named)


class CapturedConsentBody(Shape):
    """A consent within a capture; what it leaves out comes from the capture and its capture point."""

    purpose = Text(128, required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(CONSENT_STATUSES))
    method = Text(64)
    channel = ma.fields.String(allow_none=True, validate=CHANNELS)
    topic = Text(128, allow_none=True)
    controller = Text(128, allow_none=True)
    contact_point = ma.fields.Nested(PointName, allow_none=True)
    double_opt_in = Flag(allow_none=True)
    expires_at = Instant(allow_none=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)
    guardian = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)
    night = Flag(metadata={"description": "About being contacted at night, and nothing else."})

    @ma.post_load
    def make(self, data: Mapping[str, Any], **_: Any) -> CapturedConsent:
        """Read it into what the domain knows."""
        return CapturedConsent(**data)


class CapturedEventBody(Shape):
    """A relationship event within a capture."""

    event = ma.fields.String(required=True, validate=ma.validate.OneOf(sorted(EVENT_EFFECTS)))
    reference = Text(256, allow_none=True)
    product_family = Text(64, allow_none=True)
    contact_point = ma.fields.Nested(PointName, allow_none=True)
    opt_out_offered = Flag(allow_none=True)
    occurred_at = Instant(allow_none=True)

    @ma.post_load
    def make(self, data: Mapping[str, Any], **_: Any) -> CapturedEvent:
        """Read it into what the domain knows."""
        return CapturedEvent(**data)


class CaptureBody(Shape):
    """What was taken in. A `Sec-GPC: 1` header is recorded as an opt-out of sale and sharing."""

    capture_point = Text(64, required=True)
    subject = ma.fields.Nested(CapturedSubject, required=True)
    notice = ma.fields.Nested(NoticeName, allow_none=True)
    consents = ma.fields.List(ma.fields.Nested(CapturedConsentBody), validate=ma.validate.Length(max=50))
    events = ma.fields.List(ma.fields.Nested(CapturedEventBody), validate=ma.validate.Length(max=50))
    method = Text(64)
    occurred_at = Instant(allow_none=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class CaptureReply(Answer):
    """What a capture came to."""

    id = ma.fields.String(required=True)
    subject = ma.fields.Dict(required=True)
    consents = ma.fields.List(ma.fields.Dict(), required=True)
    events = ma.fields.List(ma.fields.Dict(), required=True)
    ledger = ma.fields.Nested(LedgerPlace)


@room.post("/v1/captures", scope="subjects:write")
@room.body(CaptureBody)
@room.answers(201, CaptureReply)
def capture(body: Mapping[str, Any]) -> Response:
    """Take in what a person did: the person, what was consented to, what happened; all of it or nothing.

    An act of the person starts afresh, even if somebody with the same address was erased.
    """
    return act(lambda work: _capture(work, body))


def _capture(work: Work, body: Mapping[str, Any]) -> Reply | Response:
    external_id, change = body["subject"]
    made = consent.capture(
        work,
        NewCapture(
            capture_point=body["capture_point"],
            external_id=external_id,
            change=change,
            consents=body.get("consents", ()),
            events=body.get("events", ()),
            notice=body.get("notice"),
            method=body.get("method", "web_form"),
            occurred_at=body.get("occurred_at"),
            evidence=body.get("evidence"),
            gpc=links.signals_opt_out(),
        ),
    )
    if made.refused is not None:
        count_refusal(made.refused.reason)
        return problem(409, "Erased, or being erased", made.refused.message, code=made.refused.reason)
    told = {
        "id": made.capture_id,
        "subject": {"id": external_id, "ref": made.subject.subject_ref, "created": made.subject.created},
        "events": [subject_documents.happening(each) for each in made.events],
        "objection": None if made.objection is None else made.objection.objection_id,
    }
    kept = {
        **told,
        "consents": [{"id": each.consent_id, "event_id": each.event_id} for each in made.consents],
    }
    return Reply(
        201, lambda: {**told, "consents": [_consent(work, each) for each in made.consents]}, kept=kept
    )


def _consent(work: Work, made: ConsentOutcome) -> dict[str, Any]:
    waiting = made.confirmation
    return {
        **consent_document(made),
        "ledger": ledger_place(work, made.event_id),
        "confirmation": None
        if waiting is None
        else {
            "token": links.write(work.tenant_ref, waiting.token),
            "expires_at": wire(waiting.expires_at),
        },
    }
