"""Running cases: every expectation holds, and every rule is needed by at least one case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from governance.policy.case_results import CaseResult, failing, unreached
from governance.policy.casefiles import WHOLE
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.durations import Duration, minus
from governance.policy.model import Case, CheckedPolicies, FactValue, Problem
from governance.policy.outcome import Outcome, combine


def anchors(case: Case) -> dict[str, FactValue]:
    """Give the facts of a case with ages as the instants that they count from."""
    return {
        name: minus(case.now, value) if isinstance(value, Duration) else value
        for name, value in case.facts.items()
    }


def run_cases(checked: CheckedPolicies) -> list[CaseResult]:
    """Run all cases: those of a pack against that pack alone, `whole` cases against all packs together."""
    whole = compile_policy(checked)
    alone: dict[str, CompiledPolicy] = {}
    for pack in checked.packs:
        # It is in no document, so no digest of the documents names it: reckoning that took longest of all.
        alone[pack.name] = compile_policy(replace(checked, packs=(pack,), canonical=b""))
    return [run_case(case, whole if case.pack == WHOLE else alone[case.pack]) for case in checked.cases]


def run_case(case: Case, policy: CompiledPolicy) -> CaseResult:
    """Run one case, then again without each rule that matched, to see which rules it needs."""
    vector = policy.bucketed(case.action, anchors(case), case.now)
    numbers = policy.matching(case.action, vector)
    found = _differences(case, combine(policy, case.action, vector, numbers))
    needs: list[tuple[str, int]] = []
    if not found:
        for left_out in numbers:
            others = [number for number in numbers if number != left_out]
            if _differences(case, combine(policy, case.action, vector, others)):
                needs.append((policy.rules[left_out].id, policy.rules[left_out].line))
    return CaseResult(case, found, tuple(needs))


def _differences(case: Case, outcome: Outcome) -> tuple[str, ...]:
    """Say where an outcome differs from what a case expects; lists are compared without order."""
    found: list[str] = []
    if case.allowed is not None and case.allowed != outcome.allowed:
        found.append(f"expected allowed: {str(case.allowed).lower()}, got {str(outcome.allowed).lower()}")
    forbidding = {code for code, _ in outcome.forbids}
    compared: Mapping[str, tuple[Sequence[str] | None, set[str]]] = {
        "forbids": (case.forbids, forbidding),
        "codes": (case.codes, set(outcome.codes)),
        "obligations": (case.obligations, set(outcome.obligations)),
        "permits": (case.permits, {rule.id.split(".", 1)[1] for rule in outcome.permits}),
    }
    for what, (expected, got) in compared.items():
        if expected is not None and set(expected) != got:
            found.append(f"expected {what} {sorted(expected)}, got {sorted(got)}")
    return tuple(found)


def case_problems(checked: CheckedPolicies) -> list[Problem]:
    """Complain about cases that fail and rules that no case reaches."""
    results = run_cases(checked)
    return failing(results) or unreached(checked.packs, results)
