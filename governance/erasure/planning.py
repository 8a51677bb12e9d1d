"""What each step will do: asked of retention once, when the undo window has closed.

Our own rows go soon after, and with them the facts that retention rests on; so these are kept with the case
(`frozen`), and all plans are made in one transaction. What was held, or comes back at the end of a term, is
planned anew, and with it a new round begins, because a system is asked once per round.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from governance.erasure import frozen, passes
from governance.erasure.model import DONE, HELD, IS_HELD, OWN, PENDING, WAITING, Before, Erasure, Part, Step
from governance.retention import own_dates
from governance.retention import service as retention
from governance.retention.model import KEEP, SCHEDULE, RetentionVerdict
from governance.systems import service as systems
from governance.systems.dependencies import erasure_order
from governance.systems.model import (
    ANONYMISED,
    DELETE,
    ERASED,
    KEEP_UNTIL,
    KEPT_UNTIL,
    Disposition,
    ErasurePlan,
)
from governance.systems.own_dates import OwnDates
from governance.work import Snapshot

OWN_CLASSES = ("identification", "contact_details", "demographics", "organisation", "preferences")
"""Data classes of the catalogue that our own record of a person holds in the open or under its own key."""

EVIDENCE_CLASSES = ("consent_proofs", "messages")
"""Data classes that keep a person's evidence key alive."""

OWN_DATES = "own_dates"
"""In a plan, of a class that is kept: what counts for data that tell their own date."""

_ERASURE = "erasure"
_HELD = "A legal hold covers these data; the erasure goes on by itself once it is released."


@dataclass(frozen=True, slots=True)
class Answer:
    """What retention says of some data classes: what is done, and what is left alone or held.

    `rules`: which rule gave the day, for what a system keeps until then.
    """

    dispositions: dict[str, Disposition]
    rules: dict[str, str]
    kept: tuple[Part, ...]

    @property
    def held(self) -> bool:
        """Whether a hold covers any of it."""
        return any(part.outcome == IS_HELD for part in self.kept)


def first_steps(snap: Snapshot, scope: tuple[str, ...] | None) -> tuple[Step, ...]:
    """One step per system that holds anything in scope, in the order of what is derived from what."""
    registered = systems.registered(snap)
    of = {each.system_id: each for each in registered if each.retired_at is None}
    steps = []
    for batch, ids in enumerate(erasure_order(registered)):
        for system_id in (each for each in ids if each in of):
            classes = tuple(each for each in of[system_id].data_classes if scope is None or each in scope)
            if classes:
                steps.append(_fresh(system_id, batch, classes))
    return tuple(steps) if scope is not None else (*steps, _fresh(OWN, len(steps), OWN_CLASSES))


def missing(snap: Snapshot, erasure: Erasure) -> tuple[list[Step], list[tuple[Step, tuple[str, ...]]]]:
    """What systems hold by now that no step of the case is about.

    Gives steps for systems that were registered since, and steps that are there with the classes of data that
    their systems have got since. One that is under way at the far side is left until it has ended.
    """
    known = {step.system: step for step in erasure.steps}
    new: list[Step] = []
    grown: list[tuple[Step, tuple[str, ...]]] = []
    for each in first_steps(snap, erasure.scope):
        step = known.get(each.system)
        if step is None:
            new.append(each)
        elif step.status != WAITING:
            more = tuple(name for name in each.data_classes if name not in step.data_classes)
            if more:
                grown.append((step, more))
    return new, grown


def widened(snap: Snapshot, erasure: Erasure, step: Step, more: tuple[str, ...]) -> Step:
    """A step that is about more classes of data from now on: planned, if the others are."""
    wide = replace(step, data_classes=(*step.data_classes, *more))
    if step.plan is None:
        return wide
    planned = plan(snap, erasure, wide, only=more)
    if step.status in (DONE, HELD):
        return planned
    both = {**step.plan, **(planned.plan or {})}  # what was not done yet is not forgotten
    return replace(planned, status=step.status, plan=both, because=step.because, next_at=step.next_at)


