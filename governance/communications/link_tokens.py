"""Tokens of links that say by themselves what they belong to: `base64url(tenant_ref NUL reference MAC)`.

The MAC is under a key of the tenant's and of the use, so that a token made for one use opens nothing else.
"""

import base64
import binascii
import hmac

from governance.errors import NotFoundError
from governance.vault.service import Vault
from governance.work import Snapshot

_MAC_BYTES = 32
_LONGEST = 512
_BAD = "This link is not complete or was changed; open it again from the message."


def write(snap: Snapshot, use: str, reference: str) -> str:
    """The token of a reference for a use: URL-safe text."""
    payload = f"{snap.tenant_ref}\0{reference}".encode()
    return _written(payload + _mac(snap, use, payload))


def tenant_ref_of(token: str) -> str:
    """The tenant that a token claims to be of, to open its unit of work; proves nothing.

    Raises NotFoundError.
    """
    payload, _ = _read(token)
    return payload.split(b"\0")[0].decode()


def read(snap: Snapshot, use: str, token: str) -> str:
    """The reference of a token; NotFoundError for one that was not made here for this use."""
    payload, mac = _read(token)
    tenant_ref, reference = (part.decode() for part in payload.split(b"\0"))
    if tenant_ref != snap.tenant_ref or not hmac.compare_digest(mac, _mac(snap, use, payload)):
        raise NotFoundError(_BAD)
    return reference


def unknown() -> NotFoundError:
    """The refusal of every token that opens nothing, whatever the reason."""
    return NotFoundError(_BAD)


def _mac(snap: Snapshot, use: str, payload: bytes) -> bytes:
    return snap.resource(Vault).mac(snap.tenant_id, use, payload)


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read(token: str) -> tuple[bytes, bytes]:
    """Payload and MAC of a token that has the form of one; NotFoundError otherwise."""
    if len(token) <= _LONGEST and token.isascii():
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        # A second spelling of the same bytes is no token of ours.
        if payload.count(b"\0") == 1 and payload.isascii() and _written(raw) == token:
            return payload, mac
    raise NotFoundError(_BAD)
