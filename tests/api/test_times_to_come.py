"""What lies in the future has not happened: refused at every door, but for a no, which holds from now on."""

import json
from datetime import timedelta
from typing import Any

import pytest

from governance.clock import wire
from tests.api.conftest import Caller
from tests.conftest import HandClock

LATER = "2124-02-01T00:00:00Z"
POINT = {"type": "phone", "value": "+12025550123"}
CONSENT = {"subject": {"id": "crm-1"}, "purpose": "marketing", "channel": "email", "method": "web_form"}
PROVED = {**CONSENT, "status": "granted", "evidence": {"form_url": "https://example.org/f"}}
RECORD = {"subject": {"id": "crm-1"}, "data_class": "invoices", "created_at": "2024-02-01T00:00:00Z"}
CAPTURE: dict[str, Any] = {
    "capture_point": "fair",
    "subject": {"id": "crm-9", "identifiers": [{"type": "email", "value": "nine@example.org"}]},
    "method": "web_form",
}
MOVE = {"subject": {"id": "crm-1"}, "model": "engagement", "to": "awareness"}
CHECK = {"register": "us-dnc", "contact_point": POINT, "listed": False}


@pytest.fixture
def person(any_caller: Caller) -> Caller:
    body = {
        "identifiers": [{"type": "email", "value": "crm-1@example.org"}],
        "attributes": {"country": "US"},
        "relationship": "client",
    }
    assert any_caller.put("/v1/subjects/crm-1", body).status_code == 201
    desk = {"title": "Fair", "owner": "sales", "purposes": ["marketing"]}
    assert any_caller.put("/v1/capture-points/fair", desk).status_code == 201
    return any_caller


def test_what_has_not_happened_yet_is_refused_at_every_door(person: Caller) -> None:
    doors: list[tuple[str, str, dict[str, Any], str]] = [
        ("put", "/v1/records/erp/r-1", {**RECORD, "created_at": LATER}, "created_at"),
        ("put", "/v1/records/erp/r-1", {**RECORD, "closed_at": LATER}, "closed_at"),
        (
            "post",
            "/v1/subjects/crm-1/events",
            {"event": "contract_ended", "occurred_at": LATER},
            "occurred_at",
        ),
        ("put", "/v1/subjects/crm-1", {"acquired_at": LATER}, "acquired_at"),
        ("post", "/v1/consents", {**PROVED, "occurred_at": LATER}, "occurred_at"),
        (
            "post",
            "/v1/captures",
            {**CAPTURE, "consents": [{"purpose": "marketing", "status": "granted"}], "occurred_at": LATER},
            "occurred_at",
        ),
        (
            "post",
            "/v1/captures",
            {**CAPTURE, "events": [{"event": "purchase", "occurred_at": LATER}]},
            "occurred_at",
        ),
        ("post", "/v1/lifecycle/transitions", {**MOVE, "occurred_at": LATER}, "occurred_at"),
        ("post", "/v1/register-checks", {**CHECK, "checked_at": LATER}, "checked_at"),
        (
            "post",
            "/v1/rights-requests",
            {"type": "access", "identities": [{"id": "crm-1"}], "received_at": LATER},
            "received_at",
        ),
    ]
    before = person.get("/v1/events?limit=500").get_json()["items"]
    for method, path, body, field in doors:
        answer = getattr(person, method)(path, body)
        assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [field]), (path, answer.data)
    assert person.get("/v1/events?limit=500").get_json()["items"] == before, "and nothing was changed"


def test_a_line_of_a_batch_that_has_not_happened_yet_stops_no_other(person: Caller) -> None:
    for path, good, late in (
        ("/v1/records/batch", {"system": "erp", "id": "a", **RECORD}, {"created_at": LATER}),
        ("/v1/consents/batch", PROVED, {"occurred_at": LATER}),
    ):
        lines = "\n".join(json.dumps(each) for each in (good, {**good, **late}, good))
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "late"}
        sent = person.post(path, data=lines, headers=headers)
        told = [json.loads(each) for each in sent.text.splitlines()]
        assert [each["status"] >= 400 for each in told] == [False, True, False], (path, told)
        assert list(told[1]["problem"]["errors"]) == list(late)


def test_a_clock_that_runs_a_little_ahead_is_taken_for_now(person: Caller, clock: HandClock) -> None:
    now = wire(clock.now())
    ahead = wire(clock.now() + timedelta(minutes=5))
    answer = person.put("/v1/records/erp/r-1", {**RECORD, "created_at": ahead})
    assert (answer.status_code, answer.get_json()["created_at"]) == (201, now)
    beyond = wire(clock.now() + timedelta(minutes=5, microseconds=1))
    assert person.put("/v1/records/erp/r-2", {**RECORD, "created_at": beyond}).status_code == 422


def test_a_no_holds_from_now_on_whatever_the_clock_of_whoever_tells_it_says(person: Caller) -> None:
    assert person.post("/v1/consents", PROVED).status_code == 201
    question = {
        "subject": {"type": "component", "id": "crm"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
        },
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    assert person.post("/access/v1/evaluation", question).get_json()["decision"] is True
    assert (
        person.post("/v1/consents", {**CONSENT, "status": "withdrawn", "occurred_at": LATER}).status_code
        == 201
    )
    assert person.post("/access/v1/evaluation", question).get_json()["decision"] is False
    objection = {"subject": {"id": "crm-1"}, "scope": "all", "method": "web_form", "occurred_at": LATER}
    made = person.post("/v1/objections", objection)
    assert made.status_code == 201, made.data
    path = f"/v1/objections/{made.get_json()['id']}/release"
    assert person.post(path, {"method": "web_form", "occurred_at": LATER}).status_code == 422, "a yes"
