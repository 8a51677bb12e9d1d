"""The one place where a policy is proved before it may come into force, whichever way it comes.

`prove` is called before a change is proposed, before it is activated, scheduled or rolled back to, and by
`governance policies adopt`; `examined` gives the same without refusing, to whoever only wants to know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from governance.policy.complaints import PolicyError
from governance.policy.model import CheckedPolicies

if TYPE_CHECKING:
    from governance.policy.proving import Proof


def examined(checked: CheckedPolicies) -> Proof:
    """Prove a policy, with and without the forbids that may be overridden; gives every counter-example."""
    # The solver is a large library, and only whoever changes policies needs it.
    from governance.policy.proving import proof_of

    proof = proof_of(checked)
    bare = without_overridable(checked)
    if not proof.holds or bare is None:
        return proof
    lifted = proof_of(bare)
    found = tuple(
        replace(example, words=f"without the forbids that may be overridden: {example.words}")
        for example in lifted.found
    )
    return replace(proof, milliseconds=proof.milliseconds + lifted.milliseconds, found=found)


def prove(checked: CheckedPolicies) -> None:
    """Refuse a policy that allows what may never be; raises PolicyError with every counter-example."""
    found = examined(checked).found
    if found:
        raise PolicyError([example.problem() for example in found])


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
