"""What follows from conditions alone: contradictions, rules made idle by another, permits for everything.

Every fact is cut into *atoms*: the values and the stretches between thresholds that rules can tell apart,
one for any other value, and ABSENT. A leaf is then a set of atoms, a condition a list of clauses (fact ->
set of atoms).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

from governance.policy.conditions import WEEKDAYS, AllOf, AnyOf, Condition, Leaf
from governance.policy.durations import Duration
from governance.policy.model import CheckedRule, Effect, Fact, FactType

ABSENT = "(absent)"
_OTHER = "(other)"
_MOST_CLAUSES = 2000

Atoms: TypeAlias = frozenset[object]
Clause: TypeAlias = dict[str, Atoms]

# Facts with several candidate values at once: two different comparisons of them never exclude each other.
_MANY = frozenset({FactType.SET, FactType.LOCAL_TIME, FactType.WEEKDAY})
_ORDERED = frozenset({FactType.AGE, FactType.INTEGER, FactType.COUNT})


def leaves(condition: Condition | None) -> Iterable[Leaf]:
    """Give all comparisons in a condition."""
    if isinstance(condition, Leaf):
        yield condition
    elif condition is not None:
        for part in condition.parts:
            yield from leaves(part)


def both(first: Condition | None, second: Condition) -> Condition:
    """Give the conjunction of two conditions, the first of which may be missing."""
    return second if first is None else AllOf((first, second))


def breakpoints(of: Iterable[Leaf]) -> list[int | Duration]:
    """Give the sorted thresholds of comparisons of one ordered fact."""
    points: set[int | Duration] = set()
    for leaf in of:
        if leaf.op in ("under", "at_least") and isinstance(leaf.value, (int, Duration)):
            points.add(leaf.value)
        elif isinstance(leaf.value, int) and not isinstance(leaf.value, bool):
            points |= {leaf.value, leaf.value + 1}
        elif isinstance(leaf.value, frozenset):
            points |= {number + more for number in leaf.value if isinstance(number, int) for more in (0, 1)}
    return sorted(points, key=lambda one: one.approximate_hours if isinstance(one, Duration) else one)


@dataclass(frozen=True, slots=True)
class Logic:
    """The atoms of a set of conditions over known facts."""

    facts: Mapping[str, Fact]
    mentioned: Mapping[str, tuple[Leaf, ...]]
    # Of each fact once: they are asked for with every comparison of every pair of rules.
    _points: dict[str, list[int | Duration]] = field(default_factory=dict, compare=False, repr=False)
    _domains: dict[str, Atoms] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[tuple[int, bool], tuple[Condition, list[Clause] | None]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def over(cls, facts: Mapping[str, Fact], conditions: Iterable[Condition | None]) -> Logic:
        """Cut the facts that `conditions` mention into atoms."""
        mentioned: dict[str, list[Leaf]] = {}
        for condition in conditions:
            for leaf in leaves(condition):
                mentioned.setdefault(leaf.fact, []).append(leaf)
        return cls(facts, {name: tuple(found) for name, found in mentioned.items()})

    def points(self, name: str) -> list[int | Duration]:
        """Give the sorted thresholds of an ordered fact."""
        found = self._points.get(name)
        if found is None:
            found = self._points[name] = breakpoints(self.mentioned[name])
        return found

    def domain(self, name: str) -> Atoms:
        """Give all atoms of a fact but ABSENT."""
        found = self._domains.get(name)
        if found is None:
            found = self._domains[name] = self._domain(name)
        return found

    def _domain(self, name: str) -> Atoms:
        fact = self.facts[name]
        if fact.type in _ORDERED:
            return frozenset(range(len(self.points(name)) + 1))
        if fact.type is FactType.BOOLEAN:
            return frozenset({True, False})
        if fact.type is FactType.WEEKDAY:
            return frozenset(WEEKDAYS)
        named: set[object] = set(fact.values)
        if not fact.values:
            for leaf in self.mentioned[name]:
                named |= leaf.value if isinstance(leaf.value, frozenset) else {leaf.value}
        return frozenset(named if fact.values and not fact.is_open else named | {_OTHER})

    def atoms(self, leaf: Leaf) -> Atoms:
        """Give the atoms that meet a comparison, ABSENT aside."""
        fact = self.facts[leaf.fact]
        domain = self.domain(leaf.fact)
        if leaf.op == "present":
            return domain
        if fact.type in _ORDERED:
            points = self.points(leaf.fact)
            if leaf.op == "under":
                return frozenset(range(points.index(leaf.value) + 1))  # type: ignore[arg-type]
            if leaf.op == "at_least":
                return domain - frozenset(range(points.index(leaf.value) + 1))  # type: ignore[arg-type]
            wanted = leaf.value if isinstance(leaf.value, frozenset) else frozenset({leaf.value})
            chosen = frozenset(points.index(one) + 1 for one in wanted)  # type: ignore[arg-type]
            return domain - chosen if leaf.op == "not_in" else chosen
        if leaf.op == "not_in" and isinstance(leaf.value, frozenset):
            return domain - leaf.value
        return leaf.value if isinstance(leaf.value, frozenset) else frozenset({leaf.value})

    def _constraint(self, leaf: Leaf, absent_meets: bool) -> tuple[str, Atoms]:
        """Give key and atoms of one comparison; facts with several candidates get a key per comparison."""
        if leaf.op == "absent":
            return leaf.fact, frozenset({ABSENT})
        if self.facts[leaf.fact].type in _MANY and leaf.op != "present":
            held: Atoms = frozenset({(leaf.op, leaf.value)})
            return f"{leaf.fact} {leaf.op} {leaf.value}", held | {ABSENT} if absent_meets else held
        atoms = self.atoms(leaf)
        return leaf.fact, atoms | {ABSENT} if absent_meets and leaf.op != "present" else atoms

    def clauses(self, condition: Condition, absent_meets: bool = False) -> list[Clause] | None:
        """Give the satisfiable clauses of a condition, or None if there are too many to look at."""
        # By identity, with the condition kept, so that no other can take its place: hashing one costs more.
        key = (id(condition), absent_meets)
        if key not in self._known:
            self._known[key] = (condition, self._clauses(condition, absent_meets))
        return self._known[key][1]

    def _clauses(self, condition: Condition, absent_meets: bool) -> list[Clause] | None:
        if isinstance(condition, Leaf):
            key, atoms = self._constraint(condition, absent_meets)
            return [{key: atoms}] if atoms else []
        parts = [self.clauses(part, absent_meets) for part in condition.parts]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if isinstance(condition, AnyOf):
            return [clause for part in known for clause in part]
        size = 1
        for part in known:
            size *= len(part)
        if size > _MOST_CLAUSES:
            return None
        return [merged for chosen in product(*known) if (merged := _merge(chosen)) is not None]

    def within(self, inner: list[Clause] | None, outer: list[Clause] | None) -> bool:
        """Say whether every inner clause lies within some outer clause (False if not known)."""
        if inner is None or outer is None:
            return False
        return all(any(_inside(clause, wider) for wider in outer) for clause in inner)

    def never_applies(self, condition: Condition, unless: Condition | None) -> bool:
        """Say whether a condition contradicts itself, or its exception swallows all of it."""
        found = self.clauses(condition)
        if found is None:
            return False
        if not found:
            return True
        return unless is not None and self.within(found, self.clauses(unless))

    def always_holds(self, condition: Condition) -> bool:
        """Say whether a condition holds for every value of its facts."""
        found = self.clauses(condition)
        if not found:
            return False
        if any(all(self._is_everything(key, atoms) for key, atoms in clause.items()) for clause in found):
            return True
        keys = {key for clause in found for key in clause}
        if len(keys) != 1:
            return False
        key = keys.pop()
        return self._is_everything(key, frozenset().union(*(clause[key] for clause in found)))

    def _is_everything(self, key: str, atoms: Atoms) -> bool:
        """Say whether atoms make up the whole domain of a fact."""
        return key in self.facts and self.domain(key) <= atoms

    def reach(self, applies: Condition | None, rule: CheckedRule) -> list[Clause] | None:
        """Give the clauses under which a rule of a pack matches, exceptions aside; None if too many.

        As in matching, doubt counts for forbids and obligations, and against `applies` and permits.
        """
        inner = self.clauses(rule.when, rule.effect is not Effect.PERMIT)
        if applies is None or inner is None:
            return inner
        outer = self.clauses(applies)
        if outer is None or len(inner) * len(outer) > _MOST_CLAUSES:
            return None
        return [merged for chosen in product(inner, outer) if (merged := _merge(chosen)) is not None]

    def apart(self, clauses: list[Clause] | None, condition: Condition) -> bool:
        """Say whether nothing that meets the clauses meets the condition (False if not known)."""
        others = self.clauses(condition)
        if clauses is None or others is None:
            return False
        return all(_merge(chosen) is None for chosen in product(clauses, others))

    def idles(self, rule: CheckedRule, other: CheckedRule) -> bool:
        """Say whether `rule` says nothing that `other` does not always say as well."""
        if rule.effect is not other.effect:
            return False
        if not says_as_much(other, rule):
            return False
        doubt = rule.effect is not Effect.PERMIT
        if not self.within(self.clauses(rule.when, doubt), self.clauses(other.when, doubt)):
            return False
        if other.unless is None:
            return True
        return rule.unless is not None and self.within(self.clauses(other.unless), self.clauses(rule.unless))


def _merge(chosen: Iterable[Clause]) -> Clause | None:
    """Give the conjunction of clauses, None if they contradict each other."""
    merged: Clause = {}
    for clause in chosen:
        for key, atoms in clause.items():
            held = merged.get(key, atoms) & atoms
            if not held:
                return None
            merged[key] = held
    return merged


def _inside(clause: Clause, wider: Clause) -> bool:
    """Say whether whatever meets `clause` meets `wider`."""
    return all(key in clause and clause[key] <= atoms for key, atoms in wider.items())


def says_as_much(other: CheckedRule, rule: CheckedRule) -> bool:
    """Say whether `other` gives the codes and obligations that `rule` gives, and at all of its dates."""
    same_words = rule.code == other.code and rule.finer_codes == other.finer_codes
    return same_words and set(rule.obligations) <= set(other.obligations) and spans(other, rule)


def spans(wide: CheckedRule, narrow: CheckedRule) -> bool:
    """Say whether the dates of `wide` enclose those of `narrow`."""
    since = wide.effective.since is None or (
        narrow.effective.since is not None and wide.effective.since <= narrow.effective.since
    )
    until = wide.effective.until is None or (
        narrow.effective.until is not None and narrow.effective.until <= wide.effective.until
    )
    return since and until
