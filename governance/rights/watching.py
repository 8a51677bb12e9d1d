"""What time alone brings: reminders, the end of unproved requests and unconfirmed fees, overdue clocks.

Safe to repeat: each thing is noted on the request in the transaction that records it.
"""

from datetime import timedelta

from governance.events import Fact
from governance.rights import clocks, handling, states, store
from governance.rights.dossier import Dossier, clock_of, keep, open_dossier, reading_of
from governance.rights.model import CLOSED_STATES, EXPIRED, OPEN_STATES, RECEIVED, VERIFYING
from governance.work import Snapshot, Work

REMIND_BEFORE = (14, 7, 3, 1)
"""Days before an answer is due at which the controller is reminded."""

_LATE_ACKNOWLEDGEMENT = 1 << len(REMIND_BEFORE)


def waiting(snap: Snapshot, *, after: str, limit: int) -> list[str]:
    """Ids of open requests, in order, after an id."""
    return store.open_ids(snap.connection, snap.tenant_id, states=OPEN_STATES, after=after, limit=limit)


def unmatched(snap: Snapshot, *, limit: int) -> list[str]:
    """Ids of requests of which nobody has looked yet whom they mean, oldest first."""
    return store.unmatched(snap.connection, snap.tenant_id, limit=limit)


def watch(work: Work, request_id: str) -> bool:
    """Note what is due of one request now; gives whether there was anything."""
    dossier = open_dossier(work, request_id)
    if dossier.request.state in CLOSED_STATES:
        return False
    return _expire(work, dossier) or _fee(work, dossier) or _remind(work, dossier)


def _expire(work: Work, dossier: Dossier) -> bool:
    """End a request that nobody confirmed. No letter: the one that asked for proof said so."""
    said = dossier.request
    if said.state not in (RECEIVED, VERIFYING) or said.proof_until is None or said.proof_until > work.now:
        return False
    case = states.move(dossier.case, states.EXPIRE)
    keep(work, dossier, "expired", case=case, outcome=EXPIRED)
    return True


def _fee(work: Work, dossier: Dossier) -> bool:
    """End a request whose fee was not confirmed in the time that the law gives (Swiss DPO Art. 19)."""
    clock = clock_of(work, dossier.request)
    if clocks.FEE_TERM not in clock.starts:
        return False
    reading = reading_of(work, dossier)
    asked = [each for each in dossier.asks if each.reason == clocks.FEE and each.answered_at is None]
    if not asked or reading.waits_for == clocks.FEE:
        return False
    handling.withdraw(work, dossier.request_id, outcome="fee-not-confirmed")
    return True


def _remind(work: Work, dossier: Dossier) -> bool:
    said, reading = dossier.request, reading_of(work, dossier)
    if reading.paused:
        return False
    happened = False
    reminded, columns = said.reminded, {}
    facts: dict[str, Fact] = {}
    if reading.due_at <= work.now:
        if said.overdue_at is None:
            keep(work, dossier, "overdue", overdue_at=work.now)
            happened = True
    else:
        left = reading.due_at - work.now
        due = [n for n, days in enumerate(REMIND_BEFORE) if left <= timedelta(days=days)]
        new = [n for n in due if not reminded & (1 << n)]
        if new:
            reminded |= sum(1 << n for n in new)
            facts = {"days": min(REMIND_BEFORE[n] for n in new)}
            columns["reminded"] = reminded
            keep(work, dossier, "reminded", facts=facts, reminded=reminded)
            happened = True
    late = said.acknowledged_at is None and reading.acknowledge_by is not None
    if late and reading.acknowledge_by <= work.now and not reminded & _LATE_ACKNOWLEDGEMENT:  # type: ignore[operator]
        dossier = open_dossier(work, dossier.request_id)
        keep(work, dossier, "acknowledgement_missed", reminded=reminded | _LATE_ACKNOWLEDGEMENT)
        happened = True
    return happened
