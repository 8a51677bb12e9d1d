"""Frequency caps: how often one person is written to, as a house rule of the tenant's."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.configuration import etag, if_match
from api.rooms import Room
from api.runtime import reply, request_snapshot, request_work
from api.shapes import Answer, Listing
from governance.communications import capping
from governance.errors import NotFoundError

room = Room("caps", description="Frequency caps: how often one person is written to.")


class CapBody(ma.Schema):
    """A cap; the domain checks its members and names every one that cannot be used.

    `channel` null and empty lists mean all; `window` is an ISO 8601 duration (windows stand next to each
    other, counted from Monday 5 January 1970 or from the month) or `calendar_day` where the person is.
    """

    class Meta:
        """The domain refuses what it does not know."""

        unknown = ma.INCLUDE

    channel = ma.fields.Raw(allow_none=True, metadata={"type": "string", "nullable": True})
    message_classes = ma.fields.Raw(allow_none=True, metadata={"description": "A list of codes."})
    purposes = ma.fields.Raw(allow_none=True, metadata={"description": "A list of codes."})
    limit = ma.fields.Raw(metadata={"description": "A whole number from 1 to 10000."})
    window = ma.fields.Raw(metadata={"description": "PT12H, P7D, P1M, … or calendar_day."})
    active = ma.fields.Raw(allow_none=True, metadata={"description": "false ends the cap."})


class CapReply(Answer):
    """A cap as recorded."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    limit = ma.fields.Integer(required=True)
    window = ma.fields.String(required=True)


@room.get("/v1/caps", scope="communications:read")
@room.answers(200, Listing)
def list_caps() -> Response:
    """List the caps of the tenant; none is shipped."""
    with request_snapshot() as snapshot:
        return reply({"items": [each.document() for each in capping.every(snapshot)], "next": None})


@room.get("/v1/caps/<cap_id>", scope="communications:read")
@room.answers(200, CapReply)
def get_cap(cap_id: str) -> Response:
    """Give a cap."""
    with request_snapshot() as snapshot:
        found = capping.get(snapshot, cap_id)
    return reply(found.document(), headers=etag(found.version))


@room.put("/v1/caps/<cap_id>", scope="communications:write", configuration=True)
@room.body(CapBody)
@room.also(201, CapReply, description="Created.")
@room.answers(200, CapReply)
def put_cap(body: Mapping[str, Any], cap_id: str) -> Response:
    """Create or replace a cap; it counts from the next authorisation on, and what was taken stays taken."""
    with request_work() as work:
        try:
            capping.get(work, cap_id)
            exists = True
        except NotFoundError:
            exists = False
        made = capping.put(work, cap_id, body, if_match(exists=exists))
    return reply(made.document(), 200 if exists else 201, etag(made.version))
