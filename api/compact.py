"""Compact JWS (RFC 7515) as this door reads it: one way to write a token, and no key that it brings itself.

Whatever a header may say beyond `alg`, `typ` and `kid` is refused, not ignored (RFC 8725 §3): a key, where to
find one, a certificate, an extension, a compression. Nothing here says whether a token is good.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import BadRequest

from api import strict_json

LONGEST = 8192
"""Characters of the longest token that is looked at: about what a server takes as one header field."""

_HEADER = frozenset({"alg", "typ", "kid"})
_THUMBPRINTS = frozenset({"x5t", "x5t#S256"})
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_LONGEST_KID = 256


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that has the form of one. Its signature was not looked at: believe nothing of it."""

    token: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def kid(self) -> str | None:
        """The name of the key that the token says it was signed with."""
        kid: str | None = self.header.get("kid")
        return kid

    @property
    def typ(self) -> str:
        """The type, in lower case and without the prefix `application/` (RFC 7515 §4.1.9)."""
        return str(self.header.get("typ", "")).lower().removeprefix("application/")


def read(token: str) -> Unverified:
    """Read a token's header and claims; ValueError if it is longer, or written otherwise, than tokens are."""
    if len(token) > LONGEST or not _FORM.fullmatch(token):
        raise ValueError("not three parts of base64url")
    parts = [_decoded(part) for part in token.split(".")]
    header, claims = _object(parts[0]), _object(parts[1])
    if not set(header) - _THUMBPRINTS <= _HEADER:
        raise ValueError("a header member that is not taken")
    if not all(isinstance(value, str) for value in header.values()):
        raise ValueError("a header member that is no text")
    if len(header.get("kid", "")) > _LONGEST_KID:
        raise ValueError("a key's name that is too long")
    return Unverified(token, header, claims)


def _decoded(part: str) -> bytes:
    """Decode base64url without padding; ValueError unless this is the one way to write these bytes."""
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != part:
        raise ValueError("base64url with bits left over")
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    """Read a JSON object in which no name stands twice."""
    try:
        found = strict_json.read(raw)
    except BadRequest:
        raise ValueError("not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
