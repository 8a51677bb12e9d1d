"""Use cases of legal holds: place, look up, release by a second person, end, and give notice before the end.

A hold stops deletion and permits nothing. Its matter and its reason are sealed: under the person's evidence
key where it is about one person, else under a key of its own. The ledger knows ids, scopes and days only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from governance import persons
from governance.clock import wire
from governance.errors import ConflictError, InvalidError, NotFoundError, UnreadableError
from governance.retention import store
from governance.retention.model import (
    ACTIVE,
    EXPIRED,
    HOLD_STATES,
    NOTICE_DAYS,
    RELEASED,
    SUBJECT,
    Hold,
    HoldScope,
    Refusal,
    Touched,
    check_expiry,
    check_matter,
    notice_due,
)
from governance.subjects import service as subjects
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

_SCOPE_FACTS = ("data_class", "system", "relationship", "country", "erasure")


@dataclass(frozen=True, slots=True)
class Told:
    """Matter and reason of a hold in clear; None once they cannot be read any more."""

    matter: str | None
    reason: str | None


def place(
    work: Work, *, matter: str, scope: HoldScope, reason: str, expires_at: datetime | None = None
) -> Hold:
    """Place a hold; from the next look-up on nothing that it covers is deleted.

    Raises InvalidError for a matter or end that can be none, NotFoundError for an unknown person.
    """
    check_matter(matter)
    check_expiry(expires_at, work.now)
    if scope.kind == SUBJECT:
        assert scope.subject_ref is not None
        subjects.lock(work, scope.subject_ref)
    hold_id = work.new_id("hold")
    vault = work.resource(Vault)
    keeper = scope.subject_ref or hold_id
    if vault.is_shredded(work.tenant_id, keeper, EVIDENCE):
        keeper = hold_id  # the person's evidence has reached its term, the hold has not
    event = work.record(
        "hold.placed",
        subject_ref=scope.subject_ref,
        facts={
            "hold": hold_id,
            "scope": scope.kind,
            **{name: list(values) for name, values in (scope.values or {}).items() if name in _SCOPE_FACTS},
            "expires_at": None if expires_at is None else wire(expires_at),
        },
    )
    new = Hold(
        hold_id=hold_id,
        scope=scope,
        state=ACTIVE,
        placed_by=work.actor.ref,
        placed_at=work.now,
        expires_at=expires_at,
        closed_at=None,
        closed_by=None,
        noticed=None,
        matter_sealed=vault.seal(
            work.tenant_id, keeper, EVIDENCE, _place("matter", hold_id), matter.encode()
        ),
        reason_sealed=vault.seal(
            work.tenant_id, keeper, EVIDENCE, _place("reason", hold_id), reason.encode()
        ),
        event_id=event.id,
    )
    store.add_hold(work.connection, work.tenant_id, new)
    if scope.subject_ref is not None:
        subjects.set_held(work, scope.subject_ref, True)
    return new


def get(snap: Snapshot, hold_id: str) -> Hold:
    """The hold of this id; NotFoundError."""
    found = store.find_hold(snap.connection, snap.tenant_id, hold_id)
    if found is None:
        raise NotFoundError("There is no such hold.")
    return found


def listed(snap: Snapshot, *, state: str | None = None, after: str = "", limit: int = 50) -> list[Hold]:
    """Holds, the oldest first; InvalidError for a state that there is not."""
    if state is not None and state not in HOLD_STATES:
        complaint = f"This is one of {', '.join(HOLD_STATES)}."
        raise InvalidError(complaint, fields={"state": [complaint]})
    return store.list_holds(snap.connection, snap.tenant_id, state=state, after=after, limit=limit)


def told(snap: Snapshot, hold: Hold) -> Told:
    """Matter and reason in clear, for those who may read holds."""
    vault = snap.resource(Vault)

    def reveal(column: str, sealed: bytes) -> str | None:
        where = _place(column, hold.hold_id)
        for keeper in dict.fromkeys((hold.keeper, hold.hold_id)):
            try:
                return vault.reveal(snap.tenant_id, keeper, EVIDENCE, where, sealed).decode()
            except UnreadableError:
                continue
        return None

    return Told(reveal("matter", hold.matter_sealed), reveal("reason", hold.reason_sealed))


def on(snap: Snapshot, thing: Touched) -> tuple[Hold, ...]:
    """The holds in force on a thing; what is not known about it counts as covered."""
    refs = [ref for ref in (thing.subject_ref, *thing.group) if ref is not None]
    found = store.active_holds(snap.connection, snap.tenant_id, subject_refs=refs)
    return tuple(hold for hold in found if hold.covers(thing))


def release(work: Work, hold_id: str) -> Hold | Refusal:
    """Release a hold: only somebody else than who placed it may; a refusal leaves its trace.

    NotFoundError; ConflictError `hold-closed` if it has ended already.
    """
    held = _open(work, hold_id)
    same = "Whoever placed a hold cannot release it; ask a second person."
    why_not = persons.not_second(work, held.placed_by, otherwise=same)
    if why_not is not None:
        work.record(
            "hold.release_refused",
            subject_ref=held.scope.subject_ref,
            facts={"hold": hold_id, "because": persons.CODE},
        )
        return Refusal(persons.CODE, why_not)
    return _close(work, held, RELEASED, "hold.released")


def extend(work: Work, hold_id: str, *, expires_at: datetime | None) -> Hold:
    """Let a hold last longer: to a later instant, or (None) until it is released.

    InvalidError for an earlier end: shortening a hold is a release, and needs a second person.
    """
    held = _open(work, hold_id)
    check_expiry(expires_at, work.now)
    if held.expires_at is None or (expires_at is not None and expires_at < held.expires_at):
        complaint = "A hold can only be made longer; to end it sooner, let a second person release it."
        raise InvalidError(complaint, fields={"expires_at": [complaint]})
    event = work.record(
        "hold.extended",
        subject_ref=held.scope.subject_ref,
        facts={"hold": hold_id, "expires_at": None if expires_at is None else wire(expires_at)},
    )
    values = {"expires_at": expires_at, "noticed": None, "event_id": event.id}
    store.update_hold(work.connection, work.tenant_id, hold_id, values)
    return get(work, hold_id)


def ending(snap: Snapshot, *, after: str = "", limit: int = 50) -> Sequence[Hold]:
    """Holds about whose end somebody may have to be told, by id."""
    before = snap.now + timedelta(days=max(NOTICE_DAYS))
    return store.expiring_holds(snap.connection, snap.tenant_id, before=before, after=after, limit=limit)


def notify(work: Work, hold_id: str) -> int | None:
    """Give the notice that is due about a hold's end, or end it: days before the end, None for nothing."""
    held = store.find_hold(work.connection, work.tenant_id, hold_id, lock=True)
    days = None if held is None else notice_due(held, work.now)
    if held is None or days is None:
        return None
    if days == 0:
        _close(work, held, EXPIRED, "hold.expired")
        return 0
    assert held.expires_at is not None
    work.record(
        "hold.expiry_noticed",
        subject_ref=held.scope.subject_ref,
        facts={"hold": hold_id, "days": days, "expires_at": wire(held.expires_at)},
    )
    store.update_hold(work.connection, work.tenant_id, hold_id, {"noticed": days})
    return days


