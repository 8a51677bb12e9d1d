"""What anyone may look up of the lifecycle: the stage models, and the map of moves and messages."""

from typing import Any

from governance.lifecycle import effects
from governance.lifecycle.service import stage_view
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import CheckedRule, Stage, StageModel
from governance.subjects.model import RELATIONSHIP
from governance.work import Snapshot


def models(snap: Snapshot, policy: CompiledPolicy | None = None) -> list[dict[str, Any]]:
    """The stage models in force with their stages, lawful bases and retention clocks."""
    policy = policy or policies.active(snap.connection, snap.tenant_id, snap.now)
    return [_model(policy, model) for model in policy.models.values()]


def lifecycle_map(snap: Snapshot, policy: CompiledPolicy | None = None) -> dict[str, Any]:
    """Stages, every transition with its rule and sentence, what forbids moves, and the message matrix."""
    policy = policy or policies.active(snap.connection, snap.tenant_id, snap.now)
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
                "inactivity": [
                    {
                        "from": lapse.origin,
                        "to": lapse.to,
                        "after": str(lapse.after),
                        "warning": str(lapse.warning),
                        "grace": str(lapse.grace),
                        **_rule(rules[lapse.rule], sentences),
                    }
                    for lapse in model.inactivity
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
        "rules": _shared_rules(policy, sentences),
        "aliases": [
            {"means": row.means, "stages": {name: list(stages) for name, stages in row.stages.items()}}
            for row in policy.aliases
        ],
        "matrix": _matrix(policy, rules, sentences),
    }


def _shared_rules(policy: CompiledPolicy, sentences: dict[str, str]) -> list[dict[str, Any]]:
    """What holds in every model: the rules about moves that stand in no model."""
    return [
        {"code": rule.code, **_rule(rule, sentences)}
        for pack in policy.packs
        if "lifecycle.transition" in pack.actions and pack.name not in policy.models
        for rule in pack.rules
    ]


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
                **_lawful(policy, model, stage),
                "retention_clocks": sorted(effects.clocks(model.name, stage.id)),
                "corresponds_to": corresponding(policy, model.name, stage.id),
            }
            for stage in stages
        ],
    }


def corresponding(policy: CompiledPolicy, model: str, stage: str) -> dict[str, list[str]]:
    """The stages of other models that mean much the same, by model."""
    found: dict[str, list[str]] = {}
    for row in policy.aliases:
        if stage in row.stages.get(model, ()):
            for name, stages in row.stages.items():
                if name != model:
                    known = found.setdefault(name, [])
                    known += [each for each in stages if each not in known]
    return found


def _lawful(policy: CompiledPolicy, model: StageModel, stage: Stage) -> dict[str, Any]:
    """Bases and message classes of a stage; of a journey's, what all stages of the relationship have that
    correspond to it. Gates ask about the relationship alone.
    """
    own = policy.models.get(RELATIONSHIP)
    if stage.bases or own is None or model.name == RELATIONSHIP:
        stages, of = [stage.id], model
    else:
        stages, of = corresponding(policy, model.name, stage.id).get(RELATIONSHIP, []), own
    views = [stage_view(policy, of, each) for each in stages]
    bases = frozenset.intersection(*(view.bases for view in views)) if views else frozenset()
    classes = frozenset.intersection(*(view.classes for view in views)) if views else frozenset()
    order = [base for each in of.stages for base in each.bases]
    return {
        "lawful_bases": sorted(bases, key=order.index),
        "message_classes": sorted(classes),
        "by_alias": of is not model,
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
