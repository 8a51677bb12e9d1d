"""Access tokens (RFC 9068): how they are made, and how one is known again fast."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jwt import encode

from api import compact
from governance.callers.model import staff_ref
from governance.callers.user_model import Session
from governance.events import Actor
from governance.settings import Settings

ALGORITHM = "ES256"
TYPE = "at+jwt"
TENANT_CLAIM = "tenant"
_REMEMBERED = 4096
_SKEW = 60
"""Seconds that another of our machines may be ahead."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token speaks for: a component of one tenant, or a member of staff, with scopes.

    `expires_at` is an aware instant. `staff_id`: the member of staff; `client_id` is then the component that
    they came through. `session_id`, `user_id`: of somebody who signed in here. `issuer_version`: of an
    outside issuer's token, the version of what is configured of it; `client_id` is then `issuer:` and its id,
    `roles` those that its claims name.
    """

    tenant_id: str
    client_id: str
    scopes: frozenset[str]
    jti: str
    issued_at: int
    expires_at: datetime
    staff_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    roles: frozenset[str] = frozenset()
    issuer_version: int | None = None

    @property
    def actor(self) -> Actor:
        """Who acts: of a member of staff, the person and not the component, so that two are two."""
        return Actor(self.client_id) if self.staff_id is None else Actor(staff_ref(self.staff_id), "staff")


class InvalidToken(Exception):
    """The token is not one of ours, or no longer good. Callers are told no more than that (RFC 6750 §3.1)."""


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
        if len(token) > compact.LONGEST:
            raise InvalidToken
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        caller = self._known.get(digest)
        if caller is None:
            caller = self._verify(token)
            with self._lock:
                self._known[digest] = caller
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        if caller.expires_at <= self._clock():
            raise InvalidToken
        return caller

    def _verify(self, token: str) -> Caller:
        try:
            read = compact.read(token)
            if read.header.get("alg") != ALGORITHM or read.kid != self._key.kid:
                raise InvalidToken
            jws.deserialize_compact(token, self._key, algorithms=[ALGORITHM])
            if read.typ != TYPE or not is_for_us(read.claims, self._settings):
                raise InvalidToken
            return _caller(read.claims, int(self._clock().timestamp()) + _SKEW)
        except (JoseError, LookupError, ValueError, TypeError, OverflowError):
            raise InvalidToken from None


def is_for_us(claims: Mapping[str, Any], settings: Settings) -> bool:
    """Whether we issued this, for ourselves: one audience, not a list with ours among others."""
    return claims.get("iss") == settings.issuer and claims.get("aud") == settings.public_url


def _caller(claims: Mapping[str, Any], latest: int) -> Caller:
    """Read the claims; raises ValueError or LookupError for one that is missing or of another kind."""
    issued, begins, expires = claims["iat"], claims.get("nbf", 0), claims["exp"]
    if not all(type(each) is int for each in (issued, begins, expires)) or max(issued, begins) > latest:
        raise ValueError("an instant that is none, or that has not come yet")
    texts = {name: claims[name] for name in (TENANT_CLAIM, "client_id", "sub", "scope", "jti")}
    if not all(isinstance(each, str) and each for each in texts.values()) or "cnf" in claims:
        raise ValueError("a claim that is no text, or one that binds the token to a key")
    caller = Caller(
        texts[TENANT_CLAIM],
        texts["client_id"],
        frozenset(texts["scope"].split()),
        texts["jti"],
        issued,
        datetime.fromtimestamp(expires, UTC),
    )
    if "sid" not in claims:
        return caller
    person = {"staff_id": claims["staff"], "session_id": claims["sid"], "user_id": claims["sub"]}
    if not all(isinstance(each, str) and each for each in person.values()):
        raise ValueError("a session of nobody")
    return replace(caller, **person)


def make(
    key: ECKey,
    settings: Settings,
    *,
    now: datetime,
    tenant_id: str,
    client_id: str,
    scope: str,
    jti: str,
    session: Session | None = None,
) -> str:
    """Sign an access token (ES256, `typ: at+jwt`) that lives for `settings.token_lifetime` seconds.

    `session`: of somebody who signed in; the token then lives as long as that, and speaks for them.
    """
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
    if session is not None:
        claims |= {"sub": session.user_id, "staff": session.staff_id, "sid": session.session_id}
        claims["exp"] = int(session.expires_at.timestamp())
    return encode({"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}, claims, key)
