"""Complaints that need a whole pack: doubled ids, idle rules, rules that never apply."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from governance.policy.complaints import Complaints
from governance.policy.logic import Logic, both
from governance.policy.model import CheckedPack, CheckedRule, Effect, Fact


def scrutinise(pack: CheckedPack, facts: Mapping[str, Fact], desk: Complaints) -> None:
    """Complain about rules of `pack` that cannot be meant."""
    conditions = [pack.applies, *(rule.when for rule in pack.rules), *(rule.unless for rule in pack.rules)]
    logic = Logic.over(facts, conditions)
    for rule in pack.rules:
        _alone(rule, pack, logic, desk)
    for first, second in combinations(pack.rules, 2):
        if first.id == second.id:
            _same_id(first, second, desk)
        _idle(first, second, logic, desk)


def _alone(rule: CheckedRule, pack: CheckedPack, logic: Logic, desk: Complaints) -> None:
    """Complain about one rule that never applies, or permits whatever is asked."""
    if logic.never_applies(both(pack.applies, rule.when), rule.unless):
        desk.add(
            rule.line,
            f"the rule '{rule.id}' can never apply: its conditions contradict each other or its exception",
        )
    elif (
        rule.effect is Effect.PERMIT
        and rule.unless is None
        and logic.always_holds(both(pack.applies, rule.when))
    ):
        desk.add(rule.line, f"the permit '{rule.id}' applies to everything; say what it is for")


def _same_id(first: CheckedRule, second: CheckedRule, desk: Complaints) -> None:
    """Complain about two rules of one id whose dates are missing or overlap."""
    one, two = first.effective, second.effective
    disjoint = (one.until and two.since and one.until <= two.since) or (
        two.until and one.since and two.until <= one.since
    )
    if disjoint:
        return
    if one == two:
        desk.add(
            second.line, f"the rule '{second.id}' stands here twice; give it another id or disjoint dates"
        )
    else:
        desk.add(second.line, f"the effective dates of the two rules '{second.id}' overlap")


def _idle(first: CheckedRule, second: CheckedRule, logic: Logic, desk: Complaints) -> None:
    """Complain about a rule that another one of the pack always makes needless."""
    for rule, other in ((second, first), (first, second)):
        if logic.idles(rule, other):
            verb = {Effect.FORBID: "forbids", Effect.PERMIT: "permits", Effect.OBLIGE: "asks for the same"}[
                rule.effect
            ]
            desk.add(
                rule.line, f"the rule '{rule.id}' never makes a difference: '{other.id}' always {verb} first"
            )
            return
