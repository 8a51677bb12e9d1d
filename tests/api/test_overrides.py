"""An exception from a forbid: for one person and purpose, by two people, for a time, and shown."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from governance.communications.screening_service import run_due
from governance.policy import service as policies
from governance.policy.complaints import PolicyError
from governance.policy.documents import Node, compose
from governance.policy.loader import check_documents
from governance.policy.proof import prove
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR, HandClock

PACK = """pack: house
title: House rules
speaks_about: [communication.send]
layer: channel
applies: {person.country: NZ}
rules:
  - id: not-now
    effect: forbid
    overridable: true
    review_by: 2026-11-01
    when: {message.commercial: true, message.channel: email}
    code: cool-off
    because: We write to nobody in New Zealand this month.
    cites: ["House rule 3"]
"""
CASES = """pack: house
now: 2026-11-21T15:00:00Z
cases:
  - name: a promotion
    facts: {person.country: NZ, message.commercial: true, message.channel: email}
    expect: {forbids: [cool-off]}
"""
REASON = "She asked us by telephone to be sent the offer."
PROPERTIES = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


def trees(**texts: str) -> dict[str, Node]:
    """The shipped documents with others laid over."""
    documents = policies.shipped_documents()
    for name, text in texts.items():
        path = f"communications/{name.replace('__', '.')}.yaml"
        tree = compose(path, text)
        assert isinstance(tree, Node)
        documents[path] = tree
    return documents


@pytest.fixture
def other(client: FlaskClient, runtime: Runtime) -> Caller:
    with runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=trees(house=PACK, house__cases=CASES))
    return Caller(client, new_component(runtime))


def person(caller: Caller, name: str) -> None:
    """Somebody in New Zealand who said yes."""
    body = {"attributes": {"country": "NZ"}, "relationship": "lead"}
    assert caller.put(f"/v1/subjects/{name}", body).status_code == 201
    consent = {
        "subject": {"id": name}, "purpose": "marketing", "status": "granted", "method": "web_form",
        "evidence": {"form_url": "https://example.org/f"},
    }  # fmt: skip
    assert caller.post("/v1/consents", consent).status_code == 201


def ask(caller: Caller, name: str, **properties: Any) -> dict[str, Any]:
    question = {
        "subject": {"type": "component", "id": "campaign"},
        "action": {"name": "communication.send", "properties": {**PROPERTIES, **properties}},
        "resource": {"type": "data_subject", "id": name},
    }
    answer = caller.post("/access/v1/evaluation", question)
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


def screened(caller: Caller, runtime: Runtime) -> int:
    """How many a screening allows."""
    question = {"question": {"action": "communication.send", **PROPERTIES}, "audience": {"all": True}}
    asked = caller.post("/v1/screenings", question)
    assert asked.status_code == 202, asked.get_json()
    caller.client.application.extensions["governance-background"].wait(30)
    run_due(runtime)
    done = caller.get(f"/v1/screenings/{asked.get_json()['id']}").get_json()
    assert done["status"] == "completed", done
    return int(done["allowed"])


def test_an_exception_by_two_people_for_one_person(
    caller: Caller, other: Caller, runtime: Runtime, clock: HandClock
) -> None:
    person(caller, "kiwi")
    person(caller, "moa")
    refused = ask(caller, "kiwi")
    assert [one["code"] for one in refused["context"]["reasons"]] == ["cool-off"]
    assert screened(caller, runtime) == 0
    wanted = {
        "subject": {"id": "kiwi"}, "rule": "house.not-now", "purpose": "marketing", "reason": REASON,
        "expires_at": (clock.at + timedelta(minutes=5)).isoformat(),
    }  # fmt: skip
    wrong = caller.post("/v1/overrides", {**wanted, "rule": "everywhere.withdrawn-means-no"}).get_json()
    assert "may not be overridden. Those that may: " in wrong["errors"]["rule"][0]
    near = caller.post("/v1/overrides", {**wanted, "rule": "house.not-nwo"}).get_json()["errors"]["rule"][0]
    assert "may not be overridden; did you mean 'house.not-now'? Those that may: " in near
    assert "house.not-now" in wrong["errors"]["rule"][0]
    late = caller.post("/v1/overrides", {**wanted, "expires_at": "2027-11-21T10:00:00Z", "purpose": "no"})
    assert {"purpose", "expires_at"} <= late.get_json()["errors"].keys()
    made = caller.post("/v1/overrides", wanted)
    assert (made.status_code, made.get_json()["state"]) == (201, "requested")
    url = f"/v1/overrides/{made.get_json()['id']}"
    assert ask(caller, "kiwi")["decision"] is False, "asking changes nothing"
    alone = caller.post(f"{url}/approve", {})
    assert (alone.status_code, alone.get_json()["type"].split("/")[-1]) == (403, "second-person-needed")
    assert other.post(f"{url}/approve", {}).get_json()["state"] == "approved"
    assert other.post(f"{url}/approve", {}).status_code == 409
    allowed = ask(caller, "kiwi")
    assert allowed["decision"] is True
    (shown,) = allowed["context"]["overrides"]
    assert (shown["rule"], shown["approved_by"]) == ("house.not-now", other.made.component.client_id)
    assert ask(caller, "moa")["decision"] is False
    assert ask(caller, "kiwi", purpose="newsletter", message_class="newsletter")["decision"] is False
    assert screened(caller, runtime) == 1
    kept = caller.get(f"/v1/decisions/{allowed['context']['id']}").get_json()
    assert kept["overrides"][0]["id"] == shown["id"]
    # It lifts one forbid and no other: whoever withdraws is left alone.
    consent = {"subject": {"id": "kiwi"}, "purpose": "marketing", "status": "withdrawn", "method": "web_form"}
    assert caller.post("/v1/consents", consent).status_code == 201
    codes = [one["code"] for one in ask(caller, "kiwi")["context"]["reasons"]]
    assert codes
    assert "cool-off" not in codes
    report = caller.get("/v1/reports/overrides").get_json()
    assert (report["total"], report["in_force"]) == (1, 1)
    assert REASON not in caller.get("/v1/reports/overrides").get_data(as_text=True)
    sheet = caller.get("/v1/reports/overrides?format=csv")
    assert sheet.content_type.startswith("text/csv")
    assert b"house.not-now,marketing,approved" in sheet.data
    assert caller.get(url).get_json()["reason"] == REASON
    clock.forward(timedelta(minutes=6))
    assert caller.get(url).get_json()["state"] == "expired"
    reviews = caller.get("/v1/reports/policy-reviews").get_json()
    assert reviews["overdue"] == [{"rule": "house.not-now", "review_by": "2026-11-01", "days_over": 20}]


def test_an_exception_ends_with_its_time_or_before(caller: Caller, other: Caller, clock: HandClock) -> None:
    person(caller, "kiwi")
    wanted = {
        "subject": {"id": "kiwi"}, "rule": "house.not-now", "reason": REASON,
        "expires_at": (clock.at + timedelta(minutes=5)).isoformat(),
    }  # fmt: skip
    urls = []
    for _ in range(2):
        urls.append(f"/v1/overrides/{caller.post('/v1/overrides', wanted).get_json()['id']}")
        assert other.post(f"{urls[-1]}/approve", {}).status_code == 200
        assert ask(caller, "kiwi")["decision"] is True
        if len(urls) == 1:
            assert other.post(f"{urls[0]}/end", {}).get_json()["state"] == "ended"
            assert ask(caller, "kiwi")["decision"] is False
    clock.forward(timedelta(minutes=5))
    assert ask(caller, "kiwi")["decision"] is False


def test_what_no_policy_may_allow_cannot_be_made_overridable() -> None:
    documents = trees()
    prove(check_documents(documents, scrutinised=True))
    tree = documents["communications/everywhere.yaml"]
    assert isinstance(tree.value, dict)
    rules = tree.value["rules"].value
    assert isinstance(rules, list)
    marked = [_marked(rule) if rule.plain()["id"] == "withdrawn-means-no" else rule for rule in rules]
    documents["communications/everywhere.yaml"] = replace(
        tree, value={**tree.value, "rules": Node(marked, 1)}
    )
    with pytest.raises(PolicyError, match="without the forbids that may be overridden"):
        prove(check_documents(documents, scrutinised=True))


def _marked(rule: Node) -> Node:
    assert isinstance(rule.value, dict)
    return replace(rule, value={**rule.value, "overridable": Node(True, rule.line)})


RESTS = "everywhere.dead-contact-points-rest"


def test_a_shipped_rule_of_the_house_is_lifted_for_one_person_and_holds_again_afterwards(
    caller: Caller, runtime: Runtime, clock: HandClock
) -> None:
    approver = Caller(caller.client, new_component(runtime))
    for name in ("anna", "bert"):
        body = {
            "identifiers": [{"type": "email", "value": f"{name}@example.org"}],
            "attributes": {"country": "US"}, "relationship": "lead",
        }  # fmt: skip
        assert caller.put(f"/v1/subjects/{name}", body).status_code == 201
        assert send(caller, name, f"{name}-1").status_code == 201
        message = caller.get(f"/v1/subjects/{name}/communications").get_json()["items"][0]["id"]
        bounce = {"outcome": "bounced", "bounce": "hard"}
        assert caller.post(f"/v1/communications/{message}/outcomes", bounce).status_code == 201
    refused = ask(caller, "anna")
    assert refused["decision"] is False
    assert [(one["code"], one["rule"]) for one in refused["context"]["reasons"]] == [("undeliverable", RESTS)]
    (shown,) = [
        one for one in caller.get("/v1/policies/everywhere").get_json()["rules"] if one["rule"] == RESTS
    ]
    assert shown["overridable"] is True
    wanted = {
        "subject": {"id": "anna"}, "rule": RESTS, "purpose": "marketing",
        "reason": "Her mailbox was full; she told us on the telephone that it takes mail again.",
        "expires_at": (clock.at + timedelta(minutes=5)).isoformat(),
    }  # fmt: skip
    made = caller.post("/v1/overrides", wanted)
    assert made.status_code == 201, made.get_json()
    url = f"/v1/overrides/{made.get_json()['id']}"
    assert ask(caller, "anna")["decision"] is False
    assert caller.post(f"{url}/approve", {}).status_code == 403, "nobody approves their own"
    assert approver.post(f"{url}/approve", {}).status_code == 200
    allowed = ask(caller, "anna")
    assert allowed["decision"] is True
    (named,) = allowed["context"]["overrides"]
    assert (named["id"], named["rule"]) == (made.get_json()["id"], RESTS)
    assert named["approved_by"] == approver.made.component.client_id
    sent = send(caller, "anna", "anna-2")
    assert sent.status_code == 201
    assert sent.get_json()["decision"]["context"]["overrides"] == [named]
    assert ask(caller, "bert")["decision"] is False, "nobody else's address is tried"
    report = caller.get("/v1/reports/overrides").get_json()
    assert (report["by_rule"], report["in_force"]) == ([{"rule": RESTS, "count": 1}], 1)
    clock.forward(timedelta(minutes=5))
    again = ask(caller, "anna")
    assert (again["decision"], [one["rule"] for one in again["context"]["reasons"]]) == (False, [RESTS])
    assert send(caller, "anna", "anna-3").status_code == 403
    report = caller.get("/v1/reports/overrides").get_json()
    assert (report["in_force"], report["by_state"]) == (0, {"expired": 1})


def test_only_what_is_no_statute_may_be_overridden() -> None:
    checked = check_documents(policies.shipped_documents(), scrutinised=True)
    marked = {rule.id for pack in checked.packs for rule in pack.rules if rule.overridable}
    assert marked == {RESTS, "br.calling-hours", "it.calling-hours"}


def send(caller: Caller, name: str, message_id: str) -> Any:
    return caller.post(
        "/v1/communications", {"subject": {"id": name}, "message_id": message_id, **PROPERTIES}
    )
