"""What the ledger holds of a person's record: keyed digests, so that a change by hand does not go unnoticed.

The last event about a person in each unit of work that changed the record carries `record`: a digest each of
the person's row, contact points and stages as they are from then on. A relationship event carries `row`, a
digest of its own row. The digests are keyed (`Vault.mac`): without the key nobody can test a guess against
them, nor make the one that would fit a changed row.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from governance.clock import wire
from governance.events import RECORD
from governance.subjects import point_store, store
from governance.subjects.model import ContactPoint, RelationshipEvent, Subject
from governance.vault.service import Vault
from governance.work import Snapshot, Work

TABLES = ("subject", "contact_point", "subject_stage")
"""Whose digests `record` holds, in this order."""

_USE = "subjects/attest/v1"
_DIGITS = 24
# What is sealed is bound to its place by the vault; the instants of the row itself decide nothing.
_APART = {"birth_date_sealed", "source_url_sealed", "created_at", "updated_at"}
_SUBJECT = tuple(name for name in Subject.__slots__ if name not in _APART)
_POINT = ContactPoint.__slots__
_EVENT = RelationshipEvent.__slots__

Stages = Mapping[str, tuple[str, datetime, str]]
"""A person's stage by model: stage, since, and the id of the event that set it."""


def attest(work: Work) -> None:
    """Let the ledger hold what the records that were touched have come to; before every seal.

    Where no event about somebody is waiting, one is recorded for the digests alone.
    """
    refs = list(work.touched)
    work.touched.clear()
    if not refs:
        return
    last = {event.subject_ref: number for number, event in enumerate(work.events)}
    for ref, state in _states(work, refs).items():
        number = last.get(ref)
        if number is None:
            work.record("subject.attested", subject_ref=ref, facts={RECORD: state})
        else:
            event = work.events[number]
            work.events[number] = replace(event, facts={**event.facts, RECORD: state})


def state_of(
    snap: Snapshot, person: Subject | Mapping[str, object], points: Sequence[ContactPoint], stages: Stages
) -> list[str]:
    """The digests of a person's record, as `record` holds them."""
    row = person if isinstance(person, Mapping) else {name: getattr(person, name) for name in _SUBJECT}
    ref = str(row["subject_ref"])
    return [
        _digest(snap, "subject", ref, [row[name] for name in _SUBJECT]),
        _digest(snap, "contact_point", ref, _of_points(points)),
        _digest(
            snap, "subject_stage", ref, [each for model in sorted(stages) for each in (model, *stages[model])]
        ),
    ]


def row_of(snap: Snapshot, happened: RelationshipEvent) -> str:
    """The digest of a relationship event's row, as `row` holds it."""
    values = [getattr(happened, name) for name in _EVENT]
    return _digest(snap, "relationship_event", happened.subject_ref, values)


def _of_points(points: Sequence[ContactPoint]) -> list[object]:
    ordered = sorted(points, key=lambda point: point.point_ref)
    return [getattr(point, name) for point in ordered for name in _POINT]


def _states(work: Work, refs: Sequence[str]) -> dict[str, list[str]]:
    """The digests of these people's records as they are; whoever was rolled back has none."""
    people = store.find_refs(work.connection, work.tenant_id, refs)
    points = point_store.of_many(work.connection, work.tenant_id, list(people))
    stages = store.stages_of(work.connection, work.tenant_id, list(people))
    return {
        ref: state_of(work, person, points.get(ref, []), stages.get(ref, {}))
        for ref, person in people.items()
    }


def _digest(snap: Snapshot, table: str, subject_ref: str, values: Sequence[object]) -> str:
    message = _ENCODER.encode([table, subject_ref, *values]).encode()
    return snap.resource(Vault).mac(snap.tenant_id, _USE, message).hex()[:_DIGITS]


def _written(value: object) -> list[str]:
    """What JSON has no form for: instants and bytes, as lists, of which no column holds any."""
    if isinstance(value, datetime):
        return ["instant", wire(value)]
    assert isinstance(value, bytes | memoryview)
    return ["bytes", value.hex()]


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_written)
