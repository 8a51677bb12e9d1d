"""Use cases of changing policy: propose a draft, approve or reject what somebody else proposed, call it off.

What is approved is what was proposed, to the byte: a proposal names the content of its draft, the policy it
was laid over and the whole policy that comes of it. Whoever approves names the draft that was read. If the
draft or the policy in force is another one by then, the proposal is outdated and has to be made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from governance import persons
from governance.clock import wire
from governance.errors import ConflictError, InvalidError, NotFoundError, StaleError
from governance.policy import activation, change_store, drafting, service, store, texts
from governance.policy.activation import ACTIVATED, CANCELLED, SCHEDULED, Activation
from governance.policy.changes import Changes, differences
from governance.policy.compiled import compile_policy
from governance.policy.complaints import PolicyError
from governance.policy.documents import Node
from governance.policy.drafting import StoredDraft, documents_in_force, end_proposal
from governance.policy.drafts import read_draft
from governance.policy.loader import check_documents, load_documents
from governance.policy.proof import prove
from governance.work import Snapshot, Work

OPEN, REJECTED = "open", "rejected"
LONGEST_NOTICE = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft that could come into force: checked, its cases run, and proved, over `base`.

    `digest` and `text` are of the whole policy that comes of it, `files` are the draft's own.
    """

    draft: str
    base: str
    digest: str
    text: bytes
    changes: Changes
    files: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Refused:
    """An approval that policy administration does not allow; it leaves its trace and is answered with 403."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal. `state` is open, activated, scheduled, cancelled, rejected or outdated."""

    proposal_id: str
    pack: str
    state: str
    draft: str
    base: str
    candidate: str
    proposed_by: str
    proposed_at: datetime
    notes: str
    activate_at: datetime | None
    changes: Changes
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None

    def document(self) -> dict[str, Any]:
        """The proposal as it is answered."""
        return {
            "id": self.proposal_id,
            "pack": self.pack,
            "state": self.state,
            "draft": self.draft,
            "base": self.base,
            "digest": self.candidate,
            "proposed_by": self.proposed_by,
            "proposed_at": wire(self.proposed_at),
            "notes": self.notes,
            "activate_at": None if self.activate_at is None else wire(self.activate_at),
            "changes": self.changes,
            "decided_by": self.decided_by,
            "decided_at": None if self.decided_at is None else wire(self.decided_at),
            "reason": self.reason,
        }


def prepare(snap: Snapshot, pack: str) -> Prepared:
    """Check, try and prove the draft of a pack over what is in force; writes nothing.

    Raises NotFoundError without a draft, PolicyError with every complaint at a line of what was sent.
    """
    stored = drafting.get(snap, pack)
    base, in_force = documents_in_force(snap)
    draft = read_draft(pack, stored.sent, in_force)
    try:
        checked = check_documents(draft.over(in_force), about=draft.documents)
        prove(checked)
    except PolicyError as refused:
        raise PolicyError(draft.localised(refused.problems)) from None
    compiled = compile_policy(checked)
    present = service.active(snap.connection, snap.tenant_id, snap.now)
    changes = differences(present, compiled)
    return Prepared(stored.digest, base, compiled.digest, checked.canonical, changes, draft.documents)


def propose(
    work: Work, pack: str, prepared: Prepared, *, notes: str, activate_at: datetime | None = None
) -> Proposal:
    """Propose a draft to be approved by somebody else; a proposal before it is outdated.

    Raises StaleError if draft or policy changed since it was prepared, ConflictError `nothing-changed` if it
    says what is in force, InvalidError for an instant that is past or further away than 400 days.
    """
    _check_instant(work, activate_at)
    present = activation.settled(work)
    stored = drafting.get(work, pack)
    if stored.digest != prepared.draft or present.digest != prepared.base:
        raise StaleError("The draft or the policy in force has just changed; read it again.")
    if prepared.digest == present.digest:
        raise ConflictError("The draft says what is in force already.", reason="nothing-changed")
    proposal_id = work.new_id("prp")
    event = work.record(
        "policy.proposed",
        facts={
            "pack": pack,
            "proposal": proposal_id,
            "draft": prepared.draft,
            "base": prepared.base,
            "digest": prepared.digest,
            "activate_at": None if activate_at is None else wire(activate_at),
        },
    )
    drafting.end_open(work, stored, drafting.OUTDATED, event.id)
    store.keep_document(work.connection, prepared.digest, prepared.text)
    texts.keep(work, prepared.files, event.id)
    row = {
        "tenant_id": work.tenant_id,
        "proposal_id": proposal_id,
        "pack": pack,
        "state": OPEN,
        "draft": prepared.draft,
        "base": prepared.base,
        "candidate": prepared.digest,
        "proposed_by": work.actor.ref,
        "proposed_at": work.now,
        "notes": notes,
        "activate_at": activate_at,
        "changes": prepared.changes,
        "event_id": event.id,
    }
    change_store.add_proposal(work.connection, row)
    change_store.update_draft(work.connection, work.tenant_id, pack, {"proposal_id": proposal_id})
    return get(work, proposal_id)


def prove_proposed(snap: Snapshot, pack: str) -> None:
    """Prove once more what is about to be approved: what may never be may have grown since it was proposed.

    Raises PolicyError with every counter-example; says nothing where nothing is proposed.
    """
    stored = drafting.find(snap, pack)
    if stored is None or stored.proposal_id is None:
        return
    text = store.document(snap.connection, get(snap, stored.proposal_id).candidate)
    if text is not None:
        prove(load_documents(text))


