"""Reading conditions: `{fact: value}`, `{fact: {op: operand}}`, `any`, `all`, against the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import pycountry

from governance.policy.complaints import Complaints
from governance.policy.conditions import WEEKDAYS, AllOf, AnyOf, Condition, Leaf
from governance.policy.documents import Node
from governance.policy.durations import Duration, parse_duration
from governance.policy.model import Fact, FactType

_EXACT = ("absent", "present")
_CHOICE = ("in", "not_in")
_NUMBER = ("under", "at_least", *_CHOICE)
OPERATORS: Mapping[FactType, tuple[str, ...]] = {
    FactType.ENUM: _CHOICE,
    FactType.SET: _CHOICE,
    FactType.BOOLEAN: (),
    FactType.INTEGER: _NUMBER,
    FactType.COUNT: _NUMBER,
    FactType.AGE: ("under", "at_least"),
    FactType.LOCAL_TIME: ("between",),
    FactType.WEEKDAY: _CHOICE,
    FactType.COUNTRY: _CHOICE,
    FactType.REGION: _CHOICE,
    FactType.TEXT: _CHOICE,
}
_ALL_OPERATORS = ("in", "not_in", "under", "at_least", "between", "absent", "present")
# Types that a bare scalar may be compared with.
_SCALAR = frozenset(FactType) - {FactType.AGE, FactType.LOCAL_TIME}
CLOCK = re.compile(r"^([01][0-9]|2[0-3]):([0-5][0-9])$")
_DEEPEST = 12


@cache
def _countries() -> frozenset[str]:
    """Give all ISO 3166-1 alpha-2 codes."""
    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def _regions() -> frozenset[str]:
    """Give all ISO 3166-2 codes."""
    return frozenset(region.code for region in pycountry.subdivisions)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What conditions of one rule may speak of: facts of its gates, and named groups with their words."""

    facts: Mapping[str, Fact]
    groups: Mapping[str, frozenset[str]]
    desk: Complaints
    words: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def is_place(code: str) -> bool:
        """Say whether a text is a code of a country (ISO 3166-1) or of a region (ISO 3166-2)."""
        return code in _countries() or code in _regions()

    def condition(self, node: Node, what: str, depth: int = 1) -> Condition | None:
        """Read a condition; None after a complaint."""
        if depth > _DEEPEST:
            self.desk.add(node.line, f"{what} is nested deeper than {_DEEPEST} levels; write it more simply")
            return None
        if not isinstance(node.value, dict):
            self.desk.add(node.line, f"{what} must be a mapping of facts to values, or any/all of such")
            return None
        if not node.value:
            self.desk.add(node.line, f"{what} is empty, so it would always hold; name at least one fact")
            return None
        parts = [
            self._member(key, item, node.keys.get(key, item.line), what, depth)
            for key, item in node.value.items()
        ]
        known = tuple(part for part in parts if part is not None)
        if len(known) < len(parts):
            return None
        return known[0] if len(known) == 1 else AllOf(known)

    def _member(self, key: str, item: Node, line: int, what: str, depth: int) -> Condition | None:
        """Read one key of a condition: `any`, `all` or a fact."""
        if key not in ("any", "all"):
            return self._leaf(key, item, line)
        parts = [self.condition(one, what, depth + 1) for one in self.desk.items(item, f"'{key}'")]
        if not parts:
            self.desk.add(line, f"'{key}' is empty; list at least one condition")
            return None
        known = tuple(part for part in parts if part is not None)
        if len(known) < len(parts):
            return None
        return AnyOf(known) if key == "any" else AllOf(known)

    def _leaf(self, name: str, item: Node, line: int) -> Condition | None:
        """Read the comparison of one fact; several operators on it must all hold."""
        fact = self.facts.get(name)
        if fact is None:
            self.desk.unknown(line, "fact", name, self.facts)
            return None
        if not isinstance(item.value, dict):
            if fact.type not in _SCALAR:
                self.desk.add(line, f"'{name}' needs an operator: {' or '.join(OPERATORS[fact.type])}")
                return None
            value = self.scalar(fact, item)
            return None if value is None else Leaf(name, "is", value)
        if not item.value:
            self.desk.add(line, f"the condition on '{name}' is empty; write a value or an operator")
            return None
        leaves = [
            self._operator(fact, op, operand, item.keys.get(op, line)) for op, operand in item.value.items()
        ]
        known = tuple(leaf for leaf in leaves if leaf is not None)
        if len(known) < len(leaves):
            return None
        return known[0] if len(known) == 1 else AllOf(known)

    def _operator(self, fact: Fact, op: str, operand: Node, line: int) -> Leaf | None:
        """Read one operator with its operand."""
        allowed = OPERATORS[fact.type] + _EXACT
        if op not in _ALL_OPERATORS:
            self.desk.unknown(line, "operator", op, allowed)
            return None
        if op not in allowed:
            self.desk.add(
                line,
                f"'{fact.name}' is of type {fact.type}: '{op}' does not compare it; use {', '.join(allowed)}",
            )
            return None
        if op in _EXACT:
            if operand.value is not True:
                self.desk.add(line, f"'{op}' is written with true")
                return None
            return Leaf(fact.name, op, True)
        if op in _CHOICE:
            return self._choice(fact, op, operand, line)
        if op == "between":
            return self._between(fact, operand, line)
        return self._threshold(fact, op, operand, line)

    def _choice(self, fact: Fact, op: str, operand: Node, line: int) -> Leaf | None:
        """Read the list (or the name of a group) after `in` and `not_in`."""
        entries = operand.value if isinstance(operand.value, list) else [operand]
        if not entries:
            self.desk.add(line, f"'{op}' needs at least one value")
            return None
        chosen: set[str] = set()
        numbers: set[int] = set()
        words: list[str] = []
        for entry in entries:
            if isinstance(entry.value, str) and entry.value in self.groups:
                members = self.groups[entry.value]
                if any(not self._fits(fact, member) for member in members):
                    self.desk.add(line, f"the group '{entry.value}' does not hold values of '{fact.name}'")
                    return None
                chosen |= members
                words.append(self._group(entry.value))
                continue
            value = self.scalar(fact, entry)
            if value is None:
                return None
            words.append(str(value))
            if isinstance(value, int):
                numbers.add(value)
            else:
                chosen.add(value)
        return Leaf(fact.name, op, frozenset(numbers) if numbers else frozenset(chosen), tuple(words))

    def _group(self, name: str) -> str:
        """What a sentence calls a group; one that the vocabulary has no words for by its name."""
        plain = (
            f"one of the group {name.lower().replace('_', ' ')}" if "_" in name and name.isupper() else name
        )
        return self.words.get(name, plain)

    def _between(self, fact: Fact, operand: Node, line: int) -> Leaf | None:
        """Read `[from, until)` as minutes of the day; from after until wraps midnight."""
        ends = [
            CLOCK.match(item.value) if isinstance(item.value, str) else None
            for item in self.desk.items(operand, "'between'")
        ]
        if len(ends) != 2 or ends[0] is None or ends[1] is None:
            self.desk.add(line, '\'between\' needs two times of day such as ["21:00", "08:00"]')
            return None
        since, until = (int(end.group(1)) * 60 + int(end.group(2)) for end in ends if end is not None)
        if since == until:
            self.desk.add(line, "'between' needs two different times")
            return None
        return Leaf(fact.name, "between", (since, until))

    def _threshold(self, fact: Fact, op: str, operand: Node, line: int) -> Leaf | None:
        """Read the operand of `under` and `at_least`: a duration for an age, else a whole number."""
        value = operand.value
        if fact.type is not FactType.AGE:
            if isinstance(value, bool) or not isinstance(value, int):
                self.desk.add(line, f"'{op}' on '{fact.name}' needs a whole number")
                return None
            return Leaf(fact.name, op, value)
        if isinstance(value, int) and not isinstance(value, bool):
            self.desk.add(
                line, f"the age {value} has no unit; write for example '{value} months' or '{value} days'"
            )
            return None
        duration: Duration | None = parse_duration(value) if isinstance(value, str) else None
        if duration is None:
            self.desk.add(line, f"'{value}' is no age; write for example '24 months', '30 days' or '2 years'")
            return None
        return Leaf(fact.name, op, duration)

    def _fits(self, fact: Fact, value: object) -> bool:
        """Say whether a value belongs to the type of a fact."""
        if fact.type in (FactType.ENUM, FactType.SET):
            return value in fact.values
        if fact.type is FactType.BOOLEAN:
            return isinstance(value, bool)
        if fact.type in (FactType.INTEGER, FactType.COUNT):
            return isinstance(value, int) and not isinstance(value, bool)
        if fact.type is FactType.WEEKDAY:
            return value in WEEKDAYS
        if fact.type is FactType.COUNTRY:
            return value in _countries()
        if fact.type is FactType.REGION:
            return value in _regions()
        return isinstance(value, str) and bool(value)

    def scalar(self, fact: Fact, node: Node) -> str | int | bool | None:
        """Read a scalar of the type of `fact`; None after a complaint."""
        value = node.value
        if isinstance(value, (str, int)) and self._fits(fact, value):
            return value
        if isinstance(value, str) and value in self.groups:
            self.desk.add(node.line, f"'{value}' is a group; write '{fact.name}: {{in: {value}}}'")
        elif isinstance(value, str) and fact.values:
            self.desk.unknown(node.line, f"value of '{fact.name}':", value, fact.values)
        elif isinstance(value, str) and fact.type is FactType.COUNTRY:
            self.desk.add(
                node.line, f"'{value}' is no country code; write ISO 3166-1 alpha-2, for example DE"
            )
        elif isinstance(value, str) and fact.type is FactType.REGION:
            self.desk.add(node.line, f"'{value}' is no region code; write ISO 3166-2, for example US-CA")
        else:
            self.desk.add(node.line, f"'{node.plain()}' is not of type {fact.type}, which '{fact.name}' is")
        return None
