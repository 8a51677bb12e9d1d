"""What stands in the way of erased persons: hashes of what they were known by, each with its fence.

The fence is the instant at which an erasure became final. What happened up to it cannot bring anybody back,
however late it is told; what a person does after it starts afresh. An act's own time is compared with our
clock at the fence, so a caller whose clock is behind has acts of that span refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from governance.errors import ConflictError, NotFoundError
from governance.subjects import point_store, store, tombstone_store
from governance.subjects.identifiers import CHANNEL_POINT_TYPE, Identifier
from governance.subjects.lookups import group, read_value, resolve
from governance.subjects.model import PointValue, Subject, SubjectReference
from governance.subjects.sealing import EXTERNAL_ID, external_id_hash
from governance.work import Snapshot


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One hash of an erased person. `type`: a contact point's, or `external_id`; `since`: the fence."""

    hash: str
    type: str
    subject_ref: str
    since: datetime


def matching(snap: Snapshot, hashes: Iterable[str]) -> dict[str, Tombstone]:
    """Those of the hashes that belong to erased persons."""
    found = tombstone_store.matching(snap.connection, snap.tenant_id, list(hashes))
    return {each: Tombstone(each, *row) for each, row in found.items()}


def frozen_as(snap: Snapshot, values: Iterable[PointValue], *, lock: bool = False) -> Subject | None:
    """The person being erased who has one of these addresses; they have their hashes.

    `lock`: for whoever is about to give the addresses to another record (see `point_store.frozen`).
    """
    indexes = [each.blind_index for each in values]
    found = point_store.frozen(snap.connection, snap.tenant_id, indexes, lock=lock)
    refs = iter(found.values())
    return store.find(snap.connection, snap.tenant_id, first) if (first := next(refs, None)) else None


def being_erased() -> ConflictError:
    """What is answered to a record that would carry an address of somebody who is being erased.

    It would outlive the erasure as a copy that no case knows of.
    """
    return ConflictError(
        "An address of this record is that of a data subject who is being erased: nothing can be added with "
        "it until the erasure has ended or was taken back.",
        reason="erasure-pending",
    )


def fence_of(snap: Snapshot, subject_ref: str) -> datetime | None:
    """Up to when nothing that is told of a living person can be theirs; None if there is no such time.

    It is the fence of whoever had one of the person's CRM ids, or was reached where the person is, and was
    erased before the person came here. Whoever was here before shares an address and is somebody else.
    """
    if not tombstone_store.any_there(snap.connection, snap.tenant_id):
        return None
    people = store.find_refs(snap.connection, snap.tenant_id, group(snap, subject_ref))
    came: dict[str, datetime] = {
        external_id_hash(snap, each.external_id): each.created_at for each in people.values()
    }
    for point in point_store.of(snap.connection, snap.tenant_id, subject_ref):
        came[point.suppression_hash] = people[subject_ref].created_at
    fences = [each.since for each in matching(snap, came).values() if each.since <= came[each.hash]]
    return max(fences, default=None)


def check_after_fence(snap: Snapshot, person: Subject, at: datetime | None) -> None:
    """Refuse an act of an erased person, or one from before an erasure: ConflictError `erased`."""
    if person.erased:
        raise too_late()
    if at is None or at >= snap.now:
        return
    fence = fence_of(snap, person.subject_ref)
    if fence is not None and at <= fence:
        raise too_late()


def too_late() -> ConflictError:
    """What is answered to something that an erased person did before the erasure."""
    return ConflictError(
        "This data subject was erased, and what is told happened before that: it cannot bring anybody back. "
        "Only what the person does afterwards starts afresh. A no is kept all the same.",
        reason="erased",
    )


def find_buried(snap: Snapshot, reference: SubjectReference) -> Subject | None:
    """The erased person whom a caller named by an id or value that they had; for what the person refused."""
    if reference.id is not None:
        return buried_as(snap, [external_id_hash(snap, reference.id)])
    if reference.email is not None:
        sent = Identifier("email", reference.email)
    else:
        sent = Identifier("phone", reference.phone or "")
    return buried_as(snap, [read_value(snap, sent).suppression_hash])


def resolve_even_erased(snap: Snapshot, reference: SubjectReference) -> Subject:
    """The person whom a caller named, else the erased one who had that id or value; NotFoundError."""
    found = resolve(snap, reference) or find_buried(snap, reference)
    if found is None:
        raise NotFoundError("This data subject does not exist here.")
    return found


def has_erased(snap: Snapshot) -> bool:
    """Whether anybody was ever erased here: spares looks for fences where nobody was."""
    return tombstone_store.any_there(snap.connection, snap.tenant_id)


def buried_as(snap: Snapshot, hashes: Iterable[str]) -> Subject | None:
    """The erased person to whom one of these hashes belongs."""
    for found in matching(snap, hashes).values():
        return store.find(snap.connection, snap.tenant_id, found.subject_ref)
    return None


def buried_addresses(snap: Snapshot, subject_ref: str, channel: str = "") -> list[str]:
    """The hashes of the addresses that an erased person had, on one channel ('': on any)."""
    kind = CHANNEL_POINT_TYPE[channel] if channel else None
    return [
        found_hash
        for found_hash, found_type in tombstone_store.of_person(snap.connection, snap.tenant_id, subject_ref)
        if found_type != EXTERNAL_ID and kind in (None, found_type)
    ]
