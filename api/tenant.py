"""The caller's own tenant: suspend, resume, export, delete. Scope `admin`; no other can be named."""

from collections.abc import Callable, Mapping
from typing import Any

import marshmallow as ma
from flask import Response, stream_with_context

from api.disclosures import of_anybody
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot, this_caller, this_runtime
from api.shapes import Answer, Shape
from governance.clock import wire
from governance.events import Actor
from governance.offboarding import service as offboarding
from governance.tenants import leaving
from governance.tenants import service as tenants
from governance.tenants.model import GRACE_DAYS, LONGEST_GRACE, SHORTEST_GRACE, Deletion, Refusal, Tenant
from governance.transfers.disclosures import EVERYTHING
from governance.work import Work

room = Room("tenant", description="The caller's own tenant.")


class TenantAnswer(Answer):
    """A tenant."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    country = ma.fields.String(required=True, allow_none=True)
    sectors = ma.fields.List(ma.fields.String(), required=True)
    askers = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    state_since = ma.fields.String(required=True, allow_none=True)
    deletion = ma.fields.Dict(required=True, allow_none=True)


class DeletionBody(Shape):
    """How long the grace is, between the approval and the deletion."""

    grace_days = ma.fields.Integer(
        strict=True, load_default=GRACE_DAYS, validate=ma.validate.Range(SHORTEST_GRACE, LONGEST_GRACE)
    )


class DeletionAnswer(Answer):
    """A deletion."""

    id = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    due_at = ma.fields.String(required=True, allow_none=True)


class ExportQuery(Shape):
    """What goes into the file."""

    reveal = ma.fields.String(
        validate=ma.validate.OneOf(["contact_points"]),
        metadata={"description": "`contact_points`: with people's contact points in the clear."},
    )


@room.get("/v1/tenant", scope="admin", even_suspended=True)
@room.answers(200, TenantAnswer)
def look() -> Response:
    """Give the tenant, its state, and its deletion if one was asked for."""
    with request_snapshot() as snapshot:
        return reply(_document(tenants.get(snapshot), leaving.pending(snapshot)))


@room.post("/v1/tenant/suspend", scope="admin", even_suspended=True)
@room.answers(200, TenantAnswer)
def suspend() -> Response:
    """Suspend: every gate and route says no (403 `tenant-suspended`); people can still leave and ask."""
    return _change(leaving.suspend)


@room.post("/v1/tenant/resume", scope="admin", even_suspended=True)
@room.answers(200, TenantAnswer)
def resume() -> Response:
    """Resume a suspended tenant."""
    return _change(leaving.resume)


@room.post("/v1/tenant/deletion", scope="admin", even_suspended=True)
@room.body(DeletionBody)
@room.answers(201, DeletionAnswer)
def ask_deletion(body: Mapping[str, Any]) -> Response:
    """Ask that the tenant be deleted; nothing changes until a second person approves."""

    def effect(work: Work) -> Reply:
        made = leaving.ask_deletion(work, grace_days=body["grace_days"])
        return Reply(201, made.document(), kept=made.document())

    return act(effect)


@room.post("/v1/tenant/deletion/approve", scope="admin", even_suspended=True)
@room.answers(200, DeletionAnswer)
def approve_deletion() -> Response:
    """Approve the deletion; whoever asked cannot: 403 `second-person-needed`. The grace begins."""

    def effect(work: Work) -> Reply | Response:
        made = leaving.approve_deletion(work)
        if isinstance(made, Refusal):
            return problem(403, "A second person is needed", made.sentence, code=made.code)
        return Reply(200, made.document(), kept=made.document())

    return act(effect)


@room.post("/v1/tenant/deletion/cancel", scope="admin", even_suspended=True)
@room.answers(200, TenantAnswer)
def cancel_deletion() -> Response:
    """Take the deletion back before its grace is over; the tenant stays suspended."""
    return _change(leaving.cancel_deletion)


@room.get("/v1/tenant/export", scope="admin", even_suspended=True, discloses=of_anybody(*EVERYTHING))
@room.query(ExportQuery)
@room.answers(200, {"type": "string", "format": "binary"}, content_type="application/zip")
def export(query: Mapping[str, Any]) -> Response:
    """Stream everything of the tenant as a ZIP that verifies offline; personal values are sealed."""
    with request_snapshot():  # the token is good, before anything is recorded
        pass
    caller = this_caller()
    parts = offboarding.export(
        this_runtime(), caller.tenant_id, Actor(caller.client_id), reveal="reveal" in query
    )
    headers = {"Content-Disposition": 'attachment; filename="tenant.zip"'}
    return Response(stream_with_context(parts), 200, headers, content_type="application/zip")


def _change(change: Callable[[Work], Tenant]) -> Response:
    def effect(work: Work) -> Reply:
        document = _document(change(work), leaving.pending(work))
        return Reply(200, document, kept=document)

    return act(effect)


def _document(found: Tenant, deletion: Deletion | None) -> dict[str, Any]:
    return {
        "id": found.tenant_id,
        "name": found.name,
        "country": found.country,
        "sectors": list(found.sectors),
        "askers": found.askers,
        "state": found.state,
        "state_since": found.state_since and wire(found.state_since),
        "deletion": None if deletion is None else deletion.document(),
    }
