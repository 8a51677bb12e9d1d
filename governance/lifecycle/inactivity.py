"""People who do nothing for long become leads again: warned of, then looked at, then moved.

`warning` before the day an event says who is about to lapse, and a review waits for a person to look at;
from that day the grace runs, and after it the move is made. A meaningful act, a new stage, a matter that is
open or somebody who says *keep* ends it at any moment before. Policy has the last word when the warning is
given and again when the move is made; a run that comes late still gives the whole warning.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from governance.clock import wire
from governance.decisions.model import Verdict, decide
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.lifecycle import facts, review_store
from governance.lifecycle.model import INACTIVITY, Move, Standing, consequences, facts_of
from governance.lifecycle.review_store import ENDED, KEPT, OPEN, RESET, STATES, Review
from governance.lifecycle.service import ACTION, stage_view, transition
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy
from governance.policy.durations import minus, plus
from governance.policy.model import Inactivity
from governance.subjects import service as subjects
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_CLAMPED = timedelta(days=3)
"""How far the ends of months may shift a day that is reckoned backwards."""


def rules(snap: Snapshot) -> list[tuple[str, Inactivity]]:
    """Who lapses in which model under the policies in force: (model, rule)."""
    policy = policies.active(snap.connection, snap.tenant_id, snap.now)
    return [(model.name, lapse) for model in policy.models.values() for lapse in model.inactivity]


def candidates(snap: Snapshot, model: str, lapse: Inactivity, *, after: str, limit: int) -> list[str]:
    """People about whom a warning may be due, a page after a reference; `warn` looks at each exactly."""
    before = minus(plus(snap.now, lapse.warning), lapse.after) + _CLAMPED
    return review_store.inactive(
        snap.connection,
        snap.tenant_id,
        model=model,
        stage=lapse.origin,
        before=before,
        now=snap.now,
        after=after,
        limit=limit,
    )


def warn(work: Work, subject_ref: str, model: str, lapse: Inactivity) -> Review | None:
    """Warn of somebody who is about to lapse, if policy would let it; None where nothing is due."""
    person = subjects.lock(work, subject_ref)
    standing = facts.standing(work.connection, work.tenant_id, subject_ref, model)
    if person.merged_into is not None or standing.stage != lapse.origin or standing.last_act_at is None:
        return None
    due = plus(standing.last_act_at, lapse.after)
    if work.now < minus(due, lapse.warning):
        return None
    due = max(due, plus(work.now, lapse.warning))
    resets = plus(due, lapse.grace)
    policy = policies.active(work.connection, work.tenant_id, work.now)
    if not _verdict(policy, standing, model, lapse.to, resets).allowed:
        return None
    review_id = work.new_id("rvw")
    event = work.record(
        "lifecycle.reset_warned",
        subject_ref=subject_ref,
        facts={
            "review": review_id,
            "model": model,
            "from": lapse.origin,
            "to": lapse.to,
            "last_act_at": wire(standing.last_act_at),
            "due_at": wire(due),
            "resets_at": wire(resets),
        },
    )
    new = Review(
        review_id=review_id,
        subject_ref=subject_ref,
        model=model,
        from_stage=lapse.origin,
        to_stage=lapse.to,
        state=OPEN,
        last_act_at=standing.last_act_at,
        warned_at=work.now,
        due_at=due,
        resets_at=resets,
        closed_at=None,
        closed_because=None,
        kept_until=None,
        event_id=event.id,
    )
    review_store.add(work.connection, work.tenant_id, new)
    return new


def settle(work: Work, review_id: str) -> Review:
    """Look at an open review again: end it if its ground is gone, move the person if the grace is over."""
    waiting = get(work, review_id)
    person = subjects.lock(work, waiting.subject_ref)
    waiting = get(work, review_id)  # as it is now that nobody else changes it
    if waiting.state != OPEN:
        return waiting
    standing = facts.standing(work.connection, work.tenant_id, waiting.subject_ref, waiting.model)
    policy = policies.active(work.connection, work.tenant_id, work.now)
    model = policy.models.get(waiting.model)
    if person.merged_into is not None:
        return _end(work, waiting, "merged")
    if model is None or not any(
        (lapse.origin, lapse.to) == (waiting.from_stage, waiting.to_stage) for lapse in model.inactivity
    ):
        return _end(work, waiting, "rule-changed")
    if standing.stage != waiting.from_stage:
        return _end(work, waiting, "stage-changed")
    if standing.last_act_at is not None and standing.last_act_at > waiting.last_act_at:
        return _end(work, waiting, "acted")
    at = max(work.now, waiting.resets_at)
    verdict = _verdict(policy, standing, waiting.model, waiting.to_stage, at)
    if not verdict.allowed:
        return _end(work, waiting, verdict.reasons[0].code)
    if work.now < waiting.resets_at:
        return waiting
    transition(work, waiting.subject_ref, model=waiting.model, to=waiting.to_stage, trigger=INACTIVITY)
    moved = next(event for event in work.events if event.kind == "lifecycle.moved")
    return _close(work, waiting, RESET, "inactive", moved.id)


def keep(work: Work, review_id: str, *, because: str) -> Review:
    """Keep somebody in the stage, for as long again as inactivity takes; `because` is sealed as evidence.

    NotFoundError for no such review, ConflictError `review-closed` if it is decided already.
    """
    waiting = get(work, review_id)
    subjects.lock(work, waiting.subject_ref)
    waiting = get(work, review_id)
    if waiting.state != OPEN:
        raise ConflictError("This review is closed; nobody waits in it any more.", reason="review-closed")
    policy = policies.active(work.connection, work.tenant_id, work.now)
    model = policy.models.get(waiting.model)
    spans = [
        lapse.after
        for lapse in (() if model is None else model.inactivity)
        if (lapse.origin, lapse.to) == (waiting.from_stage, waiting.to_stage)
    ]
    until = max([waiting.resets_at, *(plus(work.now, span) for span in spans)])
    event_id = work.new_id("evt")
    told = work.resource(Vault).seal_evidence(
        work.tenant_id, waiting.subject_ref, event_id, {"because": because}
    )
    work.record(
        "lifecycle.kept",
        subject_ref=waiting.subject_ref,
        facts={"review": review_id, "model": waiting.model, "kept_until": wire(until)},
        sealed=told,
        event_id=event_id,
    )
    return _close(work, replace(waiting, kept_until=until), KEPT, "kept-by-hand", event_id)


def get(snap: Snapshot, review_id: str) -> Review:
    """The review of this id; NotFoundError if there is none."""
    found = review_store.find(snap.connection, snap.tenant_id, review_id)
    if found is None:
        raise NotFoundError("There is no such review.")
    return found


def reviews(snap: Snapshot, *, state: str = OPEN, after: str = "", limit: int = 50) -> list[Review]:
    """Reviews of one state, the oldest first; InvalidError for a state that there is not."""
    if state not in STATES:
        raise InvalidError(
            "Reviews have no such state.", fields={"state": [f"Give one of: {', '.join(STATES)}."]}
        )
    return review_store.listed(snap.connection, snap.tenant_id, state=state, after=after, limit=limit)


def documents(snap: Snapshot, found: Sequence[Review]) -> list[dict[str, Any]]:
    """Reviews as they are shown, each with what would lapse at the move."""
    policy = policies.active(snap.connection, snap.tenant_id, snap.now)
    names = subjects.external_ids(snap, {each.subject_ref for each in found})
    return [_document(snap, policy, each, names.get(each.subject_ref)) for each in found]


def _document(snap: Snapshot, policy: CompiledPolicy, one: Review, name: str | None) -> dict[str, Any]:
    model = policy.models.get(one.model)
    lapses: dict[str, object] | None = None
    if model is not None:
        lapses = consequences(
            stage_view(policy, model, one.from_stage),
            stage_view(policy, model, one.to_stage),
            at=wire(one.resets_at),
            obligations=(),
            records=(),
        ).document()
        lapses.pop("obligations")
        lapses.pop("records")
    phase = "grace" if snap.now >= one.due_at else "warned"
    return {
        "id": one.review_id,
        "subject": name,
        "model": one.model,
        "from": one.from_stage,
        "to": one.to_stage,
        "state": one.state,
        "phase": phase if one.state == OPEN else None,
        "last_act_at": wire(one.last_act_at),
        "warned_at": wire(one.warned_at),
        "due_at": wire(one.due_at),
        "resets_at": wire(one.resets_at),
        "closed_at": None if one.closed_at is None else wire(one.closed_at),
        "closed_because": one.closed_because,
        "kept_until": None if one.kept_until is None else wire(one.kept_until),
        "consequences": lapses,
    }


def _verdict(policy: CompiledPolicy, standing: Standing, model: str, to: str, at: datetime) -> Verdict:
    """What policy will say to the move at an instant, if nothing happens until then."""
    seen = facts_of(standing, Move(model, to, {}, trigger=INACTIVITY))
    return decide(policy, ACTION, policy.bucketed(ACTION, seen, at))


def _end(work: Work, waiting: Review, because: str) -> Review:
    event = work.record(
        "lifecycle.reset_called_off",
        subject_ref=waiting.subject_ref,
        facts={"review": waiting.review_id, "model": waiting.model, "because": because},
    )
    return _close(work, waiting, ENDED, because, event.id)


def _close(work: Work, waiting: Review, state: str, because: str, event_id: str) -> Review:
    values = {
        "state": state,
        "closed_at": work.now,
        "closed_because": because,
        "kept_until": waiting.kept_until,
        "event_id": event_id,
    }
    review_store.update(work.connection, work.tenant_id, waiting.review_id, values)
    return get(work, waiting.review_id)
