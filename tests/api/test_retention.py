"""Retention and legal holds over HTTP."""

import json
from typing import Any

import pytest

from governance.bootstrap import Runtime
from retention_jobs import run_erasures
from tests.api.conftest import Caller, new_component

OLD = "2015-03-04T10:00:00Z"


def kind(answer: Any) -> str:
    return str(answer.get_json()["type"]).rsplit("/", 1)[-1]


def test_the_schedule_shows_each_rule_with_clause_source_and_review_date(caller: Caller) -> None:
    items = caller.get("/v1/retention/schedule").get_json()["items"]
    rules = {rule["rule"]: rule for item in items for rule in item["rules"]}
    voucher = rules["de.vouchers"]
    assert voucher["sentence"].startswith("Keep: 8 years from the end of the calendar year")
    assert (voucher["demand"], voucher["binding"], voucher["verified"]) == ("keep", True, False)
    assert voucher["cites"]
    assert voucher["source"] == ["ret.de"]
    assert voucher["review_by"] > voucher["reviewed"]
    phases = next(item["phases"] for item in items if item["schedule"] == "everywhere")
    assert [phase["id"] for phase in phases] == ["active", "intermediate_archive", "due"]


def test_a_record_is_registered_explained_and_proposed(any_caller: Caller, any_runtime: Runtime) -> None:
    caller = any_caller
    caller.put("/v1/subjects/crm-1", {"attributes": {"country": "DE"}, "relationship": "lead"})
    path = "/v1/records/crm/inv-1"
    told = {"subject": {"id": "crm-1"}, "data_class": "invoices", "created_at": OLD, "jurisdiction": "DE"}
    first, again = caller.put(path, told), caller.put(path, told)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json() == again.get_json() == caller.get(path).get_json()
    assert first.get_json()["scheduled"]
    shown = caller.get("/v1/retention/explain?subject=crm-1&data_class=invoices").get_json()
    assert (shown["disposition"], shown["winner"]["rule"]) == ("keep", "de.vouchers")
    assert shown["records"] == [
        {**shown["records"][0], "record": "inv-1", "disposition": "delete", "until": "2023-12-31"}
    ]
    one = caller.get(
        "/v1/retention/explain?subject=crm-1&data_class=invoices&system=crm&record=inv-1"
    ).get_json()
    assert (one["disposition"], one["phase"], one["rule"]) == ("delete", "due", "de.vouchers")
    counted = caller.post("/v1/retention/runs", {"dry_run": True})
    assert counted.status_code == 201
    assert (counted.get_json()["deletions"], counted.get_json()["status"]) == (1, "completed")
    assert caller.get("/v1/retention/dispositions").get_json()["items"] == []
    real = caller.post("/v1/retention/runs", {"dry_run": False}).get_json()
    assert (real["status"], real["blast_radius"]["within"]) == ("awaiting_approval", False)
    refused = caller.post(f"/v1/retention/runs/{real['id']}/approve")
    assert (refused.status_code, kind(refused)) == (403, "second-person-needed")
    second = Caller(caller.client, new_component(any_runtime))
    assert second.post(f"/v1/retention/runs/{real['id']}/approve").status_code == 200
    caller.client.application.extensions["governance-background"].wait(20)
    assert caller.get(f"/v1/retention/runs/{real['id']}").get_json()["status"] == "completed"
    (waiting,) = caller.get("/v1/retention/dispositions?state=approved").get_json()["items"]
    assert (waiting["record"], waiting["subject"], waiting["rule"]) == ("inv-1", "crm-1", "de.vouchers")
    listed = {each["id"] for each in caller.get("/v1/retention/runs").get_json()["items"]}
    assert listed == {real["id"], counted.get_json()["id"]}
    months = caller.get("/v1/retention/forecast?months=2").get_json()["months"]
    assert [each["records"] for each in months] == [1, 0]


