"""Do-not-call registers: what a look-up there said."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.rooms import Room
from api.runtime import Reply, act
from api.shapes import Answer, Flag, Instant, PointName, Shape, Text
from governance.communications import registers
from governance.work import Work

room = Room("register-checks", description="Do-not-call registers: what a look-up there said.")


class RegisterCheckBody(Shape):
    """One look-up of one telephone number. `register` is a code of yours, such as us-dnc or gb-tps."""

    register = Text(128, required=True)
    contact_point = ma.fields.Nested(PointName, required=True)
    checked_at = Instant(allow_none=True)
    listed = Flag(required=True)


class RegisterCheckReply(Answer):
    """The newest look-up that is known."""

    register = ma.fields.String(required=True)
    checked_at = ma.fields.String(required=True)
    listed = ma.fields.Boolean(required=True)


@room.post("/v1/register-checks", scope="communications:write")
@room.body(RegisterCheckBody)
@room.answers(201, RegisterCheckReply)
def record(body: Mapping[str, Any]) -> Response:
    """Record what a look-up in a do-not-call register said; of the number only a keyed hash is kept."""

    def effect(work: Work) -> Reply:
        document = registers.record(
            work,
            body["register"],
            body["contact_point"],
            checked_at=body.get("checked_at"),
            listed=body["listed"],
        )
        return Reply(201, document, kept=document)

    return act(effect)
