"""What a person reaches by an appeal against a refusal, or by a complaint about it, through the HTTP door."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import request_started

from governance.bootstrap import Runtime
from governance.ledger.store import entries
from governance.rights import letters as room_letters
from retention_jobs import build_packages, run_erasures, run_rights_clocks
from tests.api.conftest import Caller
from tests.api.test_rights import PATH, act, ask, code, code_of, later, letters, person, prove
from tests.conftest import ACTOR, HandClock

VIRGINIA = {"country": "US", "region": "US-VA"}


@pytest.fixture(autouse=True)
def time_passes(clock: HandClock) -> Iterator[None]:
    """A millisecond passes with every request, so that what came later has a later id."""

    def tick(_sender: object, **_more: object) -> None:
        clock.forward(timedelta(milliseconds=1))

    with request_started.connected_to(tick):
        yield


def shown(caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = caller.get(f"{PATH}/{request['id']}").get_json()
    return found


def refused(caller: Caller, type_: str = "access", *, proved: bool = True, **more: Any) -> dict[str, Any]:
    """A Virginian's request that was refused after proof, or before it."""
    person(caller, **VIRGINIA)
    made = ask(caller, type_, **more)
    if proved:
        prove(caller, made)
    ground = "manifestly-unfounded-or-excessive" if proved else "identity-not-verified"
    return act(caller, made, "refuse", ground=ground)


def page_of(runtime: Runtime, caller: Caller, request: dict[str, Any]) -> str:
    """The person's status page."""
    with runtime.snapshot("acme", ACTOR) as snap:
        link = room_letters.status_link(snap, request["id"]).split("/privacy/")[1]
    return caller.client.get(f"/privacy/{link}").get_data(as_text=True)


