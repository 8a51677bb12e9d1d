"""Checks: OpenID AuthZEN Authorization API 1.0, with the Obligations Profile."""

from typing import Any

import marshmallow as ma
from flask import Response, request

from api.rooms import PUBLIC, Room, json_body
from api.runtime import reply, request_snapshot, this_caller, this_runtime
from api.shapes import Answer, AnyObject
from api.telemetry import count_decision
from governance.decisions.record import DecisionRecord
from governance.evaluation import service as evaluation
from governance.evaluation.model import MOST_EVALUATIONS, SEMANTICS, read_batch, read_request

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


class DecisionAnswer(Answer):
    """The decision, and the context that explains it."""

    decision = ma.fields.Boolean(required=True)
    context = ma.fields.Dict()


class EvaluationsAnswer(Answer):
    """The decisions in the order of the questions; a single question gets the form of `DecisionAnswer`."""

    evaluations = ma.fields.List(ma.fields.Nested(DecisionAnswer))
    decision = ma.fields.Boolean()


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
            "supported_obligations": ["custom"],
        }
    )


def log(records: list[DecisionRecord]) -> None:
    """Log decisions durably, before they are answered, and count them."""
    this_runtime().decision_log.append(this_caller().tenant_id, records)
    for record in records:
        count_decision(record.action, record.allowed)
