"""The one maker of ids and secrets."""

import secrets
from collections.abc import Callable
from datetime import datetime

IdMaker = Callable[[str, datetime], str]
"""(prefix, now) -> a new id `prefix_` + 32 hexadecimal digits."""


def system_ids(prefix: str, now: datetime) -> str:
    """Make an id that nobody can guess and that sorts by the instant of its making.

    48 bits of milliseconds and 80 random bits, the layout of RFC 9562 UUIDv7 without its version marks:
    time-ordered keys keep large tables growing at their end. Nothing about a person goes in.
    """
    milliseconds = int(now.timestamp() * 1000) & 0xFFFFFFFFFFFF
    return f"{prefix}_{milliseconds:012x}{secrets.token_hex(10)}"


def new_secret() -> str:
    """Make a secret of 256 random bits as 43 URL-safe characters (tokens, client secrets)."""
    return secrets.token_urlsafe(32)


def random_bytes(count: int) -> bytes:
    """Give `count` random bytes (keys, nonces, salts)."""
    return secrets.token_bytes(count)
