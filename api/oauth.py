"""Tokens: `/oauth/…` and their metadata."""

import marshmallow as ma
from flask import Response, current_app

from api.auth import OAuthServer
from api.rooms import PUBLIC, Room
from api.runtime import reply, this_runtime
from api.shapes import Answer, AnyObject

room = Room("oauth", description="Access tokens (OAuth 2.0 client credentials).")

_FORM = "application/x-www-form-urlencoded"


class TokenForm(ma.Schema):
    """A token request (RFC 6749 §4.4.2); `client_assertion…` for private_key_jwt (RFC 7523)."""

    grant_type = ma.fields.String(required=True, validate=ma.validate.Equal("client_credentials"))
    scope = ma.fields.String()
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

    `client_credentials` only. The client proves itself by HTTP Basic or with a signed assertion.
    """
    return _server().token()


@room.post("/oauth/revoke", scope=PUBLIC)
@room.describe(requestBody=_form(TokenOnly), security=[{"basic": []}, {}])
@room.answers(200, AnyObject, description="The token is no longer good (or never was).")
@room.also(400, OAuthError, description="The request cannot be used.")
@room.also(401, OAuthError, description="The client is unknown or its proof is wrong.")
def revoke() -> Response:
    """Take a token back (RFC 7009). It is refused from the next request on, in every process."""
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
    return reply(_server().metadata())


@room.get("/.well-known/jwks.json", scope=PUBLIC)
@room.answers(200, AnyObject)
def jwks() -> Response:
    """Give the public keys of tokens and receipts (RFC 7517)."""
    return reply(this_runtime().vault.public_jwks())
