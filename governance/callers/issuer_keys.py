"""Keys of outside issuers: found by OpenID Connect discovery, fetched through the egress, remembered for a
while.

What is remembered is keys, never an answer. Keys are asked for again after `FRESH`, and at once when a token
names one that is not known, but not more often than every `PAUSE`, however many such tokens come. While the
issuer cannot be reached its keys serve until they are `AGE` old; after that nobody is let in.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from governance.callers.issuer_model import Issuer
from governance.clock import Clock
from governance.egress.addresses import read_target
from governance.egress.client import Egress
from governance.errors import InvalidError, NotReadyError
from governance.settings import Settings

FRESH = timedelta(minutes=5)
PAUSE = timedelta(seconds=30)
AGE = timedelta(hours=1)

_FITTING: Mapping[str, tuple[str, str | None]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
    "PS256": ("RSA", None),
    "RS256": ("RSA", None),
}
"""The kind of key, and its curve, that each algorithm takes (RFC 7518 §3.1, RFC 8037 §3.1)."""

_SHORTEST_RSA = 342
"""Characters of base64url in a modulus of 2048 bits (RFC 7518 §3.3)."""

_MOST_KEYS = 100
_HEADERS = {"Accept": "application/json", "User-Agent": "governance/1"}


class KeysAwayError(NotReadyError):
    """The issuer's keys cannot be had now, and what is remembered is too old."""


@dataclass(slots=True)
class _Remembered:
    """Keys of one issuer by name, and when they were fetched and last asked for."""

    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fetched_at: datetime | None = None
    tried_at: datetime | None = None
    lock: Lock = field(default_factory=Lock)


class IssuerKeys:
    """Finds the public keys of issuers. One per process; threads share it."""

    def __init__(self, settings: Settings, clock: Clock, egress: Egress | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._egress = egress or Egress()
        self._remembered: dict[tuple[str, str], _Remembered] = {}
        self._lock = Lock()

    def find(self, issuer: Issuer, kid: str, algorithm: str) -> Key | None:
        """The issuer's key of this name, fit for this algorithm; None if it has none.

        Raises KeysAwayError if the issuer cannot be reached and its keys are not, or too long, known.
        """
        with self._lock:
            known = self._remembered.setdefault((issuer.tenant_id, issuer.issuer), _Remembered())
        now = self._clock()
        if self._wants(known, kid, now):
            # Whoever finds another thread asking waits for its answer, unless a key serves until then.
            serves = kid in known.keys and known.fetched_at is not None and now - known.fetched_at < AGE
            if known.lock.acquire(blocking=not serves):
                try:
                    if self._wants(known, kid, now):
                        self._ask(issuer, known, now)
                finally:
                    known.lock.release()
        if known.fetched_at is None or now - known.fetched_at >= AGE:
            raise KeysAwayError("The issuer of this token cannot be reached; try again later.")
        return _fit(known.keys.get(kid), algorithm)

    def _wants(self, known: _Remembered, kid: str, now: datetime) -> bool:
        """Whether to ask the issuer now."""
        fresh = known.fetched_at is not None and now - known.fetched_at < FRESH
        if fresh and kid in known.keys:
            return False
        return known.tried_at is None or now - known.tried_at >= PAUSE

    def _ask(self, issuer: Issuer, known: _Remembered, now: datetime) -> None:
        known.tried_at = now
        keys = self._fetch(issuer)
        if keys is not None:
            known.keys, known.fetched_at = keys, now

    def _fetch(self, issuer: Issuer) -> Mapping[str, Mapping[str, Any]] | None:
        """Ask the issuer where its keys are, and then for them; None if that leads nowhere."""
        url = issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"
        told = self._get(issuer, url)
        if told is None or told.get("issuer") != issuer.issuer:  # Discovery 1.0 §4.3: to the letter
            return None
        jwks_uri = told.get("jwks_uri")
        found = self._get(issuer, jwks_uri) if isinstance(jwks_uri, str) else None
        keys = None if found is None else found.get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
            return None
        named = [each for each in keys if isinstance(each, dict) and isinstance(each.get("kid"), str)]
        times = Counter(each["kid"] for each in named)
        return {each["kid"]: each for each in named if times[each["kid"]] == 1}

    def _get(self, issuer: Issuer, url: str) -> dict[str, Any] | None:
        """Fetch a JSON object; None for whatever else comes."""
        from_where = self._settings.places_of(issuer.tenant_id)
        try:
            target = read_target(url, from_where, inside=True)
        except InvalidError:
            return None
        with self._egress.client(target) as client:
            answer = client.ask("GET", b"", _HEADERS)
        if answer.attempt.status != 200:
            return None
        return _object(answer.body)


def _fit(jwk: Mapping[str, Any] | None, algorithm: str) -> Key | None:
    """Make a key of what the issuer published, if it is one for signatures by this algorithm."""
    if jwk is None or algorithm not in _FITTING:
        return None
    kind, curve = _FITTING[algorithm]
    if jwk.get("kty") != kind or (curve is not None and jwk.get("crv") != curve):
        return None
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        return None
    if "verify" not in jwk.get("key_ops", ["verify"]):
        return None
    if kind == "RSA" and not (isinstance(jwk.get("n"), str) and len(jwk["n"]) >= _SHORTEST_RSA):
        return None
    try:
        return import_key({name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk})
    except (JoseError, ValueError, TypeError):
        return None


def _object(body: bytes) -> dict[str, Any] | None:
    """Read a JSON object; None if it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
