"""Legal holds: they stop deletion and permit nothing; a second person releases them."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import of_anybody
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot
from api.shapes import Answer, Instant, Listing, Page, Shape, SubjectName, Text
from governance.erasure import holding
from governance.errors import InvalidError
from governance.retention import holds, views
from governance.retention.model import (
    DATA_CLASS,
    HOLD_STATES,
    HoldScope,
    Refusal,
    read_filter,
)
from governance.subjects.identifiers import check_code
from governance.work import Work

room = Room("holds", description="Legal holds.")


class HoldScopeShape(Shape):
    """What a hold covers: exactly one of a person, the person of an erasure, a data class, a filter."""

    subject = ma.fields.Nested(SubjectName)
    erasure = Text(64)
    data_class = Text(64)
    filter = ma.fields.Dict(
        keys=Text(32),
        values=ma.fields.List(Text(64)),
        metadata={"description": "`relationship`, `country`, `data_class`, `system`: lists; all must match."},
    )


class HoldBody(Shape):
    """A hold. Matter and reason are sealed; without `expires_at` it lasts until it is released."""

    matter = Text(200, required=True)
    scope = ma.fields.Nested(HoldScopeShape, required=True)
    reason = Text(2000, required=True)
    expires_at = Instant(allow_none=True)


class ExtendHoldBody(Shape):
    """A later end, or null for none."""

    expires_at = Instant(required=True, allow_none=True)


class HoldReply(Answer):
    """A hold."""

    id = ma.fields.String(required=True)
    matter = ma.fields.String(required=True, allow_none=True)
    scope = ma.fields.Dict(required=True)
    reason = ma.fields.String(required=True, allow_none=True)
    state = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True, allow_none=True)


class HoldQuery(Page):
    """Which holds."""

    state = ma.fields.String(validate=ma.validate.OneOf(HOLD_STATES))


@room.post("/v1/holds", scope="holds:write")
@room.body(HoldBody)
@room.refuses(409)
@room.answers(201, HoldReply)
def place(body: Mapping[str, Any]) -> Response:
    """Place a hold on a person, a data class or what a filter matches; it holds from the next look-up on.

    A person of whom something is still to be erased is found by what the case knows them by, or by its id.
    """

    def effect(work: Work) -> Reply:
        made = holding.place(
            work,
            matter=body["matter"],
            scope=_scope(work, body["scope"]),
            reason=body["reason"],
            expires_at=body.get("expires_at"),
        )
        return Reply(201, views.hold_document(work, made), kept={"id": made.hold_id})

    return act(effect, again=lambda work, kept: _again(work, str(kept.kept["id"]), 201))


@room.get("/v1/holds", scope="holds:read", discloses=of_anybody())
@room.query(HoldQuery)
@room.answers(200, Listing)
def list_holds(query: Mapping[str, Any]) -> Response:
    """List holds, the oldest first."""
    with request_snapshot() as snapshot:
        limit, state = query["limit"], query.get("state")
        use = f"holds:{state}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = holds.listed(snapshot, state=state, after=cursor[0] if cursor else "", limit=limit + 1)
        items = [views.hold_document(snapshot, each) for each in found]
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


@room.get("/v1/holds/<hold_id>", scope="holds:read", discloses=of_anybody())
@room.answers(200, HoldReply)
def look(hold_id: str) -> Response:
    """Give a hold."""
    with request_snapshot() as snapshot:
        return reply(views.hold_document(snapshot, holds.get(snapshot, hold_id)))


@room.post("/v1/holds/<hold_id>/release", scope="holds:release")
@room.answers(200, HoldReply)
def release(hold_id: str) -> Response:
    """Release a hold; whoever placed it cannot: 403 `second-person-needed`."""

    def effect(work: Work) -> Reply | Response:
        made = holding.release(work, hold_id)
        if isinstance(made, Refusal):
            return problem(403, "A second person is needed", made.sentence, code=made.code)
        return Reply(200, views.hold_document(work, made), kept={"id": made.hold_id})

    return act(effect, again=lambda work, kept: _again(work, str(kept.kept["id"]), 200))


@room.post("/v1/holds/<hold_id>/extend", scope="holds:write")
@room.body(ExtendHoldBody)
@room.answers(200, HoldReply)
def extend(body: Mapping[str, Any], hold_id: str) -> Response:
    """Let a hold last longer; an earlier end is refused, for that is a release."""

    def effect(work: Work) -> Reply:
        made = holds.extend(work, hold_id, expires_at=body["expires_at"])
        return Reply(200, views.hold_document(work, made), kept={"id": made.hold_id})

    return act(effect, again=lambda work, kept: _again(work, str(kept.kept["id"]), 200))


def _again(work: Work, hold_id: str, status: int) -> Reply:
    return Reply(status, views.hold_document(work, holds.get(work, hold_id)))


def _scope(work: Work, said: Mapping[str, Any]) -> HoldScope:
    if len(said) != 1:
        complaint = "Name exactly one of subject, erasure, data_class and filter."
        raise InvalidError(complaint, fields={"scope": [complaint]})
    if "subject" in said:
        return holding.scope_of_person(work, said["subject"])
    if "erasure" in said:
        return holding.scope_of_case(work, said["erasure"])
    if "data_class" in said:
        return HoldScope(DATA_CLASS, values={"data_class": (check_code(said["data_class"], "data_class"),)})
    return read_filter(said["filter"])
