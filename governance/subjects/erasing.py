"""What becomes of a person's own record when the person is erased: frozen first, then blank for ever.

What stays is a row under a random reference that says `erased`, keyed hashes by which a sync or an import
that brings the person back is recognised (`subject_tombstone`), and relationship events without their
references. Keys are the vault's matter: whoever calls `bury` has shredded them.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from governance.subjects import point_store, store, tombstone_store
from governance.subjects.lookups import group, lock_with_addresses, points
from governance.subjects.model import Subject
from governance.subjects.sealing import EXTERNAL_ID, external_id_hash, hold, reveal_point
from governance.subjects.store import contact_point, relationship_event
from governance.work import Snapshot, Work

_BLANK: dict[str, object] = {
    "country": None,
    "region": None,
    "time_zone": None,
    "language": None,
    "customer_type": None,
    "birth_month": None,
    "birth_date_sealed": None,
    "organisation_id": None,
    "organisation_country": None,
    "acquired": "unknown",
    "acquired_at": None,
    "capture_point": None,
    "source_channel": None,
    "source_url_sealed": None,
    "last_purchase_at": None,
    "last_inquiry_at": None,
    "last_contact_at": None,
    "contract_state": "none",
    "contract_ended_at": None,
    "subscription_state": "none",
    "subscription_ended_at": None,
    "notice_given": False,
    "invoice_open": False,
    "warranty_open": False,
    "dispute_open": False,
    "erasure_pending": False,
    "erased": True,
}


@dataclass(frozen=True, slots=True)
class KnownAs:
    """What a person is found by elsewhere: the CRM's ids of all records merged into one, and addresses.

    `values` are contact points as (type, normalised value), closed ones too. Personal: never in a `repr`.
    """

    external_ids: tuple[str, ...]
    values: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """Say how many, not which."""
        return f"KnownAs({len(self.external_ids)} ids, {len(self.values)} values)"


def known_as(snap: Snapshot, subject_ref: str) -> KnownAs:
    """Read what the person is found by elsewhere, while the keys still exist."""
    ids = store.external_ids(snap.connection, snap.tenant_id, group(snap, subject_ref))
    held = points(snap, subject_ref)
    keys = hold(snap, [subject_ref]) if held else None
    values = dict.fromkeys((point.type, reveal_point(snap, point, keys)) for point in held)
    return KnownAs(tuple(sorted(ids.values())), tuple(values))


def set_erasure_pending(work: Work, subject_ref: str, pending: bool) -> Subject:
    """Freeze a person for an erasure, or lift that; again changes nothing. The caller records the event.

    While frozen, every gate says no, except to the erasure and its letters.
    """
    person = lock_with_addresses(work, subject_ref)
    if person.erasure_pending != pending and not person.erased:
        values = {"erasure_pending": pending, "updated_at": work.now}
        work.touch(subject_ref)
        store.update(work.connection, work.tenant_id, subject_ref, values)
    return lock_with_addresses(work, subject_ref)


def bury(work: Work, subject_ref: str, *, fence: datetime | None = None) -> int:
    """Blank a person's record and those merged into it; gives how many contact points there were.

    `fence`: when the erasure became final, now if absent. Needs no key, so that it can be done after the keys
    are gone, and again after a backup came back. The caller records the event.
    """
    since = fence or work.now
    refs = group(work, subject_ref)
    work.touch(*refs)
    tombstones = []
    count = 0
    for ref in refs:
        person = lock_with_addresses(work, ref)
        if person.external_id != ref:
            hashed = external_id_hash(work, person.external_id)
            tombstones.append(
                {"hash": hashed, "type": EXTERNAL_ID, "subject_ref": subject_ref, "since": since}
            )
        for point in point_store.of(work.connection, work.tenant_id, ref):
            count += 1
            tombstones.append(
                {
                    "hash": point.suppression_hash,
                    "type": point.type,
                    "subject_ref": subject_ref,
                    "since": since,
                }
            )
        values = {**_BLANK, "external_id": ref, "updated_at": work.now}
        store.update(work.connection, work.tenant_id, ref, values)
    tombstone_store.add(work.connection, work.tenant_id, tombstones)
    _forget_rows(work, refs)
    return count


def _forget_rows(work: Work, refs: tuple[str, ...]) -> None:
    """Drop the contact points, and what relationship events refer to."""
    work.connection.execute(
        sa.delete(contact_point).where(
            contact_point.c.tenant_id == work.tenant_id, contact_point.c.subject_ref.in_(refs)
        )
    )
    work.connection.execute(
        sa.update(relationship_event)
        .where(relationship_event.c.tenant_id == work.tenant_id, relationship_event.c.subject_ref.in_(refs))
        .values(reference_sealed=None, matter="", point_ref=None)
    )
