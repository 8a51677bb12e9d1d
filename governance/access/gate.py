"""The access gate: may this asker read these fields, or use data for this? Every field has its answer.

A `Gate` is made for one snapshot and never outlives it: roles, fields and purposes are read once for all
questions that are asked in it, people are read anew for every question.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from governance.access import askers, facts, store
from governance.access.definitions import read_instant
from governance.access.model import (
    ASSESSMENT,
    Asker,
    Field,
    Record,
    Role,
    cover,
)
from governance.access.questions import READ, USE, DataQuestion
from governance.clock import wire
from governance.decisions.ground import Ground, stand
from governance.decisions.model import Reason, Verdict, decide, failed
from governance.decisions.record import AskedFor, DecisionRecord, Reading, merged
from governance.errors import GovernanceError
from governance.policy.buckets import Vector
from governance.purposes import service as purposes
from governance.purposes.model import Purpose
from governance.work import Snapshot

_logger = logging.getLogger(__name__)

ALLOW, MASK, DENY = "allow", "mask", "deny"
_MASKING = "mask-value"
UNDECLARED = Field("", "unknown", "hidden")

_UNADOPTED = Reason(
    "no-permit",
    "",
    "permit",
    "The policies in force do not speak of reading and using data, and silence forbids.",
    (),
    True,
    "Adopt the shipped access packs: `governance policies adopt`.",
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one field came to: its name as asked, the verdict, and the facts that it was made from."""

    name: str
    what: Field | None
    verdict: Verdict
    world: Mapping[str, Any]

    @property
    def answer(self) -> str:
        """ALLOW, MASK or DENY."""
        if not self.verdict.allowed:
            return DENY
        return MASK if _MASKING in self.verdict.obligations else ALLOW


