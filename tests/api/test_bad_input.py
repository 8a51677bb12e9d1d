"""What nobody knows is refused by name of the member, with the values that are allowed."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from governance.bootstrap import Runtime
from tests.api.conftest import Caller

QUESTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
UNKNOWN = [
    ("channel", "carrier_pigeon", "email"),
    ("message_class", "promotonal", "promotional"),
    ("purpose", "marketting", "marketing"),
]


def person(caller: Caller, external_id: str = "crm-1", **more: Any) -> TestResponse:
    body = {
        "identifiers": [{"type": "email", "value": f"{external_id}@example.org"}],
        "attributes": {"country": "US"},
        "relationship": "lead",
    }
    return caller.put(f"/v1/subjects/{external_id}", {**body, **more})


def ask(caller: Caller, question: dict[str, Any], external_id: str = "crm-1") -> TestResponse:
    body = {
        "subject": {"type": "component", "id": "campaign-engine"},
        "action": {"name": "communication.send", "properties": question},
        "resource": {"type": "data_subject", "id": external_id},
    }
    return caller.post("/access/v1/evaluation", body)


def send(caller: Caller, question: dict[str, Any], external_id: str = "crm-1") -> TestResponse:
    body = {"subject": {"id": external_id}, "message_id": "m-1", **question}
    return caller.post("/v1/communications", body)


def allowed_values(answer: TestResponse, member: str) -> str:
    """The sentence about a member in a problem document."""
    assert answer.content_type == "application/problem+json"
    (sentence,) = answer.get_json()["errors"][member]
    return str(sentence)


@pytest.mark.parametrize(("member", "value", "known"), UNKNOWN)
def test_an_unknown_channel_class_or_purpose_is_refused_at_every_door(
    caller: Caller, member: str, value: str, known: str
) -> None:
    assert person(caller).status_code == 201
    question = {**QUESTION, member: value}
    answer = ask(caller, question)
    assert answer.status_code == 400
    assert known in allowed_values(answer, member)
    screening = {"question": {"action": "communication.send", **question}, "audience": {"all": True}}
    for answer in (send(caller, question), caller.post("/v1/screenings", screening)):
        assert answer.status_code == 422
        assert known in allowed_values(answer, member)
    several = {
        "subject": {"type": "component", "id": "campaign-engine"},
        "resource": {"type": "data_subject", "id": "crm-1"},
        "evaluations": [
            {"action": {"name": "communication.send", "properties": each}} for each in (question, QUESTION)
        ],
    }
    first, second = caller.post("/access/v1/evaluations", several).get_json()["evaluations"]
    assert first["decision"] is False
    assert first["context"]["error"]["status"] == 400
    assert known in first["context"]["error"]["errors"][member][0]
    assert second["decision"] is True, "one question that cannot be read stops no other"


@pytest.mark.parametrize(("member", "value", "known"), UNKNOWN)
def test_one_bad_line_of_a_batch_is_told_and_stops_no_other(
    caller: Caller, member: str, value: str, known: str
) -> None:
    assert person(caller).status_code == 201
    lines = [
        {"subject": {"id": "crm-1"}, "message_id": f"m-{number}", **question}
        for number, question in enumerate(({**QUESTION, member: value}, QUESTION))
    ]
    answer = caller.post(
        "/v1/communications/batch",
        data="\n".join(json.dumps(line) for line in lines),
        headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": "one"},
    )
    told = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
    assert [each["status"] for each in told] == [422, 201], told
    assert known in json.dumps(told[0])


def test_an_unknown_stage_is_refused_at_every_door(caller: Caller) -> None:
    assert person(caller).status_code == 201
    refused = person(caller, "crm-2", relationship="leed")
    assert refused.status_code == 422
    assert "lead" in allowed_values(refused, "relationship")
    move = {"subject": {"id": "crm-1"}, "model": "relationship", "to": "leed"}
    refused = caller.post("/v1/lifecycle/transitions", move)
    assert refused.status_code == 422
    assert "lead" in allowed_values(refused, "to")
    filtered = {"filter": {"relationship": ["leed"]}}
    question = {"action": "communication.send", **QUESTION}
    refused = caller.post("/v1/screenings", {"question": question, "audience": filtered})
    assert refused.status_code == 422
    assert "lead" in allowed_values(refused, "audience.filter.relationship")
    body = {
        "subject": {"type": "component", "id": "crm"},
        "action": {"name": "lifecycle.transition", "properties": {"model": "relationship", "to": "leed"}},
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    refused = caller.post("/access/v1/evaluation", body)
    assert refused.status_code == 400
    assert "lead" in allowed_values(refused, "to")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "PST8", "Europe/berlin", "../../etc/passwd", "", "UTC+2"])
def test_an_unknown_time_zone_is_refused_and_records_nobody(caller: Caller, zone: str) -> None:
    answer = person(caller, attributes={"country": "US", "time_zone": zone})
    assert answer.status_code == 422, answer.data
    assert "attributes.time_zone" in answer.get_json()["errors"]
    assert caller.get("/v1/subjects/crm-1").status_code == 404


def test_a_message_to_somebody_unknown_is_denied_and_leaves_no_message(caller: Caller) -> None:
    answer = ask(caller, QUESTION, "nobody")
    assert answer.status_code == 200
    assert answer.get_json()["context"]["reasons"][0]["code"] == "unknown-subject"
    refused = send(caller, QUESTION, "nobody")
    assert refused.status_code == 403
    assert refused.get_json()["decision"]["context"]["reasons"][0]["code"] == "unknown-subject"
    assert caller.get("/v1/communications/m-1/evidence").status_code == 404


def test_a_message_to_a_merged_record_is_decided_by_the_person_and_counted_there(caller: Caller) -> None:
    assert person(caller).status_code == person(caller, "crm-2").status_code == 201
    assert caller.post("/v1/subjects/crm-2/merge", {"into": "crm-1"}).status_code == 200
    assert ask(caller, QUESTION, "crm-2").get_json()["decision"] is True
    assert send(caller, QUESTION, "crm-2").status_code == 201
    history = caller.get("/v1/subjects/crm-1/communications").get_json()["items"]
    assert [each["message_id"] for each in history] == ["m-1"]
    objection = {"subject": {"id": "crm-1"}, "scope": "all", "method": "phone"}
    assert caller.post("/v1/objections", objection).status_code == 201
    for external_id in ("crm-1", "crm-2"):
        reasons = ask(caller, QUESTION, external_id).get_json()["context"]["reasons"]
        assert reasons[0]["code"] == "objection"


@pytest.mark.by_hand
@pytest.mark.parametrize(("flag", "code"), [("erased", "erased"), ("erasure_pending", "erasure-pending")])
def test_a_message_to_somebody_erased_or_being_erased_is_denied(
    caller: Caller, runtime: Runtime, flag: str, code: str
) -> None:
    assert person(caller).status_code == 201
    with runtime.engine.begin() as connection:  # as an erasure leaves the record behind
        connection.exec_driver_sql(f"UPDATE subject SET {flag} = 1 WHERE external_id = 'crm-1'")
    for kind, purpose in (("promotional", "marketing"), ("transactional", "contract")):
        question = {"channel": "email", "message_class": kind, "purpose": purpose}
        refused = send(caller, question)
        assert refused.status_code == 403
        assert refused.get_json()["decision"]["context"]["reasons"][0]["code"] == code
    assert caller.get("/v1/communications/m-1/evidence").status_code == 404
