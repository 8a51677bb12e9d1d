"""Reading consent: the state now or then, the history, and the state rebuilt from what it was made of."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from governance.consent import store, suppression_store
from governance.consent.kinds import CONSENT, CONSENT_KINDS, NIGHT, OBJECTION, PROFILING, SUPPRESSION_KINDS
from governance.consent.model import ALL, Cell, ConsentFacts, PointBar, Question
from governance.consent.projection import ConsentEvent, Place, fold
from governance.consent.resolving import resolve
from governance.consent.suppression_store import StoredBar
from governance.ledger import service as ledger
from governance.subjects import service as subjects
from governance.work import Snapshot

_PAGE = 1000

AsOf = datetime | int | None
"""An instant, a ledger position (from 0), or the present."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """What holds at one place. None for purpose, controller, channel or topic means all; `point_ref` None
    means the person or channel as a whole. `kind`: consent | objection | profiling | suppression |
    suppression_all | undeliverable. `status`: of consents as in `ConsentFacts`; else what was objected to or
    suppressed.
    `event_id`: the event that it rests on. `guardian`: a guardian's grant stands. `night`: it is about being
    contacted at night and nothing else.
    """

    kind: str
    purpose: str | None
    controller: str | None
    channel: str | None
    topic: str | None
    point_ref: str | None
    status: str
    since: datetime | None
    expires_at: datetime | None
    event_id: str | None
    guardian: bool = False
    night: bool = False


@dataclass(frozen=True, slots=True)
class ConsentState:
    """A person's state at an instant; `point_bars` by contact point, None when the past is asked."""

    subject_ref: str
    as_of: datetime
    consents: tuple[StateEntry, ...]
    objections: tuple[StateEntry, ...]
    suppressions: tuple[StateEntry, ...]
    point_bars: Mapping[str, Sequence[StoredBar]] | None


def state(snap: Snapshot, subject_ref: str, *, as_of: AsOf = None) -> ConsentState:
    """Give a person's consent state, now, at an instant, or after a ledger position.

    The past is folded from the events that had been recorded by then, and expiry is judged at that instant.
    """
    if as_of is None:
        cells = store.cells_of(snap.connection, snap.tenant_id, subject_ref)
        points = {point.point_ref: point.suppression_hash for point in subjects.points(snap, subject_ref)}
        standing = suppression_store.standing(snap.connection, snap.tenant_id, points.values())
        bars = {ref: standing[key] for ref, key in points.items() if key in standing}
        return _view(subject_ref, snap.now, cells, bars)
    events = store.events_of(snap.connection, snap.tenant_id, subject_ref)
    if isinstance(as_of, datetime):
        at = min(as_of, snap.now)
        events = [event for event in events if event.recorded_at <= at]
    else:
        sealed, at = _sealed_by(snap, subject_ref, as_of)
        events = [event for event in events if event.event_id in sealed]
    return _view(subject_ref, at, fold(events), None)


def history(snap: Snapshot, subject_ref: str) -> list[ConsentEvent]:
    """Give all that a person ever said, in order."""
    return store.events_of(snap.connection, snap.tenant_id, subject_ref)


def rebuild(connection: Connection, tenant_id: str, subject_ref: str) -> dict[Place, Cell]:
    """Fold a person's state from the events; the stored state must equal it."""
    return fold(store.events_of(connection, tenant_id, subject_ref))


def facts_for(
    snap: Snapshot, subject_ref: str, question: Question, *, suppression_hash: str | None = None
) -> ConsentFacts:
    """Answer one question about one person; gates that ask about many gather the rows themselves."""
    cells = store.cells_of(snap.connection, snap.tenant_id, subject_ref)
    return resolve(list(cells.values()), question, bars_on(snap, suppression_hash), snap.now)


def bars_on(snap: Snapshot, suppression_hash: str | None) -> list[PointBar]:
    """Give the bars that stand on a contact point."""
    if suppression_hash is None:
        return []
    found = suppression_store.standing(snap.connection, snap.tenant_id, [suppression_hash])
    return [each.bar() for each in found.get(suppression_hash, [])]


def entries_of_act(snap: Snapshot, events: Sequence[ConsentEvent]) -> tuple[StateEntry, ...]:
    """Give the state at the places that an act touched, as it is now."""
    cells = store.cells_about(snap.connection, snap.tenant_id, events[0].subject_ref, events)
    places = {event.place[:5] for event in events}
    touched = {event.kind for event in events}
    found = entries(events[0].subject_ref, list(cells.values()), snap.now, only=places)
    plain = CONSENT if touched <= CONSENT_KINDS | {NIGHT} else events[0].kind
    return tuple(
        each
        for each in found
        if each.kind == plain and each.night == (NIGHT in touched) and _place(each) in places
    )


