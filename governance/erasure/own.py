"""Erasing our own rows: the keys first, then the log of checks, then the record, with its event.

The order makes a crash harmless: either everything is still readable, or the key is gone. Never is anybody
reported as erased who can be read. Each part may be done again.
"""

from datetime import datetime

from governance.consent import service as consent
from governance.decisions.service import DecisionLog
from governance.subjects import service as subjects
from governance.vault.model import EVIDENCE, OPERATIONAL
from governance.vault.service import Vault
from governance.work import Snapshot, Work


def shred(snap: Snapshot, subject_ref: str) -> None:
    """Destroy the operational keys of the person and of everyone merged into it, for good."""
    vault, log = snap.resource(Vault), snap.resource(DecisionLog)
    for ref in subjects.group(snap, subject_ref):
        vault.shred(snap.tenant_id, ref, OPERATIONAL, snap.now)
        log.erase(snap.tenant_id, ref)


def bury(work: Work, subject_ref: str, *, fence: datetime | None = None, replayed: bool = False) -> int:
    """Blank the person's rows and say so in the ledger; gives how many rows of contact points there were.

    `fence`: when the erasure became final. What the person refused stays on the addresses, as keyed hashes.
    Needs no key: a person whom a backup brought back is buried again without being read.
    """
    person = subjects.lock(work, subject_ref)
    if person.erased:
        return 0
    carried = consent.carry_noes(work, subject_ref)
    points = subjects.bury(work, subject_ref, fence=fence)
    work.record(
        "subject.erased",
        subject_ref=subject_ref,
        facts={"points": points, "noes_carried": carried, "replayed": replayed},
    )
    return points


def shred_evidence(work: Work, subject_ref: str) -> None:
    """Destroy the evidence keys as well: proofs, sends and acts can be counted from now on, not read."""
    vault = work.resource(Vault)
    for ref in subjects.group(work, subject_ref):
        vault.shred(work.tenant_id, ref, EVIDENCE, work.now)
    work.record("subject.evidence_shredded", subject_ref=subject_ref)
