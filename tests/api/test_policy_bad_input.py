"""Whatever is sent to policy administration is answered with a sentence, never with a 5xx."""

from typing import Any

from tests.api.conftest import Caller

DRAFT = "/v1/policies/mine/draft"
HASH = {"If-Match": '"sha256:0"'}


NONE: list[tuple[bytes, str, int]] = [
    (b"[]", "application/json", 422),
    (b"5", "application/json", 422),
    (b'"x"', "application/json", 422),
    (b"null", "application/json", 422),
    (b"{}", "application/json", 422),
    (b"{", "application/json", 400),
    (b"", "application/json", 400),
    (b'{"pack": "mine", "pack": "mine"}', "application/json", 400),
    (b'{"policy": "pack: mine", "rules": 5}', "application/json", 422),
    (b'{"policy": "pack: mine", "cases": "- x"}', "application/json", 422),
    (b'{"policy": "pack: mine", "whole_cases": "5"}', "application/json", 422),
    (b'{"pack": "mine", "title": "\\ud83d\\ude00 \\t"}', "application/json", 422),
    (b'{"pack": "mine", "cases": {"a": 1}, "whole_cases": 7, "now": []}', "application/json", 422),
    (b'{"pack": "mine", "speaks_about": [1, {}], "layer": [], "rules": {}}', "application/json", 422),
    (b'{"matrix": "mine"}', "application/json", 422),
    (b'{"model": "mine", "stages": 3, "transitions": "x"}', "application/json", 422),
    (b"\xff\xfe\x00", "application/yaml", 422),
    (b"pack: mine\nrules: [" + b"{a: " * 200, "application/yaml", 422),
    (b"? [a]\n: b", "application/yaml", 422),
    (b"%YAML 3.0\n---\npack: mine", "application/yaml", 422),
    (b"pack: mine", "text/html", 415),
]


def test_a_draft_that_is_none(caller: Caller) -> None:
    for body, kind, status in NONE:
        answer = caller.put(DRAFT, data=body, headers={"Content-Type": kind})
        assert answer.status_code == status, (body, answer.get_json())
        assert answer.content_type == "application/problem+json"
        assert status != 422 or answer.get_json()["detail"]
    assert caller.get(DRAFT).status_code == 404


def test_what_there_is_not_is_not_found_and_what_is_wrong_is_named(caller: Caller) -> None:
    asked: list[tuple[str, str, Any, int]] = [
        ("get", "/v1/policies/mine", None, 404),
        ("get", "/v1/policies/mine/versions", None, 404),
        ("get", "/v1/policies/de/versions?after=x", None, 422),
        ("get", f"{DRAFT}/shadow", None, 404),
        ("post", f"{DRAFT}/test", None, 404),
        ("post", f"{DRAFT}/replay", {}, 404),
        ("post", f"{DRAFT}/replay", {"since": "yesterday"}, 422),
        ("post", f"{DRAFT}/replay", {"limit": 100_001}, 422),
        ("post", f"{DRAFT}/shadow", {}, 422),
        ("post", f"{DRAFT}/shadow", {"until": "2026-11-21T11:00:00Z"}, 404),
        ("post", f"{DRAFT}/shadow/stop", None, 404),
        ("post", f"{DRAFT}/propose", {"digest": "sha256:0"}, 404),
        ("post", f"{DRAFT}/propose", {"digest": 5}, 422),
        ("post", f"{DRAFT}/approve", {"digest": "sha256:0"}, 404),
        ("post", f"{DRAFT}/approve", {}, 428),
        ("post", f"{DRAFT}/approve", [], 422),
        ("post", f"{DRAFT}/reject", {"digest": "sha256:0"}, 422),
        ("post", "/v1/policies/mine/rollback", {}, 409),
        ("post", "/v1/policies/de/rollback", {"reason": ""}, 422),
        ("post", "/v1/policies/de/rollback", {}, 409),
        ("post", "/v1/policies/de/rollback/review", {"note": "x"}, 404),
        ("post", "/v1/policies/de/call-off", None, 404),
        ("get", "/v1/policy-proposals/prp_none", None, 404),
        ("get", "/v1/overrides/ovr_none", None, 404),
        ("post", "/v1/overrides/ovr_none/approve", None, 404),
        ("post", "/v1/overrides", {"subject": {"id": "a"}}, 422),
        ("get", "/v1/reports/overrides?format=pdf", None, 422),
        ("get", "/v1/reports/overrides?since=2026-01-01T00:00:00Z", None, 200),
    ]
    for method, path, body, status in asked:
        answer = getattr(caller, method)(path, body)
        assert answer.status_code == status, (method, path, body, answer.get_json())
    assert (
        caller.put(DRAFT, data=b"pack: mine", headers={"Content-Type": "text/yaml", **HASH}).status_code < 500
    )
    assert caller.delete(DRAFT, headers=HASH).status_code == 404
