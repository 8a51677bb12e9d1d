"""Tokens of an outside issuer, over real HTTP: who is let in, by which keys, for how long, to what."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey

from api import create_app
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import issuer_model, issuers
from governance.callers.issuer_keys import AGE, FRESH, PAUSE
from governance.ledger import service as ledger
from tests.api.conftest import Caller, new_component
from tests.api.test_bad_tokens import taken, trouble
from tests.conftest import HandClock
from tests.fixtures.bad_tokens import Forge, dumps, kinds
from tests.fixtures.oidc import AUDIENCE, OidcIssuer, oidc_issuer

REQUIRED = ("iss", "aud", "sub", "client_id", "iat", "exp", "jti", "groups")
ENTRIES = "/v1/audit/entries"


@pytest.fixture
def oidc() -> Iterator[OidcIssuer]:
    with oidc_issuer() as issuer:
        yield issuer


@pytest.fixture
def near(runtime: Runtime, oidc: OidcIssuer) -> Runtime:
    """The installation, allowed to reach the issuer on loopback."""
    assert oidc.system is not None
    settings = replace(runtime.settings, system_allow=frozenset({oidc.system.place}))
    return Runtime(settings, runtime.engine, runtime.vault, runtime.decision_log, runtime.clock, runtime.ids)


@pytest.fixture
def admin(near: Runtime) -> Caller:
    return Caller(create_app(near).test_client(), new_component(near))


def trusted(oidc: OidcIssuer, **members: Any) -> dict[str, Any]:
    grants = {"privacy-office": ["audit:read", "access:read"]}
    return {"issuer": oidc.url, "audience": AUDIENCE, "role_claim": "groups", "grants": grants, **members}


def trust(admin: Caller, oidc: OidcIssuer, **members: Any) -> None:
    assert admin.put("/v1/issuers/acme-idp", trusted(oidc, **members)).status_code == 201


def change(admin: Caller, oidc: OidcIssuer, **members: Any) -> int:
    version = {"If-Match": admin.get("/v1/issuers/acme-idp").headers["ETag"]}
    return admin.put("/v1/issuers/acme-idp", trusted(oidc, **members), headers=version).status_code


def status(client: FlaskClient, token: str, path: str = ENTRIES) -> int:
    return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code


def good(oidc: OidcIssuer, clock: HandClock, **claims: Any) -> Forge:
    return oidc.forge(int(clock().timestamp()), **claims)


def test_a_member_of_staff_comes_in_with_the_scopes_of_their_roles(
    admin: Caller, oidc: OidcIssuer, near: Runtime, clock: HandClock
) -> None:
    token = good(oidc, clock).good()
    assert trouble(admin.client, token) is None, "nobody trusts this issuer yet"
    trust(admin, oidc, grants={"privacy-office": ["audit:read", "access:write"]})
    assert status(admin.client, token) == 200
    assert status(admin.client, token, "/v1/subjects/crm-1") == 403
    several = good(oidc, clock, aud=["account", AUDIENCE], groups="privacy-office").good()
    assert status(admin.client, several) == 200
    for claims in ({"groups": ["marketing"]}, {"groups": 7}, {"sub": "anna@example.org"}, {"sub": "a b"}):
        assert trouble(admin.client, good(oidc, clock, **claims).good()) is None, claims
    role = {
        "title": "Auditor",
        "owner": "privacy",
        "kinds": ["staff"],
        "scopes": ["audit:read"],
        "grants": [],
    }
    headers = {"Authorization": f"Bearer {token}"}
    assert admin.client.put("/v1/roles/auditor", json=role, headers=headers).status_code == 201
    with near.snapshot("acme", COMMAND_LINE) as snapshot:
        last = list(ledger.entries(snapshot.connection, "acme", limit=1000))[-1]
    assert last.actor_ref == "staff:9f1c-staff"
    assert oidc.asked == ["/realms/acme/.well-known/openid-configuration", "/realms/acme/keys"]


def test_every_kind_of_bad_token_is_refused_as_of_our_own(
    admin: Caller, oidc: OidcIssuer, clock: HandClock
) -> None:
    trust(admin, oidc)
    forge = good(oidc, clock)
    bad = kinds(forge, required=REQUIRED) | {
        "exp in two days": forge.with_claims(exp=forge.claims["exp"] + 2 * 86_400),
        "an ID token": forge.with_claims(nonce="n"),
        "an ID token by its own word": forge.with_claims(typ="ID"),
        "a refresh token": forge.with_claims(typ="Refresh"),
        "our own token": forge.with_claims(iss="https://privacy.example.org"),
        "signed by our own key": Forge(
            admin.client.application.extensions["governance"].vault.token_key(), forge.header, forge.claims
        ).good(),
    }
    assert status(admin.client, forge.good()) == 200
    assert taken(admin.client, bad) == {}
    assert len(oidc.asked) == 2, "no token, however odd, makes us ask the issuer again"
    assert change(admin, oidc, token_type="jwt") == 200
    plain = Forge(forge.key, {**forge.header, "typ": "JWT"}, forge.claims)
    assert status(admin.client, plain.good()) == 200
    told_apart = {name: token for name, token in bad.items() if not name.startswith("typ ")}
    assert {"an ID token", "an ID token by its own word", "a refresh token"} <= set(told_apart)
    del told_apart["client_id missing"], told_apart["jti missing"]
    del told_apart["client_id of another kind"], told_apart["jti of another kind"]
    assert taken(admin.client, told_apart) == {}


def test_a_reader_that_forgets_the_audience_is_caught(
    admin: Caller, oidc: OidcIssuer, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(admin, oidc)
    for module in (issuers, issuer_model):
        monkeypatch.setattr(module, "is_among", lambda audience, claimed: True)
    found = taken(admin.client, kinds(good(oidc, clock), required=REQUIRED))
    assert {"aud another", "aud missing", "aud a list of others"} <= set(found)


def test_a_new_key_is_found_soon_and_a_withdrawn_one_forgotten_soon(
    admin: Caller, oidc: OidcIssuer, clock: HandClock
) -> None:
    trust(admin, oidc)
    old = good(oidc, clock, exp=int(clock().timestamp()) + 3600).good()
    assert status(admin.client, old) == 200
    oidc.rotate("second")
    new = good(oidc, clock, exp=int(clock().timestamp()) + 3600).good()
    assert [status(admin.client, new) for _ in range(5)] == [401] * 5
    assert len(oidc.asked) == 2, "not again so soon"
    clock.forward(PAUSE)
    assert status(admin.client, new) == 200
    assert status(admin.client, old) == 401
    assert len(oidc.asked) == 4
    oidc.keys = []
    clock.forward(FRESH)
    assert status(admin.client, new) == 401, "a key is not kept for longer than that"


def test_while_the_issuer_is_silent_its_keys_serve_for_a_while_and_then_nobody_comes_in(
    admin: Caller, oidc: OidcIssuer, clock: HandClock
) -> None:
    trust(admin, oidc)
    assert status(admin.client, good(oidc, clock).good()) == 200
    oidc.status = 503
    clock.forward(AGE - timedelta(seconds=1))
    assert status(admin.client, good(oidc, clock).good()) == 200
    clock.forward(timedelta(seconds=1))
    answer = admin.client.get(ENTRIES, headers={"Authorization": f"Bearer {good(oidc, clock).good()}"})
    assert (answer.status_code, answer.get_json()["title"]) == (503, "Not ready")
    asked = len(oidc.asked)
    assert status(admin.client, good(oidc, clock).good()) == 503
    assert len(oidc.asked) == asked, "nor is it asked again and again"
    oidc.status = 200
    clock.forward(PAUSE)
    assert status(admin.client, good(oidc, clock).good()) == 200
    stranger = create_app(admin.client.application.extensions["governance"]).test_client()
    oidc.status = 500
    assert status(stranger, good(oidc, clock).good()) == 503, "a process that never had the keys"


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://10.0.0.1/keys"},
        {"jwks_uri": 7},
        {"jwks_uri": None},
    ],
)
def test_metadata_that_leads_elsewhere_lets_nobody_in(
    admin: Caller, oidc: OidcIssuer, clock: HandClock, more: dict[str, Any]
) -> None:
    trust(admin, oidc)
    oidc.more = more
    assert status(admin.client, good(oidc, clock).good()) == 503
    assert len(oidc.asked) == 1, "nothing but its metadata was fetched"


def test_no_redirect_is_followed_and_unfit_keys_are_none(
    admin: Caller, oidc: OidcIssuer, clock: HandClock
) -> None:
    trust(admin, oidc)
    oidc.status = 302
    assert status(admin.client, good(oidc, clock).good()) == 503
    assert oidc.asked == ["/realms/acme/.well-known/openid-configuration"]
    oidc.status = 200
    good_key = oidc.keys[0]
    unfit: list[list[Any]] = [
        [good_key, good_key],
        [ECKey.generate_key("P-256", {"kid": "first", "use": "enc"})],
        [ECKey.generate_key("P-384", {"kid": "first"})],
        [_Odd({"kty": "RSA", "kid": "first", "e": "AQAB", "n": "w" * 171})],
        [_Odd({"kty": "oct", "kid": "first", "k": "c2VjcmV0"})],
        [_Odd({"kty": "EC", "crv": "P-256", "kid": "first", "x": "AA", "y": "AA"})],
        [_Odd({"kty": "EC", "kid": "first", "crv": 7})],
        [_Odd({"kid": "first"}), _Odd("no key"), _Odd(None)],
    ]
    for keys in unfit:
        oidc.keys = keys
        clock.forward(FRESH)
        token = oidc_token(oidc, good_key, clock)
        assert status(admin.client, token) == 401, keys
    oidc.keys = [good_key]
    clock.forward(FRESH)
    assert status(admin.client, oidc_token(oidc, good_key, clock)) == 200


class _Odd:
    """Something that stands among the keys."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.kid = "first"

    def as_dict(self, private: bool) -> Any:
        return self.document


