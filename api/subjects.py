"""Data subjects: who they are, what happened with them, and where they stand."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import subject_documents
from api.crossing import carried_through
from api.disclosures import disclose, left_of, of_person, of_those_named
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, page_from, read_cursor, reply, request_snapshot, request_work
from api.shapes import (
    Answer,
    Day,
    Flag,
    IdentifierShape,
    Instant,
    Listing,
    Page,
    PointName,
    Shape,
    SubjectName,
    Text,
)
from api.telemetry import count_refusal
from governance.communications import capping
from governance.consent import service as consent
from governance.reports import timeline as reports
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.subjects.model import ACQUIRED, CUSTOMER_TYPES, Organisation, SubjectChange, SubjectReference
from governance.subjects.relations import EVENT_EFFECTS
from governance.transfers.disclosures import PROFILE
from governance.work import Work

room = Room("subjects", description="Data subjects by the CRM's own opaque id.")


class Attributes(Shape):
    """What is known about a person; null clears, absence keeps."""

    country = Text(2, allow_none=True, metadata={"description": "ISO 3166-1 alpha-2."})
    region = Text(8, allow_none=True, metadata={"description": "ISO 3166-2."})
    time_zone = Text(64, allow_none=True, metadata={"description": "IANA name."})
    language = Text(35, allow_none=True, metadata={"description": "BCP 47."})
    birth_date = Day(allow_none=True)
    customer_type = ma.fields.String(validate=ma.validate.OneOf(CUSTOMER_TYPES), allow_none=True)


class OrganisationShape(Shape):
    """The organisation that a person acts for."""

    id = Text(128, allow_none=True)
    country = Text(2, allow_none=True)


class Source(Shape):
    """How a person came to be known."""

    capture_point = Text(64, allow_none=True)
    channel = Text(64, allow_none=True)
    url = Text(2048, allow_none=True)
    acquired = ma.fields.String(validate=ma.validate.OneOf(ACQUIRED))


class SubjectBody(Shape):
    """What a CRM says about a person. Members that are named replace, absent ones stay."""

    identifiers = ma.fields.List(ma.fields.Nested(IdentifierShape), validate=ma.validate.Length(max=100))
    attributes = ma.fields.Nested(Attributes)
    organisation = ma.fields.Nested(OrganisationShape, allow_none=True)
    relationship = Text(32, metadata={"description": "The asserted opening stage; at creation only."})
    source = ma.fields.Nested(Source)
    acquired_at = Instant(allow_none=True)

    @ma.post_load
    def make(self, data: Mapping[str, Any], **_: Any) -> SubjectChange:
        """Read it into what the domain knows."""
        return read_change(data)


class SubjectReply(Answer):
    """A person as recorded; with `withheld`, codes, the ids alone: more may not go where the caller is."""

    id = ma.fields.String(required=True)
    ref = ma.fields.String(required=True)
    relationship = ma.fields.String(allow_none=True)


class HappeningBody(Shape):
    """Something that happened in the relationship."""

    event = ma.fields.String(required=True, validate=ma.validate.OneOf(sorted(EVENT_EFFECTS)))
    occurred_at = Instant()
    reference = Text(256, allow_none=True)
    product_family = Text(64, allow_none=True)
    contact_point = ma.fields.Nested(PointName, allow_none=True)
    opt_out_offered = Flag(allow_none=True)


class HappeningReply(Answer):
    """A relationship event as recorded."""

    id = ma.fields.String(required=True)
    event = ma.fields.String(required=True)
    occurred_at = ma.fields.String(required=True)


class LookupBody(Shape):
    """Who is looked for. A POST, because personal data never travels in a URL."""

    subject = ma.fields.Nested(SubjectName, required=True)


class MergeBody(Shape):
    """Into which person this record is merged."""

    into = Text(128, required=True, metadata={"description": "The CRM's id of the survivor."})


class MergeReply(Answer):
    """What became of a merge or a split."""

    id = ma.fields.String(required=True)
    contact_points = ma.fields.Integer(required=True)


class SplitBody(Shape):
    """Which contact points the record takes with it; absent: those that it came with."""

    contact_points = ma.fields.List(Text(64), validate=ma.validate.Length(max=100))


@room.put("/v1/subjects/<external_id>", scope="subjects:write", discloses=of_those_named(*PROFILE))
@room.body(SubjectBody)
@room.also(201, SubjectReply, description="Created.")
@room.answers(200, SubjectReply)
def put_subject(change: SubjectChange, external_id: str) -> Response:
    """Create or update a person."""

    def once() -> Response:
        with request_work() as work:
            outcome = subjects.put(work, external_id, consent.sourced(work, change))
            if outcome.blocked:
                return resurrection_blocked()
            person = subjects.get_by_ref(work, outcome.subject_ref)
            document = subject_documents.person(work, person, values=False)
            document = left_of(work, person.subject_ref, document)
            return reply(document, 201 if outcome.created else 200)

    return carried_through(once)


@room.get(
    "/v1/subjects/<external_id>",
    scope="subjects:read",
    discloses=of_person(*PROFILE),
)
@room.answers(200, SubjectReply)
def get_subject(external_id: str) -> Response:
    """Give a person with contact points, attributes and standing."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        return reply(subject_documents.person(snapshot, person, values=True))


