"""Decisions as they are kept: the row of the log and of the acts, its commitment, and its reading."""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
import sqlalchemy as sa

from governance.clock import wire
from governance.database import micros
from governance.decisions.record import DecisionRecord, fact_documents


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A decision read back from the log or from the acts. `body` is None once it was erased."""

    id: str
    at: datetime
    action: str
    subject_ref: str | None
    allowed: bool
    codes: tuple[str, ...]
    policy: str
    ledger_position: int
    caller_ref: str
    body: dict[str, Any] | None
    act: bool
    batch_id: str | None = None

    def document(self) -> dict[str, Any]:
        """The decision as an auditor sees it: what was asked, what was known, what was answered."""
        return {
            "id": self.id,
            "at": wire(self.at),
            "action": self.action,
            "decision": self.allowed,
            "codes": list(self.codes),
            "policy": self.policy,
            "ledger_position": self.ledger_position,
            "caller": self.caller_ref,
            "act": self.act,
            "erased": self.body is None,
            "sealed_in": self.batch_id,
            **(self.body or {}),
        }


def body_of(record: DecisionRecord) -> dict[str, Any]:
    """What is kept of a decision beside its columns.

    Question, facts, rules and answer, without any address.
    """
    asked = record.asked_for
    return {
        "asked_for": None if asked is None else {"type": asked.type, "id": asked.id},
        "question": dict(record.question),
        "facts": [fact_documents(facts) for facts in record.facts],
        "reasons": [
            {"code": reason.code, "rule": reason.rule, "effect": reason.effect}
            for reason in record.verdict.reasons
        ],
        "permits": list(record.verdict.permits),
        "obligations": list(record.verdict.obligations),
        "contact_points": [point.document() for point in record.contact_points],
        "next_eligible_at": None if record.next_eligible_at is None else wire(record.next_eligible_at),
        "stage": dict(record.stage),
        **({"overrides": [dict(each) for each in record.overrides]} if record.overrides else {}),
        **({} if record.reading is None else record.reading.document()),
    }


def evidence_of(decision: KeptDecision) -> bytes:
    """A decision behind an act in canonical JSON (RFC 8785): what the digest in the act's event is of."""
    return rfc8785.dumps(decision.document())


def columns_of(record: DecisionRecord, tenant_id: str) -> dict[str, Any]:
    """The columns that the log and the acts have in common."""
    return {
        "tenant_id": tenant_id,
        "decision_id": record.id,
        "at": record.evaluated_at,
        "action": record.action,
        "subject_ref": record.subject_ref,
        "allowed": record.allowed,
        "codes": ",".join(record.codes),
        "digest": record.policy,
        "position": record.ledger_position,
        "caller_ref": record.caller_ref,
    }


def commitment(salt: bytes, row: dict[str, Any]) -> bytes:
    """HMAC-SHA-256 under the row's salt over everything that the row says."""
    said = (
        row["tenant_id"],
        row["decision_id"],
        str(micros(row["at"])),
        row["action"],
        row["subject_ref"] or "",
        "1" if row["allowed"] else "0",
        row["codes"],
        row["digest"],
        str(row["position"]),
        row["caller_ref"],
        row["body"],
    )
    # None of these can hold NUL, so two rows that say different things are never one text.
    return hmac.digest(salt, "\0".join(said).encode(), "sha256")


def kept(row: sa.RowMapping | dict[str, Any], *, act: bool) -> KeptDecision:
    """Read a row of `decision` or `logged_decision`."""
    body = row["body"]
    return KeptDecision(
        row["decision_id"],
        row["at"],
        row["action"],
        row["subject_ref"],
        row["allowed"],
        tuple(code for code in row["codes"].split(",") if code),
        row["digest"],
        row["position"],
        row["caller_ref"],
        json.loads(body) if isinstance(body, str) else body,
        act,
        row.get("batch_id"),
    )
