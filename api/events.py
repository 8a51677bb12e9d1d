"""The feed: everything that happened, as CloudEvents, in the order of the ledger."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import door, keep, of_those_named, reached
from api.rooms import Room
from api.runtime import read_cursor, reply, request_snapshot, write_cursor
from api.shapes import Answer, Page
from governance.outbox import service as outbox
from governance.work import Snapshot

room = Room("events", description="What happened, for other systems.")

_USE = "events"


class EventData(Answer):
    """What a CloudEvent of ours carries."""

    position = ma.fields.Integer(required=True, metadata={"description": "Place in the ledger, gapless."})
    facts = ma.fields.Dict(
        required=True, metadata={"description": "Codes, ids and counts; never an address."}
    )
    withheld = ma.fields.List(
        ma.fields.String(),
        metadata={"description": "Only if the event may not go where you are: codes of the reasons."},
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


@room.get("/v1/events", scope="webhooks:read", or_scope="audit:read", discloses=of_those_named())
@room.query(Page)
@room.answers(200, Feed)
def list_events(query: Mapping[str, Any]) -> Response:
    """List what happened, in the order of the ledger and without gaps; poll with `after` = `cursor`.

    Of an event that may not go to the country of the caller only place, kind and time are told, and why.
    """
    limit = query["limit"]
    with request_snapshot() as snapshot:
        after = read_cursor(snapshot, _USE, query.get("after"))
        found = _feed(snapshot, after=after[0] if after else -1, limit=limit + 1)
        items = found[:limit]
        cursor = (
            write_cursor(snapshot, _USE, [items[-1]["data"]["position"]]) if items else query.get("after")
        )
    return reply({"items": items, "next": cursor if len(found) > limit else None, "cursor": cursor})


def _feed(snapshot: Snapshot, *, after: int, limit: int) -> list[dict[str, Any]]:
    away = reached(snapshot)
    if not away:
        return outbox.feed(snapshot, after=after, limit=limit)
    found, records = outbox.feed_abroad(snapshot, away, after=after, limit=limit, door=door())
    keep(snapshot, records)
    return found