@room.post(
    "/v1/subjects/lookup",
    scope="subjects:read",
    effect=False,
    discloses=of_those_named(*PROFILE),
)
@room.body(LookupBody)
@room.answers(200, SubjectReply)
def look_up(body: Mapping[str, SubjectReference]) -> Response:
    """Find a person by id, e-mail address or telephone number."""
    with request_snapshot() as snapshot:
        person = subjects.resolve_existing(snapshot, body["subject"])
        disclose(snapshot, [person.subject_ref])
        return reply(subject_documents.person(snapshot, person, values=True))


@room.post("/v1/subjects/<external_id>/events", scope="subjects:write")
@room.body(HappeningBody)
@room.answers(201, HappeningReply)
def record_event(body: Mapping[str, Any], external_id: str) -> Response:
    """Record what happened in the relationship; clocks and implied consent run from it."""

    def effect(work: Work) -> Reply:
        named = SubjectReference(id=check_external_id(external_id))
        person = subjects.resolve_even_erased(work, named)
        document = record_happening(work, person.subject_ref, body)
        return Reply(201, document, kept=document)

    return act(effect)


@room.post("/v1/subjects/<external_id>/merge", scope="subjects:write")
@room.body(MergeBody)
@room.answers(200, MergeReply)
def merge(body: Mapping[str, str], external_id: str) -> Response:
    """Merge this record into another; whatever differs takes the warier of the two."""

    def effect(work: Work) -> Reply:
        gone = subjects.get(work, check_external_id(external_id))
        into = subjects.get(work, check_external_id(body["into"]))
        merged = consent.merge(work, gone.subject_ref, into.subject_ref)
        capping.merge(work, gone.subject_ref, into.subject_ref)
        document = {"id": into.external_id, "contact_points": len(merged.points)}
        return Reply(200, document, kept=document)

    return act(effect)


@room.post("/v1/subjects/<external_id>/split", scope="subjects:write")
@room.body(SplitBody)
@room.answers(200, MergeReply)
def split(body: Mapping[str, Any], external_id: str) -> Response:
    """Undo the merge of this record. What was taken (consent, standing) is not given back."""

    def effect(work: Work) -> Reply:
        gone = subject_documents.merged_record(work, check_external_id(external_id))
        parted = consent.split(work, gone.subject_ref, point_refs=body.get("contact_points"))
        document = {"id": external_id, "contact_points": len(parted.points)}
        return Reply(200, document, kept=document)

    return act(effect)


@room.get("/v1/subjects/<external_id>/timeline", scope="subjects:read", discloses=of_person("interactions"))
@room.query(Page)
@room.answers(200, Listing)
def timeline(query: Mapping[str, Any], external_id: str) -> Response:
    """List what happened with a person, oldest first: events, acts and checks."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        cursor = read_cursor(snapshot, "timeline", query.get("after"))
        items, more = reports.timeline(
            snapshot, person.subject_ref, after=cursor[0] if cursor else None, limit=query["limit"]
        )
        return reply(page_from(snapshot, "timeline", items, more))


def read_change(data: Mapping[str, Any]) -> SubjectChange:
    """Read a person's members, loaded by `SubjectBody`, into a change."""
    members: dict[str, Any] = dict(data.get("attributes", {}))
    for name in ("identifiers", "relationship", "acquired_at"):
        if name in data:
            members[name] = data[name]
    if "organisation" in data:
        named = data["organisation"]
        members["organisation"] = (
            None if named is None else Organisation(named.get("id"), named.get("country"))
        )
    names = {
        "capture_point": "capture_point",
        "channel": "source_channel",
        "url": "source_url",
        "acquired": "acquired",
    }
    for name, value in data.get("source", {}).items():
        members[names[name]] = value
    return SubjectChange(**members)


def record_happening(work: Work, subject_ref: str, body: Mapping[str, Any]) -> dict[str, object]:
    """Record a relationship event from its body, loaded by `HappeningBody`; give its document."""
    point = body.get("contact_point")
    point_ref = None
    if point is not None:
        point_ref = subjects.ensure_point(work, subject_ref, point.type, point.value).point_ref
    happened = subjects.record_event(
        work,
        subject_ref,
        event=body["event"],
        occurred_at=body.get("occurred_at"),
        reference=body.get("reference"),
        product_family=body.get("product_family"),
        point_ref=point_ref,
        opt_out_offered=body.get("opt_out_offered"),
    )
    return subject_documents.happening(happened)


def resurrection_blocked() -> Response:
    """Answer 409 for a value that belongs to an erased person; the trace is committed, and counted."""
    count_refusal("resurrection-blocked")
    return problem(
        409,
        "This belongs to an erased person",
        "The id or a value belongs to somebody who was erased. Only an act of the person starts afresh: "
        "send it with POST /v1/captures.",
        code="resurrection-blocked",
    )
