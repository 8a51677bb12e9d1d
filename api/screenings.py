"""Screenings: one question about many people, in one consistent view."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request
from werkzeug.exceptions import BadRequest

from api import background, batch, spreadsheets, strict_json, uploads
from api.batch import MEDIA_TYPE
from api.disclosures import disclose_ids, of_those_named
from api.rooms import Room, json_body
from api.runtime import Reply, act, reply, request_snapshot, streamed
from api.shapes import Answer, Shape
from governance.communications import screening_audience as audiences
from governance.communications import screening_delta, win_back
from governance.communications import screening_results as results
from governance.communications import screening_service as screenings
from governance.communications.id_files import IdFile, read_id_file
from governance.work import Snapshot, Work

Found = Callable[[Snapshot], Iterator[dict[str, Any]]]

room = Room("screenings", description="One question about many people.")


class ScreeningBody(Shape):
    """A check's properties as `question`, and whom it is asked about."""

    question = ma.fields.Dict(keys=ma.fields.String(), required=True)
    audience = ma.fields.Dict(
        keys=ma.fields.String(),
        required=True,
        metadata={"description": 'One of {"all": true}, {"filter": {…}}, {"ids": […]}.'},
    )


class QueuedReply(Answer):
    """What was queued; of a list also how many ids, duplicates and rejected lines it had."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(required=True)
    audience = ma.fields.Dict(required=True)


class ScreeningReply(Answer):
    """How far a screening is, and how it came out."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(
        required=True, validate=ma.validate.OneOf(["queued", "running", "completed", "failed"])
    )
    waterfall = ma.fields.List(ma.fields.Dict())
    reasons = ma.fields.List(ma.fields.Dict())
    alone = ma.fields.List(
        ma.fields.Dict(),
        allow_none=True,
        metadata={"description": "How many people nothing else stands in the way of, by reason."},
    )
    overlap = ma.fields.List(
        ma.fields.Dict(),
        allow_none=True,
        metadata={"description": "How many people have exactly this combination of reasons, most first."},
    )


class ResultsQuery(ma.Schema):
    """Which answers."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = ma.RAISE

    decision = ma.fields.String(validate=ma.validate.OneOf(["allow", "deny"]))
    format = ma.fields.String(
        load_default="ndjson",
        validate=ma.validate.OneOf(["ndjson", "csv"]),
        metadata={"description": "csv: for a spreadsheet, with formulas made harmless."},
    )


class DeltaQuery(ma.Schema):
    """Since which epoch (a ledger size, as in an earlier screening's `epoch`)."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = ma.RAISE

    since = ma.fields.Integer(required=True, validate=ma.validate.Range(0, 2**53 - 1))


_FILE = {
    "type": "object",
    "required": ["question", "file"],
    "properties": {
        "question": {"type": "string", "description": "The question as JSON."},
        "file": {
            "type": "string",
            "format": "binary",
            "description": "Ids: CSV (the column `id`, else the first) or NDJSON.",
        },
    },
}


@room.post("/v1/screenings", scope="communications:write")
@room.describe(
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": ScreeningBody},
            "multipart/form-data": {"schema": _FILE},
        },
    }
)
@room.answers(202, QueuedReply)
def create() -> Response:
    """Queue a question about everyone, those that a filter names, or a list of ids.

    Of an uploaded file, lines that hold no id never stop the others: they are counted here and listed by
    `GET /v1/screenings/{id}/rejected`; ids that come again are counted as duplicates.
    """
    if request.mimetype == "multipart/form-data":
        question, audience, raw = _uploaded()
    else:
        batch.accept_batch()
        body = ScreeningBody().load(json_body(request))
        question, audience, raw = body["question"], body["audience"], None

    def effect(work: Work) -> Reply:
        made = screenings.create(work, question, audience)
        document = {"id": made.screening_id, "status": made.status, "audience": dict(made.audience)}
        return Reply(202, document, kept=document)

    answer = act(effect, body=raw)
    background.kick()
    return answer


@room.get("/v1/screenings/<screening_id>/rejected", scope="communications:read")
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One line of the file a line.")
def get_rejected(screening_id: str) -> Response:
    """Stream the lines of the uploaded file that hold no id, and why; what stood there is not repeated."""
    return streamed(lambda snapshot: _lines(audiences.rejected(snapshot, screening_id)), MEDIA_TYPE)


@room.get("/v1/screenings/<screening_id>", scope="communications:read")
@room.answers(200, ScreeningReply)
def look(screening_id: str) -> Response:
    """Give a screening's progress, and its waterfall: each person once, at the first reason."""
    with request_snapshot() as snapshot:
        return reply(screenings.find(snapshot, screening_id).document())


@room.get(
    "/v1/screenings/<screening_id>/results",
    scope="communications:read",
    discloses=of_those_named("decisions"),
)
@room.query(ResultsQuery)
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One person a line.")
@room.refuses(409)
def get_results(query: Mapping[str, str], screening_id: str) -> Response:
    """Stream each person's answer."""

    def found(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
        return results.results(snapshot, screening_id, decision=query.get("decision"))

    if query["format"] == "csv":
        return streamed(lambda snapshot: _table(_disclosed(snapshot, found)), spreadsheets.MEDIA_TYPE)
    return streamed(lambda snapshot: _lines(_disclosed(snapshot, found)), MEDIA_TYPE)


def _disclosed(snapshot: Snapshot, found: Found) -> Iterator[dict[str, Any]]:
    """What was found, after it was asked whether it may go out; who is among it is read twice for callers
    abroad, so that nothing is kept in memory."""
    disclose_ids(snapshot, lambda: (each["id"] for each in found(snapshot)))
    return found(snapshot)


def _table(found: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    flat = ({**each, "contact_points": [point["ref"] for point in each["contact_points"]]} for each in found)
    return spreadsheets.table(("id", "decision", "codes", "contact_points"), flat)


@room.get(
    "/v1/screenings/<screening_id>/delta", scope="communications:read", discloses=of_those_named("decisions")
)
@room.query(DeltaQuery)
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One person a line.")
@room.refuses(409)
def get_delta(query: Mapping[str, int], screening_id: str) -> Response:
    """Stream the people whose answer changed.

    At the screening's own epoch (or later) it is compared with now, everybody decided anew; at an earlier one
    with the completed screening that asked the same there.
    """

    def found(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
        return screening_delta.delta(snapshot, screening_id, since=query["since"])

    return streamed(lambda snapshot: _lines(_disclosed(snapshot, found)), MEDIA_TYPE)


@room.get(
    "/v1/screenings/<screening_id>/win-back",
    scope="communications:read",
    discloses=of_those_named("decisions"),
)
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One person a line.")
@room.refuses(409)
def get_win_back(screening_id: str) -> Response:
    """Stream who was refused and may lawfully be won back now, each with the remedy that is open.

    Nobody who withdrew, refused, objected, is suppressed, restricted, being erased or a child is among them,
    and a message is named only if the gate permits it to that person at this moment.
    """

    def found(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
        return win_back.win_back(snapshot, screening_id)

    return streamed(lambda snapshot: _lines(_disclosed(snapshot, found)), MEDIA_TYPE)


def _lines(documents: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    return (strict_json.write(each) + b"\n" for each in documents)


def _uploaded() -> tuple[Mapping[str, Any], IdFile, bytes]:
    uploads.accept_upload()
    _, question = uploads.part("question")
    name, content = uploads.part("file")
    asked = strict_json.read(question)
    if not isinstance(asked, dict):
        raise BadRequest("The part 'question' is no JSON object.")
    return asked, read_id_file(content, name=name), question + b"\x00" + content
