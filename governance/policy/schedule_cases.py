"""Cases of retention schedules: read, run, and every rule needed by at least one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from governance.policy.case_results import CaseResult, failing, unreached
from governance.policy.documents import Node
from governance.policy.durations import minus_days, parse_duration
from governance.policy.model import Problem
from governance.policy.principles import DELETE, KEEP, REVIEW, Outcome, weigh
from governance.policy.schedule_reader import ScheduleReader
from governance.policy.schedules import (
    CLOCKS,
    PHASES,
    RUNNING,
    STATES,
    Anchor,
    Circumstances,
    Schedule,
    ScheduleCase,
    ScheduleRule,
)

WHOLE = "whole"
_EXPECT = ("disposition", "until", "winner", "phase")


@dataclass(frozen=True, slots=True)
class ScheduleCaseReader:
    """Reads one file of cases, with the words that schedules use."""

    reader: ScheduleReader

    def read(self, tree: Node, known: Mapping[str, Schedule]) -> tuple[ScheduleCase, ...]:
        """Read a `<schedule>.cases.yaml` file; `whole` cases ask all schedules together."""
        members = self.reader.desk.members(tree, "a file of cases", ("today",), ("schedule", "cases"))
        name = self.reader.desk.text(members.get("schedule"), "schedule")
        if name != "whole" and name not in known:
            self.reader.desk.unknown(tree.line, "schedule", name, known)
        today = self.reader.date(members.get("today"))
        cases = [
            self._case(node, name, today) for node in self.reader.desk.items(members.get("cases"), "cases")
        ]
        if not cases:
            self.reader.desk.add(
                tree.line, f"the schedule '{name}' has no cases; write at least one for each rule"
            )
        return tuple(case for case in cases if case is not None)

    def _case(self, node: Node, schedule: str, today: date | None) -> ScheduleCase | None:
        """Read one case."""
        members = self.reader.desk.members(
            node, "a case", ("today", "on_request"), ("name", "record", "expect")
        )
        day = self.reader.date(members.get("today")) or today
        if day is None:
            self.reader.desk.add(
                node.line, "the case has no day; give 'today' in the case or at the top of the file"
            )
        expect = self.reader.desk.members(members["expect"], "expect", _EXPECT) if "expect" in members else {}
        if "expect" in members and not expect:
            self.reader.desk.add(node.line, f"the case expects nothing; write {', '.join(_EXPECT)}")
        if day is None or "record" not in members:
            return None
        until: date | str | None = None
        if "until" in expect:
            said = expect["until"]
            until = "open" if said.value == "open" else self.reader.date(said)
        return ScheduleCase(
            pack=schedule,
            name=self.reader.desk.text(members.get("name"), "name"),
            today=day,
            circumstances=self._circumstances(members["record"], day),
            on_request=self.reader.desk.flag(members.get("on_request"), "on_request"),
            disposition=self.reader.one_of(expect.get("disposition"), "disposition", (DELETE, KEEP, REVIEW)),
            until=until,
            winner=self.reader.desk.text(expect["winner"], "winner") if "winner" in expect else None,
            phase=self.reader.one_of(expect.get("phase"), "phase", PHASES),
            file=self.reader.desk.file,
            line=node.line,
        )

    def _circumstances(self, node: Node, today: date) -> Circumstances:
        """Read the governed thing of a case."""
        known = ("purpose", "stage", "system", "places", "clocks", "states", "financial_year_end")
        members = self.reader.desk.members(node, "a record", known, ("data_class",))
        clocks: dict[str, Anchor] = {}
        for name, item in self.reader.desk.mapping(members.get("clocks"), "clocks").items():
            if name not in CLOCKS:
                self.reader.desk.unknown(item.line, "clock", name, CLOCKS)
            clocks[name] = self._anchor(item, today)
        states = self.reader.desk.texts(members.get("states"), "states")
        for state in states:
            if state not in STATES:
                self.reader.desk.unknown(node.line, "state", state, STATES)
        year_end = self.reader.desk.text(members.get("financial_year_end"), "financial_year_end", "12-31")
        month, _, last = year_end.partition("-")
        if not (month.isdigit() and last.isdigit() and 1 <= int(month) <= 12 and 1 <= int(last) <= 31):
            self.reader.desk.add(node.line, f"'{year_end}' is no end of a year; write for example 03-31")
            month, last = "12", "31"
        return Circumstances(
            data_class=self.reader.desk.text(members.get("data_class"), "data_class"),
            purpose=self.reader.desk.text(members.get("purpose"), "purpose") or None,
            stage=self.reader.desk.text(members.get("stage"), "stage") or None,
            system=self.reader.desk.text(members.get("system"), "system") or None,
            places=self.reader.places(members.get("places"), "places"),
            clocks=clocks,
            states=frozenset(states),
            financial_year_end=(int(month), int(last)),
        )

    def _anchor(self, node: Node, today: date) -> Anchor:
        """Read `2018-03-04`, `3 years` (so long ago) or `running`."""
        if node.value == RUNNING:
            return RUNNING
        ago = parse_duration(node.value) if isinstance(node.value, str) else None
        return minus_days(today, ago) if ago is not None else self.reader.date(node)


def run_schedule_cases(schedules: Sequence[Schedule], cases: Sequence[ScheduleCase]) -> list[CaseResult]:
    """Run all cases: those of a schedule against it alone, `whole` cases against all of them together."""
    rules = {schedule.name: schedule.rules for schedule in schedules}
    rules[WHOLE] = tuple(rule for schedule in schedules for rule in schedule.rules)
    return [_run(case, rules[case.pack]) for case in cases]


def _run(case: ScheduleCase, rules: Sequence[ScheduleRule]) -> CaseResult:
    """Run one case, then again without each rule that spoke, to see which rules it needs."""
    outcome = _weigh(case, rules)
    found = _differences(case, outcome)
    needs = []
    if not found:
        for line in outcome.weighed:
            others = [rule for rule in rules if rule is not line.rule]
            if _differences(case, _weigh(case, others)):
                needs.append((line.rule.id, line.rule.line))
    return CaseResult(case, found, tuple(needs))


def _weigh(case: ScheduleCase, rules: Sequence[ScheduleRule]) -> Outcome:
    return weigh(rules, case.circumstances, case.today, on_request=case.on_request)


def _differences(case: ScheduleCase, outcome: Outcome) -> tuple[str, ...]:
    """Say where an outcome differs from what a case expects."""
    winner = "none" if outcome.winner is None else outcome.winner.id
    if case.pack != WHOLE and outcome.winner is not None:
        winner = winner.split(".", 1)[1]
    until = "open" if outcome.until == RUNNING else outcome.until
    compared = (
        ("disposition", case.disposition, outcome.disposition),
        ("until", case.until, until),
        ("winner", case.winner, winner),
        ("phase", case.phase, outcome.phase),
    )
    return tuple(
        f"expected {what} {expected}, got {got}"
        for what, expected, got in compared
        if expected is not None and expected != got
    )


def schedule_case_problems(schedules: Sequence[Schedule], cases: Sequence[ScheduleCase]) -> list[Problem]:
    """Complain about schedules without cases, cases that fail and rules that no case reaches."""
    proven = {case.pack for case in cases}
    problems = [
        Problem(
            schedule.file,
            1,
            f"the schedule '{schedule.name}' has no cases; write {schedule.name}.cases.yaml beside it",
        )
        for schedule in schedules
        if schedule.name not in proven
    ]
    results = run_schedule_cases(schedules, cases)
    problems += failing(results)
    return problems or unreached(schedules, results)