def test_a_hold_is_placed_read_and_released_by_a_second_person(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    caller.put("/v1/subjects/crm-1", {"relationship": "lead"})
    said = {"matter": "Doe v. Acme", "scope": {"subject": {"id": "crm-1"}}, "reason": "a claim is expected"}
    placed = caller.post("/v1/holds", said, headers={"Idempotency-Key": "k-1"})
    assert placed.status_code == 201
    held = placed.get_json()
    assert (held["matter"], held["scope"], held["state"]) == ("Doe v. Acme", {"subject": "crm-1"}, "active")
    again = caller.post("/v1/holds", said, headers={"Idempotency-Key": "k-1"})
    assert (again.status_code, again.get_json()["id"]) == (201, held["id"])
    shown = caller.get("/v1/retention/explain?subject=crm-1&data_class=contact_details").get_json()
    assert (shown["disposition"], shown["held_by"]) == ("keep", [held["id"]])
    assert shown["blockers"][0] == {"kind": "hold", "id": held["id"], "until": None}
    refused = caller.post(f"/v1/holds/{held['id']}/release")
    assert (refused.status_code, kind(refused)) == (403, "second-person-needed")
    longer = caller.post(f"/v1/holds/{held['id']}/extend", {"expires_at": "2027-01-01T00:00:00Z"})
    assert (longer.status_code, kind(longer)) == (422, "invalid"), "a hold without end cannot be made longer"
    second = Caller(caller.client, new_component(any_runtime, "holds:read", "holds:release"))
    released = second.post(f"/v1/holds/{held['id']}/release")
    assert (released.status_code, released.get_json()["state"]) == (200, "released")
    assert second.get(f"/v1/holds/{held['id']}").get_json()["reason"] == "a claim is expected"
    closed = second.post(f"/v1/holds/{held['id']}/release")
    assert (closed.status_code, kind(closed)) == (409, "hold-closed")
    listed = caller.get("/v1/holds?state=released&limit=1").get_json()
    assert ([each["id"] for each in listed["items"]], listed["next"]) == ([held["id"]], None)
    kinds = [each["type"] for each in caller.get("/v1/events?limit=500").get_json()["items"]]
    assert {"governance.hold.placed", "governance.hold.release_refused", "governance.hold.released"} <= set(
        kinds
    )


@pytest.mark.parametrize(
    "change",
    [
        {"scope": {}},
        {"scope": {"data_class": "invoices", "filter": {"country": ["DE"]}}},
        {"scope": {"filter": {"stage": ["lead"]}}},
        {"scope": {"filter": {"country": ["Germany"]}}},
        {"scope": {"subject": {"id": "crm-1", "email": "a@example.org"}}},
        {"matter": ""},
        {"reason": None},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "tomorrow"},
        {"owner": "me"},
    ],
)
def test_a_hold_that_cannot_be_meant_is_refused(caller: Caller, change: dict[str, Any]) -> None:
    said = {"matter": "M-1", "scope": {"data_class": "invoices"}, "reason": "why", **change}
    assert caller.post("/v1/holds", said).status_code == 422


def test_holds_on_classes_and_filters_are_shown_as_they_were_told(caller: Caller) -> None:
    for scope in ({"data_class": "invoices"}, {"filter": {"country": ["DE"], "relationship": ["lead"]}}):
        placed = caller.post("/v1/holds", {"matter": "M-1", "scope": scope, "reason": "why"})
        assert placed.get_json()["scope"] == scope
    unknown = {"matter": "M-1", "scope": {"subject": {"id": "crm-9"}}, "reason": "why"}
    assert caller.post("/v1/holds", unknown).status_code == 404


