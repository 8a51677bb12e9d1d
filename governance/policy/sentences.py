"""Rules as sentences that a reader without code can check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from governance.policy.conditions import AllOf, Condition, Leaf
from governance.policy.durations import Duration
from governance.policy.model import CheckedRule, Effect, Fact, FactType, Vocabulary

GROUPS: Mapping[str, str] = {
    "ADEQUATE_FOR_SOMEBODY": "a country that the EU, the United Kingdom or Switzerland finds adequate",
    "AGE_KNOWN": "a country for which the age of consent of minors is known",
    "CALL_REGISTERS": "a country with rules of its own on registers of oppositions",
    "CH_ADEQUATE": "a country that Switzerland finds adequate",
    "DEROGATIONS": "a derogation for specific situations",
    "EU_ADEQUATE": "a country that the EU finds adequate",
    "EU_SAFEGUARDS": "a safeguard under Art. 46 GDPR",
    "FRAMEWORKS": "a data privacy framework with the United States",
    "LEADS_ANYWHERE": "an instrument that may lead to any country, such as standard clauses or consent",
    "RECOGNISE_FRAMEWORKS": "a country that recognises a data privacy framework",
    "SENSITIVE_CLASSES": "a sensitive class of data",
    "TRANSFER_LAW_KNOWN": "a country whose law on transfers is known here",
    "UK_ADEQUATE": "a country that the United Kingdom finds adequate",
    "US_COUNTRIES_OF_CONCERN": "a country of concern to the United States",
}
"""Groups of the shipped vocabulary in words: whoever reads why not does not know the policies' own names."""


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
    said = " or ".join(map(_named, leaf.label.split(", "))) if leaf.label else str(leaf.value)
    return f"{fact.says} is {'not ' if leaf.op == 'not_in' else ''}{said}"


def _named(entry: str) -> str:
    """Say an entry of a list: the name of a group in words, anything else as it is."""
    if entry in GROUPS:
        return GROUPS[entry]
    return (
        f"one of the group {entry.lower().replace('_', ' ')}" if "_" in entry and entry.isupper() else entry
    )


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
