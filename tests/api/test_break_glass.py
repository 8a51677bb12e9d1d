"""Broken glass over HTTP: a quarter of an hour, a reason, a second person; and the exposure of a person."""

from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from tests.api.conftest import Caller, new_component
from tests.api.test_restrictions import LIFTED
from tests.conftest import HandClock

PERSON = {
    "identifiers": [{"type": "email", "value": "anna@example.org"}],
    "attributes": {"country": "DE"},
    "relationship": "client",
}


def read(
    caller: Caller,
    asker: tuple[str, str],
    *fields: str,
    purpose: str = "customer_care",
    context: dict[str, str] | None = None,
) -> dict[str, Any]:
    body = {
        "subject": {"type": asker[0], "id": asker[1]},
        "action": {"name": "data.read", "properties": {"fields": list(fields), "purpose": purpose}},
        "resource": {"type": "data_subject", "id": "crm-1"},
        "context": context or {},
    }
    answer = caller.post("/access/v1/evaluation", body)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.get_json()
    return document


def test_the_glass_opens_fields_for_a_quarter_of_an_hour_and_another_person_looks_at_it(
    caller: Caller, client: FlaskClient, runtime: Runtime, clock: HandClock
) -> None:
    assert caller.put("/v1/subjects/crm-1", PERSON).status_code == 201
    second = Caller(client, new_component(runtime))
    me = ("component", caller.made.component.client_id)
    desk = {"kind": "human_operated", "roles": ["call_centre"], "clients": [me[1]]}
    assert second.put("/v1/components/desk", desk).status_code == 201
    assert read(caller, me, "iban")["decision"] is False
    body = {"subject": {"id": "crm-1"}, "fields": ["iban", "phone"], "reason": "A fraud is under way."}
    made = caller.post("/v1/access/break-glass", body, headers={"Idempotency-Key": "once"})
    assert made.status_code == 201, made.data
    again = caller.post("/v1/access/break-glass", body, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.get_json()) == (201, made.get_json())
    grant = made.get_json()
    assert grant["expires_at"] == "2026-11-21T10:15:00.000000Z"
    for time, open_then in (("2026-11-21T10:14:59Z", True), ("2026-11-21T10:15:00Z", False)):
        assert read(caller, me, "iban", context={"time": time})["decision"] is open_then, time
    seen = read(caller, me, "iban")
    assert seen["decision"] is True
    assert seen["context"]["permits"] == ["data-read.behind-broken-glass"]
    assert [each["properties"]["action"] for each in seen["context"]["obligations"]] == ["reason-and-review"]
    assert read(caller, me, "iban", "health")["context"]["fields"] == {"iban": "allow", "health": "deny"}
    assert read(caller, me, "birth_date")["decision"] is False, "no other field"
    marketing = read(caller, me, "iban", purpose="marketing")
    assert marketing["decision"] is False, "and no other purpose than those of the role"
    assert marketing["context"]["denied"]["iban"] == ["purpose-not-granted"]
    other = ("component", second.made.component.client_id)
    assert read(caller, other, "iban")["decision"] is False, "and nobody else"
    # Nothing opens what is restricted
    caller.put(
        "/v1/subjects/crm-1/restriction", {"restricted": True, "because": "The person contests the data."}
    )
    assert read(caller, me, "iban")["decision"] is False
    caller.put("/v1/subjects/crm-1/restriction", LIFTED)
    assert read(caller, me, "iban")["decision"] is True
    # The queue, and a second person
    (waiting,) = second.get("/v1/access/break-glass?review=pending").get_json()["items"]
    assert (waiting["id"], waiting["reason"]) == (grant["id"], "A fraud is under way.")
    path, outcome = (
        f"/v1/access/break-glass/{grant['id']}/review",
        {"outcome": "not_justified", "note": "No."},
    )
    refused = caller.post(path, outcome)
    assert refused.status_code == 403
    assert refused.get_json()["type"].endswith("/second-person-needed")
    assert second.post(path, outcome).get_json()["review"] == "not_justified"
    assert second.post(path, outcome).status_code == 409
    assert read(caller, me, "iban")["decision"] is False, "what was not justified ends at once"
    assert second.get("/v1/access/break-glass?review=pending").get_json()["items"] == []
    # By itself it ends after a quarter of an hour
    assert caller.post("/v1/access/break-glass", body).status_code == 201
    clock.forward(timedelta(minutes=15) - timedelta(microseconds=1))
    assert read(caller, me, "iban")["decision"] is True
    clock.forward(timedelta(microseconds=1))
    assert read(caller, me, "iban")["decision"] is False


