"""Connected systems: where else personal data lies. Secrets go in and never come out."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import background
from api.configuration import etag, if_match
from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot, request_work
from api.shapes import Answer, Listing, Shape, Text
from governance.clock import wire
from governance.erasure import mappings, retiring
from governance.systems import registry
from governance.systems import service as systems
from governance.systems.findings import Report
from governance.systems.model import System
from governance.work import Work

room = Room("systems", description="Connected systems and how personal data is reached in them.")


class SystemBody(ma.Schema):
    """A system's record; the domain checks its members and names every one that cannot be used."""

    class Meta:
        """The domain refuses what it does not know."""

        unknown = ma.INCLUDE


class RetireBody(Shape):
    """Why it goes although it is waited for."""

    because = Text(500)


class SystemReply(Answer):
    """A system as registered. `secrets` names the members of the config that are sealed."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    config = ma.fields.Dict(required=True)
    secrets = ma.fields.List(ma.fields.String(), required=True)
    data_classes = ma.fields.List(ma.fields.String(), required=True)
    depends_on = ma.fields.List(ma.fields.String(), required=True)
    retired_at = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Since when it gets no new orders."}
    )


class SystemsReply(Listing):
    """The systems, and the kinds that can be registered."""

    kinds = ma.fields.List(ma.fields.String(), required=True)


class FindingReply(Answer):
    """One line of a test report."""

    level = ma.fields.String(required=True, validate=ma.validate.OneOf(("ok", "warning", "problem")))
    at = ma.fields.String(required=True, metadata={"description": "A place in the config."})
    sentence = ma.fields.String(required=True)


class ReportReply(Answer):
    """What trying a system showed."""

    good = ma.fields.Boolean(required=True)
    findings = ma.fields.List(ma.fields.Nested(FindingReply), required=True)


@room.get("/v1/systems", scope="systems:read")
@room.answers(200, SystemsReply)
def list_systems() -> Response:
    """List the connected systems, without their secrets."""
    with request_snapshot() as snapshot:
        items = [_system(each) for each in systems.registered(snapshot)]
    return reply({"items": items, "next": None, "kinds": list(registry.kinds())})


@room.get("/v1/systems/<system_id>", scope="systems:read")
@room.answers(200, SystemReply)
def get_system(system_id: str) -> Response:
    """Give a system, without its secrets."""
    with request_snapshot() as snapshot:
        found = systems.get(snapshot, system_id)
    return reply(_system(found), headers=etag(found.version))


@room.put("/v1/systems/<system_id>", scope="systems:write", configuration=True)
@room.body(SystemBody)
@room.also(201, SystemReply, description="Registered.")
@room.answers(200, SystemReply)
def put_system(body: Mapping[str, Any], system_id: str) -> Response:
    """Register or replace a system. Secret members of `config` that are not sent stay as they are.

    `warnings` tells of erasures that still wait for classes of data for which it is not registered any more.
    """
    with request_work() as work:
        exists = systems.find(work, system_id) is not None
        put = systems.put(work, system_id, body, if_match(exists=exists))
        told = mappings.warnings(work, put) if exists else []
    return reply({**_system(put), "warnings": told}, 200 if exists else 201, etag(put.version))


@room.post("/v1/systems/<system_id>/retire", scope="systems:write")
@room.body(RetireBody)
@room.refuses(404)
@room.refuses(409)
@room.answers(200, SystemReply)
def retire_system(body: Mapping[str, Any], system_id: str) -> Response:
    """Take a system out of service: it gets no new orders. A PUT brings it back.

    409 `system-awaited` while erasures or other questions wait for it, unless `because` says why: each
    becomes a task, that names the system, for whoever retires it.
    """

    def effect(work: Work) -> Reply:
        return Reply(200, _system(retiring.retire(work, system_id, body.get("because"))))

    answer = act(effect)
    background.kick()
    return answer


@room.post("/v1/systems/<system_id>/test", scope="systems:write", effect=False)
@room.answers(200, ReportReply)
def test_system(system_id: str) -> Response:
    """Try the connection and the mapping. Nothing is changed, there or here."""
    with request_snapshot() as snapshot:
        connector, context = systems.connect(snapshot, system_id, "test", "")
    return reply(_report(systems.probe(connector, context)))


def _system(each: System) -> dict[str, object]:
    return {
        "id": each.system_id,
        "version": each.version,
        "kind": each.kind,
        "country": each.country,
        "processor": each.processor,
        "config": dict(each.config),
        "secrets": list(each.secrets),
        "data_classes": list(each.data_classes),
        "depends_on": list(each.depends_on),
        "retired_at": None if each.retired_at is None else wire(each.retired_at),
        "retired_by": each.retired_by,
        "retired_because": each.retired_because,
    }


def _report(report: Report) -> dict[str, object]:
    return {
        "good": report.good,
        "findings": [
            {"level": each.level, "at": each.at, "sentence": each.sentence} for each in report.findings
        ],
    }
