"""How matching rules combine: at least one permit and no forbid; silence forbids; forbid beats permit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from governance.policy.buckets import Vector
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import CheckedRule, Effect
from governance.policy.program import Silence
from governance.policy.silence import silence


@dataclass(frozen=True, slots=True)
class Outcome:
    """The combination of matching rules.

    `forbids` are (code, rule) in the published order of codes; `obligations` are listed whether allowed or
    not; `silence` explains the absence of a permit.
    """

    allowed: bool
    permits: tuple[CheckedRule, ...]
    forbids: tuple[tuple[str, CheckedRule], ...]
    obligations: tuple[str, ...]
    silence: Silence | None

    @property
    def codes(self) -> tuple[str, ...]:
        """Give all codes once each, those of the forbids first."""
        codes = dict.fromkeys(code for code, _ in self.forbids)
        if self.silence is not None:
            codes[self.silence.code] = None
        return tuple(codes)


def combine(policy: CompiledPolicy, action: str, vector: Vector, numbers: Iterable[int]) -> Outcome:
    """Combine the rules that match a vector (`numbers` from `policy.matching`)."""
    permits: list[CheckedRule] = []
    forbids: list[tuple[str, CheckedRule]] = []
    asked: dict[str, None] = {}
    for number in numbers:
        rule = policy.rules[number]
        if rule.effect is Effect.PERMIT:
            permits.append(rule)
        elif rule.effect is Effect.FORBID:
            forbids.append((policy.code_of(rule, action, vector), rule))
        else:
            asked.update(dict.fromkeys(rule.obligations))
    if len(forbids) > 1:
        forbids.sort(key=lambda one: policy.rank(one[0]))
    return Outcome(
        allowed=bool(permits) and not forbids,
        permits=tuple(permits),
        forbids=tuple(forbids),
        obligations=tuple(asked),
        silence=None if permits else silence(policy, action, vector),
    )
