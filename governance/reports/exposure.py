"""Who could see a person, and who did: the grants as the access gate reads them now, and the decision log."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from governance.access import askers, break_glass, facts
from governance.access import service as access
from governance.access.gate import ALLOW, DENY, MASK, Gate, open_gate
from governance.access.model import COMPONENT, STAFF, Asker
from governance.access.questions import READ, DataQuestion
from governance.clock import wire
from governance.decisions.log import DecisionLog
from governance.decisions.store import logged_decision
from governance.reports import exposure_store as store
from governance.subjects import service as subjects
from governance.work import Snapshot

MOST_READS = 5_000
"""So many of the newest readings are looked through; more are told of as `more`."""


@dataclass(slots=True)
class _Reader:
    """What one asker read for one purpose."""

    fields: dict[str, None] = field(default_factory=dict)
    times: int = 0
    refused: int = 0
    first: datetime | None = None
    last: datetime | None = None
    callers: dict[str, None] = field(default_factory=dict)
    broken: dict[str, None] = field(default_factory=dict)


def exposure(snap: Snapshot, subject_ref: str) -> dict[str, Any]:
    """The exposure of a person, as of this snapshot.

    `could_see`: every active asker with a grant, per purpose which fields in full and which masked, by the
    policies in force and the person's standing at this moment. `did_see`: who was permitted to read which
    fields for which purpose, how often, since when; `break_glass`: grants behind broken glass.
    """
    refs = subjects.group(snap, subject_ref)
    reads, more = _reads(snap, refs)
    return {
        "could_see": _could_see(snap, subject_ref),
        "did_see": reads,
        "more": more,
        "break_glass": [
            {
                "id": each.grant_id,
                "asker": {"type": each.asker_type, "id": each.asker_id},
                "fields": list(each.fields),
                "opened_at": wire(each.opened_at),
                "expires_at": wire(each.expires_at),
                "review": each.review,
            }
            for each in break_glass.about(snap, refs)
        ],
    }


def _could_see(snap: Snapshot, subject_ref: str) -> list[dict[str, Any]]:
    gate = open_gate(snap)
    person = facts.find(snap, subject_ref)
    found: list[dict[str, Any]] = []
    for kind in (STAFF, COMPONENT):
        for record in access.every_active(snap, kind):
            asker = askers.asker_of(record, gate.roles)
            seen = _purposes(gate, asker, person)
            if seen:
                found.append(
                    {
                        "type": asker.type,
                        "id": asker.id,
                        "kind": asker.kind,
                        "roles": list(asker.roles),
                        "purposes": seen,
                    }
                )
    return found


def _purposes(gate: Gate, asker: Asker, person: facts.Person | None) -> list[dict[str, Any]]:
    """Per purpose that the asker works for, what it sees of the person now."""
    found: list[dict[str, Any]] = []
    for purpose in sorted({each for grant in asker.grants for each in grant.purposes}):
        granted = [
            name
            for name, what in gate.fields.items()
            if any(purpose in grant.purposes and grant.shows(what) != "none" for grant in asker.grants)
        ]
        if not granted:
            continue
        question = DataQuestion(READ, tuple(granted), purpose)
        answers = {each.name: each.answer for each in gate.look(question, asker, person, gate.snap.now)}
        if set(answers.values()) != {DENY}:
            found.append(
                {
                    "purpose": purpose,
                    "allow": sorted(name for name, answer in answers.items() if answer == ALLOW),
                    "mask": sorted(name for name, answer in answers.items() if answer == MASK),
                }
            )
    return found


def _reads(snap: Snapshot, refs: Sequence[str]) -> tuple[list[dict[str, Any]], bool]:
    """Who read what, the latest reader first, and whether older readings were left out."""
    with snap.resource(DecisionLog).engine.connect() as connection:
        rows = store.reads_of(connection, logged_decision, snap.tenant_id, refs, READ, limit=MOST_READS + 1)
    readers: dict[tuple[str, str, str], _Reader] = {}
    for row in rows[:MOST_READS]:
        body: Mapping[str, Any] = json.loads(row["body"]) if row["body"] else {}
        asked, question = body.get("asked_for") or {}, body.get("question") or {}
        key = (asked.get("type") or "", asked.get("id") or "", question.get("purpose") or "")
        reader = readers.setdefault(key, _Reader())
        reader.callers[row["caller_ref"]] = None
        shown = [name for name, answer in (body.get("fields") or {}).items() if answer != DENY]
        # Of a question that was denied as a whole the fields that it opened were told all the same.
        if not shown:
            reader.refused += 1
            continue
        reader.times += 1
        reader.fields.update(dict.fromkeys(shown))
        reader.broken.update(dict.fromkeys(question.get("break_glass") or ()))
        reader.last = reader.last or row["at"]
        reader.first = row["at"]
    return [_reader(key, each) for key, each in readers.items()], len(rows) > MOST_READS


def _reader(key: tuple[str, str, str], each: _Reader) -> dict[str, Any]:
    return {
        "asker": {"type": key[0], "id": key[1]},
        "purpose": key[2] or None,
        "callers": list(each.callers),
        "fields": sorted(each.fields),
        "reads": each.times,
        "refused": each.refused,
        "first_at": None if each.first is None else wire(each.first),
        "last_at": None if each.last is None else wire(each.last),
        "break_glass": sorted(each.broken),
    }
