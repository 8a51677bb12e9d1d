"""Tokens: `/oauth/…` and their metadata."""

import marshmallow as ma
from flask import Response, current_app

from api.auth import ASSERTION_ALGORITHMS, AUTH_METHODS, OAuthServer
from api.code_grant import AUTHORIZE, CODE
from api.rooms import PUBLIC, Room
from api.runtime import reply, this_runtime
from api.shapes import Answer, AnyObject
from governance.callers.model import SCOPES

room = Room("oauth", description="Access tokens (OAuth 2.0).")

GRANTS = ("client_credentials", CODE)
_FORM = "application/x-www-form-urlencoded"


class TokenForm(ma.Schema):
    """A token request (RFC 6749 §4.1.3, §4.4.2); `client_assertion…` for private_key_jwt (RFC 7523)."""

    grant_type = ma.fields.String(required=True, validate=ma.validate.OneOf(GRANTS))
    scope = ma.fields.String()
    code = ma.fields.String()
    redirect_uri = ma.fields.String()
    client_id = ma.fields.String()
    code_verifier = ma.fields.String()
    client_assertion_type = ma.fields.String()
    client_assertion = ma.fields.String()


class TokenReply(ma.Schema):
    """An access token (RFC 6749 §5.1)."""

    access_token = ma.fields.String(required=True)
    token_type = ma.fields.String(required=True)
    expires_in = ma.fields.Integer(required=True)
    scope = ma.fields.String(required=True)


class TokenOnly(ma.Schema):
    """A token to be revoked or looked into."""

    token = ma.fields.String(required=True)
    token_type_hint = ma.fields.String()
    client_id = ma.fields.String()
    client_assertion_type = ma.fields.String()
    client_assertion = ma.fields.String()


class OAuthError(ma.Schema):
    """An OAuth error (RFC 6749 §5.2)."""

    error = ma.fields.String(required=True)
    error_description = ma.fields.String()


class Introspection(Answer):
    """What a token is good for (RFC 7662 §2.2)."""

    active = ma.fields.Boolean(required=True)


def _server() -> OAuthServer:
    server: OAuthServer = current_app.extensions["governance-oauth"]
    return server


def _form(schema: type[ma.Schema]) -> dict[str, object]:
    return {"required": True, "content": {_FORM: {"schema": schema}}}


@room.post("/oauth/token", scope=PUBLIC)
@room.describe(requestBody=_form(TokenForm), security=[{"basic": []}, {}])
@room.answers(200, TokenReply)
@room.also(400, OAuthError, description="The request cannot be used.")
@room.also(401, OAuthError, description="The client is unknown or its proof is wrong.")
def token() -> Response:
    """Issue an access token.

    `client_credentials`: the client proves itself by HTTP Basic or with a signed assertion.
    `authorization_code`: for a person who signed in (`/oauth/authorize`); the client proves by its
    `code_verifier` that it is the one that asked. No refresh tokens: the token lives as long as the session.
    """
    return _server().token()


@room.post("/oauth/revoke", scope=PUBLIC)
@room.describe(requestBody=_form(TokenOnly), security=[{"basic": []}, {}])
@room.answers(200, AnyObject, description="The token is no longer good (or never was).")
@room.also(400, OAuthError, description="The request cannot be used.")
@room.also(401, OAuthError, description="The client is unknown or its proof is wrong.")
def revoke() -> Response:
    """Take a token back (RFC 7009). It is refused from the next request on, in every process.

    Of a person who signed in, the session ends.
    """
    return _server().revoke()


@room.post("/oauth/introspect", scope=PUBLIC)
@room.describe(requestBody=_form(TokenOnly), security=[{"basic": []}, {}])
@room.answers(200, Introspection)
@room.also(400, OAuthError, description="The request cannot be used.")
@room.also(401, OAuthError, description="The client is unknown or its proof is wrong.")
def introspect() -> Response:
    """Say what a token of one's own tenant is good for (RFC 7662)."""
    return _server().introspect()


@room.get("/.well-known/oauth-authorization-server", scope=PUBLIC)
@room.answers(200, AnyObject)
def metadata() -> Response:
    """Describe the authorization server (RFC 8414)."""
    settings = this_runtime().settings
    at = settings.public_url
    return reply(
        {
            "issuer": settings.issuer,
            "authorization_endpoint": f"{at}{AUTHORIZE}",
            "token_endpoint": f"{at}/oauth/token",
            "revocation_endpoint": f"{at}/oauth/revoke",
            "introspection_endpoint": f"{at}/oauth/introspect",
            "jwks_uri": f"{at}/.well-known/jwks.json",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANTS),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": [*AUTH_METHODS, "none"],
            "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
            "revocation_endpoint_auth_methods_supported": [*AUTH_METHODS, "none"],
            "introspection_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "service_documentation": f"{at}/docs",
        }
    )


@room.get("/.well-known/jwks.json", scope=PUBLIC)
@room.answers(200, AnyObject)
def jwks() -> Response:
    """Give the public keys of tokens and receipts (RFC 7517)."""
    return reply(this_runtime().vault.public_jwks())
