"""Events and webhooks over HTTP: the feed, secrets shown once, URLs that lead inside, deliveries, scopes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from governance.egress.client import Egress
from governance.egress.signatures import verify
from governance.outbox import delivery
from governance.settings import Settings
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock
from tests.governance.outbox.receiver import Receiver, serving

SCHEMA = json.loads((Path(__file__).parents[1] / "fixtures/cloudevents/cloudevents.schema.json").read_text())
BODY = {"url": "https://93.184.215.14/hook", "types": ["governance.subject"]}


@pytest.fixture
def receiver(runtime: Runtime) -> Iterator[Receiver]:
    """A receiver that this installation may call."""
    with serving() as found:
        allowed = replace(runtime.settings, webhook_allow=frozenset({f"127.0.0.1:{found.port}"}))
        runtime.settings = allowed
        runtime.resources[Settings] = allowed
        yield found


def person(caller: Caller, external_id: str) -> None:
    answer = caller.put(f"/v1/subjects/{external_id}", {"relationship": "lead"})
    assert answer.status_code == 201, answer.data


def feed(caller: Caller, **query: Any) -> dict[str, Any]:
    answer = caller.get("/v1/events", query_string=query)
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def test_the_feed_gives_every_event_once_and_goes_on_where_it_ended(any_caller: Caller) -> None:
    caller = any_caller
    for number in range(5):
        person(caller, f"crm-{number}")
    seen: list[dict[str, Any]] = []
    page = feed(caller, limit=3)
    while page["next"] is not None:
        seen += page["items"]
        page = feed(caller, limit=3, after=page["next"])
    seen += page["items"]
    assert [each["data"]["position"] for each in seen] == list(range(len(seen)))
    for each in seen:
        jsonschema.validate(each, SCHEMA, format_checker=jsonschema.FormatChecker())
    created = [each for each in seen if each["type"] == "governance.subject.created"]
    assert [each["data"]["external_id"] for each in created] == [f"crm-{number}" for number in range(5)]
    # At the end: nothing new, and the same place to go on from.
    again = feed(caller, after=page["cursor"])
    assert (again["items"], again["next"], again["cursor"]) == ([], None, page["cursor"])
    person(caller, "crm-later")
    later = feed(caller, after=again["cursor"])
    assert "crm-later" in [each["data"]["external_id"] for each in later["items"]]
    assert later["items"][0]["data"]["position"] == len(seen)


def test_the_feed_is_read_with_either_scope_and_with_no_other(client: FlaskClient, runtime: Runtime) -> None:
    for scope in ("webhooks:read", "audit:read"):
        assert Caller(client, new_component(runtime, scope)).get("/v1/events").status_code == 200
    refused = Caller(client, new_component(runtime, "subjects:read")).get("/v1/events")
    assert refused.status_code == 403
    assert "webhooks:read" in refused.headers["WWW-Authenticate"]


def test_a_cursor_of_another_list_is_refused(caller: Caller) -> None:
    entries = caller.get("/v1/audit/entries?limit=1").get_json()
    assert caller.get("/v1/events", query_string={"after": entries["next"]}).status_code == 422


def test_the_secret_is_shown_when_it_is_made_and_never_again(any_caller: Caller) -> None:
    caller = any_caller
    made = caller.put("/v1/webhooks/crm", BODY)
    assert made.status_code == 201, made.data
    secret = made.get_json()["secret"]
    assert secret.startswith("whsec_")
    for answer in (
        caller.put("/v1/webhooks/crm", BODY),
        caller.put("/v1/webhooks/crm", {**BODY, "types": ["governance.consent"]}),
        caller.get("/v1/webhooks/crm"),
        caller.get("/v1/webhooks"),
    ):
        assert answer.status_code == 200, answer.data
        assert "secret" not in answer.get_json()
        assert secret not in answer.get_data(as_text=True)
    for path in ("/v1/audit/export", "/v1/events", "/v1/webhooks/crm/deliveries"):
        text = caller.get(path).get_data(as_text=True)
        assert secret not in text
        assert "93.184.215.14" not in text


def test_a_rotation_shows_the_new_secret_and_its_repeat_the_same(caller: Caller) -> None:
    first = caller.put("/v1/webhooks/crm", BODY).get_json()["secret"]
    headers = {"Idempotency-Key": "rotate-1"}
    turned = caller.post("/v1/webhooks/crm/rotate", {"overlap": "PT2H"}, headers=headers)
    assert turned.status_code == 200, turned.data
    document = turned.get_json()
    assert document["secret"] != first
    assert document["previous_secret_until"] == "2026-11-21T12:00:00.000000Z"
    repeated = caller.post("/v1/webhooks/crm/rotate", {"overlap": "PT2H"}, headers=headers).get_json()
    assert repeated["secret"] == document["secret"]
    another = caller.post("/v1/webhooks/crm/rotate", {}).get_json()
    assert another["secret"] not in (first, document["secret"])
    assert (
        "secret"
        not in caller.post("/v1/webhooks/crm/rotate", {"overlap": "PT2H"}, headers=headers).get_json()
    )
    for overlap in ("1 day", "P8D", "PT9999H", "", 5, None, "PT-1H"):
        assert caller.post("/v1/webhooks/crm/rotate", {"overlap": overlap}).status_code == 422, overlap


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://localhost/",
        "https://user@example.com/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "ftp://example.com/",
        "x" * 3000,
    ],
)
def test_a_url_that_leads_inside_is_refused_by_name_of_its_field(caller: Caller, url: str) -> None:
    answer = caller.put("/v1/webhooks/crm", {**BODY, "url": url})
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert "url" in answer.get_data(as_text=True)
    assert caller.get("/v1/webhooks/crm").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": BODY["url"]},
        {**BODY, "types": []},
        {**BODY, "types": ["consent"]},
        {**BODY, "types": ["governance.*"]},
        {**BODY, "types": "governance"},
        {**BODY, "state": "paused"},
        {**BODY, "secret": "whsec_mine"},
        {**BODY, "url": 5},
    ],
)
def test_what_makes_no_sense_is_refused(caller: Caller, body: dict[str, Any]) -> None:
    assert caller.put("/v1/webhooks/crm", body).status_code == 422


def test_unknown_ids_are_not_found_and_odd_ones_refused(caller: Caller) -> None:
    assert caller.get("/v1/webhooks/nobody").status_code == 404
    assert caller.get("/v1/webhooks/nobody/deliveries").status_code == 404
    assert caller.delete("/v1/webhooks/nobody").status_code == 404
    assert caller.post("/v1/webhooks/nobody/rotate", {}).status_code == 404
    assert caller.put("/v1/webhooks/Not.An.Id", BODY).status_code == 422


def test_deliveries_tell_state_attempts_and_lag(
    caller: Caller, runtime: Runtime, receiver: Receiver, clock: HandClock
) -> None:
    secret = caller.put("/v1/webhooks/crm", {**BODY, "url": receiver.url}).get_json()["secret"]
    for number in range(4):
        person(caller, f"crm-{number}")
    receiver.plan = lambda _request: (500 if len(receiver.requests) == 1 else 200, {}, 0.0)
    assert delivery.run_due(runtime, Egress(clock=clock)) == 3
    for request in receiver.requests:
        verify(secret, request.headers, request.body, clock.now())
    page = caller.get("/v1/webhooks/crm/deliveries?limit=2").get_json()
    assert len(page["items"]) == 2
    rest = caller.get(
        "/v1/webhooks/crm/deliveries", query_string={"limit": 2, "after": page["next"]}
    ).get_json()
    assert rest["next"] is None
    items = page["items"] + rest["items"]
    assert [each["state"] for each in items] == ["delivered", "delivered", "delivered", "pending"]
    assert items[-1]["problem"] == "http-500"
    assert items[-1]["next_at"] > items[-1]["last_tried_at"]
    summary = page["summary"]
    assert (summary["pending"], summary["delivered"], summary["dead"], summary["behind"]) == (1, 3, 0, 0)
    assert summary["lag_seconds"] == {"p50": 0.0, "p95": 0.0, "max": 0.0}
    assert summary["lag_of_all_seconds"] == summary["lag_seconds"]
    waiting = caller.get("/v1/webhooks/crm/deliveries?state=pending").get_json()["items"]
    assert [each["event"] for each in waiting] == [items[-1]["event"]]
    assert caller.get("/v1/webhooks/crm/deliveries?state=lost").status_code == 422
    stray = {"after": page["next"], "state": "pending"}
    assert caller.get("/v1/webhooks/crm/deliveries", query_string=stray).status_code == 422


def test_a_removed_webhook_is_told_nothing_more(caller: Caller, runtime: Runtime, receiver: Receiver) -> None:
    caller.put("/v1/webhooks/crm", {**BODY, "url": receiver.url})
    person(caller, "crm-1")
    answer = caller.delete("/v1/webhooks/crm")
    assert (answer.status_code, answer.data) == (204, b"")
    assert delivery.run_due(runtime, Egress()) == 0
    assert receiver.requests == []
    assert caller.get("/v1/webhooks/crm").status_code == 404


def test_one_that_is_switched_off_waits_and_loses_nothing(
    caller: Caller, runtime: Runtime, receiver: Receiver
) -> None:
    body = {**BODY, "url": receiver.url}
    caller.put("/v1/webhooks/crm", body)
    off = caller.put("/v1/webhooks/crm", {**body, "state": "disabled"}).get_json()
    assert (off["state"], off["because"]) == ("disabled", "asked")
    person(caller, "crm-1")
    assert delivery.run_due(runtime, Egress()) == 0
    on = caller.put("/v1/webhooks/crm", body).get_json()
    assert (on["state"], on["because"]) == ("active", None)
    assert delivery.run_due(runtime, Egress()) == 1


def test_reading_and_changing_are_different_scopes_and_tenants_are_apart(
    client: FlaskClient, runtime: Runtime, caller: Caller
) -> None:
    caller.put("/v1/webhooks/crm", BODY)
    reader = Caller(client, new_component(runtime, "webhooks:read"))
    assert reader.get("/v1/webhooks/crm").status_code == 200
    assert reader.put("/v1/webhooks/crm", BODY).status_code == 403
    assert reader.delete("/v1/webhooks/crm").status_code == 403
    assert reader.post("/v1/webhooks/crm/rotate", {}).status_code == 403
    runtime.create_tenant("other", name="Other", country="DE", address=None)
    stranger = Caller(client, new_component(runtime, tenant="other"))
    assert stranger.get("/v1/webhooks").get_json()["items"] == []
    assert stranger.get("/v1/webhooks/crm").status_code == 404
    assert stranger.delete("/v1/webhooks/crm").status_code == 404
    cursor = caller.get("/v1/events?limit=1").get_json()["cursor"]
    assert stranger.get("/v1/events", query_string={"after": cursor}).status_code == 422


def test_neither_secret_nor_url_is_logged(
    caller: Caller, runtime: Runtime, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = caller.put("/v1/webhooks/crm", {**BODY, "url": f"{receiver.url}path-token"}).get_json()["secret"]
    person(caller, "crm-external-id")
    receiver.plan = lambda _request: (500, {}, 0.0)
    delivery.run_due(runtime, Egress())
    said = "".join(capfd.readouterr())
    assert said
    for hidden in (secret, secret.removeprefix("whsec_"), "path-token", "crm-external-id"):
        assert hidden not in said
