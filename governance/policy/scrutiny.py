"""Complaints that need a whole pack or several: doubled ids, rules that never apply or never count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations

from governance.policy.complaints import Complaints
from governance.policy.conditions import Condition
from governance.policy.logic import Clause, Logic, both, says_as_much, spans
from governance.policy.model import CheckedPack, CheckedRule, Effect, Fact, Problem


def scrutinise(pack: CheckedPack, facts: Mapping[str, Fact], desk: Complaints) -> None:
    """Complain about rules of `pack` that cannot be meant."""
    logic = Logic.over(facts, _conditions(pack))
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
            desk.add(rule.line, _needless(rule, other))
            return


_VERBS = {Effect.FORBID: "forbids", Effect.PERMIT: "permits", Effect.OBLIGE: "asks for the same"}


def _needless(rule: CheckedRule, other: CheckedRule) -> str:
    return f"the rule '{rule.id}' never makes a difference: '{other.id}' always {_VERBS[rule.effect]} first"


def _conditions(pack: CheckedPack) -> Iterable[Condition | None]:
    """Give all conditions of a pack."""
    for rule in pack.rules:
        yield from (rule.when, rule.unless)
    yield pack.applies


def confront(
    packs: Sequence[CheckedPack], facts: Mapping[str, Fact], about: Collection[str] | None = None
) -> list[Problem]:
    """Complain about rules that rules of other packs make needless (shadow) or void (contradict).

    A rule that repeats another pack's is needless unless it cites a clause of its own: then its reason is
    one more. A permit is void where a forbid of another pack holds whenever it does: one is not meant.
    `about`: the files to which one of the two must belong; the others were confronted before.
    """
    logic = Logic.over(facts, (condition for pack in packs for condition in _conditions(pack)))
    ruled = [(pack, rule, logic.reach(pack.applies, rule)) for pack in packs for rule in pack.rules]
    found: list[Problem] = []
    needless: set[tuple[str, str]] = set()
    for pack, rule, reach in ruled:
        for other_pack, other, other_reach in ruled:
            if other_pack is pack or set(pack.actions).isdisjoint(other_pack.actions):
                continue
            if about is not None and pack.file not in about and other_pack.file not in about:
                continue
            if (other.id, rule.id) in needless:
                continue  # two alike: one of them may stay
            if _shadows(logic, (rule, reach), (other, other_reach)):
                needless.add((rule.id, other.id))
                found.append(Problem(pack.file, rule.line, _needless(rule, other)))
            elif _voids(logic, (rule, reach), (other, other_reach)):
                found.append(Problem(pack.file, rule.line, _void(rule, other)))
    return found


_Reaching = tuple[CheckedRule, list[Clause] | None]


def _shadows(logic: Logic, one: _Reaching, by: _Reaching) -> bool:
    """Say whether `by` says always what `one` says, clause of law included."""
    (rule, reach), (other, other_reach) = one, by
    if rule.effect is not other.effect or not says_as_much(other, rule):
        return False
    if not set(rule.cites) <= set(other.cites) or not logic.within(reach, other_reach):
        return False
    if other.unless is None:
        return True
    return rule.unless is not None and logic.within(logic.clauses(other.unless), logic.clauses(rule.unless))


def _voids(logic: Logic, one: _Reaching, by: _Reaching) -> bool:
    """Say whether `by` forbids whatever `one` permits."""
    (rule, reach), (other, other_reach) = one, by
    if rule.effect is not Effect.PERMIT or other.effect is not Effect.FORBID or not spans(other, rule):
        return False
    if not logic.within(reach, other_reach):
        return False
    return other.unless is None or logic.apart(reach, other.unless)


def _void(rule: CheckedRule, other: CheckedRule) -> str:
    return f"the permit '{rule.id}' permits nothing: '{other.id}' forbids all of it; keep one of them"
