"""Proof holds while the address is the person's own: what was corrected or merged since is proved anew."""

import re
from datetime import timedelta
from typing import Any

from governance.bootstrap import Runtime
from retention_jobs import build_packages, run_rights_clocks
from tests.api.conftest import Caller
from tests.api.test_rights import PATH, act, ask, code, code_of, later, letters, person, prove
from tests.conftest import HandClock


def link_of(caller: Caller, request: dict[str, Any]) -> str:
    """The path of the page of the newest letter that asks for proof."""
    found = re.search(r"/privacy/requests/\S+", newest(caller, request, "verification")["text"])
    assert found is not None
    return found.group(0)


def newest(caller: Caller, request: dict[str, Any], kind: str) -> dict[str, Any]:
    """The newest letter of a kind."""
    return [each for each in letters(caller, request) if each["kind"] == kind][-1]


def corrected(caller: Caller, old: str, new: str) -> None:
    """Have an address of crm-1 corrected on a request that is proved by staff."""
    made = ask(caller, "rectification", identity={"id": "crm-1"})
    looked = {"method": "staff", "evidence": {"looked_at": "the contract"}}
    act(caller, made, "verify", identity=made["identities"][0]["id"], **looked)
    act(caller, made, "correct", changes=[{"name": "email", "value": new, "was": old}])


def test_who_reads_at_an_address_that_was_corrected_proves_nobody_by_id(any_caller: Caller) -> None:
    caller = any_caller
    person(caller, email="wrong@example.org")
    made = ask(caller, identity={"id": "crm-1"})
    named = {"identity": made["identities"][0]["id"], "method": "code"}
    act(caller, made, "verify", **named)
    digits, link = code_of(caller, made), link_of(caller, made)
    corrected(caller, "wrong@example.org", "right@example.org")
    assert act(caller, made, "verify", 410, **named, code=digits)["status"] == 410
    assert caller.client.post(link, data={"action": "confirm"}).status_code == 410
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "verifying"


def test_who_reads_at_an_address_that_was_corrected_proves_nobody_by_the_address(caller: Caller) -> None:
    person(caller, email="wrong@example.org")
    made = ask(caller, identities=[{"email": "wrong@example.org"}])
    act(caller, made, "verify", identity=made["identities"][0]["id"], method="code")
    link = link_of(caller, made)
    right = {"identifiers": [{"type": "email", "value": "right@example.org"}]}
    assert caller.put("/v1/subjects/crm-1", right).status_code == 200
    caller.client.post(link, data={"action": "confirm"})
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert shown["status"] == "verifying", "staff have to look who that is"


def test_a_package_goes_where_the_person_is_reached_now(runtime: Runtime, caller: Caller) -> None:
    person(caller, email="old@example.org")
    made = ask(caller, identities=[{"email": "old@example.org"}])
    act(caller, made, "verify", identity=made["identities"][0]["id"], method="code")
    link = link_of(caller, made)
    caller.client.post(link, data={"action": "confirm"})
    corrected(caller, "old@example.org", "new@example.org")
    assert build_packages.run(runtime) == 1
    assert newest(caller, made, "fulfilment")["to"]["value"] == "new@example.org"
    page = caller.client.get(link)
    assert (page.status_code, "/privacy/packages/" in page.get_data(as_text=True)) == (200, False)


def test_who_was_merged_is_written_to_and_has_the_whole_time_for_proof_again(
    runtime: Runtime, caller: Caller, clock: HandClock
) -> None:
    person(caller)
    person(caller, "crm-2")
    made = ask(caller)
    assert prove(caller, made)["status"] == "in_progress"
    act(caller, made, "extend", because="much to look for")
    caller = later(caller, clock, timedelta(days=35))
    assert caller.post("/v1/subjects/crm-1/merge", {"into": "crm-2"}).status_code == 200
    build_packages.run(runtime)
    run_rights_clocks.run(runtime)
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert (shown["status"], shown["waits_for"]) == ("verifying", "proof")
    assert sum(each["kind"] == "verification" for each in letters(caller, made)) == 2
    assert newest(caller, made, "verification")["to"]["value"] == "crm-1@example.org"
    assert caller.client.post(link_of(caller, made), data={"action": "confirm"}).status_code == 200
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "in_progress"
    assert build_packages.run(runtime) == 1


