"""Reports for those who answer for compliance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import marshmallow as ma
from flask import Response

from api import report_shapes as shapes
from api import spreadsheets
from api.rooms import Room
from api.runtime import reply, request_snapshot
from api.shapes import Answer
from api.webhooks import SpreadReply, spread
from governance.outbox import reach
from governance.reports import (
    coverage,
    keeping,
    message_classes,
    posture,
    processing_record,
    progression,
    refusals,
    request_clocks,
)
from governance.reports import policy_reviews as reviews

room = Room("reports", description="What those look at who answer for compliance.")


class MessageClassesReply(Answer):
    """Messages that look as if they went out under a class that is not theirs; a sign is no proof."""

    since = ma.fields.String(required=True)
    until = ma.fields.String(required=True)
    messages = ma.fields.Integer(required=True)
    findings = ma.fields.List(ma.fields.Dict(), required=True)
    signs = ma.fields.List(ma.fields.Dict(), required=True)


class OptOutsReply(Answer):
    """How fast a no reaches every system that wants to hear of it, over what is kept (a week)."""

    systems = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "Active webhooks that want opt-outs."}
    )
    told = ma.fields.Integer(required=True, metadata={"description": "Acknowledged by every system."})
    waiting = ma.fields.Integer(required=True, metadata={"description": "Some system has yet to."})
    given_up = ma.fields.Integer(required=True, metadata={"description": "Some system never did."})
    seconds = ma.fields.Nested(
        SpreadReply,
        required=True,
        metadata={"description": "From the click to the last system's acknowledgement."},
    )


class ConsentsReport(Answer):
    """Whom consent covers, and how fast its end is known everywhere."""

    people = ma.fields.Integer(required=True)
    coverage = ma.fields.List(ma.fields.Dict(), required=True)
    by_purpose = ma.fields.List(ma.fields.Dict(), required=True)
    opt_outs = ma.fields.Nested(OptOutsReply, required=True)


@room.get("/v1/reports/message-classes", scope="communications:read")
@room.tables()
@room.query(shapes.Period)
@room.answers(200, MessageClassesReply)
def message_class_report(query: Mapping[str, Any]) -> Response:
    """List messages whose declared class looks wrong, with counts and samples by reference."""
    with request_snapshot() as snapshot:
        found = message_classes.report(snapshot, since=query.get("since"), until=query.get("until"))
    return _given(query, found, message_classes.COLUMNS, "findings")


@room.get("/v1/reports/consents", scope="audit:read")
@room.tables()
@room.query(shapes.Format)
@room.answers(200, ConsentsReport)
def consents(query: Mapping[str, Any]) -> Response:
    """Report on consents: whom they cover, by purpose, basis and country; how fast opt-outs arrive."""
    with request_snapshot() as snapshot:
        covered = coverage.report(snapshot)
        found = reach.of_opt_outs(snapshot)
    opt_outs = {
        "systems": list(found.systems),
        "told": found.told,
        "waiting": found.waiting,
        "given_up": found.given_up,
        "seconds": spread(found.lag),
    }
    return _given(query, {**covered, "opt_outs": opt_outs}, coverage.COLUMNS, "coverage")


@room.get("/v1/reports/posture", scope="audit:read")
@room.tables()
@room.query(shapes.Format)
@room.answers(200, shapes.Posture)
def where_we_stand(query: Mapping[str, Any]) -> Response:
    """Report where we stand: every duty that can be late or broken, the worst first."""
    with request_snapshot() as snapshot:
        return _given(query, posture.report(snapshot), posture.COLUMNS, "lines")


@room.get("/v1/reports/requests", scope="audit:read")
@room.tables()
@room.query(shapes.Format)
@room.answers(200, shapes.Requests)
def requests(query: Mapping[str, Any]) -> Response:
    """Report on requests of people: overdue clocks first, then what is due soon; how many were in time."""
    with request_snapshot() as snapshot:
        return _given(query, request_clocks.report(snapshot), request_clocks.COLUMNS, "open")


@room.get("/v1/reports/retention", scope="audit:read")
@room.tables()
@room.query(shapes.Format)
@room.answers(200, shapes.Retention)
def retention(query: Mapping[str, Any]) -> Response:
    """Report on retention: what should be gone, what goes in the next twelve months, what keeps it."""
    with request_snapshot() as snapshot:
        found = keeping.report(snapshot)
    return _given(query, found, keeping.COLUMNS, keeping.table(found))


@room.get("/v1/reports/decisions", scope="audit:read")
@room.tables()
@room.query(shapes.Period)
@room.answers(200, shapes.Decisions)
def decisions(query: Mapping[str, Any]) -> Response:
    """Report on decisions of a period (30 days): how many were allowed, which rules refused the others."""
    with request_snapshot() as snapshot:
        found = refusals.report(snapshot, since=query.get("since"), until=query.get("until"))
    return _given(query, found, refusals.COLUMNS, "by_rule")


@room.get("/v1/reports/lifecycle", scope="audit:read")
@room.tables()
@room.query(shapes.LifecyclePeriod)
@room.answers(200, shapes.Lifecycle)
def lifecycle(query: Mapping[str, Any]) -> Response:
    """Report on the lifecycle: people by stage, moves of a period (90 days); small numbers are left out."""
    with request_snapshot() as snapshot:
        found = progression.report(
            snapshot, model=query["model"], since=query.get("since"), until=query.get("until")
        )
    return _given(query, found, progression.COLUMNS, progression.table(found))


@room.get("/v1/reports/ropa", scope="audit:read")
@room.tables()
@room.query(shapes.Format)
@room.answers(200, shapes.ProcessingRecord)
def record_of_processing(query: Mapping[str, Any]) -> Response:
    """Give the record of processing activities (GDPR Art. 30), made from what is in force."""
    with request_snapshot() as snapshot:
        found = processing_record.report(snapshot)
    rows = map(processing_record.in_words, found["activities"])
    return _given(query, found, processing_record.COLUMNS, rows)


@room.get("/v1/reports/policy-reviews", scope="policies:read")
@room.tables()
@room.query(shapes.Format)
@room.answers(200, shapes.PolicyReviews)
def policy_reviews(query: Mapping[str, Any]) -> Response:
    """List rules whose day of review has passed or is within 90 days, and rollbacks to look at."""
    with request_snapshot() as snapshot:
        found = reviews.report(snapshot)
    return _given(query, found, reviews.COLUMNS, reviews.table(found))


def _given(
    query: Mapping[str, Any],
    found: Mapping[str, Any],
    columns: Sequence[str],
    table: str | Iterable[Mapping[str, Any]],
) -> Response:
    """The report as JSON, or its main table (the name of a member, or the rows themselves) as CSV."""
    if query["format"] == "json":
        return reply(found)
    rows = found[table] if isinstance(table, str) else table
    return Response(b"".join(spreadsheets.table(columns, rows)), content_type=spreadsheets.MEDIA_TYPE)
