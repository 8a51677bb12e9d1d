"""The certificate of an erasure: a signed statement of what was done where, which names nobody."""

from typing import Any

from governance.clock import wire
from governance.erasure.model import Erasure, Part, Step
from governance.vault.service import Vault
from governance.work import Work


def certify(work: Work, erasure: Erasure) -> str:
    """Sign the outcome of every step (compact JWS, ES256); verified with the public keys of the service."""
    claims = {
        "iss": "governance",
        "iat": int(work.now.timestamp()),
        "jti": erasure.erasure_id,
        "kind": "erasure-certificate",
        "tenant": work.tenant_ref,
        "subject": erasure.subject_ref,
        "reason": erasure.reason,
        "scope": None if erasure.scope is None else list(erasure.scope),
        "ordered_at": wire(erasure.ordered_at),
        "completed_at": wire(erasure.completed_at or work.now),
        "probed_at": None if erasure.probed_at is None else wire(erasure.probed_at),
        "status": erasure.status,
        "steps": [_step(step) for step in erasure.steps],
    }
    return work.resource(Vault).sign_receipt(claims)


def part_document(part: Part) -> dict[str, Any]:
    """What became of one data class."""
    return {
        "data_class": part.data_class,
        "outcome": part.outcome,
        "rows": part.rows,
        "because": part.because or None,
        "until": None if part.until is None else part.until.isoformat(),
        "rule": part.rule,
    }


def look_document(step: Step) -> dict[str, Any] | None:
    """What the second look at a system came to; None before it."""
    if step.probe is None:
        return None
    return {"status": step.probe.status, "because": step.probe.because or None}


def _step(step: Step) -> dict[str, Any]:
    return {
        "system": step.system,
        "outcome": step.outcome,
        "rows": step.rows,
        "data_classes": [part_document(part) for part in (*step.parts, *step.kept)],
        "left": None if step.left is None else sum(step.left.values()),
        "probe": look_document(step),
        "done_at": None if step.done_at is None else wire(step.done_at),
    }
