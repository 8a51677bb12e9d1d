"""The tenant's own routes: while it is suspended everything is refused, but people can still leave."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from governance.bootstrap import Runtime
from governance.offboarding.model import check_archive
from retention_jobs import deliver_webhooks, run_erasures, run_rights_clocks
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock

PERSON = {
    "identifiers": [{"type": "email", "value": "anna@example.org"}],
    "attributes": {"country": "US"},
    "relationship": "lead",
}
PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
QUESTION = {
    "subject": {"type": "component", "id": "crm"},
    "action": {"name": "communication.send", "properties": PROMOTION},
    "resource": {"type": "data_subject", "id": "crm-1"},
}
SEND = {"subject": {"id": "crm-1"}, "message_id": "m-1", **PROMOTION}


def kind(answer: Any) -> str:
    return str(answer.get_json()["type"]).rsplit("/", 1)[-1]


def test_a_suspended_tenant_permits_nothing_and_lets_people_leave_and_ask(
    any_app: Flask, any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    caller, client = any_caller, any_app.test_client()
    caller.put("/v1/subjects/crm-1", PERSON)
    sent = caller.post("/v1/communications", SEND).get_json()
    assert sent["decision"]["decision"] is True
    leave = sent["headers"]["List-Unsubscribe"].strip("<>").removeprefix(any_runtime.settings.public_url)
    link = caller.post("/v1/preferences/links", {"subject": {"id": "crm-1"}}).get_json()
    preferences = next(each for each in link.values() if "/preferences/" in str(each))
    preferences = preferences.removeprefix(any_runtime.settings.public_url)
    erasure = caller.post("/v1/erasures", {"subject": {"id": "crm-1"}, "undo_hours": 24}).get_json()

    clerk = Caller(client, new_component(any_runtime, "evaluate"))
    assert clerk.post("/v1/tenant/suspend").status_code == 403
    assert caller.post("/v1/tenant/suspend").get_json()["state"] == "suspended"
    for method, path, body in (
        ("post", "/access/v1/evaluation", QUESTION),
        ("post", "/access/v1/search/resource", {**QUESTION, "resource": {"type": "data_subject"}}),
        ("post", "/v1/communications", {**SEND, "message_id": "m-2"}),
        ("post", "/v1/lifecycle/transitions", {"subject": {"id": "crm-1"}, "to": "contact"}),
        ("get", "/v1/subjects/crm-1", None),
        ("put", "/v1/subjects/crm-2", PERSON),
        ("get", "/v1/audit/export", None),
        ("get", "/openapi.json", None),
    ):
        answer = getattr(caller, method)(path, body)
        if path == "/openapi.json":
            assert answer.status_code == 200
            continue
        assert (answer.status_code, kind(answer)) == (403, "tenant-suspended"), path
    # What a person says against it is heard, and nothing else of the same routes.
    outcomes = f"/v1/communications/{sent['id']}/outcomes"
    said = {"subject": {"id": "crm-1"}, "purpose": "marketing", "method": "web_form"}
    lines = "\n".join(json.dumps({**said, "status": status}) for status in ("granted", "withdrawn"))
    stop = {"channel": "sms", "from": {"phone": "+15551234567"}, "text": "STOP"}
    for path, body, status in (
        ("/v1/consents", {**said, "status": "granted"}, 403),
        ("/v1/consents", {**said, "status": "requested"}, 403),
        ("/v1/consents", {**said, "status": "refused"}, 201),
        ("/v1/consents", {**said, "status": "withdrawn"}, 201),
        (outcomes, {"outcome": "replied"}, 403),
        (outcomes, {"outcome": "complained"}, 201),
        (outcomes, {"outcome": "bounced", "bounce": "hard"}, 201),
        ("/v1/communications/inbound", stop, 200),
        ("/v1/erasures", {"subject": {"id": "crm-1"}}, 403),
    ):
        answer = caller.post(path, body)
        assert answer.status_code == status, (path, body, answer.get_json())
        assert status != 403 or kind(answer) == "tenant-suspended"
    batch = caller.post("/v1/consents/batch", data=lines, content_type="application/x-ndjson")
    assert [json.loads(line)["status"] for line in batch.data.splitlines()] == [403, 201]
    assert client.get(leave).status_code == 200
    assert client.post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert client.get(preferences).status_code == 200
    assert client.get("/privacy/requests").status_code == 200
    asked = {"type": "access", "identities": [{"email": "anna@example.org"}]}
    assert caller.post("/v1/rights-requests", asked).status_code == 201
    assert caller.post(
        "/v1/objections", {"subject": {"email": "anna@example.org"}, "scope": "all"}
    ).status_code in (
        201,
        409,
    )
    # Clocks and erasures go on, messages to systems do not.
    assert any_runtime.tenant_ids(active=True) == []
    assert deliver_webhooks.run(any_runtime) == 0
    clock.forward(timedelta(days=40))
    assert run_rights_clocks.run(any_runtime) >= 1
    assert run_erasures.run(any_runtime) >= 1
    caller = Caller(client, caller.made)
    assert caller.post("/v1/tenant/resume").get_json()["state"] == "active"
    assert caller.get(f"/v1/erasures/{erasure['id']}").get_json()["status"] == "complete"
    assert caller.post("/access/v1/evaluation", QUESTION).status_code == 200
    assert kind(caller.post("/v1/tenant/resume")) == "tenant-active"


@pytest.mark.by_hand
def test_a_tenant_is_deleted_over_http_by_two_people(
    any_app: Flask, any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    from retention_jobs import close_tenants

    first, client = any_caller, any_app.test_client()
    first.put("/v1/subjects/crm-1", PERSON)
    exported = first.get("/v1/tenant/export")
    assert exported.content_type == "application/zip"
    assert check_archive(io.BytesIO(exported.data), any_runtime.vault.public_jwks()).ok
    assert first.post("/v1/tenant/deletion", {"grace_days": 0}).status_code == 422
    asked = first.post("/v1/tenant/deletion", {"grace_days": 2})
    assert (asked.status_code, asked.get_json()["state"]) == (201, "asked")
    refused = first.post("/v1/tenant/deletion/approve")
    assert (refused.status_code, kind(refused)) == (403, "second-person-needed")
    second = Caller(client, new_component(any_runtime))
    approved = second.post("/v1/tenant/deletion/approve").get_json()
    assert (approved["state"], first.get("/v1/tenant").get_json()["state"]) == ("approved", "leaving")
    assert second.post("/access/v1/evaluation", QUESTION).status_code == 403
    clock.forward(timedelta(days=3))
    assert close_tenants.run(any_runtime) == 1
    assert first.get("/v1/tenant").status_code in (401, 404)
    answer = client.post("/oauth/token", data={"grant_type": "client_credentials"})
    assert answer.status_code == 401
