"""A person's own requests with what was written and answered, for the package of an access request.

Requests that were proved, or that the CRM brought under its own id of the person, are shown whole. One that
only names an address of theirs may be a stranger's: what it did is shown, not what was written in it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.clock import wire
from governance.rights import letters, recipients, sealing, store
from governance.rights.intake import content_of, value_of
from governance.rights.model import Identity, Letter, Request
from governance.rights.opening import is_lost
from governance.rights.recipient_store import rights_correction, rights_recipient
from governance.rights.states import PROVED
from governance.rights.tables import rights_identity
from governance.work import Snapshot

Rows = list[tuple[dict[str, Any], datetime | None, tuple[str, ...]]]
"""Of each row its values, when its term begins, and the names of values that could not be opened."""


def read(snap: Snapshot, refs: Sequence[str]) -> dict[str, Rows]:
    """The requests of a person, the letters about them, and who was told, by title of the section."""
    requests: Rows = []
    written: Rows = []
    for request_id in _ids(snap, refs):
        found = store.find(snap.connection, snap.tenant_id, request_id)
        if found is None:
            continue
        named = store.parts_of(snap.connection, snap.tenant_id, request_id, Identity)
        whole = any(
            each.subject_ref in refs and (each.state == PROVED or each.kind == "id") and not each.shared
            for each in named
        )
        told = {
            "request": request_id,
            "type": found.type,
            "state": found.state,
            "outcome": found.outcome,
            "regime": found.regime,
            "channel": found.channel,
            "language": found.language,
            "country": found.country,
            "region": found.region,
            "on_behalf_of": found.behalf,
            "received_at": wire(found.received_at),
            "due_at": wire(found.due_at),
            "closed_at": None if found.closed_at is None else wire(found.closed_at),
            "identities": [
                value
                for each in named
                if each.state == PROVED and (value := value_of(snap, each)) is not None
            ],
            "content": content_of(snap, found) if whole else None,
            "changes": _changes(snap, request_id) if whole else None,
        }
        requests.append((_said(told), found.closed_at or found.received_at, _lost(snap, found, named, whole)))
        for letter in store.parts_of(snap.connection, snap.tenant_id, request_id, Letter) if whole else ():
            place = sealing.letter_place(letter.letter_id)
            lost = ("text",) if is_lost(snap, request_id, place, letter.content_sealed) else ()
            written.append((_letter(snap, letter), letter.written_at, lost))
    return {"requests": requests, "letters": written, "told": _told(snap, refs)}


def _ids(snap: Snapshot, refs: Sequence[str]) -> list[str]:
    at = rights_identity.c
    query = (
        sa.select(at.request_id)
        .where(at.tenant_id == snap.tenant_id, at.subject_ref.in_(refs))
        .where(at.state != "dropped", at.shared.is_(False))
        .distinct()
        .order_by(at.request_id)
    )
    return list(snap.connection.scalars(query))


def _letter(snap: Snapshot, letter: Letter) -> dict[str, Any]:
    """A letter without the page that it is also kept as: the text says the same."""
    told = letters.document(snap, letter)
    names = ("kind", "language", "to", "subject", "text", "written_at", "sent_at")
    return _said({"request": letter.request_id} | {name: told[name] for name in names})


def _lost(snap: Snapshot, request: Request, named: Sequence[Identity], whole: bool) -> tuple[str, ...]:
    """Which of what was written to a request is there and could not be opened."""
    request_id = request.request_id
    sealed = [
        ("identities", sealing.identity_place(each.identity_id), each.value_sealed)
        for each in named
        if each.state == PROVED
    ]
    if whole:
        sealed.append(("content", sealing.content_place(request_id), request.content_sealed))
        changes = _changes_sealed(snap, request_id)
        sealed.append(("changes", recipients.changes_place(request_id), changes))
    lost = [name for name, place, value in sealed if is_lost(snap, request_id, place, value)]
    return tuple(dict.fromkeys(lost))


def _changes(snap: Snapshot, request_id: str) -> Any:
    sealed = _changes_sealed(snap, request_id)
    opened = sealing.reveal(snap, request_id, recipients.changes_place(request_id), sealed)
    return None if opened is None else opened.get("changes")


def _changes_sealed(snap: Snapshot, request_id: str) -> bytes | None:
    at = rights_correction.c
    query = sa.select(at.changes_sealed).where(at.tenant_id == snap.tenant_id, at.request_id == request_id)
    sealed: bytes | None = snap.connection.scalar(query)
    return sealed


def _told(snap: Snapshot, refs: Sequence[str]) -> Rows:
    at = rights_recipient.c
    query = (
        sa.select(rights_recipient)
        .where(at.tenant_id == snap.tenant_id, at.subject_ref.in_(refs))
        .order_by(at.request_id, at.system_id, at.verb)
    )
    return [
        (
            _said(
                {
                    "request": row.request_id,
                    "system_id": row.system_id,
                    "verb": row.verb,
                    "status": row.status,
                    "answered_at": None if row.answered_at is None else wire(row.answered_at),
                }
            ),
            row.answered_at,
            (),
        )
        for row in snap.connection.execute(query)
    ]


def _said(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}
