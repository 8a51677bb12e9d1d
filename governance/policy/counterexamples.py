"""A counter-example: the plainest question that breaks an invariant, found, checked and put into words.

What the solver gives is a pattern. It is made as plain as it can be, turned into facts at an instant, and
handed to the compiled policy, which must agree with it: a counter-example is never merely believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pycountry
import z3

from governance.clock import wire
from governance.policy.conditions import Leaf
from governance.policy.cuts import OTHER, Cut
from governance.policy.durations import Duration, cutoff, minus
from governance.policy.invariants import Invariant
from governance.policy.model import Fact, FactType, Problem
from governance.policy.sentences import condition_sentence
from governance.policy.worlds import Choice, World

_NO_DATES = datetime(2026, 11, 21, 15, tzinfo=UTC)
_DAYS = 1500
"""So many days from the beginning of an epoch are tried for an instant; all month ends are among them."""

_SUBJECTS = {
    "communication.send": "A message",
    "lifecycle.transition": "A move",
    "data.transfer": "A transfer",
    "data.read": "A reading of data",
    "data.use": "A use of data",
}


@dataclass(frozen=True, slots=True)
class CounterExample:
    """A question that a policy answers in a way in which no policy may.

    `facts` are given as they would be decided on, ages as instants; absent ones are left out. `before` are
    the facts of the twin that is refused (invariants of the kind `no_help` only). `permits` let it pass;
    `excepted` are forbids that would have stopped it but for their exceptions; `refused_by` is the rule whose
    refusal says too little. `file` and `line` (0 if unknown) are where to look. `found` is False where the
    invariant could not be proved, which is refused as well.
    """

    invariant: str
    action: str
    because: str
    cites: tuple[str, ...]
    words: str
    at: datetime | None = None
    facts: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None
    permits: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    refused_by: str = ""
    file: str = "invariants.yaml"
    line: int = 0
    found: bool = True

    def __str__(self) -> str:
        """Give the counter-example in words, with the invariant that it breaks and its clause."""
        return (
            f"{self.words} No policy may do that ({self.invariant}): {self.because} [{', '.join(self.cites)}]"
        )

    def at_rule(self, file: str, line: int, refused_by: str = "") -> CounterExample:
        """Give the same with the place of the rule that lets it happen."""
        return replace(self, file=file, line=line, refused_by=refused_by)

    def problem(self) -> Problem:
        """Give the counter-example as a complaint about the rule that lets it happen."""
        return Problem(self.file, self.line, str(self))

    def document(self) -> dict[str, Any]:
        """Give the counter-example as JSON: instants as text, sets as sorted lists."""
        return {
            "invariant": self.invariant,
            "action": self.action,
            "because": self.because,
            "cites": list(self.cites),
            "words": self.words,
            "sentence": str(self),
            "proved_wrong": self.found,
            "at": None if self.at is None else wire(self.at),
            "facts": None if self.facts is None else _plain(self.facts),
            "before": None if self.before is None else _plain(self.before),
            "permits": list(self.permits),
            "excepted": list(self.excepted),
            "refused_by": self.refused_by or None,
            "file": self.file,
            "line": self.line,
        }


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in facts.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return wire(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [f"{one // 60:02}:{one % 60:02}" if isinstance(one, int) else one for one in value]
    return value


def unproved(invariant: Invariant, why: str) -> CounterExample:
    """Give the refusal of what could not be proved."""
    words = f"It could not be proved for {invariant.action} that this never happens: {why}."
    return CounterExample(
        invariant.id, invariant.action, invariant.because, invariant.cites, words, found=False
    )


def subject_of(action: str) -> str:
    """Say what an action is about, for the beginning of a sentence."""
    return _SUBJECTS.get(action, "A question")


# -- the plainest one -------------------------------------------------------------------------------


def plainest(solver: Any, worlds: Sequence[World]) -> Any:
    """Give a model in which facts, in the vocabulary's order, have their plainest possible values."""
    model = solver.model()
    chosen: list[Any] = []
    for world in worlds:
        for name in world.cut.names:
            for wish in _wishes(world, name):
                if not z3.is_true(model.eval(wish, model_completion=True)):
                    if solver.check(*chosen, wish) != z3.sat:
                        continue
                    model = solver.model()
                chosen.append(wish)
                break
    latest = worlds[0].epoch == len(worlds[0].cut.dates)
    return solver.model() if solver.check(*chosen, latest) == z3.sat else model


def _wishes(world: World, name: str) -> Iterator[Any]:
    """Give the values of a fact from the plainest to the next best, as formulas.

    Plain is what is not so, or not there; what the service always knows is there.
    """
    held = world.held[name]
    always_known = not world.cut.facts[name].may_be_absent
    if isinstance(held, Choice):
        values = world.cut.values.get(name, ())
        if "none" in values:
            yield held.var == values.index("none")
        if values == (False, True):
            yield held.var == 0
        if not always_known:
            yield held.absent
        for place in range(held.count):
            yield held.var == place
    else:
        if not always_known:
            yield held.absent
        for bit in held.bits:
            yield z3.And(bit, *(z3.Not(other) for other in held.bits if other is not bit))
        yield z3.Not(z3.Or(*held.bits)) if held.bits else z3.BoolVal(True, world.ctx)


# -- from a model to facts --------------------------------------------------------------------------


