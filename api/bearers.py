"""Whom a bearer token speaks for: our own tokens, those of outside issuers, and whether they still stand.

Nothing about an outside token is remembered but the issuer's public keys. Whether a token stands, and what it
opens, is read at every request, and once more in the request's own snapshot.
"""

from joserfc import jws
from joserfc.errors import JoseError

from api import compact
from api.tokens import Caller, InvalidToken, TokenReader
from governance.access import service as access
from governance.access.model import held
from governance.bootstrap import Runtime
from governance.callers import issuers, sign_in, users
from governance.callers import service as callers
from governance.callers.issuer_keys import IssuerKeys
from governance.callers.issuer_model import JWT, Bearer, Issuer, bearer
from governance.database import for_reading
from governance.work import Snapshot

_PREFIX = "issuer:"


class Reader:
    """Reads access tokens, our own and those of the issuers that tenants trust."""

    def __init__(self, runtime: Runtime, own: TokenReader, keys: IssuerKeys | None = None) -> None:
        self._runtime = runtime
        self._own = own
        self._keys = keys or IssuerKeys(runtime.settings, runtime.clock)

    def read(self, token: str) -> Caller:
        """Give the caller of an unexpired token.

        Raises InvalidToken; NotReadyError if the keys of its issuer cannot be had.
        """
        try:
            return self._own.read(token)
        except InvalidToken:
            if len(token) > compact.LONGEST:
                raise
        try:
            read = compact.read(token)
            issuer = self._issuer(read)
            if issuer is None:
                raise InvalidToken
            self._check_signature(issuer, read)
            borne = bearer(issuer, read.claims, self._runtime.clock())
        except (JoseError, ValueError, TypeError, OverflowError):
            raise InvalidToken from None
        return _caller(issuer, borne)

    def _issuer(self, read: compact.Unverified) -> Issuer | None:
        """Whose token it claims to be, if its form is one that this issuer uses."""
        with self._runtime.engine.connect() as plain, for_reading(plain).begin():
            found = issuers.of_token(plain, read.claims.get("iss"), read.claims.get("aud"))
        if found is None or read.header.get("alg") not in found.algorithms:
            return None
        fitting = ("jwt", "at+jwt", "") if found.token_type == JWT else ("at+jwt",)
        return found if read.typ in fitting else None

    def _check_signature(self, issuer: Issuer, read: compact.Unverified) -> None:
        """Refuse what the issuer did not sign: InvalidToken, or an error of the library."""
        algorithm = read.header["alg"]
        key = None if not read.kid else self._keys.find(issuer, read.kid, algorithm)
        if key is None:
            raise InvalidToken
        jws.deserialize_compact(read.token, key, algorithms=[algorithm])


def _caller(issuer: Issuer, borne: Bearer) -> Caller:
    return Caller(
        issuer.tenant_id,
        _PREFIX + issuer.issuer_id,
        borne.scopes,
        "",
        borne.issued_at,
        borne.expires_at,
        staff_id=borne.staff_id,
        roles=borne.roles,
        issuer_version=issuer.version,
    )


def opens(snapshot: Snapshot, caller: Caller) -> frozenset[str] | None:
    """Which scopes a caller's token opens, as of this very snapshot; None if it is no longer good."""
    if caller.session_id is not None:
        return _of_session(snapshot, caller, caller.session_id)
    if caller.issuer_version is not None:
        issuer_id = caller.client_id.removeprefix(_PREFIX)
        if not issuers.still(snapshot, issuer_id, caller.issuer_version):
            return None
        if users.is_disabled(snapshot, caller.staff_id or ""):
            return None
        named = access.roles_of(snapshot) if caller.roles else {}
        of_roles = (named[role].scopes for role in held(sorted(caller.roles), named))
        return _of_staff(snapshot, caller.staff_id or "", caller.scopes.union(*of_roles))
    found = callers.standing(snapshot, caller.client_id, caller.jti)
    return caller.scopes if found.good and not found.of_people else None


def _of_session(snapshot: Snapshot, caller: Caller, session_id: str) -> frozenset[str] | None:
    """What somebody who signed in here may do; None if session, account or component has ended."""
    found = sign_in.standing(snapshot, session_id)
    if found is None or not callers.standing(snapshot, caller.client_id, caller.jti).good:
        return None
    session, account = found
    if (session.user_id, session.client_id) != (caller.user_id, caller.client_id):
        return None
    return _of_staff(
        snapshot, session.staff_id, caller.scopes & account_opens(snapshot, session.staff_id, account)
    )


def account_opens(snapshot: Snapshot, staff_id: str, scopes: tuple[str, ...] | None) -> frozenset[str]:
    """What an account opens: the scopes it was given, or those of the roles; none for whoever left."""
    authority = access.authority(snapshot, staff_id)
    if authority is None:
        return frozenset(scopes or ())
    given = authority.scopes if scopes is None else authority.scopes & frozenset(scopes)
    return given if authority.active else frozenset()


def _of_staff(snapshot: Snapshot, staff_id: str, ceiling: frozenset[str]) -> frozenset[str] | None:
    """What a member of staff may do: of what the token opens, what their roles give, if they are
    registered."""
    authority = access.authority(snapshot, staff_id)
    if authority is None:
        return ceiling
    return ceiling & authority.scopes if authority.active else None
