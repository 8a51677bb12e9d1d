"""Writing acts down: one ledger event, the person's next sequence numbers, and the state that follows."""

from collections.abc import Mapping, Sequence

from governance.clock import wire
from governance.consent import store
from governance.consent.acts import Draft
from governance.consent.model import Cell
from governance.consent.projection import RETROACTIVE, ConsentEvent, Place, apply, changed, fold
from governance.errors import ConflictError, InvalidError
from governance.events import Fact, Sealed
from governance.vault.service import Vault
from governance.work import Work


def append(work: Work, subject_ref: str, draft: Draft) -> list[ConsentEvent]:
    """Append one act to a person's history and bring the state up to date.

    The caller holds the person's lock (`subjects.service.lock`), so that sequence is ledger order.
    """
    seq = store.last_seq(work.connection, work.tenant_id, subject_ref) + 1
    events = record(work, subject_ref, draft, seq)
    store.add_events(work.connection, work.tenant_id, events)
    if draft.status == "released":
        _release(work, subject_ref, events[0])
    elif draft.status in RETROACTIVE:
        before = store.cells_of(work.connection, work.tenant_id, subject_ref)
        write_state(work, subject_ref, before, refolded(work, subject_ref))
    else:
        before = store.cells_about(work.connection, work.tenant_id, subject_ref, events)
        store.put_cells(work.connection, work.tenant_id, {subject_ref: advance(before, events)})
    return events


def record(work: Work, subject_ref: str, draft: Draft, seq: int) -> list[ConsentEvent]:
    """Record an act's event for the ledger and give the rows that belong to it; writes no row."""
    event_id = work.new_id("evt")
    sealed = seal(
        work, subject_ref, event_id, draft.payload, is_no=draft.status not in ("granted", "requested")
    )
    work.record(
        f"consent.{draft.status}",
        subject_ref=subject_ref,
        facts=facts_of(draft, seq),
        sealed=sealed,
        event_id=event_id,
    )
    return draft.events(subject_ref, seq=seq, now=work.now, event_id=event_id)


def advance(cells: Mapping[Place, Cell], events: Sequence[ConsentEvent]) -> list[Cell]:
    """Give the cells that these events, none of them a release, leave changed."""
    now: dict[Place, Cell] = dict(cells)
    for event in events:
        cell = apply(now, event)
        if cell is not None:
            now[event.place] = cell
    return changed(cells, now)[0]


def _release(work: Work, subject_ref: str, event: ConsentEvent) -> None:
    """Fold anew what a release bears on: the cells of its kind where the act stood that it takes back."""
    at = event.place[:4]
    history = store.events_at(work.connection, work.tenant_id, subject_ref, event.kind, at)
    cells = store.cells_about(work.connection, work.tenant_id, subject_ref, [event])
    before, after = (
        {place: cell for place, cell in each.items() if (place[:4], cell.kind) == (at, event.kind)}
        for each in (cells, fold(history))
    )
    write_state(work, subject_ref, before, after)


def refolded(work: Work, subject_ref: str) -> dict[Place, Cell]:
    """Fold a person's state anew from all stored events."""
    return fold(store.events_of(work.connection, work.tenant_id, subject_ref))


def write_state(
    work: Work, subject_ref: str, before: Mapping[Place, Cell], after: Mapping[Place, Cell]
) -> None:
    """Make the stored state what it should be."""
    written, removed = changed(before, after)
    store.remove_cells(work.connection, work.tenant_id, subject_ref, removed)
    store.put_cells(work.connection, work.tenant_id, {subject_ref: written})


def seal(
    work: Work, holder_ref: str, event_id: str, payload: Mapping[str, object] | None, *, is_no: bool
) -> Sealed | None:
    """Seal an event's personal payload under the holder's evidence key.

    A no is never refused: if the holder's key is destroyed, or the payload cannot be kept, it is recorded
    without the payload.
    """
    if not payload:
        return None
    try:
        return work.resource(Vault).seal_evidence(work.tenant_id, holder_ref, event_id, payload)
    except (ConflictError, InvalidError):
        if is_no:
            return None
        raise


def facts_of(draft: Draft, seq: int) -> dict[str, Fact]:
    """Give the facts of an act's ledger event.

    Codes, references, instants; enough to rebuild the rows from.
    """
    facts: dict[str, Fact] = {
        "act": draft.consent_id,
        "sequence": seq,
        "kind": draft.kind,
        "purpose": draft.purpose,
        "controller": draft.controller,
        "channel": draft.channel,
        "topic": draft.topic,
        "points": list(draft.point_refs),
        "status": draft.status,
        "scope": draft.scope,
        "method": draft.method,
        "by_person": draft.by_person,
        "proven": draft.proven,
        "double_opt_in": draft.double_opt_in,
        "occurred_at": wire(draft.occurred_at),
        "expires_at": wire(draft.expires_at) if draft.expires_at else None,
        "guardian": draft.guardian,
        "purpose_version": draft.purpose_version,
        "merged_from": draft.merged_from,
        "reason": draft.reason,
    }
    if draft.notice is not None:
        facts["notice"] = draft.notice.id
        facts["notice_version"] = draft.notice.version
        facts["notice_language"] = draft.notice.language
    return facts