@dataclass(slots=True)
class Gate:
    """Answers questions in one snapshot; made by `open_gate`."""

    snap: Snapshot
    ground: Ground
    roles: dict[str, Role]
    fields: dict[str, Field]
    purposes: dict[str, Purpose | None] = field(default_factory=dict)
    assessments: list[Record] | None = None
    verdicts: dict[tuple[str, Vector], Verdict] = field(default_factory=dict)

    def purpose(self, purpose_id: str | None) -> Purpose | None:
        """The purpose as this snapshot sees it; read once."""
        if purpose_id is None:
            return None
        if purpose_id not in self.purposes:
            self.purposes[purpose_id] = purposes.find(self.snap, purpose_id)
        return self.purposes[purpose_id]

    def check(
        self,
        question: DataQuestion,
        asker: tuple[str, str],
        subject_ref: str | None,
        *,
        asked_for: AskedFor | None = None,
        said: Callable[[str], str] = str,
    ) -> DecisionRecord:
        """Decide one question of an asker (type, id) about a person; None is nobody.

        `said` makes a caller's word fit for the log. Whatever goes wrong inside is a denial with the code
        `evaluation-failed`.
        """
        try:
            return self._check(question, asker, subject_ref, asked_for, said)
        except GovernanceError:
            raise
        except Exception as error:
            # The message may hold what was being evaluated; its type cannot.
            _logger.error("evaluation failed: %s", type(error).__name__)
            verdict = failed("The question could not be evaluated, so the answer is no; try again.")
            return self._record(question, None, verdict, (), asked_for, {}, said)

    def _check(
        self,
        question: DataQuestion,
        who: tuple[str, str],
        subject_ref: str | None,
        asked_for: AskedFor | None,
        said: Callable[[str], str],
    ) -> DecisionRecord:
        now = self.snap.now if question.time is None else max(self.snap.now, question.time)
        person = facts.find(self.snap, subject_ref)
        asker = askers.asker(self.snap, *who, self.roles)
        broken = self.broken(asker, person, now) if question.action == READ else {}
        sights = self.look(question, asker, person, now, broken.keys())
        open_ = [sight.verdict for sight in sights if sight.verdict.allowed]
        whole = merged([sight.verdict for sight in sights])
        obligations = tuple(dict.fromkeys(one for each in open_ for one in each.obligations))
        verdict = Verdict(whole.allowed, whole.reasons, obligations, whole.permits)
        more = {name: broken[name] for name in question.fields if name in broken}
        return self._record(question, person, verdict, sights, asked_for, more, said)

    def broken(self, asker: Asker, person: facts.Person | None, now: datetime) -> dict[str, str]:
        """The fields for which this asker broke the glass, each with the id of the grant.

        `now` is the instant that is asked about: the grant must hold then as it does by our own clock.
        """
        if person is None or not asker.active:
            return {}
        connection, tenant_id = self.snap.connection, self.snap.tenant_id
        at = max(self.snap.now, now)
        found = store.open_glass(connection, tenant_id, person.refs, (asker.type, asker.id), at)
        return {name: each.grant_id for each in found for name in each.fields}

    def look(
        self,
        question: DataQuestion,
        asker: Asker,
        person: facts.Person | None,
        now: datetime,
        broken: Iterable[str] = (),
    ) -> list[Sight]:
        """Decide every field of a question, or the use without a field."""
        purpose = self.purpose(question.purpose)
        stage = None if person is None else person.stage
        shared: dict[str, Any] = {
            "asker.type": asker.type if asker.type in ("staff", "component") else None,
            "asker.kind": asker.kind or "unknown",
            "asker.state": asker.state,
            "asker.roles": frozenset(asker.roles) or None,
            **facts.of_purpose(purpose, person),
            "tenant.country": self.ground.tenant_country,
            "tenant.sector": frozenset(self.ground.tenant_sectors) or None,
            **(facts.NOBODY if person is None else {**person.standing(), **person.said(purpose, now)}),
        }
        glass = frozenset(broken)
        names: Sequence[str | None] = question.fields or (None,)
        sights: list[Sight] = []
        for name in names:
            what = None if name is None else self.fields.get(name, UNDECLARED)
            covered = cover(asker.grants, question.purpose or "", what, stage)
            world = {
                **shared,
                "asker.break_glass": name in glass,
                "grant.purpose": covered.purpose,
                "grant.shown": covered.shown,
                "grant.stage": covered.stage,
                "data.field": name if what is not UNDECLARED else None,
                "data.class": "none" if what is None else what.data_class,
                "purpose.allows_data": what is None
                or purpose is None
                or what.data_class in purpose.data_classes,
            }
            if question.action == USE:
                world["use.compatibility"] = self._compatibility(question, purpose, person, what, now)
            sights.append(Sight(name or "", what, self._verdict(question.action, world, now), world))
        return sights

    def _verdict(self, action: str, world: Mapping[str, Any], now: datetime) -> Verdict:
        policy = self.ground.policy
        if action not in policy.programs:
            return Verdict(False, (_UNADOPTED,), (), ())
        vector = policy.bucketed(action, world, now)
        # The answer to one vector is the same for everybody whom this snapshot asks about.
        verdict = self.verdicts.get((action, vector))
        if verdict is None:
            verdict = self.verdicts[action, vector] = decide(policy, action, vector)
        return verdict

    def _compatibility(
        self,
        question: DataQuestion,
        purpose: Purpose | None,
        person: facts.Person | None,
        what: Field | None,
        now: datetime,
    ) -> str:
        """How a purpose relates to what the data were collected for; the nearest of several counts."""
        if purpose is None:
            return "unknown"
        found = [self._pair(each, purpose, what, now) for each in self._origins(question, person)]
        for word in ("same", "declared", "assessed", "incompatible"):
            if word in found:
                return word
        return "unknown"

    def _origins(self, question: DataQuestion, person: facts.Person | None) -> Sequence[str]:
        """What the data were collected for: as the caller says, else the purposes of the capture point."""
        if question.collected_for is not None:
            return (question.collected_for,)
        point = None if person is None else person.row.capture_point
        found = None if point is None else purposes.find_capture_point(self.snap, point)
        return () if found is None else found.purposes

    def _pair(self, origin: str, purpose: Purpose, what: Field | None, now: datetime) -> str:
        if origin == purpose.purpose_id:
            return "same"
        if self.assessments is None:
            self.assessments = store.every(self.snap.connection, self.snap.tenant_id, [ASSESSMENT])
        outcomes = {
            each.body["outcome"]
            for each in self.assessments
            if _speaks(each, origin, purpose.purpose_id, what, now)
        }
        if outcomes:
            return "incompatible" if "incompatible" in outcomes else "assessed"
        collected = self.purpose(origin)
        declared = () if collected is None else collected.body.get("compatible_with") or ()
        return "declared" if purpose.purpose_id in declared else "incompatible"

    def _record(
        self,
        question: DataQuestion,
        person: facts.Person | None,
        verdict: Verdict,
        sights: Sequence[Sight],
        asked_for: AskedFor | None,
        broken: Mapping[str, str],
        said: Callable[[str], str],
    ) -> DecisionRecord:
        def known(name: str) -> str:
            return name if name in self.fields else said(name)

        asked: dict[str, Any] = {"purpose": None if question.purpose is None else said(question.purpose)}
        asked["fields" if question.action == READ else "attributes"] = [
            known(each) for each in question.fields
        ]
        if question.collected_for is not None:
            asked["collected_for"] = said(question.collected_for)
        if question.time is not None:
            asked["time"] = wire(question.time)
        if broken:
            asked["break_glass"] = sorted(set(broken.values()))
        named = [sight for sight in sights if sight.what is not None]
        reading = Reading(
            fields={known(each.name): each.answer for each in named},
            masks={known(each.name): each.what.mask for each in named if each.what and each.answer == MASK},
            denied={
                known(each.name): tuple(dict.fromkeys(reason.code for reason in each.verdict.reasons))
                for each in named
                if each.answer == DENY
            },
        )
        return DecisionRecord(
            id=self.snap.new_id("dec"),
            action=question.action,
            subject_ref=None if person is None else person.row.subject_ref,
            verdict=verdict,
            policy=self.ground.policy.digest,
            ledger_position=self.ground.ledger_position,
            evaluated_at=self.snap.now,
            caller_ref=self.snap.actor.ref,
            question=asked,
            facts=[facts.told(each.world, self.snap.now) for each in sights],
            asked_for=asked_for,
            stage={"relationship": None if person is None else person.stage},
            reading=reading if named else None,
        )


def open_gate(snap: Snapshot, ground: Ground | None = None) -> Gate:
    """Make the gate of this snapshot; `ground` if it was read in the same snapshot already."""
    return Gate(snap, ground or stand(snap), askers.roles_of(snap), askers.fields_of(snap))


def _speaks(assessment: Record, origin: str, purpose: str, what: Field | None, now: datetime) -> bool:
    """Whether an assessment is in force and about these two purposes, and this class of data."""
    body = assessment.body
    classes, until = body.get("data_classes") or (), read_instant(body["expires_at"])
    if (body["from"], body["to"]) != (origin, purpose) or until is None or until <= now:
        return False
    return not classes or (what is not None and what.data_class in classes)