def before(snap: Snapshot) -> Before:
    """Which systems come before which: what was derived goes before what it was derived from."""
    depends_on = {each.system_id: each.depends_on for each in systems.registered(snap)}
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
    """Give a step its plan. `only`: data classes whose keeping has ended, else all.

    What a hold covers is left alone, and the rest goes on; our own rows go together or not at all.
    """
    classes = step.data_classes if only is None else only
    answer = _ask(snap, erasure, step, classes)
    if step.system == OWN and answer.held:
        return replace(step, status=HELD, because=_HELD, next_at=None)
    document = ErasurePlan(answer.dispositions).document()
    for name, rule in answer.rules.items():
        document[name]["rule"] = rule
    for name, one in answer.dispositions.items():
        if one.own is not None:
            document[name][OWN_DATES] = one.own.text()
    for name, said in document.items():
        if why := passes.waited(step, name):
            said[passes.AFTER] = why
        if rows := passes.waiting(step, name):
            said[passes.WAITED] = str(rows)
    still = () if only is None else tuple(part for part in step.kept if part.data_class not in classes)
    kept = (*still, *(replace(each, rows=passes.waiting(step, each.data_class)) for each in answer.kept))
    left_alone = {part.data_class for part in answer.kept}
    rests = not document and any(part.outcome == IS_HELD for part in kept)
    return replace(
        step,
        status=HELD if rests else PENDING,
        round=step.round if step.plan is None else step.round + 1,
        attempts=0,
        plan=document,
        kept=kept,
        parts=tuple(
            each
            for each in step.parts
            if each.data_class not in left_alone or (each.rows and each.outcome in (ERASED, ANONYMISED))
        ),
        because=_HELD if rests else "",
        next_at=snap.now,
    )


def held_of(snap: Snapshot, erasure: Erasure, step: Step, classes: Iterable[str]) -> tuple[str, ...]:
    """Which of these data classes a hold covers now."""
    return tuple(each for each, verdict in verdicts(snap, erasure, step, classes).items() if verdict.held_by)


def is_held(snap: Snapshot, erasure: Erasure, step: Step) -> bool:
    """Whether a hold stands in the way of this step, all of it or a part, now."""
    return bool(held_of(snap, erasure, step, step.data_classes))


def verdicts(
    snap: Snapshot, erasure: Erasure, step: Step, classes: Iterable[str]
) -> dict[str, RetentionVerdict]:
    """What retention says of data classes of a step to whoever demands their erasure now."""
    known = frozen.read(snap, erasure)
    return {
        each: retention.verdict(
            snap,
            erasure.subject_ref,
            each,
            system=None if step.system == OWN else step.system,
            occasion=_ERASURE,
            standing=known.standing,
            newest=known.newest,
        )
        for each in classes
    }


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


def _ask(snap: Snapshot, erasure: Erasure, step: Step, classes: tuple[str, ...]) -> Answer:
    dispositions: dict[str, Disposition] = {}
    rules: dict[str, str] = {}
    kept: list[Part] = []
    for data_class, verdict in verdicts(snap, erasure, step, classes).items():
        if verdict.held_by:
            kept.append(Part(data_class, IS_HELD, 0, _HELD))
        elif verdict.disposition != KEEP or _was_told(snap, erasure, step, data_class):
            dispositions[data_class] = _free(snap, erasure, step, data_class)
        elif step.system != OWN and verdict.free_from is not None:
            own = _own_dates(snap, erasure, step, data_class)
            dispositions[data_class] = Disposition(KEEP_UNTIL, verdict.free_from, verdict.because, own)
            rules |= {} if verdict.rule is None else {data_class: verdict.rule}
        else:
            until, during = verdict.free_from, verdict.during
            kept.append(Part(data_class, KEPT_UNTIL, 0, verdict.because, until, during, verdict.rule))
    return Answer(dispositions, rules, tuple(kept))


def _own_dates(snap: Snapshot, erasure: Erasure, step: Step, data_class: str) -> OwnDates:
    known = frozen.read(snap, erasure)
    return own_dates.of_class(
        snap,
        erasure.subject_ref,
        data_class,
        system=step.system,
        standing=known.standing,
        newest=known.newest,
    )


def _free(snap: Snapshot, erasure: Erasure, step: Step, data_class: str) -> Disposition:
    """What is deleted, but for registered records that a duty of their own keeps (another jurisdiction)."""
    if step.system == OWN:
        return Disposition(DELETE)
    known = frozen.read(snap, erasure).standing
    records = own_dates.of_records(snap, erasure.subject_ref, data_class, system=step.system, standing=known)
    return Disposition(
        DELETE, own=OwnDates(records=records) if any(day for day, _ in records.values()) else None
    )


def _was_told(snap: Snapshot, erasure: Erasure, step: Step, data_class: str) -> bool:
    """Whether the day of a class has come in a case that began before such facts were kept with it."""
    if erasure.fence_at is None or erasure.weighed_under is not None:
        return False
    today = snap.now.date()
    return any(part.data_class == data_class and part.until and part.until <= today for part in step.parts)
