"""Checks: OpenID AuthZEN Authorization API 1.0, with the Obligations Profile."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response, request

from api.disclosures import disclose_ids, of_those_named
from api.rooms import PUBLIC, Room, json_body
from api.runtime import read_cursor, reply, request_snapshot, this_caller, this_runtime, write_cursor
from api.shapes import Answer, AnyObject
from api.telemetry import count_decision
from governance.decisions.record import DecisionRecord
from governance.errors import InvalidError
from governance.evaluation import service as evaluation
from governance.evaluation.actions import DATA_SUBJECT
from governance.evaluation.model import MOST_EVALUATIONS, SEMANTICS, read_batch, read_request
from governance.evaluation.search import search
from governance.evaluation.search_model import ACTION, LONGEST_TOKEN, RESOURCE, SUBJECT, read_search

room = Room("access", description="Checks: AuthZEN Authorization API 1.0.")

_TEXT = {"type": "string", "minLength": 1, "maxLength": 1024}
_PROPERTIES = {"type": "object"}
_ENTITY = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {"type": _TEXT, "id": _TEXT, "properties": _PROPERTIES},
}
_ACTION = {"type": "object", "required": ["name"], "properties": {"name": _TEXT, "properties": _PROPERTIES}}
_MEMBERS = {"subject": _ENTITY, "action": _ACTION, "resource": _ENTITY, "context": {"type": "object"}}
_EVALUATION = {"type": "object", "required": ["subject", "action", "resource"], "properties": _MEMBERS}
_EVALUATIONS = {
    "type": "object",
    "properties": {
        **_MEMBERS,
        "evaluations": {
            "type": "array",
            "maxItems": MOST_EVALUATIONS,
            "items": {"type": "object", "properties": _MEMBERS},
        },
        "options": {
            "type": "object",
            "properties": {"evaluations_semantic": {"type": "string", "enum": list(SEMANTICS)}},
        },
    },
}


_PAGE = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "maxLength": LONGEST_TOKEN},
        "limit": {"type": "integer", "minimum": 0},
        "properties": _PROPERTIES,
    },
}


def _search(sought: str) -> dict[str, Any]:
    """The body of a search: the members of an evaluation, without what names the one that is looked for."""
    members: dict[str, Any] = {**_MEMBERS, "page": _PAGE}
    if sought == ACTION:
        del members[ACTION]
    else:
        members[sought] = {"type": "object", "required": ["type"], "properties": _ENTITY["properties"]}
    needed = [name for name in ("subject", "action", "resource") if name in members]
    return {"type": "object", "required": needed, "properties": members}


class DecisionAnswer(Answer):
    """The decision, and the context that explains it."""

    decision = ma.fields.Boolean(required=True)
    context = ma.fields.Dict()


class EvaluationsAnswer(Answer):
    """The decisions in the order of the questions; a single question gets the form of `DecisionAnswer`."""

    evaluations = ma.fields.List(ma.fields.Nested(DecisionAnswer))
    decision = ma.fields.Boolean()


class SearchPage(Answer):
    """Where the results go on; `next_token` is empty at their end."""

    next_token = ma.fields.String(required=True)
    count = ma.fields.Integer(required=True)


class SearchAnswer(Answer):
    """One page of results."""

    page = ma.fields.Nested(SearchPage, required=True)
    context = ma.fields.Dict(required=True)
    results = ma.fields.List(ma.fields.Dict(), required=True)


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


@room.post("/access/v1/evaluation", scope="evaluate", effect=False)
@room.describe(requestBody=_body(_EVALUATION))
@room.answers(200, DecisionAnswer)
def evaluate() -> Response:
    """Answer one question: may this subject do this to that resource?

    A check changes nothing but the decision log. A person is named by the resource
    `{"type": "data_subject", "id": "crm-123"}`.
    """
    # Read by hand: this is the hottest path of the service.
    question = read_request(json_body(request))
    with request_snapshot() as snapshot:
        record = evaluation.evaluate(snapshot, question)
    log([record])
    return reply(record.answer())


@room.post("/access/v1/evaluations", scope="evaluate", effect=False)
@room.describe(requestBody=_body(_EVALUATIONS))
@room.answers(200, EvaluationsAnswer)
def evaluate_all() -> Response:
    """Answer several questions in one consistent view."""
    batch = read_batch(json_body(request))
    with request_snapshot() as snapshot:
        answers = evaluation.evaluate_all(snapshot, batch)
    log([each for each in answers if isinstance(each, DecisionRecord)])
    if batch.single:
        return reply(answers[0].answer())
    return reply({"evaluations": [each.answer() for each in answers]})


@room.post("/access/v1/search/subject", scope="evaluate", effect=False)
@room.describe(requestBody=_body(_search(SUBJECT)))
@room.answers(200, SearchAnswer)
def search_subjects() -> Response:
    """Find who may do this to that resource: registered staff and components, and what access packs state."""
    return _found(SUBJECT)


@room.post(
    "/access/v1/search/resource", scope="evaluate", effect=False, discloses=of_those_named("decisions")
)
@room.describe(requestBody=_body(_search(RESOURCE)))
@room.answers(200, SearchAnswer)
def search_resources() -> Response:
    """Find the people (or own resources) to whom this may be done.

    People are narrowed by `resource.properties`: `relationship` and `country`, each a code or a list.
    """
    return _found(RESOURCE)


@room.post("/access/v1/search/action", scope="evaluate", effect=False)
@room.describe(requestBody=_body(_search(ACTION)))
@room.answers(200, SearchAnswer)
def search_actions() -> Response:
    """Find what may be done with this person now; `context.refused` has the rest with the reasons."""
    return _found(ACTION)


def _found(kind: str) -> Response:
    """Answer one page. A token is of one question, one limit and one tenant, and of no other."""
    asked = read_search(kind, json_body(request))
    use = f"search:{kind}:{asked.digest()}"
    with request_snapshot() as snapshot:
        began = read_cursor(snapshot, use, asked.token, member="page.token")
        if began is not None:
            if asked.limit not in (None, began[0]):
                sentence = "Ask for every page with the same limit."
                raise InvalidError(sentence, fields={"page.limit": [sentence]})
            asked = replace(asked, limit=began[0])
        found, record = search(snapshot, asked, None if began is None else began[1])
        if kind == RESOURCE:
            disclose_ids(snapshot, lambda: _people(found.results))
        token = ""
        if found.position is not None:
            token = write_cursor(snapshot, use, [asked.limit, found.position])
    log([record])
    shown = {"next_token": token, "count": len(found.results)}
    return reply({"page": shown, "context": found.context, "results": found.results})


def _people(results: Iterable[Mapping[str, Any]]) -> list[str]:
    return [each["id"] for each in results if each["type"] == DATA_SUBJECT]


@room.get("/.well-known/authzen-configuration", scope=PUBLIC)
@room.answers(200, AnyObject)
def configuration() -> Response:
    """Describe this policy decision point."""
    at = this_runtime().settings.public_url
    return reply(
        {
            "policy_decision_point": at,
            "access_evaluation_endpoint": f"{at}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{at}/access/v1/evaluations",
            "search_subject_endpoint": f"{at}/access/v1/search/subject",
            "search_resource_endpoint": f"{at}/access/v1/search/resource",
            "search_action_endpoint": f"{at}/access/v1/search/action",
            "supported_obligations": ["custom"],
        }
    )


def log(records: list[DecisionRecord]) -> None:
    """Log decisions durably, before they are answered, and count them."""
    this_runtime().decision_log.append(this_caller().tenant_id, records)
    for record in records:
        count_decision(record.action, record.allowed)
