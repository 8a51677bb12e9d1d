"""Screenings: one question about many people, in one consistent view."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request
from werkzeug.exceptions import BadRequest, HTTPException

from api import background, batch, strict_json, uploads
from api.batch import MEDIA_TYPE
from api.rooms import Room, json_body
from api.runtime import Reply, act, reply, request_snapshot, streamed
from api.shapes import Answer, Shape
from governance.communications import screening_delta, win_back
from governance.communications import screening_results as results
from governance.communications import screening_service as screenings
from governance.errors import InvalidError
from governance.work import Snapshot, Work

room = Room("screenings", description="One question about many people.")


class ScreeningBody(Shape):
    """A check's properties as `question`, and whom it is asked about."""

    question = ma.fields.Dict(keys=ma.fields.String(), required=True)
    audience = ma.fields.Dict(
        keys=ma.fields.String(),
        required=True,
        metadata={"description": 'One of {"all": true}, {"filter": {…}}, {"ids": […]}.'},
    )


class ScreeningReply(Answer):
    """How far a screening is, and how it came out."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(
        required=True, validate=ma.validate.OneOf(["queued", "running", "completed", "failed"])
    )
    waterfall = ma.fields.List(ma.fields.Dict())
    reasons = ma.fields.List(ma.fields.Dict())


class ResultsQuery(ma.Schema):
    """Which answers."""

    class Meta:
        """Unknown parameters are refused."""

        unknown = ma.RAISE

    decision = ma.fields.String(validate=ma.validate.OneOf(["allow", "deny"]))


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
        "file": {"type": "string", "format": "binary", "description": "Ids: CSV (first column) or NDJSON."},
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
@room.answers(202, ScreeningReply)
def create() -> Response:
    """Queue a question about everyone, those that a filter names, or a list of ids."""
    body, raw = _uploaded() if request.mimetype == "multipart/form-data" else (_loaded(), None)

    def effect(work: Work) -> Reply:
        made = screenings.create(work, body["question"], body["audience"])
        document = {"id": made.screening_id, "status": made.status}
        return Reply(202, document, kept=document)

    answer = act(effect, body=raw)
    background.kick()
    return answer


@room.get("/v1/screenings/<screening_id>", scope="communications:read")
@room.answers(200, ScreeningReply)
def look(screening_id: str) -> Response:
    """Give a screening's progress, and its waterfall: each person once, at the first reason."""
    with request_snapshot() as snapshot:
        return reply(screenings.find(snapshot, screening_id).document())


@room.get("/v1/screenings/<screening_id>/results", scope="communications:read")
@room.query(ResultsQuery)
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One person a line.")
@room.refuses(409)
def get_results(query: Mapping[str, str], screening_id: str) -> Response:
    """Stream each person's answer."""
    wanted = query.get("decision")
    return streamed(
        lambda snapshot: _lines(results.results(snapshot, screening_id, decision=wanted)), MEDIA_TYPE
    )


@room.get("/v1/screenings/<screening_id>/delta", scope="communications:read")
@room.query(DeltaQuery)
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One person a line.")
@room.refuses(409)
def get_delta(query: Mapping[str, int], screening_id: str) -> Response:
    """Stream the people whose answer changed.

    At the screening's own epoch (or later) it is compared with now, everybody decided anew; at an earlier one
    with the completed screening that asked the same there.
    """

    def lines(snapshot: Snapshot) -> Iterator[bytes]:
        return _lines(screening_delta.delta(snapshot, screening_id, since=query["since"]))

    return streamed(lines, MEDIA_TYPE)


@room.get("/v1/screenings/<screening_id>/win-back", scope="communications:read")
@room.answers(200, {"type": "string"}, content_type=MEDIA_TYPE, description="One person a line.")
@room.refuses(409)
def get_win_back(screening_id: str) -> Response:
    """Stream who was refused and may lawfully be won back now, each with the remedy that is open.

    Nobody who withdrew, refused, objected, is suppressed, restricted, being erased or a child is among them,
    and a message is named only if the gate permits it to that person at this moment.
    """
    return streamed(lambda snapshot: _lines(win_back.win_back(snapshot, screening_id)), MEDIA_TYPE)


def _lines(documents: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    return (strict_json.write(each) + b"\n" for each in documents)


def _loaded() -> Mapping[str, Any]:
    batch.accept_batch()
    loaded: Mapping[str, Any] = ScreeningBody().load(json_body(request))
    return loaded


def _uploaded() -> tuple[Mapping[str, Any], bytes]:
    uploads.accept_upload()
    _, question = uploads.part("question")
    _, content = uploads.part("file")
    body = {"question": strict_json.read(question), "audience": {"ids": list(_ids(content))}}
    loaded: Mapping[str, Any] = ScreeningBody().load(body)
    return loaded, question + b"\x00" + content


def _ids(content: bytes) -> Iterator[str]:
    """Read ids from CSV (the first column, a heading `id` passed over) or NDJSON (texts or objects)."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("The file of ids is not UTF-8.") from None
    if text.lstrip()[:1] in ("{", '"'):
        yield from (_id_of(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
        return
    try:
        rows = [row[0].strip() for row in csv.reader(io.StringIO(text)) if row and row[0].strip()]
    except csv.Error:
        raise BadRequest("The file of ids is no CSV.") from None
    yield from rows[1:] if rows and rows[0].lower() in ("id", "external_id") else rows


def _id_of(number: int, line: str) -> str:
    try:
        value = strict_json.read(line.encode())
    except HTTPException:
        value = None
    found = value.get("id") if isinstance(value, dict) else value
    if not isinstance(found, str):
        raise InvalidError(
            f"Line {number} of the file of ids holds no id.", fields={"file": [f"line {number}"]}
        )
    return found
