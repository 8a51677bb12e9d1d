"""Objections and suppressions: the noes that no consent overrides by itself."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import consent_documents
from api.consents import CHANNELS
from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot
from api.shapes import Answer, Instant, Listing, PointName, Shape, SubjectName, Text
from governance.consent import service as consent
from governance.consent.acts import OBJECTION_SCOPES, SUPPRESSION_SCOPES
from governance.consent.service import NewObjection, NewSuppression
from governance.errors import InvalidError
from governance.subjects import service as subjects
from governance.work import Work

room = Room("objections", description="Objections and suppressions.")


class ObjectionBody(Shape):
    """An objection. Scope `all`: to all marketing; `purpose`: to the named one; `profiling`."""

    subject = ma.fields.Nested(SubjectName, required=True)
    scope = ma.fields.String(required=True, validate=ma.validate.OneOf(OBJECTION_SCOPES))
    purpose = Text(128, allow_none=True)
    method = Text(64)
    channel = ma.fields.String(allow_none=True, validate=CHANNELS)
    contact_point = ma.fields.Nested(PointName, allow_none=True)
    occurred_at = Instant(allow_none=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class ObjectionRelease(Shape):
    """The person's own act that ends an objection."""

    method = Text(64, required=True)
    occurred_at = Instant(allow_none=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class ObjectionReply(Answer):
    """An objection or its release."""

    id = ma.fields.String(required=True)
    scope = ma.fields.String(required=True)


class SuppressionBody(Shape):
    """Whom nobody is to reach: exactly one of a person and a contact point."""

    subject = ma.fields.Nested(SubjectName)
    contact_point = ma.fields.Nested(PointName)
    scope = ma.fields.String(required=True, validate=ma.validate.OneOf(SUPPRESSION_SCOPES))
    channel = ma.fields.String(allow_none=True, validate=CHANNELS)
    reason = Text(2000, allow_none=True)
    method = Text(64)
    occurred_at = Instant(allow_none=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class SuppressionLookup(Shape):
    """Whose suppressions: exactly one of a person and a contact point."""

    subject = ma.fields.Nested(SubjectName)
    contact_point = ma.fields.Nested(PointName)


class SuppressionRelease(Shape):
    """Why a suppression ends."""

    because = Text(2000, required=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class SuppressionReply(Answer):
    """A suppression."""

    id = ma.fields.String(required=True)
    scope = ma.fields.String(required=True)


@room.post("/v1/objections", scope="consents:write", even_suspended=True)
@room.body(ObjectionBody)
@room.answers(201, ObjectionReply)
def object_(body: Mapping[str, Any]) -> Response:
    """Record an objection (Art. 21 GDPR). It acts at once, for all the person's contact points."""

    def effect(work: Work) -> Reply:
        person = subjects.resolve_even_erased(work, body["subject"])
        named = {name: value for name, value in body.items() if name != "subject"}
        made = consent.object_(work, NewObjection(subject_ref=person.subject_ref, **named))
        document = consent_documents.objection(made)
        return Reply(201, document, kept=document)

    return act(effect)


@room.post("/v1/objections/<objection_id>/release", scope="consents:write")
@room.body(ObjectionRelease)
@room.answers(200, ObjectionReply)
def release_objection(body: Mapping[str, Any], objection_id: str) -> Response:
    """End an objection, on the person's own act only."""

    def effect(work: Work) -> Reply:
        made = consent.release_objection(work, objection_id, **body)
        document = consent_documents.objection(made)
        return Reply(200, document, kept=document)

    return act(effect)


@room.post("/v1/suppressions", scope="consents:write", even_suspended=True)
@room.body(SuppressionBody)
@room.answers(201, SuppressionReply)
def suppress(body: Mapping[str, Any]) -> Response:
    """Suppress a person or a contact point; of the latter a keyed hash is kept, also after an erasure."""

    def effect(work: Work) -> Reply:
        named = {name: value for name, value in body.items() if name != "subject"}
        person = None if "subject" not in body else subjects.resolve_even_erased(work, body["subject"])
        made = consent.suppress(
            work, NewSuppression(subject_ref=None if person is None else person.subject_ref, **named)
        )
        document = consent_documents.suppression(made)
        return Reply(201, document, kept=document)

    return act(effect)


@room.post("/v1/suppressions/lookup", scope="consents:read", effect=False)
@room.body(SuppressionLookup)
@room.answers(200, Listing)
def look_up(body: Mapping[str, Any]) -> Response:
    """List what stands on a person, or on a contact point and whoever has it: suppressions and objections."""
    if len(body) != 1:
        raise InvalidError("Name either the person or the contact point.")
    with request_snapshot() as snapshot:
        if "subject" in body:
            person = subjects.resolve_existing(snapshot, body["subject"])
            found = consent.noes(snapshot, subject_ref=person.subject_ref)
        else:
            found = consent.noes(snapshot, contact_point=body["contact_point"])
    return reply({"items": [consent_documents.suppression(each) for each in found], "next": None})


@room.post("/v1/suppressions/<suppression_id>/release", scope="consents:write")
@room.body(SuppressionRelease)
@room.answers(200, SuppressionReply)
def release_suppression(body: Mapping[str, Any], suppression_id: str) -> Response:
    """End a suppression; the reason is kept sealed."""

    def effect(work: Work) -> Reply:
        made = consent.release_suppression(work, suppression_id, **body)
        document = consent_documents.suppression(made)
        return Reply(200, document, kept=document)

    return act(effect)
