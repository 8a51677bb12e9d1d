"""Data-subject requests: taking in, proof, clocks, answers. What a person sees of it is in `privacy`."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from api.disclosures import of_anybody, of_request
from api.problems import problem
from api.rights_shapes import (
    AppealBody,
    ExtendBody,
    FulfilBody,
    MatchBody,
    PauseBody,
    RefuseBody,
    RequestBody,
    RequestQuery,
    RequestReply,
    ResumeBody,
    VerifyBody,
    WithdrawBody,
)
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot, request_work
from api.shapes import Listing, OwnerBody
from governance.errors import InvalidError
from governance.idempotency.model import Outcome
from governance.rights import service as rights
from governance.rights import store
from governance.rights.dossier import Dossier
from governance.rights.intake import NewRequest
from governance.rights.model import APPEAL
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.work import Snapshot, Work

room = Room("rights", description="What people ask about their data: proof, clocks, answers, letters.")

REFUSED = {
    "wrong-code": (409, "The code is wrong", "This is not the code; the attempt was counted."),
    "merged-since": (
        409,
        "To be verified anew",
        "A record was merged into another since it was proved; verify the request again.",
    ),
}


@room.post("/v1/rights-requests", scope="rights:write", even_suspended=True)
@room.body(RequestBody)
@room.answers(201, RequestReply)
@room.also(200, RequestReply)
def submit(body: Mapping[str, Any]) -> Response:
    """Take a request in. Opt-outs, objections and withdrawals act now; the rest waits for proof."""
    named = dict(body)
    given = list(named.pop("identities", None) or [])
    one = named.pop("identity", None)
    if one is not None:
        given.append(one)
    behalf = named.pop("on_behalf_of", None)
    details = named.pop("details", None)
    new = NewRequest(identities=given, behalf=behalf, details=details or {}, **named)

    def effect(work: Work) -> Reply:
        if new.type == APPEAL and new.appeal_of is not None:
            return _appealed(work, new.appeal_of, {"details": details, "received_at": new.received_at})
        return _kept(work, rights.submit(work, new), 201)

    return act(effect, again=_again)


@room.get("/v1/rights-requests", scope="rights:read", discloses=of_anybody("rights_requests"))
@room.query(RequestQuery)
@room.answers(200, Listing)
def listing(query: Mapping[str, Any]) -> Response:
    """List requests, oldest first; nothing that a person wrote is opened."""
    columns = {"status": "state", "type": "type", "regime": "regime"}
    filters = {columns[name]: query[name] for name in columns if name in query}
    named = query.get("subject")
    with request_snapshot() as snapshot:
        use = f"rights:{sorted(filters.items())}:{query['overdue']}:{named}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        refs = None
        if named is not None:
            refs = subjects.group(snapshot, subjects.get(snapshot, check_external_id(named)).subject_ref)
        found = store.page(
            snapshot.connection,
            snapshot.tenant_id,
            filters=filters,
            subject_refs=refs,
            overdue_at=snapshot.now if query["overdue"] else None,
            after=cursor[0] if cursor else "",
            limit=query["limit"] + 1,
        )
        items = [_document(snapshot, each.request_id) for each in found]
        return reply(page(snapshot, use, items, query["limit"], lambda item: [item["id"]]))


@room.get("/v1/rights-requests/<request_id>", scope="rights:read", discloses=of_request("contact_details"))
@room.answers(200, RequestReply)
def show(request_id: str) -> Response:
    """Show a request with what the person wrote."""
    with request_snapshot() as snapshot:
        dossier = rights.open_dossier(snapshot, request_id)
        return reply(rights.document(snapshot, dossier, opened=True))


@room.post("/v1/rights-requests/<request_id>/verify", scope="rights:write")
@room.body(VerifyBody)
@room.answers(200, RequestReply)
@room.refuses(410)
def verify(body: Mapping[str, Any], request_id: str) -> Response:
    """Take one step of proof; a wrong code is counted and answered 409 `wrong-code`."""
    return act(lambda work: _verify(work, request_id, body), again=_again)


@room.post("/v1/rights-requests/<request_id>/extend", scope="rights:write")
@room.body(ExtendBody)
@room.answers(200, RequestReply)
def extend(body: Mapping[str, Any], request_id: str) -> Response:
    """Make the period longer, while the law still lets it be announced; the letter is written."""
    return act(lambda work: _kept(work, rights.extend(work, request_id, **body)), again=_again)


@room.put("/v1/rights-requests/<request_id>/owner", scope="rights:write")
@room.body(OwnerBody)
@room.answers(200, RequestReply)
def assign(body: Mapping[str, Any], request_id: str) -> Response:
    """Say who sees to an open request, by an opaque id."""
    with request_work() as work:
        return reply(rights.document(work, rights.assign(work, request_id, body["owner"])))


@room.post("/v1/rights-requests/<request_id>/pause", scope="rights:write")
@room.body(PauseBody)
@room.answers(200, RequestReply)
def pause(body: Mapping[str, Any], request_id: str) -> Response:
    """Note that the person was asked for something; 409 `no-pause` where the law does not wait for it."""
    return act(lambda work: _kept(work, rights.pause(work, request_id, **body)), again=_again)


@room.post("/v1/rights-requests/<request_id>/resume", scope="rights:write")
@room.body(ResumeBody)
@room.answers(200, RequestReply)
def resume(body: Mapping[str, Any], request_id: str) -> Response:
    """Note that the person answered; the clock goes on."""
    return act(lambda work: _kept(work, rights.resume(work, request_id, **body)), again=_again)


@room.post("/v1/rights-requests/<request_id>/refuse", scope="rights:write")
@room.body(RefuseBody)
@room.answers(200, RequestReply)
def refuse(body: Mapping[str, Any], request_id: str) -> Response:
    """Refuse on a ground of law; the letter says which, and where to complain or appeal."""
    return act(lambda work: _kept(work, rights.refuse(work, request_id, **body)), again=_again)


@room.post("/v1/rights-requests/<request_id>/fulfil", scope="rights:write")
@room.body(FulfilBody)
@room.answers(200, RequestReply)
def fulfil(body: Mapping[str, Any], request_id: str) -> Response:
    """Close a request as answered; 409 `not-verified` as long as nobody was proved.

    An appeal, or a complaint about a request, is granted by it: the request that was refused is open again,
    with `partly` for the part that `because` names.
    """

    def effect(work: Work) -> Reply | Response:
        handled = rights.fulfil(work, request_id, **body)
        return _kept(work, handled.dossier) if handled.refusal is None else _refused(handled.refusal)

    return act(effect, again=_again)


@room.post("/v1/rights-requests/<request_id>/withdraw", scope="rights:write")
@room.body(WithdrawBody)
@room.answers(200, RequestReply)
def withdraw(body: Mapping[str, Any], request_id: str) -> Response:
    """Close a request that the person no longer wants."""
    return act(lambda work: _kept(work, rights.withdraw(work, request_id, **body)), again=_again)


@room.post("/v1/rights-requests/<request_id>/appeal", scope="rights:write")
@room.body(AppealBody)
@room.answers(201, RequestReply)
@room.also(200, RequestReply, description="The appeal that is open already, with what was added.")
def appeal(body: Mapping[str, Any], request_id: str) -> Response:
    """Take an appeal in, as a request with its own clock; while one is open it is given again (200).

    409 `no-appeal` where the law gives none, `not-refused`, `not-closed`, `decided` after a decision on it.
    """
    return act(lambda work: _appealed(work, request_id, body), again=_again)


@room.get(
    "/v1/rights-requests/<request_id>/matches", scope="rights:read", discloses=of_request("contact_details")
)
@room.answers(200, Listing)
def matches(request_id: str) -> Response:
    """List whom each identity may mean, and what is settled."""
    with request_snapshot() as snapshot:
        return reply(_matches(snapshot, rights.open_dossier(snapshot, request_id)))


@room.post(
    "/v1/rights-requests/<request_id>/matches", scope="rights:write", discloses=of_request("contact_details")
)
@room.body(MatchBody)
@room.answers(200, Listing)
def match(body: Mapping[str, Any], request_id: str) -> Response:
    """Say whether an identity means a person: one identity at a time; this proves nothing."""

    def effect(work: Work) -> Reply:
        person = subjects.resolve_existing(work, body["subject"])
        at = (work, request_id, body["identity"])
        dossier = rights.decide(*at, person.external_id, body["confirmed"])
        return Reply(200, _matches(work, dossier), kept={"id": request_id})

    def again(work: Work, outcome: Outcome) -> Reply:
        return Reply(outcome.status, _matches(work, rights.open_dossier(work, str(outcome.kept["id"]))))

    return act(effect, again=again)


@room.get(
    "/v1/rights-requests/<request_id>/letters", scope="rights:read", discloses=of_request("contact_details")
)
@room.answers(200, Listing)
def letters(request_id: str) -> Response:
    """List a request's letters with their addresses, to be sent as `rights_correspondence`."""
    with request_snapshot() as snapshot:
        rights.open_dossier(snapshot, request_id)
        return reply({"items": rights.letters_of(snapshot, request_id), "next": None})


