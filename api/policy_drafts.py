"""Changing policy: drafts, and what one person proposes and another approves."""

import json
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request
from werkzeug.exceptions import PreconditionRequired, UnsupportedMediaType

from api import strict_json
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot, request_work
from api.shapes import Answer, Instant, Shape, Text
from governance.clock import wire
from governance.errors import InvalidError, StaleError
from governance.policy import changing, drafting
from governance.policy.changing import Proposal, Refused
from governance.policy.drafting import StoredDraft
from governance.policy.drafts import FILES, RULES, Sent
from governance.work import Snapshot, Work

room = Room("policy-drafts", description="Changing the rules in force, safely.")

_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_DRAFT = {
    "required": True,
    "description": "The pack, with its `cases` (and `now`) beside its rules, and `whole_cases` if what all "
    "packs say together is meant to change. In JSON also as texts of files: "
    '`{"policy": "…", "cases": "…", "whole_cases": "…"}`.',
    "content": {
        "application/json": {"schema": {"type": "object"}},
        "application/yaml": {"schema": {"type": "string"}},
    },
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of the draft that was read; or send `digest` in the body.",
}


class DraftReply(Answer):
    """A draft, and what is proposed of it."""

    pack = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    text = ma.fields.Dict(required=True)
    proposal = ma.fields.Dict(required=True, allow_none=True)


class DraftNamed(Shape):
    """Which draft is meant, for those who cannot send `If-Match`."""

    digest = Text(80, metadata={"description": "The digest of the draft that was read."})


class ProposeBody(DraftNamed):
    """What a change is good for, and when it is to come into force (absent: once it is approved)."""

    notes = Text(
        4000,
        load_default=None,
        allow_none=True,
        metadata={"description": "Release notes; they name no person."},
    )
    activate_at = Instant(load_default=None, allow_none=True)


class RejectBody(DraftNamed):
    """Why not."""

    reason = Text(2000, required=True)


class ProposalReply(Answer):
    """A proposal, and what became of it."""

    id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    changes = ma.fields.Dict(required=True)


@room.get("/v1/policies/<pack>/draft", scope="policies:read")
@room.answers(200, DraftReply)
def get_draft(pack: str) -> Response:
    """Give the draft of a pack; its ETag names what it says."""
    with request_snapshot() as snapshot:
        stored = drafting.get(snapshot, pack)
        return reply(_document(snapshot, stored), headers=_etag(stored.digest))


@room.put("/v1/policies/<pack>/draft", scope="policies:write", configuration=True)
@room.describe(requestBody=_DRAFT, parameters=[_IF_MATCH])
@room.also(201, DraftReply, description="Created.")
@room.answers(200, DraftReply)
def put_draft(pack: str) -> Response:
    """Write the draft of a pack, in YAML or JSON; nothing is decided by it.

    Refused with every complaint at its line. What it does not bring (its cases) stays as it is in force.
    """
    sent = _sent()
    with request_snapshot() as snapshot:
        _builds_on(snapshot, pack)
        written = drafting.read(snapshot, pack, sent)
    with request_work() as work:
        if_match = _builds_on(work, pack)
        stored = drafting.keep(work, written, if_match)
        document = _document(work, stored)
    return reply(document, 201 if if_match is None else 200, _etag(stored.digest))


@room.delete("/v1/policies/<pack>/draft", scope="policies:write")
@room.describe(parameters=[_IF_MATCH])
@room.refuses(412)
@room.refuses(428)
@room.answers(204)
def delete_draft(pack: str) -> Response:
    """Throw the draft of a pack away, and what was proposed of it."""
    with request_work() as work:
        drafting.get(work, pack)
        drafting.discard(work, pack, _named({}))
    return Response(status=204)


@room.post("/v1/policies/<pack>/draft/propose", scope="policies:write")
@room.body(ProposeBody)
@room.describe(parameters=[_IF_MATCH])
@room.refuses(412)
@room.refuses(428)
@room.answers(201, ProposalReply)
def propose(body: Mapping[str, Any], pack: str) -> Response:
    """Propose the draft: its cases hold, all others' do, and what may never be was proved of it."""
    with request_snapshot() as snapshot:
        stored = drafting.get(snapshot, pack)
        if _named(body) != stored.digest:
            raise StaleError("The draft was written anew since you read it; read it again.")
        prepared = changing.prepare(snapshot, pack)

    def effect(work: Work) -> Reply:
        made = changing.propose(
            work, pack, prepared, notes=body["notes"] or "", activate_at=body["activate_at"]
        )
        return _answered(made, 201)

    return act(effect, again=_again(201))


