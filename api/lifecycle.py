"""The lifecycle gate: stage models, the map, transitions."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api.disclosures import of_anybody, of_person
from api.problems import denied
from api.rooms import Room
from api.runtime import (
    Reply,
    act,
    ledger_place,
    page,
    read_cursor,
    reply,
    request_snapshot,
    write_cursor,
)
from api.shapes import (
    Answer,
    AnyObject,
    Flag,
    Instant,
    Listing,
    Page,
    Shape,
    SubjectName,
    Text,
    read_instant,
)
from api.telemetry import count_decision
from governance.clock import wire
from governance.lifecycle import catalogue, history, inactivity
from governance.lifecycle import service as lifecycle
from governance.lifecycle.review_store import OPEN, STATES
from governance.reports import notices
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.work import Work

room = Room("lifecycle", description="Stages of people, and the moves between them.")


class TransitionBody(Shape):
    """A move of a person to a stage of a model."""

    subject = ma.fields.Nested(SubjectName, required=True)
    model = Text(64, load_default="relationship")
    to = Text(64, required=True)
    evidence = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), allow_none=True)
    occurred_at = Instant(allow_none=True)
    because = Text(2000, allow_none=True)
    dry_run = Flag(load_default=False)


class TransitionReply(Answer):
    """What came of a transition, and what follows from it."""

    id = ma.fields.String(required=True, allow_none=True)
    from_ = ma.fields.String(data_key="from", allow_none=True)
    to = ma.fields.String(required=True)
    decision = ma.fields.Dict(required=True)
    consequences = ma.fields.Dict(required=True)


class Choice(ma.fields.Boolean):
    """`true` or `false` in a query."""

    truthy = {"true"}  # noqa: RUF012  # the library's own form
    falsy = {"false"}  # noqa: RUF012


class ReviewQuery(Page):
    """Which reviews."""

    state = ma.fields.String(load_default=OPEN, validate=ma.validate.OneOf(STATES))


class NoticeQuery(Page):
    """Which of those who have still to be told."""

    overdue = Choice(load_default=False, metadata={"description": "Only those whose time is over."})
    unknown_source = Choice(
        load_default=False, metadata={"description": "Also those whose source nobody named."}
    )


class HistoryQuery(Shape):
    """What the history is read for."""

    purpose = Text(63, metadata={"description": "A purpose of the catalogue; absent: any that is valid now."})


class HistoryReply(Answer):
    """Stages of a person in all models, and how they came about."""

    id = ma.fields.String(required=True)
    stages = ma.fields.List(ma.fields.Dict(), required=True)
    history = ma.fields.List(ma.fields.Dict(), required=True)


class KeepBody(Shape):
    """Why somebody is kept in the stage."""

    because = Text(2000, required=True)


class ReviewReply(Answer):
    """Somebody inactive who was warned of."""

    id = ma.fields.String(required=True)
    subject = ma.fields.String(required=True, allow_none=True)
    state = ma.fields.String(required=True)
    resets_at = ma.fields.String(required=True)


@room.get("/v1/lifecycle/models", scope="lifecycle:read")
@room.answers(200, Listing)
def models() -> Response:
    """List the stage models in force."""
    with request_snapshot() as snapshot:
        return reply({"items": catalogue.models(snapshot), "next": None})


@room.get("/v1/lifecycle/map", scope="lifecycle:read")
@room.answers(200, AnyObject)
def lifecycle_map() -> Response:
    """Give stages, transitions with their rules, and the matrix of stages and message classes."""
    with request_snapshot() as snapshot:
        return reply(catalogue.lifecycle_map(snapshot))


@room.post("/v1/lifecycle/transitions", scope="lifecycle:write")
@room.body(TransitionBody)
@room.also(200, TransitionReply, description="A dry run: what would follow; nothing changed.")
@room.answers(201, TransitionReply)
def transition(body: Mapping[str, Any]) -> Response:
    """Move a person to a stage, if policy permits it; denied: 403 with the decision."""
    return act(lambda work: _transition(work, body))


@room.get("/v1/lifecycle/reviews", scope="lifecycle:read", discloses=of_anybody("interactions"))
@room.query(ReviewQuery)
@room.answers(200, Listing)
def reviews(query: Mapping[str, Any]) -> Response:
    """List people who did nothing for long and were warned of, with what lapses at the move."""
    with request_snapshot() as snapshot:
        limit, state = query["limit"], query["state"]
        cursor = read_cursor(snapshot, f"reviews:{state}", query.get("after"))
        found = inactivity.reviews(snapshot, state=state, after=cursor[0] if cursor else "", limit=limit + 1)
        items = inactivity.documents(snapshot, found)
        return reply(page(snapshot, f"reviews:{state}", items, limit, lambda item: [item["id"]]))


@room.post("/v1/lifecycle/reviews/<review_id>/keep", scope="lifecycle:write")
@room.body(KeepBody)
@room.answers(200, ReviewReply)
def keep(body: Mapping[str, str], review_id: str) -> Response:
    """Keep somebody in the stage; a review that is decided already: 409 `review-closed`."""

    def effect(work: Work) -> Reply:
        kept = inactivity.keep(work, review_id, because=body["because"])
        (document,) = inactivity.documents(work, [kept])
        return Reply(200, document, kept=document)

    return act(effect)


@room.get("/v1/lifecycle/notices-due", scope="lifecycle:read", discloses=of_anybody("interactions"))
@room.query(NoticeQuery)
@room.answers(200, Listing)
def notices_due(query: Mapping[str, Any]) -> Response:
    """List who has still to be told where the data came from (GDPR Art. 14), and by when."""
    with request_snapshot() as snapshot:
        use = f"notices-due:{query['overdue']}:{query['unknown_source']}"
        cursor = read_cursor(snapshot, use, query.get("after"))
        found, following = notices.due(
            snapshot,
            overdue=query["overdue"],
            unknown=query["unknown_source"],
            after=None if cursor is None else (read_instant(cursor[0]), cursor[1]),
            limit=query["limit"],
        )
        more = None if following is None else [wire(following[0]), following[1]]
        shown = [each.document() for each in found]
        return reply({"items": shown, "next": None if more is None else write_cursor(snapshot, use, more)})


@room.get("/v1/subjects/<external_id>/lifecycle", scope="lifecycle:read", discloses=of_person("interactions"))
@room.query(HistoryQuery)
@room.answers(200, HistoryReply)
def subject_lifecycle(query: Mapping[str, Any], external_id: str) -> Response:
    """Give a person's stage in each model and the history, withheld where no purpose valid now covers it."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        return reply(history.lifecycle(snapshot, person, purpose=query.get("purpose")))


def _transition(work: Work, body: Mapping[str, Any]) -> Reply | Response:
    person = subjects.resolve(work, body["subject"])
    made = lifecycle.transition(
        work,
        None if person is None else person.subject_ref,
        model=body["model"],
        to=body["to"],
        evidence=body.get("evidence"),
        because=body.get("because"),
        occurred_at=body.get("occurred_at"),
        dry_run=body["dry_run"],
    )
    count_decision(lifecycle.ACTION, made.allowed)
    document = made.document()
    if made.dry_run:
        return Reply(200, document)
    if not made.allowed:
        return denied(made.record.answer(), "Policy does not permit this transition; see `decision`.")
    event_id = work.events[-1].id
    return Reply(201, lambda: {**document, "ledger": ledger_place(work, event_id)}, kept=document)
