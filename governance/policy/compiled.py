"""Checked policies as one function per action, with everything that explains its answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from governance.policy.buckets import Bucketer, Vector
from governance.policy.codegen import (
    Writer,
    lay_out,
    variable,
)
from governance.policy.conditions import Scalar
from governance.policy.durations import Duration
from governance.policy.logic import leaves
from governance.policy.model import (
    Alias,
    CheckedPack,
    CheckedPolicies,
    CheckedRule,
    Fact,
    Matrix,
    StageModel,
    Vocabulary,
)
from governance.policy.program import ActionProgram, make_program, run_text
from governance.policy.schedules import NO_SCHEDULES, Schedules
from governance.policy.sentences import rule_sentence

ANY_ACTION = "*"


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """Policies in force, immutable; `digest` names them, `rules` are numbered as `matching` answers."""

    digest: str
    vocabulary: Vocabulary
    rules: tuple[CheckedRule, ...]
    packs: tuple[CheckedPack, ...]
    models: Mapping[str, StageModel]
    matrix: Matrix | None
    programs: Mapping[str, ActionProgram]
    coverage: Mapping[str, tuple[frozenset[str], bool]]
    ranks: Mapping[str, int]
    entities: Mapping[tuple[str, str], Mapping[str, Scalar]]
    aliases: tuple[Alias, ...] = ()
    opt_outs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    retention: Schedules = NO_SCHEDULES

    def program(self, action: str) -> ActionProgram:
        """Give the compiled rules of an action; one that no gate owns falls to the access packs."""
        return self.programs.get(action) or self.programs[ANY_ACTION]

    def fact_names(self, action: str) -> tuple[str, ...]:
        """Give the facts that rules of the action use, in the order of the vector (without `epoch`)."""
        return self.program(action).layout.names

    def position(self, action: str, fact: str) -> int | None:
        """Give the place of a fact in the vector of an action, None if no rule uses it."""
        return self.program(action).layout.positions.get(fact)

    def bucketer(self, action: str, now: datetime) -> Bucketer:
        """Give what reduces facts to vectors at `now` (aware), for a stream of people."""
        return Bucketer(self.program(action).layout, now, self.covered)

    def bucketed(self, action: str, facts: Mapping[str, Any], now: datetime) -> Vector:
        """Reduce the facts of one question to its vector; ages are given as anchors (aware instants)."""
        return self.bucketer(action, now).vector(facts)

    def matching(self, action: str, vector: Vector) -> tuple[int, ...]:
        """Give the numbers of all rules that match a vector, in the order of the packs."""
        return self.program(action).matching(vector)

    def source(self, action: str) -> str:
        """Give the Python text that `matching` runs."""
        return self.program(action).source

    def thresholds(self, action: str) -> dict[str, tuple[Duration, ...] | tuple[int, ...]]:
        """Give the ages (durations), numbers and minutes of the day at which an answer can change."""
        layout = self.program(action).layout
        return {**layout.ages, **layout.numbers, **layout.clocks}

    def effective_dates(self, action: str) -> tuple[datetime, ...]:
        """Give the instants at which rules begin or cease to hold."""
        return self.program(action).layout.dates

    def covered(self, country: str, channel: str) -> bool:
        """Say whether some country pack gives a full answer for a country and a channel."""
        if channel not in self.coverage:
            return False
        countries, inverse = self.coverage[channel]
        return (country in countries) != inverse

    def opt_out_place(self, country: str | None, channel: str) -> bool:
        """Say whether a pack declares for a country that what is not refused is allowed on a channel."""
        return country in self.opt_outs.get(channel, frozenset())

    def code_of(self, rule: CheckedRule, action: str, vector: Vector) -> str:
        """Give the reason code of a matching forbid: the more exact one if the rule has one for the facts."""
        for fact, codes in rule.finer_codes:
            code = codes.get(vector[self.program(action).layout.positions[fact]])
            if code is not None:
                return code
        return rule.code

    def rank(self, code: str) -> int:
        """Give the place of a code in the published order."""
        return self.ranks.get(code, len(self.ranks))

    def text(self, language: str = "en") -> dict[str, str]:
        """Give a readable sentence for every rule, by rule id (English is what is shipped)."""
        facts = {
            name: fact for program in self.programs.values() for name, fact in program.layout.facts.items()
        }
        return {
            rule.id: rule_sentence(rule, pack.applies, facts, self.vocabulary)
            for pack in self.packs
            for rule in pack.rules
        }


def compile_policy(checked: CheckedPolicies) -> CompiledPolicy:
    """Compile checked policies; the digest is the SHA-256 of their canonical form."""
    rules: list[CheckedRule] = []
    numbers: dict[str, range] = {}
    for pack in checked.packs:
        numbers[pack.name] = range(len(rules), len(rules) + len(pack.rules))
        rules += pack.rules
    facts = {**checked.vocabulary.facts, **checked.declared}
    # Own resources always have a program: without access packs it permits nothing.
    actions = [*(action for pack in checked.packs for action in pack.actions), ANY_ACTION]
    programs = {
        action: make_program(
            action, facts, [pack for pack in checked.packs if action in pack.actions], numbers
        )
        for action in dict.fromkeys(actions)
    }
    return CompiledPolicy(
        digest="sha256:" + hashlib.sha256(checked.canonical).hexdigest(),
        vocabulary=replace(checked.vocabulary, facts=facts),
        rules=tuple(rules),
        packs=checked.packs,
        models=MappingProxyType({model.name: model for model in checked.models}),
        matrix=checked.matrices[0] if checked.matrices else None,
        programs=MappingProxyType(programs),
        coverage=MappingProxyType(_coverage(checked, facts)),
        ranks=MappingProxyType({code: place for place, code in enumerate(checked.vocabulary.codes)}),
        entities=MappingProxyType(
            {(one.type, one.id): one.properties for pack in checked.packs for one in pack.entities}
        ),
        aliases=checked.aliases,
        opt_outs=MappingProxyType(_opt_outs(checked, facts)),
        retention=checked.retention,
    )


def _coverage(checked: CheckedPolicies, facts: Mapping[str, Fact]) -> dict[str, tuple[frozenset[str], bool]]:
    """Compute per channel the countries with a full answer: (countries, False), or (exceptions, True)."""
    found: dict[str, tuple[frozenset[str], bool]] = {}
    for channel in facts["message.channel"].values if "message.channel" in facts else ():
        packs = [pack for pack in checked.packs if channel in pack.covers]
        tests = [_place_test(pack, facts) for pack in packs]
        countries = {country for pack in packs for country in _named_countries(pack)}
        # ZZ stands for every country that no pack names.
        inverse = any(test("ZZ") for test in tests)
        answers = frozenset(one for one in countries if any(test(one) for test in tests) != inverse)
        found[channel] = (answers, inverse)
    return found


def _opt_outs(checked: CheckedPolicies, facts: Mapping[str, Fact]) -> dict[str, frozenset[str]]:
    """Compute per channel the countries for which a pack declares `basis: opt_out`."""
    found: dict[str, frozenset[str]] = {}
    for pack in checked.packs:
        channels = [basis.channel for basis in pack.basis if basis.basis == "opt_out"]
        if channels:
            test = _place_test(pack, facts)
            places = frozenset(country for country in _named_countries(pack) if test(country))
            found |= {channel: found.get(channel, frozenset()) | places for channel in channels}
    return found


def _named_countries(pack: CheckedPack) -> set[str]:
    """Give the countries of persons that `applies` of a pack names."""
    return {
        str(country)
        for leaf in leaves(pack.applies)
        if leaf.fact == "person.country"
        for country in (leaf.value if isinstance(leaf.value, frozenset) else {leaf.value})
    }


def _place_test(pack: CheckedPack, facts: Mapping[str, Fact]) -> Callable[[str], bool]:
    """Compile `applies` of a pack as a question about the person's country alone."""
    if pack.applies is None:
        return lambda _: True
    layout = lay_out(facts, [pack])
    names = ["person__country" if name == "person.country" else variable(name) for name in layout.names]
    others = "".join(f"    {name} = None\n" for name in names if name != "person__country")
    text = Writer(layout).condition(pack.applies, False)
    source = f"def applies(person__country):\n{others}    return bool({text})\n"
    answer: Callable[[str], bool] = run_text(source, pack.name)["applies"]
    return answer
