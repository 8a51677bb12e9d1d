"""Consent: what people said, what holds, and the proof of it."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import batch, consent_documents, links
from api.disclosures import of_anybody, of_person
from api.rooms import Room
from api.runtime import Reply, act, ledger_place, refuse_suspended, reply, request_snapshot
from api.shapes import (
    Answer,
    AnyObject,
    Flag,
    Instant,
    LedgerPlace,
    Listing,
    PointName,
    Shape,
    SubjectName,
    Text,
    read_instant,
)
from governance.clock import wire
from governance.consent import service as consent
from governance.consent.acts import CONSENT_STATUSES, Confirmation, NewConsent, NoticeRef
from governance.errors import InvalidError
from governance.idempotency.model import Outcome
from governance.ledger import service as ledger
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.work import Work

room = Room("consents", description="Consent events, state, notices and receipts.")

_NOES = ("refused", "withdrawn")

CHANNELS = ma.validate.OneOf(sorted(CHANNEL_POINT_TYPE))


class NoticeName(Shape):
    """The notice that the person was shown."""

    id = Text(128, required=True)
    version = Text(128, required=True)
    language = Text(35, allow_none=True)

    @ma.post_load
    def make(self, data: Mapping[str, Any], **_: Any) -> NoticeRef:
        """Read it into what the domain knows."""
        return NoticeRef(**data)


class ConsentBody(Shape):
    """An act of consent without its person. `channel`, `topic`, `controller` null or absent: all."""

    purpose = Text(128, required=True, allow_none=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(CONSENT_STATUSES))
    method = Text(64, required=True)
    channel = ma.fields.String(allow_none=True, validate=CHANNELS)
    topic = Text(128, allow_none=True)
    controller = Text(128, allow_none=True)
    contact_point = ma.fields.Nested(PointName, allow_none=True)
    notice = ma.fields.Nested(NoticeName, allow_none=True)
    double_opt_in = Flag()
    occurred_at = Instant(allow_none=True)
    expires_at = Instant(allow_none=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)
    guardian = ma.fields.Dict(
        keys=ma.fields.String(),
        allow_none=True,
        metadata={"description": "Who consents for a child: a name and `verified_by`, or it does not count."},
    )
    night = Flag(metadata={"description": "About being contacted at night, and nothing else."})


class PersonsConsentBody(ConsentBody):
    """An act of consent. Required: subject, purpose, status, method."""

    subject = ma.fields.Nested(SubjectName, required=True)


class ConfirmationReply(Answer):
    """What ends a double opt-in: to be sent to the contact point. `token` is null when repeated."""

    token = ma.fields.String(required=True, allow_none=True)
    expires_at = ma.fields.String(required=True)


class ConsentReply(Answer):
    """What an act came to."""

    id = ma.fields.String(required=True)
    state = ma.fields.Dict(required=True, allow_none=True)
    ledger = ma.fields.Nested(LedgerPlace)
    receipt = ma.fields.String(required=True)
    confirmation = ma.fields.Nested(ConfirmationReply, allow_none=True)


class ConfirmBody(Shape):
    """The token of a confirmation."""

    token = Text(300, required=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class AsOfQuery(ma.Schema):
    """The present, or the state as it was at an instant or after a ledger position."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = ma.RAISE

    as_of = Text(40, metadata={"description": "An RFC 3339 instant or a ledger position."})


@room.post("/v1/consents", scope="consents:write", even_suspended=True)
@room.body(PersonsConsentBody)
@room.answers(201, ConsentReply)
def record(body: Mapping[str, Any]) -> Response:
    """Record what a person said: requested, granted, refused or withdrawn.

    A no is recorded while the tenant is suspended, too.
    """
    return act(lambda work: record_one(work, body), again=again)


@room.post("/v1/consents/batch", scope="consents:write", even_suspended=True)
@room.describe(requestBody={"required": True, "content": {batch.MEDIA_TYPE: {"schema": PersonsConsentBody}}})
@room.answers(200, ConsentReply, content_type=batch.MEDIA_TYPE, description="A result per line.")
def record_batch() -> Response:
    """Record up to 1,000 acts, one a line; a bad line never stops the others."""
    return batch.run_batch(record_one, PersonsConsentBody(), again=again)


