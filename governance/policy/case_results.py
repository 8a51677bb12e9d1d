"""What came of cases, of packs and of schedules alike: which fail, and which rules no case needs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from governance.policy.model import Case, CheckedPack, Problem
from governance.policy.schedules import Schedule, ScheduleCase


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case expected and got; `needs` are the rules (id and line) without which it would fail."""

    case: Case | ScheduleCase
    differences: tuple[str, ...]
    needs: tuple[tuple[str, int], ...]

    @property
    def passed(self) -> bool:
        """Say whether every expectation holds."""
        return not self.differences

    @property
    def pack(self) -> str:
        """Give the name of the pack or schedule that the case proves, or `whole`."""
        return self.case.pack

    @property
    def name(self) -> str:
        """Give the name of the case."""
        return self.case.name

    @property
    def explanation(self) -> str:
        """Say how expectation and answer differ; empty if they agree."""
        return "; ".join(self.differences)


def failing(results: Iterable[CaseResult]) -> list[Problem]:
    """Complain about cases that fail."""
    return [
        Problem(one.case.file, one.case.line, f"the case '{one.name}' fails: {one.explanation}")
        for one in results
        if not one.passed
    ]


def unreached(packs: Iterable[CheckedPack | Schedule], results: Iterable[CaseResult]) -> list[Problem]:
    """Complain about rules without which every case would hold as well."""
    reached = {need for one in results for need in one.needs}
    return [
        Problem(pack.file, rule.line, f"no case reaches the rule '{rule.id}': add one that fails without it")
        for pack in packs
        for rule in pack.rules
        if (rule.id, rule.line) not in reached
    ]
