"""Use cases of the lifecycle gate: may this person move, what would follow, and the move itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.decisions import service as decisions
from governance.decisions.model import decide
from governance.decisions.record import AskedFor, DecisionRecord
from governance.errors import InvalidError
from governance.happened import happened_at
from governance.ledger import service as ledger
from governance.lifecycle import effects, facts, store
from governance.lifecycle.model import (
    HAND,
    Consequences,
    Move,
    StageView,
    Standing,
    check_move,
    consequences,
    facts_of,
    records_of,
)
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import StageModel
from governance.subjects import service as subjects
from governance.subjects.model import Subject
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

ACTION = "lifecycle.transition"


@dataclass(frozen=True, slots=True)
class TransitionOutcome:
    """What came of asking for a transition.

    `id` is None where nothing moved (a dry run, or `allowed` False). A denied act leaves an event behind: the
    edge commits it and answers 403 with the decision.
    """

    id: str | None
    model: str
    from_stage: str | None
    to_stage: str
    record: DecisionRecord
    consequences: Consequences
    dry_run: bool = False

    @property
    def allowed(self) -> bool:
        """Whether policy permits the move."""
        return self.record.allowed

    def document(self) -> dict[str, Any]:
        """The answer of `POST /v1/lifecycle/transitions` (api.md §5)."""
        return {
            "id": self.id,
            "model": self.model,
            "from": self.from_stage,
            "to": self.to_stage,
            "dry_run": self.dry_run,
            "decision": self.record.answer(),
            "consequences": self.consequences.document(),
        }


def check(
    snap: Snapshot,
    subject_ref: str | None,
    *,
    model: str,
    to: str,
    evidence: Mapping[str, str] | None = None,
    because: str | None = None,
    policy: CompiledPolicy | None = None,
    time: datetime | None = None,
    asked_for: AskedFor | None = None,
) -> DecisionRecord:
    """Say whether a person may move to a stage, and why not; changes nothing.

    A person who is not known (`subject_ref` None) is denied. `time` moves what depends on the clock, never
    back behind now. Raises InvalidError for a model or stage that the policies in force do not have.
    """
    asked = check_move(Move(model, to, dict(evidence or {}), because))
    policy = policy or policies.active(snap.connection, snap.tenant_id, snap.now)
    _stage_model(policy, asked)
    standing = facts.standing(snap.connection, snap.tenant_id, subject_ref, model)
    return _decision(snap, policy, standing, asked, asked_for, time)


def transition(
    work: Work,
    subject_ref: str | None,
    *,
    model: str,
    to: str,
    evidence: Mapping[str, str] | None = None,
    because: str | None = None,
    occurred_at: datetime | None = None,
    dry_run: bool = False,
    trigger: str = HAND,
    policy: CompiledPolicy | None = None,
    asked_for: AskedFor | None = None,
) -> TransitionOutcome:
    """Move a person to a stage if policy permits it; with `dry_run` only say what would follow.

    `occurred_at` is never later than now (see `happened_at`). `trigger` is INACTIVITY only where the service
    itself moves people on. Raises as `check` does, and ConflictError `erased` for what
    happened before an erasure of the person.
    """
    at = happened_at(occurred_at, work.now)
    asked = check_move(Move(model, to, dict(evidence or {}), because, at, trigger))
    policy = policy or policies.active(work.connection, work.tenant_id, work.now)
    stage_model = _stage_model(policy, asked)
    if subject_ref is not None and not dry_run:
        _check_is_not_late(work, subjects.lock(work, subject_ref), occurred_at)
    standing = facts.standing(work.connection, work.tenant_id, subject_ref, model)
    record = _decision(work, policy, standing, asked, asked_for)
    follows = _consequences(policy, stage_model, standing, asked, record)
    transition_id = None
    if not dry_run:
        decisions.keep(work, record)
        if record.allowed and standing.subject_ref is not None:
            transition_id = _move(work, standing.subject_ref, standing, asked, record, follows)
        else:
            _deny(work, standing, asked, record)
    return TransitionOutcome(transition_id, model, standing.stage, to, record, follows, dry_run)


def _check_is_not_late(work: Work, person: Subject, occurred_at: datetime | None) -> None:
    """Refuse what happened before an erasure; whoever is erased is the policy's to deny."""
    if not person.erased:
        subjects.check_after_fence(work, person, occurred_at)


def _stage_model(policy: CompiledPolicy, asked: Move) -> StageModel:
    found = policy.models.get(asked.model)
    if found is None:
        known = ", ".join(sorted(policy.models))
        raise InvalidError(
            "The policies in force have no such stage model.", fields={"model": [f"Give one of: {known}."]}
        )
    stages = [stage.id for stage in found.stages]
    if asked.to not in stages:
        raise InvalidError(
            "The model has no such stage.", fields={"to": [f"Give one of: {', '.join(stages)}."]}
        )
    return found


