"""Tokens: who gets one, what it is, and when it is refused."""

import hmac
import json
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.ledger import service as ledger
from tests.api.conftest import Caller, basic, new_component

GRANT = {"grant_type": "client_credentials"}


def test_a_token_is_an_rfc_9068_access_token_of_the_tenant(client: FlaskClient, runtime: Runtime) -> None:
    made = new_component(runtime, "evaluate", "audit:read")
    answer = client.post("/oauth/token", data=GRANT, headers=basic(made))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert body["scope"] == "evaluate audit:read"
    keys = client.get("/.well-known/jwks.json").get_json()
    kid = json.loads(urlsafe_b64decode(body["access_token"].split(".")[0] + "=="))["kid"]
    [public] = [key for key in keys["keys"] if key["kid"] == kid]
    assert "d" not in public
    token = jwt.decode(body["access_token"], ECKey.import_key(public), algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert token.claims["tenant"] == "acme"
    assert token.claims["sub"] == token.claims["client_id"] == made.component.client_id


def test_only_the_scopes_asked_for_are_granted_and_never_more_than_the_component_has(
    client: FlaskClient, runtime: Runtime
) -> None:
    made = new_component(runtime, "evaluate", "audit:read")
    narrowed = client.post("/oauth/token", data={**GRANT, "scope": "evaluate"}, headers=basic(made))
    assert narrowed.get_json()["scope"] == "evaluate"
    beyond = client.post("/oauth/token", data={**GRANT, "scope": "evaluate admin"}, headers=basic(made))
    assert beyond.status_code == 400
    assert beyond.get_json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic bm9ib2R5OnNlY3JldA=="},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic /////w=="},
        {"Authorization": "Basic Y2xpZW50XwA6eA=="},
    ],
)
def test_a_client_that_does_not_prove_itself_gets_401_or_400_and_no_token(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = client.post("/oauth/token", data=GRANT, headers=headers)
    assert answer.status_code in (400, 401)
    assert answer.get_json()["error"] in ("invalid_client", "invalid_request")


def test_a_wrong_secret_and_an_unknown_client_look_the_same(client: FlaskClient, runtime: Runtime) -> None:
    made = new_component(runtime)
    pair = f"{made.component.client_id}:wrong".encode()
    header = {"Authorization": "Basic " + b64encode(pair).decode()}
    answer = client.post("/oauth/token", data=GRANT, headers=header)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def assertion(key: ECKey, client_id: str, runtime: Runtime, **claims: object) -> str:
    now = int(runtime.clock().timestamp())
    body = {
        "iss": client_id,
        "sub": client_id,
        "aud": runtime.settings.issuer,
        "iat": now,
        "exp": now + 60,
        "jti": "once",
        **claims,
    }
    return jwt.encode({"alg": "ES256"}, body, key)


def test_private_key_jwt_proves_a_component_once(client: FlaskClient, runtime: Runtime) -> None:
    key = ECKey.generate_key("P-256")
    with runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(
            work, name="keyed", scopes=["evaluate"], jwks={"keys": [key.as_dict(private=False)]}
        )
    assert made.secret is None
    form = {
        **GRANT,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(key, made.component.client_id, runtime),
    }
    assert client.post("/oauth/token", data=form).status_code == 200
    replayed = client.post("/oauth/token", data=form)
    assert replayed.status_code in (400, 401)
    assert replayed.get_json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": "soon"},
        {"iss": "client_other"},
        {"jti": ""},
        {"exp": 10**12},
        {"aud": 7},
    ],
)
def test_an_assertion_with_a_bad_claim_is_refused(
    client: FlaskClient, runtime: Runtime, claims: dict[str, object]
) -> None:
    key = ECKey.generate_key("P-256")
    with runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(
            work, name="keyed", scopes=["evaluate"], jwks={"keys": [key.as_dict(private=False)]}
        )
    form = {
        **GRANT,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(key, made.component.client_id, runtime, **claims),
    }
    answer = client.post("/oauth/token", data=form)
    assert answer.status_code in (400, 401)


def test_a_revoked_token_is_refused_from_the_next_request_on(caller: Caller) -> None:
    assert caller.get("/v1/audit/entries").status_code == 200
    answer = caller.client.post("/oauth/revoke", data={"token": caller.token}, headers=basic(caller.made))
    assert answer.status_code == 200
    refused = caller.get("/v1/audit/entries")
    assert refused.status_code == 401
    assert "invalid_token" in refused.headers["WWW-Authenticate"]
    introspected = caller.client.post(
        "/oauth/introspect", data={"token": caller.token}, headers=basic(caller.made)
    )
    assert introspected.get_json() == {"active": False}


