"""From checked rules to Python: one function per action, whose text can be read.

The text is built from checked conditions only: names of facts become local variables, values are rendered
with `repr`. Doubt counts against acting: in the `when` of a forbid or an oblige an absent fact (None) meets
a comparison, elsewhere it does not; among several candidates (local time, weekday) one is enough there,
elsewhere all must agree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from governance.policy.conditions import AllOf, Condition, Leaf
from governance.policy.durations import Duration
from governance.policy.logic import breakpoints, leaves
from governance.policy.model import CheckedPack, CheckedRule, Effect, Fact, FactType

COUNTED = frozenset({FactType.INTEGER, FactType.COUNT})
REDUCED = COUNTED | {FactType.AGE, FactType.LOCAL_TIME, FactType.SET, FactType.WEEKDAY}
COVERED = "place.covered"


@dataclass(frozen=True, slots=True)
class Layout:
    """How facts stand in the vector of one action: their order, and the thresholds they are reduced to."""

    facts: Mapping[str, Fact]
    names: tuple[str, ...]
    ages: Mapping[str, tuple[Duration, ...]]
    numbers: Mapping[str, tuple[int, ...]]
    clocks: Mapping[str, tuple[int, ...]]
    dates: tuple[datetime, ...]
    positions: Mapping[str, int]
    reduced: tuple[tuple[int, str], ...]

    @property
    def covered(self) -> int | None:
        """Give the place of `place.covered` in the vector, None if no rule asks for it."""
        return self.positions.get(COVERED)

    def epoch(self, now: datetime) -> int:
        """Give the number of effective dates that have come at `now`."""
        return bisect_right(self.dates, now)


def midnight(day: date) -> datetime:
    """Give 00:00 UTC of a day."""
    return datetime.combine(day, time.min, UTC)


def rule_condition(pack: CheckedPack, rule: CheckedRule) -> Iterable[Condition]:
    """Give all conditions that a rule consists of."""
    return (one for one in (pack.applies, rule.when, rule.unless) if one is not None)


def lay_out(facts: Mapping[str, Fact], packs: Sequence[CheckedPack]) -> Layout:
    """Collect the facts, thresholds and dates of all rules of `packs` (already narrowed to one action)."""
    found: dict[str, list[Leaf]] = {}
    dates: set[datetime] = set()
    for pack in packs:
        for rule in pack.rules:
            for condition in rule_condition(pack, rule):
                for leaf in leaves(condition):
                    found.setdefault(leaf.fact, []).append(leaf)
            for name, _ in rule.finer_codes:
                found.setdefault(name, [])
            dates |= {
                midnight(day) for day in (rule.effective.since, rule.effective.until) if day is not None
            }
    # The vocabulary's order makes vectors readable and the same in every process.
    names = tuple(name for name in facts if name in found)
    ages: dict[str, tuple[Duration, ...]] = {}
    numbers: dict[str, tuple[int, ...]] = {}
    clocks: dict[str, tuple[int, ...]] = {}
    for name in names:
        points = breakpoints(found[name])
        if facts[name].type is FactType.AGE:
            ages[name] = tuple(point for point in points if isinstance(point, Duration))
        elif facts[name].type in COUNTED:
            numbers[name] = tuple(point for point in points if isinstance(point, int))
        elif facts[name].type is FactType.LOCAL_TIME:
            ends = {end for leaf in found[name] if isinstance(leaf.value, tuple) for end in leaf.value}
            clocks[name] = tuple(sorted(ends))
    return Layout(
        facts,
        names,
        ages,
        numbers,
        clocks,
        tuple(sorted(dates)),
        positions={name: place for place, name in enumerate(names)},
        reduced=tuple((place, name) for place, name in enumerate(names) if facts[name].type in REDUCED),
    )


def variable(name: str) -> str:
    """Give the local variable of a fact; the double underscore keeps it apart from every Python word."""
    return name.replace(".", "__")


def _values(values: Iterable[object], absent: bool = False) -> str:
    """Render a set literal in a fixed order."""
    parts = [repr(value) for value in sorted(values, key=str)] + (["None"] if absent else [])
    return "{" + ", ".join(parts) + "}"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes conditions over one layout as Python expressions."""

    layout: Layout

    def condition(self, condition: Condition, doubt: bool) -> str:
        """Render a condition; `doubt` says whether an absent fact meets a comparison."""
        if isinstance(condition, Leaf):
            return self._leaf(condition, doubt)
        joint = " and " if isinstance(condition, AllOf) else " or "
        return "(" + joint.join(self.condition(part, doubt) for part in condition.parts) + ")"

    def _leaf(self, leaf: Leaf, doubt: bool) -> str:
        """Render one comparison."""
        name = variable(leaf.fact)
        if leaf.op == "absent":
            return f"{name} is None"
        if leaf.op == "present":
            return f"{name} is not None"
        kind = self.layout.facts[leaf.fact].type
        if kind is FactType.BOOLEAN:
            return self._boolean(name, bool(leaf.value), doubt)
        if kind is FactType.AGE:
            return self._guarded(name, self._age(leaf, name), doubt)
        if kind in COUNTED:
            return self._guarded(name, self._number(leaf, name), doubt)
        if kind in (FactType.LOCAL_TIME, FactType.WEEKDAY):
            return self._guarded(name, self._candidates(leaf, name, doubt), doubt)
        if kind is FactType.SET:
            return self._guarded(name, self._set(leaf, name), doubt)
        if leaf.op == "is":
            return self._guarded(name, f"{name} == {leaf.value!r}", doubt, none_fails=True)
        values = leaf.value if isinstance(leaf.value, frozenset) else frozenset()
        if leaf.op == "in":
            return f"{name} in {_values(values, absent=doubt)}"
        return f"{name} not in {_values(values, absent=not doubt)}"

    def _guarded(self, name: str, text: str, doubt: bool, none_fails: bool = False) -> str:
        """Add what an absent fact means; `none_fails` says that None fails the comparison by itself."""
        if doubt:
            return f"({name} is None or {text})"
        return text if none_fails else f"({name} is not None and {text})"

    def _boolean(self, name: str, wanted: bool, doubt: bool) -> str:
        """Render a comparison of a boolean."""
        if wanted:
            return f"({name} is None or {name})" if doubt else name
        return f"not {name}" if doubt else f"({name} is not None and not {name})"

    def _age(self, leaf: Leaf, name: str) -> str:
        """Render an age: bit i of the bucket is set once the i-th threshold is reached."""
        bit = 1 << self.layout.ages[leaf.fact].index(leaf.value)
        return f"not {name} & {bit}" if leaf.op == "under" else f"{name} & {bit}"

    def _number(self, leaf: Leaf, name: str) -> str:
        """Render a number: its bucket is how many thresholds it has reached."""
        points = self.layout.numbers[leaf.fact]
        if leaf.op in ("under", "at_least"):
            place = points.index(leaf.value) + 1
            return f"{name} < {place}" if leaf.op == "under" else f"{name} >= {place}"
        wanted = leaf.value if isinstance(leaf.value, frozenset) else frozenset({leaf.value})
        places = _values(points.index(value) + 1 for value in wanted)
        return f"{name} not in {places}" if leaf.op == "not_in" else f"{name} in {places}"

    def _candidates(self, leaf: Leaf, name: str, doubt: bool) -> str:
        """Render a comparison of several candidates: some of them in doubt, all of them otherwise."""
        if isinstance(leaf.value, tuple):
            points = self.layout.clocks[leaf.fact]
            since, until = leaf.value
            inside: frozenset[object] = frozenset(
                place for place in range(len(points) + 1) if _is_inside(points, place, since, until)
            )
        else:
            inside = frozenset(leaf.value) if isinstance(leaf.value, frozenset) else frozenset({leaf.value})
        if leaf.op == "not_in":
            return f"not {name} <= {_values(inside)}" if doubt else f"{name}.isdisjoint({_values(inside)})"
        return f"not {name}.isdisjoint({_values(inside)})" if doubt else f"{name} <= {_values(inside)}"

    def _set(self, leaf: Leaf, name: str) -> str:
        """Render a comparison of a set: `is` and `in` want a common value, `not_in` none."""
        values = _values(leaf.value if isinstance(leaf.value, frozenset) else {leaf.value})
        return f"{name}.isdisjoint({values})" if leaf.op == "not_in" else f"not {name}.isdisjoint({values})"

    def dates(self, rule: CheckedRule) -> str:
        """Render the effective dates as a comparison of the epoch; empty if the rule has none."""
        parts: list[str] = []
        if rule.effective.since is not None:
            parts.append(f"epoch >= {self.layout.dates.index(midnight(rule.effective.since)) + 1}")
        if rule.effective.until is not None:
            parts.append(f"epoch < {self.layout.dates.index(midnight(rule.effective.until)) + 1}")
        return " and ".join(parts)

    def conjuncts(self, pack: CheckedPack, rule: CheckedRule, with_applies: bool = True) -> list[str]:
        """Render what must all hold for a rule to match, in the order in which it is written."""
        doubt = rule.effect is not Effect.PERMIT
        parts = rule.when.parts if isinstance(rule.when, AllOf) else (rule.when,)
        texts = [self.condition(part, doubt) for part in parts]
        if rule.unless is not None:
            texts.append(f"not {self.condition(rule.unless, False)}")
        if with_applies and pack.applies is not None:
            texts.insert(0, self.condition(pack.applies, False))
        dates = self.dates(rule)
        return [dates, *texts] if dates else texts


