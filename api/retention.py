"""Retention: schedules, registered records, why something is still here, runs and what they propose."""

from collections.abc import Callable, Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import background
from api.disclosures import disclose, of_anybody, of_those_named
from api.problems import problem
from api.rooms import Room
from api.runtime import Reply, act, page, read_cursor, reply, request_snapshot, this_caller, this_runtime
from api.shapes import AnyObject, Day, Flag, Listing, Page, Shape, Text, Whole
from governance.erasure import explaining
from governance.errors import InvalidError
from governance.retention import dispositions, runs, service, settings, sweeping, views
from governance.retention.disposition_store import STATES, Disposition
from governance.retention.model import Refusal
from governance.retention.runs import Run
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.subjects.model import SubjectReference
from governance.work import Work

room = Room("retention", description="How long data is kept, and when it goes.")


class ExplainQuery(Shape):
    """Whose data, by the CRM's opaque id, of which class; or one registered record."""

    subject = Text(128, required=True)
    data_class = Text(64, required=True)
    system = Text(63)
    record = Text(128)


class RetentionRunBody(Shape):
    """A dry run counts and changes nothing; a real run proposes what is due."""

    dry_run = Flag(load_default=True)


class ForecastQuery(Shape):
    """For how many months."""

    months = ma.fields.Integer(load_default=12, validate=ma.validate.Range(1, 120))


class DispositionQuery(Page):
    """Which dispositions."""

    state = ma.fields.String(validate=ma.validate.OneOf(STATES))
    run = Text(64)


class KeepDispositionBody(Shape):
    """To which day, and why."""

    until = Day(required=True)
    because = Text(2000, required=True)


class BlastRadius(Shape):
    """How much one run may delete without somebody's approval."""

    percent = ma.fields.Float(
        validate=ma.validate.Range(0, 100), metadata={"description": "Of all records weighed."}
    )
    count = Whole(0, 10**9)


class RetentionSettingsBody(Shape):
    """What a tenant sets itself; absent members stay."""

    financial_year_end = Text(5, metadata={"description": "MM-DD"})
    blast_radius = ma.fields.Nested(BlastRadius)


@room.get("/v1/retention/schedule", scope="retention:read")
@room.answers(200, Listing)
def schedule() -> Response:
    """List the schedules in force: what each rule keeps or deletes, by which clause, reviewed when."""
    with request_snapshot() as snapshot:
        return reply({"items": views.schedule_items(service.schedules(snapshot)), "next": None})


@room.get("/v1/retention/explain", scope="retention:read", discloses=of_those_named("transactions"))
@room.query(ExplainQuery)
@room.refuses(404)
@room.answers(200, AnyObject)
def explain(query: Mapping[str, Any]) -> Response:
    """Say why data is still here and when it goes: every rule, the winner, the day, the blockers."""
    if ("system" in query) != ("record" in query):
        complaint = "Give both system and record, or neither."
        raise InvalidError(complaint, fields={"record": [complaint]})
    with request_snapshot() as snapshot:
        named = SubjectReference(id=check_external_id(query["subject"]))
        person = subjects.resolve_even_erased(snapshot, named)
        disclose(snapshot, [person.subject_ref])
        if person.erased:
            left = explaining.explanation(
                snapshot,
                person.subject_ref,
                query["data_class"],
                system=query.get("system"),
                record=query.get("record"),
            )
            return reply(left)
        found = views.explanation(
            snapshot, person, query["data_class"], system=query.get("system"), record=query.get("record")
        )
        return reply(found)


@room.get("/v1/retention/forecast", scope="retention:read")
@room.query(ForecastQuery)
@room.answers(200, AnyObject)
def forecast(query: Mapping[str, Any]) -> Response:
    """Say what falls due in each of the coming months, by data class and country."""
    with request_snapshot() as snapshot:
        return reply(runs.forecast(snapshot, months=query["months"]))


@room.get("/v1/retention/settings", scope="retention:read")
@room.answers(200, AnyObject)
def get_settings() -> Response:
    """Give the end of the financial year and the blast radius."""
    with request_snapshot() as snapshot:
        return reply(settings.get(snapshot).document())


@room.put("/v1/retention/settings", scope="retention:write")
@room.body(RetentionSettingsBody)
@room.answers(200, AnyObject)
def put_settings(body: Mapping[str, Any]) -> Response:
    """Change the end of the financial year or the blast radius."""
    radius = body.get("blast_radius", {})

    def effect(work: Work) -> Reply:
        changed = settings.put(
            work,
            financial_year_end=body.get("financial_year_end"),
            percent=radius.get("percent"),
            count=radius.get("count"),
        )
        return Reply(200, changed.document())

    return act(effect)


