"""Keys as clients send them, and what is kept of an effect. Pure.

Rules: draft-ietf-httpapi-idempotency-key-header. The header is a Structured Field string (RFC 9651 §3.3.3);
because many clients send it bare, a bare token of visible ASCII characters is accepted too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from governance.errors import InvalidError

KEPT_FOR = timedelta(hours=24)
"""How long a key is remembered; after that the same key is a new request."""

_BARE = re.compile(r"[!#-\[\]-~]{1,200}")
_QUOTED = re.compile(r' *"((?:[ !#-\[\]-~]|\\["\\])*)" *')


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of an effect that happened: its status, and what its answer can be rendered from again.

    `kept` holds ids, codes, counts and instants as text; never a secret, never personal data.
    """

    status: int
    kept: Mapping[str, object]
    recorded_at: datetime


def read_key(header: str) -> str:
    """Read the header's value; raises InvalidError unless it is a string of 1 to 200 characters."""
    quoted = _QUOTED.fullmatch(header)
    if quoted:
        key = re.sub(r"\\(.)", r"\1", quoted.group(1))
        if 1 <= len(key) <= 200:
            return key
    elif _BARE.fullmatch(header.strip(" ")):
        return header.strip(" ")
    raise InvalidError(
        "Idempotency-Key must be a quoted string of 1 to 200 visible ASCII characters, such as a UUID.",
        fields={"Idempotency-Key": ["not a Structured Field string"]},
    )
