"""Carrying out what retention decided: records end in their systems, people who are due are erased.

Dispositions are claimed under a lease and weighed again in that transaction, and once more before each later
part of what was claimed is asked for; the system is asked with no transaction open; what it answered is
settled under the fence. Killed anywhere, the next worker claims them again after the lease: a record that is
gone already is `not_found`, and nothing happens twice.

Records that are ended together share a transaction at the far side, so one that cannot go stops all of them:
then each half is asked alone, down to the record, and the others go.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from governance.erasure import service
from governance.errors import ConflictError, NotFoundError
from governance.events import Actor
from governance.retention import dispositions
from governance.retention.disposition_store import Disposition
from governance.retention.dispositions import ORDERED
from governance.retention.model import OWN
from governance.systems import operations
from governance.systems import service as systems
from governance.systems.model import (
    ANONYMISED,
    DELETE,
    DISPOSE,
    DONE,
    ERASED,
    FAILED,
    KEPT_UNTIL,
    NOT_FOUND,
    WAITING,
    Disposal,
    Outcome,
    SubjectKeys,
)
from governance.systems.model import Disposition as Fate
from governance.systems.operations import Operation
from governance.work import Opener, Work

ACTOR = Actor("job:carry-out-retention", "job")
REASON = "retention"
BATCH = 100
MOST_ATTEMPTS = 8
_UNKNOWN, _RETIRED = _CODES = ("unknown-system", "retired-system")
_NO_ANSWER = timedelta(minutes=15)
_TROUBLED = 2
"""After so many records in a row that a system did not answer about, the rest waits: it is the system."""

_GIVEN_UP = Outcome(FAILED, "The system does not answer at the moment.", transient=True)
_TOGETHER = ("sql",)
"""Kinds of systems that end many records in one transaction and know what is gone already. Others are asked
for each record under an id of its own, so that a second asking is the same request."""


def carry_out(opener: Opener, tenant_id: str) -> int:
    """Carry out a batch of what was approved; gives how many dispositions were looked at, 0 at the end."""
    with opener.snapshot(tenant_id, ACTOR) as snap:
        if not dispositions.waiting(snap):
            return 0
    with opener.work(tenant_id, ACTOR) as work:
        looked, taken = dispositions.claim_batch(work, most=BATCH)
        groups = list(_groups(work, taken))
    for number, group in enumerate(groups):
        if group[0].system == OWN:
            _erase(opener, tenant_id, group[0])
        else:
            _dispose(opener, tenant_id, group, just_claimed=number == 0)
    return looked


def _groups(work: Work, taken: Sequence[Disposition]) -> Iterable[list[Disposition]]:
    """What is asked together: records of one class in a system that can end many at once."""
    together: dict[tuple[str, str], list[Disposition]] = {}
    for each in taken:
        system = None if each.system == OWN else systems.find(work, each.system)
        if system is not None and system.kind in _TOGETHER:
            together.setdefault((each.system, each.data_class), []).append(each)
        else:
            yield [each]
    yield from together.values()


def _erase(opener: Opener, tenant_id: str, one: Disposition) -> None:
    """Order the erasure of a person who is due: it has its own undo window, steps and certificate."""
    assert one.subject_ref is not None
    with opener.work(tenant_id, ACTOR) as work:
        if not dispositions.is_ours(work, one):
            return
        try:
            service.order(work, one.subject_ref, reason=REASON)
            outcome = ORDERED
        except (ConflictError, NotFoundError):
            outcome = NOT_FOUND  # erased already, or never known
        dispositions.settle(work, one, outcome=outcome)


def _dispose(opener: Opener, tenant_id: str, group: Sequence[Disposition], *, just_claimed: bool) -> None:
    """End records in their system, and write what it answered about each.

    What was asked before may have taken its time: only what was just claimed is not weighed again.
    """
    parts, troubled = [group], 0
    while parts:
        part = parts.pop()
        if not just_claimed:
            part = _still_to_go(opener, tenant_id, part)
        just_claimed = False
        if not part:
            continue
        outcome = _GIVEN_UP if troubled >= _TROUBLED else _ask(opener, tenant_id, part)
        if len(part) > 1 and _is_for_each_alone(outcome, part):
            half = len(part) // 2
            parts += [part[half:], part[:half]]
            continue
        if outcome.status == DONE:
            troubled = 0
        elif len(part) == 1 and outcome.transient:
            troubled += 1
        with opener.work(tenant_id, ACTOR) as work:
            for each in part:
                _settle(work, each, outcome)


def _ask(opener: Opener, tenant_id: str, part: Sequence[Disposition]) -> Outcome:
    first = part[0]
    with opener.snapshot(tenant_id, ACTOR) as snap:
        found = systems.find(snap, first.system)
    if found is not None and found.retired_at is not None:
        return Outcome(FAILED, _RETIRED)
    alone = f"dispose/{first.disposition_id}"
    name = alone if len(part) == 1 else f"{alone}/{first.fence}/{len(part)}"
    ids = tuple(each.record_id for each in part)
    disposal = Disposal(first.data_class, ids, Fate(DELETE))
    asked = Operation(name, first.system, DISPOSE, SubjectKeys(""), disposal=disposal)
    try:
        return operations.run(opener, ACTOR, tenant_id, asked)
    except NotFoundError:
        return Outcome(FAILED, _UNKNOWN)


def _is_for_each_alone(outcome: Outcome, part: Sequence[Disposition]) -> bool:
    """Whether one record may be why the others did not go: each half is asked alone then.

    What may pass by itself is waited for once before.
    """
    if outcome.status != FAILED or outcome.because in _CODES or outcome is _GIVEN_UP:
        return False
    return not outcome.transient or min(each.fence for each in part) > 1


def _still_to_go(opener: Opener, tenant_id: str, part: Sequence[Disposition]) -> list[Disposition]:
    """Those that are still ours, for as long again, and still may go: a hold may have been placed since."""
    with opener.work(tenant_id, ACTOR) as work:
        return dispositions.weigh_again(work, part)


def _settle(work: Work, one: Disposition, outcome: Outcome) -> None:
    if outcome.status == WAITING:
        dispositions.rest(work, one, until=outcome.check_after or work.now + _NO_ANSWER)
    elif outcome.status == DONE:
        said = outcome.records.get(one.record_id) or _said(outcome)
        rows = 1 if said in (ERASED, ANONYMISED) else 0
        because = "kept-by-system" if said == KEPT_UNTIL else None
        dispositions.settle(work, one, outcome=said, rows=rows, because=because)
    elif outcome.transient and one.fence < MOST_ATTEMPTS:
        dispositions.rest(work, one, until=work.now + timedelta(minutes=2**one.fence))
    else:
        code = outcome.because in _CODES
        because, sentence = (outcome.because, None) if code else ("system-failed", outcome.because or None)
        dispositions.settle(work, one, outcome="failed", because=because, sentence=sentence)


def _said(outcome: Outcome) -> str:
    """What a system said that does not answer record by record; `failed` if it said nothing."""
    return next((each.outcome for each in outcome.steps), "failed")
