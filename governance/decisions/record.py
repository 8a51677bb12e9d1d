"""A decision as it is answered, logged and kept: the verdict with all that it was made from. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from governance.clock import wire
from governance.decisions.model import Reason, Verdict

FactValues = Mapping[str, object]
"""Fact name to value, as the policy engine takes it.

Text, booleans, numbers, instants (ages), None (absent).
"""


@dataclass(frozen=True, slots=True)
class PermittedPoint:
    """A contact point that may be used. `ref` is our reference of it.

    The address itself is not in a decision.
    """

    ref: str
    type: str

    def document(self) -> dict[str, str]:
        """What a caller is told of it."""
        return {"ref": self.ref, "type": self.type}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question about fields came to.

    `fields`: field to allow, mask or deny; `masks`: field to what is left of it; `denied`: field to codes.
    """

    fields: Mapping[str, str]
    masks: Mapping[str, str]
    denied: Mapping[str, Sequence[str]]

    def document(self) -> dict[str, Any]:
        """The members that it adds to AuthZEN's `context`."""
        return {
            "fields": dict(self.fields),
            "masks": dict(self.masks),
            "denied": {name: list(codes) for name, codes in self.denied.items()},
        }


@dataclass(frozen=True, slots=True)
class AskedFor:
    """On whose behalf a component asked: the AuthZEN subject, its id made opaque where it was not."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision.

    `policy` is the digest `sha256:<hex>` it was made by, `ledger_position` how many events had been
    recorded when it was made. `facts` has one mapping for every contact point that was looked at (one in
    all where there is none). `question` holds ids and codes only. `stage` is model → stage. `overrides` are
    the exceptions that it rests on.
    """

    id: str
    action: str
    subject_ref: str | None
    verdict: Verdict
    policy: str
    ledger_position: int
    evaluated_at: datetime
    caller_ref: str
    question: Mapping[str, Any]
    facts: Sequence[FactValues] = ()
    asked_for: AskedFor | None = None
    contact_points: Sequence[PermittedPoint] = ()
    next_eligible_at: datetime | None = None
    stage: Mapping[str, str | None] = field(default_factory=dict)
    reading: Reading | None = None
    overrides: Sequence[Mapping[str, Any]] = ()

    @property
    def allowed(self) -> bool:
        """Whether it is permitted."""
        return self.verdict.allowed

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes, each once, in published order."""
        return tuple(dict.fromkeys(reason.code for reason in self.verdict.reasons))

    def document(self) -> dict[str, Any]:
        """The decision as AuthZEN's `context` (api.md §2)."""
        return {
            "id": self.id,
            "policy": self.policy,
            "ledger_position": self.ledger_position,
            "evaluated_at": wire(self.evaluated_at),
            "reasons": [reason_document(reason) for reason in self.verdict.reasons],
            "permits": list(self.verdict.permits),
            "obligations": obligation_documents(self.verdict.obligations),
            "contact_points": [point.document() for point in self.contact_points],
            "next_eligible_at": None if self.next_eligible_at is None else wire(self.next_eligible_at),
            "stage": dict(self.stage),
            **({"overrides": [dict(each) for each in self.overrides]} if self.overrides else {}),
        } | self._read()

    def _read(self) -> dict[str, Any]:
        """What fields came to; the duty to mask names the fields and what is left of each."""
        if self.reading is None:
            return {}
        duties = obligation_documents(self.verdict.obligations)
        for place, duty in enumerate(duties):
            if duty["properties"]["action"] == "mask-value":
                properties = {**duty["properties"], "fields": dict(self.reading.masks)}
                duties[place] = {**duty, "properties": properties}
        return {**self.reading.document(), "obligations": duties}

    def answer(self) -> dict[str, Any]:
        """The whole AuthZEN answer: the boolean, and the context that explains it."""
        return {"decision": self.allowed, "context": self.document()}


def reason_document(reason: Reason) -> dict[str, Any]:
    """A reason as it is answered."""
    return {
        "code": reason.code,
        "rule": reason.rule,
        "effect": reason.effect,
        "text": reason.text,
        "cites": list(reason.cites),
        "verified": reason.verified,
        "remedy": reason.remedy,
    }


def obligation_documents(obligations: Sequence[str]) -> list[dict[str, Any]]:
    """Obligations in the form of AuthZEN's Obligations Profile; ids are unique within one answer."""
    return list(_obligation_documents(tuple(obligations)))


@lru_cache(maxsize=1024)
def _obligation_documents(obligations: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    # There are few combinations, and every answer ends in one of them.
    return tuple(
        {"id": f"obligation-{number}", "type": "custom", "properties": {"action": action}}
        for number, action in enumerate(obligations, start=1)
    )


def merged(verdicts: Sequence[Verdict]) -> Verdict:
    """Combine the verdicts over several contact points: permitted only if every one is; nothing said twice.

    `verdicts` is never empty. Reasons stand in the published order of their codes, as in a single verdict.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    reasons: dict[tuple[str, str], Reason] = {}
    for verdict in verdicts:
        for reason in verdict.reasons:
            reasons.setdefault((reason.code, reason.rule), reason)
    return Verdict(
        all(verdict.allowed for verdict in verdicts),
        tuple(sorted(reasons.values(), key=lambda reason: reason.rank)),
        tuple(dict.fromkeys(each for verdict in verdicts for each in verdict.obligations)),
        tuple(dict.fromkeys(each for verdict in verdicts for each in verdict.permits)),
        tuple(dict.fromkeys(each for verdict in verdicts for each in verdict.lifted)),
    )


def fact_documents(facts: FactValues) -> dict[str, Any]:
    """Facts as JSON: instants on the wire, sets as sorted lists, absent facts left out."""
    return {
        name: value if value.__class__ in _AS_THEY_ARE else _plain(value)
        for name, value in facts.items()
        if value is not None
    }


_AS_THEY_ARE = frozenset({str, bool, int})


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return wire(value)
    if isinstance(value, (tuple, set, frozenset)):
        return sorted(value, key=str)
    return value
