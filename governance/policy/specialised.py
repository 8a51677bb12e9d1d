"""A policy narrowed to one question: what is fixed for everybody is decided once, and the rest is smaller.

Of the rules that forbid or oblige only those stay that could still match somebody, given the facts that are
the same for all (the message, the purpose, the instant). Facts that only the others look at need not be
gathered, and people who differ in nothing else are alike. Every permit stays, because what nothing permits is
explained by the nearest of all permits. Answers are those of the whole policy, word for word.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from threading import Lock
from types import MappingProxyType
from typing import Any

from governance.policy.buckets import Vector
from governance.policy.codegen import Layout, Writer, variable
from governance.policy.compiled import CompiledPolicy
from governance.policy.conditions import AllOf, Condition, Leaf
from governance.policy.model import CheckedPack, CheckedRule, Effect
from governance.policy.program import make_program, run_text

_MOST = 64
_known: OrderedDict[tuple[Any, ...], CompiledPolicy] = OrderedDict()
_lock = Lock()


def specialised(
    policy: CompiledPolicy, action: str, given: Mapping[str, Any], now: datetime
) -> CompiledPolicy:
    """Narrow a policy to the questions of an action that have all of `given` facts (absent ones as None).

    Vectors of the narrowed policy are shorter; make them with its own bucketer, at the same instant.
    """
    # What rules can tell apart of what is given, and how many dates have passed: nothing else is used.
    vector = policy.bucketed(action, given, now)
    key = (policy.digest, action, frozenset(given), vector)
    with _lock:
        found = _known.get(key)
        if found is None:
            found = _known[key] = _narrowed(policy, action, frozenset(given), vector)
            while len(_known) > _MOST:
                _known.popitem(last=False)
    return found


def facts_used(
    policy: CompiledPolicy, action: str, given: Mapping[str, Any], now: datetime
) -> frozenset[str]:
    """Give the facts that can still bear on the answer to questions that have all of `given` facts."""
    program = policy.program(action)
    test = _Test(program.layout, frozenset(given), policy.bucketed(action, given, now))
    used: set[str] = set()
    for pack in program.packs:
        for rule in pack.rules:
            if rule.effect is Effect.PERMIT or test.may_match(pack, rule):
                used |= program.uses[rule.id]
                used.update(name for name, _ in rule.finer_codes)
    return frozenset(used)


def _narrowed(policy: CompiledPolicy, action: str, given: frozenset[str], vector: Vector) -> CompiledPolicy:
    whole = policy.program(action)
    test = _Test(whole.layout, given, vector)
    numbers = {rule.id: number for number, rule in enumerate(policy.rules)}
    packs: list[CheckedPack] = []
    places: dict[str, list[int]] = {}
    for pack in whole.packs:
        rules = tuple(
            rule for rule in pack.rules if rule.effect is Effect.PERMIT or test.may_match(pack, rule)
        )
        if rules:
            packs.append(replace(pack, rules=rules))
            places[pack.name] = [numbers[rule.id] for rule in rules]
    program = make_program(action, whole.layout.facts, packs, places)
    return replace(policy, programs=MappingProxyType({**policy.programs, action: program}))


class _Test:
    """Tells which rules can still match; a comparison of a given fact is run as the policy itself runs it."""

    def __init__(self, layout: Layout, given: frozenset[str], vector: Vector) -> None:
        self._given = given
        self._writer = Writer(layout)
        self._values = dict(zip((*map(variable, layout.names), "epoch"), vector, strict=True))
        self._held: dict[str, bool] = {}

    def may_match(self, pack: CheckedPack, rule: CheckedRule) -> bool:
        """Whether somebody may exist for whom the rule matches."""
        dates = self._writer.dates(rule)
        if dates and not self._holds(dates):
            return False
        if pack.applies is not None and self._known(pack.applies, False) is False:
            return False
        if rule.unless is not None and self._known(rule.unless, False) is True:
            return False
        return self._known(rule.when, rule.effect is not Effect.PERMIT) is not False

    def _known(self, condition: Condition, doubt: bool) -> bool | None:
        """Whether a condition holds for everybody (True), for nobody (False), or it depends (None)."""
        if isinstance(condition, Leaf):
            if condition.fact not in self._given:
                return None
            return self._holds(self._writer.condition(condition, doubt))
        parts = [self._known(part, doubt) for part in condition.parts]
        decisive = not isinstance(condition, AllOf)
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive

    def _holds(self, text: str) -> bool:
        held = self._held.get(text)
        if held is None:
            names = [name for name in self._values if name in text]
            space = run_text(f"def holds({', '.join(names)}):\n    return bool({text})\n", "one comparison")
            held = self._held[text] = space["holds"](*(self._values[name] for name in names))
        return held
