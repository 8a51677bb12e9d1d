"""What a caller abroad is answered is a transfer, asked about at every route that gives people's data."""

from typing import Any

import pytest
from flask import Flask

from api.application import ROOMS
from api.rooms import PUBLIC
from governance.bootstrap import Runtime
from governance.purposes import catalogue
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from governance.systems import operations
from governance.systems.model import CORRECT, ERASE, Change, ErasurePlan, SubjectKeys
from governance.systems.operations import Operation
from retention_jobs import build_packages
from tests.api.conftest import Caller, new_component
from tests.api.test_package_links import proved_by_post, tokens
from tests.api.test_restrictions import LIFTED
from tests.api.test_screenings import finished
from tests.api.test_transfers import people
from tests.conftest import ACTOR
from tests.fixtures.signing_in import Browser, account, console

SCC = {
    "kind": "scc",
    "instruments": ["eu-scc"],
    "scope": {"destinations": ["IN"]},
    "assessment_reference": "tia-2026-4",
}
ASKED = {
    "action": "communication.send",
    "channel": "post",
    "message_class": "transactional",
    "purpose": "contract",
}

CONFIGURED = "what the tenant set up"
COUNTED = "numbers, without anybody's"
ORDERED = "orders to erase, which are never stopped"
NAMES_NOBODY = "random references and codes, which name nobody"
CHECKED = "yes or no about a person whom the caller names"
NOTHING_OF_PEOPLE = {
    "/v1/issuers": CONFIGURED,
    "/v1/roles": CONFIGURED,
    "/v1/components": CONFIGURED,
    "/v1/staff": CONFIGURED,
    "/v1/data-fields": CONFIGURED,
    "/v1/compatibility-assessments": CONFIGURED,
    "/v1/systems": CONFIGURED,
    "/v1/purposes": CONFIGURED,
    "/v1/capture-points": CONFIGURED,
    "/v1/notices": CONFIGURED,
    "/v1/lifecycle/models": CONFIGURED,
    "/v1/lifecycle/map": CONFIGURED,
    "/v1/caps": CONFIGURED,
    "/v1/policies": CONFIGURED,
    "/v1/policy-proposals": CONFIGURED,
    "/v1/reports/policy-reviews": CONFIGURED,
    "/v1/transfer-mechanisms": CONFIGURED,
    "/v1/transfer-flows": CONFIGURED,
    "/v1/webhooks": CONFIGURED,
    "/v1/tenant": CONFIGURED,
    "/v1/retention/schedule": CONFIGURED,
    "/v1/retention/settings": CONFIGURED,
    "/v1/retention/forecast": COUNTED,
    "/v1/reports/message-classes": COUNTED,
    "/v1/reports/consents": COUNTED,
    "/v1/reports/posture": COUNTED,
    "/v1/reports/requests": COUNTED,
    "/v1/reports/retention": COUNTED,
    "/v1/reports/decisions": COUNTED,
    "/v1/reports/lifecycle": COUNTED,
    "/v1/reports/ropa": COUNTED,
    "/v1/reports/transfers": COUNTED,
    "/v1/transfer-map": COUNTED,
    "/v1/screenings/<screening_id>": COUNTED,
    "/v1/screenings/<screening_id>/rejected": COUNTED,
    "/v1/erasures": ORDERED,
    "/v1/tasks": NAMES_NOBODY,
    "/v1/audit": NAMES_NOBODY,
    "/opendsr/v2": NAMES_NOBODY,
    "/v1/suppressions/lookup": "what must not be written to: an opt-out",
    "/access/v1/evaluation": CHECKED,
    "/access/v1/evaluations": CHECKED,
    "/access/v1/search/subject": "components",
    "/access/v1/search/action": CHECKED,
}
"""Routes that are read (and those below them), and what they give in place of people's data."""


def seat(caller: Caller, runtime: Runtime, **seat: str | None) -> Caller:
    """A component that sits somewhere, with every scope."""
    made = new_component(runtime)
    body = {"kind": "service", "clients": [made.component.client_id], **seat}
    put = caller.put("/v1/components/desk", body)
    assert put.status_code in (200, 201), put.data
    return Caller(caller.client, made)


