"""Every rule is reached by a case that holds because of it and fails without it; every vendor's pack loads.

The loader demands the same when policies are adopted, by leaving a rule out of what matched. Here the rule is
put off for ever, its pack is compiled anew, and the cases are run again.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from governance.policy.casefiles import WHOLE
from governance.policy.cases import run_case, run_cases
from governance.policy.compiled import compile_policy
from governance.policy.loader import load
from governance.policy.model import Case, CheckedPack, CheckedPolicies, Effective

POLICIES = Path(__file__).parents[2] / "policies"
VENDORS = sorted(path for path in (POLICIES / "vendor").iterdir() if path.is_dir())
SHIPPED = load(POLICIES)
NEVER = Effective(since=date(9999, 12, 31))


def lost_without(checked: CheckedPolicies, pack: CheckedPack, cases: list[Case]) -> Iterator[str]:
    """Give the rules of a pack whose removal no case notices."""
    for place, rule in enumerate(pack.rules):
        put_off = replace(rule, effective=NEVER)
        rest = replace(pack, rules=(*pack.rules[:place], put_off, *pack.rules[place + 1 :]))
        policy = compile_policy(replace(checked, packs=(rest,)))
        if all(run_case(case, policy).passed for case in cases):
            yield f"{rule.id}:{rule.line}"


def unneeded(checked: CheckedPolicies, pack: CheckedPack) -> list[str]:
    """Give the rules of a pack that neither its own cases nor the whole answer's need."""
    own = [case for case in checked.cases if case.pack == pack.name]
    found = list(lost_without(checked, pack, own))
    if not found:
        return []
    needed = {f"{id}:{line}" for one in run_cases(checked) if one.pack == WHOLE for id, line in one.needs}
    return [rule for rule in found if rule not in needed]


@pytest.mark.parametrize("pack", SHIPPED.packs, ids=lambda pack: pack.name)
def test_without_any_rule_one_of_its_cases_fails(pack: CheckedPack) -> None:
    assert unneeded(SHIPPED, pack) == []


def test_a_rule_that_no_case_needs_is_found() -> None:
    """The seeded bug: take the one case away that a rule rests on."""
    (pack,) = (pack for pack in SHIPPED.packs if pack.name == "ca-casl")
    results = [one for one in run_cases(SHIPPED) if one.pack == pack.name]
    name, line = next(need for one in results for need in one.needs)
    left = tuple(one.case for one in results if (name, line) not in one.needs)
    assert f"{name}:{line}" in unneeded(replace(SHIPPED, cases=left), pack)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda path: path.name)
def test_the_packs_of_a_vendor_can_be_adopted_beside_the_shipped_ones(vendor: Path) -> None:
    checked = load(POLICIES, vendor)
    shipped = {pack.name for pack in SHIPPED.packs}
    for pack in checked.packs:
        if pack.name not in shipped:
            assert unneeded(checked, pack) == []
    assert {pack.name for pack in checked.packs} > shipped
