"""Imports: a file of the CRM and the mapping that says what its columns mean."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import marshmallow as ma
from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from api import background, uploads
from api.disclosures import of_anybody
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot
from api.shapes import Answer, Page
from governance.clock import wire
from governance.errors import InvalidError
from governance.imports import service as imports
from governance.imports.runs import ImportRun
from governance.transfers.disclosures import PROFILE
from governance.work import Work

room = Room("imports", description="Files from the CRM, row by row.")

_PARTS = {
    "type": "object",
    "required": ["file", "mapping"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "CSV or NDJSON, UTF-8."},
        "mapping": {"type": "string", "format": "binary", "description": "The mapping, YAML."},
    },
}


class ImportReply(Answer):
    """How far an import is, and what was wrong with rows."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(["running", "completed", "failed"]))
    counts = ma.fields.Dict(required=True)


@room.post("/v1/imports", scope="subjects:write")
@room.describe(requestBody={"required": True, "content": {"multipart/form-data": {"schema": _PARTS}}})
@room.answers(202, ImportReply)
def begin() -> Response:
    """Take in a file in the background. The same file and mapping again go on with an unfinished import."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the parts `file` and `mapping` as multipart/form-data.")
    uploads.accept_upload()
    _, content = uploads.part("file")
    name, mapping = uploads.part("mapping")
    answer = act(lambda work: _begin(work, content, name, mapping), body=content + b"\x00" + mapping)
    background.kick()
    return answer


@room.get(
    "/v1/imports/<import_id>",
    scope="subjects:read",
    discloses=of_anybody(*PROFILE, "import_errors"),
)
@room.query(Page)
@room.answers(200, ImportReply)
def look(query: Mapping[str, Any], import_id: str) -> Response:
    """Give an import's progress and counts, and a page of the rows that were refused."""
    with request_snapshot() as snapshot:
        run = imports.get(snapshot, import_id)
        cursor = read_cursor(snapshot, "import-errors", query.get("after"))
        found = imports.errors(
            snapshot, import_id, after=cursor[0] if cursor else 0, limit=query["limit"] + 1
        )
        errors = page(snapshot, "import-errors", found, query["limit"], lambda item: [item["row"]])
        return reply({**_document(run), "errors": errors})


def _begin(work: Work, content: bytes, name: str, mapping: bytes) -> Reply:
    try:
        text = mapping.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidError("The mapping is not UTF-8.", fields={"mapping": ["not UTF-8"]}) from None
    run = imports.begin(
        work,
        mapping_name=_plain(name),
        mapping_text=text,
        file_sha256=sha256(content).hexdigest(),
        total=None,
    )
    imports.keep_file(work, run.import_id, content)
    document = _document(run)
    return Reply(202, document, kept=document)


def _plain(name: str) -> str:
    """A file name as it may stand in complaints: no folder, nothing but letters, digits and marks."""
    kept = "".join(
        each for each in name.replace("\\", "/").split("/")[-1] if each.isascii() and each.isprintable()
    )
    return kept[:100] or "mapping"


def _document(run: ImportRun) -> dict[str, Any]:
    return {
        "id": run.import_id,
        "status": run.state,
        "mapping": run.mapping_name,
        "progress": run.position,
        "total": run.total,
        "counts": dict(run.counts),
        "problem": run.problem,
        "started_at": wire(run.started_at),
        "finished_at": None if run.finished_at is None else wire(run.finished_at),
    }
