"""Transfers across borders: mechanisms, the kill switch, flows, and the picture of it all."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from api import spreadsheets
from api.configuration import etag, if_match
from api.disclosures import of_anybody
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot, request_work
from api.shapes import Listing, Page
from api.transfer_shapes import (
    FlowQuery,
    ImpactReply,
    MechanismBody,
    MechanismReply,
    SuspendBody,
    TransferFlowBody,
    TransferFlowReply,
    TransferMapReply,
    TransfersReport,
    TransfersReportQuery,
)
from governance.idempotency.model import Outcome
from governance.transfers import flows, picture
from governance.transfers import service as transfers
from governance.transfers.service import Switched
from governance.work import Work

room = Room("transfers", description="Whether data may leave a country: mechanisms, flows, the kill switch.")


@room.get("/v1/transfer-mechanisms", scope="transfers:read")
@room.query(Page)
@room.answers(200, Listing)
def list_mechanisms(query: Mapping[str, Any]) -> Response:
    """List the mechanisms by id, with how each stands now."""
    with request_snapshot() as snapshot:
        limit, use = query["limit"], "transfer-mechanisms"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = transfers.listed(snapshot, after=cursor[0] if cursor else "", limit=limit + 1)
        items = [transfers.document(snapshot, each) for each in found]
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


@room.get("/v1/transfer-mechanisms/<mechanism_id>", scope="transfers:read")
@room.answers(200, MechanismReply)
def get_mechanism(mechanism_id: str) -> Response:
    """Give a mechanism."""
    with request_snapshot() as snapshot:
        found = transfers.get(snapshot, mechanism_id)
        return reply(transfers.document(snapshot, found), headers=etag(found.version))


@room.put("/v1/transfer-mechanisms/<mechanism_id>", scope="transfers:write", configuration=True)
@room.body(MechanismBody)
@room.also(201, MechanismReply, description="Registered.")
@room.answers(200, MechanismReply)
def put_mechanism(body: Mapping[str, Any], mechanism_id: str) -> Response:
    """Register or replace a mechanism. One that is suspended stays so."""
    with request_work() as work:
        exists = transfers.exists(work, mechanism_id)
        put = transfers.put(work, mechanism_id, body, if_match(exists=exists))
        document = transfers.document(work, put)
    return reply(document, 200 if exists else 201, etag(put.version))


@room.get("/v1/transfer-mechanisms/<mechanism_id>/people", scope="transfers:read", discloses=of_anybody())
@room.query(Page)
@room.answers(200, Listing)
def list_people(query: Mapping[str, Any], mechanism_id: str) -> Response:
    """List whose transfers rest on a mechanism alone, by the ids of the CRM, each with the flows.

    They are those whom the kill switch stops, and the same once it is thrown.
    """
    with request_snapshot() as snapshot:
        limit, use = query["limit"], f"transfer-people:{mechanism_id}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = transfers.people(snapshot, mechanism_id, after=cursor[0] if cursor else "", limit=limit + 1)
        listed = page(snapshot, use, found, limit, lambda each: [each.subject_ref])
        return reply({**listed, "items": [each.document() for each in listed["items"]]})


@room.post("/v1/transfer-mechanisms/<mechanism_id>/suspend", scope="transfers:write")
@room.body(SuspendBody)
@room.answers(200, ImpactReply)
def suspend(body: Mapping[str, Any], mechanism_id: str) -> Response:
    """Throw the kill switch: whatever rests on this mechanism alone is denied from the next check on.

    Opt-outs, orders to erase, data coming back and answers to the person go on.
    """

    def effect(work: Work) -> Reply:
        done = transfers.suspend(work, mechanism_id, reason=body["reason"], dry_run=body["dry_run"])
        return Reply(200, _impact(work, done), kept={"id": mechanism_id, "impact": dict(done.impact)})

    return act(effect, again=_again)


@room.post("/v1/transfer-mechanisms/<mechanism_id>/reinstate", scope="transfers:write")
@room.answers(200, ImpactReply)
def reinstate(mechanism_id: str) -> Response:
    """Put the kill switch back."""

    def effect(work: Work) -> Reply:
        done = transfers.reinstate(work, mechanism_id)
        return Reply(200, _impact(work, done), kept={"id": mechanism_id, "impact": dict(done.impact)})

    return act(effect, again=_again)


@room.put("/v1/transfer-flows/<flow_id>", scope="transfers:write")
@room.body(TransferFlowBody)
@room.also(201, TransferFlowReply, description="Declared.")
@room.answers(200, TransferFlowReply)
def put_flow(body: Mapping[str, Any], flow_id: str) -> Response:
    """Declare or replace a flow; the answer says how it stands.

    With `If-Match` only the version that was read is replaced, else 412. What changes
    nothing makes no version.
    """
    with request_work() as work:
        version = if_match(exists=flows.exists(work, flow_id), required=False)
        answer, is_new = flows.put(work, flow_id, body, version)
    return reply(flows.document(answer), 201 if is_new else 200, etag(answer.flow.version))


@room.get("/v1/transfer-flows/<flow_id>", scope="transfers:read")
@room.answers(200, TransferFlowReply)
def get_flow(flow_id: str) -> Response:
    """Give a flow, how it stands now, and why."""
    with request_snapshot() as snapshot:
        found = flows.get(snapshot, flow_id)
        return reply(flows.document(found), headers=etag(found.flow.version))


@room.get("/v1/transfer-flows", scope="transfers:read")
@room.query(FlowQuery)
@room.answers(200, Listing)
def list_flows(query: Mapping[str, Any]) -> Response:
    """List the flows by id with how each stands now: `active`, on a `fallback` mechanism, or `stopped`."""
    with request_snapshot() as snapshot:
        limit, status = query["limit"], query.get("status")
        use = f"transfer-flows:{status}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found = flows.listed(snapshot, status=status, after=cursor[0] if cursor else "", limit=limit + 1)
        items = [flows.document(each) for each in found]
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


@room.get("/v1/reports/transfers", scope="transfers:read", or_scope="audit:read")
@room.tables()
@room.query(TransfersReportQuery)
@room.answers(200, TransfersReport)
def report(query: Mapping[str, Any]) -> Response:
    """Report how transfers stand: flows by status, people concerned, mechanisms and what ends soon.

    `format=csv` gives the flows as a table.
    """
    with request_snapshot() as snapshot:
        found = picture.report(snapshot)
    if query["format"] == "csv":
        table = spreadsheets.table(_COLUMNS, found["flows"])
        return Response(b"".join(table), content_type=spreadsheets.MEDIA_TYPE)
    return reply(found)


@room.get("/v1/transfer-map", scope="transfers:read")
@room.answers(200, TransferMapReply)
def transfer_map() -> Response:
    """Give what a picture needs: who lives where, declared flows, and decisions of the last 30 days."""
    with request_snapshot() as snapshot:
        return reply(picture.picture(snapshot))


_COLUMNS = (
    "id",
    "origin",
    "destination",
    "recipient",
    "data_classes",
    "mechanisms",
    "status",
    "mechanism_in_use",
    "codes",
    "people",
    "since",
)


def _again(work: Work, outcome: Outcome) -> Reply:
    """The answer to a repeat: what the switch did then, and the mechanism as it is now."""
    present = transfers.get(work, str(outcome.kept["id"]))
    impact = outcome.kept["impact"]
    assert isinstance(impact, Mapping)
    return Reply(
        200, {"mechanism": transfers.document(work, present), "dry_run": False, **impact}, kept=outcome.kept
    )


def _impact(work: Work, done: Switched) -> dict[str, object]:
    return {
        "mechanism": transfers.document(work, done.mechanism),
        "dry_run": done.dry_run,
        **done.impact,
    }
