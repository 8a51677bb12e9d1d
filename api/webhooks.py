"""Webhooks: which systems are told of what, their secrets, and how each delivery fares."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import (
    Reply,
    act,
    page,
    read_cursor,
    reply,
    request_snapshot,
    request_work,
    this_runtime,
)
from api.shapes import Answer, Listing, Page, Shape, Text
from governance.clock import wire
from governance.egress.addresses import LONGEST_URL
from governance.egress.client import Egress
from governance.idempotency.model import Outcome
from governance.outbox import service as outbox
from governance.outbox.model import (
    ACTIVE,
    DELIVERY_STATES,
    MOST_TYPES,
    STATES,
    TYPE_PREFIX,
    Delivery,
    Spread,
    Summary,
    Webhook,
)
from governance.transfers.checks import check_country
from governance.work import Work

room = Room("webhooks", description="Systems that are told what happened (Standard Webhooks, CloudEvents).")

_OVERLAP = re.compile(r"PT([0-9]{1,4})([HM])|P([0-9]{1,2})D", re.ASCII)
_NEWEST = 2**63 - 1


class Overlap(ma.fields.Field):  # type: ignore[type-arg]  # reads text into a timedelta
    """An ISO 8601 duration of whole days, hours or minutes, seven days at the most."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> timedelta:
        found = _OVERLAP.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ma.ValidationError("Not a duration such as PT24H, PT30M or P2D.")
        clock = {"H": timedelta(hours=1), "M": timedelta(minutes=1)}
        if found[3]:
            return timedelta(days=int(found[3]))
        return int(found[1]) * clock[found[2]]


class WebhookBody(Shape):
    """Where events go, which, and whether just now."""

    url = Text(LONGEST_URL, required=True, metadata={"description": "https, on the public internet."})
    types = ma.fields.List(
        Text(128),
        required=True,
        validate=ma.validate.Length(1, MOST_TYPES),
        metadata={"description": "Beginnings of types, in whole words: `governance.consent`."},
    )
    state = ma.fields.String(load_default=ACTIVE, validate=ma.validate.OneOf(STATES))
    country = Text(
        2,
        allow_none=True,
        metadata={"description": "Where the receiver is: what goes abroad is a transfer. Absent: at home."},
    )


class RotationBody(Shape):
    """For how long the secret before signs too."""

    overlap = Overlap(
        load_default=lambda: timedelta(hours=24),
        metadata={"type": "string", "default": "PT24H", "description": "ISO 8601, seven days at the most."},
    )


class WebhookReply(Answer):
    """A webhook. `secret` is shown once, by the answer that made it."""

    id = ma.fields.String(required=True)
    url = ma.fields.String(required=True)
    types = ma.fields.List(ma.fields.String(), required=True)
    state = ma.fields.String(required=True, validate=ma.validate.OneOf(STATES))
    because = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "`asked`, or `gone`: the receiver said 410."}
    )
    previous_secret_until = ma.fields.String(required=True, allow_none=True)
    secret = ma.fields.String(metadata={"description": "`whsec_…`; only in the answer that made it."})


class DeliveriesQuery(Page):
    """Which deliveries."""

    state = ma.fields.String(validate=ma.validate.OneOf(DELIVERY_STATES))


class SpreadReply(Answer):
    """Times in seconds; null if there are none."""

    p50 = ma.fields.Float(required=True, allow_none=True)
    p95 = ma.fields.Float(required=True, allow_none=True)
    max = ma.fields.Float(required=True, allow_none=True)


class SummaryReply(Answer):
    """How a webhook is doing. Times are over what is kept (a week)."""

    pending = ma.fields.Integer(required=True)
    delivered = ma.fields.Integer(required=True)
    dead = ma.fields.Integer(required=True)
    behind = ma.fields.Integer(required=True, metadata={"description": "Ledger entries not looked at yet."})
    resumes_at = ma.fields.String(required=True, allow_none=True)
    lag_seconds = ma.fields.Nested(
        SpreadReply,
        required=True,
        metadata={"description": "From the event to this receiver's acknowledgement."},
    )
    lag_of_all_seconds = ma.fields.Nested(
        SpreadReply,
        required=True,
        metadata={"description": "From the event to the last of all systems that wanted it."},
    )


class DeliveriesReply(Listing):
    """Deliveries, the newest event first, and how the webhook is doing."""

    summary = ma.fields.Nested(SummaryReply, required=True)


@room.get("/v1/webhooks", scope="webhooks:read")
@room.answers(200, Listing)
def list_webhooks() -> Response:
    """List the webhooks."""
    with request_snapshot() as snapshot:
        return reply({"items": [_webhook(each) for each in outbox.every(snapshot)], "next": None})


