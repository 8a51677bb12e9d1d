"""Use cases of the decisions: keep the decision behind an act, find and list what was decided."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from governance.decisions import store
from governance.decisions.keeping import KeptDecision, body_of, columns_of, evidence_of, kept
from governance.decisions.log import DecisionLog
from governance.decisions.record import DecisionRecord
from governance.decisions.store import decision
from governance.errors import NotFoundError
from governance.work import Snapshot, Work

__all__ = ["DecisionLog", "KeptDecision", "find", "keep", "page"]


def keep(work: Work, record: DecisionRecord) -> str:
    """Keep the decision behind an act, in the act's transaction, and give its digest.

    The act records its own event, with the digest among its facts: `keeping.evidence_of` is what it is of. A
    salt inside keeps anybody from testing guesses against it once the decision is erased.
    """
    body = body_of(record) | {"salt": work.new_secret()}
    row = columns_of(record, work.tenant_id) | {"body": body}
    store.keep(work.connection, row)
    return hashlib.sha256(evidence_of(kept(row, act=True))).hexdigest()


def find(snap: Snapshot, decision_id: str) -> KeptDecision:
    """A decision, whether behind an act or of a check; raises NotFoundError."""
    row = store.find(decision, snap.connection, snap.tenant_id, decision_id)
    found = (
        kept(row, act=True)
        if row is not None
        else snap.resource(DecisionLog).find(snap.tenant_id, decision_id)
    )
    if found is None:
        raise NotFoundError("There is no decision with this id.")
    return found


def page(
    snap: Snapshot,
    *,
    subject_ref: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    allowed: bool | None = None,
    action: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[KeptDecision], str | None]:
    """Decisions of acts and checks together, newest first, and the id to go on after (None at the end)."""
    acts = store.page(
        decision,
        snap.connection,
        snap.tenant_id,
        subject_ref=subject_ref,
        since=since,
        until=until,
        allowed=allowed,
        action=action,
        after=after,
        limit=limit + 1,
    )
    checks = snap.resource(DecisionLog).page(
        snap.tenant_id,
        subject_ref=subject_ref,
        since=since,
        until=until,
        allowed=allowed,
        action=action,
        after=after,
        limit=limit + 1,
    )
    both: Sequence[KeptDecision] = [*(kept(row, act=True) for row in acts), *checks]
    found = sorted(both, key=lambda each: each.id, reverse=True)
    return found[:limit], (found[limit - 1].id if len(found) > limit else None)
