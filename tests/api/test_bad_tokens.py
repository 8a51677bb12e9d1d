"""Bad tokens: every kind is refused with the one answer that says nothing, and at no great cost."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey

from api import create_app, tokens
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from tests.api.conftest import Caller, basic, new_component
from tests.fixtures.bad_tokens import ORDER, Forge, b64, kinds

CHALLENGE = (
    'Bearer realm="governance", error="invalid_token", '
    'error_description="The access token is malformed, expired, revoked or not for this service"'
)
REQUIRED = ("iss", "aud", "sub", "client_id", "tenant", "scope", "iat", "exp", "jti")
MOST_CPU_SECONDS = 0.25
"""What a token may cost at the most, of one core: signatures take a thousandth of it."""

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def forge(caller: Caller, runtime: Runtime) -> Forge:
    key = runtime.vault.token_key()
    token = jwt.decode(caller.token, key, algorithms=["ES256"])
    return Forge(key, token.header, token.claims)


def trouble(client: FlaskClient, token: str) -> str | None:
    """What is wrong with the answer to a bad token; None if it was refused as it should be."""
    began = time.thread_time()
    answer = client.get("/v1/audit/entries", headers={"Authorization": f"Bearer {token}"})
    took = time.thread_time() - began
    if answer.status_code != 401:
        return f"status {answer.status_code}"
    problem = answer.get_json()
    problem.pop("instance")
    if problem != {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The access token is malformed, expired, revoked or not for this service.",
    }:
        return f"says {problem}"
    if answer.headers["WWW-Authenticate"] != CHALLENGE:
        return f"challenges {answer.headers['WWW-Authenticate']}"
    return f"took {took} s of the processor" if took > MOST_CPU_SECONDS else None


def taken(client: FlaskClient, bad: dict[str, str]) -> dict[str, str]:
    """Those of the tokens that were not refused as they should be."""
    return {name: wrong for name, token in bad.items() if (wrong := trouble(client, token))}


def others(caller: Caller, runtime: Runtime, made: Forge) -> dict[str, str]:
    """Tokens that are good for something else, and good ones whose time is over."""
    client = caller.client
    runtime.create_tenant("other", name="Other", country="DE", address=None)
    stranger = Caller(client, new_component(runtime, tenant="other"))
    revoked = Caller(client, new_component(runtime))
    client.post("/oauth/revoke", data={"token": revoked.token}, headers=basic(revoked.made))
    left = Caller(client, new_component(runtime))
    with runtime.work("acme", COMMAND_LINE) as work:
        callers.let_go(work, left.made.component.client_id)
    head, body, signature = revoked.token.split(".")
    raw = tokens.compact._decoded(signature)
    twin = raw[:32] + (ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    claims = {"sub": "x", "iss": made.claims["iss"], "aud": made.claims["aud"], "jti": "j"}
    key = ECKey.generate_key("P-256")
    return {
        "of another tenant's component": made.with_claims(client_id=stranger.made.component.client_id),
        "another tenant by name": made.with_claims(tenant="other"),
        "a tenant that is not": made.with_claims(tenant="nobody"),
        "a component that is not": made.with_claims(client_id="client_" + "0" * 32),
        "revoked": revoked.token,
        "revoked, with the other signature that is right": f"{head}.{body}.{b64(twin)}",
        "of a component that left": left.token,
        "a receipt": runtime.vault.sign_receipt({**made.claims}),
        "a client assertion": jwt.encode({"alg": "ES256"}, claims, key),
        "an ID token": jwt.encode({"alg": "ES256", "typ": "JWT"}, {**made.claims, "nonce": "n"}, made.key),
        "the client's secret": str(caller.made.secret),
        "the client's id": caller.made.component.client_id,
    }


def test_every_kind_of_bad_token_is_refused_alike(caller: Caller, runtime: Runtime) -> None:
    made = forge(caller, runtime)
    assert caller.get("/v1/audit/entries").status_code == 200
    assert trouble(caller.client, made.good()) == "status 200", "the forge makes good tokens"
    bad = kinds(made, required=REQUIRED) | others(caller, runtime, made)
    bad["aud a list with ours"] = made.with_claims(aud=[made.claims["aud"], "https://elsewhere.example"])
    assert len(bad) > 180
    assert taken(caller.client, bad) == {}
    assert caller.get("/v1/audit/entries").status_code == 200, "no bad token harms a good one"


def test_the_token_endpoints_do_not_take_them_either(caller: Caller, runtime: Runtime) -> None:
    client, proof = caller.client, basic(caller.made)
    bad = kinds(forge(caller, runtime), required=REQUIRED)
    for name, token in bad.items():
        if len(token) > 100_000:
            continue  # forms of that size are the door's business
        found = client.post("/oauth/introspect", data={"token": token}, headers=proof)
        assert (found.status_code, found.get_json()) == (200, {"active": False}), name
        gone = client.post("/oauth/revoke", data={"token": token}, headers=proof)
        assert gone.status_code == 200, name
    assert caller.get("/v1/audit/entries").status_code == 200


@pytest.mark.parametrize(
    ("dropped", "names"),
    [
        (
            lambda claims, settings: claims.get("iss") == settings.issuer,
            {"aud another", "aud ours and more", "aud that begins like ours", "aud missing"},
        ),
        (
            lambda claims, settings: claims.get("aud") == settings.public_url,
            {"iss another", "iss with a slash", "iss in capitals", "iss missing"},
        ),
    ],
    ids=["without the check of the audience", "without the check of the issuer"],
)
def test_a_reader_that_forgets_a_check_is_caught(
    caller: Caller,
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    dropped: Callable[[Any, Any], bool],
    names: set[str],
) -> None:
    monkeypatch.setattr(tokens, "is_for_us", dropped)
    found = taken(caller.client, kinds(forge(caller, runtime), required=REQUIRED))
    assert names <= set(found)
    assert {found[name] for name in names} == {"status 200"}


def test_a_client_assertion_is_taken_once_whichever_process_sees_it(
    caller: Caller, runtime: Runtime, clock: Any
) -> None:
    key, client = ECKey.generate_key("P-256"), caller.client
    with runtime.work("acme", COMMAND_LINE) as work:
        jwks = {"keys": [key.as_dict(private=False)]}
        made = callers.create_client(work, name="keyed", scopes=["evaluate"], jwks=jwks)
    now, client_id = int(clock().timestamp()), made.component.client_id
    claims = {"iss": client_id, "sub": client_id, "aud": runtime.settings.issuer, "iat": now, "jti": "once"}
    made_up = Forge(key, {"alg": "ES256"}, {**claims, "exp": now + 60})

    def status(by: FlaskClient, assertion: str) -> int:
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
        return by.post("/oauth/token", data={**form, "client_assertion": assertion}).status_code

    # An assertion needs no type and no date, and its clock may be a minute off.
    harmless = ("typ ", "iat ", "exp past", "bound to a key")
    for name, token in kinds(made_up, required=("iss", "sub", "aud", "exp", "jti")).items():
        if not name.startswith(harmless) and len(token) < 100_000:
            assert status(client, token) in (400, 401), name
    again = Runtime(
        replace(runtime.settings), runtime.engine, runtime.vault, runtime.decision_log, clock, runtime.ids
    )
    elsewhere = create_app(again).test_client()
    assert status(client, made_up.good()) == 200
    assert status(elsewhere, made_up.good()) in (400, 401)
    assert (
        caller.get("/v1/audit/entries", headers={"Authorization": f"Bearer {made_up.good()}"}).status_code
        == 401
    )
    clock.forward(timedelta(minutes=3))
    assert status(elsewhere, made_up.with_claims(jti="late")) in (400, 401)
