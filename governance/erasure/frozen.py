"""What retention is asked about when the person's own row is blank: taken down when the erasure begins.

The facts lie with the case, sealed under its own key, and go with that key. Days are reckoned from them, from
what is told of the relationship later, and from the schedules in force when they are asked for.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from governance.erasure import store
from governance.erasure.model import Erasure
from governance.policy import service as policies
from governance.retention import service as retention
from governance.retention.standing import Standing
from governance.subjects import service as subjects
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was known, and when the newest data that the case is about came into being.

    `standing` None: what the person's row says now.
    """

    standing: Standing | None
    newest: datetime


def freeze(work: Work, erasure: Erasure, known: Standing | None = None) -> None:
    """Keep what is known of the person with the case; `known`: what was told since."""
    found = known or retention.standing_of(work, erasure.subject_ref)
    plain = json.dumps(found.document()).encode()
    sealed = work.resource(Vault).seal(
        work.tenant_id, erasure.erasure_id, OPERATIONAL, _place(erasure.erasure_id), plain
    )
    values = {"facts_sealed": sealed, "weighed_under": policy_in_force(work)}
    store.change(work.connection, work.tenant_id, erasure.erasure_id, values)


def take_down(work: Work, erasure: Erasure) -> None:
    """Keep what is known of the person when the erasure begins; of whoever is blank already nothing is."""
    person = subjects.find_by_ref(work, erasure.subject_ref)
    if person is not None and not person.erased:
        freeze(work, erasure)


def read(snap: Snapshot, erasure: Erasure) -> Frozen:
    """What retention is asked about for this case, now.

    While the person is here it is what their row says: of some data classes only, data that came into being
    after the order belong to a person who goes on, and count as new.
    """
    person = subjects.find_by_ref(snap, erasure.subject_ref)
    fence = erasure.fence_at or snap.now
    if person is not None and not person.erased:
        if erasure.whole:
            return Frozen(None, fence)
        live = retention.standing_of(snap, erasure.subject_ref)
        return Frozen(None, snap.now if live.in_force else max(fence, live.last_seen))
    last = holder(snap, erasure)
    return Frozen(kept(snap, last), last.fence_at or fence)


def holder(snap: Snapshot, erasure: Erasure) -> Erasure:
    """The case that knows most of a person who is erased: the one that erased all of them, else this one."""
    of_person = store.of_subject(snap.connection, snap.tenant_id, erasure.subject_ref)
    whole = [each for each in of_person if each.whole and each.fence_at is not None]
    return max(whole, key=lambda each: each.fence_at or each.ordered_at, default=erasure)


def kept(snap: Snapshot, erasure: Erasure) -> Standing | None:
    """What was taken down; None if nothing was, or it was forgotten."""
    sealed = store.sealed_facts(snap.connection, snap.tenant_id, erasure.erasure_id)
    if sealed is None:
        return None
    vault = snap.resource(Vault)
    at = _place(erasure.erasure_id)
    plain = vault.reveal(snap.tenant_id, erasure.erasure_id, OPERATIONAL, at, sealed)
    return Standing.read(json.loads(plain))


def policy_in_force(snap: Snapshot) -> str:
    """The digest of the policies whose schedules the days are reckoned by now."""
    return policies.active(snap.connection, snap.tenant_id, snap.now).digest


def _place(erasure_id: str) -> Place:
    return Place("erasure", "facts_sealed", erasure_id)