def oidc_token(oidc: OidcIssuer, key: ECKey, clock: HandClock) -> str:
    forge = good(oidc, clock)
    return Forge(key, {**forge.header, "kid": "first"}, forge.claims).good()


def test_a_change_counts_at_the_next_request_in_every_process(
    admin: Caller, oidc: OidcIssuer, near: Runtime, clock: HandClock
) -> None:
    trust(admin, oidc)
    other = create_app(near).test_client()
    token = good(oidc, clock).good()
    assert [status(each, token) for each in (admin.client, other)] == [200, 200]
    assert change(admin, oidc, grants={"privacy-office": ["access:read"]}) == 200
    assert [status(each, token) for each in (admin.client, other)] == [403, 403]
    assert change(admin, oidc, enabled=False) == 200
    assert [status(each, token) for each in (admin.client, other)] == [401, 401]


def test_what_is_known_of_staff_limits_what_a_token_opens(
    admin: Caller, oidc: OidcIssuer, clock: HandClock
) -> None:
    role = {"title": "Auditor", "owner": "privacy", "kinds": ["staff"], "scopes": ["audit:read"]}
    made = admin.put("/v1/roles/auditor", {**role, "grants": []})
    assert made.status_code == 201, made.data
    trust(admin, oidc, grants={"privacy-office": ["role:auditor", "access:read"]})
    token = good(oidc, clock).good()
    assert [status(admin.client, token, path) for path in (ENTRIES, "/v1/issuers")] == [200, 200]
    registered = admin.put("/v1/staff/9f1c-staff", {"roles": ["auditor"]})
    assert registered.status_code == 201, registered.data
    assert [status(admin.client, token, path) for path in (ENTRIES, "/v1/issuers")] == [200, 403]
    assert admin.put("/v1/staff/9f1c-staff", {"status": "left"}).status_code == 200
    assert trouble(admin.client, token) is None