@room.post("/v1/retention/runs", scope="retention:write", discloses=of_anybody("transactions"))
@room.body(RetentionRunBody)
@room.also(202, AnyObject, description="There is much to weigh: look again at `/v1/retention/runs/{id}`.")
@room.answers(201, AnyObject)
def create_run(body: Mapping[str, Any]) -> Response:
    """Weigh everything: counts by rule, samples, what differs from the last run; a real run proposes."""

    def effect(work: Work) -> Reply:
        made = runs.create(work, dry_run=body["dry_run"])
        small = runs.is_small(work)
        kept = {"id": made.run_id, "small": small}
        return Reply(202, kept, kept=kept)

    answer = act(effect)
    if answer.status_code != 202:
        return answer
    made = answer.get_json()
    if made["small"]:
        sweeping.run(this_runtime(), this_caller().tenant_id, made["id"])
    else:
        background.kick()
    with request_snapshot() as snapshot:
        found = runs.get(snapshot, made["id"])
        return reply(runs.document(snapshot, found), 202 if found.evaluated_at is None else 201)


@room.get("/v1/retention/runs", scope="retention:read", discloses=of_anybody("transactions"))
@room.query(Page)
@room.answers(200, Listing)
def list_runs(query: Mapping[str, Any]) -> Response:
    """List runs, the newest first."""
    with request_snapshot() as snapshot:
        cursor = read_cursor(snapshot, "runs", query.get("after"))
        found = runs.listed(snapshot, before=cursor[0] if cursor else None, limit=query["limit"] + 1)
        items = [runs.document(snapshot, each) for each in found]
        return reply(page(snapshot, "runs", items, query["limit"], lambda item: [item["id"]]))


@room.get("/v1/retention/runs/<run_id>", scope="retention:read", discloses=of_anybody("transactions"))
@room.answers(200, AnyObject)
def get_run(run_id: str) -> Response:
    """Give a run: how far it is, what it counted, what it proposed."""
    with request_snapshot() as snapshot:
        return reply(runs.document(snapshot, runs.get(snapshot, run_id)))


@room.post("/v1/retention/runs/<run_id>/approve", scope="erasures:approve")
@room.answers(200, AnyObject)
def approve_run(run_id: str) -> Response:
    """Let a run beyond the blast radius go on; whoever started it cannot: 403 `second-person-needed`."""
    answer = act(_decided(lambda work: runs.approve(work, run_id)))
    background.kick()
    return answer


@room.post("/v1/retention/runs/<run_id>/cancel", scope="retention:write")
@room.answers(200, AnyObject)
def cancel_run(run_id: str) -> Response:
    """Call a run off: what it proposed is withdrawn."""
    answer = act(_decided(lambda work: runs.cancel(work, run_id)))
    background.kick()
    return answer


@room.get("/v1/retention/dispositions", scope="retention:read", discloses=of_anybody("transactions"))
@room.query(DispositionQuery)
@room.answers(200, Listing)
def list_dispositions(query: Mapping[str, Any]) -> Response:
    """List what is to become of records, and what became of them."""
    with request_snapshot() as snapshot:
        limit, state, run_id = query["limit"], query.get("state"), query.get("run")
        use = f"dispositions:{state}:{run_id}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        after = cursor[0] if cursor else ""
        found = dispositions.listed(snapshot, state=state, run_id=run_id, after=after, limit=limit + 1)
        items = views.disposition_items(snapshot, found)
        return reply(page(snapshot, use, items, limit, lambda item: [item["id"]]))


@room.post("/v1/retention/dispositions/<disposition_id>/approve", scope="erasures:approve")
@room.answers(200, AnyObject)
def approve_disposition(disposition_id: str) -> Response:
    """Approve one disposition, after a look at what was to be reviewed; not by whoever started its run."""
    return act(_decided(lambda work: dispositions.approve(work, disposition_id)))


@room.post("/v1/retention/dispositions/<disposition_id>/keep", scope="retention:write")
@room.body(KeepDispositionBody)
@room.answers(200, AnyObject)
def keep_disposition(body: Mapping[str, Any], disposition_id: str) -> Response:
    """Keep what was proposed to go, to a day; nobody asks again before."""
    return act(
        _decided(
            lambda work: dispositions.keep(work, disposition_id, until=body["until"], because=body["because"])
        )
    )


def _decided(decide: Callable[[Work], Run | Disposition | Refusal]) -> Callable[[Work], Reply | Response]:
    """Answer a decision about a run or a disposition; a refusal's trace is committed."""

    def effect(work: Work) -> Reply | Response:
        made = decide(work)
        if isinstance(made, Refusal):
            return problem(403, "A second person is needed", made.sentence, code=made.code)
        if isinstance(made, Disposition):
            return Reply(200, views.disposition_items(work, [made])[0])
        return Reply(200, runs.document(work, made))

    return effect
