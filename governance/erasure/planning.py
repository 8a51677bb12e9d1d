"""What each step will do: asked of retention once, when the undo window has closed.

Our own rows go soon after, and with them the facts that retention rests on; so all plans are made in one
transaction and kept. A step that is held, or that comes back at the end of a term, gets a new plan and with
it a new round, because a system is asked once per round.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from governance.erasure.model import DONE, HELD, OWN, PENDING, Before, Erasure, Part, Step
from governance.retention import service as retention
from governance.retention.model import KEEP, SCHEDULE, RetentionVerdict
from governance.systems import service as systems
from governance.systems.model import DELETE, KEEP_UNTIL, KEPT_UNTIL, Disposition, ErasurePlan, erasure_order
from governance.work import Snapshot

OWN_CLASSES = ("identification", "contact_details", "demographics", "organisation", "preferences")
"""Data classes of the catalogue that our own record of a person holds in the open or under its own key."""

EVIDENCE_CLASSES = ("consent_proofs", "messages")
"""Data classes that keep a person's evidence key alive."""

_ERASURE = "erasure"
_HELD = "A legal hold covers these data; the erasure goes on by itself once it is released."


@dataclass(frozen=True, slots=True)
class Answer:
    """What retention says of some data classes: what is done, what is left alone, which holds stand."""

    dispositions: dict[str, Disposition]
    kept: tuple[Part, ...]
    held_by: tuple[str, ...]


def first_steps(snap: Snapshot, scope: tuple[str, ...] | None) -> tuple[Step, ...]:
    """One step per system that holds anything in scope, in the order of what is derived from what."""
    registered = systems.every(snap)
    of = {each.system_id: each for each in registered}
    steps = []
    for batch, ids in enumerate(erasure_order(registered)):
        for system_id in ids:
            classes = tuple(each for each in of[system_id].data_classes if scope is None or each in scope)
            if classes:
                steps.append(_fresh(system_id, batch, classes))
    return tuple(steps) if scope is not None else (*steps, _fresh(OWN, len(steps), OWN_CLASSES))


def before(snap: Snapshot) -> Before:
    """Which systems come before which: what was derived goes before what it was derived from."""
    depends_on = {each.system_id: each.depends_on for each in systems.every(snap)}
    first: dict[str, set[str]] = {each: set() for each in depends_on}
    for system_id in depends_on:
        reached = list(depends_on[system_id])
        while reached:
            source = reached.pop()
            if system_id != source and system_id not in first.setdefault(source, set()):
                first[source].add(system_id)
                reached += depends_on.get(source, ())
    return {each: frozenset(derived) for each, derived in first.items()}


def holds_on(snap: Snapshot, erasure: Erasure) -> tuple[str, ...]:
    """Ids of the holds on the person, whatever data they cover."""
    return tuple(hold.hold_id for hold in retention.holds_on(snap, erasure.subject_ref))


def plan(snap: Snapshot, erasure: Erasure, step: Step, *, only: tuple[str, ...] | None = None) -> Step:
    """Give a step its plan, or mark it as held. `only`: data classes whose keeping has ended, else all."""
    classes = step.data_classes if only is None else only
    system = None if step.system == OWN else step.system
    answer = _ask(snap, erasure.subject_ref, system, classes)
    if answer.held_by:
        return replace(step, status=HELD, because=_HELD, next_at=None)
    document = ErasurePlan(answer.dispositions).document()
    fresh = step.plan is None
    still = () if only is None else tuple(part for part in step.kept if part.data_class not in classes)
    return replace(
        step,
        status=PENDING,
        round=step.round if fresh else step.round + 1,
        attempts=0,
        plan=document,
        kept=(*still, *answer.kept),
        because="",
        next_at=snap.now,
    )


def is_held(snap: Snapshot, erasure: Erasure, step: Step) -> bool:
    """Whether a hold stands in the way of this step now."""
    system = None if step.system == OWN else step.system
    return any(
        _verdict(snap, erasure.subject_ref, system, data_class).held_by for data_class in step.data_classes
    )


def evidence_until(snap: Snapshot, subject_ref: str) -> date:
    """The last day on which the person's evidence is kept: the latest that a schedule gives for its classes.

    The evidence serves claims, which an erasure does not end (GDPR Art. 17(3)(e)).
    """
    ends = [
        retention.verdict(snap, subject_ref, each, created_at=snap.now, occasion=SCHEDULE).until
        for each in EVIDENCE_CLASSES
    ]
    return max((each for each in ends if each is not None), default=snap.now.date())


def write_off(erasure: Erasure, now: datetime) -> Iterable[Step]:
    """Steps that have nothing to do because everything in them is kept: done, with the reasons."""
    for step in erasure.steps:
        if step.status == PENDING and step.plan is not None and not step.plan:
            yield replace(step, status=DONE, done_at=now, next_at=None)


def _fresh(system: str, batch: int, classes: tuple[str, ...]) -> Step:
    return Step(
        system=system,
        batch=batch,
        status=PENDING,
        round=1,
        attempts=0,
        data_classes=classes,
        plan=None,
        kept=(),
        parts=(),
        rows=0,
        because="",
        next_at=None,
        left=None,
        done_at=None,
    )


def over(step: Step, today: date, *, lifted: bool) -> tuple[str, ...]:
    """The data classes whose keeping has ended. `lifted`: nothing is kept for a restriction any more."""
    dated = [
        part.data_class
        for part in (*step.parts, *step.kept)
        if part.until is not None and part.until <= today
    ]
    return tuple(dict.fromkeys([*dated, *(step.restricted if lifted else ())]))


def _ask(snap: Snapshot, subject_ref: str, system: str | None, classes: tuple[str, ...]) -> Answer:
    dispositions: dict[str, Disposition] = {}
    kept: list[Part] = []
    held: dict[str, None] = {}
    for data_class in classes:
        verdict = _verdict(snap, subject_ref, system, data_class)
        if verdict.held_by:
            held.update(dict.fromkeys(verdict.held_by))
        elif verdict.disposition != KEEP:
            dispositions[data_class] = Disposition(DELETE)
        elif system is not None and verdict.free_from is not None:
            dispositions[data_class] = Disposition(KEEP_UNTIL, verdict.free_from, verdict.because)
        else:
            until, during = verdict.free_from, verdict.during
            kept.append(Part(data_class, KEPT_UNTIL, 0, verdict.because, until, during))
    return Answer(dispositions, tuple(kept), tuple(held))


def _verdict(snap: Snapshot, subject_ref: str, system: str | None, data_class: str) -> RetentionVerdict:
    return retention.verdict(snap, subject_ref, data_class, system=system, occasion=_ERASURE)
