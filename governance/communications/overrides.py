"""Use cases of overrides: ask for an exception from a forbid, let a second person approve it, end it.

For one person and, if it is named, one purpose, with a reason and an end. Which forbids may be overridden
says the pack (`overridable: true`), and a policy is proved without them as well, so what no policy may ever
allow cannot be had by an override. The reason is sealed under the person's evidence key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from governance import persons
from governance.clock import wire
from governance.communications import override_store
from governance.communications.lifting import overridable
from governance.communications.model import ACTION
from governance.decisions.ground import stand
from governance.errors import ConflictError, InvalidError, NotFoundError, UnreadableError
from governance.policy.changing import Refused
from governance.policy.complaints import nearest
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

REQUESTED, APPROVED, REFUSED, ENDED, EXPIRED = "requested", "approved", "refused", "ended", "expired"
LONGEST = timedelta(days=90)


def ask(
    work: Work,
    person: SubjectReference,
    *,
    rule: str,
    purpose: str | None,
    reason: str,
    expires_at: datetime,
) -> dict[str, Any]:
    """Ask for an override; it changes nothing until somebody else approves it.

    Raises NotFoundError for an unknown person, InvalidError for a rule that may not be overridden, a purpose
    that does not exist, or an end that is past or more than 90 days away.
    """
    _check(work, rule, purpose, expires_at)
    subject_ref = subjects.resolve_existing(work, person).subject_ref
    subjects.lock(work, subject_ref)
    override_id = work.new_id("ovr")
    event = work.record(
        "override.requested",
        subject_ref=subject_ref,
        facts={"override": override_id, "rule": rule, "purpose": purpose, "expires_at": wire(expires_at)},
    )
    sealed = work.resource(Vault).seal(
        work.tenant_id, subject_ref, EVIDENCE, _place(override_id), reason.encode()
    )
    row = {
        "tenant_id": work.tenant_id,
        "override_id": override_id,
        "subject_ref": subject_ref,
        "rule": rule,
        "purpose": purpose,
        "state": REQUESTED,
        "reason_sealed": sealed,
        "requested_by": work.actor.ref,
        "requested_at": work.now,
        "expires_at": expires_at,
        "event_id": event.id,
    }
    override_store.add(work.connection, row)
    return get(work, override_id)


def approve(work: Work, override_id: str) -> dict[str, Any] | Refused:
    """Approve an override; whoever asked for it is refused, and that is recorded.

    Raises NotFoundError, ConflictError `override-decided`, InvalidError if the rule may no longer be
    overridden or the end has passed.
    """
    row = _open(work, override_id)
    same = "Whoever asks for an exception cannot approve it."
    why_not = persons.not_second(work, row["requested_by"], otherwise=same)
    if why_not is not None:
        work.record(
            "override.approval_refused",
            subject_ref=row["subject_ref"],
            facts={"override": override_id, "because": persons.CODE},
        )
        return Refused(persons.CODE, why_not)
    _check(work, row["rule"], row["purpose"], row["expires_at"])
    return _decide(work, row, APPROVED)


def refuse(work: Work, override_id: str) -> dict[str, Any]:
    """Refuse an override that was asked for; raises NotFoundError, ConflictError `override-decided`."""
    return _decide(work, _open(work, override_id), REFUSED)


def end(work: Work, override_id: str) -> dict[str, Any]:
    """End an override before its time; anybody may who may approve.

    Raises NotFoundError, ConflictError `override-decided` if it is not in force.
    """
    row = _row(work, override_id, lock=True)
    if _state(row, work.now) != APPROVED:
        raise ConflictError("This override is not in force.", reason="override-decided")
    event = work.record(
        "override.ended", subject_ref=row["subject_ref"], facts={"override": override_id, "rule": row["rule"]}
    )
    values = {"state": ENDED, "ended_by": work.actor.ref, "ended_at": work.now, "event_id": event.id}
    override_store.update(work.connection, work.tenant_id, override_id, values)
    return get(work, override_id)


def get(snap: Snapshot, override_id: str) -> dict[str, Any]:
    """An override with its reason; raises NotFoundError."""
    return document(snap, _row(snap, override_id), with_reason=True)


def listed(snap: Snapshot, *, after: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """Overrides by id, without their reasons."""
    rows = override_store.listed(snap.connection, snap.tenant_id, after=after, limit=limit)
    return [document(snap, row) for row in rows]


def document(snap: Snapshot, row: RowMapping, *, with_reason: bool = False) -> dict[str, Any]:
    """An override as it is answered; `subject` is our reference of the person."""
    told = {
        "id": row["override_id"],
        "subject_ref": row["subject_ref"],
        "rule": row["rule"],
        "purpose": row["purpose"],
        "state": _state(row, snap.now),
        "requested_by": row["requested_by"],
        "requested_at": wire(row["requested_at"]),
        "decided_by": row["decided_by"],
        "decided_at": None if row["decided_at"] is None else wire(row["decided_at"]),
        "expires_at": wire(row["expires_at"]),
        "ended_by": row["ended_by"],
        "ended_at": None if row["ended_at"] is None else wire(row["ended_at"]),
    }
    return {**told, "reason": _reason(snap, row)} if with_reason else told


def _check(snap: Snapshot, rule: str, purpose: str | None, expires_at: datetime) -> None:
    fields: dict[str, list[str]] = {}
    policy = stand(snap).policy
    known = overridable(policy)
    about = {one.id for pack in policy.packs if ACTION in pack.actions for one in pack.rules}
    if rule not in known & about:
        may = ", ".join(sorted(known & about)) or "none is in force"
        fields["rule"] = [
            f"This rule may not be overridden{nearest(rule, known) or '.'} Those that may: {may}."
        ]
    if purpose is not None and purposes.find(snap, purpose) is None:
        fields["purpose"] = ["This purpose is not in the catalogue."]
    if not snap.now < expires_at <= snap.now + LONGEST:
        fields["expires_at"] = [f"Give an instant later than now and at most {LONGEST.days} days away."]
    if fields:
        raise InvalidError("This override cannot be had; see the fields.", fields=fields)


def _decide(work: Work, row: RowMapping, state: str) -> dict[str, Any]:
    override_id = row["override_id"]
    subjects.lock(work, row["subject_ref"])
    event = work.record(
        f"override.{state}",
        subject_ref=row["subject_ref"],
        facts={
            "override": override_id,
            "rule": row["rule"],
            "purpose": row["purpose"],
            "requested_by": row["requested_by"],
            "expires_at": wire(row["expires_at"]),
        },
    )
    values = {"state": state, "decided_by": work.actor.ref, "decided_at": work.now, "event_id": event.id}
    override_store.update(work.connection, work.tenant_id, override_id, values)
    return get(work, override_id)


def _open(work: Work, override_id: str) -> RowMapping:
    row = _row(work, override_id, lock=True)
    if row["state"] != REQUESTED:
        raise ConflictError("Somebody has decided about this already.", reason="override-decided")
    return row


def _row(snap: Snapshot, override_id: str, *, lock: bool = False) -> RowMapping:
    row = override_store.find(snap.connection, snap.tenant_id, override_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no such override.")
    return row


def _state(row: RowMapping, now: datetime) -> str:
    return (
        EXPIRED if row["state"] in (REQUESTED, APPROVED) and row["expires_at"] <= now else str(row["state"])
    )


def _reason(snap: Snapshot, row: RowMapping) -> str | None:
    where = _place(row["override_id"])
    try:
        vault = snap.resource(Vault)
        sealed = row["reason_sealed"]
        return vault.reveal(snap.tenant_id, row["subject_ref"], EVIDENCE, where, sealed).decode()
    except UnreadableError:
        return None


def _place(override_id: str) -> Place:
    return Place("policy_override", "reason_sealed", override_id)
