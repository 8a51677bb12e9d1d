"""What time alone brings: reminders, the end of unproved requests and unconfirmed fees, overdue clocks.

Safe to repeat: each thing is noted on the request in the transaction that records it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from governance.events import Fact
from governance.rights import clocks, erasures, execution, handling, states, store
from governance.rights.clocks import Reading
from governance.rights.dossier import Dossier, clock_of, keep, open_dossier, reading_of
from governance.rights.matching import PUBLIC
from governance.rights.model import (
    CLOSED_STATES,
    ERASURE,
    EXPIRED,
    IN_PROGRESS,
    LATE_ACKNOWLEDGEMENT,
    OPEN_STATES,
    RECEIVED,
    VERIFYING,
)
from governance.work import Snapshot, Work

REMIND_BEFORE = (14, 7, 3, 1)
"""Days before an answer is due at which the controller is reminded."""

ANSWER_BEFORE = timedelta(days=3)
"""How long before an answer is due an erasure that only a legal hold stops is answered in part."""

Act = Callable[[Work, Dossier], None]


def waiting(snap: Snapshot, *, after: str, limit: int) -> list[str]:
    """Ids of open requests, in order, after an id."""
    return store.open_ids(snap.connection, snap.tenant_id, states=OPEN_STATES, after=after, limit=limit)


def unmatched(snap: Snapshot, *, after: str = "", limit: int) -> list[str]:
    """Ids of requests of which nobody has looked yet whom they mean, after an id, oldest first."""
    return store.unmatched(snap.connection, snap.tenant_id, after=after, limit=limit)


def is_due(snap: Snapshot, request_id: str) -> bool:
    """Whether anything is to be noted of a request now."""
    return bool(_due(snap, open_dossier(snap, request_id)))


def watch(work: Work, request_id: str) -> bool:
    """Note what is due of one request now; gives whether there was anything."""
    due = _due(work, open_dossier(work, request_id))
    for what in due:
        what(work, open_dossier(work, request_id))
    return bool(due)


def _due(snap: Snapshot, dossier: Dossier) -> list[Act]:
    """What is to be noted: one end, or what reminds of the clock."""
    said, reading = dossier.request, reading_of(snap, dossier)
    if said.state in CLOSED_STATES:
        return []
    unproved = said.state in (RECEIVED, VERIFYING)
    if unproved and said.proof_until is not None and said.proof_until <= snap.now:
        return [_expire]
    if _fee_lapsed(snap, dossier, reading):
        return [_end_for_fee]
    if said.type == ERASURE and said.state == IN_PROGRESS and not dossier.is_part:
        stands = erasures.standing(snap, dossier)
        if stands is None:
            return [_fulfil_erasure]
        if stands != said.waits_for:
            return [_note_erasure]
        if reading.due_at - snap.now <= ANSWER_BEFORE and erasures.is_only_held(snap, dossier):
            return [_answer_held]
    if reading.paused or (unproved and said.channel == PUBLIC and dossier.taken_up is None):
        return []  # nobody has shown yet that somebody asks
    due: list[Act] = []
    if reading.due_at <= snap.now:
        due += [_overdue] if said.overdue_at is None else []
    elif _left(reading, snap.now, said.reminded):
        due.append(_remind)
    acknowledged = said.acknowledged_at is not None or reading.acknowledge_by is None
    if not acknowledged and not said.reminded & LATE_ACKNOWLEDGEMENT:
        due += [_miss] if reading.acknowledge_by is not None and reading.acknowledge_by <= snap.now else []
    return due


def _left(reading: Reading, now: datetime, reminded: int) -> list[int]:
    """Which of the reminders are due and were not given."""
    left = reading.due_at - now
    due = [n for n, days in enumerate(REMIND_BEFORE) if left <= timedelta(days=days)]
    return [n for n in due if not reminded & (1 << n)]


def _fee_lapsed(snap: Snapshot, dossier: Dossier, reading: Reading) -> bool:
    """Whether a fee was not confirmed in the time that the law gives (Swiss DPO Art. 19)."""
    asked = any(each.reason == clocks.FEE and each.answered_at is None for each in dossier.asks)
    return asked and clocks.FEE_TERM in clock_of(snap, dossier).starts and reading.waits_for != clocks.FEE


def _expire(work: Work, dossier: Dossier) -> None:
    """End a request that nobody confirmed. No letter: the one that asked for proof said so."""
    case = states.move(dossier.case, states.EXPIRE)
    keep(work, dossier, "expired", case=case, outcome=EXPIRED)


def _end_for_fee(work: Work, dossier: Dossier) -> None:
    handling.withdraw(work, dossier.request_id, outcome="fee-not-confirmed")


def _fulfil_erasure(work: Work, dossier: Dossier) -> None:
    """Tell the person that the erasure is done, and what had to be kept."""
    partly, kept = erasures.report(work, dossier)
    handling.fulfil(work, dossier.request_id, partly=partly, because=kept or None)


def _note_erasure(work: Work, dossier: Dossier) -> None:
    stands = erasures.standing(work, dossier)
    if dossier.request.waits_for == erasures.RESTRICTED and erasures.is_anybody_here(work, dossier):
        execution.go_on(work, dossier)  # it was lifted: what waited for that is ordered now
        return
    dossier = keep(work, dossier, "delayed", facts={"waits_for": stands}, waits_for=stands)
    if stands == erasures.HOLD:
        erasures.tell_of_hold(work, dossier)
    elif stands == erasures.RESTRICTED:
        erasures.wait_for_lifting(work, dossier)


def _answer_held(work: Work, dossier: Dossier) -> None:
    """Answer in part before the term ends; what a legal hold covers goes by itself when it is released."""
    handling.fulfil(work, dossier.request_id, partly=True, because=erasures.report(work, dossier)[1] or None)


def _overdue(work: Work, dossier: Dossier) -> None:
    keep(work, dossier, "overdue", overdue_at=work.now)


def _remind(work: Work, dossier: Dossier) -> None:
    new = _left(reading_of(work, dossier), work.now, dossier.request.reminded)
    facts: dict[str, Fact] = {"days": min(REMIND_BEFORE[n] for n in new)}
    reminded = dossier.request.reminded | sum(1 << n for n in new)
    keep(work, dossier, "reminded", facts=facts, reminded=reminded)


def _miss(work: Work, dossier: Dossier) -> None:
    """Note that an acknowledgement was due and no letter had gone out."""
    keep(work, dossier, "acknowledgement_missed", reminded=dossier.request.reminded | LATE_ACKNOWLEDGEMENT)
