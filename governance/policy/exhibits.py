"""What a solver found, made plain and confirmed by the compiled policy: only then is it a counter-example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import z3

from governance.policy.buckets import Bucketer
from governance.policy.compiled import CompiledPolicy
from governance.policy.conditions import AllOf, AnyOf, Condition
from governance.policy.counterexamples import (
    CounterExample,
    described,
    facts_of,
    instants,
    plainest,
    subject_of,
)
from governance.policy.invariants import Invariant, facts_in
from governance.policy.logic import leaves
from governance.policy.model import CheckedPack, CheckedRule, Effect, Layer
from governance.policy.outcome import Outcome, combine
from governance.policy.program import make_program
from governance.policy.sentences import condition_sentence
from governance.policy.worlds import World

_Found = tuple[datetime, list[dict[str, Any]], Any]


@dataclass(slots=True)
class Exhibit:
    """A satisfied question: the solver holds facts that break the invariant, in one world or two."""

    policy: CompiledPolicy
    invariant: Invariant
    solver: Any
    worlds: list[World]

    def allowed(self) -> CounterExample | None:
        """Show a question that is allowed and may never be; None if the compiled policy does not agree."""
        found = self._found()
        if found is None:
            return None
        at, (facts,), model = found
        outcome = self._outcome(facts, at)
        if not outcome.allowed or not self._broken(facts, at):
            return None
        excepted = self._excepted(model)
        words = [
            f"{self._told(model)} is allowed",
            self._permitted(outcome),
            *self._let_through(model, excepted),
        ]
        return self._example(". ".join(words) + ".", at, facts, outcome, excepted)

    def helped(self) -> CounterExample | None:
        """Show a question that is allowed after what must not help, and refused before it."""
        found = self._found()
        if found is None:
            return None
        at, (facts, before), model = found
        outcome, earlier = self._outcome(facts, at), self._outcome(before, at)
        if not outcome.allowed or earlier.allowed or self.invariant.no_help is None:
            return None
        differing = self.invariant.no_help.may_differ
        was = ", ".join(filter(None, described(self.worlds[1], model, differing, only=differing)))
        words = [f"{self._told(model)} is allowed, and refused while {was}", self._permitted(outcome)]
        refusing = [rule.id for _, rule in earlier.forbids]
        if refusing:
            words.append(
                f"{', '.join(refusing)} {'forbids' if len(refusing) == 1 else 'forbid'} it only then"
            )
        return self._example(". ".join(words) + ".", at, facts, outcome, (), before=before)

    def refused(self, rule: CheckedRule | None, lacks: str) -> CounterExample | None:
        """Show a question whose refusal lacks a sentence or a clause."""
        found = self._found()
        if found is None:
            return None
        at, (facts,), model = found
        outcome = self._outcome(facts, at)
        said = outcome.silence is not None and outcome.silence.rule == (
            rule.id if rule is not None else self.invariant.action
        )
        if not said and rule not in [one for _, one in outcome.forbids]:
            return None
        how = "because nothing permits it" if rule is None else f"by {rule.id}"
        words = f"{self._told(model)} is refused {how}, without a {lacks}."
        example = self._example(words, at, facts, outcome, ())
        return example if rule is None else self._placed(example, rule)

    # -- confirming ---------------------------------------------------------------------------------

    def _found(self) -> _Found | None:
        """Make the facts plain, and real at one instant."""
        model = plainest(self.solver, self.worlds)
        world = self.worlds[0]
        epoch = model.eval(world.epoch, model_completion=True).as_long()
        for at in instants(world.cut, epoch):
            facts = [facts_of(each, model, at) for each in self.worlds]
            known = [one for one in facts if one is not None]
            if len(known) == len(facts):
                return at, known, model
        return None

    def _outcome(self, facts: Mapping[str, Any], at: datetime) -> Outcome:
        """Decide as the service would."""
        action = self.invariant.action
        vector = self.policy.bucketed(action, facts, at)
        return combine(self.policy, action, vector, self.policy.matching(action, vector))

    def _broken(self, facts: Mapping[str, Any], at: datetime) -> bool:
        """Whether the invariant, compiled as the forbid that it is, matches the facts."""
        invariant = self.invariant
        if invariant.never is None:
            return False
        rule = CheckedRule(
            "invariants", invariant.id, Effect.FORBID, invariant.never, invariant.unless, invariant.because
        )
        pack = CheckedPack(
            "invariants", "", "", (invariant.action,), Layer.EVERYWHERE, applies=None, rules=(rule,)
        )
        program = make_program(invariant.action, self.policy.vocabulary.facts, [pack], {"invariants": [0]})
        return bool(program.matching(Bucketer(program.layout, at, self.policy.covered).vector(facts)))

    # -- words --------------------------------------------------------------------------------------

    def _told(self, model: Any) -> str:
        """Say what is asked and of whom."""
        world = self.worlds[0]
        asked, recorded = described(world, model, facts_in(self.invariant.conditions, world.cut.facts))
        named = subject_of(self.invariant.action) + (f" ({asked})" if asked else "")
        return f"{named} about somebody of whom is recorded: {recorded}," if recorded else named

    def _permitted(self, outcome: Outcome) -> str:
        return f"{' and '.join(rule.id for rule in outcome.permits)} permits it"

    def _let_through(self, model: Any, excepted: Iterable[CheckedRule]) -> list[str]:
        facts = self.policy.vocabulary.facts
        told = [
            f"{rule.id} lets it through by its exception: "
            f"{condition_sentence(_that_holds(self.worlds[0], model, rule.unless), facts)}"
            for rule in excepted
            if rule.unless is not None
        ]
        return told or ["No rule forbids it"]

    def _excepted(self, model: Any) -> tuple[CheckedRule, ...]:
        """The forbids that speak of what the invariant speaks of and let this through by their exceptions."""
        world = self.worlds[0]
        spoken = {leaf.fact for leaf in leaves(self.invariant.never)}
        return tuple(
            rule
            for pack in self.policy.program(self.invariant.action).packs
            for rule in pack.rules
            if rule.effect is Effect.FORBID
            and rule.unless is not None
            and spoken & {leaf.fact for leaf in leaves(rule.when)}
            and z3.is_true(model.eval(_but_for_the_exception(world, pack, rule), model_completion=True))
        )

    def _example(
        self,
        words: str,
        at: datetime,
        facts: Mapping[str, Any],
        outcome: Outcome,
        excepted: tuple[CheckedRule, ...],
        before: Mapping[str, Any] | None = None,
    ) -> CounterExample:
        invariant = self.invariant
        example = CounterExample(
            invariant=invariant.id,
            action=invariant.action,
            because=invariant.because,
            cites=invariant.cites,
            words=words,
            at=at,
            facts=facts,
            before=before,
            permits=tuple(rule.id for rule in outcome.permits),
            excepted=tuple(rule.id for rule in excepted),
        )
        guilty = [*excepted, *outcome.permits]
        return self._placed(example, guilty[0]) if guilty else example

    def _placed(self, example: CounterExample, rule: CheckedRule) -> CounterExample:
        """Say where the rule stands that lets it happen."""
        pack = next(pack for pack in self.policy.packs if pack.name == rule.pack)
        refused_by = "" if rule.id in (*example.permits, *example.excepted) else rule.id
        return example.at_rule(pack.file, rule.line, refused_by)


def _that_holds(world: World, model: Any, condition: Condition) -> Condition:
    """Narrow an exception to the alternative that holds."""
    if isinstance(condition, AnyOf):
        holding = (
            part
            for part in condition.parts
            if z3.is_true(model.eval(world.condition(part, False), model_completion=True))
        )
        return _that_holds(world, model, next(holding, condition.parts[0]))
    if isinstance(condition, AllOf):
        return AllOf(tuple(_that_holds(world, model, part) for part in condition.parts))
    return condition


def _but_for_the_exception(world: World, pack: CheckedPack, rule: CheckedRule) -> Condition | Any:
    """The formula that a forbid holds, its exception aside."""
    parts = [*world.dates(rule), world.condition(rule.when, True)]
    if pack.applies is not None:
        parts.append(world.condition(pack.applies, False))
    return z3.And(parts)
