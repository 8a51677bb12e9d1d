"""Reading what a screening found: each person's answer, and the proof.

People are kept by reference; the CRM's ids are looked up while reading, a chunk at a time: memory is flat.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from governance.communications import screening_answers as answers
from governance.communications import screening_store as store
from governance.communications.screening import Chunk, Outcome, Screening
from governance.communications.screening_spool import root_of
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.subjects.model import CHANNEL_POINT_TYPE
from governance.subjects.store import subject
from governance.work import Snapshot

LOOKUP = 500
DECISIONS = ("allow", "deny")


def results(snap: Snapshot, screening_id: str, *, decision: str | None = None) -> Iterator[dict[str, Any]]:
    """Each person's answer, in a fixed order: `{"id", "decision", "codes", "contact_points"}`.

    `decision` is `allow`, `deny` or None for both. Raises NotFoundError, ConflictError
    (`screening-not-completed`) and InvalidError before the first answer is asked for.
    """
    if decision is not None and decision not in DECISIONS:
        raise InvalidError("A decision is allow or deny.", fields={"decision": ["Give allow or deny."]})
    done = completed(snap, screening_id)
    return _results(snap, done, None if decision is None else decision == "allow")


def completed(snap: Snapshot, screening_id: str) -> Screening:
    """The screening of this id; NotFoundError if there is none, ConflictError unless it is completed."""
    found = store.find(snap.connection, snap.tenant_id, screening_id, snap.now)
    if found is None:
        raise NotFoundError("There is no screening with this id.")
    if found.status != "completed":
        raise ConflictError(
            f"This screening is {found.status}; results are there once it is completed.",
            reason="screening-not-completed",
        )
    return found


def verify(snap: Snapshot, screening_id: str) -> bool:
    """Whether the kept answers are those that the screening's receipt speaks of (the same Merkle root)."""
    done = completed(snap, screening_id)
    outcomes = answers.outcomes(snap.connection, snap.tenant_id, screening_id)
    leaves = answers.chunk_leaves(snap.connection, snap.tenant_id, screening_id)
    return root_of(outcomes, leaves) == done.results_root


def _results(snap: Snapshot, done: Screening, allowed: bool | None) -> Iterator[dict[str, Any]]:
    outcomes = outcomes_of(snap, done)
    kind = point_type(done)
    for chunk in answers.chunks(snap.connection, snap.tenant_id, done.screening_id):
        ids = _chunk_ids(snap, done, chunk)
        for member, number, points in zip(chunk.members, chunk.outcomes, chunk.points, strict=True):
            outcome = outcomes[number]
            if allowed is None or outcome.allowed == allowed:
                yield line(ids[member], outcome, points, kind)


def outcomes_of(snap: Snapshot, done: Screening) -> Mapping[int, Outcome]:
    """The outcomes of a screening by their numbers."""
    kept = answers.outcomes(snap.connection, snap.tenant_id, done.screening_id)
    return {outcome.number: outcome for outcome in kept}


def _chunk_ids(snap: Snapshot, done: Screening, chunk: Chunk) -> Mapping[str, str]:
    if not chunk.known:
        return {member: member for member in chunk.members}
    if "ids" in done.audience:
        return external_ids(snap, chunk.members)
    # Chunks are disjoint ranges of the key: all of them together read each row at most once.
    rows = snap.connection.execute(
        sa.select(subject.c.subject_ref, subject.c.external_id).where(
            subject.c.tenant_id == snap.tenant_id,
            subject.c.subject_ref >= chunk.members[0],
            subject.c.subject_ref <= chunk.members[-1],
        )
    )
    return {ref: external for ref, external in rows}  # noqa: C416 - dict(rows) is untyped


def external_ids(snap: Snapshot, refs: Sequence[str]) -> dict[str, str]:
    """The CRM's ids of these people, by reference."""
    found: dict[str, str] = {}
    for start in range(0, len(refs), LOOKUP):
        rows = snap.connection.execute(
            sa.select(subject.c.subject_ref, subject.c.external_id).where(
                subject.c.tenant_id == snap.tenant_id,
                subject.c.subject_ref.in_(refs[start : start + LOOKUP]),
            )
        )
        found.update((ref, external) for ref, external in rows)
    return found


def point_type(done: Screening) -> str:
    """The type of contact points that a screening's channel reaches."""
    return CHANNEL_POINT_TYPE.get(str(done.question.get("channel")), "")


def _points(points: Sequence[str], point_type: str) -> list[dict[str, str]]:
    return [{"ref": point, "type": point_type} for point in points]


def line(external: str, outcome: Outcome, points: Sequence[str], point_type: str) -> dict[str, Any]:
    """One person's answer as it is streamed."""
    return {
        "id": external,
        "decision": "allow" if outcome.allowed else "deny",
        "codes": list(outcome.codes),
        "contact_points": _points(points, point_type),
    }