def test_staff_do_not_change_their_own_roles_through_whatever_they_come(
    admin: Caller, oidc: OidcIssuer, clock: HandClock
) -> None:
    role = {"title": "Keeper", "owner": "privacy", "scopes": ["access:write", "audit:read"], "grants": []}
    assert admin.put("/v1/roles/keeper", role).status_code == 201
    trust(admin, oidc, grants={"privacy-office": ["role:keeper", "admin"]})
    assert admin.put("/v1/staff/9f1c-staff", {"roles": ["keeper"]}).status_code == 201
    assert admin.put("/v1/staff/another", {"roles": []}).status_code == 201
    headers = {"Authorization": f"Bearer {good(oidc, clock).good()}"}

    def put(staff_id: str, body: Any) -> int:
        return admin.client.put(f"/v1/staff/{staff_id}", json=body, headers=headers).status_code

    assert put("9f1c-staff", {"roles": []}) == 409
    assert put("another", {"roles": ["keeper"]}) == 200
    assert put("another", {"roles": ["privacy_officer"]}) == 422
    issuer = trusted(oidc, grants={"privacy-office": ["admin"]})
    assert admin.client.put("/v1/issuers/more", json=issuer, headers=headers).status_code == 403


def test_an_issuer_opens_nothing_that_its_maker_lacks(admin: Caller, oidc: OidcIssuer, near: Runtime) -> None:
    maker = Caller(admin.client, new_component(near, "admin", "audit:read"))
    beyond = maker.put("/v1/issuers/acme-idp", trusted(oidc))
    assert beyond.status_code == 422
    assert "access:read" in beyond.get_data(as_text=True)
    by_role = maker.put("/v1/issuers/acme-idp", trusted(oidc, grants={"x": ["role:support_agent"]}))
    assert by_role.status_code == 422
    assert maker.put("/v1/issuers/acme-idp", trusted(oidc, grants={"x": ["audit:read"]})).status_code == 201


