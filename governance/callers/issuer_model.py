"""Outside issuers: whose tokens a tenant takes besides ours, and what their claims come to here. Pure.

Reading order: `Issuer` (what is configured), `read_body` (how it is written), `bearer` (claims → who, and
what).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from governance.callers.model import SCOPES, staff_id_of
from governance.errors import InvalidError

ALGORITHMS = ("ES256", "ES384", "EdDSA", "PS256", "RS256")
"""Asymmetric only (RFC 8725 §3.1): nobody who can check a token can make one."""

AT_JWT, JWT = "at+jwt", "jwt"
TOKEN_TYPES = (AT_JWT, JWT)
"""`at+jwt` (RFC 9068) tells an access token from an ID token. For issuers that write `JWT` on both, the
audience must, and what only ID tokens hold is refused."""

LONGEST_LIFE = 86_400
"""Seconds that an outside token may live: what lives longer is no access token."""

ROLE = "role:"
"""What stands before the id of a role among what is granted."""

SKEW = 60
"""Seconds that the issuer's clock may be ahead of ours."""

_OF_ID_TOKENS = ("nonce", "at_hash", "c_hash", "s_hash")
_ISSUER_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_GIVEN_ROLE = re.compile(rf"{ROLE}[a-z0-9][a-z0-9_-]{{0,62}}")
_CLAIM = re.compile(r"[!-~]{1,200}")
_MOST_GRANTS = 100


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer that a tenant trusts.

    `issuer` is its URL, to the letter as in `iss`; `audience` the one that its tokens must name.
    `staff_claim` holds the id of the member of staff, `role_claim` a text or a list of texts, each of which
    opens what `grants` gives it: scopes, and roles of the room `access` (`role:dpo`). Claims within claims
    are written with dots (`realm_access.roles`).
    """

    tenant_id: str
    issuer_id: str
    version: int
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    token_type: str
    staff_claim: str
    role_claim: str
    grants: Mapping[str, tuple[str, ...]]
    enabled: bool

    @property
    def given(self) -> frozenset[str]:
        """All scopes and roles that it can open to somebody."""
        return frozenset(each for some in self.grants.values() for each in some)

    def config(self) -> dict[str, object]:
        """What is configured beyond issuer, audience and whether it is enabled, for its row."""
        return {
            "algorithms": list(self.algorithms),
            "token_type": self.token_type,
            "staff_claim": self.staff_claim,
            "role_claim": self.role_claim,
            "grants": {value: list(scopes) for value, scopes in self.grants.items()},
        }


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom an outside token speaks for, once its signature holds. `expires_at` is an aware instant."""

    staff_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    issued_at: int
    expires_at: datetime


def read_body(tenant_id: str, issuer_id: str, version: int, body: Mapping[str, Any]) -> Issuer:
    """Read what was sent; InvalidError names every member that cannot be used. URLs are checked by the
    store's keeper, who knows what the operator allows."""
    wrong: dict[str, list[str]] = {}
    if not _ISSUER_ID.fullmatch(issuer_id):
        wrong["id"] = ["1 to 63 characters of a-z 0-9 _ -, beginning with a letter or digit"]
    known = (
        "issuer",
        "audience",
        "algorithms",
        "token_type",
        "staff_claim",
        "role_claim",
        "grants",
        "enabled",
    )
    wrong |= {name: [f"unknown; the members are {', '.join(known)}"] for name in body if name not in known}
    for name in ("issuer", "audience"):
        if (
            not isinstance(body.get(name), str)
            or not 1 <= len(body[name]) <= 500
            or not body[name].isprintable()
        ):
            wrong[name] = ["a text of 1 to 500 characters"]
    for name in ("staff_claim", "role_claim"):
        if not isinstance(body.get(name, "sub"), str) or not _CLAIM.fullmatch(body.get(name, "sub")):
            wrong[name] = ["the name of a claim"]
    algorithms = body.get("algorithms", ["ES256", "RS256"])
    if not isinstance(algorithms, list) or not algorithms or not _all_of(algorithms, ALGORITHMS):
        wrong["algorithms"] = [f"a list of {', '.join(ALGORITHMS)}"]
    if body.get("token_type", AT_JWT) not in TOKEN_TYPES:
        wrong["token_type"] = [f"one of {', '.join(TOKEN_TYPES)}"]
    if not isinstance(body.get("enabled", True), bool):
        wrong["enabled"] = ["true or false"]
    grants, complaints = _grants(body.get("grants"))
    if wrong or complaints:
        raise InvalidError("This issuer cannot be kept as it is.", fields=wrong | complaints)
    return Issuer(
        tenant_id,
        issuer_id,
        version,
        body["issuer"],
        body["audience"],
        tuple(each for each in ALGORITHMS if each in algorithms),
        body.get("token_type", AT_JWT),
        body.get("staff_claim", "sub"),
        body.get("role_claim", "roles"),
        grants,
        body.get("enabled", True),
    )