def test_what_cannot_be_opened_is_refused(caller: Caller) -> None:
    assert caller.put("/v1/subjects/crm-1", PERSON).status_code == 201
    whole = {"subject": {"id": "crm-1"}, "fields": ["iban"], "reason": "A fraud is under way."}
    for change, status in (
        ({"fields": ["ibann"]}, 422),
        ({"fields": []}, 422),
        ({"reason": ""}, 422),
        ({"subject": {"id": "crm-9"}}, 404),
        ({"asker": {"type": "staff", "id": "st-404"}}, 422),
        ({"asker": {"type": "user", "id": "st-1"}}, 422),
    ):
        assert caller.post("/v1/access/break-glass", {**whole, **change}).status_code == status, change
    assert caller.get("/v1/access/break-glass/bgl_none").status_code == 404
    assert (
        caller.post(
            "/v1/access/break-glass/bgl_none/review", {"outcome": "justified", "note": "x"}
        ).status_code
        == 404
    )


def test_glass_that_opens_nothing_is_not_broken(any_caller: Caller) -> None:
    caller = any_caller
    assert caller.put("/v1/subjects/crm-1", PERSON).status_code == 201
    for path, body in (
        ("staff/st-sup", {"roles": ["support_agent"]}),
        ("staff/st-new", {}),
        ("components/bot", {"kind": "ai", "roles": ["ai_agent"]}),
    ):
        assert caller.put(f"/v1/{path}", body).status_code == 201

    def broken(kind: str, name: str, *fields: str) -> tuple[int, str]:
        whole = {"subject": {"id": "crm-1"}, "fields": list(fields), "reason": "A fraud is under way."}
        answer = caller.post("/v1/access/break-glass", {**whole, "asker": {"type": kind, "id": name}})
        return answer.status_code, str(answer.get_json().get("detail"))

    status, why = broken("component", "bot", "email")
    assert (status, why) == (409, "No machine breaks the glass; let a colleague look.")
    status, why = broken("staff", "st-sup", "iban", "health")
    assert status == 409
    assert why.startswith("Broken glass does not open health. Health, belief")
    status, why = broken("staff", "st-sup", "first_name", "email")
    assert (status, why) == (409, "Whoever asks sees first_name, email without breaking the glass.")
    status, why = broken("staff", "st-new", "iban")
    assert (status, why.endswith("no role that works for any purpose.")) == (409, True)
    restriction = "/v1/subjects/crm-1/restriction"
    caller.put(restriction, {"restricted": True, "because": "The person contests the data."})
    status, why = broken("staff", "st-sup", "iban")
    assert (status, "Restricted data are only stored" in why) == (409, True)
    assert caller.get("/v1/access/break-glass").get_json()["items"] == [], "nothing waits for a review"
    caller.put(restriction, LIFTED)
    status, why = broken("staff", "st-sup", "first_name", "iban")
    assert status == 201, why
    for purpose, opens in (("customer_care", True), ("marketing", False)):
        assert read(caller, ("staff", "st-sup"), "iban", purpose=purpose)["decision"] is opens, purpose


