"""How this room uses the vault: every request has a key of its own, so that it can be forgotten by itself.

Before anybody is identified there is no person whose key could be used; afterwards the request is kept and
ended by its own term (it is evidence of how the controller answered), apart from the person's data.
"""

import json
from collections.abc import Mapping
from typing import Any

from governance.errors import UnreadableError
from governance.events import Sealed
from governance.vault.model import EVIDENCE, Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work


def seal(work: Work, request_id: str, place: Place, value: Mapping[str, object]) -> bytes:
    """Encrypt a JSON value under the request's key, bound to its cell."""
    text = json.dumps(dict(value), separators=(",", ":"))
    vault = work.resource(Vault)
    return vault.seal(work.tenant_id, request_id, EVIDENCE, place, text.encode())


def reveal(snap: Snapshot, request_id: str, place: Place, sealed: bytes | None) -> dict[str, Any] | None:
    """Decrypt what `seal` made; None if it was taken away or its key destroyed."""
    if sealed is None:
        return None
    try:
        raw = snap.resource(Vault).reveal(snap.tenant_id, request_id, EVIDENCE, place, sealed)
    except UnreadableError:
        return None
    value: dict[str, Any] = json.loads(raw)
    return value


def evidence(work: Work, request_id: str, event_id: str, told: Mapping[str, object | None]) -> Sealed | None:
    """Seal what was told with an event (why, with what proof) as the event's payload; None for nothing."""
    payload = {name: value for name, value in told.items() if value not in (None, "", {}, [])}
    if not payload:
        return None
    return work.resource(Vault).seal_evidence(work.tenant_id, request_id, event_id, payload)


def shred(work: Work, request_id: str) -> None:
    """Destroy the request's key."""
    work.resource(Vault).shred(work.tenant_id, request_id, EVIDENCE, work.now)


def content_place(request_id: str) -> Place:
    """Where what the person wrote lies."""
    return Place("rights_request", "content_sealed", request_id)


def identity_place(identity_id: str) -> Place:
    """Where an identifier's value lies."""
    return Place("rights_identity", "value_sealed", identity_id)


def letter_place(letter_id: str) -> Place:
    """Where a letter's text and address lie."""
    return Place("rights_letter", "content_sealed", letter_id)
