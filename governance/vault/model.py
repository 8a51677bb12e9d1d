"""What sealing means: the two kinds of keys, where a value lies, and commitments to payloads.

Pure. A sealed value is bound to its place by associated data: tenant, table, column, row, person, kind of key
and version of key. Moved anywhere else, it cannot be opened.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from governance.errors import InvalidError, UnreadableError

OPERATIONAL = "operational"
"""The key of what is used daily (identifiers, contact points); erasure destroys it."""

EVIDENCE = "evidence"
"""The key of what proves (consent captures, requests); kept until its own term, readable for claims only."""

KINDS = (OPERATIONAL, EVIDENCE)

KEY_BYTES = 32
SALT_BYTES = 32
INDEX_HEX_DIGITS = 32
"""128 bits: two different identifiers never meet, and the index stays small."""

_PAD = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lies: a ciphertext opens only at the place it was sealed for."""

    table: str
    column: str
    row_id: str


def evidence_place(event_id: str) -> Place:
    """The place of an event's personal payload."""
    return Place("ledger_payload", "payload", event_id)


def joined(*parts: str | bytes | int) -> bytes:
    """Join parts so that no two different lists give the same bytes: each is preceded by its length."""
    joint = bytearray()
    for part in parts:
        if isinstance(part, int):
            raw = part.to_bytes(8, "big")
        else:
            raw = _utf8(part) if isinstance(part, str) else part
        joint += len(raw).to_bytes(4, "big") + raw
    return bytes(joint)


def field_context(tenant_id: str, subject_ref: str, kind: str, version: int, place: Place) -> bytes:
    """The associated data of a sealed field."""
    return joined(
        "vault/field/v1", tenant_id, place.table, place.column, place.row_id, subject_ref, kind, version
    )


def subject_key_context(tenant_id: str, subject_ref: str, kind: str, version: int, epoch: int) -> bytes:
    """The associated data of a person's wrapped key."""
    return joined("vault/subject-key/v1", tenant_id, subject_ref, kind, version, epoch)


def tenant_key_context(tenant_id: str, use: str, epoch: int) -> bytes:
    """The associated data of a tenant's wrapped key."""
    return joined("vault/tenant-key/v1", tenant_id, use, epoch)


def signing_key_context(use: str, number: int, epoch: int) -> bytes:
    """The associated data of a wrapped signing key."""
    return joined("vault/signing-key/v1", use, number, epoch)


def epoch_key_context(epoch: int) -> bytes:
    """The associated data of a wrapped epoch key."""
    return joined("vault/epoch-key/v1", epoch)


def canonical_payload(payload: Mapping[str, object]) -> bytes:
    """Write a payload as canonical JSON (RFC 8785); InvalidError if it is not JSON for every reader."""
    try:
        return rfc8785.dumps(_plain(payload))
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError, TypeError):
        raise InvalidError(
            "This evidence cannot be kept: it must be JSON with whole numbers below 2^53 and valid text."
        ) from None


def commitment(salt: bytes, tenant_id: str, subject_ref: str, event_id: str, payload: bytes) -> str:
    """The hexadecimal HMAC-SHA-256 by which a ledger leaf commits to a payload (canonical JSON).

    The salt (32 random bytes) is the key and lies beside the payload inside the ciphertext: when the person's
    key is destroyed, nobody can test a guess against the leaf any more. Anyone who is shown salt and payload
    can repeat the computation.
    """
    context = joined("vault/evidence/v1", tenant_id, subject_ref, event_id, payload)
    return hmac.digest(salt, context, hashlib.sha256).hex()


def pack_evidence(salt: bytes, payload: bytes) -> bytes:
    """Put salt and canonical JSON together, padded with spaces to 64-byte steps to blur its length."""
    return salt + payload + b" " * (-len(payload) % _PAD)


def unpack_evidence(packed: bytes) -> tuple[bytes, bytes]:
    """Take salt and canonical JSON apart again."""
    return packed[:SALT_BYTES], packed[SALT_BYTES:].rstrip(b" ")


def read_payload(payload: bytes) -> dict[str, Any]:
    """Read the JSON object of a piece of evidence; UnreadableError if it is none."""
    try:
        document = json.loads(payload)
    except ValueError:
        raise UnreadableError from None
    if not isinstance(document, dict):
        raise UnreadableError
    return document


def _plain(value: object) -> Any:
    """Make plain dictionaries and lists of any mapping and sequence."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _utf8(text: str) -> bytes:
    """Encode text; InvalidError for lone surrogates, which no database keeps either."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidError("The text holds half a character (a lone surrogate) and cannot be kept.") from None
