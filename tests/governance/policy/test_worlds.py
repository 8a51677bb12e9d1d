"""The formulas that proofs rest on say of every fact world what the compiled policy says."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
import z3
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.decisions.model import decide
from governance.policy import worlds
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.conditions import Leaf
from governance.policy.cuts import OTHER, Coverage, Cut, cut
from governance.policy.loader import check_documents, read_documents
from governance.policy.model import FactType
from governance.policy.worlds import Choice, World
from tests.governance.policy.test_differential import random_now, random_world

POLICIES = Path(__file__).parents[3] / "policies"
WORLDS = Path(__file__).parent / "worlds"
# Values that no rule names.
UNNAMED = {
    "person.country": "KZ",
    "contact_point.country": "KZ",
    "tenant.country": "KZ",
    "person.region": "DE-BY",
    "purpose.id": "a_purpose_of_our_own",
}
ACTIONS = ("communication.send", "lifecycle.transition", "data.transfer", "data.read", "data.use")


@dataclass(repr=False)
class Formulas:
    """All rules of an action as formulas, and a solver that knows what facts can be."""

    policy: CompiledPolicy
    action: str
    cut: Cut
    world: World
    solver: Any
    rules: dict[int, Any]
    allowed: Any

    @classmethod
    def of(cls, policy: CompiledPolicy, action: str, coverage: Coverage | None = None) -> "Formulas":
        packs = policy.program(action).packs
        parts = cut(policy.vocabulary.facts, packs, (), coverage or policy.coverage)
        world = World.new(z3.Context(), parts)
        solver = z3.SolverFor("QF_FD", ctx=world.ctx)
        solver.add(*world.limits)
        rules = matches(policy, action, world)
        return cls(policy, action, parts, world, solver, rules, world.allowed(packs))

    def difference(self, facts: Mapping[str, Any], now: datetime) -> str:
        """Say where formulas and compiled policy differ about facts; empty if they agree."""
        vector = self.policy.bucketed(self.action, facts, now)
        numbers = self.policy.matching(self.action, vector)
        # No facts may be left out of the space, and nothing may be left open by them.
        # Pushed and popped: as assumptions they would stay and make every world slower than the one before.
        self.solver.push()
        self.solver.add(*pins(self.world, facts, now))
        possible = self.solver.check() == z3.sat
        model = self.solver.model() if possible else None
        self.solver.pop()
        if model is None:
            return "the formulas hold these facts for impossible"
        got = {number for number, formula in self.rules.items() if z3.is_true(model.eval(formula))}
        if got != set(numbers):
            return f"rules differ: {sorted(self.policy.rules[one].id for one in got ^ set(numbers))}"
        allowed = z3.is_true(model.eval(self.allowed))
        expected = decide(self.policy, self.action, vector).allowed
        return "" if allowed == expected else "the answers differ"


def matches(policy: CompiledPolicy, action: str, world: World) -> dict[int, Any]:
    """Give the formula of every rule of an action by its number."""
    ruled = [(pack, rule) for pack in policy.packs for rule in pack.rules]
    assert [rule for _, rule in ruled] == list(policy.rules)
    return {
        number: world.matches(pack, rule)
        for number, (pack, rule) in enumerate(ruled)
        if action in pack.actions
    }


def pins(world: World, facts: Mapping[str, Any], now: datetime) -> Iterator[Any]:
    """Give the formulas that hold of these facts at `now`; how facts lie is reckoned here anew."""
    parts = world.cut
    yield world.epoch == sum(day <= now for day in parts.dates)
    for name in parts.names:
        if name == "place.covered":
            continue  # follows from others
        held, kind, value = world.held[name], parts.facts[name].type, facts.get(name)
        if value is None or (kind in (FactType.SET, FactType.WEEKDAY, FactType.LOCAL_TIME) and not value):
            yield held.absent
        elif isinstance(held, Choice):
            if name in parts.numbers:
                yield held.var == sum(point <= value for point in parts.numbers[name])
            else:
                values = parts.values[name]
                yield held.var == values.index(value if value in values else OTHER)
        else:
            yield z3.Not(held.absent)
            for bit, on in zip(held.bits, marks(parts, name, value, now), strict=True):
                yield bit if on else z3.Not(bit)


def marks(parts: Cut, name: str, value: Any, now: datetime) -> list[bool]:
    """Say which marks a fact has."""
    kind = parts.facts[name].type
    if kind is FactType.AGE:
        # Calendar arithmetic of another library.
        return [value + relativedelta(**{f"{age.unit}s": age.n}) <= now for age in parts.ages[name]]  # type: ignore[arg-type]
    if kind is FactType.LOCAL_TIME:
        stretches = pairwise([*parts.stretches(name), 24 * 60])
        return [any(since <= minute < end for minute in value) for since, end in stretches]
    values = parts.values[name]
    named = {one if one in values else OTHER for one in value}
    return [one in named for one in values]


@pytest.fixture(scope="module")
def policy() -> CompiledPolicy:
    # The pack of every type proves nothing, so it has no cases.
    return compile_policy(check_documents(read_documents(POLICIES, WORLDS), scrutinised=True, proven=False))


@pytest.fixture(scope="module")
def formulas(policy: CompiledPolicy) -> dict[str, Formulas]:
    return {action: Formulas.of(policy, action) for action in ACTIONS}


def permitted() -> dict[str, dict[str, Any]]:
    """Give facts that are permitted, by action: the first whole case of each room."""
    first = {
        room: yaml.safe_load((POLICIES / room / "whole.cases.yaml").read_text())["cases"][0]
        for room in ("communications", "access")
    }
    assert all(case["expect"]["allowed"] for case in first.values())
    # Where the pack of every type does not apply.
    send = {**first["communications"]["facts"], "person.country": "CA", "consent.status": "granted"}
    read = first["access"]["facts"]
    use = {**read, "use.compatibility": "same", "data.class": "none"}
    use.pop("data.field")
    return {"communication.send": send, "data.read": read, "data.use": use}


PERMITTED = permitted()


def some_world(chance: random.Random, action: str, policy: CompiledPolicy, now: datetime) -> dict[str, Any]:
    """Give facts: at random throughout, or those of something permitted with a few changed."""
    facts = random_world(chance, action, policy, now)
    if action in PERMITTED and chance.random() < 0.5:
        kept = {name: frozenset(v) if isinstance(v, list) else v for name, v in PERMITTED[action].items()}
        facts = kept | {name: facts[name] for name in chance.sample(sorted(facts), chance.randint(0, 4))}
    facts.pop("place.covered", None)
    return facts


def agree(found: Formulas, seed: int, count: int) -> Iterator[str]:
    """Give every difference in `count` random worlds."""
    chance = random.Random(seed)
    for _ in range(count):
        now = random_now(chance)
        facts = some_world(chance, found.action, found.policy, now)
        facts |= {name: value for name, value in UNNAMED.items() if name in facts and chance.random() < 0.2}
        difference = found.difference(facts, now)
        if difference:
            yield f"{difference}: {now} {facts}"


@pytest.mark.parametrize("action", ACTIONS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_formulas_and_compiled_policy_agree(action: str, seed: int, formulas: dict[str, Formulas]) -> None:
    assert list(agree(formulas[action], seed, 3)) == []


@pytest.mark.parametrize("action", ACTIONS)
def test_among_the_worlds_are_many_of_either_answer(action: str, policy: CompiledPolicy) -> None:
    chance = random.Random(20261129)
    allowed = 0
    for _ in range(400):
        now = random_now(chance)
        facts = some_world(chance, action, policy, now)
        allowed += decide(policy, action, policy.bucketed(action, facts, now)).allowed
    assert 5 <= allowed <= 300


@pytest.mark.full
@pytest.mark.parametrize("action", ACTIONS)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_formulas_and_compiled_policy_agree_long(
    action: str, seed: int, formulas: dict[str, Formulas]
) -> None:
    assert list(agree(formulas[action], seed, 20)) == []


def _no_doubt(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, leaf, doubt: original(self, leaf, False)


def _always_doubt(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, leaf, doubt: original(self, leaf, True)


def _no_dates(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, rule: original(self, rule)[:0]


def _all_inside(original: Callable[..., Any]) -> Callable[..., Any]:
    def inside(self: World, leaf: Leaf) -> list[bool]:
        # A stretch that wraps midnight is taken for one that does not.
        if isinstance(leaf.value, tuple) and leaf.value[0] > leaf.value[1]:
            leaf = Leaf(leaf.fact, leaf.op, (leaf.value[1], leaf.value[0]))
        return original(self, leaf)

    return inside


def _one_candidate(original: Callable[..., Any]) -> Callable[..., Any]:
    # That all candidates must agree is forgotten.
    return lambda self, leaf, held, doubt: original(self, leaf, held, True)


def _no_other(original: Callable[..., Any]) -> Callable[..., Any]:
    def chosen(self: World, leaf: Leaf, held: Choice) -> Any:
        if leaf.op == "not_in" and leaf.fact in self.cut.values:
            values = self.cut.values[leaf.fact]
            rest = [place for place, one in enumerate(values) if one not in leaf.value and one != OTHER]  # type: ignore[operator]
            return held.among(rest)
        return original(self, leaf, held)

    return chosen


@pytest.mark.parametrize(
    ("method", "bug"),
    [
        ("_leaf", _no_doubt),
        ("_leaf", _always_doubt),
        ("dates", _no_dates),
        ("_inside", _all_inside),
        ("_marked", _one_candidate),
        ("_chosen", _no_other),
    ],
    ids=["no-doubt", "always-doubt", "no-dates", "midnight", "one-candidate", "no-other-value"],
)
def test_a_bug_in_the_formulas_is_noticed(
    method: str, bug: Any, policy: CompiledPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, method, bug(getattr(World, method)))
    broken = Formulas.of(policy, "communication.send")
    assert next(agree(broken, 20261129, 120), None) is not None


def test_a_place_taken_for_covered_is_noticed(policy: CompiledPolicy) -> None:
    countries, inverse = policy.coverage["email"]
    broken = Formulas.of(policy, "communication.send", {**policy.coverage, "email": (countries, not inverse)})
    assert next(agree(broken, 20261129, 120), None) is not None


def test_an_order_of_ages_that_the_calendar_does_not_keep_is_noticed(
    policy: CompiledPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On 1 March a month has passed since 31 January, but not 30 days.
    now = datetime(2026, 3, 1, tzinfo=UTC)
    facts = {"custom.joined_age": datetime(2026, 1, 31, tzinfo=UTC)}
    assert Formulas.of(policy, "communication.send").difference(facts, now) == ""
    hours = "approximate_hours"
    monkeypatch.setattr(
        worlds, "never_longer", lambda one, other: getattr(one, hours) <= getattr(other, hours)
    )
    broken = Formulas.of(policy, "communication.send")
    assert broken.difference(facts, now) == "the formulas hold these facts for impossible"
