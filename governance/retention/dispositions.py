"""Dispositions: looked at, decided, and handed to whoever carries them out.

Retention deletes in no other room's tables and in no system. An executor claims what is approved (it is
weighed again: a hold or a new contract stops it), does the work outside any transaction, and settles it under
the fence. What was stopped is proposed again by the next run in which it is still due.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta

from governance import persons
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.policy.principles import DELETE, REVIEW
from governance.retention import disposition_store, record_store, run_store, service
from governance.retention.disposition_store import (
    APPROVED,
    BLOCKED,
    DONE,
    EXECUTING,
    KEPT,
    PROPOSED,
    STATES,
    Disposition,
)
from governance.retention.model import OWN, REQUEST, SCHEDULE, STARTER, Refusal, RetentionVerdict
from governance.retention.scales import IN_ERASURE
from governance.subjects import service as subjects
from governance.vault.service import Vault
from governance.work import Snapshot, Work

LEASE = timedelta(minutes=5)
"""An outside call may take that long; whoever needs longer renews."""

_LONGEST_KEEP = timedelta(days=3660)
_LONGEST_SENTENCE = 1000
ORDERED = "erasure_ordered"
"""The outcome for a person whose erasure was ordered, which has a course and a certificate of its own."""

GONE = ("erased", "anonymised", "not_found", ORDERED)
"""Outcomes after which there is nothing more to do. Others (`kept_until`, `failed`) stop the disposition."""


def get(snap: Snapshot, disposition_id: str) -> Disposition:
    """The disposition of this id; NotFoundError."""
    found = disposition_store.find(snap.connection, snap.tenant_id, disposition_id)
    if found is None:
        raise NotFoundError("There is no such disposition.")
    return found


def listed(
    snap: Snapshot, *, state: str | None = None, run_id: str | None = None, after: str = "", limit: int = 50
) -> list[Disposition]:
    """Dispositions, the oldest first; InvalidError for a state that there is not."""
    if state is not None and state not in STATES:
        complaint = f"This is one of {', '.join(STATES)}."
        raise InvalidError(complaint, fields={"state": [complaint]})
    return disposition_store.listed(
        snap.connection, snap.tenant_id, state=state, run_id=run_id, after=after, limit=limit
    )


def approve(work: Work, disposition_id: str) -> Disposition | Refusal:
    """Approve one disposition, after a look at what is to be reviewed; not by whoever started its run.

    NotFoundError; ConflictError `not-proposed`.
    """
    found = _proposed(work, disposition_id)
    started = run_store.find(work.connection, work.tenant_id, found.run_id)
    first = () if started is None else (started.started_by,)
    why_not = persons.not_second(work, *first, otherwise=STARTER)
    if why_not is not None:
        work.record(
            "retention.approval_refused",
            subject_ref=found.subject_ref,
            facts={"disposition": disposition_id, "because": persons.CODE},
        )
        return Refusal(persons.CODE, why_not)
    event = work.record(
        "retention.disposition_approved",
        subject_ref=found.subject_ref,
        facts={"disposition": disposition_id, "run": found.run_id, "demand": found.demand},
    )
    values = {"state": APPROVED, "decided_by": work.actor.ref, "changed_at": work.now, "event_id": event.id}
    disposition_store.set_state(work.connection, work.tenant_id, [disposition_id], PROPOSED, values)
    return get(work, disposition_id)


def keep(work: Work, disposition_id: str, *, until: date, because: str) -> Disposition:
    """Keep what was proposed to go, to a day; nobody asks again before. `because` is sealed as
    evidence of the person; of a record of nobody it is not kept.

    InvalidError for a day that is over or more than ten years away; ConflictError `not-proposed`.
    """
    found = _proposed(work, disposition_id)
    today = work.now.date()
    if not today < until <= today + _LONGEST_KEEP:
        complaint = "Give a day to come, within ten years."
        raise InvalidError(complaint, fields={"until": [complaint]})
    event_id = work.new_id("evt")
    sealed = None
    if found.subject_ref is not None:
        vault = work.resource(Vault)
        sealed = vault.seal_evidence(work.tenant_id, found.subject_ref, event_id, {"because": because})
    work.record(
        "retention.disposition_kept",
        subject_ref=found.subject_ref,
        facts={"disposition": disposition_id, "until": until.isoformat()},
        sealed=sealed,
        event_id=event_id,
    )
    values = {
        "state": KEPT,
        "kept_until": until.isoformat(),
        "decided_by": work.actor.ref,
        "changed_at": work.now,
        "event_id": event_id,
    }
    disposition_store.set_state(work.connection, work.tenant_id, [disposition_id], PROPOSED, values)
    return get(work, disposition_id)


def waiting(snap: Snapshot) -> bool:
    """Whether an executor would find something to claim."""
    return disposition_store.any_free(snap.connection, snap.tenant_id, snap.now)


def claim(work: Work, *, most: int = 50, systems: Collection[str] | None = None) -> tuple[Disposition, ...]:
    """Take approved dispositions, and those whose executor died, for LEASE; commit before doing the work.

    Each is weighed again: what may not be deleted any more is stopped, with the reason, and not given. `OWN`
    as system stands for this service's own data of the person `subject_ref`.
    """
    return claim_batch(work, most=most, systems=systems)[1]


def claim_batch(
    work: Work, *, most: int = 50, systems: Collection[str] | None = None
) -> tuple[int, tuple[Disposition, ...]]:
    """The same, with how many were looked at: those that were stopped count too."""
    taken = []
    free = disposition_store.free(work.connection, work.tenant_id, work.now, most, systems)
    for each in _in_order(free):
        stopped = _stopped(work, each)
        if stopped is not None:
            _stop(work, each, stopped)
            continue
        with work.bookkeeping():
            disposition_store.take(
                work.connection,
                work.tenant_id,
                each.disposition_id,
                work.actor.ref,
                work.now + LEASE,
                work.now,
            )
        taken.append(get(work, each.disposition_id))
    return len(free), tuple(taken)


def is_ours(work: Work, taken: Disposition) -> bool:
    """Whether a claimed disposition is still ours; locks it, so that it stays so until the work ends."""
    found = disposition_store.find(work.connection, work.tenant_id, taken.disposition_id, lock=True)
    return found is not None and found.state == EXECUTING and found.fence == taken.fence


def rest(work: Work, taken: Disposition, *, until: datetime) -> bool:
    """Let a disposition rest: whoever comes after `until` claims it again. False if it is not ours."""
    with work.bookkeeping():
        return disposition_store.stretch(
            work.connection, work.tenant_id, taken.disposition_id, taken.fence, until
        )


def renew(work: Work, taken: Disposition) -> bool:
    """Give a sign of life; False if the disposition is not ours any more."""
    return rest(work, taken, until=work.now + LEASE)


def weigh_again(work: Work, taken: Sequence[Disposition]) -> list[Disposition]:
    """Those of claimed dispositions that are still ours, renewed, and may still be carried out.

    What was placed, signed or ordered since the claim stops a disposition here as it does there.
    """
    going = []
    for each in _in_order(taken):
        if not renew(work, each):
            continue
        stopped = _stopped(work, each)
        if stopped is None:
            going.append(each)
        else:
            _stop(work, each, stopped)
    return going


def settle(
    work: Work,
    taken: Disposition,
    *,
    outcome: str,
    rows: int = 0,
    because: str | None = None,
    sentence: str | None = None,
) -> bool:
    """Say what came of a claimed disposition; False, nothing written, if it is not ours any more.

    `outcome` is a connector's: after one of GONE the registered record is forgotten, any other stops the
    disposition. `because` is a code; `sentence` is the connector's, which names tables and never anybody.
    """
    if not is_ours(work, taken):
        return False
    gone = outcome in GONE
    event_id = work.new_id("evt")
    disposition_store.end(
        work.connection,
        work.tenant_id,
        taken.disposition_id,
        {
            "state": DONE if gone else BLOCKED,
            "outcome": outcome,
            "rows_changed": rows,
            "because": because,
            "sentence": None if sentence is None else sentence[:_LONGEST_SENTENCE],
            "changed_at": work.now,
            "event_id": event_id,
        },
    )
    if gone and taken.system != OWN:
        record_store.remove(work.connection, work.tenant_id, taken.system, taken.record_id)
    work.record(
        "retention.disposition_done" if gone else "retention.disposition_stopped",
        subject_ref=taken.subject_ref,
        facts={
            "disposition": taken.disposition_id,
            "run": taken.run_id,
            "system": taken.system,
            "data_class": taken.data_class,
            "rule": taken.rule,
            "outcome": outcome,
            "rows": rows,
            "because": because,
        },
        event_id=event_id,
    )
    return True


def verdict(snap: Snapshot, found: Disposition) -> RetentionVerdict:
    """What the schedule says about a disposition's record now.

    Once a person has looked at what was to be reviewed, only duties to keep and holds stand in the way.
    """
    decided = found.demand == REVIEW and found.state != PROPOSED
    created_at = None
    if found.system == OWN and found.subject_ref is not None:
        created_at = subjects.get_by_ref(snap, found.subject_ref).created_at
    return service.verdict(
        snap,
        found.subject_ref,
        found.data_class,
        system=found.system,
        record=found.record_id,
        created_at=created_at,
        occasion=REQUEST if decided else SCHEDULE,
    )


def _in_order(some: Iterable[Disposition]) -> list[Disposition]:
    """In the order of the people, who are locked: two executors never wait for each other in a circle."""
    return sorted(some, key=lambda one: (one.subject_ref or "", one.disposition_id))


def _stopped(work: Work, each: Disposition) -> str | None:
    """Why a disposition may not be carried out any more, as a code; None if it may."""
    if each.subject_ref is not None:
        # Nobody places a hold on the person between this look and the claim.
        person = subjects.find_by_ref(work, subjects.lock(work, each.subject_ref).subject_ref)
        if person is None or person.erasure_pending or person.erased:
            return IN_ERASURE
    if each.system != OWN and not record_store.find_many(
        work.connection, work.tenant_id, [(each.system, each.record_id)]
    ):
        return "not-registered"
    said = verdict(work, each)
    if said.held_by:
        return "legal-hold"
    return None if said.disposition == DELETE else "retention-required"


def _stop(work: Work, each: Disposition, because: str) -> None:
    event = work.record(
        "retention.disposition_stopped",
        subject_ref=each.subject_ref,
        facts={"disposition": each.disposition_id, "run": each.run_id, "because": because},
    )
    values = {"state": BLOCKED, "because": because, "changed_at": work.now, "event_id": event.id}
    values |= {"owner": None, "lease_until": None}
    disposition_store.set_state(work.connection, work.tenant_id, [each.disposition_id], each.state, values)


def _proposed(work: Work, disposition_id: str) -> Disposition:
    found = disposition_store.find(work.connection, work.tenant_id, disposition_id, lock=True)
    if found is None:
        raise NotFoundError("There is no such disposition.")
    if found.state != PROPOSED:
        raise ConflictError("This disposition was decided already.", reason="not-proposed")
    return found