def entries(
    subject_ref: str,
    cells: Sequence[Cell],
    now: datetime,
    *,
    only: Set[tuple[str, str, str, str, str]] | None = None,
) -> list[StateEntry]:
    """Give an entry per place; consents are judged with everything that bears on them.

    `only`: of consents (the night aside) just those at these places, which saves judging the others.
    """
    found = []
    places = sorted({cell.place[:5] for cell in cells if cell.kind in CONSENT_KINDS})
    if only is not None:
        places = [place for place in places if place in only]
    for purpose, controller, channel, topic, point_ref in places:
        question = Question(purpose, controller, channel, topic, point_ref or None, subject_ref)
        facts = resolve(cells, question, (), now)
        found.append(
            StateEntry(
                CONSENT,
                purpose or None,
                controller or None,
                channel or None,
                topic or None,
                point_ref or None,
                facts.status,
                facts.since,
                facts.expires_at,
                facts.event_ids[0] if facts.event_ids else None,
                facts.guardian,
            )
        )
    nightly = sorted((cell for cell in cells if cell.kind == NIGHT), key=lambda cell: cell.place)
    found += [_nightly(subject_ref, cell, cells, now) for cell in nightly]
    others = CONSENT_KINDS | {NIGHT}
    found += [_spoken(cell) for cell in cells if cell.kind not in others and cell.neg_status]
    return found


def _nightly(subject_ref: str, cell: Cell, cells: Sequence[Cell], now: datetime) -> StateEntry:
    """What holds of the night at one place: its own yes or no, or the no to everything."""
    purpose, controller, channel, topic, point_ref, _ = cell.place
    question = Question(purpose, controller, channel, topic, point_ref or None, subject_ref)
    facts = resolve(cells, question, (), now)
    over = cell.pos_expires_at is not None and cell.pos_expires_at <= now
    status, since, expires_at, event_id = cell.neg_status, cell.neg_at, None, cell.neg_event_id
    if facts.night:
        status, since, event_id = "granted", cell.pos_at, cell.pos_event_id
        expires_at = cell.pos_expires_at
    elif status is None and facts.status in ("withdrawn", "refused"):
        status, since, event_id = facts.status, facts.since, facts.event_ids[0]
    elif status is None:
        proven = cell.pos_status == "granted"
        status, since, event_id = ("expired" if proven and over else "none"), cell.pos_at, cell.pos_event_id
        status = status if proven else "unproven"
    return StateEntry(
        CONSENT,
        purpose or None,
        controller or None,
        channel or None,
        topic or None,
        point_ref or None,
        status,
        since,
        expires_at,
        event_id,
        night=True,
    )


def _spoken(cell: Cell) -> StateEntry:
    return StateEntry(
        cell.kind,
        cell.purpose or None,
        cell.controller or None,
        cell.channel or None,
        cell.topic or None,
        cell.point_ref or None,
        cell.neg_status or "",
        cell.neg_at,
        None,
        cell.neg_event_id,
    )


def _place(entry: StateEntry) -> tuple[str, str, str, str, str]:
    return (
        entry.purpose or ALL,
        entry.controller or ALL,
        entry.channel or ALL,
        entry.topic or ALL,
        entry.point_ref or ALL,
    )


def _view(
    subject_ref: str,
    at: datetime,
    cells: Mapping[Place, Cell],
    bars: Mapping[str, Sequence[StoredBar]] | None,
) -> ConsentState:
    found = entries(subject_ref, list(cells.values()), at)
    return ConsentState(
        subject_ref,
        at,
        _of_kinds(found, {CONSENT}),
        _of_kinds(found, {OBJECTION, PROFILING}),
        _of_kinds(found, SUPPRESSION_KINDS),
        bars,
    )


def _of_kinds(found: Iterable[StateEntry], kinds: Set[str]) -> tuple[StateEntry, ...]:
    return tuple(each for each in found if each.kind in kinds)


def _sealed_by(snap: Snapshot, subject_ref: str, position: int) -> tuple[set[str], datetime]:
    """The person's events that lie at or before the position, and the instant of the last entry by then."""
    found: set[str] = set()
    after = -1
    while True:
        page = ledger.entries(
            snap.connection, snap.tenant_id, after=after, limit=_PAGE, subject_ref=subject_ref
        )
        for entry in page:
            if entry.position > position:
                return found, _instant_of(snap, position)
            found.add(entry.event_id)
            after = entry.position
        if len(page) < _PAGE:
            return found, _instant_of(snap, position)


def _instant_of(snap: Snapshot, position: int) -> datetime:
    size, _ = ledger.head(snap.connection, snap.tenant_id)
    if position >= size:
        return snap.now
    page = ledger.entries(snap.connection, snap.tenant_id, after=position - 1, limit=1)
    return page[0].at if page else snap.now
