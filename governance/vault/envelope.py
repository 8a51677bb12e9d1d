"""AES-256-GCM in the two shapes that the vault uses: keys wrapped by keys, and fields sealed by keys.

Pure, but for fresh random nonces (96 bits; NIST SP 800-38D allows 2^32 of them per key, a person's key or a
week's epoch key stays far below).
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance.errors import UnreadableError
from governance.ids import random_bytes

NONCE_BYTES = 12
_FORMAT = b"\x01"
_VERSION_BYTES = 4
_HEADER = len(_FORMAT) + _VERSION_BYTES
_TAG_BYTES = 16
OVERHEAD = _HEADER + NONCE_BYTES + _TAG_BYTES
"""Bytes that a sealed field is longer than its plaintext."""


def wrap(wrapping_key: AESGCM, key: bytes, context: bytes) -> bytes:
    """Encrypt a key under another, bound to `context`: nonce, ciphertext, tag."""
    nonce = random_bytes(NONCE_BYTES)
    return nonce + wrapping_key.encrypt(nonce, key, context)


def unwrap(wrapping_key: AESGCM, wrapped: bytes, context: bytes) -> bytes:
    """Decrypt a wrapped key; UnreadableError if key, context or bytes are not those of the wrapping."""
    return _open(wrapping_key, wrapped, context)


def seal(key: AESGCM, version: int, plaintext: bytes, context: bytes) -> bytes:
    """Encrypt a field: format mark, key version (4 bytes), nonce, ciphertext, tag."""
    nonce = random_bytes(NONCE_BYTES)
    header = _FORMAT + version.to_bytes(_VERSION_BYTES, "big")
    return header + nonce + key.encrypt(nonce, plaintext, context)


def reveal(key: AESGCM, version: int, sealed: bytes, context: bytes) -> bytes:
    """Decrypt a field; UnreadableError whatever the cause."""
    if sealed[:_HEADER] != _FORMAT + version.to_bytes(_VERSION_BYTES, "big"):
        raise UnreadableError
    return _open(key, sealed[_HEADER:], context)


def _open(key: AESGCM, sealed: bytes, context: bytes) -> bytes:
    if len(sealed) < NONCE_BYTES + _TAG_BYTES:
        raise UnreadableError
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except InvalidTag:
        raise UnreadableError from None
