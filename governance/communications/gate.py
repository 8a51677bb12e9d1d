"""The communications gate: one question, one person, one decision with every reason.

A `Gate` is made for one snapshot and never outlives it: policy, ledger position and purposes are read once
for all questions that are asked in it, people are read anew for every question.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from governance.clock import wire
from governance.communications import capping, eligibility, facts, lasting
from governance.communications.abroad import FACT, NOT_ABROAD, answers_for
from governance.communications.ahead import Ahead
from governance.communications.asked import Asked
from governance.communications.caps import Cap
from governance.communications.dealings import with_dealings
from governance.communications.judged import Judged, place_of
from governance.communications.lifting import Lifts
from governance.communications.model import ACTION, CheckRequest
from governance.communications.numbers import with_numbers
from governance.communications.opt_outs import counts_every_no
from governance.communications.served import find_purpose, purpose_facts
from governance.communications.situations import UNKNOWN_PERSON, Point, Situation, told
from governance.consent.model import Question
from governance.decisions.ground import Ground, stand
from governance.decisions.model import Verdict, decide, failed
from governance.decisions.record import AskedFor, DecisionRecord, PermittedPoint, merged
from governance.errors import GovernanceError, InvalidError
from governance.policy.buckets import Bucketer, Vector
from governance.purposes import service as purposes
from governance.purposes.model import Purpose
from governance.subjects import service as subjects
from governance.subjects.model import CHANNEL_POINT_TYPE, SubjectReference, check_external_id, normalise
from governance.vault.service import Vault
from governance.work import Snapshot

_logger = logging.getLogger(__name__)
_NO_FACTS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ready:
    """A question made ready to be asked about many people: `said` is logged of it, `now` its instant."""

    request: CheckRequest
    asked: Asked
    said: Mapping[str, Any]
    now: datetime


@dataclass(slots=True)
class Gate:
    """Answers questions in one snapshot; made by `open_gate`."""

    snap: Snapshot
    ground: Ground
    known: dict[str, Purpose | None] = field(default_factory=dict)
    capped: list[Cap] | None = None
    ahead: Ahead | None = None
    lifts: Lifts | None = None
    verdicts: dict[Vector, Verdict] = field(default_factory=dict)
    bucketers: dict[datetime, Bucketer] = field(default_factory=dict)

    def expect(self, questions: Iterable[tuple[CheckRequest, str]]) -> None:
        """Read the people (external ids) of many questions in a few statements.

        For checks only: an act reads its person anew.
        """
        self.ahead = self.ahead or Ahead(self.snap)
        self.ahead.read(questions)

    def purpose(self, purpose_id: str) -> Purpose | None:
        """The purpose as this snapshot sees it; read once."""
        if purpose_id not in self.known:
            self.known[purpose_id] = find_purpose(self.snap, purpose_id)
        return self.known[purpose_id]

    def caps(self, request: CheckRequest) -> list[Cap]:
        """The caps that count messages of this kind, as this snapshot sees them; read once."""
        if self.capped is None:
            self.capped = capping.every(self.snap)
        return capping.covering(self.capped, request) if self.capped else []

    def asked(self, request: CheckRequest) -> Asked:
        """Make a question ready; raises InvalidError for an unknown message class or purpose."""
        classes = purposes.message_classes()
        kind = classes.get(request.message_class)
        if kind is None:
            sentence = f"Give one of {', '.join(sorted(classes))}."
            raise InvalidError("This message class is not declared.", fields={"message_class": [sentence]})
        served = self.purpose(request.purpose)
        if served is None:
            known = ", ".join(sorted(each.purpose_id for each in purposes.every(self.snap))) or "none yet"
            raise InvalidError(
                "This purpose is not in the catalogue.", fields={"purpose": [f"Give one of {known}."]}
            )
        country = request.sender_country
        abroad = None
        if country:
            abroad = answers_for(self.snap, self.ground, country, request.sender, request.time)
        return Asked(
            facts={
                "message.channel": request.channel,
                "message.class": request.message_class,
                "message.commercial": kind.commercial or request.contains_promotion,
                "message.contains_promotion": request.contains_promotion,
                "message.in_reply_to": request.in_reply_to,
                "message.call_mode": request.call_mode,
                "message.written_by": request.written_by,
                "message.product_family": request.product_family,
                **purpose_facts(served, request.message_class),
                "tenant.country": self.ground.tenant_country,
                "tenant.sector": frozenset(self.ground.tenant_sectors) or None,
                "sender.country": country,
                **({} if abroad else {FACT: NOT_ABROAD}),
            },
            consent=Question(
                purpose=request.purpose,
                controller=served.controller or "",
                channel=request.channel,
                topic=request.topic,
            ),
            point_type=CHANNEL_POINT_TYPE[request.channel],
            signing_up=request.message_class == "consent_request",
            product_family=request.product_family,
            abroad=abroad,
            every_no=counts_every_no(request.channel, request.message_class),
        )

    def ready(self, request: CheckRequest) -> Ready:
        """Make a question ready to be asked about anybody; raises as `asked` does."""
        said = request.document()
        if request.time is not None:
            said["time"] = wire(request.time)
        now = self.snap.now if request.time is None else max(self.snap.now, request.time)
        return Ready(request, self.asked(request), said, now)

    def check(
        self, request: CheckRequest, *, asked_for: AskedFor | None = None, message_ref: str | None = None
    ) -> DecisionRecord:
        """Decide one question; see `answer`."""
        ready = self.ready(request)
        return self.answer(ready, request.subject, asked_for=asked_for, message_ref=message_ref)

    def answer(
        self,
        ready: Ready,
        subject: SubjectReference | str,
        *,
        asked_for: AskedFor | None = None,
        message_ref: str | None = None,
    ) -> DecisionRecord:
        """Decide a question about somebody (a reference, or an external id that was checked).

        `message_ref`: the message that is asked about again; the caps' slots that it holds are its own.
        Whatever goes wrong inside is a denial with the code `evaluation-failed`. Raises InvalidError for a
        question that makes no sense, ConflictError if several people are meant.
        """
        snap = self.snap
        try:
            judged = self._judge(ready, subject, message_ref)
        except GovernanceError:
            raise
        except Exception as error:
            # The message may hold what was being evaluated; its type and place cannot.
            _logger.error("evaluation failed: %s at %s", type(error).__name__, place_of(error))
            judged = Judged(failed("The question could not be evaluated, so the answer is no; try again."))
        return DecisionRecord(
            id=snap.new_id("dec"),
            action=ACTION,
            subject_ref=judged.subject_ref,
            verdict=judged.verdict,
            policy=self.ground.policy.digest,
            ledger_position=self.ground.ledger_position,
            evaluated_at=snap.now,
            caller_ref=snap.actor.ref,
            question=ready.said,
            facts=judged.worlds,
            asked_for=asked_for,
            contact_points=judged.points,
            next_eligible_at=judged.next_eligible_at,
            stage={"relationship": judged.stage},
            overrides=judged.overrides,
        )

    def _judge(self, ready: Ready, subject: SubjectReference | str, message_ref: str | None) -> Judged:
        asked, now = ready.asked, ready.now
        situation = self.situation(subject, asked, message_ref)
        if situation is None:
            world = {**asked.facts, **UNKNOWN_PERSON}
            return Judged(self.verdict(world, now), [world])
        only, stranger = self._named(ready.request, situation)
        worlds = situation.worlds(asked, now, only=only, stranger=stranger)
        lifts = self.lifts = self.lifts or Lifts(self.snap, self.ground.policy)
        ref, purpose = situation.subject_ref, ready.request.purpose
        verdicts = [lifts.lift(self.verdict(world.facts, now), ref, purpose, now) for world in worlds]
        whole = merged(verdicts)
        policy = self.ground.policy
        full = capping.standing(
            self.snap, self.caps(ready.request), situation.subject_ref, now, message_ref=message_ref
        )
        if full:
            whole = capping.refused(whole, full, policy)
        free = [each.ends for each in full]
        point_type = asked.point_type
        later = None
        if not whole.allowed and not lasting.lasts(policy, situation, worlds, verdicts):

            def outlook(instant: datetime) -> eligibility.Outlook:
                if free and instant < max(free):
                    return eligibility.Outlook(permitted=False)
                then = situation.worlds(asked, instant, only=only, stranger=stranger)
                found = [self.verdict(world.facts, instant) for world in then]
                answers = [lifts.lift(each, ref, purpose, instant) for each in found]
                return eligibility.outlook_of(policy, merged(answers))

            later = eligibility.next_eligible_at(policy, situation, worlds, now, outlook, free)
        return Judged(
            whole,
            [told(world, now) for world in worlds],
            situation.subject_ref,
            situation.stage,
            tuple(
                PermittedPoint(world.point_ref, point_type)
                for world, verdict in zip(worlds, verdicts, strict=True)
                if verdict.allowed and world.point_ref is not None and not full
            ),
            later,
            lifts.used(whole, ref, purpose, now),
        )

    def verdict(self, world: Mapping[str, Any], now: datetime) -> Verdict:
        """Decide on one world by the active policy."""
        policy = self.ground.policy
        bucketer = self.bucketers.get(now)
        if bucketer is None:
            bucketer = self.bucketers[now] = policy.bucketer(ACTION, now)
        vector = bucketer.vector(world)
        # The answer to one vector is the same for everybody whom this snapshot asks about.
        verdict = self.verdicts.get(vector)
        if verdict is None:
            verdict = self.verdicts[vector] = decide(policy, ACTION, vector)
        return verdict

    def situation(
        self, subject: SubjectReference | str, asked: Asked, message_ref: str | None = None
    ) -> Situation | None:
        """What is known of the person whom the caller named, None if nobody is meant."""
        named: dict[str, str] = {}
        external_id = subject if isinstance(subject, str) else subject.id
        if external_id is not None:
            known = self.ahead.find(asked, external_id) if self.ahead is not None else None
            if known is not None:
                return known
            named["external_id"] = check_external_id(external_id)
        elif isinstance(subject, SubjectReference):
            person = subjects.resolve(self.snap, subject)
            if person is None:
                return None
            named["subject_ref"] = person.subject_ref
        found = facts.find(
            self.snap.connection,
            self.snap.tenant_id,
            point_type=asked.point_type,
            purpose=asked.consent.purpose,
            channel=asked.consent.channel,
            every_no=asked.every_no,
            **named,
        )
        if found is None:
            return None
        counted = with_numbers(self.snap, found, asked, message_ref=message_ref)
        return with_dealings(self.snap, counted, asked)

    def _named(self, request: CheckRequest, situation: Situation) -> tuple[Point | None, bool]:
        """The contact point that the caller named, and whether it is not this person's."""
        name = request.contact_point
        if name is None:
            return None, False
        if name.ref is not None:
            point = situation.point_by_ref(name.ref)
        else:
            kind = name.type or CHANNEL_POINT_TYPE[request.channel]
            written = normalise(kind, name.value or "", situation.person["person.country"])
            index = self.snap.resource(Vault).blind_index(self.snap.tenant_id, kind, written)
            point = situation.point_by_index(index)
        return point, point is None


def open_gate(snap: Snapshot, ground: Ground | None = None) -> Gate:
    """Make the gate of this snapshot; `ground` if it was read in the same snapshot already."""
    return Gate(snap, ground or stand(snap))


def check(snap: Snapshot, request: CheckRequest, *, asked_for: AskedFor | None = None) -> DecisionRecord:
    """Decide one question in its own right; see `Gate.check`. Logging the record is the caller's task."""
    return open_gate(snap).check(request, asked_for=asked_for)
