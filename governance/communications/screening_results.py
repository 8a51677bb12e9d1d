"""Reading what a screening found: each person's answer, what changed since an earlier one, and the proof.

People are kept by reference; the CRM's ids are looked up while reading, a chunk at a time: memory is flat.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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

_LOOKUP = 500
DECISIONS = ("allow", "deny")


@dataclass(frozen=True, slots=True)
class _Person:
    """One person's answer. `key` orders people: the known by reference, then ids that lead to nobody."""

    key: tuple[bool, str]
    outcome: Outcome
    points: tuple[str, ...]

    @property
    def answer(self) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
        """What counts as a change when it differs."""
        return self.outcome.allowed, self.outcome.codes, self.points


def results(snap: Snapshot, screening_id: str, *, decision: str | None = None) -> Iterator[dict[str, Any]]:
    """Each person's answer, in a fixed order: `{"id", "decision", "codes", "contact_points"}`.

    `decision` is `allow`, `deny` or None for both. Raises NotFoundError, ConflictError
    (`screening-not-completed`) and InvalidError before the first answer is asked for.
    """
    if decision is not None and decision not in DECISIONS:
        raise InvalidError("A decision is allow or deny.", fields={"decision": ["Give allow or deny."]})
    done = completed(snap, screening_id)
    return _results(snap, done, None if decision is None else decision == "allow")


def delta(snap: Snapshot, screening_id: str, *, since: int) -> Iterator[dict[str, Any]]:
    """The people whose answer differs from that of the completed screening that asked the same at `since`.

    `{"id", "decision", "was", "codes", "contact_points"}`; `was` is null for who was not asked about then,
    `decision` is null for who is not asked about now. Raises as `results` does, and NotFoundError if no
    completed screening asked the same question of the same audience at that epoch.
    """
    now = completed(snap, screening_id)
    before = store.completed_at(snap.connection, snap.tenant_id, now.question_digest, since)
    if before is None:
        raise NotFoundError(
            "No completed screening asked the same question of the same audience at this epoch; "
            "pass the `epoch` of an earlier one."
        )
    return _delta(snap, completed(snap, before), now)


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
    outcomes = _outcomes(snap, done)
    point_type = _point_type(done)
    for chunk in answers.chunks(snap.connection, snap.tenant_id, done.screening_id):
        ids = _chunk_ids(snap, done, chunk)
        for member, number, points in zip(chunk.members, chunk.outcomes, chunk.points, strict=True):
            outcome = outcomes[number]
            if allowed is None or outcome.allowed == allowed:
                yield _line(ids[member], outcome, points, point_type)


def _delta(snap: Snapshot, before: Screening, now: Screening) -> Iterator[dict[str, Any]]:
    # Who could not be found then and is known now has one id but two keys: read the strangers of then first.
    strangers = {person.key[1]: person for person in _people(snap, before, only_strangers=True)}
    batch: list[tuple[_Person | None, _Person | None]] = []
    for then, today in _paired(_people(snap, before), _people(snap, now)):
        if then is not None and not then.key[0]:
            if today is not None:
                del strangers[then.key[1]]
            if today is None or then.answer == today.answer:
                continue
        elif then is not None and today is not None and then.answer == today.answer:
            continue
        batch.append((then, today))
        if len(batch) == _LOOKUP:
            yield from _changes(snap, now, batch, strangers)
            batch = []
    yield from _changes(snap, now, batch, strangers)
    for external, person in strangers.items():
        yield _changed(external, person, None, _point_type(now))


def _changes(
    snap: Snapshot,
    now: Screening,
    pairs: Sequence[tuple[_Person | None, _Person | None]],
    strangers: dict[str, _Person],
) -> Iterator[dict[str, Any]]:
    people = [_one(pair) for pair in pairs]
    ids = external_ids(snap, [person.key[1] for person in people if person.key[0]])
    for person, (then, today) in zip(people, pairs, strict=True):
        known, member = person.key
        external = ids[member] if known else member
        if then is None:
            then = strangers.pop(external, None)
        if then is None or today is None or then.answer != today.answer:
            yield _changed(external, then, today, _point_type(now))


def _paired(
    before: Iterable[_Person], now: Iterable[_Person]
) -> Iterator[tuple[_Person | None, _Person | None]]:
    """Walk two ordered streams side by side."""
    old, new = iter(before), iter(now)
    then, today = next(old, None), next(new, None)
    while then is not None or today is not None:
        if today is None or (then is not None and _order(then) < _order(today)):
            yield then, None
            then = next(old, None)
        elif then is None or _order(today) < _order(then):
            yield None, today
            today = next(new, None)
        else:
            yield then, today
            then, today = next(old, None), next(new, None)


def _order(person: _Person) -> tuple[bool, str]:
    known, member = person.key
    return not known, member


def _one(pair: tuple[_Person | None, _Person | None]) -> _Person:
    person = pair[0] if pair[1] is None else pair[1]
    assert person is not None
    return person


def _people(snap: Snapshot, done: Screening, *, only_strangers: bool = False) -> Iterator[_Person]:
    outcomes = _outcomes(snap, done)
    for chunk in answers.chunks(
        snap.connection, snap.tenant_id, done.screening_id, only_strangers=only_strangers
    ):
        for member, number, points in zip(chunk.members, chunk.outcomes, chunk.points, strict=True):
            yield _Person((chunk.known, member), outcomes[number], points)


def _outcomes(snap: Snapshot, done: Screening) -> Mapping[int, Outcome]:
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
    for start in range(0, len(refs), _LOOKUP):
        rows = snap.connection.execute(
            sa.select(subject.c.subject_ref, subject.c.external_id).where(
                subject.c.tenant_id == snap.tenant_id,
                subject.c.subject_ref.in_(refs[start : start + _LOOKUP]),
            )
        )
        found.update((ref, external) for ref, external in rows)
    return found


def _point_type(done: Screening) -> str:
    return CHANNEL_POINT_TYPE.get(str(done.question.get("channel")), "")


def _points(points: Sequence[str], point_type: str) -> list[dict[str, str]]:
    return [{"ref": point, "type": point_type} for point in points]


def _line(external: str, outcome: Outcome, points: Sequence[str], point_type: str) -> dict[str, Any]:
    return {
        "id": external,
        "decision": "allow" if outcome.allowed else "deny",
        "codes": list(outcome.codes),
        "contact_points": _points(points, point_type),
    }


def _changed(external: str, then: _Person | None, today: _Person | None, point_type: str) -> dict[str, Any]:
    was = None if then is None else ("allow" if then.outcome.allowed else "deny")
    if today is None:
        return {"id": external, "decision": None, "was": was, "codes": [], "contact_points": []}
    return {**_line(external, today.outcome, today.points, point_type), "was": was}
