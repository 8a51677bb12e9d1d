"""Whom a change of the register concerns: people for whom the gate answers otherwise after it than before.

Every person is decided on as by a check of the flow as it was declared. People who are alike (where they
live, their standing) are decided on once; those who consented to a transfer one by one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from governance.transfers import facts
from governance.transfers.gate import Gate, open_gate
from governance.transfers.model import ADEQUACY, Flow, Mechanism, Person
from governance.transfers.situations import question_of
from governance.work import Snapshot

_WINDOW = 500


@dataclass(frozen=True, slots=True)
class Affected:
    """How many people are concerned, each counted once, and how many by each flow."""

    people: int
    by_flow: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AffectedPerson:
    """Somebody concerned, by the CRM's own id, and the flows by which."""

    subject_ref: str
    external_id: str
    flows: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As it is answered."""
        return {"id": self.external_id, "flows": list(self.flows)}


@dataclass(slots=True)
class Comparison:
    """Two states of the register in one snapshot, and the flows that are looked at."""

    before: Gate
    after: Gate
    flows: Sequence[Flow]

    def of(self, person: Person) -> tuple[str, ...]:
        """The flows by which this person (or people of this sort) is answered otherwise."""
        return tuple(
            flow.flow_id
            for flow in self.flows
            if self.before.permits(question_of(flow), person) != self.after.permits(question_of(flow), person)
        )

    def count(self) -> Affected:
        """Count everybody."""
        total, by_flow = 0, Counter[str]()
        for person, number in self._everybody():
            touched = self.of(person)
            total += number if touched else 0
            by_flow.update(dict.fromkeys(touched, number))
        return Affected(total, by_flow)

    def listed(self, after: str, limit: int) -> list[AffectedPerson]:
        """People who are concerned, in the order of their references."""
        found: list[AffectedPerson] = []
        sorts = {each: self.of(each) for each, _ in self._sorts()}
        alike = [each for each, touched in sorts.items() if touched]
        wanted = self.before.register.consent_purposes
        while len(found) < limit:
            window = facts.alike(self.before.snap, alike, wanted, after, _WINDOW)
            for person, external_id in window:
                assert person.subject_ref is not None
                after = person.subject_ref
                sort = replace(person, subject_ref=None)
                consented = after in facts.consenting(self.before.snap, wanted, [after]) if wanted else False
                touched = self.of(person) if consented else sorts.get(sort, ())
                if touched:
                    found.append(AffectedPerson(after, external_id, touched))
                    if len(found) == limit:
                        return found
            if len(window) < _WINDOW:
                return found
        return found

    def _everybody(self) -> Iterator[tuple[Person, int]]:
        yield from self._sorts()
        snap, wanted = self.before.snap, self.before.register.consent_purposes
        for ref in facts.consenting(snap, wanted) if wanted else ():
            yield facts.person(snap.connection, snap.tenant_id, ref), 1

    def _sorts(self) -> Iterable[tuple[Person, int]]:
        return facts.sorts(self.before.snap, self.before.register.consent_purposes).items()


def of_mechanism(before: Gate, after: Gate, changed: Mechanism) -> Comparison:
    """Compare two states of the register that differ in one mechanism."""
    return Comparison(before, after, tuple(_resting(before.register.flows, changed)))


def on_it_alone(snap: Snapshot, mechanism: Mechanism) -> Comparison:
    """Compare the register with a mechanism in force, whatever its state now, with it suspended.

    So the people found are the same before the kill switch is thrown and after it.
    """
    gate = open_gate(snap)
    standing = replace(
        mechanism, suspended_at=None, expires_at=None, valid_from=min(mechanism.valid_from, snap.now)
    )
    return of_mechanism(
        gate.with_mechanisms([standing]),
        gate.with_mechanisms([replace(mechanism, suspended_at=snap.now)]),
        mechanism,
    )


def kept_back(gate: Gate, stopped: Collection[Flow]) -> Affected:
    """Whom stopped flows keep back: they would be permitted if all that the flows name were in force."""
    named = {name for flow in stopped for name in flow.mechanisms}
    standing = [
        replace(each, suspended_at=None, expires_at=None, valid_from=min(each.valid_from, gate.now))
        for each in gate.register.mechanisms.values()
        if each.mechanism_id in named or each.kind == ADEQUACY
    ]
    return Comparison(gate.with_mechanisms(standing), gate, tuple(stopped)).count()


def _resting(flows: Iterable[Flow], mechanism: Mechanism) -> Iterator[Flow]:
    """The flows that name a mechanism; on adequacy rests every flow that it reaches."""
    for flow in flows:
        reached = mechanism.kind == ADEQUACY and mechanism.reaches(flow.destination, flow.recipient)
        if reached or mechanism.mechanism_id in flow.mechanisms:
            yield flow
