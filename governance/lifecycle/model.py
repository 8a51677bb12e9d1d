"""What a stage transition is: the question, the facts that policy sees, and what follows from the move. Pure.

A transition moves one data subject to a stage of a model (`relationship` is always in use). Policy sees of
the evidence only that a reference was given, and of the explanation only that there is one; the texts
themselves are sealed. What follows is told beforehand (dry run) and at the move in the same words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance.errors import InvalidError

EVIDENCE = ("contract_reference", "fulfilment_reference")
"""References that a rule may ask for; other evidence is kept and no rule sees it."""

HAND, INACTIVITY = "hand", "inactivity"
"""What may bring a move about; only the service itself says the latter."""

MAX_EVIDENCE_TEXT = 256
MAX_BECAUSE_TEXT = 2_000
MAX_EVIDENCE_MEMBERS = 20

FactValue = str | int | bool | datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the one query of this gate says about a person; `known` is False if there is no such person.

    `stage` is the person's present stage of the model asked about, None before the first.
    `invoice_open`, `warranty_open` and `dispute_open` are None where nobody has said. `last_act_at` is the
    last meaningful act of the person, or the entry into the stage if that is later.
    """

    known: bool
    subject_ref: str | None = None
    stage: str | None = None
    restricted: bool = False
    erasure_pending: bool = False
    erased: bool = False
    held: bool = False
    contract_state: str = "none"
    last_contact_at: datetime | None = None
    notice_given: bool = False
    invoice_open: bool | None = None
    warranty_open: bool | None = None
    dispute_open: bool | None = None
    subscription_state: str = "none"
    last_act_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """The transition that is asked for; `evidence` and `because` are the caller's own words.

    `trigger`: HAND, or INACTIVITY where nobody asks but nothing happened for long.
    """

    model: str
    to: str
    evidence: Mapping[str, str]
    because: str | None = None
    occurred_at: datetime | None = None
    trigger: str = HAND


@dataclass(frozen=True, slots=True)
class Effects:
    """What a stage means beyond the policy's rules: the retention clocks that run while in it."""

    clocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage as consequences need it: lawful bases, permitted message classes, and clocks."""

    bases: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    clocks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Consequences:
    """What changes with the move; every list is sorted.

    `retention_clocks` entries are `{"clock", "change": "started"|"stopped", "at"}`, `at` in RFC 3339.
    `records` are the relationship events that the move itself records (`contract_signed`, `contract_ended`).
    """

    lawful_bases_gained: tuple[str, ...] = ()
    lawful_bases_lost: tuple[str, ...] = ()
    messages_now_allowed: tuple[str, ...] = ()
    messages_now_blocked: tuple[str, ...] = ()
    retention_clocks: tuple[Mapping[str, str], ...] = ()
    access_changes: tuple[Mapping[str, str], ...] = ()
    obligations: tuple[str, ...] = ()
    records: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The member `consequences` of the answer (api.md §5)."""
        return {
            "lawful_bases_gained": list(self.lawful_bases_gained),
            "lawful_bases_lost": list(self.lawful_bases_lost),
            "messages_now_allowed": list(self.messages_now_allowed),
            "messages_now_blocked": list(self.messages_now_blocked),
            "retention_clocks": [dict(each) for each in self.retention_clocks],
            "access_changes": [dict(each) for each in self.access_changes],
            "obligations": list(self.obligations),
            "records": list(self.records),
        }


def check_move(move: Move) -> Move:
    """Return the move if its evidence and explanation have a sound form, or raise InvalidError."""
    fields: dict[str, list[str]] = {}
    if len(move.evidence) > MAX_EVIDENCE_MEMBERS:
        fields["evidence"] = [f"Give at most {MAX_EVIDENCE_MEMBERS} references."]
    for name, text in move.evidence.items():
        if not text.strip() or not text.isprintable() or len(text) > MAX_EVIDENCE_TEXT:
            fields[f"evidence.{name}"] = [
                f"Give a reference of 1 to {MAX_EVIDENCE_TEXT} printable characters."
            ]
    if move.because is not None and (not move.because.strip() or len(move.because) > MAX_BECAUSE_TEXT):
        fields["because"] = [f"Say why in 1 to {MAX_BECAUSE_TEXT} characters, or leave it out."]
    if fields:
        raise InvalidError("The transition cannot be read; see the fields.", fields=fields)
    return move


def facts_of(standing: Standing, move: Move) -> dict[str, FactValue]:
    """The facts of `lifecycle.transition` about one person and one move, named as in the vocabulary."""
    return {
        "transition.model": move.model,
        "transition.from": standing.stage or "none",
        "transition.to": move.to,
        "transition.evidence.contract_reference": "contract_reference" in move.evidence,
        "transition.evidence.fulfilment_reference": "fulfilment_reference" in move.evidence,
        "transition.because": move.because is not None,
        "transition.trigger": move.trigger,
        "person.known": standing.known,
        "person.restricted": standing.restricted,
        "person.erasure_pending": standing.erasure_pending,
        "person.erased": standing.erased,
        "person.held": standing.held,
        "contract.state": standing.contract_state,
        "subscription.state": standing.subscription_state,
        "relationship.last_act_age": standing.last_act_at,
        "relationship.last_contact_age": standing.last_contact_at,
        "invoice.open": standing.invoice_open,
        "warranty.open": standing.warranty_open,
        "dispute.open": standing.dispute_open,
        "notice.given": standing.notice_given,
    }


def records_of(standing: Standing, move: Move) -> tuple[str, ...]:
    """The relationship events that the move itself is proof of.

    A contract reference on the way into service signs a contract, unless one is in force; whoever churns
    with a contract in force ends it.
    """
    if move.to in ("client", "active_service") and "contract_reference" in move.evidence:
        return () if standing.contract_state == "in_force" else ("contract_signed",)
    if move.to == "churned" and standing.contract_state == "in_force":
        return ("contract_ended",)
    return ()


def consequences(
    before: StageView,
    after: StageView,
    *,
    at: str,
    obligations: tuple[str, ...],
    records: tuple[str, ...],
) -> Consequences:
    """Say what changes between two stages; `at` is the instant of the move in RFC 3339."""
    clocks: list[Mapping[str, str]] = [
        {"clock": clock, "change": "started", "at": at} for clock in sorted(after.clocks - before.clocks)
    ]
    clocks += [
        {"clock": clock, "change": "stopped", "at": at} for clock in sorted(before.clocks - after.clocks)
    ]
    return Consequences(
        lawful_bases_gained=tuple(sorted(after.bases - before.bases)),
        lawful_bases_lost=tuple(sorted(before.bases - after.bases)),
        messages_now_allowed=tuple(sorted(after.classes - before.classes)),
        messages_now_blocked=tuple(sorted(before.classes - after.classes)),
        retention_clocks=tuple(clocks),
        obligations=obligations,
        records=records,
    )
