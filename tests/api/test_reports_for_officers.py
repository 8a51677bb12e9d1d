"""What officers look at: posture, consents, requests, retention, decisions, lifecycle, the Art. 30 record."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from governance.policy.documents import Node, compose
from governance.policy.service import SHIPPED
from governance.reports import keeping, progression
from governance.transfers.disclosures import at_home
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock

SELLING = {"purposes": ["marketing"], "data_classes": ["contact_details"]}
REPORTS = (
    "posture",
    "consents",
    "requests",
    "retention",
    "decisions",
    "lifecycle",
    "transfers",
    "ropa",
    "message-classes",
    "overrides",
    "policy-reviews",
)


def person(caller: Caller, number: int, country: str = "DE", stage: str = "lead") -> str:
    external_id = f"crm-{number}"
    body = {
        "identifiers": [{"type": "email", "value": f"p{number}@example.org"}],
        "attributes": {"country": country},
        "relationship": stage,
    }
    assert caller.put(f"/v1/subjects/{external_id}", body).status_code == 201
    return external_id


def say(caller: Caller, external_id: str, status: str) -> None:
    body = {
        "subject": {"id": external_id},
        "purpose": "marketing",
        "channel": "email",
        "status": status,
        "method": "web_form",
        "evidence": {"form_url": "https://www.example.org/f"},
    }
    assert caller.post("/v1/consents", body).status_code == 201


def report(caller: Caller, name: str, more: str = "") -> dict[str, Any]:
    answer = caller.get(f"/v1/reports/{name}{more}")
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


def test_a_company_s_reports_tell_what_is_there(any_caller: Caller, clock: HandClock) -> None:
    caller = any_caller
    people = [person(caller, number, "DE" if number < 7 else "FR") for number in range(9)]
    for external_id in people[:4]:
        say(caller, external_id, "granted")
    say(caller, people[0], "withdrawn")

    consents = report(caller, "consents")
    assert consents["people"] == 9
    lines = {(each["country"], each["status"]): each for each in consents["coverage"]}
    assert lines["DE", "granted"]["people"] == 3
    assert lines["DE", "withdrawn"]["people"] == 1
    assert lines["DE", "granted"]["lawful_basis"] == "consent"
    assert consents["by_purpose"] == [
        {
            "purpose": "marketing",
            "channel": "email",
            "statuses": {"granted": 3, "withdrawn": 1},
            "objections": {},
        }
    ]
    assert consents["opt_outs"]["systems"] == []

    question = {
        "subject": {"type": "component", "id": "engine"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
        },
    }
    for external_id in (people[0], people[1]):
        asked = {**question, "resource": {"type": "data_subject", "id": external_id}}
        assert caller.post("/access/v1/evaluation", asked).status_code == 200
    clock.forward(timedelta(seconds=1))
    decisions = report(caller, "decisions")
    assert decisions["by_action"] == [{"action": "communication.send", "allowed": 1, "denied": 1}]
    assert {"code": "consent-withdrawn", "refusals": 1} in decisions["by_code"]
    assert decisions["whole"] is True
    assert any(each["rule"].startswith("everywhere.") for each in decisions["by_rule"])
    assert decisions["by_day"] == [{"day": "2026-11-21", "allowed": 1, "denied": 1}]
    since = (clock() - timedelta(days=500)).isoformat().replace("+00:00", "Z")
    assert caller.get(f"/v1/reports/decisions?since={since}").status_code == 422

    for external_id in people[:8]:
        move = {"subject": {"id": external_id}, "to": "contact", "evidence": {"identified_by": "form"}}
        answer = caller.post("/v1/lifecycle/transitions", move)
        assert answer.status_code in (201, 403), answer.get_json()
    clock.forward(timedelta(seconds=1))
    lifecycle = report(caller, "lifecycle")
    assert lifecycle["not_shown_below"] == 5
    assert all(number is None or number == 0 or number >= 5 for number in lifecycle["stages"].values())
    assert caller.get("/v1/reports/lifecycle?model=bogus").status_code == 422

    ropa = report(caller, "ropa")
    assert ropa["controller"]["name"] == "Acme Inc."
    marketing = next(each for each in ropa["activities"] if each["purpose"] == "marketing")
    assert marketing["lawful_basis"]["default"] == "consent"
    assert "contact_details" in marketing["data_classes"]
    assert marketing["retention"]
    assert set(ropa["data_subjects"]["countries"]) == {"DE", "FR"}


def test_an_objection_is_told_apart_from_consent(any_caller: Caller) -> None:
    caller = any_caller
    someone = person(caller, 1, "DE")
    say(caller, someone, "granted")
    objection = {"subject": {"id": someone}, "scope": "all", "method": "reply"}
    assert caller.post("/v1/objections", objection).status_code == 201
    found = report(caller, "consents")
    (line,) = [each for each in found["coverage"] if each["kind"] == "objection"]
    assert (line["purpose"], line["status"], line["people"]) == (None, "marketing", 1)
    (told,) = [each for each in found["by_purpose"] if each["objections"]]
    assert told["statuses"] == told["objections"] == {"marketing": 1}
    table = caller.get("/v1/reports/consents?format=csv").get_data(as_text=True).splitlines()
    assert table[0].endswith(",kind")
    assert ",,,DE,marketing,1,objection" in table


def test_an_overdue_request_leads_the_posture(caller: Caller, clock: HandClock) -> None:
    person(caller, 1)
    asked = {"type": "access", "identities": [{"id": "crm-1"}]}
    assert caller.post("/v1/rights-requests", asked).status_code == 201
    before = report(caller, "posture")
    line = next(each for each in before["lines"] if each["id"] == "requests-overdue")
    assert (line["level"], line["sentence"][:26]) == ("ok", "Nothing to do. Looked for:")
    clock.forward(timedelta(days=40))
    later = Caller(caller.client, caller.made)
    after = report(later, "posture")
    assert after["level"] == "problem"
    first = after["lines"][0]
    assert (first["level"], first["count"]) == ("problem", 1)
    assert "requests-overdue" in [each["id"] for each in after["lines"] if each["level"] == "problem"]
    requests = report(later, "requests")
    assert (requests["overdue"], requests["due_soon"]) == (1, 0)
    assert requests["open"][0]["clock"] == "overdue"
    assert requests["open"][0]["days_left"] < 0
    assert requests["by_regime"] == {"eu-gdpr": 1}


def test_these_are_all_the_reports_there_are(caller: Caller) -> None:
    paths = caller.get("/openapi.json").get_json()["paths"]
    assert {f"/v1/reports/{name}" for name in REPORTS} == {
        path for path in paths if path.startswith("/v1/reports/")
    }


@pytest.mark.parametrize(
    ("home", "third"),
    [
        ("DE", {"US", "GB", "CH"}),  # the states of the EEA, with Norway, are no third countries
        ("GB", {"US", "CH", "FR", "NO"}),  # the law of the United Kingdom knows itself only
        ("CH", {"US", "GB", "FR", "NO"}),
        (None, {"US", "GB", "FR", "NO", "CH"}),
    ],
)
def test_what_a_third_country_is_depends_on_where_the_controller_is(
    home: str | None, third: set[str]
) -> None:
    facts = compose("facts.yaml", (SHIPPED / "facts.yaml").read_text())
    assert isinstance(facts, Node)
    groups: Any = facts.plain()
    near = at_home(home, groups["groups"]["EEA"])
    assert {"US", "GB", "FR", "NO", "CH"} - near - {home} == third


def test_the_record_of_processing_names_what_goes_to_third_countries(
    client: FlaskClient, runtime: Runtime
) -> None:
    runtime.create_tenant("rhein", name="Rhein GmbH", country="DE", address=None)
    officer = Caller(client, new_component(runtime, tenant="rhein"))
    near = {"kind": "manual", "config": {"owner": "staff-7"}, "data_classes": ["contact_details"]}
    for name, country in (("paris", "FR"), ("oslo", "NO"), ("boston", "US")):
        assert officer.put(f"/v1/systems/{name}", {**near, "country": country}).status_code == 201
    clauses = {
        "kind": "scc",
        "instruments": ["eu-scc"],
        "scope": {"recipients": ["mailer3"], "destinations": ["US", "AT"]},
        "assessment_reference": "tia-1",
    }
    assert officer.put("/v1/transfer-mechanisms/scc-1", clauses).status_code == 201
    flow = {
        "origin": "DE", "destination": "US", "recipient": "mailer3", "data_classes": ["contact_details"],
        "mechanisms": ["scc-1"],
    }  # fmt: skip
    for name, changed in (("f3", {}), ("f4", {"recipient": "mailer4"}), ("f5", {"destination": "AT"})):
        answer = officer.put(f"/v1/transfer-flows/{name}", {**flow, **changed})
        assert answer.status_code == 201, answer.get_json()
    seats: tuple[tuple[str, dict[str, Any]], ...] = (
        ("components/calls", {"kind": "service", "country": "IN", "recipient": "callhouse", **SELLING}),
        ("components/send", {"kind": "service", "country": "US", "recipient": "mailer3", **SELLING}),
        ("staff/st-17", {"country": "IN", "recipient": "callhouse", **SELLING}),
        ("staff/st-18", {"country": "FR", **SELLING}),
        ("staff/st-19", {"country": "CN", **SELLING, "purposes": ["customer_care"]}),
        ("staff/st-20", {"country": "BR", **SELLING, "status": "left"}),
        ("staff/st-21", {"country": "JP"}),
    )
    for path, body in seats:
        answer = officer.put(f"/v1/{path}", body)
        assert answer.status_code == 201, answer.get_json()
    marketing = next(each for each in report(officer, "ropa")["activities"] if each["purpose"] == "marketing")
    assert marketing["recipients"] == ["boston", "oslo", "paris", "mailer3", "mailer4", "callhouse"]
    assert marketing["third_countries"] == ["IN", "US"], "neither France nor Norway nor Austria"
    assert [(each["flow"], each["recipient"], each["status"]) for each in marketing["transfers"]] == [
        ("f3", "mailer3", "active"),
        ("f4", "mailer4", "stopped"),
        (None, "boston", "not_declared"),
        (None, "callhouse", "not_declared"),
    ]
    text = officer.get("/v1/reports/ropa?format=csv").get_data(as_text=True)
    row = next(each for each in csv.DictReader(io.StringIO(text)) if each["purpose"] == "marketing")
    assert row["lawful_basis"] == "consent; in US: legitimate interests"
    assert row["third_countries"] == "IN US"
    assert row["transfers"] == (
        "to mailer3 in US (flow f3): rests on scc-1; "
        "to mailer4 in US (flow f4): stopped, nothing in force covers it; "
        "to boston in US: no flow is declared; "
        "to callhouse in IN: no flow is declared"
    )


def test_tables_say_what_is_left_out_and_what_is_yet_to_come() -> None:
    moves = [{"from": "lead", "to": "contact", "moves": None, "converted": None}]
    (row,) = progression.table({"moves": moves})
    assert str(row["moves"]).startswith("fewer than 5"), "an empty cell would look like a nought"
    month = {"month": "2027-03", "records": 2, "by_data_class": {"invoices": 2}, "by_country": {}}
    late = {"state": "proposed", "data_class": "notes", "count": 1}
    rows = keeping.table({"backlog": [late], "forecast": {"months": [month]}})
    assert rows == [late, {"state": "due 2027-03", "data_class": "invoices", "count": 2}]
    assert keeping.table({"backlog": [late], "forecast": None}) == [late]


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_a_table_for_a_spreadsheet_too_and_needs_its_scope(name: str, caller: Caller) -> None:
    person(caller, 1)
    answer = caller.get(f"/v1/reports/{name}?format=csv")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True))))
    assert len({len(row) for row in rows}) == 1
    assert len(rows[0]) >= 3
    assert "@" not in answer.get_data(as_text=True), "no address in a report"
    assert not any("{" in cell or cell in ("True", "None") for row in rows for cell in row), "words"
    refused = caller.get(f"/v1/reports/{name}?format=xml")
    assert refused.status_code == 422
    assert refused.get_json()["errors"] == {"format": ["Must be one of: json, csv."]}
    assert caller.client.get(f"/v1/reports/{name}").status_code == 401
