"""The run of a screening: everyone of the audience is read once, in one snapshot, and answered by the gate.

People with the same facts get the same answer, so each distinct combination of fact vectors is decided once,
by the function that decides single checks. Nothing is kept per person but in the spool.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from governance.communications import capping
from governance.communications.caps import Full
from governance.communications.gate import Gate, open_gate
from governance.communications.given import same_for_all
from governance.communications.lifting import Lifts, lifted
from governance.communications.model import ACTION, CheckRequest
from governance.communications.screening import CHUNK_PEOPLE, Counts, Outcome, count
from governance.communications.screening_spool import Spool
from governance.communications.selection import Selection
from governance.communications.situations import UNKNOWN_PERSON
from governance.communications.stream import vectors
from governance.decisions.model import Verdict, decide
from governance.decisions.record import merged, obligation_documents, reason_document
from governance.policy.buckets import Vector
from governance.policy.compiled import CompiledPolicy
from governance.policy.specialised import specialised
from governance.work import Snapshot

Beat = Callable[[int], None]
"""Told how many people are answered, so that a worker can show that it is alive."""

_NO_POINTS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run came to. `distinct` is how many different fact vectors had to be decided."""

    counts: Counts
    outcomes: tuple[Outcome, ...]
    policy: str
    epoch: int
    evaluated_at: datetime
    distinct: int


class Judge:
    """Decides each fact vector once and numbers the different answers; `people` counts who got which."""

    def __init__(self, policy: CompiledPolicy) -> None:
        self.policy = policy
        self._verdicts: dict[Vector, int] = {}
        self._numbers: dict[Verdict, int] = {}
        self._wholes: list[Verdict] = []
        self._several: dict[tuple[int, ...], int] = {}
        self.outcomes: list[Outcome] = []
        self.allowed: list[bool] = []
        self.people: Counter[int] = Counter()

    def answer(self, vector: Vector) -> int:
        """The number of the outcome of one fact vector."""
        found = self._verdicts.get(vector)
        if found is None:
            found = self._verdicts[vector] = self._number(decide(self.policy, ACTION, vector))
        return found

    def together(self, numbers: Sequence[int]) -> int:
        """The number of the outcome of a person with several contact points, from those of the points."""
        key = tuple(numbers)
        found = self._several.get(key)
        if found is None:
            found = self._several[key] = self._number(merged([self._wholes[each] for each in key]))
        return found

    def refuse(self, number: int, full: Sequence[Full]) -> int:
        """The number of the outcome of a person for whom caps hold nothing more."""
        return self._number(capping.refused(self._wholes[number], full, self.policy))

    def lift(self, number: int, rules: Collection[str]) -> int:
        """The number of an outcome without the forbids of these rules."""
        return self._number(lifted(self._wholes[number], rules))

    def counts(self) -> Counts:
        """How everyone came out."""
        return count(self.outcomes, self.people, tuple(self.policy.vocabulary.codes))

    @property
    def distinct(self) -> int:
        """How many fact vectors were decided."""
        return len(self._verdicts)

    def _number(self, whole: Verdict) -> int:
        found = self._numbers.get(whole)
        if found is None:
            found = self._numbers[whole] = len(self.outcomes)
            self._wholes.append(whole)
            self.allowed.append(whole.allowed)
            self.outcomes.append(self._outcome(found, whole))
        return found

    def _outcome(self, number: int, whole: Verdict) -> Outcome:
        codes = sorted({reason.code for reason in whole.reasons}, key=self.policy.rank)
        return Outcome(
            number=number,
            allowed=whole.allowed,
            codes=tuple(codes),
            first=None if whole.allowed else codes[0],
            reasons=tuple(reason_document(reason) for reason in whole.reasons),
            obligations=tuple(obligation_documents(whole.obligations)),
        )


def answer_everyone(
    snap: Snapshot,
    request: CheckRequest,
    selections: Iterable[Selection],
    strangers: Sequence[str],
    spool: Spool,
    beat: Beat,
) -> Answered:
    """Answer the people of each selection in turn, and then the ids that lead to nobody, into the spool.

    The selections together are in the order of references. Memory does not grow with the number of people.
    """
    inquiry = Inquiry(snap, request)
    judge = inquiry.judge
    done = 0
    people = inquiry.people(selections)
    while batch := list(islice(people, CHUNK_PEOPLE)):
        members, outcomes, points = zip(*batch, strict=True)
        spool.add(members, outcomes, points)
        judge.people.update(outcomes)
        done += len(batch)
        beat(done)
    if strangers:
        number = inquiry.nobody()
        for start in range(0, len(strangers), CHUNK_PEOPLE):
            part = strangers[start : start + CHUNK_PEOPLE]
            spool.add(part, [number] * len(part), [_NO_POINTS] * len(part), known=False)
            judge.people[number] += len(part)
            done += len(part)
            beat(done)
    return Answered(
        counts=judge.counts(),
        outcomes=tuple(judge.outcomes),
        policy=judge.policy.digest,
        epoch=inquiry.epoch,
        evaluated_at=inquiry.now,
        distinct=judge.distinct,
    )


class Inquiry:
    """One question made ready to be asked about everybody in one snapshot; `now` is the instant asked about.

    Raises InvalidError for a message class that nobody has declared (any more).
    """

    def __init__(self, snap: Snapshot, request: CheckRequest, gate: Gate | None = None) -> None:
        gate = gate or open_gate(snap)
        self._snap, self._asked = snap, gate.asked(request)
        self.now: datetime = snap.now if request.time is None else max(snap.now, request.time)
        self.epoch: int = gate.ground.ledger_position
        # What is the same for everybody is decided once: people differ in little else.
        policy = specialised(gate.ground.policy, ACTION, same_for_all(self._asked), self.now)
        self.judge = Judge(policy)
        self._rules = Lifts(snap, gate.ground.policy).rules_of_everyone(request.purpose, self.now)
        self._full = capping.everyone_full(snap, gate.caps(request), self.now)

    def people(self, selections: Iterable[Selection]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        """Pass over the selections in turn.

        Gives each person's reference, the number of the outcome, and the contact points that are permitted.
        """
        judge, full = self.judge, self._full
        allowed = judge.allowed
        connection, tenant_id = self._snap.connection, self._snap.tenant_id
        for selection in selections:
            stream = vectors(
                connection, tenant_id, self._asked, judge.policy, self.now, selection, evaluate=judge.answer
            )
            for ref, worlds in stream:
                if self._rules and ref in self._rules:
                    worlds = [(point, judge.lift(each, self._rules[ref])) for point, each in worlds]
                if len(worlds) == 1:
                    point, number = worlds[0]
                    usable = (point,) if allowed[number] and point is not None else _NO_POINTS
                else:
                    number = judge.together([each for _, each in worlds])
                    usable = tuple(point for point, each in worlds if allowed[each] and point is not None)
                if full and ref in full:
                    number, usable = judge.refuse(number, full[ref]), _NO_POINTS
                yield ref, number, usable

    def nobody(self) -> int:
        """The number of the outcome of an id that leads to nobody."""
        world = {**self._asked.facts, **UNKNOWN_PERSON}
        return self.judge.answer(self.judge.policy.bucketed(ACTION, world, self.now))