def _is_inside(points: tuple[int, ...], place: int, since: int, until: int) -> bool:
    """Say whether stretch `place` of the day lies in [since, until), which may wrap midnight."""
    minute = points[place - 1] if place else 0
    if place == 0 and points[0] == 0:
        return False  # No minute is before the first threshold.
    return since <= minute < until if since < until else minute >= since or minute < until


def matching_source(action: str, layout: Layout, packs: Sequence[tuple[CheckedPack, Sequence[int]]]) -> str:
    """Write the function from a vector to the ids of all matching rules; `packs` come with their ids."""
    writer = Writer(layout)
    lines = [
        f"def matching(vector):  # {action!r}",
        f"    ({''.join(variable(n) + ', ' for n in layout.names)}epoch,) = vector",
    ]
    lines += ["    hits = []", "    hit = hits.append"]
    for pack, ids in packs:
        indent = "    "
        lines.append(f"    # {pack.name!r}")
        if pack.applies is not None:
            lines.append(f"    if {writer.condition(pack.applies, False)}:")
            indent = "        "
        for number, rule in zip(ids, pack.rules, strict=True):
            test = " and ".join(writer.conjuncts(pack, rule, with_applies=False))
            lines.append(f"{indent}if {test}:")
            lines.append(f"{indent}    hit({number})  # {rule.id!r}")
        if not pack.rules:
            lines.append(f"{indent}pass")
    lines.append("    return tuple(hits)")
    return "\n".join(lines) + "\n"


def shortfall_source(layout: Layout, packs: Sequence[tuple[CheckedPack, Sequence[int]]]) -> str:
    """Write the function from a vector to (rule id, unmet conditions by number) of every permit."""
    writer = Writer(layout)
    lines = [
        "def shortfall(vector):",
        f"    ({''.join(variable(n) + ', ' for n in layout.names)}epoch,) = vector",
    ]
    lines.append("    found = []")
    for pack, ids in packs:
        for number, rule in zip(ids, pack.rules, strict=True):
            if rule.effect is Effect.PERMIT:
                tests = ", ".join(f"bool({text})" for text in writer.conjuncts(pack, rule))
                lines.append(f"    met = ({tests},)")
                lines.append(f"    found.append(({number}, tuple(i for i, ok in enumerate(met) if not ok)))")
    lines.append("    return found")
    return "\n".join(lines) + "\n"
