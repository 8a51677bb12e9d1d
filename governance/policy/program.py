"""The compiled rules of one action: generated functions and how facts stand in their vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

from governance.policy.buckets import Vector
from governance.policy.codegen import Layout, lay_out, matching_source, rule_condition, shortfall_source
from governance.policy.logic import leaves
from governance.policy.model import CheckedPack, CheckedRule, Effect, Fact


@dataclass(frozen=True, slots=True)
class Silence:
    """Why nothing permits: the code, the permit that came nearest (its rule id), and what it still needs."""

    code: str
    rule: str
    because: str
    needs: str
    cites: tuple[str, ...]
    remedy: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ActionProgram:
    """The compiled rules of one action: `source` is the text of `matching`.

    `uses`: rule id to the facts that it looks at, with `epoch` for a rule that has dates.
    """

    action: str
    layout: Layout
    packs: tuple[CheckedPack, ...]
    source: str
    matching: Callable[[Vector], tuple[int, ...]]
    shortfall: Callable[[Vector], list[tuple[int, tuple[int, ...]]]]
    permit_places: tuple[int, ...] = ()
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    silences: dict[Vector, Silence] = field(default_factory=dict)


def make_program(
    action: str, facts: Mapping[str, Fact], packs: Sequence[CheckedPack], numbers: Mapping[str, Sequence[int]]
) -> ActionProgram:
    """Write and compile the functions of one action."""
    layout = lay_out(facts, packs)
    numbered = [(pack, numbers[pack.name]) for pack in packs]
    source = matching_source(action, layout, numbered)
    space = run_text(source, action) | run_text(shortfall_source(layout, numbered), action)
    return ActionProgram(
        action,
        layout,
        tuple(packs),
        source,
        space["matching"],
        space["shortfall"],
        permit_places=_permit_places(layout, packs),
        uses={rule.id: _uses(pack, rule) for pack in packs for rule in pack.rules},
    )


def _uses(pack: CheckedPack, rule: CheckedRule) -> frozenset[str]:
    """Give the facts that a rule looks at, with those of its pack's `applies`."""
    facts = {leaf.fact for condition in rule_condition(pack, rule) for leaf in leaves(condition)}
    dated = rule.effective.since is not None or rule.effective.until is not None
    return frozenset({*facts, "epoch"} if dated else facts)


def _permit_places(layout: Layout, packs: Sequence[CheckedPack]) -> tuple[int, ...]:
    """Give the places in the vector that permits look at; the last is the epoch's."""
    names = {
        leaf.fact
        for pack in packs
        for rule in pack.rules
        if rule.effect is Effect.PERMIT
        for condition in rule_condition(pack, rule)
        for leaf in leaves(condition)
    }
    return (*sorted(layout.positions[name] for name in names), len(layout.names))


def run_text(source: str, name: str) -> dict[str, Any]:
    """Compile generated text into a space without builtins but the three that it uses."""
    space: dict[str, Any] = {"__builtins__": {"tuple": tuple, "enumerate": enumerate, "bool": bool}}
    # Generated from checked rules: names match a fixed pattern, values are rendered with repr.
    exec(_code(source, f"<policy {name}>"), space)  # noqa: S102
    return space


@lru_cache(maxsize=1024)
def _code(source: str, name: str) -> CodeType:
    """Compile a text. A change of one pack writes the same text for all the others, case for case."""
    return compile(source, name, "exec")
