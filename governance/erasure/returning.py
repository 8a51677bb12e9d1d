"""Somebody who was erased and came back: what systems hold under the same identifiers may be theirs anew."""

from collections.abc import Iterator

from governance.erasure.model import Erasure
from governance.errors import InvalidError
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.lookups import read_value
from governance.subjects.model import Subject
from governance.systems.model import SubjectKeys
from governance.work import Snapshot

AGAIN = "Data of the person were there again when the system was read a second time."
CAME_BACK = (
    "Somebody who is known here since the erasure has the same identifiers, so what the system holds under "
    "them may be of then or of now. The second look erased nothing there; see in the system whose it is."
)


def came_back(snap: Snapshot, found: Erasure, known: SubjectKeys) -> bool:
    """Whether a living record that began after the fence is found by an identifier of this case."""
    fence = found.fence_at
    return fence is not None and any(
        not each.erased and each.subject_ref != found.subject_ref and each.created_at > fence
        for each in _people(snap, known)
    )


def _people(snap: Snapshot, known: SubjectKeys) -> Iterator[Subject]:
    """Everybody here who is found by one of these identifiers."""
    for external_id in known.external_ids:
        person = subjects.find(snap, external_id)
        if person is not None:
            yield person
    named = {"email": known.emails, "phone": known.phones, "postal": known.postal}
    named |= {"device": known.devices, "social": known.socials}
    for kind, values in named.items():
        for value in values:
            try:
                index = read_value(snap, Identifier(kind, value)).blind_index
            except InvalidError:  # of a form that no record here can have: it finds nobody
                continue
            for point in subjects.shared_points(snap, index):
                person = subjects.find_by_ref(snap, point.subject_ref)
                if person is not None:
                    yield person
