"""Authorization code with PKCE (RFC 6749 §4.1, RFC 7636, RFC 9700): Authlib's grant over our sessions.

Beside `api/auth.py` the only file that knows Authlib. What Authlib leaves to taste is decided here: S256 only
and always, redirect URIs to the letter, `state` always, `iss` in every answer (RFC 9207), a code once.
"""

import re
from collections.abc import Sequence
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Payload, FlaskOAuth2Request
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Response, g
from flask import request as this_request

from governance.bootstrap import Runtime
from governance.callers import sign_in
from governance.callers.model import Component
from governance.callers.sign_in import Wish
from governance.callers.user_model import Session
from governance.events import Actor

CODE = "authorization_code"
AUTHORIZE = "/oauth/authorize"

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_STATE = re.compile(r"[ -~]{1,512}")


class _Query(FlaskOAuth2Payload):  # type: ignore[misc]  # Authlib is untyped
    """What stands in the address: the form below it is about the person, not about the request."""

    @property
    def data(self) -> Any:
        """Give the parameters."""
        return this_request.args


class CodeServer(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """Authlib's server; at the authorization endpoint it reads the address only."""

    def create_oauth2_request(self, request: Any) -> FlaskOAuth2Request:
        """Give the request as Authlib wants to see it."""
        made = super().create_oauth2_request(request)
        if this_request.path == AUTHORIZE:
            made.payload = _Query(this_request)
        return made


class SignInError(Exception):
    """A request to sign somebody in cannot be answered; `answer` leads back, None if that would be unsafe."""

    def __init__(self, answer: Response | None) -> None:
        super().__init__("no request to sign in")
        self.answer = answer


class SignInRequest:
    """A request to sign somebody in, checked: who asks, for what, and where it leads back to."""

    def __init__(self, server: CodeServer, grant: Any, issuer: str) -> None:
        self._server = server
        self._grant = grant
        self._issuer = issuer
        self.component: Component = grant.request.client.component
        self.redirect_uri: str = grant.redirect_uri

    @property
    def wish(self) -> Wish:
        """What is asked for."""
        request = self._grant.request
        return Wish(
            self.component.client_id,
            tuple(request.scope.split()),
            self.redirect_uri,
            request.payload.data["code_challenge"],
        )

    def finish(self, code: str | None) -> Response:
        """Lead back with the code; without one, say that the person may not have what was asked for."""
        g.sign_in_code = code
        answer = self._server.create_authorization_response(
            request=self._grant.request, grant_user=code, grant=self._grant
        )
        return _back(answer, self._issuer)


def read_sign_in(server: CodeServer, issuer: str) -> SignInRequest:
    """Read a request to sign somebody in from the address; raises SignInError."""
    try:
        return SignInRequest(server, server.get_consent_grant(), issuer)
    except OAuth2Error as error:
        if not getattr(error, "redirect_uri", None):
            raise SignInError(None) from None
        answer = server.handle_error_response(None, error)
        raise SignInError(_back(answer, issuer)) from None
    except (ValueError, TypeError):  # an address that Authlib cannot even read
        raise SignInError(None) from None


def register_code_grant(server: CodeServer, runtime: Runtime, methods: Sequence[str]) -> None:
    """Let people sign in through clients that prove themselves by these methods."""

    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib is untyped
        TOKEN_ENDPOINT_AUTH_METHODS = tuple(methods)

        def validate_authorization_request(self) -> str:
            redirect_uri: str = super().validate_authorization_request()
            if not _STATE.fullmatch(self.request.payload.state or ""):
                raise InvalidRequestError("A 'state' is required.", redirect_uri=redirect_uri)
            return redirect_uri

        def generate_authorization_code(self) -> str:
            code: str = g.sign_in_code
            return code

        def save_authorization_code(self, code: str, request: Any) -> None:
            """It was saved in the transaction that used up what proved the person."""

        def query_authorization_code(self, code: str, client: Any) -> "_Code | None":
            return _find(runtime, client.component, code)

        def authenticate_user(self, authorization_code: "_Code") -> Session:
            return authorization_code.session

        def delete_authorization_code(self, authorization_code: "_Code") -> None:
            """It is used up in the transaction that records the token (`redeem`)."""

    server.register_grant(Grant, [_S256(required=True)])


def redeem(runtime: Runtime, session: Session, jti: str) -> None:
    """Use the code of a session up and record its token; a code that comes again ends the session."""
    with runtime.work(session.tenant_id, Actor(session.client_id)) as work:
        done = sign_in.redeem(work, session, jti)
    if not done:
        raise InvalidGrantError("Invalid 'code' in request.")


class _Code:
    """A session's code as Authlib wants to see it."""

    code_challenge_method = "S256"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.code_challenge = session.code_challenge

    def get_redirect_uri(self) -> str:
        """Where it was sent to."""
        return self.session.redirect_uri

    def get_scope(self) -> str:
        """What it is good for."""
        return " ".join(self.session.scopes)


class _S256(CodeChallenge):  # type: ignore[misc]  # Authlib is untyped
    """PKCE with SHA-256, always: an absent method would mean `plain` (RFC 7636 §4.3)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a request without a challenge of this method."""
        sent = grant.request.payload.data
        if sent.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
            sent.get("code_challenge", "")
        ):
            raise InvalidRequestError("A 'code_challenge' of the method S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


def _find(runtime: Runtime, component: Component, code: str) -> _Code | None:
    """The code of a session that still stands. One that was used before ends its session."""
    actor = Actor(component.client_id)
    with runtime.snapshot(component.tenant_id, actor) as snapshot:
        session = sign_in.find_code(snapshot, component.client_id, code)
        now = snapshot.now
    if session is None:
        return None
    if session.code_used:
        with runtime.work(component.tenant_id, actor) as work:
            sign_in.end(work, session.session_id, because="code-replayed")
        return None
    return _Code(session) if session.good and now < session.code_until else None


def _back(answer: Response, issuer: str) -> Response:
    """Lead back by GET (RFC 9700 §4.12), saying who answers (RFC 9207)."""
    location = add_params_to_uri(answer.headers["Location"], [("iss", issuer)])
    return Response(status=303, headers={"Location": location})
