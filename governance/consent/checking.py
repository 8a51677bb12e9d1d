"""The check of consent from inside: what people said and what holds, derived again from the ledger.

A row that was changed, added or removed by hand in `consent_event`, `consent_state` or `suppression` does not
agree with the ledger any more, and neither does a state that was not folded from its events. Copies that a
merge or a split made are only counted: the ledger keeps how many there were, not each of them.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.consent.bar_checking import bar_problems
from governance.consent.carrying import voiding
from governance.consent.model import Cell
from governance.consent.projection import ConsentEvent, fold
from governance.consent.tables import consent_event, consent_state
from governance.database import paged
from governance.ledger.model import facts_told
from governance.ledger.store import ledger_entry
from governance.work import Snapshot

MAX_PROBLEMS = 100
_COPIED = ("consent.merged", "consent.split")
_ACTED = "act"
_LEDGER, _EVENTS, _STATE = range(3)


def check(snap: Snapshot) -> list[str]:
    """Give disagreements as sentences, at most 100, read from one snapshot; they name ids, never values."""
    found: list[str] = []
    connection, tenant_id = snap.connection, snap.tenant_id
    people = heapq.merge(
        _told(connection, tenant_id), _events(connection, tenant_id), _cells(connection, tenant_id)
    )
    for subject_ref, parts in groupby(people, key=lambda part: part[0]):
        by_kind: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for _, kind, _, row in parts:
            by_kind[kind].append(row)
        found += [f"{subject_ref}: {problem}" for problem in _person_problems(subject_ref, *by_kind)]
        if len(found) > MAX_PROBLEMS:
            break
    found += bar_problems(snap)
    return found[:MAX_PROBLEMS]


Part = tuple[str, int, int, Any]
"""A person, which of the three sources, a number that keeps the order, and the row."""


def _told(connection: Connection, tenant_id: str) -> Iterator[Part]:
    """What the ledger tells of people's consents."""
    columns = (ledger_entry.c.subject_ref, ledger_entry.c.position, ledger_entry.c.event_id)
    which = (
        sa.select(*columns, ledger_entry.c.kind, ledger_entry.c.at, ledger_entry.c.leaf)
        .where(ledger_entry.c.tenant_id == tenant_id, ledger_entry.c.subject_ref.is_not(None))
        .where(ledger_entry.c.kind.like("consent.%"))
    )
    for row in paged(connection, which, columns[:2]):
        yield row.subject_ref, _LEDGER, row.position, row


def _events(connection: Connection, tenant_id: str) -> Iterator[Part]:
    columns = [consent_event.c[name] for name in ConsentEvent.__slots__]
    which = sa.select(*columns).where(consent_event.c.tenant_id == tenant_id)
    for row in paged(connection, which, (consent_event.c.subject_ref, consent_event.c.seq)):
        values: list[Any] = list(row)
        yield row.subject_ref, _EVENTS, row.seq, ConsentEvent(*values)


def _cells(connection: Connection, tenant_id: str) -> Iterator[Part]:
    columns = [consent_state.c[name] for name in Cell.__slots__]
    which = sa.select(consent_state.c.subject_ref, *columns).where(consent_state.c.tenant_id == tenant_id)
    keys = [consent_state.c[name] for name in ("subject_ref", *Cell.__slots__[:6])]
    for number, row in enumerate(paged(connection, which, keys)):
        values: list[Any] = list(row)[1:]
        yield row.subject_ref, _STATE, number, Cell(*values)


def _person_problems(
    subject_ref: str, told: Sequence[Any], events: Sequence[ConsentEvent], cells: Sequence[Cell]
) -> Iterator[str]:
    """Compare one person's rows with what the ledger tells, and the state with the events."""
    wanted: dict[int, ConsentEvent] = {}
    copies: dict[int, str] = {}
    for row in told:
        facts = facts_told(row.leaf)
        if row.kind in _COPIED:
            copies |= {facts["sequence"] + step: row.event_id for step in range(facts["count"])}
        elif _ACTED in facts and "sequence" in facts:
            wanted |= {event.seq: event for event in _acted(subject_ref, row, facts)}
    stored = {event.seq: event for event in events}
    for seq in sorted(wanted.keys() | copies.keys() | stored.keys()):
        event = stored.get(seq)
        if event is None:
            yield f"consent event {seq} is in the ledger and not in its table."
        elif seq in copies:
            if event.event_id != copies[seq]:
                yield f"consent event {seq} is not the one that the ledger tells of."
        elif seq not in wanted:
            yield f"consent event {seq} is not in the ledger."
        elif event != wanted[seq]:
            yield f"consent event {seq} differs from the ledger in {_differences(event, wanted[seq])}."
    if fold(events) != {cell.place: cell for cell in cells}:
        yield "the consent state is not what its events make it."


def _acted(subject_ref: str, row: sa.Row[Any], facts: Mapping[str, Any]) -> Iterator[ConsentEvent]:
    """The rows that an act of the ledger stands for: one for each contact point."""
    if row.kind == "consent.voided":
        yield voiding(
            subject_ref,
            consent_id=facts["act"],
            of_ref=facts["of"],
            seq=facts["sequence"],
            now=row.at,
            event_id=row.event_id,
        )
        return
    same: dict[str, Any] = {name: facts[name] for name in ConsentEvent.__slots__ if name in facts}
    same |= {name: _instant(facts[name]) for name in ("occurred_at", "expires_at")}
    same |= {"notice_id": facts.get("notice"), "consent_id": facts["act"], "subject_ref": subject_ref}
    for step, point_ref in enumerate(facts["points"]):
        yield ConsentEvent(
            **same,
            seq=facts["sequence"] + step,
            point_ref=point_ref,
            recorded_at=row.at,
            event_id=row.event_id,
        )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _differences(one: ConsentEvent, other: ConsentEvent) -> str:
    names = (name for name in ConsentEvent.__slots__ if getattr(one, name) != getattr(other, name))
    return ", ".join(names)
