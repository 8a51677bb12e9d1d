"""Questions about a tenant's own resources, decided by its `access/` packs over the entities' properties."""

from collections.abc import Callable, Mapping
from typing import Any

from governance.communications.model import read_instant
from governance.decisions.ground import Ground
from governance.decisions.model import Reason, Verdict, decide
from governance.decisions.record import AskedFor, DecisionRecord
from governance.evaluation.model import EvaluationRequest
from governance.policy.compiled import ANY_ACTION, CompiledPolicy
from governance.policy.model import Fact, FactType
from governance.work import Snapshot

_SILENCE = Verdict(
    False,
    (
        Reason(
            "no-permit",
            "",
            "permit",
            "No policy of this tenant speaks about this resource and action, and silence forbids.",
            (),
            True,
            "Adopt an access pack that permits it, or check the resource's type and the action's name.",
        ),
    ),
    (),
    (),
)
_TEXTS = (FactType.TEXT, FactType.ENUM, FactType.COUNTRY, FactType.REGION)


def evaluate(
    snap: Snapshot,
    ground: Ground,
    request: EvaluationRequest,
    asked_for: AskedFor,
    said: Callable[[str], str],
) -> DecisionRecord:
    """Decide about a resource of the tenant's own. Properties are looked at and not logged."""
    policy = ground.policy
    verdict = _SILENCE
    if ANY_ACTION in policy.programs:
        verdict = decide(policy, ANY_ACTION, policy.bucketed(ANY_ACTION, facts_of(policy, request), snap.now))
    named = {
        "principal.type": asked_for.type,
        "principal.id": asked_for.id,
        "resource.type": said(request.resource.type),
        "resource.id": said(request.resource.id),
        "action.name": said(request.action),
    }
    return DecisionRecord(
        id=snap.new_id("dec"),
        action=named["action.name"],
        subject_ref=None,
        verdict=verdict,
        policy=policy.digest,
        ledger_position=ground.ledger_position,
        evaluated_at=snap.now,
        caller_ref=snap.actor.ref,
        question={"resource": {"type": named["resource.type"], "id": named["resource.id"]}},
        facts=(named,),
        asked_for=asked_for,
    )


def facts_of(policy: CompiledPolicy, request: EvaluationRequest) -> dict[str, Any]:
    """The facts that the access packs use.

    What a pack states of an entity wins over what the caller claims.
    """
    subject, resource = request.subject, request.resource
    facts: dict[str, Any] = {
        "principal.type": subject.type,
        "principal.id": subject.id,
        "resource.type": resource.type,
        "resource.id": resource.id,
        "action.name": request.action,
    }
    # A property named `type` or `id` must not stand in for the entity's own.
    fixed = frozenset(facts)
    claims = {
        "principal": {**subject.properties, **policy.entities.get((subject.type, subject.id), {})},
        "resource": {**resource.properties, **policy.entities.get((resource.type, resource.id), {})},
        "context": dict(request.context),
        "action": dict(request.action_properties),
    }
    declared: Mapping[str, Fact] = policy.program(ANY_ACTION).layout.facts
    for name in policy.fact_names(ANY_ACTION):
        room, _, member = name.partition(".")
        if name not in fixed and room in claims:
            facts[name] = _typed(declared[name].type, claims[room].get(member))
    return facts


def _typed(kind: FactType, value: object) -> object:
    """The value if it is of the fact's type; anything else counts as absent, which counts against acting."""
    if kind is FactType.BOOLEAN:
        return value if isinstance(value, bool) else None
    if kind in (FactType.INTEGER, FactType.COUNT):
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if kind is FactType.AGE:
        return read_instant(value)
    if kind in (FactType.SET, FactType.WEEKDAY):
        several = value if isinstance(value, list | tuple) else [value]
        return tuple(several) if several and all(isinstance(each, str) for each in several) else None
    return value if kind in _TEXTS and isinstance(value, str) else None
