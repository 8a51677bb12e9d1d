"""Reading retention schedules: every complaint with its line and the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from governance.policy.complaints import Complaints
from governance.policy.documents import Node
from governance.policy.durations import Duration, parse_duration
from governance.policy.grammar import Grammar
from governance.policy.model import Source, Vocabulary
from governance.policy.rules import RuleReader
from governance.policy.schedules import (
    CLOCKS,
    PHASES,
    ROUNDINGS,
    STATES,
    Demand,
    Phase,
    Schedule,
    ScheduleRule,
    Then,
)

FOLDER = "retention"
_YEAR_END = re.compile(r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")
DATA_CLASS = "record.data_class"
_SCOPES: Mapping[str, str] = {
    "data_classes": DATA_CLASS,
    "purposes": "purpose.id",
    "stages": "stage.relationship",
}
_ONE: Mapping[str, str] = {"data_classes": "data class", "purposes": "purpose", "stages": "stage"}
_RULE = (
    "keep",
    "delete",
    "from",
    "to_end_of",
    "data_classes",
    "purposes",
    "stages",
    "places",
    "systems",
    "then",
    "cites",
    "source",
    "verified",
    "reviewed",
    "review_by",
    "effective",
)


@dataclass(frozen=True, slots=True)
class ScheduleReader:
    """Reads one file of the folder `retention`."""

    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    desk: Complaints

    def read(self, tree: Node) -> Schedule:
        """Read a `schedule:` file; complaints go to the desk."""
        members = self.desk.members(
            tree,
            "a schedule",
            ("places", "phases"),
            ("schedule", "title", "owner", "reviewed", "review_by", "rules"),
        )
        name = self.desk.name(members.get("schedule"), "schedule name")
        places = self.places(members.get("places"), "places")
        dates = (self.date(members.get("reviewed")), self.date(members.get("review_by")))
        rules = [
            self._rule(name, places, dates, node) for node in self.desk.items(members.get("rules"), "rules")
        ]
        if not rules:
            self.desk.add(tree.line, f"the schedule '{name}' has no rules")
        found = tuple(rule for rule in rules if rule is not None)
        self._check_ids(found)
        return Schedule(
            name=name,
            title=self.desk.text(members.get("title"), "title", name),
            file=self.desk.file,
            places=places,
            owner=self.desk.text(members.get("owner"), "owner"),
            rules=found,
            phases=self._phases(members.get("phases")),
        )

    def _rule(
        self, schedule: str, places: frozenset[str], dates: tuple[date | None, date | None], node: Node
    ) -> ScheduleRule | None:
        """Read one rule; None after a complaint."""
        before = len(self.desk.found)
        members = self.desk.members(node, "a rule", _RULE, ("id", "binding", "because"))
        name = self.desk.name(members.get("id"), "id")
        demand, period, during = self._demand(members, node, name)
        clock = self.one_of(members.get("from"), "clock", CLOCKS)
        self._check_clock(node, name, period, during, clock)
        shared = RuleReader(
            schedule, self.vocabulary, self.sources, Grammar({}, {}, self.desk), self.desk, False
        )
        source = shared.known_sources(members.get("source"), node.line)
        reviewed = self.date(members.get("reviewed")) or dates[0]
        review_by = self.date(members.get("review_by")) or dates[1]
        if reviewed and review_by and review_by <= reviewed:
            self.desk.add(node.line, f"'{name}' must be reviewed again after it was reviewed")
        binding = self.desk.flag(members.get("binding"), "binding")
        cites = self.desk.texts(members.get("cites"), f"'cites' of '{name}'")
        if binding and not (cites and source):
            self.desk.add(
                node.line, f"'{name}' binds, so it needs 'cites' and 'source'; else say binding: false"
            )
        effective = shared.effective(members.get("effective"))
        then = self.one_of(members.get("then"), "word after 'then'", tuple(Then))
        if demand is None or reviewed is None or review_by is None or len(self.desk.found) > before:
            return None
        return ScheduleRule(
            schedule=schedule,
            id=f"{schedule}.{name}",
            demand=demand,
            data_classes=self._scope(members, "data_classes"),
            purposes=self._scope(members, "purposes"),
            stages=self._scope(members, "stages"),
            places=self.places(members["places"], "places") if "places" in members else places,
            systems=frozenset(self.desk.texts(members.get("systems"), "systems")),
            clock=clock,
            rounding=self._rounding(members.get("to_end_of")),
            period=period,
            during=during,
            then=Then(then) if then else (Then.DELETE if demand is Demand.DELETE else None),
            binding=binding,
            verified=shared.verified(members.get("verified"), source, node.line),
            because=self.desk.text(members.get("because"), f"'because' of '{name}'"),
            cites=cites,
            source=source,
            reviewed=reviewed,
            review_by=review_by,
            effective_from=effective.since,
            effective_until=effective.until,
            line=node.line,
        )

    def _demand(
        self, members: Mapping[str, Node], node: Node, name: str
    ) -> tuple[Demand | None, Duration | None, str | None]:
        """Read `keep: 8 years`, `keep: {while: invoice_open}`, `keep: always` or `delete: 3 years`."""
        if ("keep" in members) == ("delete" in members):
            self.desk.add(node.line, f"'{name}' says either 'keep' (not before) or 'delete' (not after)")
            return None, None, None
        demand = Demand.KEEP if "keep" in members else Demand.DELETE
        said = members[str(demand)]
        if demand is Demand.KEEP and said.value == "always":
            return demand, None, "always"
        if demand is Demand.KEEP and isinstance(said.value, dict):
            inner = self.desk.members(said, "'keep'", (), ("while",))
            states = tuple(state for state in STATES if state != "always")
            return demand, None, self.one_of(inner.get("while"), "state", states)
        if isinstance(said.value, int) and not isinstance(said.value, bool):
            self.desk.add(said.line, f"the period {said.value} has no unit; write '{said.value} years'")
            return demand, None, None
        period = parse_duration(said.value) if isinstance(said.value, str) else None
        if period is None or period.unit in ("minute", "hour"):
            self.desk.add(
                said.line, f"'{said.plain()}' is no period; write for example '8 years' or '90 days'"
            )
            return demand, None, None
        return demand, period, None

    def _check_clock(
        self, node: Node, name: str, period: Duration | None, during: str | None, clock: str | None
    ) -> None:
        """Complain about a period without a clock and a clock without a period."""
        members = node.value if isinstance(node.value, dict) else {}
        if period is not None and "from" not in members:
            self.desk.add(node.line, f"'{name}' counts a period, so it needs 'from': {', '.join(CLOCKS)}")
        if during is not None and (clock is not None or "to_end_of" in members):
            self.desk.add(node.line, f"'{name}' keeps while something lasts, so it has no clock")

    def _scope(self, members: Mapping[str, Node], what: str) -> frozenset[str]:
        """Read the classes, purposes or stages that a rule names; empty stands for all."""
        node = members.get(what)
        if node is None:
            return frozenset()
        fact = self.vocabulary.facts.get(_SCOPES[what])
        known = () if fact is None else fact.values
        found = self.desk.texts(node, what)
        for item in self.desk.items(node, what):
            if isinstance(item.value, str) and item.value not in known:
                self.desk.unknown(item.line, _ONE[what], item.value, known)
        if not found:
            self.desk.add(node.line, f"'{what}' is empty, which would mean all; leave it out or name some")
        return frozenset(found)

    def places(self, node: Node | None, what: str) -> frozenset[str]:
        """Read countries, regions and named groups of them."""
        found: set[str] = set()
        for item in self.desk.items(node, what):
            if isinstance(item.value, str) and item.value in self.vocabulary.groups:
                found |= self.vocabulary.groups[item.value]
            elif isinstance(item.value, str) and Grammar.is_place(item.value):
                found.add(item.value)
            else:
                groups = [name for name in self.vocabulary.groups if name.isupper()]
                self.desk.unknown(item.line, "place", str(item.plain()), groups)
        if node is not None and not found:
            self.desk.add(node.line, f"'{what}' is empty, which would mean all; leave it out or name some")
        return frozenset(found)

    def _phases(self, node: Node | None) -> tuple[Phase, ...]:
        """Read what the phases in the life of data mean."""
        found = []
        shared = RuleReader("", self.vocabulary, self.sources, Grammar({}, {}, self.desk), self.desk, False)
        for item in self.desk.items(node, "phases"):
            members = self.desk.members(item, "a phase", ("cites", "source"), ("id", "means", "because"))
            name = self.one_of(members.get("id"), "phase", PHASES)
            found.append(
                Phase(
                    id=name or "?",
                    means=self.desk.text(members.get("means"), "means"),
                    because=self.desk.text(members.get("because"), "because"),
                    cites=self.desk.texts(members.get("cites"), "cites"),
                    source=shared.known_sources(members.get("source"), item.line),
                )
            )
        return tuple(found)

    def _check_ids(self, rules: tuple[ScheduleRule, ...]) -> None:
        """Complain about two rules of one id on the same days."""
        for number, rule in enumerate(rules):
            for other in rules[:number]:
                if other.id == rule.id and _overlap(other, rule):
                    self.desk.add(rule.line, f"the rule '{rule.id}' stands here twice; date them apart")

    def _rounding(self, node: Node | None) -> str | None:
        """Read the year to whose end a clock is carried: a kind of year, or the day a tax year ends on."""
        if node is None or _YEAR_END.match(str(node.value)):
            return None if node is None else str(node.value)
        return self.one_of(node, "year", ROUNDINGS)

    def one_of(self, node: Node | None, what: str, known: Mapping[str, str] | tuple[str, ...]) -> str | None:
        """Read one of some known words; None if absent or after a complaint."""
        if node is None:
            return None
        if node.value not in tuple(known):
            self.desk.unknown(node.line, what, str(node.plain()), known)
            return None
        return str(node.value)

    def date(self, node: Node | None) -> date | None:
        """Read an ISO date."""
        if node is None:
            return None
        try:
            return date.fromisoformat(str(node.value))
        except ValueError:
            self.desk.add(node.line, f"'{node.value}' is no date; write for example 2026-11-21")
            return None


def _overlap(one: ScheduleRule, other: ScheduleRule) -> bool:
    """Whether two rules hold on a common day."""
    since = max(one.effective_from or date.min, other.effective_from or date.min)
    until = min(one.effective_until or date.max, other.effective_until or date.max)
    return since < until
