"""Searches over HTTP: pages, tokens that belong to one question and tenant, and what they are refused for."""

from typing import Any

from flask import Flask

from governance.bootstrap import Runtime
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR

SEND = {
    "name": "communication.send",
    "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
}
QUESTION = {
    "subject": {"type": "component", "id": "campaign-engine"},
    "action": SEND,
    "resource": {"type": "data_subject"},
}
AUDIENCE = "/access/v1/search/resource"


def people(runtime: Runtime, tenant: str, prefix: str, count: int) -> list[str]:
    ids = [f"{prefix}-{number}" for number in range(count)]
    with runtime.work(tenant, ACTOR) as work:
        for external_id in ids:
            subjects.put(work, external_id, SubjectChange(country="US", relationship="lead"))
    return ids


def pages(caller: Caller, body: dict[str, Any], limit: int) -> list[list[str]]:
    found, page = [], {"limit": limit}
    while True:
        answer = caller.post(AUDIENCE, {**body, "page": page}).get_json()
        assert answer["page"]["count"] == len(answer["results"])
        assert next(iter(answer)) == "page"
        found.append([each["id"] for each in answer["results"]])
        if not answer["page"]["next_token"]:
            return found
        page = {"token": answer["page"]["next_token"]}


def test_searches_are_announced_and_need_the_scope(app: Flask, caller: Caller, runtime: Runtime) -> None:
    told = caller.get("/.well-known/authzen-configuration").get_json()
    at = told["policy_decision_point"]
    for kind in ("subject", "resource", "action"):
        assert told[f"search_{kind}_endpoint"] == f"{at}/access/v1/search/{kind}"
    poor = Caller(app.test_client(), new_component(runtime, "subjects:read"))
    assert poor.post(AUDIENCE, QUESTION).status_code == 403


def test_pages_go_on_where_they_stopped_and_a_token_serves_nothing_else(
    app: Flask, caller: Caller, runtime: Runtime
) -> None:
    ids = people(runtime, "acme", "crm", 7)
    runtime.create_tenant("other", name="Other", country="US", address=None)
    people(runtime, "other", "strange", 3)
    whole = caller.post(AUDIENCE, QUESTION).get_json()
    assert {each["id"] for each in whole["results"]} == set(ids)
    assert whole["page"] == {"next_token": "", "count": 7}
    parts = pages(caller, QUESTION, 3)
    assert [len(part) for part in parts] == [3, 3, 1]
    assert sorted(each for part in parts for each in part) == sorted(ids)

    first = caller.post(AUDIENCE, {**QUESTION, "page": {"limit": 2}}).get_json()
    token = first["page"]["next_token"]
    again = {"page": {"token": token, "limit": 2}}
    assert caller.post(AUDIENCE, {**QUESTION, **again}).status_code == 200
    other = Caller(app.test_client(), new_component(runtime, tenant="other"))
    sms = {**SEND, "properties": {**SEND["properties"], "channel": "sms"}}  # type: ignore[dict-item]
    for asker, path, body in (
        (other, AUDIENCE, {**QUESTION, **again}),
        (caller, AUDIENCE, {**QUESTION, **again, "action": sms}),
        (caller, AUDIENCE, {**QUESTION, **again, "context": {"time": "2027-01-01T00:00:00Z"}}),
        (caller, AUDIENCE, {**QUESTION, "page": {"token": token, "limit": 3}}),
        (caller, AUDIENCE, {**QUESTION, "page": {"token": token[:-2]}}),
        (
            caller,
            "/access/v1/search/subject",
            {**QUESTION, "resource": {"type": "data_subject", "id": ids[0]}, **again},
        ),
    ):
        refused = asker.post(path, body)
        assert refused.status_code == 400, (path, body)
        assert refused.get_json()["detail"]
    nothing = caller.post(AUDIENCE, {**QUESTION, "page": {"limit": 0}}).get_json()
    assert nothing["results"] == []
    assert nothing["page"]["next_token"]


def test_what_was_searched_is_logged_without_whom_it_named(caller: Caller, runtime: Runtime) -> None:
    (one,) = people(runtime, "acme", "crm", 1)
    person = {"type": "data_subject", "id": one}
    actions = caller.post("/access/v1/search/action", {"subject": QUESTION["subject"], "resource": person})
    told = actions.get_json()
    names = {each["name"] for each in told["results"]}
    assert {"communication.send", "lifecycle.transition", "data.erase"} <= names
    assert all(each["codes"] for each in told["context"]["refused"])
    who = caller.post("/access/v1/search/subject", {**QUESTION, "resource": person}).get_json()
    assert [each["id"] for each in who["results"]] == [caller.made.component.client_id]
    caller.post(AUDIENCE, QUESTION)
    logged = {each.action: each for each in runtime.decision_log.page("acme")}
    assert set(logged) == {"search.action", "search.subject", "search.resource"}
    body = logged["search.resource"].body
    assert body is not None
    assert body["question"]["results"] == 1
    assert logged["search.action"].subject_ref is not None
    assert caller.get(f"/v1/decisions/{told['context']['id']}").status_code == 200


def test_a_malformed_search_is_a_bad_request(caller: Caller) -> None:
    for body in ([], {}, {**QUESTION, "page": 5}, {**QUESTION, "action": None}):
        answer = caller.post(AUDIENCE, body)
        assert answer.status_code == 400
        assert answer.get_json()["errors"]
    email = {**QUESTION, "resource": {"type": "data_subject", "id": "someone@example.org"}}
    assert caller.post("/access/v1/search/action", email).status_code == 400
