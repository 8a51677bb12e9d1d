"""Trying a draft on what was asked: replay over kept decisions, and beside the checks that go on."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import reply, request_snapshot
from api.shapes import Answer, Instant, Shape, Whole
from governance.decisions import replay as replays
from governance.policy import changing

room = Room("policy-trials", description="What a draft would have answered.")


class ReplayBody(Shape):
    """Which decisions: the newest ones since an instant."""

    since = Instant(load_default=None, allow_none=True)
    limit = Whole(1, replays.MOST_DECISIONS, load_default=10_000)


class ReplayReply(Answer):
    """What a draft and the policy in force answer differently, on the facts as they were kept."""

    read = ma.fields.Integer(required=True)
    decided = ma.fields.Integer(required=True)
    newly_denied = ma.fields.Integer(required=True)
    newly_allowed = ma.fields.Integer(required=True)
    by_rule = ma.fields.List(ma.fields.Dict(), required=True)
    by_country = ma.fields.List(ma.fields.Dict(), required=True)
    samples = ma.fields.Dict(required=True)


@room.post("/v1/policies/<pack>/draft/replay", scope="policies:write", effect=False)
@room.body(ReplayBody)
@room.answers(200, ReplayReply)
def replay(body: Mapping[str, Any], pack: str) -> Response:
    """Decide kept decisions again by the draft and by what is in force: newly denied, newly allowed.

    At most 100,000, the newest first; samples are ids of decisions.
    """
    with request_snapshot() as snapshot:
        stored, candidate = changing.candidate(snapshot, pack)
        found = replays.replay(snapshot, candidate, since=body["since"], limit=body["limit"])
    return reply({"draft": stored.digest, **found})
