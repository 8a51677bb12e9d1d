"""Overrides: an exception from a forbid for one person, asked for by one and approved by another."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import of_anybody
from api.policy_drafts import refused
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot
from api.shapes import Answer, Instant, Listing, Page, Shape, SubjectName, Text
from api.spreadsheets import MEDIA_TYPE, table
from governance.clock import wire
from governance.communications import override_store, overrides
from governance.policy.changing import Refused
from governance.work import Work

room = Room("overrides", description="Exceptions from a forbid, by two people, for a time.")

_COLUMNS = (
    "id", "rule", "purpose", "state", "requested_by", "requested_at", "decided_by", "decided_at",
    "expires_at", "ended_by", "ended_at",
)  # fmt: skip
_MOST_ROWS = 10_000


class OverrideBody(Shape):
    """From which forbid, for whom, for what, why, until when (90 days at most)."""

    subject = ma.fields.Nested(SubjectName, required=True)
    rule = Text(200, required=True)
    purpose = Text(64, load_default=None, allow_none=True)
    reason = Text(2000, required=True)
    expires_at = Instant(required=True)


class OverrideReply(Answer):
    """An override."""

    id = ma.fields.String(required=True)
    rule = ma.fields.String(required=True)
    state = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)


class ReportQuery(Shape):
    """Overrides asked for in a period, as JSON or CSV."""

    since = Instant()
    until = Instant()
    format = ma.fields.String(load_default="json", validate=ma.validate.OneOf(("json", "csv")))


class OverridesReport(Answer):
    """How many overrides there are, by rule and state, and each of them; nobody is named."""

    total = ma.fields.Integer(required=True)
    by_rule = ma.fields.List(ma.fields.Dict(), required=True)
    by_state = ma.fields.Dict(required=True)
    items = ma.fields.List(ma.fields.Dict(), required=True)


@room.post("/v1/overrides", scope="communications:write")
@room.body(OverrideBody)
@room.answers(201, OverrideReply)
def ask(body: Mapping[str, Any]) -> Response:
    """Ask for an exception from a forbid whose pack lets it be overridden; nothing changes yet."""

    def effect(work: Work) -> Reply:
        made = overrides.ask(
            work,
            body["subject"],
            rule=body["rule"],
            purpose=body["purpose"],
            reason=body["reason"],
            expires_at=body["expires_at"],
        )
        return Reply(201, made, kept={"id": made["id"]})

    return act(effect, again=_again(201))


@room.get("/v1/overrides", scope="communications:read", discloses=of_anybody("decisions"))
@room.query(Page)
@room.answers(200, Listing)
def list_overrides(query: Mapping[str, Any]) -> Response:
    """List overrides, without their reasons."""
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, "overrides", query.get("after"))
        limit = query["limit"]
        items = overrides.listed(snapshot, after=cursor[0] if cursor else "", limit=limit + 1)
        return reply(page(snapshot, "overrides", items, limit, lambda item: [item["id"]]))


@room.get("/v1/overrides/<override_id>", scope="communications:read", discloses=of_anybody("decisions"))
@room.answers(200, OverrideReply)
def look(override_id: str) -> Response:
    """Give an override, with its reason."""
    with request_snapshot() as snapshot:
        return reply(overrides.get(snapshot, override_id))


@room.post("/v1/overrides/<override_id>/approve", scope="policies:approve")
@room.answers(200, OverrideReply)
def approve(override_id: str) -> Response:
    """Approve an override, from the next check on; whoever asked for it is refused: 403."""

    def effect(work: Work) -> Reply | Response:
        made = overrides.approve(work, override_id)
        return refused(made) if isinstance(made, Refused) else Reply(200, made, kept={"id": override_id})

    return act(effect, again=_again(200))


@room.post("/v1/overrides/<override_id>/refuse", scope="policies:approve")
@room.answers(200, OverrideReply)
def refuse(override_id: str) -> Response:
    """Refuse an override that was asked for."""
    return act(
        lambda work: Reply(200, overrides.refuse(work, override_id), kept={"id": override_id}),
        again=_again(200),
    )


@room.post("/v1/overrides/<override_id>/end", scope="policies:approve")
@room.answers(200, OverrideReply)
def end(override_id: str) -> Response:
    """End an override before its time, from the next check on."""
    return act(
        lambda work: Reply(200, overrides.end(work, override_id), kept={"id": override_id}), again=_again(200)
    )


@room.get("/v1/reports/overrides", scope="audit:read", discloses=of_anybody("decisions"))
@room.tables()
@room.query(ReportQuery)
@room.answers(200, OverridesReport)
def report(query: Mapping[str, Any]) -> Response:
    """Report on overrides: from which rules, by whom, until when, as JSON or CSV."""
    with request_snapshot() as snapshot:
        rows = override_store.listed(
            snapshot.connection,
            snapshot.tenant_id,
            since=query.get("since"),
            until=query.get("until"),
            limit=_MOST_ROWS,
        )
        told = [overrides.document(snapshot, row) for row in rows]
        at = wire(snapshot.now)
    items = [{name: each[name] for name in _COLUMNS} for each in told]
    if query["format"] == "csv":
        return Response(table(_COLUMNS, items), content_type=MEDIA_TYPE)
    by_rule = Counter(item["rule"] for item in items)
    return reply(
        {
            "at": at,
            "total": len(items),
            "in_force": sum(item["state"] == overrides.APPROVED for item in items),
            "by_rule": [{"rule": rule, "count": count} for rule, count in by_rule.most_common()],
            "by_state": dict(Counter(item["state"] for item in items)),
            "items": items,
        }
    )


def _again(status: int) -> Any:
    return lambda work, kept: Reply(status, overrides.get(work, str(kept.kept["id"])))