@room.get("/v1/webhooks/<webhook_id>", scope="webhooks:read")
@room.answers(200, WebhookReply)
def get_webhook(webhook_id: str) -> Response:
    """Give a webhook, without its secret."""
    with request_snapshot() as snapshot:
        return reply(_webhook(outbox.get(snapshot, webhook_id)))


@room.put("/v1/webhooks/<webhook_id>", scope="webhooks:write")
@room.body(WebhookBody)
@room.also(201, WebhookReply, description="Created; `secret` is shown this once.")
@room.answers(200, WebhookReply)
def put_webhook(body: Mapping[str, Any], webhook_id: str) -> Response:
    """Create or replace a webhook. A new one is told what happens from now on; the feed has the past.

    Switched off and on again, it goes on where it stopped.
    """
    runtime = this_runtime()
    with request_snapshot():  # a token that was taken back learns nothing about names
        pass
    target = outbox.look_up(runtime.settings, Egress(), body["url"])
    with request_work() as work:
        made = outbox.put(
            work,
            webhook_id,
            target=target,
            types=body["types"],
            state=body["state"],
            country=check_country(body.get("country")),
        )
    document = _webhook(made.webhook) | ({} if made.secret is None else {"secret": made.secret})
    return reply(document, 201 if made.created else 200)


@room.delete("/v1/webhooks/<webhook_id>", scope="webhooks:write")
@room.answers(204, description="Removed, with its secrets and all that waited for it.")
def delete_webhook(webhook_id: str) -> Response:
    """Remove a webhook. What waited for it is not sent; the feed keeps every event."""
    with request_work() as work:
        outbox.delete(work, webhook_id)
    return Response(status=204)


@room.post("/v1/webhooks/<webhook_id>/rotate", scope="webhooks:write")
@room.body(RotationBody)
@room.answers(200, WebhookReply)
def rotate_secret(body: Mapping[str, Any], webhook_id: str) -> Response:
    """Make a new secret, shown this once; during the overlap every event is signed under both."""

    def effect(work: Work) -> Reply:
        made = outbox.rotate(work, webhook_id, overlap=body["overlap"])
        kept = {"webhook": webhook_id, "version": made.secret_version}
        return Reply(200, _webhook(made) | {"secret": outbox.secret(work, made)}, kept)

    def again(work: Work, outcome: Outcome) -> Reply:
        found = outbox.get(work, webhook_id)
        shown = outcome.kept["version"] == found.secret_version
        return Reply(200, _webhook(found) | ({"secret": outbox.secret(work, found)} if shown else {}))

    return act(effect, again=again)


@room.get("/v1/webhooks/<webhook_id>/deliveries", scope="webhooks:read")
@room.query(DeliveriesQuery)
@room.answers(200, DeliveriesReply)
def list_deliveries(query: Mapping[str, Any], webhook_id: str) -> Response:
    """List what was sent, waits to be sent again or was given up, and how long acknowledgements take."""
    state = query.get("state")
    use = f"deliveries:{webhook_id}:{state}"
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = outbox.deliveries(
            snapshot,
            webhook_id,
            state=state,
            before=cursor[0] if cursor else _NEWEST,
            limit=query["limit"] + 1,
        )
        items = [_delivery(each) for each in found]
        listing = page(snapshot, use, items, query["limit"], lambda item: [item["position"]])
        return reply(listing | {"summary": _summary(outbox.summary(snapshot, webhook_id))})


def _webhook(each: Webhook) -> dict[str, Any]:
    return {
        "id": each.webhook_id,
        "url": each.url,
        "types": list(each.types),
        "state": each.state,
        "because": each.because,
        "country": each.country,
        "previous_secret_until": None if each.previous_until is None else wire(each.previous_until),
        "created_at": wire(each.created_at),
        "updated_at": wire(each.updated_at),
    }


def _delivery(each: Delivery) -> dict[str, Any]:
    return {
        "event": each.event_id,
        "type": TYPE_PREFIX + each.kind,
        "position": each.position,
        "state": each.state,
        "attempts": each.attempts,
        "recorded_at": wire(each.recorded_at),
        "last_tried_at": wire(each.last_tried_at),
        "next_at": None if each.next_at is None else wire(each.next_at),
        "problem": each.problem,
        "lag_seconds": _seconds(each.lag),
    }


def _summary(found: Summary) -> dict[str, Any]:
    return {
        **found.counts,
        "behind": found.behind,
        "resumes_at": None if found.resumes_at is None else wire(found.resumes_at),
        "lag_seconds": spread(found.lag),
        "lag_of_all_seconds": spread(found.lag_of_all),
    }


def spread(found: Spread) -> dict[str, Any]:
    """Write times in seconds."""
    return {"p50": _seconds(found.p50), "p95": _seconds(found.p95), "max": _seconds(found.longest)}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
