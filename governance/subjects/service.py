"""Use cases of the data subjects: the one module that other rooms call.

Puts live in `puts` and `bulk`, finding in `lookups`, contact points in `points`, relationship events in
`happenings`, stages and restriction in `standing`, merge and split in `merging`, freezing and blanking in
`erasing`, what keeps the erased away in `tombstones`.
"""

from governance.subjects.bulk import put_many
from governance.subjects.erasing import KnownAs, bury, known_as, set_erasure_pending
from governance.subjects.happenings import events, record_event, reveal_reference
from governance.subjects.lookups import (
    external_ids,
    find,
    find_by_ref,
    find_point,
    get,
    get_by_ref,
    group,
    lock,
    lock_with_addresses,
    points,
    resolve,
    resolve_existing,
    shared_points,
)
from governance.subjects.merging import Merged, move_to, split
from governance.subjects.model import (
    ABSENT,
    NewSubject,
    Organisation,
    PutOutcome,
    SubjectChange,
    SubjectReference,
)
from governance.subjects.points import ensure_point, set_point_state, set_point_verified
from governance.subjects.puts import put
from governance.subjects.sealing import birth_date, reveal_point
from governance.subjects.standing import set_held, set_restriction, set_stage, stages
from governance.subjects.tombstones import (
    buried_addresses,
    buried_as,
    check_after_fence,
    find_buried,
    frozen_as,
    has_erased,
    resolve_even_erased,
    too_late,
)

__all__ = [
    "ABSENT",
    "KnownAs",
    "Merged",
    "NewSubject",
    "Organisation",
    "PutOutcome",
    "SubjectChange",
    "SubjectReference",
    "birth_date",
    "buried_addresses",
    "buried_as",
    "bury",
    "check_after_fence",
    "ensure_point",
    "events",
    "external_ids",
    "find",
    "find_buried",
    "find_by_ref",
    "find_point",
    "frozen_as",
    "get",
    "get_by_ref",
    "group",
    "has_erased",
    "known_as",
    "lock",
    "lock_with_addresses",
    "move_to",
    "points",
    "put",
    "put_many",
    "record_event",
    "resolve",
    "resolve_even_erased",
    "resolve_existing",
    "reveal_point",
    "reveal_reference",
    "set_erasure_pending",
    "set_held",
    "set_point_state",
    "set_point_verified",
    "set_restriction",
    "set_stage",
    "shared_points",
    "split",
    "stages",
    "too_late",
]
