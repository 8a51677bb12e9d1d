"""Registered records: the CRM says what its systems keep, of whom, of which class, since when."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma
from flask import Response

from api import problems
from api.batch import run_together
from api.disclosures import of_anybody
from api.rooms import Room
from api.runtime import Reply, act, reply, request_snapshot
from api.shapes import Answer, Instant, Shape, SubjectName, Text
from governance.clock import wire
from governance.errors import NotFoundError
from governance.retention import records, service, store
from governance.retention.model import Record
from governance.retention.records import NewRecord, Registered
from governance.subjects import service as subjects
from governance.work import Snapshot, Work

room = Room("records", description="Records of connected systems whose time is watched.")


class GovernedRecordBody(Shape):
    """A governed record: ids, a class and dates, never what it holds."""

    subject = ma.fields.Nested(SubjectName, allow_none=True)
    data_class = Text(64, required=True)
    created_at = Instant(required=True)
    closed_at = Instant(
        allow_none=True, metadata={"description": "When its matter was closed: a case, a request, a job."}
    )
    jurisdiction = Text(
        6, allow_none=True, metadata={"description": "Whose law governs, ISO 3166: DE, US-CA."}
    )
    purpose = Text(63, allow_none=True)


class GovernedRecordLine(GovernedRecordBody):
    """A line of a batch."""

    system = Text(63, required=True)
    id = Text(128, required=True)


class GovernedRecordReply(Answer):
    """A record as it is registered."""

    system = ma.fields.String(required=True)
    id = ma.fields.String(required=True)
    scheduled = ma.fields.Boolean(
        required=True, metadata={"description": "Whether any schedule in force names its class."}
    )


@room.put("/v1/records/<system>/<record_id>", scope="retention:write")
@room.body(GovernedRecordBody)
@room.also(200, GovernedRecordReply)
@room.answers(201, GovernedRecordReply)
def put_record(body: Mapping[str, Any], system: str, record_id: str) -> Response:
    """Register a record, or say anew what it is; the same again changes nothing."""

    def effect(work: Work) -> Reply:
        done = records.put(work, _told(system, record_id, body))
        assert done.record is not None
        return Reply(201 if done.created else 200, _document(work, done.record))

    return act(effect)


@room.get("/v1/records/<system>/<record_id>", scope="retention:read", discloses=of_anybody("transactions"))
@room.answers(200, GovernedRecordReply)
def get_record(system: str, record_id: str) -> Response:
    """Give a record as it is registered."""
    with request_snapshot() as snapshot:
        found = store.find_record(snapshot.connection, snapshot.tenant_id, system, record_id)
        if found is None:
            raise NotFoundError("There is no such registered record.")
        return reply(_document(snapshot, found))


@room.post("/v1/records/batch", scope="retention:write")
@room.describe(
    requestBody={"required": True, "content": {"application/x-ndjson": {"schema": GovernedRecordLine}}}
)
@room.answers(200, content_type="application/x-ndjson")
def put_batch() -> Response:
    """Register up to 1,000 records, a line each; a line that cannot be taken never stops the others."""
    return run_together(_together, GovernedRecordLine())


def _together(work: Work, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    told = [_told(each["system"], each["id"], each) for each in lines]
    return [_line(done) for done in records.put_many(work, told)]


def _line(done: Registered) -> dict[str, Any]:
    if done.refusal is not None:
        fault = problems.of_domain(done.refusal)
        return {"status": fault.status_code, "problem": json.loads(fault.get_data())}
    assert done.record is not None
    status = 201 if done.created else 200
    said = {"system": done.record.system, "id": done.record.record_id, "changed": done.changed}
    return {"status": status, **said}


def _told(system: str, record_id: str, body: Mapping[str, Any]) -> NewRecord:
    return NewRecord(
        system=system,
        record_id=record_id,
        subject=body.get("subject"),
        data_class=body["data_class"],
        created_at=body["created_at"],
        closed_at=body.get("closed_at"),
        jurisdiction=body.get("jurisdiction"),
        purpose=body.get("purpose"),
    )


def _document(snap: Snapshot, record: Record) -> dict[str, Any]:
    named = {name for rule in service.schedules(snap).rules for name in rule.data_classes}
    ref = record.subject_ref
    return {
        "system": record.system,
        "id": record.record_id,
        "subject": None if ref is None else subjects.external_ids(snap, [ref]).get(ref),
        "data_class": record.data_class,
        "purpose": record.purpose,
        "jurisdiction": record.jurisdiction,
        "created_at": wire(record.created_at),
        "closed_at": None if record.closed_at is None else wire(record.closed_at),
        "scheduled": record.data_class in named,
    }
