"""After a backup came back: whoever was erased is erased again.

The keyring is never restored with the data, so its tombstones say whose keys were destroyed. A person whose
key is gone and whose record is not blank was brought back by a restore, or by a process that died between the
two: the record is blanked again. No key is needed for that, and nothing could be read meanwhile.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from governance.erasure import own, store
from governance.erasure.model import CANCELLED, UNDO_WINDOW
from governance.errors import NotReadyError
from governance.events import Actor, Fact
from governance.subjects import service as subjects
from governance.vault.model import OPERATIONAL
from governance.vault.service import Vault
from governance.work import Opener, Snapshot, Work

ACTOR = Actor("job:replay-erasures", "job")
_BATCH = 500


def due(snap: Snapshot) -> Iterator[str]:
    """References of persons whose keys are destroyed and whose records are not blank."""
    vault, after = snap.resource(Vault), ""
    while refs := vault.shredded(snap.tenant_id, OPERATIONAL, after=after, limit=_BATCH):
        after = refs[-1]
        for ref in refs:
            person = subjects.find_by_ref(snap, ref)
            if person is not None and not person.erased:
                yield ref


class Whole:
    """Marks, among a process's resources, that nobody was brought back when it was looked."""


def restored(snap: Snapshot) -> list[str]:
    """Those of `due` whom no running case accounts for: the database is older than the keyring.

    Between the end of a key and the end of the rows a case is open and past its fence.
    """
    return [
        ref
        for ref in due(snap)
        if not any(
            each.is_open and each.fence_at is not None
            for each in store.of_subject(snap.connection, snap.tenant_id, _survivor(snap, ref))
        )
    ]


def check_whole(opener: Opener, tenant_ids: Iterable[str]) -> None:
    """Refuse a restored database in which erased people are back; NotReadyError says what to do."""
    for tenant_id in tenant_ids:
        with opener.snapshot(tenant_id, ACTOR) as snap:
            if restored(snap):
                raise NotReadyError(
                    "The database is older than the keyring: it holds people who were erased since; "
                    "run `governance erasures replay`, then start again."
                )


def replay(opener: Opener, tenant_id: str) -> int:
    """Bury everybody who came back; gives how many persons. Safe to repeat and to kill."""
    with opener.snapshot(tenant_id, ACTOR) as snap:
        back = list(due(snap))
    count = 0
    for ref in back:
        with opener.work(tenant_id, ACTOR) as work:
            person = subjects.lock(work, ref)
            survivor = person.merged_into or ref
            before = len(work.events)
            fence = work.resource(Vault).shredded_at(tenant_id, ref)
            own.bury(work, survivor, fence=fence, replayed=True)
            count += len(work.events) > before
            _settle(work, survivor, fence or work.now)
    return count


def _survivor(snap: Snapshot, subject_ref: str) -> str:
    person = subjects.find_by_ref(snap, subject_ref)
    return subject_ref if person is None else person.subject_ref


def _settle(work: Work, subject_ref: str, fence: datetime) -> None:
    """Let cases that a restore brought back, or that were undone since, go on: nothing can be undone."""
    for each in store.of_subject(work.connection, work.tenant_id, subject_ref, lock=True):
        undone = each.status == CANCELLED and each.completed_at is not None and each.completed_at >= fence
        if each.status != UNDO_WINDOW and not undone:
            continue
        values = {
            "status": UNDO_WINDOW,
            "undo_until": min(each.undo_until, work.now),
            "next_at": work.now,
            "completed_at": None,
        }
        store.change(work.connection, work.tenant_id, each.erasure_id, values)
        facts: dict[str, Fact] = {"erasure": each.erasure_id, "undone": undone}
        work.record("erasure.replayed", subject_ref=subject_ref, facts=facts)
