"""The main job over HTTP: people come in, consent is proven, gates answer, all of it can be audited."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from governance.ledger.verify import verify_export
from tests.api.conftest import Caller

PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
ADDRESS = "jane.roe@example.org"


def person(caller: Caller, external_id: str = "crm-1", **more: Any) -> dict[str, Any]:
    body = {
        "identifiers": [{"type": "email", "value": ADDRESS}],
        "attributes": {"country": "DE"},
        "relationship": "lead",
        **more,
    }
    answer = caller.put(f"/v1/subjects/{external_id}", body)
    assert answer.status_code == 201, answer.data
    return answer.get_json()


def consent(**more: Any) -> dict[str, Any]:
    return {
        "subject": {"id": "crm-1"},
        "purpose": "marketing",
        "channel": "email",
        "status": "granted",
        "method": "web_form",
        "evidence": {"form_url": "https://www.example.org/form"},
        **more,
    }


def check(caller: Caller, external_id: str = "crm-1", **properties: Any) -> dict[str, Any]:
    answer = caller.post(
        "/access/v1/evaluation",
        {
            "subject": {"type": "component", "id": "campaign-engine"},
            "action": {"name": "communication.send", "properties": {**PROMOTION, **properties}},
            "resource": {"type": "data_subject", "id": external_id},
        },
    )
    assert answer.status_code == 200, answer.data
    return answer.get_json()


def codes(decision: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in decision["context"]["reasons"]]


def test_consent_opens_the_gate_and_its_withdrawal_closes_it_for_the_next_check(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    assert not check(caller)["decision"]
    given = caller.post("/v1/consents", consent())
    assert given.status_code == 201, given.data
    body = given.get_json()
    assert body["receipt"].count(".") == 2
    assert len(body["ledger"]["leaf_hash"]) == 64
    assert body["confirmation"] is None
    assert check(caller)["decision"], check(caller)
    assert caller.post("/v1/consents", consent(status="withdrawn")).status_code == 201
    after = check(caller)
    assert not after["decision"]
    assert "consent-withdrawn" in codes(after)
    for reason in after["context"]["reasons"]:
        assert reason["text"]
    logged = caller.get(f"/v1/decisions/{after['context']['id']}")
    assert logged.status_code == 200
    assert logged.get_json()["decision"] is False


def test_a_permitted_message_is_authorised_and_a_forbidden_one_answers_403_with_the_decision(
    any_caller: Caller,
) -> None:
    caller = any_caller
    person(caller)
    send = {"subject": {"id": "crm-1"}, "message_id": "m-1", "campaign": "spring", **PROMOTION}
    denied = caller.post("/v1/communications", send)
    assert denied.status_code == 403
    problem = denied.get_json()
    assert problem["type"].endswith("/denied-by-policy")
    assert problem["decision"]["decision"] is False
    trace = caller.get("/v1/decisions?decision=deny&subject=crm-1").get_json()["items"]
    assert problem["decision"]["context"]["id"] in {each["id"] for each in trace}
    caller.post("/v1/consents", consent())
    allowed = caller.post("/v1/communications", send)
    assert allowed.status_code == 201, allowed.data
    body = allowed.get_json()
    assert body["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    outcome = caller.post(f"/v1/communications/{body['id']}/outcomes", {"outcome": "delivered"})
    assert outcome.status_code == 201, outcome.data
    history = caller.get("/v1/subjects/crm-1/communications").get_json()
    assert [each["message_id"] for each in history["items"]] == ["m-1"]


def test_one_click_unsubscribe_acts_on_post_only(caller: Caller, client: FlaskClient) -> None:
    person(caller)
    caller.post("/v1/consents", consent())
    sent = caller.post("/v1/communications", {"subject": {"id": "crm-1"}, "message_id": "m-1", **PROMOTION})
    link = (
        sent.get_json()["headers"]["List-Unsubscribe"].strip("<>").replace("https://privacy.example.org", "")
    )
    shown = client.get(link)
    assert shown.status_code == 200
    assert "Set-Cookie" not in shown.headers
    assert ADDRESS not in shown.get_data(as_text=True)
    assert check(caller)["decision"]
    done = client.post(link, data={"List-Unsubscribe": "One-Click"}, headers={"Sec-GPC": "1"})
    assert done.status_code == 200
    assert "Location" not in done.headers
    assert "consent-withdrawn" in codes(check(caller))
    state = caller.get("/v1/subjects/crm-1/consents").get_json()
    assert any(each["purpose"] == "sale_sharing" for each in state["objections"])
    assert client.post(link).status_code == 200
    assert client.get(link[:-2] + "xx").status_code == 404
    assert client.get("/unsubscribe/nonsense", headers={"Accept": "text/html"}).content_type.startswith(
        "text/html"
    )


def test_a_double_opt_in_is_confirmed_through_the_link(caller: Caller, client: FlaskClient) -> None:
    person(caller)
    asked = caller.post("/v1/consents", consent(status="requested", double_opt_in=True)).get_json()
    token = asked["confirmation"]["token"]
    assert "consent-unconfirmed" in codes(check(caller))
    shown = client.get(f"/confirm/{token}")
    assert shown.status_code == 200, shown.data
    assert "Marketing of our own goods and services" in shown.get_data(as_text=True), "not its id"
    assert not check(caller)["decision"]
    assert client.post(f"/confirm/{token}").status_code == 200
    assert check(caller)["decision"]
    assert client.get("/confirm/tnt_0.nonsense-nonsense-nonsense").status_code == 404
    again = caller.post("/v1/consents/confirm", {"token": token})
    assert again.status_code == 200, again.data
    assert caller.post("/v1/consents/confirm", {"token": "x"}).status_code == 404


def test_evaluations_follow_their_semantic(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    caller.post("/v1/consents", consent())
    body = {
        "subject": {"type": "component", "id": "c"},
        "action": {"name": "communication.send", "properties": PROMOTION},
        "evaluations": [
            {"resource": {"type": "data_subject", "id": "nobody"}},
            {"resource": {"type": "data_subject", "id": "crm-1"}},
        ],
    }
    answers = caller.post("/access/v1/evaluations", body).get_json()["evaluations"]
    assert [each["decision"] for each in answers] == [False, True]
    body["options"] = {"evaluations_semantic": "deny_on_first_deny"}
    assert len(caller.post("/access/v1/evaluations", body).get_json()["evaluations"]) == 1
    body["options"] = {"evaluations_semantic": "maybe"}
    assert caller.post("/access/v1/evaluations", body).status_code == 400


def test_a_transition_moves_dry_runs_and_is_denied(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    body = {
        "subject": {"id": "crm-1"},
        "to": "client",
        "evidence": {"contract_reference": "C-1"},
        "because": "referred",
    }
    dry = caller.post("/v1/lifecycle/transitions", {**body, "dry_run": True})
    assert dry.status_code == 200, dry.data
    assert dry.get_json()["consequences"]
    assert caller.get("/v1/subjects/crm-1").get_json()["relationship"] == "lead"
    moved = caller.post("/v1/lifecycle/transitions", body)
    assert moved.status_code == 201, moved.data
    assert moved.get_json()["ledger"]["position"] > 0
    denied = caller.post("/v1/lifecycle/transitions", {"subject": {"id": "crm-1"}, "to": "contact"})
    assert denied.status_code == 403, denied.data
    assert denied.get_json()["type"].endswith("/denied-by-policy")
    assert caller.post("/v1/lifecycle/transitions", {**body, "to": "nowhere"}).status_code == 422
    assert caller.get("/v1/lifecycle/models").get_json()["items"]
    assert caller.get("/v1/lifecycle/map").get_json()["matrix"]


def test_the_export_and_the_proofs_verify_offline(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    export = caller.get("/v1/audit/export")
    assert export.status_code == 200
    lines = export.get_data().splitlines(keepends=True)
    assert verify_export(iter(lines), vkey=None, older_checkpoint=None).ok
    assert "checkpoint" in json.loads(lines[-1])
    note = caller.get("/v1/audit/checkpoint")
    assert note.content_type.startswith("text/plain")
    size = int(note.get_data(as_text=True).splitlines()[1])
    proof = caller.get(f"/v1/audit/proofs/inclusion?position=0&size={size}").get_json()
    assert len(proof["root"]) == 64
    assert caller.get(f"/v1/audit/proofs/consistency?from=1&to={size}").status_code == 200
    assert caller.get(f"/v1/audit/proofs/inclusion?position={size}&size={size}").status_code == 422
    first = caller.get("/v1/audit/entries?limit=2").get_json()
    second = caller.get(f"/v1/audit/entries?limit=2&after={first['next']}").get_json()
    assert [each["position"] for each in first["items"] + second["items"]] == [0, 1, 2, 3]


def test_people_are_found_merged_split_restricted_and_told_about(any_caller: Caller) -> None:
    caller = any_caller
    made = person(caller)
    assert "value" not in made["identifiers"][0]
    assert caller.get("/v1/subjects/crm-1").get_json()["identifiers"][0]["value"] == ADDRESS
    found = caller.post("/v1/subjects/lookup", {"subject": {"email": ADDRESS}})
    assert found.get_json()["id"] == "crm-1"
    assert caller.post("/v1/subjects/lookup", {"subject": {"email": "x@example.org"}}).status_code == 404
    person(caller, "crm-2", identifiers=[{"type": "phone", "value": "+4930123456"}])
    merged = caller.post("/v1/subjects/crm-2/merge", {"into": "crm-1"})
    assert merged.status_code == 200, merged.data
    assert len(caller.get("/v1/subjects/crm-2").get_json()["identifiers"]) == 2
    parted = caller.post("/v1/subjects/crm-2/split", {})
    assert parted.status_code == 200, parted.data
    restricted = caller.put("/v1/subjects/crm-1/restriction", {"restricted": True, "because": "disputed"})
    assert restricted.get_json()["standing"]["restricted"] is True
    happened = caller.post("/v1/subjects/crm-1/events", {"event": "purchase", "reference": "I-1"})
    assert happened.status_code == 201, happened.data
    timeline = caller.get("/v1/subjects/crm-1/timeline").get_json()["items"]
    assert "subject.restricted" in {each.get("kind") for each in timeline}
    other_stage = caller.put("/v1/subjects/crm-1", {"relationship": "client"})
    assert other_stage.status_code == 409
    assert other_stage.get_json()["type"].endswith("/use-transition")
    assert caller.put("/v1/subjects/jane@example.org", {}).status_code == 422


def test_noes_are_recorded_looked_up_and_released(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    caller.post("/v1/consents", consent())
    objected = caller.post("/v1/objections", {"subject": {"id": "crm-1"}, "scope": "all", "method": "email"})
    assert objected.status_code == 201, objected.data
    assert "objection" in codes(check(caller))
    refused = caller.post(f"/v1/objections/{objected.get_json()['id']}/release", {"method": "staff"})
    assert refused.status_code == 409
    suppressed = caller.post(
        "/v1/suppressions", {"contact_point": {"type": "email", "value": ADDRESS}, "scope": "marketing"}
    )
    assert suppressed.status_code == 201, suppressed.data
    assert "suppressed" in codes(check(caller))
    listed = caller.post(
        "/v1/suppressions/lookup", {"contact_point": {"type": "email", "value": ADDRESS.upper()}}
    ).get_json()
    # The address is shut, and so is the person whose it is.
    assert {each["id"] for each in listed["items"]} == {
        suppressed.get_json()["id"],
        objected.get_json()["id"],
    }
    released = caller.post(
        f"/v1/suppressions/{suppressed.get_json()['id']}/release", {"because": "Entered by mistake."}
    )
    assert released.get_json()["released_at"]
    assert caller.post("/v1/suppressions", {"scope": "all"}).status_code == 422
    history = caller.get("/v1/subjects/crm-1/consents/history").get_json()["items"]
    assert {each["status"] for each in history} >= {"granted", "objected"}
    past = caller.get("/v1/subjects/crm-1/consents?as_of=0").get_json()
    assert past["consents"] == []
    assert caller.get("/v1/subjects/crm-1/consents?as_of=2026-11-21T10:00:00%2B01:00").status_code == 200
    assert caller.get("/v1/subjects/crm-1/consents?as_of=yesterday").status_code == 422


def test_catalogue_and_notices_change_by_version(any_caller: Caller) -> None:
    caller = any_caller
    got = caller.get("/v1/purposes/marketing")
    assert got.status_code == 200
    tag = got.headers["ETag"]
    body = {
        "title": "Marketing",
        "owner": "cmo",
        "lawful_basis": "consent",
        "message_classes": ["promotional"],
    }
    assert caller.put("/v1/purposes/marketing", body).status_code == 428
    changed = caller.put("/v1/purposes/marketing", body, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.data
    assert caller.put("/v1/purposes/marketing", body, headers={"If-Match": tag}).status_code == 412
    created = caller.put("/v1/purposes/surveys", {"title": "Surveys"})
    assert created.status_code == 201, created.data
    assert created.get_json()["state"] == "inactive"
    notice = {"texts": {"en": "We write to you."}}
    assert caller.put("/v1/notices/n/versions/1", notice).status_code == 201
    assert caller.put("/v1/notices/n/versions/1", notice).status_code == 200
    assert caller.put("/v1/notices/n/versions/1", {"texts": {"en": "Else."}}).status_code == 428
    version = caller.get("/v1/notices/n/versions/1")
    assert version.get_json()["texts"]["en"]["text"] == "We write to you."
    else_ = caller.put(
        "/v1/notices/n/versions/1", {"texts": {"en": "Else."}}, headers={"If-Match": version.headers["ETag"]}
    )
    assert else_.status_code == 200
    point = caller.put(
        "/v1/capture-points/fair", {"title": "Fair", "owner": "sales", "purposes": ["marketing"]}
    )
    assert point.status_code == 201, point.data
    listed = caller.get("/v1/capture-points").get_json()["items"]
    (fair,) = [each for each in listed if each["id"] == "fair"]
    assert (fair["title"], fair["owner"], fair["purposes"]) == ("Fair", "sales", ["marketing"])
    assert {"web-form", "phone-call", "event-desk"} <= {each["id"] for each in listed}
    taken = caller.post(
        "/v1/captures",
        {
            "capture_point": "fair",
            "subject": {"id": "crm-9", "identifiers": [{"type": "email", "value": ADDRESS}]},
            "consents": [{"purpose": "marketing", "status": "granted", "channel": "email"}],
            "events": [{"event": "inquiry", "occurred_at": "2026-10-05T10:00:00Z"}, {"event": "purchase"}],
            "evidence": {"form_url": "https://www.example.org"},
        },
        headers={"Sec-GPC": "1"},
    )
    assert taken.status_code == 201, taken.data
    assert taken.get_json()["objection"]
    inquiry, purchase = taken.get_json()["events"]
    assert inquiry["occurred_at"] == "2026-10-05T10:00:00.000000Z" < purchase["occurred_at"]
    assert caller.get("/v1/policies").get_json()["items"]
    names = [each["pack"] for each in caller.get("/v1/policies").get_json()["items"]]
    pack = caller.get(f"/v1/policies/{names[0]}").get_json()
    assert pack["rules"]
    assert pack["text"]


@pytest.mark.parametrize("path", ["/v1/receipts/x", "/v1/decisions/x", "/v1/screenings/x", "/v1/imports/x"])
def test_what_does_not_exist_is_not_found(caller: Caller, path: str) -> None:
    assert caller.get(path).status_code == 404


def test_receipts_are_given_again(caller: Caller) -> None:
    person(caller)
    made = caller.post("/v1/consents", consent()).get_json()
    again = caller.get(f"/v1/receipts/{made['receipt_id']}")
    assert again.status_code == 200
    assert again.get_json()["receipt"].count(".") == 2