def test_a_batch_of_records_answers_each_line_and_is_idempotent(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", {})
    line = {"system": "crm", "subject": {"id": "crm-1"}, "data_class": "decisions", "created_at": OLD}
    lines = [{**line, "id": f"r-{number}"} for number in range(600)]
    lines[3] = {**line, "id": "r-3", "subject": {"id": "nobody"}}
    lines[5] = {**line, "id": "r-5", "created_at": "2026-02-30T00:00:00Z"}
    body = "\n".join([*map(json.dumps, lines), "{"]).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    for status in (201, 200):
        answer = any_caller.post("/v1/records/batch", data=body, headers=headers)
        told = [json.loads(each) for each in answer.data.splitlines()]
        assert [each["line"] for each in told] == list(range(1, 602))
        statuses = {number: each["status"] for number, each in enumerate(told)}
        assert (statuses.pop(3), statuses.pop(5), statuses.pop(600)) == (404, 422, 400)
        assert set(statuses.values()) == {status}
    total = any_caller.post("/v1/retention/runs", {"dry_run": True}).get_json()["total"]
    assert total == 598 + 1


def test_settings_are_read_and_changed_in_parts(caller: Caller) -> None:
    before = caller.get("/v1/retention/settings").get_json()
    assert before == {"financial_year_end": "12-31", "blast_radius": {"percent": 5.0, "count": 1000}}
    assert caller.put("/v1/retention/settings", {"blast_radius": {"percent": 2.5}}).status_code == 200
    caller.put("/v1/retention/settings", {"financial_year_end": "03-31"})
    after = caller.get("/v1/retention/settings").get_json()
    assert after == {"financial_year_end": "03-31", "blast_radius": {"percent": 2.5, "count": 1000}}
    for wrong in (
        {"financial_year_end": "31-03"},
        {"blast_radius": {"percent": 101}},
        {"blast_radius": {"count": -1}},
    ):
        assert caller.put("/v1/retention/settings", wrong).status_code == 422


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/retention/explain?subject=crm-9&data_class=invoices", 404),
        ("/v1/retention/explain?subject=a@example.org&data_class=invoices", 422),
        ("/v1/retention/explain?subject=crm-1", 422),
        ("/v1/retention/explain?subject=crm-1&data_class=invoices&system=crm", 422),
        ("/v1/retention/runs/run_x", 404),
        ("/v1/holds/hold_x", 404),
        ("/v1/holds?state=lost", 422),
        ("/v1/holds?after=x", 422),
        ("/v1/retention/dispositions?state=lost", 422),
        ("/v1/retention/forecast?months=0", 422),
        ("/v1/records/crm/r-9", 404),
    ],
)
def test_what_cannot_be_meant_is_refused(caller: Caller, path: str, status: int) -> None:
    caller.put("/v1/subjects/crm-1", {})
    assert caller.get(path).status_code == status


def test_each_right_has_its_scope(caller: Caller, runtime: Runtime) -> None:
    reader = Caller(caller.client, new_component(runtime, "retention:read", "holds:read"))
    assert reader.get("/v1/retention/schedule").status_code == 200
    assert reader.get("/v1/holds").status_code == 200
    for path in (
        "/v1/retention/runs",
        "/v1/holds",
        "/v1/holds/hold_x/release",
        "/v1/retention/runs/run_x/approve",
        "/v1/retention/dispositions/dsp_x/approve",
        "/v1/retention/dispositions/dsp_x/keep",
    ):
        assert reader.post(path, {}).status_code == 403, path
    writer = Caller(caller.client, new_component(runtime, "retention:write", "holds:write"))
    assert writer.post("/v1/holds/hold_x/release").status_code == 403
    assert writer.post("/v1/retention/runs/run_x/approve").status_code == 403


def test_why_something_of_an_erased_person_is_kept_is_told_without_saying_who(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    caller.put(
        "/v1/systems/paper", {"kind": "manual", "config": {"owner": "x"}, "data_classes": ["invoices"]}
    )
    person = {
        "identifiers": [{"type": "email", "value": "anna@example.org"}],
        "attributes": {"country": "DE"},
    }
    caller.put("/v1/subjects/crm-1", person)
    told = {"subject": {"id": "crm-1"}, "data_class": "invoices", "created_at": "2024-03-01T00:00:00Z"}
    caller.put("/v1/records/paper/inv-1", told | {"jurisdiction": "DE"})
    case = caller.post("/v1/erasures", {"subject": {"id": "crm-1"}, "reason": "tidy_up"}).get_json()
    second = Caller(caller.client, new_component(any_runtime, "erasures:approve"))
    assert second.post(f"/v1/erasures/{case['id']}/approve").status_code == 200
    run_erasures.run(any_runtime)
    assert caller.get("/v1/subjects/crm-1").status_code == 404
    asked = "/v1/retention/explain?subject=crm-1&data_class=invoices"
    shown = caller.get(f"{asked}&system=paper&record=inv-1")
    assert shown.status_code == 200
    said = shown.get_json()
    assert (said["erased"], said["subject"], said["disposition"]) == (True, None, "keep")
    assert (said["rule"], said["free_from"]) == ("de.vouchers", "2033-01-01")
    assert [each["id"] for each in said["erasures"]] == [case["id"]]
    assert "anna" not in shown.text
    assert "crm-1" not in shown.text
    assert not {"clocks", "states"} & said.keys()
    assert caller.get(asked).get_json()["records"] == [{"system": "paper", "record": "inv-1"}]
    assert caller.get(f"{asked}&system=paper&record=inv-2").status_code == 404
    assert caller.get("/v1/retention/explain?subject=crm-77&data_class=invoices").status_code == 404
