"""The feed: everything that happened, as CloudEvents, in the order of the ledger."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import read_cursor, reply, request_snapshot, write_cursor
from api.shapes import Answer, Page
from governance.outbox import service as outbox

room = Room("events", description="What happened, for other systems.")

_USE = "events"


class EventData(Answer):
    """What a CloudEvent of ours carries."""

    position = ma.fields.Integer(required=True, metadata={"description": "Place in the ledger, gapless."})
    facts = ma.fields.Dict(
        required=True, metadata={"description": "Codes, ids and counts; never an address."}
    )
    external_id = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The CRM's id of the person, as it is now."}
    )


class CloudEvent(Answer):
    """An event (CloudEvents 1.0, JSON format)."""

    specversion = ma.fields.String(required=True, validate=ma.validate.Equal("1.0"))
    id = ma.fields.String(required=True)
    source = ma.fields.String(required=True)
    type = ma.fields.String(required=True)
    time = ma.fields.String(required=True, metadata={"format": "date-time"})
    subject = ma.fields.String(metadata={"description": "Random reference of the person, if there is one."})
    datacontenttype = ma.fields.String(required=True)
    data = ma.fields.Nested(EventData, required=True)


class Feed(Answer):
    """A part of the feed. `next` is null at its present end; `cursor` is where to go on later in any case."""

    items = ma.fields.List(ma.fields.Nested(CloudEvent), required=True)
    next = ma.fields.String(required=True, allow_none=True)
    cursor = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Keep it and send it as `after` next time; null while there was nothing."},
    )


@room.get("/v1/events", scope="webhooks:read", or_scope="audit:read")
@room.query(Page)
@room.answers(200, Feed)
def list_events(query: Mapping[str, Any]) -> Response:
    """List what happened, in the order of the ledger and without gaps; poll with `after` = `cursor`."""
    limit = query["limit"]
    with request_snapshot() as snapshot:
        after = read_cursor(snapshot, _USE, query.get("after"))
        found = outbox.feed(snapshot, after=after[0] if after else -1, limit=limit + 1)
        items = found[:limit]
        cursor = (
            write_cursor(snapshot, _USE, [items[-1]["data"]["position"]]) if items else query.get("after")
        )
    return reply({"items": items, "next": cursor if len(found) > limit else None, "cursor": cursor})
