"""The description of the API: valid, complete, and true about scopes."""

import re

from flask import Flask
from openapi_spec_validator import validate

from api.application import ROOMS
from api.rooms import PUBLIC
from governance.callers.model import SCOPES

UNDOCUMENTED = {"/static/<path:filename>"}


def documented(app: Flask) -> dict[str, dict]:  # type: ignore[type-arg]  # JSON
    return app.test_client().get("/openapi.json").get_json()


def test_the_description_is_valid_openapi_3_1(app: Flask) -> None:
    spec = documented(app)
    assert spec["openapi"] == "3.1.0"
    validate(spec)


def test_every_route_is_described(app: Flask) -> None:
    paths = documented(app)["paths"]
    for rule in app.url_map.iter_rules():
        if rule.rule in UNDOCUMENTED:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert method.lower() in paths[path], f"{method} {path}"


def test_every_route_names_its_scope_or_is_in_the_public_list(app: Flask) -> None:
    public = {rule for room in ROOMS for (_, rule), scope in room.scopes.items() if scope == PUBLIC}
    assert public == {
        "/.well-known/authzen-configuration",
        "/.well-known/gpc.json",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/callbacks/<system_id>/<token>",
        "/confirm/<token>",
        "/docs",
        "/healthz",
        "/metrics",
        "/oauth/authorize",
        "/oauth/introspect",
        "/oauth/revoke",
        "/oauth/token",
        "/openapi.json",
        "/opendsr/v2/certificate.pem",
        "/opendsr/v2/discovery",
        "/preferences/<token>",
        "/privacy/packages/<token>",
        "/privacy/requests",
        "/privacy/requests/<token>",
        "/readyz",
        "/unsubscribe/<token>",
    }
    declared = {(method, rule) for room in ROOMS for method, rule in room.scopes}
    for rule in app.url_map.iter_rules():
        if rule.rule not in UNDOCUMENTED:
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                assert (method, rule.rule) in declared
    for room in ROOMS:
        assert {scope for scope in room.scopes.values() if scope != PUBLIC} <= set(SCOPES)


def test_without_a_token_every_route_that_is_not_public_answers_401(app: Flask) -> None:
    client = app.test_client()
    for room in ROOMS:
        for (method, rule), scope in room.scopes.items():
            if scope == PUBLIC:
                continue
            path = re.sub(r"<(?:\w+:)?\w+>", "x", rule)
            answer = client.open(path, method=method, json={})
            assert answer.status_code == 401, f"{method} {rule}"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.content_type == "application/problem+json"


def test_every_described_error_is_problem_details(app: Flask) -> None:
    spec = documented(app)
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and "$ref" in answer:
                    name = answer["$ref"].split("/")[-1]
                    content = spec["components"]["responses"][name]["content"]
                    assert list(content) == ["application/problem+json"], f"{method} {path} {status}"


def test_the_docs_page_needs_nothing_from_elsewhere(app: Flask) -> None:
    answer = app.test_client().get("/docs")
    assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    assert "/v1/consents" in page
    for link in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert link.startswith(("/", "#")), link
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert app.test_client().get("/static/docs.css").status_code == 200