def bearer(issuer: Issuer, claims: Mapping[str, Any], now: datetime) -> Bearer:
    """Who bears a token of this issuer, and which scopes it opens; ValueError for one that is not good.

    `claims` are those of a token whose signature holds. Nobody is let in without a role that opens something.
    """
    audience = claims.get("aud")
    if claims.get("iss") != issuer.issuer or not is_among(issuer.audience, audience):
        raise ValueError("for somebody else")
    at = int(now.timestamp())
    issued, begins, expires = claims.get("iat"), claims.get("nbf", 0), claims.get("exp")
    if not type(issued) is type(begins) is type(expires) is int:
        raise ValueError("an instant that is none")
    assert isinstance(issued, int)
    assert isinstance(expires, int)
    if max(issued, begins) > at + SKEW or expires <= at or expires - issued > LONGEST_LIFE:
        raise ValueError("not now")
    needed = ("sub", "jti", "client_id") if issuer.token_type == AT_JWT else ("sub",)
    if not all(isinstance(claims.get(name), str) and claims[name] for name in needed) or "cnf" in claims:
        raise ValueError("a claim that is missing, or one that binds the token to a key")
    if any(name in claims for name in _OF_ID_TOKENS) or str(claims.get("typ", "Bearer")).lower() not in (
        "bearer",
        "jwt",
    ):
        raise ValueError("an ID token, or a refresh token")
    staff_id = staff_id_of(claim(claims, issuer.staff_claim))
    held = claim(claims, issuer.role_claim)
    values = {held} if isinstance(held, str) else {each for each in _list(held) if isinstance(each, str)}
    given = frozenset(each for value in values for each in issuer.grants.get(value, ()))
    if not given:
        raise ValueError("no role that opens anything")
    roles = frozenset(each.removeprefix(ROLE) for each in given if each.startswith(ROLE))
    return Bearer(staff_id, given & set(SCOPES), roles, issued, datetime.fromtimestamp(expires, UTC))


def is_among(audience: str, claimed: object) -> bool:
    """Whether a token's `aud` (a text, or a list of texts) names this audience."""
    return claimed == audience or (isinstance(claimed, list) and audience in claimed)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the path to it; None if there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _grants(body: object) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]]]:
    """Read what each value of the role claim opens, and what is wrong with it by field."""
    if not isinstance(body, Mapping) or not 1 <= len(body) <= _MOST_GRANTS:
        return {}, {"grants": [f"1 to {_MOST_GRANTS} values of the role claim, each with a list of scopes"]}
    grants: dict[str, tuple[str, ...]] = {}
    wrong: dict[str, list[str]] = {}
    for value, given in body.items():
        fit = isinstance(given, list) and len(given) <= _MOST_GRANTS and all(map(_may_be_given, given))
        if not 1 <= len(value) <= 200 or not fit:
            wrong[f"grants.{value}"] = [f"a list of roles (role:…) and of scopes: {', '.join(SCOPES)}"]
        else:
            grants[value] = tuple(sorted(set(given)))
    return grants, wrong


def _may_be_given(each: object) -> bool:
    return isinstance(each, str) and (each in SCOPES or _GIVEN_ROLE.fullmatch(each) is not None)


def _all_of(values: Iterable[object], allowed: tuple[str, ...]) -> bool:
    return all(isinstance(each, str) and each in allowed for each in values)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
