"""What anyone may look up of the lifecycle: the stage models, and the map of moves and messages."""

from typing import Any

from governance.lifecycle import effects
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import CheckedRule, StageModel
from governance.work import Snapshot


def models(snap: Snapshot, policy: CompiledPolicy | None = None) -> list[dict[str, Any]]:
    """The stage models in force with their stages, lawful bases and retention clocks."""
    policy = policy or policies.active(snap.connection, snap.tenant_id)
    return [_model(policy, model) for model in policy.models.values()]


def lifecycle_map(snap: Snapshot, policy: CompiledPolicy | None = None) -> dict[str, Any]:
    """Stages, every transition with its rule and sentence, what forbids moves, and the message matrix."""
    policy = policy or policies.active(snap.connection, snap.tenant_id)
    sentences = policy.text()
    rules = {rule.id: rule for rule in policy.rules}
    return {
        "policy": policy.digest,
        "models": [
            {
                **_model(policy, model),
                "transitions": [
                    {
                        "from": list(move.origins),
                        "to": move.to,
                        **_rule(rules[move.rule], sentences),
                    }
                    for move in model.transitions
                ],
                "rules": [
                    {"code": rule.code, **_rule(rule, sentences)}
                    for pack in policy.packs
                    if pack.name == model.name
                    for rule in pack.rules
                    if rule.effect != "permit"
                ],
            }
            for model in policy.models.values()
        ],
        "matrix": _matrix(policy, rules, sentences),
    }


def _model(policy: CompiledPolicy, model: StageModel) -> dict[str, Any]:
    # Adopted policies are kept in canonical form, which sorts the stages; the matrix keeps their own order.
    order = policy.matrix.stages if policy.matrix is not None and policy.matrix.model == model.name else ()
    place = {stage: number for number, stage in enumerate(order)}
    stages = sorted(model.stages, key=lambda stage: place.get(stage.id, len(place)))
    return {
        "model": model.name,
        "title": model.title,
        "stages": [
            {
                "id": stage.id,
                "means": stage.means,
                "lawful_bases": list(stage.bases),
                "retention_clocks": sorted(effects.clocks(model.name, stage.id)),
            }
            for stage in stages
        ],
    }


def _rule(rule: CheckedRule, sentences: dict[str, str]) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "effect": str(rule.effect),
        "text": sentences.get(rule.id, rule.because),
        "because": rule.because,
        "cites": list(rule.cites),
        "verified": rule.verified,
    }


def _matrix(
    policy: CompiledPolicy, rules: dict[str, CheckedRule], sentences: dict[str, str]
) -> dict[str, Any] | None:
    if policy.matrix is None:
        return None
    stages = policy.matrix.stages
    return {
        "model": policy.matrix.model,
        "stages": list(stages),
        "rows": [
            {
                "message_class": name,
                "everyone": permitted is None,
                "stages": {stage: permitted is None or stage in permitted for stage in stages},
                **_rule(rules[f"matrix.{name}"], sentences),
            }
            for name, permitted in policy.matrix.permit.items()
        ],
    }
