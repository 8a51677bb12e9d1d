"""Notices: what people are shown when they are asked."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, request
from werkzeug.exceptions import PreconditionRequired

from api.rooms import Room
from api.runtime import reply, request_snapshot, request_work
from api.shapes import Answer, Shape
from governance.clock import wire
from governance.consent import service as consent
from governance.consent.notice_store import Notice
from governance.errors import StaleError

room = Room("notices", description="Notices in versions and languages.")


class NoticeBody(Shape):
    """The text of a version in each language (BCP 47)."""

    texts = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.String(), required=True, validate=ma.validate.Length(1, 100)
    )


class NoticeReply(Answer):
    """A version of a notice."""

    id = ma.fields.String(required=True)
    version = ma.fields.String(required=True)
    texts = ma.fields.Dict(required=True)


@room.get("/v1/notices/<notice_id>/versions/<version>", scope="consents:read")
@room.answers(200, NoticeReply)
def get_notice(notice_id: str, version: str) -> Response:
    """Give a version of a notice."""
    with request_snapshot() as snapshot:
        found = consent.get_notice(snapshot, notice_id, version)
    return _reply(found, 200)


@room.put("/v1/notices/<notice_id>/versions/<version>", scope="consents:write", configuration=True)
@room.body(NoticeBody)
@room.also(201, NoticeReply, description="Created.")
@room.answers(200, NoticeReply)
def put_notice(body: Mapping[str, Any], notice_id: str, version: str) -> Response:
    """Put a version of a notice. One that people have answered to never changes."""
    header = request.headers.get("If-Match")
    tag = None if header is None else header.strip().strip('"')
    with request_work() as work:
        try:
            texts, created = consent.put_notice(work, notice_id, version, body["texts"], if_match=tag)
        except StaleError:
            if tag is None:
                raise PreconditionRequired(
                    "This version exists: read it, and send its ETag as If-Match with the change."
                ) from None
            raise
    return _reply(texts, 201 if created else 200)


def _reply(texts: list[Notice], status: int) -> Response:
    first = texts[0]
    document = {
        "id": first.notice_id,
        "version": first.version,
        "texts": {each.language: {"text": each.text, "sha256": each.sha256} for each in texts},
        "recorded_at": wire(first.recorded_at),
        "event_id": first.event_id,
    }
    return reply(document, status, {"ETag": f'"{consent.tag(texts)}"'})