def test_the_exposure_of_a_person_tells_who_could_see_them_and_who_did(caller: Caller) -> None:
    assert caller.put("/v1/subjects/crm-1", PERSON).status_code == 201
    assert caller.put("/v1/staff/st-1", {"roles": ["support_agent"]}).status_code == 201
    analyst = {"roles": ["analyst"], "purposes": ["customer_care"], "fields": ["tickets"]}
    assert caller.put("/v1/staff/st-2", analyst).status_code == 201
    assert caller.put("/v1/components/bot", {"kind": "ai", "roles": ["ai_agent"]}).status_code == 201
    read(caller, ("staff", "st-1"), "email", "iban")
    read(caller, ("staff", "st-1"), "email")
    read(caller, ("staff", "st-2"), "email")
    assert (
        caller.post(
            "/v1/access/break-glass",
            {
                "subject": {"id": "crm-1"},
                "fields": ["iban"],
                "reason": "A fraud is under way.",
                "asker": {"type": "staff", "id": "st-2"},
            },
        ).status_code
        == 201
    )
    read(caller, ("staff", "st-2"), "iban")
    told = caller.get("/v1/subjects/crm-1/exposure").get_json()
    could = {each["id"]: {one["purpose"]: one for one in each["purposes"]} for each in told["could_see"]}
    assert set(could) == {"st-1", "st-2", "bot"}
    assert "email" in could["st-1"]["customer_care"]["allow"]
    assert "email" in could["bot"]["customer_care"]["mask"]
    assert "iban" not in could["st-1"]["customer_care"]["allow"]
    did = {each["asker"]["id"]: each for each in told["did_see"]}
    assert set(did) == {"st-1", "st-2"}
    assert (did["st-1"]["fields"], did["st-1"]["reads"]) == (["email"], 2)
    assert did["st-1"]["callers"] == [caller.made.component.client_id]
    (grant,) = told["break_glass"]
    assert (did["st-2"]["fields"], did["st-2"]["break_glass"]) == (["iban"], [grant["id"]])
    assert did["st-2"]["refused"] == 1
    # After a restriction nobody could, and what was done stays
    caller.put(
        "/v1/subjects/crm-1/restriction", {"restricted": True, "because": "The person contests the data."}
    )
    caller.put("/v1/staff/st-1", {"status": "left"})
    after = caller.get("/v1/subjects/crm-1/exposure").get_json()
    assert after["could_see"] == []
    assert {each["asker"]["id"] for each in after["did_see"]} == {"st-1", "st-2"}
    assert caller.get("/v1/subjects/crm-9/exposure").status_code == 404


def test_whoever_leaves_leaves_a_list_of_what_needs_another_owner(
    caller: Caller, client: FlaskClient, runtime: Runtime
) -> None:
    assert caller.put("/v1/subjects/crm-1", PERSON).status_code == 201
    credential = new_component(runtime)
    theirs = Caller(client, credential)
    body = {"roles": ["support_agent"], "clients": [credential.component.client_id]}
    assert caller.put("/v1/staff/st-1", body).status_code == 201
    hold = theirs.post(
        "/v1/holds",
        {"matter": "Smith v. Acme", "scope": {"subject": {"id": "crm-1"}}, "reason": "Litigation"},
    )
    assert hold.status_code == 201, hold.data
    glass = theirs.post(
        "/v1/access/break-glass",
        {"subject": {"id": "crm-1"}, "fields": ["iban"], "reason": "A fraud is under way."},
    )
    assert glass.get_json()["asker"] == {"type": "staff", "id": "st-1"}
    assert read(caller, ("staff", "st-1"), "iban")["decision"] is True
    left = caller.put("/v1/staff/st-1", {"status": "left"}).get_json()["left_behind"]
    assert [each["id"] for each in left["holds"]] == [hold.get_json()["id"]]
    assert [(each["kind"], each["id"]) for each in left["approvals"]] == [
        ("break_glass", glass.get_json()["id"])
    ]
    assert left["tasks"] == []
    assert caller.get("/v1/staff/st-1").get_json()["left_behind"] == left
    assert read(caller, ("staff", "st-1"), "iban")["decision"] is False, "no glass stays broken for who left"
