"""Reading `<pack>.cases.yaml`: questions with expected answers, beside the pack that they prove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from governance.policy.complaints import Complaints
from governance.policy.conditions import WEEKDAYS
from governance.policy.documents import Node
from governance.policy.durations import parse_duration
from governance.policy.grammar import CLOCK, Grammar
from governance.policy.model import Case, Fact, FactType, FactValue, Vocabulary

WHOLE = "whole"
_EXPECT = ("allowed", "forbids", "codes", "obligations", "permits")


@dataclass(frozen=True, slots=True)
class CaseReader:
    """Reads one file of cases; `facts` are those that the pack may speak of, with its own declarations."""

    facts: Mapping[str, Fact]
    vocabulary: Vocabulary
    desk: Complaints

    def read(self, tree: Node, action: str) -> tuple[Case, ...]:
        """Read all cases of a file."""
        members = self.desk.members(tree, "a file of cases", ("now", "action"), ("pack", "cases"))
        pack = self.desk.text(members.get("pack"), "pack")
        now = self._instant(members.get("now"))
        cases = [
            self._case(node, pack, action, now) for node in self.desk.items(members.get("cases"), "cases")
        ]
        if not cases:
            self.desk.add(tree.line, f"the pack '{pack}' has no cases; write at least one for each rule")
        return tuple(case for case in cases if case is not None)

    def _instant(self, node: Node | None) -> datetime | None:
        """Read an instant with offset."""
        if node is None:
            return None
        try:
            moment = datetime.fromisoformat(str(node.value))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.desk.add(node.line, f"'{node.value}' is no instant; write for example 2026-11-21T15:00:00Z")
            return None
        return moment.astimezone(UTC)

    def _case(self, node: Node, pack: str, action: str, now: datetime | None) -> Case | None:
        """Read one case."""
        members = self.desk.members(node, "a case", ("now",), ("name", "facts", "expect"))
        at = self._instant(members.get("now")) or now
        if at is None:
            self.desk.add(node.line, "the case has no time; give 'now' in the case or at the top of the file")
        facts: dict[str, FactValue] = {}
        for name, item in self.desk.mapping(members.get("facts"), "facts").items():
            fact = self.facts.get(name)
            if fact is None:
                self.desk.unknown(item.line, "fact", name, self.facts)
                continue
            facts[name] = None if item.value is None else self._value(fact, item)
        expect = self.desk.members(members["expect"], "expect", _EXPECT) if "expect" in members else {}
        if "expect" in members and not expect:
            self.desk.add(
                node.line, "the case expects nothing; write forbids, obligations, permits, codes or allowed"
            )
        if at is None:
            return None
        return Case(
            pack=pack,
            name=self.desk.text(members.get("name"), "name"),
            action=action,
            now=at,
            facts=facts,
            allowed=self.desk.flag(expect["allowed"], "allowed") if "allowed" in expect else None,
            forbids=self._codes(expect.get("forbids")),
            codes=self._codes(expect.get("codes")),
            obligations=self._obligations(expect.get("obligations")),
            permits=self.desk.texts(expect["permits"], "permits") if "permits" in expect else None,
            file=self.desk.file,
            line=node.line,
        )

    def _codes(self, node: Node | None) -> tuple[str, ...] | None:
        """Read expected codes; None if not expected."""
        return self._known(node, "code", self.vocabulary.codes)

    def _obligations(self, node: Node | None) -> tuple[str, ...] | None:
        """Read expected obligations; None if not expected."""
        return self._known(node, "obligation", self.vocabulary.obligations)

    def _known(self, node: Node | None, what: str, known: Mapping[str, str]) -> tuple[str, ...] | None:
        """Read a list of known names."""
        if node is None:
            return None
        found = self.desk.texts(node, f"expected {what}s")
        for name in found:
            if name not in known:
                self.desk.unknown(node.line, what, name, known)
        return found

    def _value(self, fact: Fact, node: Node) -> FactValue:
        """Read the value of a fact as a case writes it."""
        if fact.type is FactType.AGE:
            duration = parse_duration(node.value) if isinstance(node.value, str) else None
            if duration is not None:
                return duration
            if isinstance(node.value, str) and "T" in node.value:
                return self._instant(node)
            self.desk.add(
                node.line, f"'{node.plain()}' is no age; write for example '23 months' or an instant"
            )
            return None
        many = node.value if isinstance(node.value, list) else [node]
        if fact.type is FactType.LOCAL_TIME:
            times = [CLOCK.match(item.value) if isinstance(item.value, str) else None for item in many]
            if not times or None in times:
                self.desk.add(node.line, f"'{node.plain()}' is no time of day; write for example \"21:30\"")
            return tuple(int(one.group(1)) * 60 + int(one.group(2)) for one in times if one is not None)
        if fact.type is FactType.WEEKDAY:
            for item in many:
                if item.value not in WEEKDAYS:
                    self.desk.unknown(node.line, "weekday", str(item.value), WEEKDAYS)
            return tuple(str(item.value) for item in many)
        grammar = Grammar(self.facts, {}, self.desk)
        if fact.type is FactType.SET:
            return frozenset(str(grammar.scalar(fact, item)) for item in many)
        return grammar.scalar(fact, node)
