"""The check of the people from inside: nobody without an event in the ledger, nobody lost, nothing changed.

What the record of a person has come to is compared with the digests in the ledger (`attesting`), a table at a
time. Events from before there were digests are passed over.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from governance.database import paged
from governance.events import RECORD, ROW
from governance.ledger.model import facts_told
from governance.ledger.store import ledger_entry
from governance.subjects import attesting
from governance.subjects.model import ContactPoint, RelationshipEvent, Subject
from governance.subjects.store import contact_point, relationship_event, subject, subject_stage
from governance.work import Snapshot

MAX_PROBLEMS = 100
_TOLD, _PERSON, _POINTS, _STAGES, _EVENTS = range(5)

Part = tuple[str, int, int, Any]
"""A person, which of the five sources, a number that keeps the order, and the row."""


def check(snap: Snapshot) -> list[str]:
    """Give every disagreement as a sentence, at most 100; sentences name references, never values."""
    found: list[str] = []
    everything = heapq.merge(
        _told(snap),
        _rows(snap, _PERSON, subject, Subject, ("subject_ref",)),
        _rows(snap, _POINTS, contact_point, ContactPoint, ("subject_ref", "point_ref")),
        _rows(snap, _STAGES, subject_stage, None, ("subject_ref", "model")),
        _rows(snap, _EVENTS, relationship_event, RelationshipEvent, ("subject_ref", "seq")),
    )
    for subject_ref, parts in groupby(everything, key=lambda part: part[0]):
        of: tuple[list[Any], ...] = ([], [], [], [], [])
        for _, source, _, row in parts:
            of[source].append(row)
        found += [f"{subject_ref}: {problem}" for problem in _problems(snap, *of)]
        if len(found) > MAX_PROBLEMS:
            break
    return found[:MAX_PROBLEMS]


def _told(snap: Snapshot) -> Iterator[Part]:
    """What the ledger tells of people's records: the creation, digests, relationship events."""
    columns = (ledger_entry.c.subject_ref, ledger_entry.c.position)
    which = sa.select(*columns, ledger_entry.c.kind, ledger_entry.c.leaf).where(
        ledger_entry.c.tenant_id == snap.tenant_id, ledger_entry.c.subject_ref.is_not(None)
    )
    for row in paged(snap.connection, which, columns):
        if row.kind.startswith("subject.") or b'"record":[' in row.leaf:
            yield row.subject_ref, _TOLD, row.position, (row.kind, facts_told(row.leaf))


def _rows(
    snap: Snapshot, source: int, table: sa.Table, kind: type[Any] | None, keys: Sequence[str]
) -> Iterator[Part]:
    names = [column.name for column in table.columns] if kind is None else list(kind.__slots__)
    named = dict.fromkeys([*names, *keys])
    which = sa.select(*(table.c[name] for name in named)).where(table.c.tenant_id == snap.tenant_id)
    for number, row in enumerate(paged(snap.connection, which, [table.c[name] for name in keys])):
        values = row if kind is None else kind(*(row._mapping[table.c[name]] for name in names))
        yield row.subject_ref, source, number, values


def _problems(
    snap: Snapshot,
    told: Sequence[tuple[str, dict[str, Any]]],
    people: Sequence[Subject],
    points: Sequence[ContactPoint],
    stages: Sequence[Any],
    events: Sequence[RelationshipEvent],
) -> Iterator[str]:
    """Compare one person's rows with what the ledger tells."""
    created = any(kind == "subject.created" for kind, _ in told)
    if not people:
        if created:
            yield "the person is in the ledger and nowhere else."
        if points or stages or events:
            yield "there are rows about a person who is not there."
        return
    if not created:
        yield "the person is not in the ledger."
    states = [facts[RECORD] for _, facts in told if RECORD in facts]
    if states:
        by_model = {each.model: (each.stage, each.since, each.event_id) for each in stages}
        now = attesting.state_of(snap, people[0], points, by_model)
        for table, is_now, was in zip(attesting.TABLES, now, states[-1], strict=True):
            if is_now != was:
                yield f"what {table} says is not what the ledger tells of."
    if not people[0].erased:  # what an erasure leaves of relationship events decides nothing any more
        yield from _event_problems(snap, told, events)


def _event_problems(
    snap: Snapshot,
    told: Sequence[tuple[str, dict[str, Any]]],
    events: Sequence[RelationshipEvent],
) -> Iterator[str]:
    wanted = {
        facts["relationship_event"]: facts.get(ROW)
        for kind, facts in told
        if kind == "subject.event_recorded" and "relationship_event" in facts
    }
    for happened in events:
        digest = wanted.pop(happened.relationship_event_id, "")
        if digest == "":
            yield "relationship_event has a row that is not in the ledger."
        elif digest is not None and digest != attesting.row_of(snap, happened):
            yield "what relationship_event says is not what the ledger tells of."
    if wanted:
        yield "relationship_event lacks a row that the ledger tells of."
