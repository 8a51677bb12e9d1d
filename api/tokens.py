"""Access tokens (RFC 9068): how they are made, and how one is known again fast."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from governance.settings import Settings

ALGORITHM = "ES256"
TYPES = ("at+jwt", "application/at+jwt")
TENANT_CLAIM = "tenant"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token speaks for: a component of one tenant, with scopes. `expires_at` is an aware instant."""

    tenant_id: str
    client_id: str
    scopes: frozenset[str]
    jti: str
    issued_at: int
    expires_at: datetime


class InvalidToken(Exception):
    """The token is not one of ours, or no longer good. The message is fit for the WWW-Authenticate header."""


class TokenReader:
    """Knows access tokens again.

    A verified signature stays verified, so the claims of recent tokens are remembered under the token's
    digest. Expiry is checked at every request here; the deny list at every request in the request's own
    snapshot (`api.runtime`): neither is ever remembered.
    """

    def __init__(self, key: ECKey, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._key = key
        self._settings = settings
        self._clock = clock
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        self._lock = Lock()

    def read(self, token: str) -> Caller:
        """Give the caller of an unexpired token; raises InvalidToken."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        caller = self._known.get(digest)
        if caller is None:
            caller = self._verify(token)
            with self._lock:
                self._known[digest] = caller
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if caller.expires_at <= self._clock():
            raise InvalidToken("The access token expired")
        return caller

    def _verify(self, token: str) -> Caller:
        try:
            read = jwt.decode(token, self._key, algorithms=[ALGORITHM])
        except (JoseError, ValueError, TypeError):
            raise InvalidToken("The access token is malformed or not ours") from None
        if str(read.header.get("typ", "")).lower() not in TYPES:
            raise InvalidToken("The token is not an access token (typ at+jwt)")
        claims = read.claims
        if claims.get("iss") != self._settings.issuer or claims.get("aud") != self._settings.public_url:
            raise InvalidToken("The access token is for another service")
        try:
            return Caller(
                str(claims[TENANT_CLAIM]),
                str(claims["client_id"]),
                frozenset(str(claims["scope"]).split()),
                str(claims["jti"]),
                int(claims["iat"]),
                datetime.fromtimestamp(int(claims["exp"]), UTC),
            )
        except (KeyError, ValueError, TypeError, OverflowError):
            raise InvalidToken("The access token lacks a claim") from None


def make(
    key: ECKey, settings: Settings, *, now: datetime, tenant_id: str, client_id: str, scope: str, jti: str
) -> str:
    """Sign an access token (ES256, `typ: at+jwt`) that lives for `settings.token_lifetime` seconds."""
    issued = int(now.timestamp())
    claims = {
        "iss": settings.issuer,
        "aud": settings.public_url,
        "sub": client_id,
        "client_id": client_id,
        TENANT_CLAIM: tenant_id,
        "scope": scope,
        "iat": issued,
        "exp": int((now + timedelta(seconds=settings.token_lifetime)).timestamp()),
        "jti": jti,
    }
    return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": key.kid}, claims, key)