def test_what_cannot_be_trusted_is_refused_by_field(admin: Caller, oidc: OidcIssuer, near: Runtime) -> None:
    wrong: list[tuple[str, Any]] = [
        ("issuer", "http://login.example.com"),
        ("issuer", "https://10.0.0.1/realm"),
        ("issuer", "https://login.example.com/?x=1"),
        ("issuer", "https://localhost/realm"),
        ("issuer", "https://privacy.example.org"),
        ("issuer", 7),
        ("audience", ""),
        ("algorithms", ["HS256"]),
        ("algorithms", ["none"]),
        ("algorithms", []),
        ("token_type", "id_token"),
        ("staff_claim", "a b"),
        ("grants", {}),
        ("grants", {"x": ["everything"]}),
        ("grants", {"x": ["role:nobody"]}),
        ("grants", [1]),
        ("enabled", "yes"),
        ("more", 1),
    ]
    for field, value in wrong:
        answer = admin.put("/v1/issuers/acme-idp", trusted(oidc, **{field: value}))
        assert answer.status_code == 422, (field, value)
        assert any(path.startswith(field) for path in answer.get_json()["errors"]), (field, value)
    assert admin.put("/v1/issuers/A", trusted(oidc)).status_code == 422
    assert admin.get("/v1/issuers/acme-idp").status_code == 404
    trust(admin, oidc)
    assert admin.put("/v1/issuers/acme-idp", trusted(oidc)).status_code == 428
    stale = {"If-Match": '"7"'}
    assert admin.put("/v1/issuers/acme-idp", trusted(oidc), headers=stale).status_code == 412
    near.create_tenant("other", name="Other", country="DE", address=None)
    stranger = Caller(admin.client, new_component(near, tenant="other"))
    assert stranger.put("/v1/issuers/theirs", trusted(oidc)).status_code == 409
    assert stranger.get("/v1/issuers").get_json()["items"] == []
    assert [each["id"] for each in admin.get("/v1/issuers").get_json()["items"]] == ["acme-idp"]
    assert dumps(trusted(oidc))
