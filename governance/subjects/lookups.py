"""Finding a data subject: by the CRM's id, by reference, by what they are reached at."""

from collections.abc import Collection

from governance.errors import ConflictError, NotFoundError
from governance.subjects import point_store, store
from governance.subjects.identifiers import Identifier
from governance.subjects.model import (
    ContactPoint,
    PointValue,
    Subject,
    SubjectReference,
    check_external_id,
    read_identifier,
)
from governance.subjects.sealing import indexed
from governance.work import Snapshot, Work


def find(snap: Snapshot, external_id: str) -> Subject | None:
    """The person of this CRM id; one merged away gives the person it was merged into."""
    return _survivor(snap, store.find_by_external_id(snap.connection, snap.tenant_id, external_id))


def get(snap: Snapshot, external_id: str) -> Subject:
    """The person of this CRM id; NotFoundError if there is none."""
    return _existing(find(snap, external_id))


def find_by_ref(snap: Snapshot, subject_ref: str) -> Subject | None:
    """The person of this reference; one merged away gives the person it was merged into."""
    return _survivor(snap, store.find(snap.connection, snap.tenant_id, subject_ref))


def get_by_ref(snap: Snapshot, subject_ref: str) -> Subject:
    """The person of this reference; NotFoundError if there is none."""
    return _existing(find_by_ref(snap, subject_ref))


def resolve(snap: Snapshot, reference: SubjectReference) -> Subject | None:
    """The person whom a caller named, or None.

    A value at which several living people are reached gives the only one whose contact point is open; if that
    is not one, ConflictError `several-people`. InvalidError for an id or a value that can be none.
    """
    if reference.id is not None:
        return find(snap, check_external_id(reference.id))
    if reference.email is not None:
        sent = Identifier("email", reference.email)
    else:
        sent = Identifier("phone", reference.phone or "")
    points = shared_points(snap, read_value(snap, sent).blind_index)
    reached = {point.subject_ref for point in points if point.state == "open"}
    reached = reached or {point.subject_ref for point in points}
    if len(reached) > 1:
        raise ConflictError(
            "Several people are reached there; name the person by id.",
            reason="several-people",
        )
    return find_by_ref(snap, reached.pop()) if reached else None


def resolve_existing(snap: Snapshot, reference: SubjectReference) -> Subject:
    """Like `resolve`, but NotFoundError if nobody is meant."""
    return _existing(resolve(snap, reference))


def external_ids(snap: Snapshot, subject_refs: Collection[str]) -> dict[str, str]:
    """The CRM's own ids of these persons, by reference; the erased have none."""
    return store.external_ids(snap.connection, snap.tenant_id, subject_refs)


def group(snap: Snapshot, subject_ref: str) -> tuple[str, ...]:
    """A person's references: the own one, then those merged into it (their histories are the person's)."""
    return (subject_ref, *store.members(snap.connection, snap.tenant_id, subject_ref))


def lock(work: Work, subject_ref: str) -> Subject:
    """Let nobody else change this person until the work ends, and read the row as it is now.

    Follows no merge. On SQLite a unit of work is alone anyway. NotFoundError if there is none.
    """
    return _existing(store.find(work.connection, work.tenant_id, subject_ref, lock="person"))


def lock_with_addresses(work: Work, subject_ref: str) -> Subject:
    """Lock a person, and let nobody give one of their addresses to another record until the work ends.

    For what freezes or ends a person, or moves their addresses; waits for whoever is giving one away.
    """
    return _existing(store.find(work.connection, work.tenant_id, subject_ref, lock="addresses"))


def find_for_change(work: Work, external_id: str) -> Subject | None:
    """The person of this CRM id, locked; a merge is followed."""
    found = store.find_by_external_id(work.connection, work.tenant_id, external_id, lock="person")
    if found is None or found.merged_into is None:
        return found
    return store.find(work.connection, work.tenant_id, found.merged_into, lock="person")


def points(snap: Snapshot, subject_ref: str) -> list[ContactPoint]:
    """All contact points of a person, open or not, oldest first."""
    return point_store.of(snap.connection, snap.tenant_id, subject_ref)


def shared_points(snap: Snapshot, blind_index: str) -> list[ContactPoint]:
    """Every living person's contact point with this value, whatever its state."""
    return point_store.by_blind_index(snap.connection, snap.tenant_id, blind_index)


def find_point(snap: Snapshot, subject_ref: str, point_type: str, value: str) -> ContactPoint | None:
    """The person's contact point with this value, whatever its state; InvalidError if it can be none."""
    person = store.find(snap.connection, snap.tenant_id, subject_ref)
    sent = Identifier(point_type, value)
    wanted = read_value(snap, sent, None if person is None else person.country)
    return find_indexed(points(snap, subject_ref), wanted)


def find_indexed(known: list[ContactPoint], wanted: PointValue) -> ContactPoint | None:
    """That of the contact points which has this value."""
    for point in known:
        if point.type == wanted.type and point.blind_index == wanted.blind_index:
            return point
    return None


def read_value(snap: Snapshot, sent: Identifier, country: str | None = None) -> PointValue:
    """Bring a sent contact point into its one form, with its keyed hashes."""
    return indexed(snap, [read_identifier(sent, country)])[0]


def _survivor(snap: Snapshot, found: Subject | None) -> Subject | None:
    if found is None or found.merged_into is None:
        return found
    return store.find(snap.connection, snap.tenant_id, found.merged_into)


def _existing(found: Subject | None) -> Subject:
    if found is None:
        raise NotFoundError("This data subject does not exist here.")
    return found
