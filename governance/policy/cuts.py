"""What conditions can tell apart, fact by fact: the finite space in which a policy is proved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.policy.codegen import COUNTED, COVERED, midnight, rule_condition
from governance.policy.conditions import WEEKDAYS, Condition, Leaf
from governance.policy.durations import Duration
from governance.policy.logic import breakpoints, leaves
from governance.policy.model import CheckedPack, Fact, FactType

OTHER = "(any other)"
"""Stands for every value that no condition names."""

Coverage = Mapping[str, tuple[frozenset[str], bool]]
"""Channel -> countries with a full answer, or (exceptions, True)."""

_PLACES = ("person.country", "message.channel", "contact_point.country")


@dataclass(frozen=True, slots=True)
class Cut:
    """The parts into which facts are cut.

    `values`: of a fact with one value (or a set of values, weekdays) all that can be told apart, `OTHER`
    included. `ages`, `numbers`, `clocks`: sorted thresholds; a clock's are minutes of the day. `dates`: the
    instants at which rules begin or end.
    """

    facts: Mapping[str, Fact]
    names: tuple[str, ...]
    values: Mapping[str, tuple[Any, ...]]
    ages: Mapping[str, tuple[Duration, ...]]
    numbers: Mapping[str, tuple[int, ...]]
    clocks: Mapping[str, tuple[int, ...]]
    dates: tuple[datetime, ...]
    coverage: Coverage

    def stretches(self, name: str) -> tuple[int, ...]:
        """Give the first minute of each stretch of the day between the thresholds of a clock."""
        points = self.clocks[name]
        return points if points and points[0] == 0 else (0, *points)


def cut(
    facts: Mapping[str, Fact],
    packs: Sequence[CheckedPack],
    others: Iterable[Condition],
    coverage: Coverage,
) -> Cut:
    """Cut the facts that the rules of `packs` (narrowed to one action) and `others` speak of."""
    found: dict[str, list[Leaf]] = {}
    dates: set[datetime] = set()
    conditions = [*others]
    for pack in packs:
        for rule in pack.rules:
            conditions += rule_condition(pack, rule)
            ends = (rule.effective.since, rule.effective.until)
            dates |= {midnight(day) for day in ends if day is not None}
    for condition in conditions:
        for leaf in leaves(condition):
            found.setdefault(leaf.fact, []).append(leaf)
    if COVERED in found:
        for name in _PLACES:
            found.setdefault(name, [])
    countries = {country for named, _ in coverage.values() for country in named}
    values: dict[str, tuple[Any, ...]] = {}
    ages: dict[str, tuple[Duration, ...]] = {}
    numbers: dict[str, tuple[int, ...]] = {}
    clocks: dict[str, tuple[int, ...]] = {}
    # The vocabulary's order makes proofs and counter-examples the same in every process.
    names = tuple(name for name in facts if name in found)
    for name in names:
        fact, said = facts[name], found[name]
        points = breakpoints(said)
        if fact.type is FactType.AGE:
            ages[name] = tuple(point for point in points if isinstance(point, Duration))
        elif fact.type in COUNTED:
            numbers[name] = tuple(point for point in points if isinstance(point, int))
        elif fact.type is FactType.LOCAL_TIME:
            times = [leaf.value for leaf in said if isinstance(leaf.value, tuple)]
            clocks[name] = tuple(sorted({end for time in times for end in time}))
        else:
            values[name] = _values(fact, said, countries)
    return Cut(facts, names, values, ages, numbers, clocks, tuple(sorted(dates)), coverage)


def _values(fact: Fact, said: Iterable[Leaf], countries: set[str]) -> tuple[Any, ...]:
    """Give the values of a fact that can be told apart, in a fixed order."""
    if fact.type is FactType.BOOLEAN:
        return (False, True)
    if fact.type is FactType.WEEKDAY:
        return WEEKDAYS
    if fact.values:
        return (*fact.values, OTHER) if fact.is_open else fact.values
    named: set[Any] = set(countries) if fact.type is FactType.COUNTRY else set()
    for leaf in said:
        if leaf.op not in ("absent", "present"):
            named |= leaf.value if isinstance(leaf.value, frozenset) else {leaf.value}
    return (*sorted(named), OTHER)
