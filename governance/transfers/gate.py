"""The transfers gate: one question, one person, one decision with every reason.

A `Gate` is made for one snapshot and never outlives it: the register is read anew in each, so that the next
check in every process sees a mechanism that was suspended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.decisions.ground import Ground, stand
from governance.decisions.model import Reason, Verdict, decide
from governance.decisions.record import AskedFor, DecisionRecord, merged
from governance.policy.buckets import Vector
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from governance.transfers import checks, facts, store
from governance.transfers.model import (
    ACTION,
    ACTIVE,
    ADEQUACY,
    ERASURE,
    EVERYBODY,
    FALLBACK,
    GONE,
    IN_FORCE,
    PLACELESS,
    STOPPED,
    WHO_IS_MEANT,
    Flow,
    Mechanism,
    Person,
    Question,
    Register,
)
from governance.transfers.situations import World, of_flow, usable, why_stopped, worlds
from governance.work import Snapshot

_SILENCE = Verdict(
    False,
    (
        Reason(
            "transfer-no-mechanism",
            "",
            "permit",
            "The policies in force say nothing about transfers, and silence forbids.",
            ("Regulation (EU) 2016/679 Art. 44",),
            True,
            "Adopt the shipped packs: governance policies adopt.",
        ),
    ),
    (),
    (),
)
_PEOPLE, _AT_ORIGIN = "transfer.people", "transfer.people_at_origin"
MOST_WORLDS = 20


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """How a flow stands now: the verdict, and the mechanism that carries it (None: needs none, or stopped).

    `status` is one of FLOW_STATES; `people` live where the flow begins, with those who were declared;
    `because` says of a stopped flow, in a sentence, what is wrong with the mechanisms that it names.
    """

    flow: Flow
    verdict: Verdict
    mechanism: str | None
    people: int | None
    status: str = ACTIVE
    because: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.verdict.reasons))


@dataclass(slots=True)
class Gate:
    """Answers questions in one snapshot; made by `open_gate`. `now` is the instant that they are about."""

    snap: Snapshot
    ground: Ground
    register: Register
    now: datetime
    verdicts: dict[Vector, Verdict] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)

    def answer(
        self,
        question: Question,
        subject_ref: str | None,
        *,
        asked_for: AskedFor | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> DecisionRecord:
        """Decide a question about somebody (None: about a person who is not known here)."""
        person = facts.person(self.snap.connection, self.snap.tenant_id, subject_ref)
        return self.of_all(question, [person], subject_ref=person.subject_ref, asked_for=asked_for, more=more)

    def of_all(
        self,
        question: Question,
        people: Iterable[Person],
        *,
        subject_ref: str | None = None,
        asked_for: AskedFor | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> DecisionRecord:
        """Decide a question about several sorts of people at once: permitted only if it is for each of them.

        `more` is said beside the question. Of many worlds the log keeps MOST_WORLDS, those that are denied
        first.
        """
        found = [
            (self.verdict(world), world)
            for person in people
            for world in worlds(self.register, question, self._consenting(person), self.now)
        ]
        found.sort(key=lambda one: one[0].allowed)
        carried = sorted({world.flow.flow_id for _, world in found if world.flow is not None})
        said = {**question.document(), **(more or {})}
        if carried:
            said["flows"] = carried
        return DecisionRecord(
            id=self.snap.new_id("dec"),
            action=ACTION,
            subject_ref=subject_ref,
            verdict=merged([verdict for verdict, _ in found]),
            policy=self.ground.policy.digest,
            ledger_position=self.ground.ledger_position,
            evaluated_at=self.snap.now,
            caller_ref=self.snap.actor.ref,
            question=said,
            facts=[world.facts for _, world in found[:MOST_WORLDS]],
            asked_for=asked_for,
        )

    def permits(self, question: Question, person: Person) -> bool:
        """Whether a question about somebody, or about people of a sort, is permitted."""
        found = worlds(self.register, question, self._consenting(person), self.now)
        return all(self.verdict(world).allowed for world in found)

    def with_mechanisms(self, changed: Iterable[Mechanism]) -> "Gate":
        """The same gate, if these mechanisms stood in the register as they are given."""
        mechanisms = {**self.register.mechanisms, **{each.mechanism_id: each for each in changed}}
        return replace(self, register=replace(self.register, mechanisms=mechanisms))

    def _consenting(self, person: Person) -> Person:
        """A person with what they consented to, as far as mechanisms ask; sorts of people did to nothing."""
        wanted = self.register.consent_purposes
        if person.subject_ref is None or not wanted:
            return person
        return replace(person, consented=facts.agreed(self.snap, person.subject_ref, wanted, self.now))

    def verdict(self, world: World) -> Verdict:
        """Decide on one world by the active policy."""
        policy = self.ground.policy
        if ACTION not in policy.programs:
            return _SILENCE
        world.facts.update(self._numbers(world.facts))
        vector = policy.bucketed(ACTION, world.facts, self.now)
        found = self.verdicts.get(vector)
        if found is None:
            found = self.verdicts[vector] = decide(policy, ACTION, vector)
        return found

    def of_flow(self, flow: Flow) -> FlowAnswer:
        """How a flow stands, for people who live where it begins, and what carries it.

        Where it rests on consent, it stands so for people who consented.
        Mechanisms are taken in their order until they suffice; the last one taken is the one that carries.
        """
        somebody = Person(True, country=flow.origin, consented=self.register.consent_purposes)
        world = of_flow(self.register, flow, somebody, self.now)
        verdict = self.verdict(world)
        people = self._people(flow.origin) + self._declared(flow.origin)
        if not verdict.allowed:
            why = why_stopped(self.register, flow, world, self.now)
            return FlowAnswer(flow, verdict, None, people, STOPPED, why)
        taken: list[Mechanism] = []
        for each in (None, *world.candidates):
            if each is not None:
                if each.state(self.now) != IN_FORCE:
                    continue
                taken.append(each)
            tried = replace(world, facts={**world.facts, "mechanism.usable": usable(taken, self.now) or None})
            if self.verdict(tried).allowed:
                carrier = self._carrier(world, each)
                status = FALLBACK if self._fell_back(world, carrier) else ACTIVE
                name = None if carrier is None else carrier.mechanism_id
                return FlowAnswer(flow, verdict, name, people, status)
        return FlowAnswer(flow, verdict, None, people)

    def _fell_back(self, world: World, carrier: Mechanism | None) -> bool:
        """Whether a mechanism that stands before the carrier in the flow's order is not in force."""
        before = world.candidates if carrier is None else world.candidates[: world.candidates.index(carrier)]
        return any(each.state(self.now) != IN_FORCE for each in before)

    def _carrier(self, world: World, last: Mechanism | None) -> Mechanism | None:
        """What is said to carry a flow: the last mechanism it took, or adequacy where the law suffices."""
        if last is not None:
            return last
        in_force = (each for each in world.candidates if each.state(self.now) == IN_FORCE)
        return next((each for each in in_force if each.kind == ADEQUACY), None)

    def _numbers(self, known: Mapping[str, Any]) -> dict[str, int | None]:
        """How many people laws that go by numbers have to reckon with: never fewer than whose data could go.

        People whose country is not recorded may live where the controller is, and so may have lived those who
        were erased. What is with the controller is everybody's.
        """
        home, origin = self.register.tenant_country, known.get("transfer.origin")
        lives = known.get("person.country") or origin
        numbers: dict[str, int | None] = {_PEOPLE: None, _AT_ORIGIN: None}
        if lives is not None:
            more = self._people(PLACELESS) + self._people(GONE) if lives == home else 0
            numbers[_PEOPLE] = self._people(lives) + self._declared(lives) + more
        if origin is not None:
            there = self._people(EVERYBODY) + self._people(GONE) if origin == home else self._people(origin)
            numbers[_AT_ORIGIN] = there + self._declared(origin)
        return numbers

    def _people(self, whose: str) -> int:
        """How many people there are of a country or in one of ALL_OF, as last counted; else counted now."""
        found = self.register.people.get(whose, self.counted.get(whose))
        if found is None:
            found = facts.count_people(self.snap.connection, self.snap.tenant_id, whose, self.snap.now)
            self.counted[whose] = found
        return found

    def _declared(self, country: str) -> int:
        return sum(flow.people_per_year for flow in self.register.flows if flow.origin == country)


