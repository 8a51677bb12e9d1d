"""Facts of a question about own resources: what packs state of an entity beats what callers claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.policy.compiled import ANY_ACTION, CompiledPolicy
from governance.policy.logic import leaves
from governance.policy.model import Fact, FactType, FactValue

_TEXTS = frozenset({FactType.TEXT, FactType.ENUM, FactType.COUNTRY, FactType.REGION})


@dataclass(frozen=True, slots=True)
class Party:
    """A principal, a resource or an action as a question names it; an action has no id."""

    type: str
    id: str
    properties: Mapping[str, Any] = field(default_factory=dict)


def access_facts(
    policy: CompiledPolicy,
    *,
    principal: Party,
    action: str,
    resource: Party,
    action_properties: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> dict[str, FactValue]:
    """Give the facts that access rules use: those of the question, overlaid with the packs' own entities.

    A claimed property that is not of the declared type counts as absent.
    """
    claims: dict[str, Any] = {f"context.{name}": value for name, value in (context or {}).items()}
    claims |= {f"action.{name}": value for name, value in (action_properties or {}).items()}
    for part, party in (("principal", principal), ("resource", resource)):
        stated = policy.entities.get((party.type, party.id), {})
        claims |= {f"{part}.{name}": value for name, value in {**party.properties, **stated}.items()}
        claims |= {f"{part}.type": party.type, f"{part}.id": party.id}
    claims["action.name"] = action
    facts = policy.vocabulary.facts
    return {name: _fitting(facts[name], claims.get(name)) for name in policy.fact_names(ANY_ACTION)}


def entities_of(policy: CompiledPolicy, kind: str) -> tuple[str, ...]:
    """Give the ids of all entities of a type that packs state, sorted; searches go through them."""
    return tuple(sorted(key for held, key in policy.entities if held == kind))


def action_names(policy: CompiledPolicy) -> tuple[str, ...]:
    """Give the names of actions that access rules mention, sorted; searches go through them."""
    found: set[str] = set()
    for pack in policy.program(ANY_ACTION).packs:
        for rule in pack.rules:
            for leaf in leaves(rule.when):
                if leaf.fact == "action.name" and leaf.op in ("is", "in"):
                    found.update(map(str, leaf.value if isinstance(leaf.value, frozenset) else [leaf.value]))
    return tuple(sorted(found))


def _fitting(fact: Fact, value: Any) -> FactValue:
    """Give a claimed value if it is of the type of its fact, else None."""
    if fact.type is FactType.BOOLEAN:
        return value if isinstance(value, bool) else None
    if fact.type in _TEXTS:
        return value if isinstance(value, str) else None
    if fact.type is FactType.SET:
        is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return frozenset(value) if is_list else None
    if fact.type in (FactType.INTEGER, FactType.COUNT):
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    # Ages and times of day are computed here, never claimed.
    return None
