"""Lifting forbids for one person: what overrides do to a verdict.

Only what the policy in force marks as `overridable` is lifted, and only a forbid: where nothing permits, no
override makes a permit. Lifting commutes with merging the verdicts of several contact points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.communications import override_store
from governance.decisions.model import Verdict
from governance.policy.compiled import CompiledPolicy
from governance.work import Snapshot


@dataclass(frozen=True, slots=True)
class Exemption:
    """An override that is approved, as far as a decision looks at it."""

    override_id: str
    rule: str
    purpose: str | None
    approved_by: str
    expires_at: datetime

    def document(self) -> dict[str, Any]:
        """The override as a decision shows it."""
        return {
            "id": self.override_id,
            "rule": self.rule,
            "purpose": self.purpose,
            "approved_by": self.approved_by,
            "expires_at": wire(self.expires_at),
        }


@dataclass(slots=True)
class Lifts:
    """The overrides of one snapshot; read at the first refusal that one could lift."""

    snap: Snapshot
    policy: CompiledPolicy
    held: dict[str, list[Exemption]] | None = None
    may_lift: frozenset[str] = field(default_factory=frozenset)

    def of(self, subject_ref: str, purpose: str) -> list[Exemption]:
        """The overrides of a person that cover a purpose and may be lifted by the policy in force."""
        if self.held is None:
            self._read()
        found = (self.held or {}).get(subject_ref, [])
        return [each for each in found if each.rule in self.may_lift and each.purpose in (None, purpose)]

    def rules_of_everyone(self, purpose: str, now: datetime) -> dict[str, set[str]]:
        """The rules that are lifted for a purpose at `now`, by reference of the person."""
        if self.held is None:
            self._read()
        found = {
            ref: {each.rule for each in self.of(ref, purpose) if each.expires_at > now}
            for ref in self.held or {}
        }
        return {ref: rules for ref, rules in found.items() if rules}

    def lift(self, verdict: Verdict, subject_ref: str, purpose: str, now: datetime) -> Verdict:
        """Give the verdict as the overrides of a person make it at `now`; what is allowed stays as it is."""
        if verdict.allowed:
            return verdict
        rules = {each.rule for each in self.of(subject_ref, purpose) if each.expires_at > now}
        return lifted(verdict, rules) if rules else verdict

    def used(self, verdict: Verdict, subject_ref: str, purpose: str, now: datetime) -> list[dict[str, Any]]:
        """The overrides that a lifted verdict rests on."""
        return [
            each.document()
            for each in (self.of(subject_ref, purpose) if verdict.lifted else ())
            if each.rule in verdict.lifted and each.expires_at > now
        ]

    def _read(self) -> None:
        self.held = {}
        rows = override_store.approved(self.snap.connection, self.snap.tenant_id, self.snap.now)
        for row in rows:
            each = Exemption(
                row["override_id"], row["rule"], row["purpose"], row["decided_by"], row["expires_at"]
            )
            self.held.setdefault(row["subject_ref"], []).append(each)
        if self.held:
            self.may_lift = overridable(self.policy)


def overridable(policy: CompiledPolicy) -> frozenset[str]:
    """The forbids that a policy lets be overridden, by id."""
    return frozenset(rule.id for rule in policy.rules if rule.overridable)


def lifted(verdict: Verdict, rules: Iterable[str]) -> Verdict:
    """A verdict without the forbids of these rules; the verdict itself if none of them is in the way."""
    wanted = set(rules)
    rest = tuple(one for one in verdict.reasons if one.effect != "forbid" or one.rule not in wanted)
    if len(rest) == len(verdict.reasons):
        return verdict
    gone = dict.fromkeys(one.rule for one in verdict.reasons if one not in rest)
    return replace(
        verdict,
        allowed=not rest and bool(verdict.permits),
        reasons=rest,
        lifted=tuple(dict.fromkeys((*verdict.lifted, *gone))),
    )
