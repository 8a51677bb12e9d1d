"""Changing a rule safely: errors at their lines, two people, versions in sentences, the way back."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from governance.bootstrap import Runtime
from retention_jobs import run_shadows, settle_policies
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock

POLICIES = Path(__file__).parents[2] / "policies" / "communications"
CASL = (POLICIES / "ca-casl.yaml").read_text()
CASL_CASES = (POLICIES / "ca-casl.cases.yaml").read_text()

NEW = """pack: no-fridays
title: Nobody is written to on Fridays
speaks_about: [communication.send]
layer: channel  # beside the law, not in its place
applies: {person.country: CA}
rules:
  - id: no-advertising-by-post
    effect: forbid
    when: {message.commercial: true, message.channel: post}
    code: cool-off
    because: We send no advertising by post to Canada.
    remedy: Write an e-mail.
    cites: ["House rule 7"]
now: 2026-11-21T15:00:00Z
cases:
  - name: a leaflet
    facts: {person.country: CA, message.commercial: true, message.channel: post}
    expect: {forbids: [cool-off]}
  - name: a bill
    facts: {person.country: CA, message.commercial: false, message.channel: post}
    expect: {forbids: []}
"""
URL = "/v1/policies/no-fridays/draft"


def put(caller: Caller, text: str, url: str = URL, **headers: str) -> TestResponse:
    return caller.put(url, data=text.encode(), headers={"Content-Type": "application/yaml", **headers})


def problems(answer: TestResponse) -> list[tuple[str, int, str, str | None]]:
    assert answer.status_code == 422, answer.get_json()
    found = answer.get_json()
    assert found["type"].endswith("/policy-refused")
    return [(one["file"], one["line"], one["sentence"], one["nearest"]) for one in found["problems"]]


@pytest.fixture
def other(client: FlaskClient, runtime: Runtime) -> Caller:
    """A second person."""
    return Caller(client, new_component(runtime))


def in_force(caller: Caller) -> str:
    return str(caller.get("/v1/policies").get_json()["digest"])


def bring_in(caller: Caller, other: Caller, text: str, url: str = URL, **proposal: Any) -> dict[str, Any]:
    """Write, propose, approve."""
    written = put(caller, text, url)
    assert written.status_code == 201, written.get_json()
    match = {"If-Match": written.headers["ETag"]}
    proposed = caller.post(f"{url}/propose", proposal, headers=match)
    assert proposed.status_code == 201, proposed.get_json()
    approved = other.post(f"{url}/approve", {}, headers=match)
    assert approved.status_code == 200, approved.get_json()
    return dict(approved.get_json())


def test_a_draft_with_a_mistake_is_refused_at_its_line(caller: Caller) -> None:
    wrong = NEW.replace(
        "message.commercial: true, message.channel: post}\n    code", "message.comercial: true}\n    code"
    )
    ((file, line, sentence, nearest),) = problems(put(caller, wrong))
    assert (file, line, nearest) == ("draft", 9, "message.commercial")
    assert "unknown fact 'message.comercial'" in sentence
    found = problems(put(caller, NEW.replace("code: cool-off", "code: cool-of")))
    assert ("draft", 10, "unknown code 'cool-of'; did you mean 'cool-off'?", "cool-off") in found
    # In a case; in JSON; in texts of files, whose lines count for themselves.
    ((_, line, _, _),) = problems(put(caller, NEW.replace("forbids: [cool-off]", "forbids: [cool]")))
    assert line == 18
    as_json = json.dumps({"pack": "no-fridays", "speaks_about": ["communication.send"]}, indent=1)
    answer = caller.put(URL, data=as_json.encode(), headers={"Content-Type": "application/json"})
    assert {one[0] for one in problems(answer)} == {"draft"}
    answer = caller.put(
        "/v1/policies/ca-casl/draft", {"policy": CASL, "cases": CASL_CASES.replace("granted", "grantd", 1)}
    )
    ((file, line, _, nearest),) = problems(answer)
    assert (file, nearest) == ("cases", "granted")
    assert "grantd" in CASL_CASES.replace("granted", "grantd", 1).splitlines()[line - 1]
    assert caller.get(URL).status_code == 404


UNREADABLE = [
    ("pack: &a no-fridays\ntitle: *a\n", "anchors and aliases"),
    ("pack: !!python/object:os.system x\n", "tags"),
    ("pack: no-fridays\n---\npack: no-fridays\n", "one document"),
    ("[" * 40 + "]" * 40, "nested deeper"),
    ("- no-fridays\n", "begin it with"),
    ("pack: no-friday\n", "did you mean 'no-fridays'"),
    ("", "empty"),
    (NEW + "rules: []\n", "twice"),
    (NEW.replace("rules:", "rules:" + "\n  - x" * 401, 1), "at most 400"),
    ("pack: no-fridays\n\ttitle: x\n", "not YAML"),
]


def test_what_cannot_be_read_is_refused_with_a_sentence(caller: Caller) -> None:
    for text, says in UNREADABLE:
        found = problems(put(caller, text))
        assert any(says in sentence for _, _, sentence, _ in found), (text[:40], found)


def test_a_bomb_and_ten_megabytes_are_refused(caller: Caller) -> None:
    bomb = "a: &a [x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a]\n" for n in range(50))
    assert "anchors" in problems(put(caller, bomb))[0][2]
    assert put(caller, "# " + "x" * 10_000_000).status_code == 413
    assert caller.put(URL, data=b"pack: x", headers={"Content-Type": "text/plain"}).status_code == 415


def test_two_people_change_a_rule(caller: Caller, other: Caller) -> None:
    before = in_force(caller)
    written = put(caller, NEW)
    assert written.status_code == 201
    match = {"If-Match": written.headers["ETag"]}
    assert written.get_json()["proposal"] is None
    assert in_force(caller) == before, "a draft decides nothing"
    tried = caller.post(f"{URL}/test").get_json()
    assert tried["ok"] is True, tried
    assert (tried["own"], tried["failed"], tried["problems"]) == (2, [], [])
    assert tried["cases"] > 600, "all others' cases are run as well"
    assert caller.post(f"{URL}/approve", {}).status_code == 428
    assert caller.post(f"{URL}/approve", {}, headers=match).get_json()["type"].endswith("/not-proposed")
    proposed = caller.post(f"{URL}/propose", {"notes": "Less paper."}, headers=match)
    assert proposed.status_code == 201, proposed.get_json()
    (rule,) = proposed.get_json()["changes"]["no-fridays"]["rules"]
    assert rule["change"] == "added"
    assert rule["after"].startswith(
        "Forbidden (cool-off) when the message is commercial and the channel is post"
    )
    alone = caller.post(f"{URL}/approve", {}, headers=match)
    assert (alone.status_code, alone.get_json()["type"].split("/")[-1]) == (403, "second-person-needed")
    assert in_force(caller) == before
    stale = other.post(f"{URL}/approve", {}, headers={"If-Match": '"sha256:00"'})
    assert stale.status_code == 412
    approved = other.post(f"{URL}/approve", {"digest": written.get_json()["digest"]})
    assert approved.status_code == 200, approved.get_json()
    assert in_force(caller) == approved.get_json()["digest"] != before
    again = other.post(f"{URL}/approve", {}, headers=match)
    assert (again.status_code, again.get_json()["type"].split("/")[-1]) == (409, "already-approved")
    pack = caller.get("/v1/policies/no-fridays").get_json()
    assert (pack["proposed_by"], pack["approved_by"]) == (
        caller.made.component.client_id,
        other.made.component.client_id,
    )
    assert [case["name"] for case in pack["cases"]] == ["a leaflet", "a bill"]
    assert (pack["source"], pack["as_written"]) == ({"draft": NEW}, True), "comments and lines as they were"
    shipped = caller.get("/v1/policies/ca-casl").get_json()
    assert (shipped["source"], shipped["as_written"]) == ({"policy": CASL, "cases": CASL_CASES}, True)
    assert shipped["text"]["communications/ca-casl.yaml"]["pack"] == "ca-casl", "and as data"
    kinds = [each["kind"] for each in _events(caller)]
    assert [kind for kind in kinds if kind.startswith("policy.")][-4:] == [
        "policy.drafted",
        "policy.proposed",
        "policy.approval_refused",
        "policy.activated",
    ]
    (version,) = caller.get("/v1/policies/no-fridays/versions").get_json()["items"]
    assert (version["kind"], version["notes"], version["before"]) == ("activated", "Less paper.", before)


def _events(caller: Caller) -> list[dict[str, Any]]:
    return list(caller.get("/v1/audit/entries?limit=500").get_json()["items"])


def test_a_changed_rule_is_told_in_words_and_gone_back_on(caller: Caller, other: Caller) -> None:
    before = in_force(caller)
    url = "/v1/policies/ca-casl/draft"
    changed = CASL.replace(
        "{relationship.last_inquiry_age: {under: 6 months}}",
        "{relationship.last_inquiry_age: {under: 3 months}}",
    )
    # The cases in force say 6 months: they must still hold, or be changed with the rule.
    assert put(caller, changed, url).status_code == 201
    tried = caller.post(f"{url}/test").get_json()
    assert tried["ok"] is False
    assert any("inquir" in one["case"] for one in tried["failed"])
    match = {"If-Match": caller.get(url).headers["ETag"]}
    refused = caller.post(f"{url}/propose", {}, headers=match)
    assert "fails" in problems(refused)[0][2]
    assert caller.delete(url, headers=match).status_code == 204
    cases = CASL_CASES.replace("5 months", "2 months").replace("6 months", "3 months")
    written = caller.put(url, {"policy": changed, "cases": cases})
    assert written.status_code == 201, written.get_json()
    match = {"If-Match": written.headers["ETag"]}
    proposed = caller.post(f"{url}/propose", {}, headers=match)
    assert proposed.status_code == 201, proposed.get_json()
    (rule,) = proposed.get_json()["changes"]["ca-casl"]["rules"]
    assert rule["rule"] == "ca-casl.commercial-message-needs-consent"
    assert "less than 3 months ago" in rule["what"][0]
    assert "less than 6 months ago" in rule["what"][0].split("Before: ")[1]
    assert other.post(f"{url}/approve", {}, headers=match).status_code == 200
    assert in_force(caller) != before
    back = caller.post("/v1/policies/ca-casl/rollback", {"reason": "Too strict."})
    assert back.status_code == 200, back.get_json()
    assert back.get_json()["digest"] == before == in_force(caller)
    assert (back.get_json()["review"], back.get_json()["notes"]) == ("due", "Too strict.")
    nothing = caller.post("/v1/policies/ca-casl/rollback", {})
    assert (nothing.status_code, nothing.get_json()["type"].split("/")[-1]) == (409, "nothing-to-roll-back")
    assert caller.post("/v1/policies/ca-casl/rollback/review", {"note": "x"}).status_code == 403
    assert (
        other.post("/v1/policies/ca-casl/rollback/review", {"note": "Right."}).get_json()["review"] == "done"
    )
    told = caller.get("/v1/policies/ca-casl/versions").get_json()["items"]
    assert [(each["kind"], each["in_force"]) for each in told] == [
        ("rolled_back", True),
        ("activated", False),
        ("adopted", False),
    ]


def test_going_back_with_one_pack_leaves_a_later_one_in_force(caller: Caller, other: Caller) -> None:
    before = in_force(caller)
    bring_in(caller, other, NEW)
    second = NEW.replace("no-fridays", "no-mondays").replace("channel: post", "channel: push")
    bring_in(caller, other, second, "/v1/policies/no-mondays/draft")
    assert caller.post("/v1/policies/no-fridays/rollback", {}).status_code == 200
    assert caller.get("/v1/policies/no-fridays").status_code == 404
    assert caller.get("/v1/policies/no-mondays").status_code == 200
    assert caller.post("/v1/policies/no-mondays/rollback", {}).status_code == 200
    assert in_force(caller) == before


def test_an_outdated_draft_is_not_approved(caller: Caller, other: Caller) -> None:
    first = put(caller, NEW)
    old = {"If-Match": first.headers["ETag"]}
    assert caller.post(f"{URL}/propose", {}, headers=old).status_code == 201
    assert put(caller, NEW.replace("House rule 7", "House rule 8")).status_code == 428
    second = put(caller, NEW.replace("House rule 7", "House rule 8"), **old)
    assert second.status_code == 200
    assert put(caller, NEW, **old).status_code == 412
    assert other.post(f"{URL}/approve", {}, headers=old).status_code == 412
    new = {"If-Match": second.headers["ETag"]}
    assert other.post(f"{URL}/approve", {}, headers=new).get_json()["type"].endswith("/not-proposed")
    assert caller.post(f"{URL}/propose", {}, headers=new).status_code == 201
    # Another pack comes into force in between: what would be approved is not what was proposed.
    bring_in(
        caller,
        other,
        NEW.replace("no-fridays", "no-mondays").replace(": post", ": push"),
        "/v1/policies/no-mondays/draft",
    )
    assert other.post(f"{URL}/approve", {}, headers=new).status_code == 412
    assert caller.post(f"{URL}/propose", {}, headers=new).status_code == 201
    rejected = other.post(f"{URL}/reject", {"reason": "Not needed."}, headers=new)
    assert (rejected.status_code, rejected.get_json()["state"]) == (200, "rejected")
    assert other.post(f"{URL}/approve", {}, headers=new).status_code == 409
    assert caller.get(URL).get_json()["proposal"]["reason"] == "Not needed."


def test_a_change_comes_into_force_at_its_instant_without_a_job(
    caller: Caller, other: Caller, clock: HandClock
) -> None:
    before = in_force(caller)
    at = clock.at + timedelta(minutes=10)
    past = put(caller, NEW)
    match = {"If-Match": past.headers["ETag"]}
    early = caller.post(f"{URL}/propose", {"activate_at": "2026-11-01T00:00:00Z"}, headers=match)
    assert "activate_at" in early.get_json()["errors"]
    assert caller.delete(URL, headers=match).status_code == 204
    made = bring_in(caller, other, NEW, activate_at=at.isoformat())
    assert made["state"] == "scheduled"
    assert caller.get("/v1/policies").get_json()["next_change"]["digest"] == made["digest"]
    clock.at = at - timedelta(microseconds=1)
    assert in_force(caller) == before
    assert caller.get("/v1/policies/no-fridays/versions").status_code == 404
    assert caller.get(f"/v1/policy-proposals/{made['id']}").get_json()["state"] == "scheduled"
    clock.at = at
    assert in_force(caller) == made["digest"], "from the very instant on"
    assert caller.get("/v1/policies").get_json()["next_change"] is None
    # What is told goes by the time as well: versions, who approved, what became of the proposal.
    (told,) = caller.get("/v1/policies/no-fridays/versions").get_json()["items"]
    assert (told["kind"], told["in_force"], told["digest"]) == ("activated", True, made["digest"])
    assert caller.get("/v1/policies/no-fridays").get_json()["approved_by"] == told["approved_by"]
    assert caller.get(f"/v1/policy-proposals/{made['id']}").get_json()["state"] == "activated"
    runtime: Runtime = caller.client.application.extensions["governance"]
    clock.forward(timedelta(seconds=30))
    assert settle_policies.run(runtime) == 1
    assert settle_policies.run(runtime) == 0
    (version,) = caller.get("/v1/policies/no-fridays/versions").get_json()["items"]
    assert version["since"] == "2026-11-21T10:10:00.000000Z"
    assert {**version, "id": None} == {**told, "id": None}, "writing it down changes nothing that is told"
    assert caller.post("/v1/policies/no-fridays/rollback", {}).get_json()["digest"] == before


def test_a_scheduled_change_is_called_off(caller: Caller, other: Caller, clock: HandClock) -> None:
    before = in_force(caller)
    made = bring_in(caller, other, NEW, activate_at=(clock.at + timedelta(minutes=2)).isoformat())
    url = "/v1/policies/no-mondays/draft"
    second = put(caller, NEW.replace("no-fridays", "no-mondays").replace(": post", ": push"), url)
    match = {"If-Match": second.headers["ETag"]}
    assert caller.post(f"{url}/propose", {}, headers=match).status_code == 201
    waiting = other.post(f"{url}/approve", {}, headers=match)
    assert waiting.get_json()["type"].endswith("/activation-scheduled")
    assert caller.post("/v1/policies/no-mondays/call-off", {}).status_code == 404
    assert caller.post("/v1/policies/no-fridays/call-off", {}).get_json()["state"] == "cancelled"
    clock.forward(timedelta(minutes=3))
    assert in_force(caller) == before
    assert caller.get(f"/v1/policy-proposals/{made['id']}").get_json()["state"] == "cancelled"


def asked(caller: Caller, people: list[str]) -> dict[str, bool]:
    """Ask about everybody at once, as a campaign does."""
    question = {
        "subject": {"type": "component", "id": "campaign"},
        "action": {
            "name": "communication.send",
            "properties": {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
        },
        "evaluations": [{"resource": {"type": "data_subject", "id": person}} for person in people],
    }
    answer = caller.post("/access/v1/evaluations", question)
    assert answer.status_code == 200, answer.get_json()
    return {p: one["decision"] for p, one in zip(people, answer.get_json()["evaluations"], strict=True)}


def test_replay_and_shadow_say_beforehand_what_the_change_does(
    caller: Caller, other: Caller, clock: HandClock
) -> None:
    people = []
    for country in ("NZ", "SG", "DE"):
        for number in range(3):
            people.append(f"{country}-{number}")
            body = {"attributes": {"country": country}, "relationship": "lead"}
            assert caller.put(f"/v1/subjects/{people[-1]}", body).status_code == 201
            if number == 1:
                consent = {
                    "subject": {"id": people[-1]}, "purpose": "marketing", "status": "granted",
                    "method": "web_form", "evidence": {"form_url": "https://example.org/f"},
                }  # fmt: skip
                assert caller.post("/v1/consents", consent).status_code == 201
    before = asked(caller, people)
    somebody = {"type": "data_subject", "id": people[0]}
    erase = {"subject": {"type": "component", "id": "crm"}, "action": {"name": "data.erase"}}
    assert (
        caller.post("/access/v1/evaluation", {**erase, "resource": somebody}).get_json()["decision"] is True
    )
    found = caller.post("/access/v1/search/action", {"subject": erase["subject"], "resource": somebody})
    assert found.status_code == 200, found.get_json()
    text = NEW.replace("{person.country: CA}\n", "{person.country: {in: [NZ, SG]}}\n").replace(
        ": post", ": email"
    )
    text = text.replace("facts: {person.country: CA", "facts: {person.country: NZ")
    written = put(caller, text)
    assert written.status_code == 201, written.get_json()
    match = {"If-Match": written.headers["ETag"]}
    assert caller.post(f"{URL}/replay", {"limit": 0}).status_code == 422
    told = caller.post(f"{URL}/replay", {}).get_json()
    assert (told["read"], told["decided"], told["newly_allowed"]) == (11, 9, 0)
    assert (told["not_decided_by_policy"], told["not_reproduced"]) == (2, 0)
    assert [row["rule"] for row in told["by_rule"]] == ["no-fridays.no-advertising-by-post"]
    runtime: Runtime = caller.client.application.extensions["governance"]
    assert caller.get(f"{URL}/shadow").status_code == 404
    assert caller.post(f"{URL}/shadow", {"until": "2026-11-21T09:00:00Z"}).status_code == 422
    clock.forward(timedelta(seconds=1))
    started = caller.post(f"{URL}/shadow", {"until": "2026-11-21T10:05:00Z"})
    assert (started.status_code, started.get_json()["state"]) == (201, "running")
    assert asked(caller, people) == before, "a shadow changes no answer"
    assert run_shadows.run(runtime) == 1
    clock.forward(timedelta(seconds=10))
    assert asked(caller, people) == before
    assert run_shadows.run(runtime) == 1
    shadow = caller.get(f"{URL}/shadow").get_json()
    assert (shadow["decided"], shadow["newly_denied"], shadow["newly_allowed"]) == (9, 2, 0)
    assert {row["country"] for row in shadow["by_country"]} == {"NZ", "SG"}
    clock.forward(timedelta(minutes=6))
    assert asked(caller, people) == before, "asked after its end, not counted"
    assert run_shadows.run(runtime) == 1
    shadow = caller.get(f"{URL}/shadow").get_json()
    assert (shadow["state"], shadow["decided"], shadow["newly_denied"]) == ("ended", 18, 4)
    assert caller.post(f"{URL}/shadow/stop", {}).get_json()["type"].endswith("/not-running")
    assert caller.post(f"{URL}/propose", {}, headers=match).status_code == 201
    assert other.post(f"{URL}/approve", {}, headers=match).status_code == 200
    after = asked(caller, people)
    denied = [person for person in people if before[person] and not after[person]]
    assert told["newly_denied"] == len(denied) == 2
    assert {row["country"]: row["newly_denied"] for row in told["by_country"]} == {"NZ": 1, "SG": 1}
    assert {one["country"] for one in told["samples"]["newly_denied"]} == {"NZ", "SG"}
