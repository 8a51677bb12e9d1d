"""The application: rooms, problems, OpenAPI, security headers. Built once per process from a runtime."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import marshmallow as ma
from flask import Flask, Response, request
from flask_smorest import Api
from flask_smorest.utils import prepare_response
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import BadRequest, HTTPException

from api import (
    access,
    audit,
    auth,
    authzen,
    bearers,
    break_glass,
    caps,
    captures,
    communications,
    consents,
    erasures,
    events,
    evidence,
    holds,
    imports,
    inbound,
    issuers,
    lifecycle,
    notices,
    oauth,
    objections,
    opendsr,
    operations,
    overrides,
    packages,
    pages,
    policies,
    policy_drafts,
    policy_trials,
    preferences,
    privacy,
    problems,
    purposes,
    recipients,
    reconfirmations,
    records,
    register_checks,
    reports,
    restrictions,
    retention,
    rights,
    screenings,
    sign_in,
    subjects,
    systems,
    tasks,
    telemetry,
    tenant,
    tokens,
    transfers,
    webhooks,
)
from api.background import Background
from api.rooms import Room
from api.uploads import MemoryRequest
from governance.bootstrap import Runtime
from governance.callers.model import SCOPES
from governance.errors import GovernanceError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

VERSION = "1.0.0"
ROOMS: tuple[Room, ...] = (
    oauth.room,
    sign_in.room,
    issuers.room,
    authzen.room,
    access.room,
    break_glass.room,
    subjects.room,
    systems.room,
    tasks.room,
    erasures.room,
    captures.room,
    imports.room,
    purposes.room,
    reconfirmations.room,
    notices.room,
    consents.room,
    objections.room,
    pages.room,
    preferences.room,
    lifecycle.room,
    communications.room,
    caps.room,
    inbound.room,
    evidence.room,
    register_checks.room,
    screenings.room,
    reports.room,
    recipients.room,
    packages.room,
    restrictions.room,
    rights.room,
    retention.room,
    records.room,
    holds.room,
    transfers.room,
    privacy.room,
    opendsr.room,
    policies.room,
    policy_drafts.room,
    overrides.room,
    policy_trials.room,
    audit.room,
    events.room,
    webhooks.room,
    tenant.room,
    operations.room,
)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class GovernanceApi(Api):  # type: ignore[misc]  # flask-smorest is untyped
    """flask-smorest, speaking problem details and keeping the headers of HTTP exceptions."""

    ERROR_SCHEMA = problems.Problem
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP exception with problem details."""
        return problems.of_http(error)

    def _register_responses(self) -> None:
        # flask-smorest's private hook: the only place where the media type of documented errors is decided.
        for status in HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase}
            if status >= 400:
                response["schema"] = self.ERROR_SCHEMA
            prepare_response(response, self.spec, problems.MEDIA_TYPE)
            self.spec.components.response(status.name, response, lazy=True)


class _Application(Flask):
    request_class = MemoryRequest


def create_app(runtime: Runtime) -> Flask:
    """Build the Flask application over a runtime."""
    app = build(runtime.settings.public_url)
    attach(app, runtime)
    return app


def build(public_url: str) -> Flask:
    """Build what is the same over every runtime: the routes, their description, how errors are told.

    `public_url` is the base of links. Nothing can be asked of it before `attach`.
    """
    app = _Application("api", static_folder="static", template_folder="templates")
    app.config.update(
        API_TITLE="Governance API",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=None,
        PUBLIC_URL=public_url,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.strict_slashes = True
    telemetry.install(app)
    app.before_request(_refuse_nul)
    app.wsgi_app = _Secured(app.wsgi_app, public_url)  # type: ignore[method-assign]
    _register(app, public_url)
    app.register_error_handler(GovernanceError, problems.of_domain)
    app.register_error_handler(ma.ValidationError, _of_shape)
    app.register_error_handler(DBAPIError, problems.of_database)
    app.register_error_handler(Exception, problems.of_anything)
    return app


def attach(app: Flask, runtime: Runtime) -> None:
    """Let the application answer for this runtime, and for no other from now on."""
    settings = runtime.settings
    assert app.config["PUBLIC_URL"] == settings.public_url
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes, MAX_FORM_MEMORY_SIZE=settings.max_body_bytes
    )
    reader = tokens.TokenReader(runtime.vault.token_key(), settings, runtime.clock)
    log = telemetry.Log(settings.log_level, runtime.clock)
    app.extensions.update(
        {
            "governance": runtime,
            "governance-tokens": reader,
            "governance-reader": bearers.Reader(runtime, reader),
            "governance-oauth": auth.OAuthServer(app, runtime, reader),
            "governance-log": log,
            "governance-numbers": telemetry.Numbers() if settings.metrics else None,
            "governance-background": Background(runtime, log),
        }
    )


def _register(app: Flask, public_url: str) -> None:
    api = GovernanceApi(
        app,
        spec_kwargs={
            "info": {
                "description": "Privacy and consent governance for CRMs. Checks answer 200 with a boolean; "
                "acts that policy denies answer 403.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": public_url}],
        },
    )
    scopes = {scope: _meaning(scope) for scope in SCOPES}
    api.spec.components.security_scheme(
        "oauth",
        {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {"tokenUrl": f"{public_url}/oauth/token", "scopes": scopes},
                "authorizationCode": {
                    "authorizationUrl": f"{public_url}/oauth/authorize",
                    "tokenUrl": f"{public_url}/oauth/token",
                    "scopes": scopes,
                },
            },
        },
    )
    api.spec.components.security_scheme("basic", {"type": "http", "scheme": "basic"})
    for room in ROOMS:
        api.register_blueprint(room)
    app.extensions["governance-spec"] = api.spec


def _of_shape(error: ma.ValidationError) -> Response:
    return problems.of_fields({"json": error.messages})


def _meaning(scope: str) -> str:
    room, _, verb = scope.partition(":")
    return {"read": f"Read {room}.", "write": f"Change {room}."}.get(verb, scope.replace(":", ": "))


def _refuse_nul() -> None:
    if "\x00" in request.path or b"%00" in request.query_string or b"\x00" in request.query_string:
        raise BadRequest("The address holds the character NUL.")


class _Secured:
    """Gives every answer the security headers that it does not set itself, whoever made it."""

    def __init__(self, app: "WSGIApplication", public_url: str) -> None:
        self._app = app
        headers = dict(_HEADERS)
        if public_url.startswith("https://"):
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        self._headers = [(name, value, name.lower()) for name, value in headers.items()]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            present = {name.lower() for name, _ in headers}
            added = [(name, value) for name, value, lower in self._headers if lower not in present]
            return start_response(status, headers + added, exc_info)

        return self._app(environ, start)
