"""The one place where a policy is proved before it may come into force, whichever way it comes.

A *proof* is a function that takes the whole checked policy and gives a counter-example for every thing that
may never be and that the policy allows. `prove` is called before a change is proposed, before it is
activated, scheduled or rolled back to, and by `governance policies adopt`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from governance.policy.complaints import PolicyError
from governance.policy.model import CheckedPolicies, Problem

Proof: TypeAlias = Callable[[CheckedPolicies], Sequence[Problem]]
"""Gives the counter-examples in words; each names the file and line of the rule that lets it happen."""


def _invariants(checked: CheckedPolicies) -> list[Problem]:
    """What no policy may ever allow (`policies/invariants.yaml`)."""
    # The solver is a large library, and only whoever changes policies needs it.
    from governance.policy.proving import prove as counter_examples

    return [example.problem() for example in counter_examples(checked)]


PROOFS: tuple[Proof, ...] = (_invariants,)
"""What is proved of every policy, in this order."""


def prove(checked: CheckedPolicies) -> None:
    """Refuse a policy that allows what may never be; raises PolicyError with every counter-example."""
    found = [problem for proof in PROOFS for problem in proof(checked)]
    bare = without_overridable(checked)
    if not found and bare is not None:
        found = [_lifted(problem) for proof in PROOFS for problem in proof(bare)]
    if found:
        raise PolicyError(found)


def without_overridable(checked: CheckedPolicies) -> CheckedPolicies | None:
    """Give the policy as it is with every forbid lifted that may be; None if none may.

    What that never allows is never allowed, whatever is overridden: more forbids allow nothing more.
    """
    if not any(rule.overridable for pack in checked.packs for rule in pack.rules):
        return None
    packs = tuple(
        replace(pack, rules=tuple(rule for rule in pack.rules if not rule.overridable))
        for pack in checked.packs
    )
    return replace(checked, packs=packs, canonical=checked.canonical + b" without what may be overridden")


def _lifted(problem: Problem) -> Problem:
    sentence = f"without the forbids that may be overridden, {problem.sentence}; make them not overridable"
    return Problem(problem.file, problem.line, sentence)