def _open(work: Work, hold_id: str) -> Hold:
    held = store.find_hold(work.connection, work.tenant_id, hold_id, lock=True)
    if held is None:
        raise NotFoundError("There is no such hold.")
    if held.state != ACTIVE:
        raise ConflictError("This hold has ended already.", reason="hold-closed")
    return held


def _close(work: Work, held: Hold, state: str, kind: str) -> Hold:
    """End a hold; people whom no other hold covers are free again, those merged with them too."""
    event = work.record(
        kind, subject_ref=held.scope.subject_ref, facts={"hold": held.hold_id, "scope": held.scope.kind}
    )
    values = {"state": state, "closed_at": work.now, "closed_by": work.actor.ref, "event_id": event.id}
    store.update_hold(work.connection, work.tenant_id, held.hold_id, values)
    if held.scope.subject_ref is not None:
        _free(work, held.scope.subject_ref)
    return get(work, held.hold_id)


def _free(work: Work, subject_ref: str) -> None:
    """Take the mark of a hold from everybody of a group on whom no hold is left."""
    survivor = subjects.get_by_ref(work, subject_ref)
    group = subjects.group(work, survivor.subject_ref)
    still = store.active_holds(work.connection, work.tenant_id, subject_refs=group)
    if any(hold.scope.subject_ref is not None for hold in still):
        return
    for ref in sorted(group):
        subjects.set_held(work, ref, False)


def _place(column: str, hold_id: str) -> Place:
    return Place("legal_hold", f"{column}_sealed", hold_id)