def approve(work: Work, pack: str, draft: str) -> Proposal | Refused:
    """Let the proposed draft of this digest come into force: at once, or at the instant that was proposed.

    The proposer is refused, and the refusal recorded. Raises NotFoundError, ConflictError (`not-proposed`,
    `already-approved`, `activation-scheduled`), StaleError if draft or policy in force is another by now.
    """
    present = activation.settled(work)
    proposal = _proposed(work, pack, draft)
    same = "Whoever proposed a change cannot approve it; ask somebody else."
    why_not = persons.not_second(work, proposal.proposed_by, otherwise=same)
    if why_not is not None:
        facts = {"pack": pack, "proposal": proposal.proposal_id, "because": persons.CODE}
        work.record("policy.approval_refused", facts=dict(facts))
        return Refused(persons.CODE, why_not)
    if present.digest != proposal.base:
        raise StaleError("Another policy came into force since this was proposed; propose it anew.")
    if present.next_proposal is not None:
        raise ConflictError(
            "Another change waits for its instant; let it come, or call it off first.",
            reason="activation-scheduled",
        )
    if proposal.activate_at is not None and proposal.activate_at > work.now:
        _schedule(work, proposal, proposal.activate_at)
    else:
        event_id = activation.activate(
            work,
            Activation(
                kind=ACTIVATED,
                digest=proposal.candidate,
                before=present.digest,
                changes=proposal.changes,
                pack=pack,
                proposal_id=proposal.proposal_id,
                proposed_by=proposal.proposed_by,
                notes=proposal.notes,
            ),
        )
        end_proposal(work, proposal.proposal_id, ACTIVATED, {}, event_id)
    change_store.drop_draft(work.connection, work.tenant_id, pack)
    return get(work, proposal.proposal_id)


def reject(work: Work, pack: str, draft: str, reason: str) -> Proposal:
    """Refuse what was proposed; the draft stays, to be written anew. Raises as `approve` does."""
    activation.settled(work)
    proposal = _proposed(work, pack, draft)
    event = work.record("policy.rejected", facts={"pack": pack, "proposal": proposal.proposal_id})
    end_proposal(work, proposal.proposal_id, REJECTED, {"reason": reason}, event.id)
    return get(work, proposal.proposal_id)


def call_off(work: Work, pack: str) -> Proposal:
    """Call off a change of a pack that was approved and waits for its instant; raises NotFoundError."""
    present = activation.settled(work)
    coming = None if present.next_proposal is None else get(work, present.next_proposal)
    if coming is None or coming.pack != pack:
        raise NotFoundError("No change of this pack waits for its instant.")
    event = work.record("policy.called_off", facts={"pack": pack, "proposal": coming.proposal_id})
    end_proposal(work, coming.proposal_id, CANCELLED, {}, event.id)
    store.schedule(work.connection, work.tenant_id, None)
    return get(work, coming.proposal_id)


def get(snap: Snapshot, proposal_id: str) -> Proposal:
    """The proposal of this id; raises NotFoundError."""
    row = change_store.find_proposal(snap.connection, snap.tenant_id, proposal_id)
    if row is None:
        raise NotFoundError("There is no such proposal.")
    return _proposal(row, snap.now)


def of_draft(snap: Snapshot, stored: StoredDraft) -> Proposal | None:
    """The newest proposal of just this draft: open or rejected; None if it was not proposed."""
    return None if stored.proposal_id is None else get(snap, stored.proposal_id)


def state_of(proposal: str | None) -> str:
    """Give the state of a draft by that of its newest proposal: draft, proposed or rejected."""
    return {OPEN: "proposed", REJECTED: REJECTED}.get(proposal or "", "draft")


def _schedule(work: Work, proposal: Proposal, at: datetime) -> None:
    """Let a proposal come into force by itself at an instant."""
    event = work.record(
        "policy.scheduled",
        facts={
            "pack": proposal.pack,
            "proposal": proposal.proposal_id,
            "digest": proposal.candidate,
            "proposed_by": proposal.proposed_by,
            "activate_at": wire(at),
        },
    )
    store.schedule(
        work.connection,
        work.tenant_id,
        proposal.candidate,
        next_at=at,
        next_proposal=proposal.proposal_id,
    )
    end_proposal(work, proposal.proposal_id, SCHEDULED, {}, event.id)


def _proposed(work: Work, pack: str, draft: str) -> Proposal:
    """The open proposal of the draft that the caller read."""
    stored = drafting.find(work, pack)
    if stored is None:
        if change_store.was_approved(work.connection, work.tenant_id, pack, draft):
            raise ConflictError("Somebody has approved this already.", reason="already-approved")
        raise NotFoundError("There is no draft of this pack.")
    if stored.digest != draft:
        raise StaleError("The draft was written anew since you read it; read it again.")
    proposal = of_draft(work, stored)
    if proposal is None or proposal.state != OPEN:
        raise ConflictError("This draft is not proposed; somebody has to propose it.", reason="not-proposed")
    return proposal


def _proposal(row: RowMapping, now: datetime) -> Proposal:
    """Read a proposal back: what was scheduled decides from its instant on, written down or not."""
    kept = {name: value for name, value in row.items() if name not in ("tenant_id", "event_id")}
    if row["state"] == SCHEDULED and row["activate_at"] <= now:
        kept["state"] = ACTIVATED
    return Proposal(**kept)


def _check_instant(work: Work, at: datetime | None) -> None:
    if at is not None and not work.now < at <= work.now + LONGEST_NOTICE:
        complaint = f"Give an instant later than now and at most {LONGEST_NOTICE.days} days away, or none."
        raise InvalidError(complaint, fields={"activate_at": [complaint]})
