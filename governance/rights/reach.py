"""Who is reached at an identifier, and what a person is found by in other systems."""

from dataclasses import dataclass
from datetime import datetime

from governance.rights.intake import value_of
from governance.rights.model import Identity
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.systems.model import SubjectKeys
from governance.work import Snapshot

_BY_TYPE = {
    "email": "emails",
    "phone": "phones",
    "postal": "postal",
    "device": "devices",
    "social": "socials",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """Whom an identifier may mean; `sure` if it is exactly one, and was before the request."""

    people: tuple[Subject, ...]
    sure: bool


def meaning(snap: Snapshot, identity: Identity, before: datetime) -> Meaning:
    """Whom an identifier reaches now; contact points that are younger than `before` make nothing sure."""
    if identity.kind == "id":
        named = value_of(snap, identity)
        person = None if named is None else subjects.find(snap, named)
        return Meaning(() if person is None else (person,), person is not None)
    people: dict[str, Subject] = {}
    good: set[str] = set()
    for point in subjects.shared_points(snap, identity.blind_index or ""):
        person = subjects.find_by_ref(snap, point.subject_ref)
        if person is not None and not person.erased:
            people[person.subject_ref] = person
            if point.state == "open" and point.since <= before:
                good.add(person.subject_ref)
    return Meaning(tuple(people.values()), len(people) == 1 and len(good) == 1)


def reached(snap: Snapshot, blind_index: str) -> set[str]:
    """The people who are reached at an address now, through an open contact point or another."""
    found = set()
    for point in subjects.shared_points(snap, blind_index):
        person = subjects.find_by_ref(snap, point.subject_ref)
        if person is not None and not person.erased:
            found.add(person.subject_ref)
    return found


def still_holds(snap: Snapshot, identity: Identity) -> bool:
    """Whether the address that an identity is proved by is still an open one of the person it means.

    True where nobody is meant, and of somebody erased since, whose addresses went with them.
    """
    if identity.subject_ref is None:
        return True
    person = subjects.find_by_ref(snap, identity.subject_ref)
    if person is None or person.erased:
        return True
    points = [each for each in subjects.points(snap, person.subject_ref) if each.state == "open"]
    if identity.kind == "id":
        return identity.point_ref is None or any(each.point_ref == identity.point_ref for each in points)
    return any(each.blind_index == identity.blind_index for each in points)


def keys_of(snap: Snapshot, subject_ref: str) -> SubjectKeys:
    """What a person is found by in other systems: every id and contact point that is or was theirs."""
    known = subjects.known_as(snap, subject_ref)
    values: dict[str, tuple[str, ...]] = {"external_ids": known.external_ids}
    for kind, value in known.values:
        values[_BY_TYPE[kind]] = (*values.get(_BY_TYPE[kind], ()), value)
    return SubjectKeys(subject_ref, **values)
