"""Rules as sentences that a reader without code can check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from governance.policy.conditions import AllOf, Condition, Leaf
from governance.policy.durations import Duration
from governance.policy.model import CheckedRule, Effect, Fact, FactType, Vocabulary


def condition_sentence(condition: Condition, facts: Mapping[str, Fact]) -> str:
    """Say a condition, for example `the channel is email or sms and the message is commercial`."""
    if isinstance(condition, Leaf):
        return _leaf(condition, facts[condition.fact])
    joint = " and " if isinstance(condition, AllOf) else ", or "
    parts = [condition_sentence(part, facts) for part in condition.parts]
    return (
        parts[0] if len(parts) == 1 else f"({joint.join(parts)})" if joint == ", or " else joint.join(parts)
    )


def _leaf(leaf: Leaf, fact: Fact) -> str:
    """Say one comparison."""
    if leaf.op in ("absent", "present"):
        return (
            f"{'nothing' if leaf.op == 'absent' else 'something'} is recorded about whether {fact.says}"
            if (fact.type is FactType.BOOLEAN)
            else f"{fact.says} is {'not ' if leaf.op == 'absent' else ''}known"
        )
    if fact.type is FactType.BOOLEAN:
        return fact.says if leaf.value else f"it is not so that {fact.says}"
    if isinstance(leaf.value, Duration):
        return f"{fact.says} is {'less than' if leaf.op == 'under' else 'at least'} {leaf.value} ago"
    if isinstance(leaf.value, tuple):
        return f"{fact.says} is between {_clock(leaf.value[0])} and {_clock(leaf.value[1])}"
    if leaf.op in ("under", "at_least"):
        return f"{fact.says} is {'less than' if leaf.op == 'under' else 'at least'} {leaf.value}"
    said = " or ".join(leaf.words) or str(leaf.value)
    return f"{fact.says} is {'not ' if leaf.op == 'not_in' else ''}{said}"


def _clock(minute: int) -> str:
    """Say a minute of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _listed(items: Iterable[str]) -> str:
    """Say a list."""
    return ", ".join(items)


def rule_sentence(
    rule: CheckedRule, applies: Condition | None, facts: Mapping[str, Fact], vocabulary: Vocabulary
) -> str:
    """Say a whole rule: what it does, when, unless, since when, why and by which clause."""
    opening = {
        Effect.PERMIT: "Permitted",
        Effect.FORBID: f"Forbidden ({rule.code})",
        Effect.OBLIGE: f"Required ({_listed(rule.obligations)})",
    }[rule.effect]
    words = [f"{opening} when {condition_sentence(rule.when, facts)}"]
    if applies is not None:
        words.append(f", where {condition_sentence(applies, facts)}")
    if rule.unless is not None:
        words.append(f", unless {condition_sentence(rule.unless, facts)}")
    if rule.effective.since:
        words.append(f", from {rule.effective.since.isoformat()}")
    if rule.effective.until:
        words.append(f", until {rule.effective.until.isoformat()}")
    words.append(f". {rule.because.rstrip('.')}.")
    if rule.cites:
        words.append(f" [{_listed(rule.cites)}]")
    if rule.effect is not Effect.PERMIT and not rule.verified:
        words.append(" (not verified)")
    return "".join(words)