def test_a_granted_appeal_opens_the_request_again_and_leads_to_the_data(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    caller, runtime = any_caller, any_runtime
    made = refused(caller, language="en")
    caller = later(caller, clock, timedelta(days=10))
    appeal = act(caller, made, "appeal", 201, details={"why": "I am a customer."})
    assert shown(caller, made)["appeals"][0]["id"] == appeal["id"]
    assert appeal["clock"]["due_on"] == "2027-01-30"
    caller = later(caller, clock, timedelta(days=20))

    granted = act(caller, appeal, "fulfil", because="We had mistaken you for somebody else.")
    assert (granted["status"], granted["outcome"], granted["appeal_of"]) == (
        "fulfilled",
        "granted",
        made["id"],
    )
    again = shown(caller, made)
    assert (again["status"], again["waits_for"], again["closed_at"], again["outcome"]) == (
        "in_progress",
        "package",
        None,
        None,
    )
    assert (again["reopened"]["by"], again["reopened"]["partly"]) == (appeal["id"], False)
    before = again["reopened"]["before"]
    assert (before["status"], before["outcome"], before["closed_at"]) == (
        "refused",
        "manifestly-unfounded-or-excessive",
        made["closed_at"],
    )
    assert (again["clock"]["due_on"], again["clock"]["starts_on"]) == ("2027-01-30", "2026-12-01")
    assert again["clock"]["basis"]["cites"] == ["Va. Code § 59.1-577(B)-(C)"]
    assert again["clock"]["basis"]["statutory"] is False, "the law dates the decision"
    assert again["clock"]["acknowledge_by"] is None
    assert code(act(caller, made, "extend", 409, because="x")) == "no-extension"
    last = letters(caller, made)[-1]
    assert last["kind"] == "reopened"
    for each in ("mistaken you for somebody else", "January 2027", appeal["id"], "changed our answer:"):
        assert each in last["text"]
    assert last["to"] == {"type": "email", "value": "crm-1@example.org"}
    page = page_of(runtime, caller, made)
    assert "Taken up again on" in page
    assert "21 December 2026" in page
    assert "We are working on it." in page
    assert "We have changed our answer and taken your request up again" in page_of(runtime, caller, appeal)

    assert build_packages.run(runtime) == 1
    again = shown(caller, made)
    assert (again["status"], again["reopened"]["by"]) == ("fulfilled", appeal["id"])
    (link,) = re.findall(r"/privacy/packages/\S+", letters(caller, made)[-1]["text"])
    got = caller.client.post(link)
    with zipfile.ZipFile(io.BytesIO(got.get_data())) as archive:
        assert "crm-1@example.org" in json.dumps(json.loads(archive.read("your-data.json")))
    with runtime.engine.connect() as connection:
        kinds = [each.kind for each in entries(connection, "acme", after=-1, limit=1000)]
    kinds = [each.removeprefix("rights.") for each in kinds if each.startswith("rights.")]
    taken = ["received", "contested", "matched", "begun"]
    done = ["fulfilled", "reopened", "verified", "begun", "fulfilled"]
    left = [each for each in kinds if each in {"refused", *taken, *done}]
    assert left[left.index("refused") :] == ["refused", *taken, *done]


def test_a_request_that_nobody_proved_is_proved_before_anything_happens(caller: Caller) -> None:
    made = refused(caller, proved=False)
    appeal = act(caller, made, "appeal", 201)
    act(caller, appeal, "fulfil")
    again = shown(caller, made)
    assert (again["status"], again["verified_at"], again["waits_for"]) == ("verifying", None, None)
    assert code(act(caller, made, "fulfil", 409)) == "not-verified"
    assert caller.get(f"{PATH}/{made['id']}/package").status_code == 409
    said = [each for each in letters(caller, made) if each["kind"] == "reopened"][-1]["text"]
    assert "make sure that the request comes from you" in said
    assert "2027" not in said, "no day before proof: it would tell where somebody lives"
    identity = again["identities"][0]["id"]
    right = code_of(caller, made)
    done = act(caller, made, "verify", identity=identity, method="code", code=right)
    assert (done["status"], done["waits_for"]) == ("in_progress", "package")


def test_one_appeal_is_open_at_a_time_and_keeps_what_is_said_again(caller: Caller) -> None:
    made = refused(caller)
    first = act(caller, made, "appeal", 201, details={"why": "I answered."})
    for _ in range(2):
        again = act(caller, made, "appeal", 200, details={"why": "And here is my number."})
        assert again["id"] == first["id"]
    assert act(caller, made, "appeal", 200)["id"] == first["id"]
    both = shown(caller, first)
    assert both["details"] == {"why": "I answered."}
    assert [each["details"] for each in both["details_added"]] == [{"why": "And here is my number."}]
    assert len(shown(caller, made)["appeals"]) == 1
    act(caller, first, "fulfil", 422, reopen=False)
    denied = act(caller, first, "refuse", ground="not-upheld", because="Nothing new was said.")
    assert (denied["status"], shown(caller, made)["status"]) == ("refused", "refused")
    text = letters(caller, first)[-1]["text"]
    assert "attorney general of Virginia" in text
    assert "Nothing new was said." in text
    assert "look at this again" not in text
    assert code(act(caller, made, "appeal", 409)) == "decided"


def test_a_new_refusal_of_what_was_taken_up_again_can_be_appealed_against(caller: Caller) -> None:
    made = refused(caller)
    first = act(caller, made, "appeal", 201)
    act(caller, first, "fulfil")
    assert code(act(caller, made, "appeal", 409)) == "not-closed"
    act(caller, made, "refuse", ground="manifestly-unfounded-or-excessive")
    second = act(caller, made, "appeal", 201)
    assert second["repeats"] is None
    act(caller, second, "fulfil")
    both = shown(caller, made)
    assert [each["id"] for each in both["appeals"]] == [first["id"], second["id"]]
    assert (both["status"], both["reopened"]["by"]) == ("in_progress", second["id"])


@pytest.mark.parametrize("end", ["package", "withdraw"])
def test_only_a_refusal_can_be_appealed_against(caller: Caller, runtime: Runtime, end: str) -> None:
    person(caller, **VIRGINIA)
    made = ask(caller)
    prove(caller, made)
    assert code(act(caller, made, "appeal", 409)) == "not-closed"
    if end == "package":
        assert build_packages.run(runtime) == 1
    else:
        act(caller, made, end)
    assert code(act(caller, made, "appeal", 409)) == "not-refused"
    assert "look at this again" not in letters(caller, made)[-1]["text"]


def test_a_partial_answer_can_be_and_its_letter_says_so(caller: Caller, runtime: Runtime) -> None:
    person(caller, **VIRGINIA)
    made = ask(caller)
    prove(caller, made)
    act(caller, made, "fulfil", partly=True, because="The rest is about others.")
    assert "look at this again" in letters(caller, made)[-1]["text"]
    appeal = act(caller, made, "appeal", 201)
    act(caller, appeal, "fulfil")
    again = shown(caller, made)
    assert (again["status"], again["reopened"]["before"]["status"]) == ("in_progress", "partly_fulfilled")
    assert build_packages.run(runtime) == 1
    assert shown(caller, made)["status"] == "fulfilled"


def test_what_is_granted_in_part_is_left_to_staff_and_ends_in_part(caller: Caller, clock: HandClock) -> None:
    made = refused(caller, "erasure")
    appeal = act(caller, made, "appeal", 201)
    problem = act(caller, appeal, "fulfil", 422, partly=True)
    assert "because" in problem["errors"]
    granted = act(caller, appeal, "fulfil", partly=True, because="The tickets may go; invoices must stay.")
    assert (granted["status"], granted["outcome"]) == ("partly_fulfilled", "partly_granted")
    again = shown(caller, made)
    assert (again["status"], again["waits_for"]) == ("in_progress", "review")
    assert again["reopened"]["partly"] is True
    assert caller.get("/v1/subjects/crm-1").get_json()["standing"]["erasure_pending"] is False
    text = letters(caller, made)[-1]["text"]
    assert "for a part: that part we will do" in text
    assert "invoices must stay" in text
    done = act(caller, made, "fulfil", because="The tickets are gone.")
    assert done["status"] == "partly_fulfilled", "the rest stays refused"


def test_an_erasure_that_is_refused_is_taken_back_and_one_that_is_granted_ends_with_a_certificate(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    caller, runtime = any_caller, any_runtime
    person(caller, **VIRGINIA)
    made = ask(caller, "erasure")
    prove(caller, made)

    def pending() -> bool:
        return bool(caller.get("/v1/subjects/crm-1").get_json()["standing"]["erasure_pending"])

    assert pending()
    act(caller, made, "refuse", ground="legal-obligation")
    assert not pending(), "a refused erasure does not go on"
    caller = later(caller, clock, timedelta(hours=30))
    run_erasures.run(runtime)
    assert caller.get("/v1/subjects/crm-1").status_code == 200
    appeal = act(caller, made, "appeal", 201)
    act(caller, appeal, "fulfil")
    assert (shown(caller, made)["waits_for"], pending()) == ("erasure", True)
    caller = later(caller, clock, timedelta(hours=25))
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    assert shown(caller, made)["status"] in ("fulfilled", "partly_fulfilled")
    found = caller.get("/v1/erasures").get_json()["items"]
    assert next(each["status"] for each in found) == "cancelled"
    newest = caller.get(f"/v1/erasures/{found[-1]['id']}").get_json()
    assert newest["certificate"].count(".") == 2
    assert letters(caller, made)[-1]["to"] == {"type": "email", "value": "crm-1@example.org"}


def test_an_erasure_that_has_begun_cannot_be_refused_any_more(
    caller: Caller, runtime: Runtime, clock: HandClock
) -> None:
    person(caller, **VIRGINIA)
    made = ask(caller, "erasure")
    prove(caller, made)
    caller = later(caller, clock, timedelta(hours=25))
    assert code(act(caller, made, "refuse", 409, ground="legal-obligation")) == "too-late"
    assert shown(caller, made)["status"] == "in_progress"


def test_a_complaint_that_is_upheld_opens_the_request_that_it_is_about(
    caller: Caller, clock: HandClock
) -> None:
    person(caller, country="GB")
    made = ask(caller)
    prove(caller, made)
    act(caller, made, "refuse", ground="manifestly-unfounded-or-excessive")
    body = {"type": "complaint", "appeal_of": made["id"], "details": {"text": "I asked once."}}
    said = caller.post(PATH, body)
    complaint = said.get_json()
    assert (said.status_code, complaint["regime"], complaint["appeal_of"]) == (201, "uk-gdpr", made["id"])
    assert complaint["clock"]["acknowledge_by"] == "2026-12-21T00:00:00.000000Z"
    assert shown(caller, made)["appeals"][0]["type"] == "complaint"
    late = caller.post(PATH, body).get_json()
    act(caller, late, "fulfil", because="Our letter was rude.", reopen=False)
    assert shown(caller, made)["status"] == "refused", "the complaint was right, the answer stands"
    act(caller, complaint, "fulfil", because="You are right.")
    again = shown(caller, made)
    assert (again["status"], again["waits_for"]) == ("in_progress", "package")
    assert again["clock"]["basis"]["cites"] == ["Data Protection Act 2018 s.164A"]
    assert again["clock"]["due_on"] == complaint["clock"]["due_on"]
    other = ask(caller, "complaint")
    assert act(caller, other, "fulfil")["outcome"] == "fulfilled", "one about something else opens nothing"
    about = caller.post(PATH, {**body, "appeal_of": complaint["id"]})
    assert (about.status_code, list(about.get_json()["errors"])) == (422, ["appeal_of"])


def test_the_same_key_opens_again_once(caller: Caller) -> None:
    made = refused(caller)
    key = {"headers": {"Idempotency-Key": "appeal-1"}}
    appeals = [caller.post(f"{PATH}/{made['id']}/appeal", {}, **key) for _ in range(2)]
    assert [each.status_code for each in appeals] == [201, 201], "the same answer again"
    granting = {"headers": {"Idempotency-Key": "grant-1"}}
    path = f"{PATH}/{appeals[0].get_json()['id']}/fulfil"
    assert [caller.post(path, {}, **granting).status_code for _ in range(2)] == [200, 200]
    assert code(caller.post(path, {}).get_json()) == "closed"
    kinds = [each["kind"] for each in letters(caller, made)]
    assert kinds.count("reopened") == 1


def test_the_report_counts_the_answer_that_was_taken_back(caller: Caller) -> None:
    made = refused(caller)
    act(caller, act(caller, made, "appeal", 201), "fulfil")
    found = caller.get("/v1/reports/requests").get_json()
    assert [each["id"] for each in found["open"]] == [made["id"]]
    assert (found["closed"]["taken_back"], found["closed"]["answered"]) == (1, 2), "the refusal, the appeal"
    assert found["closed"]["by_outcome"] == {"fulfilled": 1}