def _decision(
    snap: Snapshot,
    policy: CompiledPolicy,
    standing: Standing,
    asked: Move,
    asked_for: AskedFor | None,
    time: datetime | None = None,
) -> DecisionRecord:
    seen = facts_of(standing, asked)
    at = snap.now if time is None else max(snap.now, time)
    verdict = decide(policy, ACTION, policy.bucketed(ACTION, seen, at))
    position, _ = ledger.head(snap.connection, snap.tenant_id)
    return DecisionRecord(
        id=snap.new_id("dec"),
        action=ACTION,
        subject_ref=standing.subject_ref,
        verdict=verdict,
        policy=policy.digest,
        ledger_position=position,
        evaluated_at=snap.now,
        caller_ref=snap.actor.ref,
        question={
            "model": asked.model,
            "to": asked.to,
            "evidence": sorted(name for name in asked.evidence if f"transition.evidence.{name}" in seen),
            "because": asked.because is not None,
            "trigger": asked.trigger,
            **({} if time is None else {"time": wire(time)}),
        },
        facts=(seen,),
        asked_for=asked_for,
        stage={asked.model: standing.stage},
    )


def _consequences(
    policy: CompiledPolicy, model: StageModel, standing: Standing, asked: Move, record: DecisionRecord
) -> Consequences:
    return consequences(
        stage_view(policy, model, standing.stage),
        stage_view(policy, model, asked.to),
        at=wire(asked.occurred_at or record.evaluated_at),
        obligations=record.verdict.obligations,
        records=records_of(standing, asked),
    )


def stage_view(policy: CompiledPolicy, model: StageModel, stage: str | None) -> StageView:
    """What a stage brings with it under the policies in force; None stands before the first."""
    bases = next((each.bases for each in model.stages if each.id == stage), ())
    classes: set[str] = set()
    if policy.matrix is not None and policy.matrix.model == model.name:
        classes = {name for name, stages in policy.matrix.permit.items() if stages is None or stage in stages}
    return StageView(frozenset(bases), frozenset(classes), effects.clocks(model.name, stage))


def _move(
    work: Work,
    subject_ref: str,
    standing: Standing,
    asked: Move,
    record: DecisionRecord,
    follows: Consequences,
) -> str:
    transition_id, event_id = work.new_id("trn"), work.new_id("evt")
    at = asked.occurred_at or work.now
    vault = work.resource(Vault)
    told: dict[str, object] = {"evidence": dict(asked.evidence), "because": asked.because}
    has_words = bool(asked.evidence) or asked.because is not None
    work.record(
        "lifecycle.moved",
        subject_ref=subject_ref,
        facts={
            "transition": transition_id,
            "model": asked.model,
            "from": standing.stage,
            "to": asked.to,
            "trigger": asked.trigger,
            "occurred_at": wire(at),
            "decision": record.id,
        },
        sealed=vault.seal_evidence(work.tenant_id, subject_ref, event_id, told) if has_words else None,
        event_id=event_id,
    )
    store.add(
        work.connection,
        work.tenant_id,
        store.StoredTransition(
            transition_id,
            subject_ref,
            asked.model,
            standing.stage,
            asked.to,
            at,
            _sealed(work, subject_ref, transition_id, "because_sealed", asked.because),
            _sealed(work, subject_ref, transition_id, "evidence_sealed", _lines(asked.evidence)),
            record.id,
            event_id,
        ),
    )
    subjects.set_stage(work, subject_ref, asked.model, asked.to, event_id, since=at)
    for event in follows.records:
        subjects.record_event(
            work, subject_ref, event=event, occurred_at=at, reference=asked.evidence.get("contract_reference")
        )
    return transition_id


def _deny(work: Work, standing: Standing, asked: Move, record: DecisionRecord) -> None:
    work.record(
        "lifecycle.denied",
        subject_ref=standing.subject_ref,
        facts={
            "model": asked.model,
            "from": standing.stage,
            "to": asked.to,
            "codes": list(record.codes),
            "decision": record.id,
        },
    )


def _sealed(work: Work, subject_ref: str, transition_id: str, column: str, text: str | None) -> bytes | None:
    if not text:
        return None
    place = Place("transition", column, transition_id)
    return work.resource(Vault).seal(work.tenant_id, subject_ref, EVIDENCE, place, text.encode())


def _lines(evidence: Mapping[str, str]) -> str | None:
    return "\n".join(f"{name}: {text}" for name, text in sorted(evidence.items())) or None
