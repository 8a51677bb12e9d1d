"""The lifecycle over HTTP: models and map, transitions of every model, reviews of the inactive."""

from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from retention_jobs import reset_inactive
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock


def test_an_unknown_model_or_stage_names_the_allowed_values(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", {"relationship": "lead"})
    move = {"subject": {"id": "crm-1"}, "model": "campaign", "to": "lead"}
    refused = any_caller.post("/v1/lifecycle/transitions", move)
    assert refused.status_code == 422
    assert "marketing, acquisition, relationship_management, loss" in refused.get_data(as_text=True)
    refused = any_caller.post("/v1/lifecycle/transitions", {**move, "model": "campain"})
    assert refused.status_code == 422
    assert "acquisition, campaign, engagement, partnership, relationship" in refused.get_data(as_text=True)
    question = {
        "subject": {"type": "component", "id": "crm"},
        "action": {"name": "lifecycle.transition", "properties": {"model": "campaign", "to": "lead"}},
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    asked = any_caller.post("/access/v1/evaluation", question)
    assert asked.status_code == 400
    assert "relationship_management" in asked.get_data(as_text=True)


def test_a_journey_moves_over_http_and_is_shown_with_the_person(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", {"relationship": "lead"})
    move = {"subject": {"id": "crm-1"}, "model": "engagement", "to": "awareness"}
    told = any_caller.post("/v1/lifecycle/transitions", {**move, "dry_run": True})
    assert (told.status_code, told.get_json()["from"]) == (200, None)
    assert any_caller.post("/v1/lifecycle/transitions", move).status_code == 201
    again = any_caller.post("/v1/lifecycle/transitions", move)
    assert again.status_code == 403
    assert again.get_json()["type"].endswith("/denied-by-policy")
    stages = any_caller.get("/v1/subjects/crm-1").get_json()["stages"]
    assert {model: each["stage"] for model, each in stages.items()} == {
        "relationship": "lead",
        "engagement": "awareness",
    }
    shown = any_caller.get("/v1/lifecycle/map").get_json()
    assert {row["means"] for row in shown["aliases"]} >= {"There is a contract."}


def test_the_inactive_are_listed_and_kept_over_http(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    for number in range(3):
        any_caller.put(f"/v1/subjects/crm-{number}", {"relationship": "client"})
    clock.forward(timedelta(days=705))
    reset_inactive.run(any_runtime)
    caller = Caller(any_caller.client, new_component(any_runtime))  # the first token has expired
    first = caller.get("/v1/lifecycle/reviews?limit=2").get_json()
    rest = caller.get(f"/v1/lifecycle/reviews?limit=2&after={first['next']}").get_json()
    listed = [each["subject"] for each in (*first["items"], *rest["items"])]
    assert sorted(listed) == ["crm-0", "crm-1", "crm-2"]
    assert rest["next"] is None
    one = first["items"][0]
    assert "contract" in one["consequences"]["lawful_bases_lost"]
    keep = f"/v1/lifecycle/reviews/{one['id']}/keep"
    assert caller.post(keep, {}).status_code == 422
    kept = caller.post(keep, {"because": "on leave"})
    assert (kept.status_code, kept.get_json()["state"]) == (200, "kept")
    again = caller.post(keep, {"because": "on leave"})
    assert (again.status_code, again.get_json()["type"].rsplit("/", 1)[-1]) == (409, "review-closed")
    assert len(caller.get("/v1/lifecycle/reviews").get_json()["items"]) == 2
    assert len(caller.get("/v1/lifecycle/reviews?state=kept").get_json()["items"]) == 1
    assert caller.post("/v1/lifecycle/reviews/rvw_x/keep", {"because": "why"}).status_code == 404


@pytest.mark.parametrize("query", ["state=lost", "after=x", "limit=0", "email=a@example.org"])
def test_a_list_of_reviews_that_cannot_be_meant_is_refused(caller: Caller, query: str) -> None:
    assert caller.get(f"/v1/lifecycle/reviews?{query}").status_code == 422


def test_reviews_need_their_scopes(caller: Caller, runtime: Runtime) -> None:
    reader = Caller(caller.client, new_component(runtime, "lifecycle:read"))
    assert reader.get("/v1/lifecycle/reviews").status_code == 200
    assert reader.post("/v1/lifecycle/reviews/rvw_x/keep", {"because": "why"}).status_code == 403
    stranger = Caller(caller.client, new_component(runtime, "subjects:read"))
    assert stranger.get("/v1/lifecycle/reviews").status_code == 403


def test_who_has_still_to_be_told_is_listed_over_http(any_caller: Caller, clock: HandClock) -> None:
    for number in range(3):
        body = {"source": {"acquired": "third_party"}, "acquired_at": f"2026-10-0{number + 1}T00:00:00Z"}
        any_caller.put(f"/v1/subjects/crm-{number}", body)
    any_caller.put("/v1/subjects/crm-9", {})
    first = any_caller.get("/v1/lifecycle/notices-due?limit=2&overdue=true").get_json()
    query = f"limit=2&overdue=true&after={first['next']}"
    rest = any_caller.get(f"/v1/lifecycle/notices-due?{query}").get_json()
    assert [each["subject"] for each in (*first["items"], *rest["items"])] == ["crm-0", "crm-1", "crm-2"]
    assert first["items"][0]["due_at"] == "2026-11-01T00:00:00.000000Z"
    any_caller.post("/v1/subjects/crm-0/events", {"event": "notice_given"})
    assert len(any_caller.get("/v1/lifecycle/notices-due").get_json()["items"]) == 2
    with_unknown = any_caller.get("/v1/lifecycle/notices-due?unknown_source=true").get_json()
    assert len(with_unknown["items"]) == 3
    assert any_caller.get("/v1/lifecycle/notices-due?overdue=maybe").status_code == 422


def test_a_capture_point_says_where_the_data_of_its_people_come_from(caller: Caller) -> None:
    for point in ("acquired-list", "referral", "crm-import", "web-form"):
        put = caller.put(f"/v1/subjects/from-{point}", {"source": {"capture_point": point}})
        assert put.status_code == 201, put.data
    own = {"capture_point": "acquired-list", "acquired": "person"}
    caller.put("/v1/subjects/crm-own", {"source": own})
    due = caller.get("/v1/lifecycle/notices-due").get_json()["items"]
    assert {each["subject"]: each["source"] for each in due} == {
        "from-acquired-list": "acquired_list",
        "from-referral": "third_party",
    }
    assert all(each["due_at"] for each in due)
    unknown = caller.put("/v1/subjects/crm-1", {"source": {"capture_point": "bazaar"}})
    assert unknown.status_code == 422
    (sentence,) = unknown.get_json()["errors"]["source.capture_point"]
    assert "acquired-list, contract-form, crm-import" in sentence
    assert caller.get("/v1/subjects/crm-1").status_code == 404
    wrong = caller.put("/v1/capture-points/bazaar", {"title": "Bazaar", "acquired": "stolen"})
    assert wrong.status_code == 422
    assert "acquired_list" in wrong.get_json()["errors"]["acquired"][0]


def test_a_person_s_lifecycle_is_read_for_a_purpose_over_http(any_caller: Caller) -> None:
    any_caller.put("/v1/subjects/crm-1", {"relationship": "lead"})
    told = any_caller.get("/v1/subjects/crm-1/lifecycle").get_json()
    assert [(each["model"], each["to"]) for each in told["history"]] == [("relationship", "lead")]
    withheld = any_caller.get("/v1/subjects/crm-1/lifecycle?purpose=service").get_json()
    assert withheld["history"][0]["withheld"]["code"] == "purpose-incompatible"
    assert withheld["stages"][0]["stage"] == "lead"
    assert any_caller.get("/v1/subjects/crm-1/lifecycle?purpose=none").status_code == 422
    assert any_caller.get("/v1/subjects/crm-1/lifecycle?why=sales").status_code == 422
    assert any_caller.get("/v1/subjects/crm-2/lifecycle").status_code == 404
