"""Whose answer changed: a screening beside an earlier one that asked the same, or beside this very moment.

Both sides are read in the order of references and laid side by side: memory is flat. Asked about now,
everybody is decided anew, so that what time alone changes (expiry, windows, dates of the law) counts as well
as what happened, and nobody need have written down that somebody might be concerned.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from governance.communications import screening_answers as answers
from governance.communications import screening_audience as audiences
from governance.communications import screening_store as store
from governance.communications.screening import Outcome, Screening
from governance.communications.screening_questions import read_question
from governance.communications.screening_results import (
    LOOKUP,
    completed,
    external_ids,
    line,
    outcomes_of,
    point_type,
)
from governance.communications.screening_run import Inquiry
from governance.errors import InvalidError, NotFoundError
from governance.work import Snapshot


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


def delta(snap: Snapshot, screening_id: str, *, since: int) -> Iterator[dict[str, Any]]:
    """The people whose answer changed: `{"id", "decision", "was", "codes", "contact_points"}`.

    `since` is an epoch. From the screening's own onwards, its answers are compared with those of now; at an
    earlier one, the completed screening that asked the same there is compared with this one. `was` is null
    for who was not asked about then, `decision` is null for who would not be asked about any more. Raises as
    `results` does, InvalidError for an epoch that the ledger has not reached, and NotFoundError if no
    completed screening asked the same question of the same audience at an earlier epoch.
    """
    done = completed(snap, screening_id)
    kind = point_type(done)
    if done.epoch is not None and since >= done.epoch:
        inquiry = Inquiry(snap, read_question(done.question))
        if since > inquiry.epoch:
            raise InvalidError(
                "The ledger has not reached this epoch yet.",
                fields={"since": ["Give the `epoch` of a screening."]},
            )
        return _delta(snap, done, _people_now(snap, done, inquiry), kind)
    before = store.completed_at(snap.connection, snap.tenant_id, done.question_digest, since)
    if before is None:
        raise NotFoundError(
            "No completed screening asked the same question of the same audience at this epoch; pass the "
            "`epoch` of an earlier one, or this screening's own to compare it with now."
        )
    return _delta(snap, completed(snap, before), _people(snap, done), kind)


def _delta(
    snap: Snapshot, before: Screening, today: Iterable[_Person], kind: str
) -> Iterator[dict[str, Any]]:
    # Who could not be found then and is known now has one id but two keys: read the strangers of then first.
    strangers = {person.key[1]: person for person in _people(snap, before, only_strangers=True)}
    batch: list[tuple[_Person | None, _Person | None]] = []
    for then, now in _paired(_people(snap, before), today):
        if then is not None and not then.key[0]:
            if now is not None:
                del strangers[then.key[1]]
            if now is None or then.answer == now.answer:
                continue
        elif then is not None and now is not None and then.answer == now.answer:
            continue
        batch.append((then, now))
        if len(batch) == LOOKUP:
            yield from _changes(snap, kind, batch, strangers)
            batch = []
    yield from _changes(snap, kind, batch, strangers)
    for external, person in strangers.items():
        yield _changed(external, person, None, kind)


def _changes(
    snap: Snapshot,
    kind: str,
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
            yield _changed(external, then, today, kind)


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
    outcomes = outcomes_of(snap, done)
    for chunk in answers.chunks(
        snap.connection, snap.tenant_id, done.screening_id, only_strangers=only_strangers
    ):
        for member, number, points in zip(chunk.members, chunk.outcomes, chunk.points, strict=True):
            yield _Person((chunk.known, member), outcomes[number], points)


def _people_now(snap: Snapshot, done: Screening, inquiry: Inquiry) -> Iterator[_Person]:
    """Everybody whom the screening would ask about in this snapshot, decided anew."""
    selections, strangers = audiences.selections(snap, done)
    outcomes = inquiry.judge.outcomes
    for ref, number, usable in inquiry.people(selections):
        yield _Person((True, ref), outcomes[number], usable)
    if strangers:
        number = inquiry.nobody()
        for external in strangers:
            yield _Person((False, external), outcomes[number], ())


def _changed(external: str, then: _Person | None, today: _Person | None, point_type: str) -> dict[str, Any]:
    was = None if then is None else ("allow" if then.outcome.allowed else "deny")
    if today is None:
        return {"id": external, "decision": None, "was": was, "codes": [], "contact_points": []}
    return {**line(external, today.outcome, today.points, point_type), "was": was}
