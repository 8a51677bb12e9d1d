"""Who may see what: roles, components, staff, fields of the tenant's own, compatibility assessments."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.configuration import etag, if_match
from api.purposes import RecordBody
from api.rooms import Room
from api.runtime import page, read_cursor, reply, request_snapshot, request_work, this_caller
from api.shapes import Answer, Listing, Page
from governance.access import service as access
from governance.access.model import ASSESSMENT, COMPONENT, DATA_FIELD, LEFT, ROLE, STAFF, Record
from governance.reports.leavers import left_behind
from governance.work import Snapshot, Work

room = Room("access-records", description="Who may see what: roles, components, staff, fields.")


class AccessRecordReply(Answer):
    """A record as it was put, with its version."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)


def _listing(kind: str, query: Mapping[str, Any]) -> Response:
    with request_snapshot() as snapshot:
        limit, use = query["limit"], f"access:{kind}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = access.listed(snapshot, kind, after=cursor[0] if cursor else "", limit=limit + 1)
        items = [_document(each) for each in found]
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


def _look(kind: str, record_id: str) -> Response:
    with request_snapshot() as snapshot:
        found = access.get(snapshot, kind, record_id)
        document = _document(found, snapshot)
    return reply(document, headers=etag(found.version))


def _put(kind: str, record_id: str, body: Mapping[str, Any], *, versioned: bool = True) -> Response:
    with request_work() as work:
        exists = access.find(work, kind, record_id) is not None
        made = _write(work, kind, record_id, body, if_match(exists=exists, required=versioned))
        document = _document(made, work)
    return reply(document, 200 if exists else 201, etag(made.version))


def _write(work: Work, kind: str, record_id: str, body: Mapping[str, Any], version: int | None) -> Record:
    caller = this_caller()
    return access.put(
        work, kind, record_id, body, version, maker_scopes=caller.scopes, maker_roles=caller.roles
    )


def _document(each: Record, snap: Snapshot | None = None) -> dict[str, Any]:
    """A record as it was put; with `snap`, of whoever left what needs another owner."""
    document = {**each.body, "id": each.id, "version": each.version}
    if each.kind not in (STAFF, COMPONENT):
        return document
    document["status"] = each.status
    if snap is not None and each.status == LEFT:
        document["left_behind"] = left_behind(snap, each)
    return document


@room.get("/v1/roles", scope="access:read")
@room.query(Page)
@room.answers(200, Listing)
def list_roles(query: Mapping[str, Any]) -> Response:
    """List roles: purposes, data classes, fields and stages that each gives."""
    return _listing(ROLE, query)


@room.get("/v1/roles/<role_id>", scope="access:read")
@room.answers(200, AccessRecordReply)
def get_role(role_id: str) -> Response:
    """Give a role."""
    return _look(ROLE, role_id)


@room.put("/v1/roles/<role_id>", scope="access:write", configuration=True)
@room.body(RecordBody)
@room.also(201, AccessRecordReply, description="Created.")
@room.answers(200, AccessRecordReply)
def put_role(body: Mapping[str, Any], role_id: str) -> Response:
    """Create or replace a role. What overlaps or goes in a circle is refused with a sentence."""
    return _put(ROLE, role_id, body)


@room.get("/v1/components", scope="access:read")
@room.query(Page)
@room.answers(200, Listing)
def list_components(query: Mapping[str, Any]) -> Response:
    """List the components of the CRM that may ask."""
    return _listing(COMPONENT, query)


@room.get("/v1/components/<component_id>", scope="access:read")
@room.answers(200, AccessRecordReply)
def get_component(component_id: str) -> Response:
    """Give a component."""
    return _look(COMPONENT, component_id)


@room.put("/v1/components/<component_id>", scope="access:write", configuration=True)
@room.body(RecordBody)
@room.also(201, AccessRecordReply, description="Created.")
@room.answers(200, AccessRecordReply)
def put_component(body: Mapping[str, Any], component_id: str) -> Response:
    """Create or replace a component: kind, roles, credentials; `{"status": "left"}` ends it."""
    return _put(COMPONENT, component_id, body, versioned=False)


@room.get("/v1/staff", scope="access:read")
@room.query(Page)
@room.answers(200, Listing)
def list_staff(query: Mapping[str, Any]) -> Response:
    """List staff by opaque id."""
    return _listing(STAFF, query)


@room.get("/v1/staff/<staff_id>", scope="access:read")
@room.answers(200, AccessRecordReply)
def get_staff(staff_id: str) -> Response:
    """Give a member of staff."""
    return _look(STAFF, staff_id)


@room.put("/v1/staff/<staff_id>", scope="access:write", configuration=True)
@room.body(RecordBody)
@room.also(201, AccessRecordReply, description="Created.")
@room.answers(200, AccessRecordReply)
def put_staff(body: Mapping[str, Any], staff_id: str) -> Response:
    """Create or change a member of staff; `{"status": "left"}` takes everything away at the next check."""
    return _put(STAFF, staff_id, body, versioned=False)


@room.get("/v1/data-fields", scope="access:read")
@room.answers(200, Listing)
def list_fields() -> Response:
    """List all fields that may be asked for: those of the catalogue, and the tenant's own."""
    with request_snapshot() as snapshot:
        found = sorted(access.fields_of(snapshot).values(), key=lambda each: each.id)
    items = [{"id": each.id, "data_class": each.data_class, "mask": each.mask} for each in found]
    return reply({"items": items, "next": None})


@room.get("/v1/data-fields/<field_id>", scope="access:read")
@room.answers(200, AccessRecordReply)
def get_field(field_id: str) -> Response:
    """Give a field of the tenant's own."""
    return _look(DATA_FIELD, field_id)


@room.put("/v1/data-fields/<field_id>", scope="access:write", configuration=True)
@room.body(RecordBody)
@room.also(201, AccessRecordReply, description="Created.")
@room.answers(200, AccessRecordReply)
def put_field(body: Mapping[str, Any], field_id: str) -> Response:
    """Create or replace a field of the tenant's own: its data class, and what is left of it when masked."""
    return _put(DATA_FIELD, field_id, body)


@room.get("/v1/compatibility-assessments", scope="access:read")
@room.query(Page)
@room.answers(200, Listing)
def list_assessments(query: Mapping[str, Any]) -> Response:
    """List what was found about using data for another purpose than they were collected for."""
    return _listing(ASSESSMENT, query)


@room.get("/v1/compatibility-assessments/<assessment_id>", scope="access:read")
@room.answers(200, AccessRecordReply)
def get_assessment(assessment_id: str) -> Response:
    """Give an assessment."""
    return _look(ASSESSMENT, assessment_id)


@room.put("/v1/compatibility-assessments/<assessment_id>", scope="access:write", configuration=True)
@room.body(RecordBody)
@room.also(201, AccessRecordReply, description="Created.")
@room.answers(200, AccessRecordReply)
def put_assessment(body: Mapping[str, Any], assessment_id: str) -> Response:
    """Record an assessment of compatibility: from, to, outcome, owner, reference, expiry."""
    return _put(ASSESSMENT, assessment_id, body)