def test_a_component_that_left_is_refused_from_the_next_request_on(caller: Caller, runtime: Runtime) -> None:
    with runtime.work("acme", COMMAND_LINE) as work:
        callers.let_go(work, caller.made.component.client_id)
    assert caller.get("/v1/audit/entries").status_code == 401


def test_nobody_revokes_anothers_token(caller: Caller, runtime: Runtime) -> None:
    other = new_component(runtime)
    answer = caller.client.post("/oauth/revoke", data={"token": caller.token}, headers=basic(other))
    assert answer.status_code == 400
    assert caller.get("/v1/audit/entries").status_code == 200


def test_an_expired_token_is_refused_even_if_its_signature_is_remembered(
    caller: Caller, clock: object
) -> None:
    assert caller.get("/v1/audit/entries").status_code == 200
    clock.forward(timedelta(seconds=3601))  # type: ignore[attr-defined]
    assert caller.get("/v1/audit/entries").status_code == 401


def forged(runtime: Runtime, kind: str, claims: dict[str, object], key: ECKey) -> str:
    public = runtime.vault.token_key().as_pem(private=False)
    if kind == "hs256":
        head, body = (
            urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": "HS256", "typ": "at+jwt"}, claims)
        )
        mac = urlsafe_b64encode(hmac.digest(public, head + b"." + body, "sha256")).rstrip(b"=")
        return b".".join((head, body, mac)).decode()
    if kind == "other-key":
        return jwt.encode({"alg": "ES256", "typ": "at+jwt"}, claims, ECKey.generate_key("P-256"))
    if kind == "none":
        head, body, _ = jwt.encode({"alg": "ES256", "typ": "at+jwt"}, claims, key).split(".")
        return f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{body}."
    return jwt.encode({"alg": "ES256", **({"typ": kind} if kind else {})}, claims, key)


@pytest.mark.parametrize("kind", ["hs256", "other-key", "none", "JWT", "", "id_token"])
def test_a_forged_token_is_refused(caller: Caller, runtime: Runtime, kind: str) -> None:
    key = runtime.vault.token_key()
    claims = dict(jwt.decode(caller.token, key, algorithms=["ES256"]).claims)
    caller.token = forged(runtime, kind, claims, key)
    assert caller.get("/v1/audit/entries").status_code == 401


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "jti", "scope", "tenant", "client_id"])
def test_a_token_that_lacks_a_claim_is_refused(caller: Caller, runtime: Runtime, claim: str) -> None:
    key = runtime.vault.token_key()
    claims = dict(jwt.decode(caller.token, key, algorithms=["ES256"]).claims)
    del claims[claim]
    caller.token = jwt.encode({"alg": "ES256", "typ": "at+jwt"}, claims, key)
    assert caller.get("/v1/audit/entries").status_code == 401


def test_a_missing_scope_is_named(client: FlaskClient, runtime: Runtime) -> None:
    narrow = Caller(client, new_component(runtime, "evaluate"))
    answer = narrow.get("/v1/audit/entries")
    assert answer.status_code == 403
    assert "audit:read" in answer.get_json()["detail"]
    assert 'scope="audit:read"' in answer.headers["WWW-Authenticate"]


def test_issuing_and_revoking_are_events_in_the_ledger(caller: Caller, runtime: Runtime) -> None:
    caller.client.post("/oauth/revoke", data={"token": caller.token}, headers=basic(caller.made))
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        kinds = [each.kind for each in ledger.entries(snapshot.connection, "acme", limit=1000)]
    assert "access.token_issued" in kinds
    assert "access.token_revoked" in kinds


def test_no_secret_stands_in_the_database(caller: Caller, runtime: Runtime) -> None:
    secret = (caller.made.secret or "").encode()
    for file in runtime.settings.data_dir.rglob("*"):
        if file.is_file():
            assert secret not in file.read_bytes(), file.name


def test_the_metadata_names_the_endpoints(app: Flask) -> None:
    metadata = app.test_client().get("/.well-known/oauth-authorization-server").get_json()
    assert metadata["grant_types_supported"] == ["client_credentials", "authorization_code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    for name in (
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "jwks_uri",
    ):
        assert metadata[name].startswith("https://privacy.example.org/")


def test_verifying_a_known_token_is_fast(caller: Caller, app: Flask) -> None:
    reader = app.extensions["governance-tokens"]
    reader.read(caller.token)
    began = time.perf_counter()
    for _ in range(1000):
        reader.read(caller.token)
    assert time.perf_counter() - began < 0.5