def instants(cut: Cut, epoch: int) -> Iterator[datetime]:
    """Give instants of an epoch: noon of its first day and of many days after it."""
    dates = cut.dates
    if not dates:
        first, end = _NO_DATES, None
    elif epoch == 0:
        first, end = dates[0] - timedelta(days=_DAYS, hours=-12), dates[0]
    else:
        first, end = dates[epoch - 1] + timedelta(hours=12), dates[epoch] if epoch < len(dates) else None
    for day in range(_DAYS):
        now = first + timedelta(days=day)
        if end is not None and now >= end:
            return
        yield now


def facts_of(world: World, model: Any, now: datetime) -> dict[str, Any] | None:
    """Turn a model into facts at an instant; None if no anchor has the ages that the model asks for."""
    cut, facts = world.cut, dict[str, Any]()
    for name in cut.names:
        held, fact = world.held[name], cut.facts[name]
        if z3.is_true(model.eval(held.absent, model_completion=True)):
            continue
        if isinstance(held, Choice):
            place = model.eval(held.var, model_completion=True).as_long()
            points = cut.numbers.get(name)
            if points is None:
                facts[name] = _named(fact, cut.values[name], place)
            else:
                facts[name] = points[place - 1] if place else points[0] - 1 if points else 0
            continue
        marks = [z3.is_true(model.eval(bit, model_completion=True)) for bit in held.bits]
        if fact.type is FactType.AGE:
            anchor = anchored(cut.ages[name], marks, now)
            if anchor is None:
                return None
            facts[name] = anchor
        elif fact.type is FactType.LOCAL_TIME:
            facts[name] = tuple(m for m, on in zip(cut.stretches(name), marks, strict=True) if on)
        else:
            named = [_named(fact, cut.values[name], place) for place, on in enumerate(marks) if on]
            facts[name] = tuple(named) if fact.type is FactType.WEEKDAY else frozenset(named)
    return facts


def _named(fact: Fact, values: tuple[Any, ...], place: int) -> Any:
    """Give the value at a place; for any other one an example that no condition names."""
    value = values[place]
    if value != OTHER:
        return value
    if fact.type is FactType.COUNTRY:
        codes = sorted(country.alpha_2 for country in pycountry.countries)
    elif fact.type is FactType.REGION:
        codes = sorted(region.code for region in pycountry.subdivisions)
    else:
        codes = ["something_else", "something_else_again"]
    return next((code for code in codes if code not in values), OTHER)


def anchored(durations: Sequence[Duration], reached: Sequence[bool], now: datetime) -> datetime | None:
    """Give an instant from which exactly these ages are reached at `now`; None if none was found."""
    cutoffs = [cutoff(duration, now) for duration in durations]
    day = timedelta(days=1)
    tried = [now - day, now, *(now - n * day for n in (10, 100))]
    for duration in durations:
        edge = minus(now, duration)
        tried += [edge - n * day for n in (5, 1, 0, 2, 3, 4)]
        tried += [edge + timedelta(microseconds=1), *(edge + n * day for n in (1, 2, 3, 4))]
    for anchor in tried:
        if all(each.reached(anchor) == wanted for each, wanted in zip(cutoffs, reached, strict=True)):
            return anchor
    return None


# -- words ------------------------------------------------------------------------------------------


def described(
    world: World, model: Any, said: Iterable[str], only: Iterable[str] | None = None
) -> tuple[str, str]:
    """Say what is asked and what is recorded: all that is not plain, and the facts in `said` in any case.

    `only` narrows what is spoken of.
    """
    asked: list[str] = []
    recorded: list[str] = []
    wanted = set(said)
    names = set(world.cut.names if only is None else only)
    for name in world.cut.names:
        if name not in names:
            continue
        sentence = _fact_sentence(world, model, name, name in wanted)
        if sentence:
            (asked if world.cut.facts[name].supplied_by == "request" else recorded).append(sentence)
    return "; ".join(asked), "; ".join(recorded)


def _fact_sentence(world: World, model: Any, name: str, always: bool) -> str:
    """Say the value of one fact; empty if it is plain and need not be said."""
    held, fact = world.held[name], world.cut.facts[name]
    facts = {name: fact}

    def say(leaf: Leaf) -> str:
        return condition_sentence(leaf, facts)

    if z3.is_true(model.eval(held.absent, model_completion=True)):
        return say(Leaf(name, "absent", True)) if always else ""
    if isinstance(held, Choice):
        place = model.eval(held.var, model_completion=True).as_long()
        points = world.cut.numbers.get(name)
        if points is not None:
            leaf = Leaf(name, "at_least", points[place - 1]) if place else Leaf(name, "under", points[0])
            return say(leaf)
        value = world.cut.values[name][place]
        if value in (False, "none") and not always:
            return ""
        return f"{fact.says} is one that no rule names" if value == OTHER else say(Leaf(name, "is", value))
    marks = [z3.is_true(model.eval(bit, model_completion=True)) for bit in held.bits]
    if fact.type is FactType.AGE:
        ages = world.cut.ages[name]
        bounds = [f"at least {age}" for age, on in zip(ages, marks, strict=True) if on][-1:]
        bounds += [f"less than {age}" for age, on in zip(ages, marks, strict=True) if not on][:1]
        return f"{fact.says} is {' and '.join(bounds)} ago"
    if fact.type is FactType.LOCAL_TIME:
        minutes = [m for m, on in zip(world.cut.stretches(name), marks, strict=True) if on]
        return f"{fact.says} is {' or '.join(f'{minute // 60:02}:{minute % 60:02}' for minute in minutes)}"
    named = [str(value) for value, on in zip(world.cut.values[name], marks, strict=True) if on]
    return f"{fact.says} is {' and '.join(named)}"