@room.post("/v1/policies/<pack>/draft/approve", scope="policies:approve")
@room.body(DraftNamed)
@room.describe(parameters=[_IF_MATCH])
@room.refuses(412)
@room.refuses(428)
@room.answers(200, ProposalReply)
def approve(body: Mapping[str, Any], pack: str) -> Response:
    """Approve what somebody else proposed; the proposer is refused: 403 `second-person-needed`.

    It is in force from the next check on, in every process, or from the proposed instant on.
    """
    draft = _named(body)
    with request_snapshot() as snapshot:
        changing.prove_proposed(snapshot, pack)

    def effect(work: Work) -> Reply | Response:
        made = changing.approve(work, pack, draft)
        return refused(made) if isinstance(made, Refused) else _answered(made, 200)

    return act(effect, again=_again(200))


@room.post("/v1/policies/<pack>/draft/reject", scope="policies:approve")
@room.body(RejectBody)
@room.describe(parameters=[_IF_MATCH])
@room.refuses(412)
@room.refuses(428)
@room.answers(200, ProposalReply)
def reject(body: Mapping[str, Any], pack: str) -> Response:
    """Reject what was proposed, with a reason; the draft stays."""
    draft = _named(body)
    return act(
        lambda work: _answered(changing.reject(work, pack, draft, body["reason"]), 200), again=_again(200)
    )


@room.post("/v1/policies/<pack>/call-off", scope="policies:approve")
@room.answers(200, ProposalReply)
def call_off(pack: str) -> Response:
    """Call off a change that was approved and waits for its instant."""
    return act(lambda work: _answered(changing.call_off(work, pack), 200), again=_again(200))


@room.get("/v1/policy-proposals/<proposal_id>", scope="policies:read")
@room.answers(200, ProposalReply)
def get_proposal(proposal_id: str) -> Response:
    """Give a proposal and what became of it, with its changes in sentences."""
    with request_snapshot() as snapshot:
        return reply(changing.get(snapshot, proposal_id).document())


def refused(why: Refused) -> Response:
    """Answer what one person alone may not do; its trace is committed."""
    return problem(403, "A second person is needed", why.sentence, code=why.code)


def _sent() -> Sent:
    """Read the body: one document in YAML or JSON, or the texts of the files."""
    kind = request.mimetype
    body = request.get_data(cache=True)
    is_json = kind == "application/json" or (kind.startswith("application/") and request.is_json)
    if not is_json and kind not in _YAML:
        raise UnsupportedMediaType("Send the draft as application/yaml or application/json.")
    text = body.decode("utf-8", "replace")
    if not is_json:
        return Sent.one(text)
    document = strict_json.read(body)
    if isinstance(document, dict) and isinstance(document.get(RULES), str):
        wrong = sorted(name for name, value in document.items() if not isinstance(value, str))
        unknown = sorted(document.keys() - set(FILES))
        if wrong or unknown:
            complaint = f"Send the texts of {', '.join(FILES)}, and nothing else."
            raise InvalidError(complaint, fields={name: [complaint] for name in (*wrong, *unknown)})
        return Sent(document)
    # YAML reads JSON as it stands, and its lines are the sender's, but for tabs and escaped characters.
    plain = "\\u" not in text and "\t" not in text
    return Sent.one(text if plain else json.dumps(document, ensure_ascii=False, indent=1))


def _builds_on(snapshot: Snapshot, pack: str) -> str | None:
    """Give the draft that this PUT builds on, None to create; 428 if one exists and none is named."""
    header = request.headers.get("If-Match")
    if header is None:
        if drafting.find(snapshot, pack) is not None:
            raise PreconditionRequired(
                "This draft exists: read it, and send its ETag as If-Match with the change."
            )
        return None
    return header.strip().strip('"')


def _named(body: Mapping[str, Any]) -> str:
    """Give the digest of the draft that the caller read; 428 if none is named."""
    header = request.headers.get("If-Match")
    if header is not None:
        return header.strip().strip('"')
    if not body.get("digest"):
        raise PreconditionRequired("Say which draft you read: send its ETag as If-Match.")
    return str(body["digest"])


def _etag(digest: str) -> dict[str, str]:
    return {"ETag": f'"{digest}"'}


def _document(snapshot: Snapshot, stored: StoredDraft) -> dict[str, object]:
    proposal = changing.of_draft(snapshot, stored)
    return {
        "pack": stored.pack,
        "digest": stored.digest,
        "state": changing.state_of(None if proposal is None else proposal.state),
        "text": dict(stored.sent.texts),
        "written_by": stored.written_by,
        "written_at": wire(stored.written_at),
        "proposal": None if proposal is None else proposal.document(),
    }


def _answered(made: Proposal, status: int) -> Reply:
    return Reply(status, made.document(), kept={"id": made.proposal_id})


def _again(status: int) -> Any:
    return lambda work, kept: Reply(status, changing.get(work, str(kept.kept["id"])).document())
