"""Consents that a policy wants confirmed again."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import of_anybody
from api.rooms import Room
from api.runtime import read_cursor, reply, request_snapshot, write_cursor
from api.shapes import Listing, Page, read_instant
from governance.clock import wire
from governance.policy.durations import Duration
from governance.reports import reconfirmations

room = Room("reconfirmations", description="Consents that have to be confirmed again.")


class ReconfirmationQuery(Page):
    """How far to look ahead."""

    within_days = ma.fields.Integer(
        load_default=60,
        validate=ma.validate.Range(1, 366),
        metadata={"description": "What lapses within so many days; what has lapsed is always listed."},
    )


@room.get("/v1/consents/reconfirmation-due", scope="consents:read", discloses=of_anybody("consent_proofs"))
@room.query(ReconfirmationQuery)
@room.answers(200, Listing)
def reconfirmation_due(query: Mapping[str, Any]) -> Response:
    """List whose consent lapses by its age or its end where the person is, with the rule and its clause.

    A page may be empty though `next` says that the list goes on.
    """
    days: int = query["within_days"]
    with request_snapshot() as snapshot:
        use = f"reconfirmation-due:{days}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        after = None
        if cursor is not None:
            ref, purpose, controller, channel, topic = cursor[1:]
            after = (read_instant(cursor[0]), ref, purpose, controller, channel, topic)
        found, following = reconfirmations.due(
            snapshot, within=Duration(days, "day"), after=after, limit=query["limit"]
        )
        more = None if following is None else [wire(following[0]), *following[1:]]
        shown = [each.document() for each in found]
        return reply({"items": shown, "next": None if more is None else write_cursor(snapshot, use, more)})