def test_an_agent_asks_for_one_person_at_a_time(caller: Caller) -> None:
    person(caller)
    person(caller, "crm-2")
    agent = {"kind": "authorised_agent", "name": "Eve Agent", "evidence": {"mandate": "signed 1 May"}}
    both = [{"email": "crm-1@example.org"}, {"email": "crm-2@example.org"}]
    made = ask(caller, identities=both, on_behalf_of=agent)
    looked = {"looked_at": "the mandate"}
    refused = act(caller, made, "verify", 409, authority="accepted", evidence=looked)
    assert code(refused) == "several-people"
    prove(caller, made)
    act(caller, made, "verify", identity=made["identities"][1]["id"], method="drop")
    answer = act(caller, made, "verify", authority="accepted", evidence=looked)
    assert answer["status"] == "in_progress"


def test_an_agents_authority_does_not_stretch_to_somebody_who_is_named_later(caller: Caller) -> None:
    person(caller)
    person(caller, "crm-2", "other@example.org")
    agent = {"kind": "authorised_agent", "name": "Eve Agent", "evidence": {"mandate": "signed 1 May"}}
    both = [{"email": "crm-1@example.org"}, {"email": "unknown@example.org"}]
    made = ask(caller, identities=both, on_behalf_of=agent)
    act(caller, made, "verify", authority="accepted", evidence={"looked_at": "the mandate"})
    second = made["identities"][1]["id"]
    act(caller, made, "matches", identity=second, subject={"id": "crm-2"})
    prove(caller, made)
    looked = {"method": "staff", "evidence": {"looked_at": "the contract"}}
    assert act(caller, made, "verify", identity=second, **looked)["status"] == "verifying"


def moved_on(caller: Caller) -> None:
    """The CRM corrects the address of crm-1, and gives the old one to the person whose it is."""
    right = {"identifiers": [{"type": "email", "value": "right@example.org"}]}
    assert caller.put("/v1/subjects/crm-1", right).status_code == 200
    person(caller, "crm-2", "wrong@example.org")


def test_an_appeal_leads_on_only_while_the_address_is_the_persons(any_caller: Caller) -> None:
    caller = any_caller
    person(caller, email="wrong@example.org", country="US", region="US-VA")
    made = ask(caller, "erasure", identities=[{"email": "wrong@example.org"}])
    prove(caller, made)
    act(caller, made, "refuse", ground="manifestly-unfounded-or-excessive")
    moved_on(caller)
    appeal = act(caller, made, "appeal", 201)
    act(caller, appeal, "fulfil")
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert (shown["status"], shown["waits_for"]) == ("verifying", "proof")
    for each in ("crm-1", "crm-2"):
        assert caller.get(f"/v1/subjects/{each}").get_json()["standing"]["erasure_pending"] is False
    told = newest(caller, made, "reopened")
    assert "make sure that the request comes from you" in told["text"]
    assert "It will be done by" not in told["text"]


def test_what_is_said_of_an_appeal_goes_where_the_person_is_reached_now(caller: Caller) -> None:
    person(caller, email="wrong@example.org", country="US", region="US-VA")
    made = ask(caller, identities=[{"email": "wrong@example.org"}])
    prove(caller, made)
    act(caller, made, "refuse", ground="manifestly-unfounded-or-excessive")
    moved_on(caller)
    appeal = act(caller, made, "appeal", 201)
    act(caller, appeal, "refuse", ground="not-upheld", because="The debt of 3,000 is open.")
    sent = letters(caller, appeal)
    assert {each["to"]["value"] for each in sent} == {"right@example.org"}
    assert len(sent) == 2


def test_an_erasure_that_waited_is_ordered_again_only_while_the_address_is_the_persons(
    caller: Caller,
) -> None:
    person(caller, email="wrong@example.org", country="GB")
    made = ask(caller, "erasure", identities=[{"email": "wrong@example.org"}])
    prove(caller, made)
    act(caller, made, "pause", reason="fee")
    moved_on(caller)
    act(caller, made, "resume")
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "verifying"
    assert caller.get("/v1/subjects/crm-1").get_json()["standing"]["erasure_pending"] is False


def test_after_a_merge_an_appeal_says_that_proof_is_needed_and_sends_one_code(caller: Caller) -> None:
    person(caller, country="US", region="US-VA")
    person(caller, "crm-2", country="US", region="US-VA")
    made = ask(caller, identity={"id": "crm-1"})
    prove(caller, made)
    act(caller, made, "refuse", ground="manifestly-unfounded-or-excessive")
    assert caller.post("/v1/subjects/crm-1/merge", {"into": "crm-2"}).status_code == 200
    before = sum(each["kind"] == "verification" for each in letters(caller, made))
    act(caller, act(caller, made, "appeal", 201), "fulfil")
    told = newest(caller, made, "reopened")
    assert told["to"] is not None
    assert "make sure that the request comes from you" in told["text"]
    assert sum(each["kind"] == "verification" for each in letters(caller, made)) == before + 1
