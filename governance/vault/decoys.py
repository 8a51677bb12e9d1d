"""A value of nobody's, opened with the same work as somebody's: for answers that tell nobody who is known."""

from functools import cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance.ids import random_bytes
from governance.vault import envelope
from governance.vault.model import KINDS

_CONTEXT = b"nobody"


class Decoy:
    """A value under keys that exist in this process only; opening it costs what opening somebody's does."""

    def __init__(self, plaintext: bytes) -> None:
        self._wrapping = AESGCM(random_bytes(32))
        keys = [random_bytes(32) for _ in KINDS]
        self._wrapped = [envelope.wrap(self._wrapping, key, _CONTEXT) for key in keys]
        self._sealed = envelope.seal(AESGCM(keys[0]), 1, plaintext, _CONTEXT)

    def reveal(self) -> bytes:
        """Unwrap as many keys as a person has, and decrypt the value with the first."""
        ciphers = [AESGCM(envelope.unwrap(self._wrapping, each, _CONTEXT)) for each in self._wrapped]
        return envelope.reveal(ciphers[0], 1, self._sealed, _CONTEXT)


@cache
def decoy(plaintext: bytes) -> Decoy:
    """The decoy of this value; made once a process, and once a value."""
    return Decoy(plaintext)
