"""Putting a policy in force: at once, or at an instant from which on every snapshot decides by it.

The row of `policy_active` is the only thing that says what decides. What is to come stands in the same row
with its instant, so it needs no job to be exact: every snapshot compares it with its own `now`. Settling
only writes down afterwards what has come (the event in the ledger, the version).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance.clock import wire
from governance.errors import ConflictError
from governance.events import Fact
from governance.policy import change_store, store
from governance.policy.changes import Changes
from governance.policy.store import InForce
from governance.work import Work

ADOPTED, ACTIVATED, ROLLED_BACK = "adopted", "activated", "rolled_back"
SCHEDULED, CANCELLED = "scheduled", "cancelled"


@dataclass(frozen=True, slots=True)
class Activation:
    """A policy that comes into force: how, in place of which digest, for which pack, proposed by whom.

    `by`: who let it (absent: the actor of the unit of work). `at`: since when (absent: its now).
    """

    kind: str
    digest: str
    before: str | None
    changes: Changes | None
    pack: str | None = None
    proposal_id: str | None = None
    proposed_by: str | None = None
    by: str | None = None
    at: datetime | None = None
    notes: str | None = None


def activate(work: Work, made: Activation, *, counted: Mapping[str, Fact] | None = None) -> str:
    """Put a policy in force that was checked and proved; gives the id of the event.

    What was to come next is called off: it was approved as a change of something else.
    """
    coming = store.active_row(work.connection, work.tenant_id, lock=True)
    at, by = made.at or work.now, made.by or work.actor.ref
    facts: dict[str, Fact] = {"digest": made.digest, "before": made.before, **(counted or {})}
    if made.kind != ADOPTED:
        facts |= {
            "pack": made.pack,
            "proposal": made.proposal_id,
            "proposed_by": made.proposed_by,
            "approved_by": by,
            "effective_at": wire(at),
        }
    called_off = None if coming is None or coming.next_proposal == made.proposal_id else coming.next_proposal
    if called_off is not None:
        facts["called_off"] = called_off
    event = work.record(f"policy.{made.kind}", facts=facts)
    if called_off is not None:
        values = {"state": CANCELLED, "event_id": event.id}
        change_store.update_proposal(work.connection, work.tenant_id, called_off, values)
    store.add_version(
        work.connection,
        {
            "tenant_id": work.tenant_id,
            "event_id": event.id,
            "digest": made.digest,
            "adopted_at": at,
            "adopted_by": by,
            "kind": made.kind,
            "pack": made.pack,
            "before": made.before,
            "proposal_id": made.proposal_id,
            "proposed_by": made.proposed_by,
            "notes": made.notes,
            "changes": made.changes,
        },
    )
    store.activate(work.connection, {"tenant_id": work.tenant_id, "digest": made.digest, "since": at})
    return event.id


def settle(work: Work) -> InForce | None:
    """Write down a change whose instant has come, and give what is in force; holds off every other change.

    None before the first adoption.
    """
    present = store.active_row(work.connection, work.tenant_id, lock=True)
    if present is None or not present.is_due(work.now):
        return present
    assert present.next_digest is not None
    assert present.next_proposal is not None
    proposal = change_store.find_proposal(work.connection, work.tenant_id, present.next_proposal)
    assert proposal is not None
    event_id = activate(
        work,
        Activation(
            kind=ACTIVATED,
            digest=present.next_digest,
            before=present.digest,
            changes=proposal["changes"],
            pack=proposal["pack"],
            proposal_id=present.next_proposal,
            proposed_by=proposal["proposed_by"],
            by=proposal["decided_by"],
            at=present.next_at,
            notes=proposal["notes"],
        ),
    )
    values = {"state": ACTIVATED, "event_id": event_id}
    change_store.update_proposal(work.connection, work.tenant_id, present.next_proposal, values)
    return store.active_row(work.connection, work.tenant_id)


def settled(work: Work) -> InForce:
    """As `settle`, for what changes something that is in force already.

    Raises ConflictError if nothing is.
    """
    present = settle(work)
    if present is None:
        raise ConflictError(
            "No policies are in force yet; adopt the shipped ones first.", reason="no-policies"
        )
    return present