def open_gate(snap: Snapshot, ground: Ground | None = None, time: datetime | None = None) -> Gate:
    """Make the gate of this snapshot; `ground` if it was read in the same snapshot already.

    `time` moves what depends on the clock (ends of mechanisms, dates of rules), never back behind now.
    """
    ground = ground or stand(snap)
    register = facts.register(snap, ground.tenant_country)
    return Gate(snap, ground, register, snap.now if time is None else max(snap.now, time))


def check(
    snap: Snapshot,
    ground: Ground,
    subject_ref: str | None,
    properties: Mapping[str, Any],
    *,
    time: datetime | None = None,
    asked_for: AskedFor | None = None,
    external_id: str | None = None,
) -> DecisionRecord:
    """Decide whether a person's data may go where the properties say (api.md §2); changes nothing.

    `external_id`: the CRM's id of the person. An order to erase may be passed on late, so it is answered also
    about somebody who was erased here, as long as it only says who is meant.
    `time`: the instant that is asked about, see `open_gate`. Raises InvalidError that names every member that
    cannot be used.
    """
    question = checks.read_question(snap, ground.policy, properties)
    more = {} if time is None else {"time": wire(time)}
    order = question.errand == ERASURE and question.names_only(WHO_IS_MEANT)
    if subject_ref is None and external_id is not None and order:
        buried = subjects.find_buried(snap, SubjectReference(id=external_id))
        subject_ref = None if buried is None else buried.subject_ref
    return open_gate(snap, ground, time).answer(question, subject_ref, asked_for=asked_for, more=more)


def variants(snap: Snapshot, ground: Ground) -> list[Mapping[str, Any]]:
    """What may be asked of any person: each declared flow, and passing data on at home."""
    at_home = [{"destination": ground.tenant_country}] if ground.tenant_country else []
    return at_home + [
        {
            "origin": flow.origin,
            "destination": flow.destination,
            "recipient": flow.recipient,
            "data_classes": list(flow.data_classes),
        }
        for flow in store.flows(snap.connection, snap.tenant_id)
    ]
