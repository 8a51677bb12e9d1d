"""The authorization server: client credentials, revocation, introspection. The only file that knows Authlib.

RFC 6749 §4.4 (client_credentials), RFC 7523 (private_key_jwt), RFC 9068 (at+jwt), RFC 7009, RFC 7662.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError, InvalidScopeError, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, Response, g
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api import compact, strict_json, tokens
from api.assertions import check_assertion
from api.bearers import opens
from api.code_grant import CODE, CodeServer, SignInRequest, read_sign_in, redeem, register_code_grant
from governance.bootstrap import Runtime
from governance.callers import service as callers
from governance.callers import sign_in
from governance.callers.model import Component, is_secret_of
from governance.callers.user_model import Session
from governance.errors import ConflictError, NotFoundError
from governance.events import Actor

ASSERTION_ALGORITHMS = ("ES256", "RS256")
AUTH_METHODS = ("client_secret_basic", "private_key_jwt")
_BASIC = "client_secret_basic"
_ASSERTION = JWTBearerClientAssertion.CLIENT_AUTH_METHOD


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """A component as Authlib wants to see it."""

    def __init__(self, component: Component) -> None:
        self.component = component

    def get_client_id(self) -> str:
        """Give the client's id."""
        return self.component.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        """Give the scopes asked for, or all; raises if one is not the client's (never silently fewer)."""
        wanted = (scope or "").split()
        excess = sorted(set(wanted) - set(self.component.scopes))
        if excess:
            raise InvalidScopeError("The client may not have all the scopes asked for.")
        return " ".join(name for name in self.component.scopes if not wanted or name in wanted)

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this secret is the client's."""
        return is_secret_of(self.component, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """A client with a secret proves itself by Basic, one with keys by an assertion, a browser's not."""
        if self.component.jwks is not None:
            return bool(method == _ASSERTION)
        return method == ("none" if self.component.signs_people_in else _BASIC)

    def check_grant_type(self, grant_type: str) -> bool:
        """A client has tokens of its own, or those of people who sign in through it."""
        return grant_type == (CODE if self.component.signs_people_in else "client_credentials")

    def check_response_type(self, response_type: str) -> bool:
        """Only a code, and only where people sign in."""
        return self.component.signs_people_in and response_type == "code"

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether people may be led back there: to the letter."""
        return redirect_uri in self.component.redirect_uris

    def get_default_redirect_uri(self) -> None:
        """There is none: a request says where it leads back to."""


class _Token(TokenMixin):  # type: ignore[misc]  # Authlib is untyped
    """One of our access tokens, verified."""

    def __init__(self, caller: tokens.Caller, revoked: bool) -> None:
        self.caller = caller
        self.revoked = revoked

    def check_client(self, client: _Client) -> bool:
        """Whether it was issued to this client."""
        return self.caller.client_id == client.get_client_id()

    def is_expired(self) -> bool:
        """Expired tokens are never read."""
        return False

    def is_revoked(self) -> bool:
        """Whether it was taken back."""
        return self.revoked


class OAuthServer:
    """Authlib's server over our components, tokens and clock."""

    def __init__(self, app: Flask, runtime: Runtime, reader: tokens.TokenReader) -> None:
        self._runtime = runtime
        self._reader = reader
        self._server = CodeServer(app, query_client=self._find, save_token=self._note)
        self._server.register_token_generator("default", self._make)
        self._server.register_client_auth_method(_ASSERTION, self._assertion())
        self._server.register_grant(self._grant())
        register_code_grant(self._server, runtime, (_ASSERTION, "none"))
        self._server.register_endpoint(self._revocation())
        self._server.register_endpoint(self._introspection())

    def token(self) -> Response:
        """Answer `POST /oauth/token`."""
        return _answered(self._server.create_token_response)

    def revoke(self) -> Response:
        """Answer `POST /oauth/revoke`."""
        return _answered(lambda: self._server.create_endpoint_response(RevocationEndpoint.ENDPOINT_NAME))

    def introspect(self) -> Response:
        """Answer `POST /oauth/introspect`."""
        return _answered(lambda: self._server.create_endpoint_response(IntrospectionEndpoint.ENDPOINT_NAME))

    def sign_in(self) -> SignInRequest:
        """Read a request to sign somebody in; raises SignInError."""
        return read_sign_in(self._server, self._runtime.settings.issuer)

    def _find(self, client_id: str) -> _Client | None:
        with self._runtime.engine.connect() as connection:
            found = callers.find(connection, client_id)
        return None if found is None or not found.active else _Client(found)

    def _make(
        self, grant_type: str, client: _Client, scope: str | None = None, user: Any = None, **_: Any
    ) -> dict[str, Any]:
        """Make the token response. `scope` is what was asked for, already known to be allowed."""
        now, settings = self._runtime.clock(), self._runtime.settings
        session: Session | None = user
        granted = client.get_allowed_scope(scope) if session is None else " ".join(session.scopes)
        g.new_jti = self._runtime.ids("tok", now)
        token = tokens.make(
            self._runtime.vault.token_key(),
            settings,
            now=now,
            tenant_id=client.component.tenant_id,
            client_id=client.component.client_id,
            scope=granted,
            jti=g.new_jti,
            session=session,
        )
        lasts = settings.token_lifetime
        if session is not None:
            lasts = int((session.expires_at - now).total_seconds())
        return {"access_token": token, "token_type": "Bearer", "expires_in": lasts, "scope": granted}

    def _note(self, token: dict[str, Any], request: Any) -> None:
        component: Component = request.client.component
        actor = Actor(component.client_id)
        if request.user is not None:
            redeem(self._runtime, request.user, g.new_jti)
            return
        try:
            with self._runtime.work(component.tenant_id, actor) as work:
                callers.note_token(
                    work,
                    client_id=component.client_id,
                    jti=g.new_jti,
                    scopes=token["scope"].split(),
                    assertion=g.get("assertion"),
                )
        except ConflictError as error:
            raise InvalidClientError(description=error.message) from None

    def _read(self, token: str) -> _Token | None:
        try:
            caller = self._reader.read(token)
        except tokens.InvalidToken:
            return None
        try:
            with self._runtime.snapshot(caller.tenant_id, caller.actor) as snapshot:
                return _Token(caller, revoked=opens(snapshot, caller) is None)
        except NotFoundError:  # its tenant is gone
            return None

    def _assertion(self) -> JWTBearerClientAssertion:
        settings = self._runtime.settings
        clock = self._runtime.clock

        class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]  # Authlib is untyped
            def get_audiences(self) -> list[str]:
                return [settings.issuer, f"{settings.public_url}/oauth/token"]

            def extract_assertion(self, assertion: str) -> tuple[Any, Any]:
                try:
                    read = compact.read(assertion)
                except ValueError:
                    raise InvalidClientError(description="The assertion cannot be read.") from None
                return read.header, read.claims

            def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> None:
                try:
                    claims = jwt.decode(assertion, resolve_key, algorithms=ASSERTION_ALGORITHMS).claims
                except (JoseError, ValueError):
                    raise InvalidClientError(
                        description="The assertion is not signed by the client."
                    ) from None
                self.verify_claims(claims)

            def verify_claims(self, claims: dict[str, Any]) -> None:
                try:
                    check_assertion(claims, self.get_audiences(), clock())
                except ValueError as error:
                    raise InvalidClientError(description=str(error)) from None
                # Used up in the transaction that records the token (`_note`).
                g.assertion = (claims["jti"], datetime.fromtimestamp(claims["exp"], UTC))

            def resolve_client_public_key(self, client: _Client) -> KeySet:
                keys = client.component.jwks
                if keys is None:
                    raise InvalidClientError(description="This client has no keys.")
                return KeySet.import_key_set(dict(keys))  # type: ignore[arg-type]  # checked when it was made

        return Assertion()

    def _grant(self) -> type[ClientCredentialsGrant]:
        class Grant(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib is untyped
            TOKEN_ENDPOINT_AUTH_METHODS = (_BASIC, _ASSERTION)

            def validate_requested_scope(self) -> None:
                self.request.client.get_allowed_scope(self.request.payload.scope)

        return Grant

    def _revocation(self) -> type[RevocationEndpoint]:
        server = self

        class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib is untyped
            CLIENT_AUTH_METHODS = (_BASIC, _ASSERTION, "none")

            def query_token(self, token_string: str, token_type_hint: str | None) -> _Token | None:
                return server._read(token_string)

            def revoke_token(self, token: _Token, request: Any) -> None:
                caller = token.caller
                with server._runtime.work(caller.tenant_id, caller.actor) as work:
                    if caller.session_id is not None:
                        sign_in.end(work, caller.session_id, because="signed-out")
                        return
                    callers.revoke_token(
                        work, client_id=caller.client_id, jti=caller.jti, expires_at=caller.expires_at
                    )

        return Revocation

    def _introspection(self) -> type[IntrospectionEndpoint]:
        server = self

        class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib is untyped
            CLIENT_AUTH_METHODS = (_BASIC, _ASSERTION)

            def query_token(self, token_string: str, token_type_hint: str | None) -> _Token | None:
                return server._read(token_string)

            def check_permission(self, token: _Token, client: _Client, request: Any) -> bool:
                return token.caller.tenant_id == client.component.tenant_id

            def introspect_token(self, token: _Token) -> dict[str, object]:
                caller = token.caller
                return {
                    "active": True,
                    "client_id": caller.client_id,
                    "sub": caller.user_id or caller.client_id,
                    "token_type": "Bearer",
                    "scope": " ".join(sorted(caller.scopes)),
                    "iss": server._runtime.settings.issuer,
                    "aud": server._runtime.settings.public_url,
                    "iat": caller.issued_at,
                    "exp": int(caller.expires_at.timestamp()),
                    "jti": caller.jti,
                    tokens.TENANT_CLAIM: caller.tenant_id,
                }

        return Introspection


def _answered(ask: Callable[[], Response]) -> Response:
    """Ask Authlib; what it cannot even read (broken credentials, odd characters) is an invalid request."""
    try:
        answer = ask()
    except (ValueError, TypeError, JoseError):
        return _error(400, "invalid_request", "The request cannot be read.")
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="governance"'
    return answer


def _error(status: int, error: str, description: str) -> Response:
    """Answer an OAuth error (RFC 6749 §5.2)."""
    return Response(
        strict_json.write({"error": error, "error_description": description}),
        status,
        content_type="application/json",
    )
