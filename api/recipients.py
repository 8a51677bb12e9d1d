"""Corrections, and who is told of them and of restrictions (Art. 19 GDPR)."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from api.disclosures import of_request
from api.problems import problem
from api.rights import REFUSED
from api.rights_shapes import CorrectBody, CorrectedReply, NoteBody, RequestReply
from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot
from api.shapes import Listing
from governance.idempotency.model import Outcome
from governance.rights import recipients
from governance.rights import service as rights
from governance.rights.correcting import Correction, correct
from governance.work import Work

room = Room("recipients", description="Who holds a copy and is told of corrections and restrictions.")


@room.post("/v1/rights-requests/<request_id>/correct", scope="rights:write")
@room.body(CorrectBody)
@room.refuses(409)
@room.answers(200, CorrectedReply)
def put_right(body: Mapping[str, Any], request_id: str) -> Response:
    """Put values right here at once, and have every connected system told; the request goes on by itself.

    `not_so_here` lists what was left here, since it is something else than `was`.
    """
    wanted = [Correction(**each) for each in body["changes"]]

    def effect(work: Work) -> Reply | Response:
        done = correct(work, request_id, wanted)
        if done.refusal is not None:
            status, title, detail = REFUSED[done.refusal]
            return problem(status, title, detail, code=done.refusal)
        return _corrected(work, request_id, done.not_so_here)

    def again(work: Work, outcome: Outcome) -> Reply:
        return _corrected(work, request_id, outcome.kept["not_so_here"])

    return act(effect, again=again)


@room.get("/v1/rights-requests/<request_id>/recipients", scope="rights:read", discloses=of_request())
@room.answers(200, Listing)
def list_recipients(request_id: str) -> Response:
    """List who is told, and what each has answered: the receipts."""
    with request_snapshot() as snapshot:
        rights.open_dossier(snapshot, request_id)
        return reply({"items": recipients.documents(snapshot, request_id), "next": None})


@room.post("/v1/rights-requests/<request_id>/recipients/<system_id>", scope="rights:write")
@room.body(NoteBody)
@room.refuses(409)
@room.answers(200, RequestReply)
def note_recipient(body: Mapping[str, Any], request_id: str, system_id: str) -> Response:
    """Note by hand that a recipient did it, or cannot, with evidence; or have it asked again."""

    def effect(work: Work) -> Reply:
        evidence = body.get("evidence") or {}
        recipients.note(work, request_id, system_id, outcome=body["outcome"], evidence=evidence)
        return _kept(work, request_id)

    return act(effect, again=_again)


def _kept(work: Work, request_id: str) -> Reply:
    document = rights.document(work, rights.open_dossier(work, request_id))
    return Reply(200, document, kept={"id": request_id})


def _corrected(work: Work, request_id: str, not_so_here: Any) -> Reply:
    document = rights.document(work, rights.open_dossier(work, request_id))
    names = list(not_so_here)
    return Reply(200, {**document, "not_so_here": names}, kept={"id": request_id, "not_so_here": names})


def _again(work: Work, outcome: Outcome) -> Reply:
    dossier = rights.open_dossier(work, str(outcome.kept["id"]))
    return Reply(outcome.status, rights.document(work, dossier))
