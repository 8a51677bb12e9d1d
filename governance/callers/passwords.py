"""Hashes of passwords (Argon2id, RFC 9106). The only file that knows argon2.

One hash takes 64 MiB and some tens of milliseconds; no more than `AT_ONCE` are worked on in one process, so
that a flood of tries cannot take its memory.
"""

from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2

_HASHER = PasswordHasher()
"""RFC 9106 §4, the second recommended option (64 MiB, 3 passes): the library's own default."""

_ROOM = BoundedSemaphore(AT_ONCE)


def hashed(password: str) -> str:
    """Hash a password; gives a PHC string with its parameters and a salt of its own."""
    with _ROOM:
        return _HASHER.hash(password)


def is_password(phc: str, password: str) -> bool:
    """Whether a hash is of this password; takes the same time for yes and no."""
    with _ROOM:
        try:
            return _HASHER.verify(phc, password)
        except (VerificationError, InvalidHashError):
            return False


@cache
def nobodys() -> str:
    """A hash of a password that nobody has, for names that nobody has: the same work for everybody."""
    return hashed("nobody's password")
