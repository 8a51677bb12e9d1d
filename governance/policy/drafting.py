"""Use cases of drafts: write one, look at it, try its cases, throw it away.

Checking takes seconds of thought and no lock: it is done in a snapshot, before the unit of work that keeps
the draft. A draft may be kept that lacks cases or whose cases fail; it cannot be proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from governance.errors import NotFoundError, StaleError
from governance.policy import change_store, service, store
from governance.policy.activation import CANCELLED
from governance.policy.case_results import CaseResult, unreached
from governance.policy.cases import run_cases
from governance.policy.complaints import PolicyError
from governance.policy.documents import Node, from_canonical
from governance.policy.drafts import Draft, Sent, read_draft
from governance.policy.loader import check_documents
from governance.policy.model import CheckedPolicies, Problem
from governance.policy.proof import examined
from governance.work import Snapshot, Work

if TYPE_CHECKING:
    from governance.policy.proving import Proof

OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class Written:
    """A draft that was read and checked against what is in force, not kept yet. `base`: that digest."""

    draft: Draft
    sent: Sent
    base: str


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A draft as it is kept; `digest` names its content, `proposal_id` the proposal of just this content."""

    pack: str
    sent: Sent
    digest: str
    written_by: str
    written_at: datetime
    proposal_id: str | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What the cases of a draft and all others come to, the proof, and what else stands against proposing it.

    `failures` says of each failed case, in their order, where it stands and how it differs; `broken` of each
    counter-example of the proof, in their order, at which line of the draft and in words.
    """

    results: Sequence[CaseResult]
    failures: Sequence[Problem]
    problems: Sequence[Problem]
    proof: Proof
    broken: Sequence[Problem]

    @property
    def failed(self) -> list[CaseResult]:
        """The cases that do not hold."""
        return [result for result in self.results if not result.passed]

    @property
    def holds(self) -> bool:
        """Whether the draft could be proposed."""
        return not self.failed and not self.problems and self.proof.holds


def documents_in_force(snap: Snapshot) -> tuple[str, dict[str, Node]]:
    """Give the active digest and its documents; raises as `policy.service.active` does."""
    digest = service.active(snap.connection, snap.tenant_id, snap.now).digest
    return digest, documents_of(snap, digest)


def documents_of(snap: Snapshot, digest: str) -> dict[str, Node]:
    """Give the documents of a digest that is stored."""
    text = store.document(snap.connection, digest)
    if text is None:
        raise NotFoundError("The text of this policy is not stored.")
    return from_canonical(text)


def read(snap: Snapshot, pack: str, sent: Sent) -> Written:
    """Read a draft and check it with everything that is in force; keeps nothing.

    Raises PolicyError with every complaint, each at a line of what was sent.
    """
    base, in_force = documents_in_force(snap)
    draft = read_draft(pack, sent, in_force)
    try:
        check_documents(draft.over(in_force), proven=False, about=draft.documents)
    except PolicyError as refused:
        raise PolicyError(draft.localised(refused.problems)) from None
    return Written(draft, sent, base)


def keep(work: Work, written: Written, if_match: str | None) -> StoredDraft:
    """Keep a draft: a new one (`if_match` None) or in place of the one that the writer read.

    A proposal of what stood there before is outdated. Raises StaleError if another draft stands there.
    """
    pack = written.draft.pack
    store.active_row(work.connection, work.tenant_id, lock=True)
    present = find(work, pack)
    if (None if present is None else present.digest) != if_match:
        raise StaleError("This draft is not the one that you read; read it again and repeat the change.")
    event = work.record("policy.drafted", facts={"pack": pack, "draft": written.draft.digest})
    if present is not None:
        end_open(work, present, OUTDATED, event.id)
    values = {
        "texts": dict(written.sent.texts),
        "digest": written.draft.digest,
        "written_by": work.actor.ref,
        "written_at": work.now,
        "proposal_id": None,
        "event_id": event.id,
    }
    change_store.write_draft(work.connection, work.tenant_id, pack, values, new=present is None)
    return get(work, pack)


def find(snap: Snapshot, pack: str) -> StoredDraft | None:
    """The draft of a pack, None if nobody writes at one."""
    row = change_store.find_draft(snap.connection, snap.tenant_id, pack)
    if row is None:
        return None
    return StoredDraft(
        pack, Sent(row["texts"]), row["digest"], row["written_by"], row["written_at"], row["proposal_id"]
    )


def get(snap: Snapshot, pack: str) -> StoredDraft:
    """The draft of a pack; raises NotFoundError."""
    found = find(snap, pack)
    if found is None:
        raise NotFoundError("There is no draft of this pack; PUT one first.")
    return found


def discard(work: Work, pack: str, digest: str) -> None:
    """Throw a draft away, and with it what was proposed of it; raises StaleError if it is another one."""
    store.active_row(work.connection, work.tenant_id, lock=True)
    present = get(work, pack)
    if present.digest != digest:
        raise StaleError("This draft is not the one that you read; read it again.")
    event = work.record("policy.draft_discarded", facts={"pack": pack, "draft": digest})
    end_open(work, present, CANCELLED, event.id)
    change_store.drop_draft(work.connection, work.tenant_id, pack)


def candidate(snap: Snapshot, pack: str) -> tuple[StoredDraft, CheckedPolicies]:
    """Read the whole policy that the draft of a pack would make, its cases aside; writes nothing.

    Raises NotFoundError without a draft, PolicyError if what is in force now leaves it no place.
    """
    stored = get(snap, pack)
    _, in_force = documents_in_force(snap)
    draft = read_draft(pack, stored.sent, in_force)
    try:
        checked = check_documents(draft.over(in_force), scrutinised=True, proven=False)
    except PolicyError as refused:
        raise PolicyError(draft.localised(refused.problems)) from None
    return stored, checked


def try_cases(snap: Snapshot, pack: str) -> Tried:
    """Run the cases of a draft and all in force, and prove what no policy may allow; changes nothing.

    Raises PolicyError if what is in force now leaves the draft no place.
    """
    stored = get(snap, pack)
    _, in_force = documents_in_force(snap)
    draft = read_draft(pack, stored.sent, in_force)
    try:
        checked = check_documents(draft.over(in_force), proven=False, about=draft.documents)
    except PolicyError as refused:
        raise PolicyError(draft.localised(refused.problems)) from None
    results = run_cases(checked)
    proven = {case.pack for case in checked.cases}
    problems = [
        Problem(other.file, 1, f"the pack '{other.name}' has no cases; send them with it as 'cases'")
        for other in checked.packs
        if other.name not in proven
    ]
    if all(result.passed for result in results):
        problems += unreached(checked.packs, results)
    failures = [
        Problem(result.case.file, result.case.line, result.explanation)
        for result in results
        if not result.passed
    ]
    proof = examined(checked)
    broken = draft.localised([example.problem() for example in proof.found])
    return Tried(results, draft.localised(failures), draft.localised(problems), proof, broken)


def end_proposal(work: Work, proposal_id: str, state: str, values: dict[str, Any], event_id: str) -> None:
    """Say what became of a proposal, and by whom."""
    change_store.update_proposal(
        work.connection,
        work.tenant_id,
        proposal_id,
        {
            "state": state,
            "decided_by": work.actor.ref,
            "decided_at": work.now,
            "event_id": event_id,
            **values,
        },
    )


def end_open(work: Work, stored: StoredDraft, state: str, event_id: str) -> None:
    """End what is proposed of a draft, if somebody has yet to decide about it."""
    row = (
        None
        if stored.proposal_id is None
        else change_store.find_proposal(work.connection, work.tenant_id, stored.proposal_id)
    )
    if row is not None and row["state"] == "open":
        end_proposal(work, row["proposal_id"], state, {}, event_id)