def codes(answer: Any) -> list[str]:
    assert answer.status_code == 403, answer.data
    body = answer.get_json()
    assert body["type"].endswith("/denied-by-policy")
    assert body["decision"]["decision"] is False
    reasons = body["decision"]["context"]["reasons"]
    assert all(each["text"] and each["cites"] for each in reasons)
    assert any(each["remedy"] for each in reasons)
    return [each["code"] for each in reasons]


def test_a_caller_abroad_reads_a_person_while_a_mechanism_covers_it(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    people(caller)
    desk = seat(caller, any_runtime, country="IN")
    assert set(codes(desk.get("/v1/subjects/hans"))) == {"transfer-no-mechanism"}
    assert caller.get("/v1/subjects/hans").status_code == 200, "whoever declares no country is at home"
    caller.put("/v1/transfer-mechanisms/scc", SCC)
    assert desk.get("/v1/subjects/hans").status_code == 200
    assert desk.post("/v1/subjects/lookup", {"subject": {"id": "greta"}}).status_code == 200
    assert codes(desk.get("/v1/subjects/ivan"))[-1] == "localisation"
    assert desk.get("/v1/subjects/nobody").status_code == 404
    caller.put("/v1/subjects/hans/restriction", {"restricted": True})
    assert codes(desk.get("/v1/subjects/hans")) == ["restricted"]
    caller.put("/v1/subjects/hans/restriction", LIFTED)
    caller.post("/v1/transfer-mechanisms/scc/suspend", {"reason": "The assessment no longer holds."})
    assert codes(desk.get("/v1/subjects/hans/timeline"))[0] == "transfer-suspended"
    seen = caller.get("/v1/decisions?limit=100").get_json()["items"]
    told = [each for each in seen if each.get("question", {}).get("disclosure")]
    assert {(each["decision"], each["question"]["disclosure"]) for each in told} >= {
        (True, "GET /v1/subjects/<external_id>"),
        (True, "POST /v1/subjects/lookup"),
        (False, "GET /v1/subjects/<external_id>/timeline"),
    }
    route = next(
        each
        for each in caller.get("/v1/transfer-map").get_json()["decisions"]["routes"]
        if each["destination"] == "IN"
    )
    assert (route["allowed"], route["denied"]) == (2, 4)


def test_a_screening_goes_abroad_whole_or_not_at_all(caller: Caller, runtime: Runtime, app: Flask) -> None:
    people(caller)
    caller.put("/v1/transfer-mechanisms/scc", SCC)
    desk = seat(caller, runtime, country="IN", recipient="callhouse")
    for audience, wanted in (({"all": True}, None), ({"ids": ["hans", "greta", "nobody"]}, 3)):
        made = caller.post("/v1/screenings", {"question": ASKED, "audience": audience}).get_json()["id"]
        finished(caller, app, made)
        at = f"/v1/screenings/{made}"
        since = caller.get(at).get_json()["epoch"]
        for path in (f"{at}/results", f"{at}/results?format=csv"):
            answer = desk.get(path)
            if wanted is None:
                assert "localisation" in codes(answer), path
            else:
                assert len(answer.text.splitlines()) == wanted + path.endswith("csv"), answer.text
        assert desk.get(f"{at}/delta?since={since}").status_code == 200, "nobody's answer has changed"
        assert desk.get(f"{at}/win-back").status_code == 200
        assert len(caller.get(f"{at}/results").text.splitlines()) == (wanted or 4), "at home all of it"
    flow = {
        "origin": "US",
        "destination": "IN",
        "recipient": "callhouse",
        "data_classes": ["identification", "decisions"],
    }
    assert caller.put("/v1/transfer-flows/calls", {**flow, "mechanisms": []}).status_code == 201
    assert "transfer-no-mechanism" in codes(desk.get(f"{at}/results")), (
        "a flow goes by its own mechanisms alone"
    )


def test_lists_go_where_everybody_may_and_staff_sit_where_their_record_says(
    caller: Caller, runtime: Runtime
) -> None:
    people(caller)
    caller.put("/v1/transfer-mechanisms/scc", SCC)
    desk = seat(caller, runtime, country="IN")
    for path in (
        "/v1/holds",
        "/v1/rights-requests",
        "/v1/decisions",
        "/v1/tenant/export",
        "/v1/retention/dispositions",
    ):
        assert "localisation" in codes(desk.get(path)), path
        assert caller.get(path).status_code == 200, path
    assert desk.get("/v1/decisions?subject=hans").status_code == 200
    for path in (
        "/v1/audit/entries",
        "/v1/audit/export",
        "/v1/erasures",
        "/v1/reports/posture",
        "/v1/transfer-map",
    ):
        assert desk.get(path).status_code == 200, path
    home = seat(caller, runtime, country="US")
    assert home.get("/v1/holds").status_code == 200, "the controller's own country"


def test_a_colleague_next_door_is_in_no_third_country(any_caller: Caller, any_runtime: Runtime) -> None:
    any_runtime.create_tenant("rhein", name="Rhein GmbH", country="DE", address=None)
    caller = Caller(any_caller.client, new_component(any_runtime, tenant="rhein"))
    people(caller)
    caller.put("/v1/subjects/hans/restriction", {"restricted": True})
    made = new_component(any_runtime, tenant="rhein")
    desk = Caller(caller.client, made)

    def sit(country: str) -> None:
        body = {"kind": "service", "clients": [made.component.client_id], "country": country}
        put = caller.put("/v1/components/desk", {**body, "recipient": "callhouse"})
        assert put.status_code in (200, 201), put.data

    lists = ("/v1/rights-requests", "/v1/holds", "/v1/tenant/export", "/v1/subjects/ivan")
    sit("FR")
    for path in (*lists, "/v1/subjects/hans"):
        assert desk.get(path).status_code == 200, path
    assert desk.get("/v1/subjects/nobody").status_code == 404
    events = desk.get("/v1/events?limit=500").get_json()["items"]
    assert {each["data"].get("external_id") for each in events} >= {"hans", "ivan"}
    assert not any("withheld" in each["data"] for each in events)
    seen = caller.get("/v1/decisions?limit=100").get_json()["items"]
    assert {each["question"]["destination"] for each in seen if "disclosure" in each["question"]} == {"FR"}
    flow = {"origin": "DE", "destination": "FR", "recipient": "callhouse", "data_classes": ["identification"]}
    assert caller.put("/v1/transfer-flows/calls", flow).status_code == 201
    assert codes(desk.get("/v1/subjects/hans")) == ["transfer-outside-flow"], "what was declared counts"
    assert desk.get("/v1/holds").status_code == 200
    for country in ("GB", "CH"):
        sit(country)
        assert codes(desk.get("/v1/subjects/hans")) == ["restricted"], "adequate, and a third country"
        for path in lists:
            assert "localisation" in codes(desk.get(path)), path


def test_a_country_is_checked_and_stays_until_it_is_taken_away(caller: Caller, runtime: Runtime) -> None:
    people(caller)
    for body, field in (
        ({"country": "XX"}, "country"),
        ({"country": 7}, "country"),
        ({"country": "IN", "recipient": "ü"}, "recipient"),
        ({"recipient": "callhouse"}, "recipient"),
    ):
        for path, kind in (("/v1/components/desk", {"kind": "service"}), ("/v1/staff/st-1", {})):
            refused = caller.put(path, {**kind, **body})
            assert (refused.status_code, list(refused.get_json()["errors"])) == (422, [field]), body
    desk = seat(caller, runtime, country="IN")
    clients = [desk.made.component.client_id]
    shown = caller.put("/v1/components/desk", {"kind": "service", "clients": clients}).get_json()
    assert shown["country"] == "IN"
    assert desk.get("/v1/subjects/hans").status_code == 403
    shown = caller.put(
        "/v1/components/desk", {"kind": "service", "clients": clients, "country": None}
    ).get_json()
    assert "country" not in shown
    assert desk.get("/v1/subjects/hans").status_code == 200


def test_the_feed_has_no_gaps_and_tells_abroad_of_those_who_may_be_told_of(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    people(caller)
    no = {"purpose": "marketing", "status": "withdrawn", "method": "web_form"}
    for name in ("hans", "ivan"):
        assert caller.post("/v1/consents", {**no, "subject": {"id": name}}).status_code == 201
    caller.put("/v1/transfer-mechanisms/scc", SCC)
    desk = seat(caller, any_runtime, country="IN")
    there = desk.get("/v1/events?limit=500").get_json()["items"]
    here = caller.get("/v1/events?limit=500").get_json()["items"]
    assert [each["data"]["position"] for each in here[: len(there)]] == list(range(len(there)))
    for left, whole in zip(there, here, strict=False):
        ours = whole["data"]["external_id"]
        if ours == "ivan" and not whole["type"].startswith("governance.consent."):
            assert left["data"] == {
                "position": whole["data"]["position"],
                "facts": {},
                "external_id": None,
                "withheld": ["transfer-no-mechanism", "localisation"],
            }
            assert "subject" not in left
        else:
            assert left == whole
    assert {each["data"].get("external_id") for each in there} >= {"hans", "ivan"}, "opt-outs always go"
    seen = caller.get("/v1/decisions?limit=100").get_json()["items"]
    told = [each for each in seen if each.get("question", {}).get("disclosure") == "GET /v1/events"]
    assert {each["decision"]: each["question"]["people"] for each in told} == {True: 3, False: 1}


def test_every_route_that_is_read_says_what_it_discloses_or_stands_in_the_list() -> None:
    missing = set()
    for room in ROOMS:
        for (method, rule), told in room.discloses.items():
            read = method == "GET" or rule.endswith("/lookup") or rule.startswith("/access/v1/")
            if not read or room.scopes[method, rule] == PUBLIC or told is not None:
                continue
            listed = any(rule == known or rule.startswith(f"{known}/") for known in NOTHING_OF_PEOPLE)
            if not listed:
                missing.add(rule)
    assert missing == set()
    vocabulary = catalogue.vocabulary(None).data_classes
    for room in ROOMS:
        for told in room.discloses.values():
            assert told is None or told.data_classes <= vocabulary


def test_what_comes_in_is_taken_from_everywhere_and_answered_with_ids_alone(
    caller: Caller, runtime: Runtime
) -> None:
    people(caller)
    desk = seat(caller, runtime, country="IN")
    answer = desk.put("/v1/subjects/hans", {"attributes": {"language": "de"}})
    assert (answer.status_code, sorted(answer.get_json())) == (200, ["id", "ref", "withheld"])
    assert answer.get_json()["withheld"] == ["transfer-no-mechanism"]
    assert caller.get("/v1/subjects/hans").get_json()["attributes"]["language"] == "de"
    assert "ref" in desk.put("/v1/subjects/hans/restriction", {"restricted": True}).get_json()
    assert caller.get("/v1/subjects/hans").get_json()["standing"]["restricted"] is True
    no = {"subject": {"id": "hans"}, "purpose": "marketing", "status": "withdrawn", "method": "web_form"}
    assert desk.post("/v1/consents", no).status_code == 201
    caller.put("/v1/subjects/hans/restriction", LIFTED)
    caller.put("/v1/transfer-mechanisms/scc", SCC)
    assert "attributes" in desk.put("/v1/subjects/hans", {}).get_json()


def test_a_package_goes_to_staff_abroad_under_a_mechanism_and_to_the_person_always(
    caller: Caller, runtime: Runtime
) -> None:
    made, _ = proved_by_post(runtime, caller, caller.client)
    assert build_packages.run(runtime) == 1
    assert (
        caller.put("/v1/subjects/crm-1", {"attributes": {"country": "DE", "region": None}}).status_code == 200
    )
    desk = seat(caller, runtime, country="CN")
    at = f"/v1/rights-requests/{made['id']}"
    for path in (at, f"{at}/matches", f"{at}/letters", f"{at}/package", f"{at}/recipients"):
        assert "transfer-no-mechanism" in codes(desk.get(path)), path
    assert fetched(caller) == [], "what was refused is not said to have been fetched"
    (token,) = tokens(caller, made, "fulfilment", "packages")
    assert caller.client.post(f"/privacy/packages/{token}").status_code == 200
    assert caller.get(f"{at}/package").status_code == 200
    assert len(fetched(caller)) == 2
    seen = caller.get("/v1/decisions?limit=100").get_json()["items"]
    told = [each["question"] for each in seen if each.get("question", {}).get("disclosure")]
    assert [each["people"] for each in told if each["disclosure"].endswith("/package")] == [1]


def fetched(caller: Caller) -> list[str]:
    items = caller.get("/v1/events?limit=500").get_json()["items"]
    return [each["type"] for each in items if each["type"].endswith("package_fetched")]


def test_staff_sit_where_their_record_says_and_where_what_they_came_through_does(
    caller: Caller, runtime: Runtime, app: Flask
) -> None:
    people(caller)
    assert caller.put("/v1/roles/auditor", {"title": "Auditor", "scopes": ["audit:read"]}).status_code == 201
    client_id = console(runtime)
    browser = Browser(app, client_id)
    token = browser.token(account(runtime), runtime)
    path = "/v1/decisions?subject=hans"

    def status(**member: str | None) -> int:
        assert caller.put("/v1/staff/s-1", {"roles": ["auditor"], **member}).status_code in (200, 201)
        return browser.status(token, path)

    assert status() == 200, "nobody said where they sit"
    assert status(country="US") == 200
    assert status(country="IN") == 403
    assert status(recipient="callhouse") == 403, "of staff, what is not named stays"
    caller.put("/v1/transfer-mechanisms/scc", {**SCC, "scope": {"recipients": ["callhouse"]}})
    assert status() == 200
    through = {"kind": "human_operated", "clients": [client_id], "country": "IN"}
    assert caller.put("/v1/components/console", through).status_code == 201
    assert status() == 403, "what they came through is another recipient"
    caller.put("/v1/components/console", {**through, "recipient": "callhouse"})
    assert status() == 200


def test_evidence_refused_rows_searches_and_tasks_are_asked_about_too(
    caller: Caller, runtime: Runtime
) -> None:
    people(caller)
    send = {"subject": {"id": "hans"}, "message_id": "m-1", **ASKED}
    del send["action"]
    assert caller.post("/v1/communications", send).status_code == 201
    desk = seat(caller, runtime, country="IN")
    search = {
        "subject": {"type": "component", "id": "desk"},
        "action": {"name": "communication.send", "properties": ASKED},
        "resource": {"type": "data_subject", "properties": {"country": ["DE"]}},
    }
    reads = {
        "/v1/communications/m-1/evidence": "m-1",
        "/v1/subjects/hans/evidence": "hans",
        "/v1/imports/none": "anybody",
    }
    with runtime.snapshot("acme", ACTOR) as snap:
        hans = subjects.resolve_existing(snap, SubjectReference(id="hans")).subject_ref
    body = {"kind": "manual", "config": {"owner": "staff-7"}, "data_classes": ["support_cases"]}
    assert caller.put("/v1/systems/ledgers", body).status_code == 201
    keys = SubjectKeys(hans, ("hans",))
    change = (Change("family_name", "Huber"),)
    plan = ErasurePlan.delete(["support_cases"])
    operations.run(runtime, ACTOR, "acme", Operation("c-1", "ledgers", CORRECT, keys, changes=change))
    operations.run(runtime, ACTOR, "acme", Operation("e-1", "ledgers", ERASE, keys, plan=plan))
    tasks = {each["verb"]: each["id"] for each in caller.get("/v1/tasks").get_json()["items"]}
    size = len(caller.get("/v1/events?limit=500").get_json()["items"])
    for path, whose in reads.items():
        assert "transfer-no-mechanism" in codes(desk.get(path)), whose
    assert "transfer-no-mechanism" in codes(desk.post("/access/v1/search/resource", search))
    assert "transfer-no-mechanism" in codes(desk.get(f"/v1/tasks/{tasks['correct']}"))
    assert desk.get(f"/v1/tasks/{tasks['erase']}").status_code == 200, "an order to erase"
    assert len(caller.get("/v1/events?limit=500").get_json()["items"]) == size, "nothing was disclosed"
    caller.put("/v1/transfer-mechanisms/scc", SCC)
    assert desk.get("/v1/communications/m-1/evidence").status_code == 200
    assert desk.post("/access/v1/search/resource", search).get_json()["page"]["count"] == 2
    assert desk.get(f"/v1/tasks/{tasks['correct']}").status_code == 200
    caller.put("/v1/subjects/hans/restriction", {"restricted": True})
    assert desk.get(f"/v1/tasks/{tasks['correct']}").status_code == 200, (
        "her own restriction stops no correction"
    )
    assert desk.get("/v1/subjects/hans/evidence").status_code == 403
    assert desk.get("/v1/imports/none").status_code == 403, (
        "a row may be anybody's, also somebody's from Russia"
    )


def test_a_route_that_says_what_it_discloses_and_asks_nobody_answers_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(caller)
    monkeypatch.setattr("api.subjects.disclose", lambda *_, **__: None)
    answer = caller.post("/v1/subjects/lookup", {"subject": {"id": "hans"}})
    assert answer.status_code == 500
    assert "hans" not in answer.text
