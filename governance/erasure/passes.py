"""What a step of several passes knows of the earlier ones: what ended, and what has to be there. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from governance.erasure.model import FAILED, IS_HELD, Part, Step
from governance.systems.model import ANONYMISED, ERASED, KEPT_UNTIL, NOT_FOUND

AFTER = "after"
"""In a plan, of a class that waited while the system erased others of the same person: why it waited."""

WAITED = "waited"
"""In a plan, of a class that waited: how many rows of it an earlier pass counted as kept."""

_NOTES = (AFTER, WAITED)
_GONE = (ERASED, ANONYMISED)
_UNSAID = (
    "What was ordered of {} has no answer: the system does not say what became of it. Put right what it "
    "answers or how it is mapped, then retry."
)
_UNMAPPED = (
    "{} was ordered and is mapped nowhere any more in this system, so nothing was asked of it. Map it again, "
    "then retry; if the system holds none of it by now, answer for that (`not-held`)."
)

_VANISHED = (
    "Data that were held or kept before are not found any more. See in the system whether they are gone or "
    "have only lost what they were found by, then retry; what is not found then either counts as gone."
)

_NOT_HELD = "The system is not mapped for it any more; somebody answered for it that it holds none of it."
_LOOKED = "Data of this class were there again when the rest was erased; somebody looked, then it went on."


def ended(step: Step) -> frozenset[str]:
    """The classes that earlier passes ended, all of each."""
    found = {part.data_class for part in step.parts}
    open_ = {p.data_class for p in step.parts if p.outcome not in (ERASED, ANONYMISED, NOT_FOUND)}
    return frozenset(found - open_ - {part.data_class for part in step.kept} - set(step.plan or ()))


def waited(step: Step, data_class: str) -> str:
    """Why data of a class that has to be in the system waited; empty if nothing says that they are there."""
    if any(p.data_class == data_class and p.outcome == KEPT_UNTIL and p.rows for p in step.parts):
        return KEPT_UNTIL
    was_found = any(part.rows and part.outcome != NOT_FOUND for part in (*step.parts, *step.kept))
    why = [p.outcome for p in step.kept if p.data_class == data_class]
    return why[0] if was_found and why and why[0] in (IS_HELD, KEPT_UNTIL) else ""


def unmapped(step: Step, data_classes: Collection[str]) -> str:
    """Why a step cannot go on whose system is registered for these classes by now; empty if it can."""
    lost = sorted(set(step.plan or ()) - set(data_classes))
    return _UNMAPPED.format(", ".join(lost)) if lost else ""


def checked(step: Step, parts: tuple[Part, ...], *, said: bool = True) -> tuple[Part, ...]:
    """What a system answered, where data that waited and are not found count as failed.

    So do classes of the plan that a finished answer (`said`) leaves out, whatever kind of system it is.
    """
    plan = step.plan or {}
    silent = sorted(set(plan) - {part.data_class for part in parts}) if said else []
    unsaid = _UNSAID.format(", ".join(silent))
    return (
        *(
            replace(part, outcome=FAILED, because=_VANISHED)
            if part.outcome == NOT_FOUND and plan.get(part.data_class, {}).get(AFTER)
            else part
            for part in parts
        ),
        *(Part(each, FAILED, 0, unsaid) for each in silent),
    )


def told(step: Step, parts: tuple[Part, ...]) -> Step:
    """The step once it was told what came of its plan: what waited is over, unless it failed.

    What is not found any more fails once: a retry asks again, and believes it. What the others ended need not
    be there for the retry either.
    """
    if step.plan is None:
        return step
    failed = any(part.outcome == FAILED for part in parts)
    over = {p.data_class for p in parts if p.outcome in _GONE or not failed}
    looked = {part.data_class for part in parts if part.because == _VANISHED}
    plan = {
        name: {
            k: v
            for k, v in one.items()
            if not (k in _NOTES and name in over) and not (k == AFTER and name in looked)
        }
        for name, one in step.plan.items()
    }
    return replace(step, plan=plan)


def without(step: Step, data_classes: Sequence[str]) -> Step:
    """The step when somebody answers for it that its system holds nothing of these classes any more."""
    gone = tuple(
        part
        for part in step.parts
        if part.data_class not in data_classes or (part.outcome in _GONE and part.rows)
    )
    plan = {name: one for name, one in (step.plan or {}).items() if name not in data_classes}
    return replace(
        step,
        data_classes=tuple(each for each in step.data_classes if each not in data_classes),
        plan=plan,
        parts=(*gone, *(Part(each, NOT_FOUND, 0, _NOT_HELD) for each in data_classes)),
    )


def joined(step: Step, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts of a step with those of its newest pass, as one pass would have told them.

    Without any it did nothing. What earlier passes erased of a class is added up. A class that was there
    again is failed beside what ended before; once a retry passes over it, somebody has looked, and that is
    told of it.
    """
    if not parts:
        return step.parts
    new = {part.data_class for part in parts if not _is_there_again(step, part)}
    others = [part for part in step.parts if part.data_class not in new]
    seen = {part.data_class for part in others if _is_there_again(step, part)}
    before = [
        replace(part, because=_LOOKED) if part.data_class in seen else part
        for part in others
        if not _is_there_again(step, part)
    ]
    added = [part for name in sorted(new) for part in _added(step, name, parts)]
    return (*before, *added, *(part for part in parts if part.data_class not in new))


def _added(step: Step, data_class: str, parts: Sequence[Part]) -> list[Part]:
    """What all passes did with one class, and what the newest found, row by row but once."""
    found = [part for part in parts if part.data_class == data_class]
    gone = [part for part in step.parts if part.data_class == data_class and part.outcome in _GONE]
    ended = [part for part in step.parts if part.data_class == data_class and part.outcome == NOT_FOUND]
    kept = waiting(step, data_class)
    again = max(0, sum(part.rows for part in found) - kept)
    told = {part.because for part in found if part.outcome == ANONYMISED}
    # Rows that an earlier pass emptied are found once more, and may go now: first those told alike.
    order = sorted(gone, key=lambda part: (part.because not in told, not part.because))
    for part in order:
        if part.outcome == ANONYMISED and again:
            fewer = min(part.rows, again)
            again -= fewer
            gone.remove(part)
            gone += [replace(part, rows=part.rows - fewer)] if fewer < part.rows else []
    if (gone or ended) and not kept:
        found = [part for part in found if part.outcome != NOT_FOUND]
    return _summed([*gone, *found] or ended)


def waiting(step: Step, data_class: str) -> int:
    """How many rows of a class the newest pass kept, as far as anybody counted them."""
    every = (*step.parts, *step.kept)
    kept = sum(p.rows for p in every if p.data_class == data_class and p.outcome in (KEPT_UNTIL, IS_HELD))
    return kept or int((step.plan or {}).get(data_class, {}).get(WAITED, 0))


def _summed(parts: Sequence[Part]) -> list[Part]:
    """Parts that tell the same, as one with all their rows."""
    rows: dict[Part, int] = {}
    for part in parts:
        alike = replace(part, rows=0)
        rows[alike] = rows.get(alike, 0) + part.rows
    return [replace(part, rows=count) for part, count in rows.items()]


def _is_there_again(step: Step, part: Part) -> bool:
    """Whether a part says that a class was there again which the step does not ask for any more."""
    asked = part.data_class in (step.plan or {})
    ended = any(p.data_class == part.data_class and p.outcome != FAILED for p in step.parts)
    return part.outcome == FAILED and ended and not asked
