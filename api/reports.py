"""Reports for those who answer for compliance."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import reply, request_snapshot
from api.shapes import Answer, Instant, Shape
from api.webhooks import SpreadReply, spread
from governance.outbox import reach
from governance.reports import message_classes

room = Room("reports", description="What those look at who answer for compliance.")


class PeriodQuery(Shape):
    """A period: 400 days at most."""

    since = Instant(metadata={"description": "From this instant on; absent: 30 days before the end."})
    until = Instant(metadata={"description": "Up to this instant, which is not included; absent: now."})


class MessageClassesReply(Answer):
    """Messages that look as if they went out under a class that is not theirs; a sign is no proof."""

    since = ma.fields.String(required=True)
    until = ma.fields.String(required=True)
    messages = ma.fields.Integer(required=True)
    findings = ma.fields.List(ma.fields.Dict(), required=True)
    signs = ma.fields.List(ma.fields.Dict(), required=True)


class OptOutsReply(Answer):
    """How fast a no reaches every system that wants to hear of it, over what is kept (a week)."""

    systems = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "Active webhooks that want opt-outs."}
    )
    told = ma.fields.Integer(required=True, metadata={"description": "Acknowledged by every system."})
    waiting = ma.fields.Integer(required=True, metadata={"description": "Some system has yet to."})
    given_up = ma.fields.Integer(required=True, metadata={"description": "Some system never did."})
    seconds = ma.fields.Nested(
        SpreadReply,
        required=True,
        metadata={"description": "From the click to the last system's acknowledgement."},
    )


class ConsentsReport(Answer):
    """Consents and their end."""

    opt_outs = ma.fields.Nested(OptOutsReply, required=True)


@room.get("/v1/reports/message-classes", scope="communications:read")
@room.query(PeriodQuery)
@room.answers(200, MessageClassesReply)
def message_class_report(query: Mapping[str, Any]) -> Response:
    """List messages whose declared class looks wrong, with counts and samples by reference."""
    with request_snapshot() as snapshot:
        found = message_classes.report(snapshot, since=query.get("since"), until=query.get("until"))
    return reply(found)


@room.get("/v1/reports/consents", scope="audit:read")
@room.answers(200, ConsentsReport)
def consents() -> Response:
    """Report on consents: how long it takes from an opt-out to the last system's acknowledgement."""
    with request_snapshot() as snapshot:
        found = reach.of_opt_outs(snapshot)
    return reply(
        {
            "opt_outs": {
                "systems": list(found.systems),
                "told": found.told,
                "waiting": found.waiting,
                "given_up": found.given_up,
                "seconds": spread(found.lag),
            }
        }
    )