@room.post("/v1/rights-requests/<request_id>/letters/<letter_id>/sent", scope="rights:write")
@room.answers(200, RequestReply)
def sent(request_id: str, letter_id: str) -> Response:
    """Note that a letter went out; the first one is the acknowledgement."""

    def effect(work: Work) -> Reply:
        rights.sent(work, rights.open_dossier(work, request_id), letter_id)
        return _kept(work, rights.open_dossier(work, request_id))

    return act(effect, again=_again)


def _verify(work: Work, request_id: str, body: Mapping[str, Any]) -> Reply | Response:
    evidence = body.get("evidence") or {}
    if "authority" in body:
        if "identity" in body or "method" in body:
            complaint = "Settle the authority and an identity in two steps."
            raise InvalidError(complaint, fields={"authority": [complaint]})
        dossier = rights.authorise(work, request_id, body["authority"] == "accepted", evidence)
        return _kept(work, dossier)
    missing = {name: ["Missing."] for name in ("identity", "method") if name not in body}
    if missing:
        raise InvalidError("Say which identity is proved, and how.", fields=missing)
    identity, method = body["identity"], body["method"]
    if method == "drop":
        return _kept(work, rights.drop(work, request_id, identity))
    if method == "code" and "code" not in body:
        point = body.get("contact_point")
        return _kept(work, rights.challenge(work, request_id, identity, point_ref=point))
    if method == "code":
        answered = rights.answer(work, request_id, identity, body["code"])
    else:
        answered = rights.check(work, request_id, identity, method=method, evidence=evidence)
    return _kept(work, answered.dossier) if answered.refusal is None else _refused(answered.refusal)


def _document(snapshot: Snapshot, request_id: str) -> dict[str, Any]:
    return rights.document(snapshot, rights.open_dossier(snapshot, request_id))


def _matches(snapshot: Snapshot, dossier: Dossier) -> dict[str, Any]:
    return {"items": rights.matches(snapshot, dossier), "next": None}


def _kept(work: Work, dossier: Dossier, status: int = 200) -> Reply:
    return Reply(status, rights.document(work, dossier), kept={"id": dossier.request_id})


def _appealed(work: Work, request_id: str, told: Mapping[str, Any]) -> Reply:
    found = rights.appeal(work, request_id, **told)
    return _kept(work, found.dossier, 201 if found.new else 200)


def _again(work: Work, outcome: Outcome) -> Reply:
    return Reply(outcome.status, _document(work, str(outcome.kept["id"])))


def _refused(reason: str) -> Response:
    status, title, detail = REFUSED[reason]
    return problem(status, title, detail, code=reason)
