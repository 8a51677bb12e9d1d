"""Components, their scopes, and what makes a secret theirs. Pure."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.errors import InvalidError

ROOMS = (
    "subjects",
    "consents",
    "purposes",
    "policies",
    "lifecycle",
    "communications",
    "access",
    "transfers",
    "retention",
    "holds",
    "systems",
    "erasures",
    "rights",
    "audit",
    "webhooks",
)
"""Rooms of the domain that have a scope for reading and one for writing."""

SCOPES: tuple[str, ...] = (
    "evaluate",
    *(f"{room}:{verb}" for room in ROOMS for verb in ("read", "write")),
    "policies:approve",
    "erasures:approve",
    "holds:release",
    "admin",
)
"""Every scope there is, in published order."""

_CLIENT_ID = re.compile(r"client_[0-9a-f]{32}")
_STAFF_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_ASYMMETRIC = ("EC", "RSA", "OKP")


@dataclass(frozen=True, slots=True)
class Component:
    """A program that asks on behalf of a tenant.

    `secret_sha256` is hexadecimal, or None if the component proves itself with a key of its own (`jwks`, a
    JSON Web Key Set of public keys, RFC 7517). `state` is `active` or `left`. `redirect_uris`: where people
    who sign in through it are led back to; it has then no tokens of its own.
    """

    tenant_id: str
    client_id: str
    name: str
    scopes: tuple[str, ...]
    secret_sha256: str | None
    jwks: Mapping[str, object] | None
    state: str
    created_at: datetime
    redirect_uris: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether this component may still ask."""
        return self.state == "active"

    @property
    def signs_people_in(self) -> bool:
        """Whether people sign in through it, so that its tokens are theirs."""
        return bool(self.redirect_uris)


@dataclass(frozen=True, slots=True)
class NewComponent:
    """A component just made, with its secret in clear: shown once, stored nowhere."""

    component: Component
    secret: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says about a token at this moment. `of_people`: the component has none of its own."""

    component_active: bool
    token_revoked: bool
    of_people: bool = False

    @property
    def good(self) -> bool:
        """Whether the token may be used."""
        return self.component_active and not self.token_revoked


def is_client_id(text: str) -> bool:
    """Whether this text can be a component's id at all; nothing else is ever looked up."""
    return _CLIENT_ID.fullmatch(text) is not None


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes in published order, each once; raises InvalidError naming those that do not exist."""
    wanted = set(scopes)
    unknown = sorted(wanted - set(SCOPES))
    if unknown:
        raise InvalidError(
            f"There is no scope {', '.join(map(repr, unknown))}; choose from {', '.join(SCOPES)}.",
            fields={"scopes": [f"unknown scope {name!r}" for name in unknown]},
        )
    if not wanted:
        raise InvalidError("A component needs at least one scope.", fields={"scopes": ["at least one"]})
    return tuple(scope for scope in SCOPES if scope in wanted)


def check_maker(scopes: Sequence[str], maker_scopes: Iterable[str] | None) -> None:
    """Refuse scopes that the maker lacks (None: the command line, which holds them all)."""
    if maker_scopes is None:
        return
    excess = sorted(set(scopes) - set(maker_scopes))
    if excess:
        raise InvalidError(
            f"A component may not gain scopes that its maker lacks: {', '.join(excess)}.",
            fields={"scopes": excess},
        )


def staff_id_of(value: object) -> str:
    """Return the id of a member of staff; ValueError for what is none, an e-mail address for one.

    It stands in the ledger, so it must be as opaque as a data subject's: a number of the personnel file, an
    identity provider's object id.
    """
    if not isinstance(value, str) or not _STAFF_ID.fullmatch(value):
        raise ValueError("not an opaque id")
    return value


def staff_ref(staff_id: str) -> str:
    """The name under which a member of staff acts (`governance.events.Actor.ref`), whatever they came
    through."""
    return f"staff:{staff_id}"


def check_name(name: str) -> str:
    """Return the name if it can stand in a list: 1 to 100 printable characters."""
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidError(
            "A component's name has 1 to 100 printable characters.", fields={"name": ["unusable"]}
        )
    return name


def check_jwks(jwks: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """Return a set of public keys; raises InvalidError for shared secrets and private keys."""
    if jwks is None:
        return None
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise InvalidError('A key set is `{"keys": [...]}` with at least one public key.')
    for key in keys:
        if key.get("kty") not in _ASYMMETRIC or "d" in key:
            raise InvalidError("A component's key set holds public keys only (EC, RSA or OKP, without `d`).")
    return jwks


def secret_digest(secret: str) -> str:
    """Give the SHA-256 of a client secret, hexadecimal: of 256 random bits, a slow hash adds nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_secret_of(component: Component, secret: str) -> bool:
    """Whether this secret is the component's, compared in constant time."""
    if component.secret_sha256 is None:
        return False
    return hmac.compare_digest(component.secret_sha256, secret_digest(secret))
