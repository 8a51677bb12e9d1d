"""Reports for those who answer for compliance: each read from one snapshot, as JSON or as a table in CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
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
from governance.work import Snapshot

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


Query = Mapping[str, Any]
Report = Callable[[Snapshot, Query], Mapping[str, Any]]
Table = str | Callable[[Any], Iterable[Mapping[str, Any]]]


def report(
    path: str,
    answer: type[ma.Schema],
    columns: Sequence[str],
    table: Table,
    *,
    scope: str = "audit:read",
    query: type[ma.Schema] = shapes.Format,
) -> Callable[[Report], Report]:
    """Declare a report; the function makes it of a snapshot and the query.

    `table`: what goes into a CSV of these columns: the name of a member, or the rows made of the report.
    """

    def declare(make: Report) -> Report:
        @room.get(path, scope=scope)
        @room.tables()
        @room.query(query)
        @room.answers(200, answer)
        @wraps(make)
        def view(asked: Query) -> Response:
            with request_snapshot() as snapshot:
                found = make(snapshot, asked)
            if asked["format"] == "json":
                return reply(found)
            rows = found[table] if isinstance(table, str) else table(found)
            return Response(b"".join(spreadsheets.table(columns, rows)), content_type=spreadsheets.MEDIA_TYPE)

        return make

    return declare


@report(
    "/v1/reports/message-classes",
    MessageClassesReply,
    message_classes.COLUMNS,
    "findings",
    scope="communications:read",
    query=shapes.Period,
)
def message_class_report(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """List messages whose declared class looks wrong, with counts and samples by reference."""
    return message_classes.report(snapshot, since=query.get("since"), until=query.get("until"))


@report("/v1/reports/consents", ConsentsReport, coverage.COLUMNS, "coverage")
def consents(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Report on consents: whom they cover, by purpose, basis and country; how fast opt-outs arrive."""
    found = reach.of_opt_outs(snapshot)
    opt_outs = {
        "systems": list(found.systems),
        "told": found.told,
        "waiting": found.waiting,
        "given_up": found.given_up,
        "seconds": spread(found.lag),
    }
    return {**coverage.report(snapshot), "opt_outs": opt_outs}


@report("/v1/reports/posture", shapes.Posture, posture.COLUMNS, "lines")
def where_we_stand(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Report where we stand: every duty that can be late or broken, the worst first."""
    return posture.report(snapshot)


@report("/v1/reports/requests", shapes.Requests, request_clocks.COLUMNS, "open")
def requests(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Report on requests of people: overdue clocks first, then what is due soon; how many were in time."""
    return request_clocks.report(snapshot)


@report("/v1/reports/retention", shapes.Retention, keeping.COLUMNS, keeping.table)
def retention(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Report on retention: what should be gone, what goes in the next twelve months, what keeps it."""
    return keeping.report(snapshot)


@report("/v1/reports/decisions", shapes.Decisions, refusals.COLUMNS, "by_rule", query=shapes.Period)
def decisions(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Report on decisions of a period (30 days): how many were allowed, which rules refused the others."""
    return refusals.report(snapshot, since=query.get("since"), until=query.get("until"))


@report(
    "/v1/reports/lifecycle",
    shapes.Lifecycle,
    progression.COLUMNS,
    progression.table,
    query=shapes.LifecyclePeriod,
)
def lifecycle(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Report on the lifecycle: people by stage, moves of a period (90 days); small numbers are left out."""
    period = {"since": query.get("since"), "until": query.get("until")}
    return progression.report(snapshot, model=query["model"], **period)


@report("/v1/reports/ropa", shapes.ProcessingRecord, processing_record.COLUMNS, processing_record.table)
def record_of_processing(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """Give the record of processing activities (GDPR Art. 30), made from what is in force."""
    return processing_record.report(snapshot)


@report(
    "/v1/reports/policy-reviews", shapes.PolicyReviews, reviews.COLUMNS, reviews.table, scope="policies:read"
)
def policy_reviews(snapshot: Snapshot, query: Query) -> Mapping[str, Any]:
    """List rules whose day of review has passed or is within 90 days, and rollbacks to look at."""
    return reviews.report(snapshot)
