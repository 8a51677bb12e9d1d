"""Facts and a compiled policy become a verdict with every reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from governance.policy.buckets import Vector
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import CheckedRule
from governance.policy.outcome import combine
from governance.policy.program import Silence

EVALUATION_FAILED = "evaluation-failed"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why something is not allowed.

    `rule` is `<pack>.<rule id>` (of the nearest permit, if nothing permits); `rank` is the code's place in
    the published order of the waterfall.
    """

    code: str
    rule: str
    effect: str
    text: str
    cites: tuple[str, ...]
    verified: bool
    remedy: str
    rank: int = 0

    def to_dict(self) -> dict[str, object]:
        """Give the reason as it goes over the wire."""
        return {
            "code": self.code,
            "rule": self.rule,
            "effect": self.effect,
            "text": self.text,
            "cites": list(self.cites),
            "verified": self.verified,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one question: allowed if at least one rule permits and none forbids.

    `reasons` are in the published order of codes and empty when allowed; `obligations` are those of every
    rule that applies and bind only who acts on an allowed answer; `permits` are ids of rules, `lifted` those
    of forbids that an override took away.
    """

    allowed: bool
    reasons: tuple[Reason, ...]
    obligations: tuple[str, ...]
    permits: tuple[str, ...]
    lifted: tuple[str, ...] = ()


def decide(policy: CompiledPolicy, action: str, vector: Vector) -> Verdict:
    """Decide about one fact vector (from `policy.bucketed` or a `Bucketer`)."""
    outcome = combine(policy, action, vector, policy.matching(action, vector))
    reasons = [_forbidding(code, rule, policy) for code, rule in outcome.forbids]
    if outcome.silence is not None:
        reasons.append(_silent(outcome.silence, policy))
        reasons.sort(key=lambda reason: reason.rank)
    return Verdict(
        outcome.allowed, tuple(reasons), outcome.obligations, tuple(rule.id for rule in outcome.permits)
    )


def _forbidding(code: str, rule: CheckedRule, policy: CompiledPolicy) -> Reason:
    """Give the reason of a rule that forbids."""
    return Reason(
        code,
        rule.id,
        rule.effect.value,
        rule.because,
        rule.cites,
        rule.verified,
        rule.remedy,
        policy.rank(code),
    )


def _silent(silence: Silence, policy: CompiledPolicy) -> Reason:
    """Give the reason of a question that nothing permits, with what the nearest permit lacks."""
    needs = f" The nearest permit, {silence.rule}, needs that {silence.needs}." if silence.needs else ""
    return Reason(
        silence.code,
        silence.rule,
        "permit",
        silence.because + needs,
        silence.cites,
        silence.verified,
        silence.remedy,
        policy.rank(silence.code),
    )


def waterfall_code(reasons: Iterable[Reason]) -> str | None:
    """Give the code under which a waterfall counts: the first in published order; None without reasons."""
    first = min(reasons, key=lambda reason: reason.rank, default=None)
    return None if first is None else first.code


def failed(sentence: str) -> Verdict:
    """Give the verdict of a question that could not be evaluated: a no with its own code.

    `sentence` says what to do and holds no personal data.
    """
    reason = Reason(EVALUATION_FAILED, "", "forbid", sentence, (), True, "Ask again.", 1_000_000)
    return Verdict(False, (reason,), (), ())
