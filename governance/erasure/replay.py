"""After a backup came back: whoever was erased is erased again.

The keyring is never restored with the data, so its tombstones say whose keys were destroyed. A person whose
key is gone and whose record is not blank was brought back by a restore, or by a process that died between the
two: the record is blanked again. No key is needed for that, and nothing could be read meanwhile.
"""

from collections.abc import Iterator

from governance.erasure import own
from governance.events import Actor
from governance.subjects import service as subjects
from governance.systems.operations import Opener
from governance.vault.model import OPERATIONAL
from governance.vault.service import Vault
from governance.work import Snapshot

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
            own.bury(work, survivor, fence=work.resource(Vault).shredded_at(tenant_id, ref), replayed=True)
            count += len(work.events) > before
    return count
