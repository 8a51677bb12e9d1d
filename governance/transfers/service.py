"""Use cases of the mechanisms: the register, and the kill switch that every next check obeys."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from governance.clock import wire
from governance.decisions.ground import stand
from governance.errors import ConflictError, InvalidError, NotFoundError, StaleError, UnreadableError
from governance.transfers import affected, checks, flows, store
from governance.transfers.affected import AffectedPerson
from governance.transfers.gate import open_gate
from governance.transfers.model import IN_FORCE, STORED, SUSPENDED, Mechanism
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_KEEPER = "transfers"
"""In place of a person: why mechanisms were suspended lies under one key."""

MOST_REASON = 2_000
_NOT_CHANGED = "This mechanism was not changed; read it again and repeat the change on what you find: "


@dataclass(frozen=True, slots=True)
class Switched:
    """What throwing the kill switch (or putting it back) did, or would do in a dry run."""

    mechanism: Mechanism
    impact: Mapping[str, Any]
    dry_run: bool


def put(work: Work, mechanism_id: str, body: Mapping[str, Any], if_match: int | None) -> Mechanism:
    """Register a mechanism (`if_match` None) or replace the version that the caller read.

    A suspension stays. Raises InvalidError for what is no mechanism or has expired, StaleError if the newest
    version is not `if_match`.
    """
    row = store.find_mechanism(work.connection, work.tenant_id, mechanism_id, lock=True)
    newest = 0 if row is None else int(row["version"])
    if if_match != (newest or None):
        raise StaleError(
            _NOT_CHANGED + (f"its newest version is {newest}." if newest else "it does not exist.")
        )
    new = checks.read_mechanism(work, stand(work), mechanism_id, newest + 1, body)
    new = replace(new, suspended_at=None if row is None else row["suspended_at"])
    event = work.record(
        "transfers.mechanism_put",
        facts={
            "mechanism": mechanism_id,
            "version": new.version,
            "kind": new.kind,
            "instruments": list(new.instruments),
            "recipients": list(new.recipients),
            "destinations": list(new.destinations),
            "data_classes": list(new.data_classes),
            "valid_from": wire(new.valid_from),
            "expires_at": None if new.expires_at is None else wire(new.expires_at),
            "assessment": new.assessment_reference,
            "consent_purpose": new.consent_purpose,
        },
    )
    _write(work, new, {"noticed": None, "event_id": event.id})
    flows.announce(work, open_gate(work))
    return new


def get(snap: Snapshot, mechanism_id: str) -> Mechanism:
    """The mechanism of this id; NotFoundError."""
    return store.read_mechanism(_row(snap, mechanism_id))


def exists(snap: Snapshot, mechanism_id: str) -> bool:
    """Whether there is a mechanism of this id."""
    return store.find_mechanism(snap.connection, snap.tenant_id, mechanism_id) is not None


def listed(snap: Snapshot, *, after: str = "", limit: int = 50) -> list[Mechanism]:
    """Mechanisms by id."""
    every = store.mechanisms(snap.connection, snap.tenant_id)
    return [each for each in every if each.mechanism_id > after][:limit]


def suspend(work: Work, mechanism_id: str, *, reason: str, dry_run: bool = False) -> Switched:
    """Throw the kill switch: whatever rests on this mechanism alone is denied from the next check on.

    Opt-outs, orders to erase, data coming back and answers to the person go on. With `dry_run` nothing is
    changed. Raises NotFoundError, ConflictError if it is suspended already.
    """
    if not reason.strip() or len(reason) > MOST_REASON:
        complaint = f"Say why in 1 to {MOST_REASON} characters."
        raise InvalidError(complaint, fields={"reason": [complaint]})
    present = store.read_mechanism(_row(work, mechanism_id, lock=True))
    if present.suspended_at is not None:
        raise ConflictError("This mechanism is suspended already.")
    new = replace(present, version=present.version + 1, suspended_at=work.now)
    impact = _impact(work, new)
    if dry_run:
        return Switched(replace(new, version=present.version), impact, dry_run=True)
    event = work.record(
        "transfers.mechanism_suspended",
        facts={
            "mechanism": mechanism_id,
            "version": new.version,
            "stopped": list(impact["stopped"]),
            "carried_on": list(impact["carried_on"]),
            "people": impact["people"],
        },
    )
    sealed = work.resource(Vault).seal(
        work.tenant_id, _KEEPER, EVIDENCE, _place(mechanism_id), reason.encode()
    )
    _write(work, new, {"suspended_by": work.actor.ref, "reason_sealed": sealed, "event_id": event.id})
    flows.announce(work, open_gate(work))
    return Switched(new, impact, dry_run=False)


def reinstate(work: Work, mechanism_id: str) -> Switched:
    """Put the kill switch back. Raises NotFoundError, ConflictError if it is not suspended."""
    present = store.read_mechanism(_row(work, mechanism_id, lock=True))
    if present.suspended_at is None:
        raise ConflictError("This mechanism is not suspended.")
    new = replace(present, version=present.version + 1, suspended_at=None)
    impact = _impact(work, new)
    event = work.record(
        "transfers.mechanism_reinstated",
        facts={"mechanism": mechanism_id, "version": new.version, "resumed": list(impact["carried_on"])},
    )
    _write(work, new, {"suspended_by": None, "reason_sealed": None, "event_id": event.id})
    flows.announce(work, open_gate(work))
    return Switched(new, impact, dry_run=False)


def document(snap: Snapshot, each: Mechanism) -> dict[str, Any]:
    """A mechanism as it is answered."""
    state = each.state(snap.now)
    suspension = None
    if state == SUSPENDED:
        suspension = _suspension(snap, each.mechanism_id)
    return {
        "id": each.mechanism_id,
        "version": each.version,
        "kind": each.kind,
        "instruments": list(each.instruments),
        "scope": {
            "recipients": list(each.recipients),
            "destinations": list(each.destinations),
            "data_classes": list(each.data_classes),
        },
        "valid_from": wire(each.valid_from),
        "expires_at": None if each.expires_at is None else wire(each.expires_at),
        "owner": each.owner,
        "assessment_reference": each.assessment_reference,
        "unassessed": list(each.unassessed),
        "consent_purpose": each.consent_purpose,
        "status": state,
        "in_force": state == IN_FORCE,
        "suspension": suspension,
    }


def people(snap: Snapshot, mechanism_id: str, *, after: str = "", limit: int = 50) -> list[AffectedPerson]:
    """Who rests on a mechanism alone in some flow, by reference: whom the kill switch stops, or has stopped.

    Raises NotFoundError.
    """
    return affected.on_it_alone(snap, get(snap, mechanism_id)).listed(after, limit)


def _impact(work: Work, new: Mechanism) -> dict[str, Any]:
    gate = open_gate(work)
    then = gate.with_mechanisms([new])
    concerned = affected.of_mechanism(gate, then, new).count()
    return flows.impact(flows.all_of(gate), flows.all_of(then), concerned)


def _suspension(snap: Snapshot, mechanism_id: str) -> dict[str, Any] | None:
    row = _row(snap, mechanism_id)
    if row["suspended_at"] is None:
        return None
    reason = None
    if row["reason_sealed"] is not None:
        try:
            plain = snap.resource(Vault).reveal(
                snap.tenant_id,
                _KEEPER,
                EVIDENCE,
                _place(mechanism_id),
                row["reason_sealed"],
            )
            reason = plain.decode()
        except UnreadableError:
            reason = None
    return {"since": wire(row["suspended_at"]), "by": row["suspended_by"], "reason": reason}


def _row(snap: Snapshot, mechanism_id: str, *, lock: bool = False) -> Mapping[str, Any]:
    row = store.find_mechanism(snap.connection, snap.tenant_id, mechanism_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no mechanism of this id.")
    return row


def _write(work: Work, new: Mechanism, more: Mapping[str, Any]) -> None:
    values = {name: getattr(new, name) for name in STORED if name not in ("mechanism_id", "version")}
    values |= {"updated_at": work.now, **more}
    if not store.write_mechanism(work.connection, work.tenant_id, new.mechanism_id, new.version, values):
        raise StaleError(_NOT_CHANGED + "someone else has just written it.")


def _place(mechanism_id: str) -> Place:
    return Place("transfer_mechanism", "reason_sealed", mechanism_id)
