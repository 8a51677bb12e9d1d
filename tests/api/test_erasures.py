"""Erasures over HTTP: ordered, undone, looked at; what frozen people are kept from."""

from governance.bootstrap import Runtime
from retention_jobs import run_erasures
from tests.api.conftest import Caller

PERSON = {"identifiers": [{"type": "email", "value": "anna@example.org"}], "attributes": {"country": "US"}}
ORDER = {"subject": {"id": "crm-1"}, "undo_hours": 0}


def _may_send(caller: Caller, message_class: str) -> bool:
    question = {
        "subject": {"type": "component", "id": "crm"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": message_class, "purpose": "service"},
        },
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    answer = caller.post("/access/v1/evaluation", question).get_json()
    return bool(answer["decision"])


def test_an_order_freezes_the_person_and_the_job_erases(any_caller: Caller, any_runtime: Runtime) -> None:
    any_caller.put("/v1/subjects/crm-1", {**PERSON, "relationship": "client"})
    assert _may_send(any_caller, "security")
    ordered = any_caller.post("/v1/erasures", {**ORDER, "undo_hours": 24})
    assert ordered.status_code == 202
    told = ordered.get_json()
    assert (told["status"], told["subject"]) == ("undo_window", "crm-1")
    assert [step["system"] for step in told["steps"]] == ["governance"]
    assert not _may_send(any_caller, "security"), "a frozen person gets nothing"
    undone = any_caller.post(f"/v1/erasures/{told['id']}/cancel", {})
    assert undone.get_json()["status"] == "cancelled"
    assert _may_send(any_caller, "security")

    told = any_caller.post("/v1/erasures", ORDER).get_json()
    assert run_erasures.run(any_runtime) == 1
    done = any_caller.get(f"/v1/erasures/{told['id']}").get_json()
    assert done["status"] == "complete"
    assert done["subject"] is None
    assert done["certificate"].count(".") == 2
    assert any_caller.get("/v1/subjects/crm-1").status_code == 404
    back = any_caller.put("/v1/subjects/crm-1", PERSON)
    assert back.status_code == 409
    assert back.get_json()["type"].endswith("/resurrection-blocked")
    again = any_caller.post(
        "/v1/captures", {"capture_point": "web-form", "subject": {"id": "crm-1", **PERSON}}
    )
    assert again.status_code == 201, again.get_json()
    listed = any_caller.get("/v1/erasures?status=complete").get_json()["items"]
    assert [each["id"] for each in listed] == [told["id"]]


def test_what_cannot_be_ordered_is_named(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    unknown = any_caller.post("/v1/erasures", {"subject": {"id": "crm-9"}})
    assert unknown.status_code == 404
    for body, field in (
        ({**ORDER, "reason": "Because Anna asked"}, "reason"),
        ({**ORDER, "undo_hours": 721}, "undo_hours"),
        ({**ORDER, "undo_hours": "soon"}, "undo_hours"),
        ({**ORDER, "scope": {"data_classes": ["shoe_size"]}}, "scope.data_classes"),
        ({**ORDER, "scope": {}}, "scope"),
    ):
        refused = any_caller.post("/v1/erasures", body)
        assert refused.status_code == 422, body
        assert field.split(".")[0] in repr(refused.get_json()["errors"]), body
    assert any_caller.get("/v1/erasures/era_none").status_code == 404
    ordered = any_caller.post("/v1/erasures", ORDER).get_json()
    late = any_caller.post(f"/v1/erasures/{ordered['id']}/cancel", {})
    assert (late.status_code, late.get_json()["type"].rsplit("/", 1)[1]) == (409, "too-late")
    early = any_caller.post(f"/v1/erasures/{ordered['id']}/retry", {})
    assert early.get_json()["type"].rsplit("/", 1)[1] == "nothing-failed"


def test_a_repeat_under_the_same_key_orders_once(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", PERSON)
    first = any_caller.post("/v1/erasures", ORDER, headers={"Idempotency-Key": '"one"'}).get_json()
    again = any_caller.post("/v1/erasures", ORDER, headers={"Idempotency-Key": '"one"'})
    assert (again.status_code, again.get_json()["id"]) == (202, first["id"])
