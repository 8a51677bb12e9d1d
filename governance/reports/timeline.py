"""A person's timeline: what was recorded, decided and sent, oldest first, page by page.

Recorded events come from the ledger, checks from the decision log, the decisions behind acts and the messages
from the main database. A person who absorbed others by a merge has their past too. No sealed value is opened.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.clock import wire
from governance.decisions.log import DecisionLog
from governance.decisions.store import decision, logged_decision
from governance.errors import InvalidError
from governance.ledger import service as ledger
from governance.reports import timeline_store as store
from governance.subjects import service as subjects
from governance.work import Snapshot

MOST = 500


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come in each source: ledger position, decisions of acts, checks, messages."""

    position: int = -1
    act: str = ""
    check: str = ""
    message: str = ""

    def text(self) -> str:
        """The cursor as an opaque text."""
        raw = json.dumps([self.position, self.act, self.check, self.message], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(text: str | None) -> Cursor:
    """Read an opaque cursor back; InvalidError if it is none of ours."""
    if text is None:
        return Cursor()
    try:
        raw = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        position, *rest = raw
        sound = type(position) is int and -1 <= position < 2**53
        sound = sound and len(rest) == 3 and all(isinstance(each, str) for each in rest)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise InvalidError(
            "This cursor cannot be read.", fields={"after": ["Pass the `next` of the page before."]}
        )
    return Cursor(position, *rest)


@dataclass(frozen=True, slots=True)
class _Item:
    at: datetime
    moved: Cursor
    document: dict[str, Any]


def timeline(
    snap: Snapshot,
    subject_ref: str,
    *,
    decision_log: DecisionLog | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a person's timeline, oldest first, and the cursor of the next page (None at the end).

    `limit` is 1 to 500. Entries are `{"at", "type": "event", "id", "kind", "position", "actor", "facts"}` and
    `{"at", "type": "decision", "id", "action", "decision", "codes", "act", "policy", "caller", …}` and
    `{"at", "type": "message", "id", "message_id", "channel", "message_class", "purpose", "status", …}`.
    """
    cursor, most = read_cursor(after), max(1, min(limit, MOST))
    refs = subjects.group(snap, subject_ref)
    log = decision_log or snap.resource(DecisionLog)
    sources = [
        _events(snap, refs, cursor, most + 1),
        _acts(snap, refs, cursor, most + 1),
        _checks(log, snap.tenant_id, refs, cursor, most + 1),
        _messages(snap, refs, cursor, most + 1),
    ]
    page: list[_Item] = []
    came = cursor
    for item in _in_time(sources):
        if len(page) == most:
            return [each.document for each in page], came.text()
        page.append(item)
        came = Cursor(
            max(came.position, item.moved.position),
            max(came.act, item.moved.act),
            max(came.check, item.moved.check),
            max(came.message, item.moved.message),
        )
    return [each.document for each in page], None


def _in_time(sources: Sequence[Sequence[_Item]]) -> Iterator[_Item]:
    """Take the earliest head of all sources each time; the order within a source is kept."""
    places = [0] * len(sources)
    while True:
        heads = [
            (source[place].at, number)
            for number, (source, place) in enumerate(zip(sources, places, strict=True))
            if place < len(source)
        ]
        if not heads:
            return
        _, number = min(heads)
        yield sources[number][places[number]]
        places[number] += 1


def _events(snap: Snapshot, refs: Sequence[str], cursor: Cursor, limit: int) -> list[_Item]:
    found = [
        entry
        for ref in refs
        for entry in ledger.entries(
            snap.connection, snap.tenant_id, after=cursor.position, limit=limit, subject_ref=ref
        )
    ]
    found.sort(key=lambda entry: entry.position)
    return [
        _Item(
            entry.at,
            Cursor(position=entry.position),
            {
                "at": wire(entry.at),
                "type": "event",
                "id": entry.event_id,
                "kind": entry.kind,
                "position": entry.position,
                "actor": entry.actor_ref,
                "facts": entry.facts,
            },
        )
        for entry in found[:limit]
    ]


def _acts(snap: Snapshot, refs: Sequence[str], cursor: Cursor, limit: int) -> list[_Item]:
    rows = store.decisions_after(
        snap.connection, decision, snap.tenant_id, refs, after=cursor.act, limit=limit
    )
    return [_Item(row["at"], Cursor(act=row["decision_id"]), _decision(row, act=True)) for row in rows]


def _checks(log: DecisionLog, tenant_id: str, refs: Sequence[str], cursor: Cursor, limit: int) -> list[_Item]:
    with log.engine.connect() as connection:
        rows = store.decisions_after(
            connection, logged_decision, tenant_id, refs, after=cursor.check, limit=limit
        )
    return [_Item(row["at"], Cursor(check=row["decision_id"]), _decision(row, act=False)) for row in rows]


def _messages(snap: Snapshot, refs: Sequence[str], cursor: Cursor, limit: int) -> list[_Item]:
    rows = store.messages_after(snap.connection, snap.tenant_id, refs, after=cursor.message, limit=limit)
    return [
        _Item(
            row["authorised_at"],
            Cursor(message=row["message_ref"]),
            {
                "at": wire(row["authorised_at"]),
                "type": "message",
                "id": row["message_ref"],
                "message_id": row["message_id"],
                "channel": row["channel"],
                "message_class": row["message_class"],
                "purpose": row["purpose"],
                "campaign": row["campaign"],
                "status": row["status"],
                "decision": row["decision_id"],
            },
        )
        for row in rows
    ]


def _decision(row: Any, *, act: bool) -> dict[str, Any]:
    body = row["body"]
    said = json.loads(body) if isinstance(body, str) else (body or {})
    return {
        "at": wire(row["at"]),
        "type": "decision",
        "id": row["decision_id"],
        "action": row["action"],
        "decision": row["allowed"],
        "codes": [code for code in row["codes"].split(",") if code],
        "act": act,
        "policy": row["digest"],
        "caller": row["caller_ref"],
        "question": said.get("question"),
    }
