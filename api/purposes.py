"""Purposes and capture points: why data may be used, and where people give it."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.configuration import etag, if_match
from api.rooms import Room
from api.runtime import reply, request_snapshot, request_work
from api.shapes import Answer, Listing
from governance.purposes import service as purposes
from governance.purposes.model import CapturePoint, Purpose, missing_members

room = Room("purposes", description="The catalogue: why data may be used.")


class RecordBody(ma.Schema):
    """A catalogue record; the domain checks its members and names every one that cannot be used."""

    class Meta:
        """The domain refuses what it does not know, with the nearest known name."""

        unknown = ma.INCLUDE


class PurposeReply(Answer):
    """A purpose as recorded."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    state = ma.fields.String(required=True)
    missing = ma.fields.List(ma.fields.String(), required=True)


class CapturePointReply(Answer):
    """A capture point as recorded."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)


@room.get("/v1/purposes", scope="purposes:read")
@room.answers(200, Listing)
def list_purposes() -> Response:
    """List the purposes in use."""
    with request_snapshot() as snapshot:
        return reply({"items": [_purpose(each) for each in purposes.every(snapshot)], "next": None})


@room.get("/v1/purposes/<purpose_id>", scope="purposes:read")
@room.answers(200, PurposeReply)
def get_purpose(purpose_id: str) -> Response:
    """Give a purpose."""
    with request_snapshot() as snapshot:
        found = purposes.get(snapshot, purpose_id)
    return reply(_purpose(found), headers=etag(found.version))


@room.put("/v1/purposes/<purpose_id>", scope="purposes:write", configuration=True)
@room.body(RecordBody)
@room.also(201, PurposeReply, description="Created.")
@room.answers(200, PurposeReply)
def put_purpose(body: Mapping[str, Any], purpose_id: str) -> Response:
    """Create or replace a purpose. An incomplete one is kept inactive: nothing may rest on it."""
    with request_work() as work:
        exists = purposes.find(work, purpose_id) is not None
        put = purposes.put(work, purpose_id, body, if_match(exists=exists))
    return reply(_purpose(put), 200 if exists else 201, etag(put.version))


@room.get("/v1/capture-points", scope="purposes:read")
@room.answers(200, Listing)
def list_capture_points() -> Response:
    """List where people give data, with the whole record of each."""
    with request_snapshot() as snapshot:
        found = purposes.every_capture_point(snapshot)
    return reply({"items": [_capture_point(each) for each in found], "next": None})


@room.get("/v1/capture-points/<capture_point_id>", scope="purposes:read")
@room.answers(200, CapturePointReply)
def get_capture_point(capture_point_id: str) -> Response:
    """Give a capture point."""
    with request_snapshot() as snapshot:
        found = purposes.get_capture_point(snapshot, capture_point_id)
    return reply(_capture_point(found), headers=etag(found.version))


@room.put("/v1/capture-points/<capture_point_id>", scope="purposes:write", configuration=True)
@room.body(RecordBody)
@room.also(201, CapturePointReply, description="Created.")
@room.answers(200, CapturePointReply)
def put_capture_point(body: Mapping[str, Any], capture_point_id: str) -> Response:
    """Create or replace a capture point: purposes, notice, double opt-in, owner."""
    with request_work() as work:
        exists = purposes.find_capture_point(work, capture_point_id) is not None
        put = purposes.put_capture_point(work, capture_point_id, body, if_match(exists=exists))
    return reply(_capture_point(put), 200 if exists else 201, etag(put.version))


def _purpose(each: Purpose) -> dict[str, object]:
    return {
        **each.body,
        "id": each.purpose_id,
        "version": each.version,
        "state": each.state,
        "missing": list(missing_members(each.body)),
    }


def _capture_point(each: CapturePoint) -> dict[str, object]:
    return {**each.body, "id": each.capture_point_id, "version": each.version}