@room.post("/v1/consents/confirm", scope="consents:write")
@room.body(ConfirmBody)
@room.answers(200, ConsentReply)
@room.refuses(410)
def confirm(body: Mapping[str, Any]) -> Response:
    """End a double opt-in with the token that the person was sent."""

    def effect(work: Work) -> Reply:
        secret = links.secret_for(work.tenant_ref, body["token"])
        made = consent.confirm(work, secret, evidence=body.get("evidence"))
        return replied(work, made, 200, None)

    return act(effect, again=again)


@room.get("/v1/subjects/<external_id>/consents", scope="consents:read", discloses=of_person("consent_proofs"))
@room.query(AsOfQuery)
@room.answers(200, AnyObject)
def get_state(query: Mapping[str, str], external_id: str) -> Response:
    """Give the state per purpose, channel and contact point, now or in the past, with its source events."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        found = consent.state(snapshot, person.subject_ref, as_of=_as_of(query.get("as_of")))
        return reply(consent_documents.state(person.external_id, found))


@room.get(
    "/v1/subjects/<external_id>/consents/history",
    scope="consents:read",
    discloses=of_person("consent_proofs"),
)
@room.answers(200, Listing)
def get_history(external_id: str) -> Response:
    """Give all that a person ever said, in order."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        acts = consent.history(snapshot, person.subject_ref)
        return reply({"items": [consent_documents.act(each) for each in acts], "next": None})


@room.get("/v1/receipts/<receipt_id>", scope="consents:read", discloses=of_anybody("consent_proofs"))
@room.answers(200, AnyObject)
def get_receipt(receipt_id: str) -> Response:
    """Give a signed receipt (ISO/IEC TS 27560 in JSON-LD, as a compact JWS)."""
    with request_snapshot() as snapshot:
        return reply({"id": receipt_id, "receipt": consent.receipt(snapshot, receipt_id)})


def new_consent(subject_ref: str, body: Mapping[str, Any]) -> NewConsent:
    """Read an act, loaded by `ConsentBody`, into what the domain knows."""
    named = {name: value for name, value in body.items() if name != "subject"}
    return NewConsent(subject_ref=subject_ref, **named)


def record_one(work: Work, body: Mapping[str, Any]) -> Reply:
    """Record one act of a person who is known; a no of one who was erased binds the addresses.

    While the tenant is suspended, only a no.
    """
    if body["status"] not in _NOES:
        refuse_suspended(work)
    person = subjects.resolve_even_erased(work, body["subject"])
    made = consent.record(work, new_consent(person.subject_ref, body))
    return replied(work, made, 201, made.confirmation)


def replied(work: Work, made: consent.ConsentOutcome, status: int, waiting: Confirmation | None) -> Reply:
    """Answer an act. Kept for a repeat: ids and positions; the receipt is signed anew, the token is gone."""
    expires_at = None if waiting is None else wire(waiting.expires_at)

    def document() -> dict[str, object]:
        told = None
        if waiting is not None:
            told = {"token": links.write(work.tenant_ref, waiting.token), "expires_at": expires_at}
        place = ledger_place(work, made.event_id) if made.event_id in work.sealings else None
        return {**consent_documents.outcome(made), "ledger": place, "confirmation": told}

    kept = {
        "id": made.consent_id,
        "event_id": made.event_id,
        "receipt_id": made.receipt_id,
        "states": [consent_documents.entry(each) for each in made.state],
        "confirmation_expires_at": expires_at,
    }
    return Reply(status, document, kept=kept)


def again(work: Work, outcome: Outcome) -> Reply:
    """Answer a repeat from what was kept."""
    kept: Mapping[str, Any] = outcome.kept
    entry = ledger.entry(work.connection, work.tenant_id, kept["event_id"])
    expires_at = kept["confirmation_expires_at"]
    return Reply(
        outcome.status,
        {
            "id": kept["id"],
            "state": kept["states"][0] if kept["states"] else None,
            "states": kept["states"],
            "event_id": kept["event_id"],
            "receipt_id": kept["receipt_id"],
            "receipt": consent.receipt(work, kept["receipt_id"]),
            "ledger": {"position": entry.position, "leaf_hash": entry.leaf_hash.hex()},
            "confirmation": None if expires_at is None else {"token": None, "expires_at": expires_at},
        },
    )


def _as_of(text: str | None) -> Any:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        # A `+` that was not escaped arrives as a space.
        return read_instant(text.replace(" ", "+"))
    except ValueError:
        raise InvalidError("as_of is an RFC 3339 instant or a ledger position.") from None
