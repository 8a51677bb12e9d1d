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


def test_an_assistant_learns_stage_permissions_tone_and_its_duty_to_say_so_in_one_call(
    caller: Caller, runtime: Runtime
) -> None:
    for stage, tone in (("lead", "tone-inform"), ("active_service", "tone-help")):
        change = SubjectChange(country="DE", relationship=stage)
        with runtime.work("acme", ACTOR) as work:
            subjects.put(work, f"crm-{stage}", change)
        asked = {
            "subject": {"type": "component", "id": "assistant", "properties": {"written_by": "ai"}},
            "resource": {"type": "data_subject", "id": f"crm-{stage}"},
        }
        told = caller.post("/access/v1/search/action", asked).get_json()
        sends = [each for each in told["results"] if each["name"] == "communication.send"]
        classes = {each["properties"]["message_class"] for each in sends}
        assert told["context"]["stage"]["relationship"] == stage
        assert "promotional" not in classes
        assert ("onboarding" in classes) == (stage == "active_service")
        assert all(each["properties"]["written_by"] == "ai" for each in sends)
        assert {each["properties"].get("call_mode") for each in sends} <= {None, "automated", "ai_voice"}
        duties = {each["properties"]["action"]: each for each in told["context"]["obligations"]}
        assert tone in duties
        assert duties[tone]["properties"]["says"].startswith("Speak as to")
        speaking = [told["results"][place]["properties"] for place in duties["disclose-ai"]["results"]]
        assert "ai_voice" in {each.get("call_mode") for each in speaking}
        assert all(each["written_by"] == "ai" for each in speaking)
    spoilt = {**asked, "subject": {**asked["subject"], "properties": {"written_by": "cat"}}}
    refused = caller.post("/access/v1/search/action", spoilt)
    assert refused.status_code == 400
    assert "human, ai" in refused.get_json()["errors"]["subject.properties.written_by"][0]


def test_nobody_is_asked_to_recommend_or_quoted_without_a_consent_to_that(
    caller: Caller, runtime: Runtime
) -> None:
    with runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="client"))
    question = {
        "subject": {"type": "component", "id": "campaign-engine"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": "survey"},
        },
        "resource": {"type": "data_subject", "id": "crm-1"},
    }

    def codes(purpose: str) -> list[str]:
        question["action"]["properties"]["purpose"] = purpose  # type: ignore[index]
        told = caller.post("/access/v1/evaluation", question).get_json()
        return sorted(each["code"] for each in told["context"]["reasons"])

    consent = {"subject": {"id": "crm-1"}, "channel": "email", "status": "granted", "method": "web_form"}
    assert codes("marketing") == []
    assert codes("testimonials") == ["consent-missing"]
    caller.post("/v1/consents", {**consent, "purpose": "marketing"})
    assert codes("testimonials") == ["consent-missing"]
    caller.post("/v1/consents", {**consent, "purpose": "testimonials"})
    assert codes("testimonials") == []


def test_a_malformed_search_is_a_bad_request(caller: Caller) -> None:
    for body in ([], {}, {**QUESTION, "page": 5}, {**QUESTION, "action": None}):
        answer = caller.post(AUDIENCE, body)
        assert answer.status_code == 400
        assert answer.get_json()["errors"]
    email = {**QUESTION, "resource": {"type": "data_subject", "id": "someone@example.org"}}
    assert caller.post("/access/v1/search/action", email).status_code == 400
