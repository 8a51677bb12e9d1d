"""What differs between two policies, in sentences that a reader without code can check. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from governance.policy.compiled import CompiledPolicy
from governance.policy.conditions import Condition
from governance.policy.model import CheckedPack, CheckedRule, Effect
from governance.policy.sentences import condition_sentence

Changes = dict[str, dict[str, Any]]
"""Pack name -> `{"state", "what", "rules"}`; each rule is `{"rule", "change", "before", "after", "what"}`.

`state` is `added`, `removed` or `changed`; `change` likewise; `before` and `after` are sentences or None.
"""

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


def differences(before: CompiledPolicy | None, after: CompiledPolicy) -> Changes:
    """Give what changed, pack by pack; packs that say the same as before are left out."""
    old = {} if before is None else {pack.name: pack for pack in before.packs}
    new = {pack.name: pack for pack in after.packs}
    old_text, new_text = ({} if before is None else before.text()), after.text()
    found: Changes = {}
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        rules = list(_rules(one, other, before, after, old_text, new_text))
        what = [] if one is None or other is None else list(_pack_words(one, other, after))
        if rules or what or one is None or other is None:
            state = ADDED if one is None else REMOVED if other is None else CHANGED
            found[name] = {"state": state, "what": what, "rules": rules}
    return found


def all_new(policy: CompiledPolicy) -> Changes:
    """Give the change of a first adoption: every pack is there, its rules are not told one by one."""
    return {pack.name: {"state": ADDED, "what": [], "rules": []} for pack in policy.packs}


def _rules(
    one: CheckedPack | None,
    other: CheckedPack | None,
    before: CompiledPolicy | None,
    after: CompiledPolicy,
    old_text: Mapping[str, str],
    new_text: Mapping[str, str],
) -> Iterable[dict[str, Any]]:
    """Give the rules of a pack that were added, removed or changed, by id."""
    old, new = _by_id(one), _by_id(other)
    for rule_id in sorted(old.keys() | new.keys()):
        was, now = old.get(rule_id), new.get(rule_id)
        what: list[str] = []
        if was is not None and now is not None:
            assert before is not None
            what = list(_rule_words(was, now, before, after))
            if not what and old_text.get(rule_id) == new_text.get(rule_id):
                continue
        yield {
            "rule": rule_id,
            "change": ADDED if was is None else REMOVED if now is None else CHANGED,
            "before": None if was is None else old_text.get(rule_id),
            "after": None if now is None else new_text.get(rule_id),
            "what": what,
        }


def _by_id(pack: CheckedPack | None) -> dict[str, CheckedRule]:
    """Give the rules of a pack by id; of several dated ones with one id, under the id and the date."""
    found: dict[str, CheckedRule] = {}
    for rule in () if pack is None else pack.rules:
        key = rule.id if rule.id not in found else f"{rule.id} from {rule.effective.since}"
        found[key] = rule
    return found


_EFFECTS = {Effect.PERMIT: "permits", Effect.FORBID: "forbids", Effect.OBLIGE: "asks for something"}


def _rule_words(
    was: CheckedRule, now: CheckedRule, before: CompiledPolicy, after: CompiledPolicy
) -> Iterable[str]:
    """Say what of one rule is another."""
    if was.effect is not now.effect:
        yield f"It {_EFFECTS[now.effect]}; before, it {_EFFECTS[was.effect]}."
    yield from _condition_words("It applies when", was.when, now.when, before, after)
    yield from _condition_words("The exception is", was.unless, now.unless, before, after)
    yield from _words("The code is", was.code, now.code)
    yield from _words("The reason given is", was.because, now.because)
    yield from _words("The remedy is", was.remedy, now.remedy)
    yield from _words("It asks for", ", ".join(was.obligations), ", ".join(now.obligations))
    yield from _words("It rests on", "; ".join(was.cites), "; ".join(now.cites))
    yield from _words("Its sources are", ", ".join(was.source), ", ".join(now.source))
    yield from _words("It holds from", _day(was.effective.since), _day(now.effective.since))
    yield from _words("It holds until", _day(was.effective.until), _day(now.effective.until))
    yield from _words("It is to be looked at again by", _day(was.review_by), _day(now.review_by))
    if was.overridable is not now.overridable:
        yield f"Two people {'may' if now.overridable else 'may no longer'} override it for one person."
    if was.finer_codes != now.finer_codes:
        yield "Its more exact codes are others."
    if was.verified is not now.verified:
        yield f"It is {'now' if now.verified else 'no longer'} marked as verified."


def _pack_words(one: CheckedPack, other: CheckedPack, after: CompiledPolicy) -> Iterable[str]:
    """Say what of a pack as a whole is another."""
    yield from _words("The title is", one.title, other.title)
    yield from _words("The layer is", str(one.layer), str(other.layer))
    yield from _words("It gives a whole answer for", ", ".join(one.covers), ", ".join(other.covers))
    yield from _words(
        "It needs no consent on",
        ", ".join(basis.channel for basis in one.basis if basis.basis == "opt_out"),
        ", ".join(basis.channel for basis in other.basis if basis.basis == "opt_out"),
    )
    if one.applies != other.applies:
        yield from _condition_words("It applies where", one.applies, other.applies, after, after)
    if one.entities != other.entities:
        yield "The entities that it knows are others."


def _condition_words(
    opening: str,
    was: Condition | None,
    now: Condition | None,
    before: CompiledPolicy,
    after: CompiledPolicy,
) -> Iterable[str]:
    """Say that a condition is another one; both are put into words by their own vocabulary."""
    if was == now:
        return
    said = ["" if each is None else _said(each, of) for each, of in ((was, before), (now, after))]
    yield from _words(opening, *said, differ=True)


def _said(condition: Condition, policy: CompiledPolicy) -> str:
    facts = dict(policy.vocabulary.facts)
    for program in policy.programs.values():
        facts |= program.layout.facts
    return condition_sentence(condition, facts)


def _words(opening: str, was: str, now: str, *, differ: bool = False) -> Iterable[str]:
    """Say that a text is another, has come or has gone."""
    if was == now and not differ:
        return
    if not was:
        yield f"{opening} now: {now}."
    elif not now:
        yield f"{opening} no longer: {was}."
    else:
        yield f"{opening} now: {now}. Before: {was}."


def _day(day: object) -> str:
    return "" if day is None else str(day)
