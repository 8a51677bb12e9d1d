"""Requests of people about their data, through the HTTP door."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, request_started

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.ledger.store import entries
from governance.rights import service as rights
from retention_jobs import build_packages
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock

PATH = "/v1/rights-requests"


@pytest.fixture(autouse=True)
def time_passes(clock: HandClock) -> Iterator[None]:
    """A millisecond passes with every request, so that what came later has a later id."""
    with request_started.connected_to(lambda _sender: _tick(clock)):
        yield


def later(caller: Caller, clock: HandClock, by: timedelta) -> Caller:
    """Let time pass, and give the caller a token that is still good then."""
    clock.forward(by)
    return Caller(caller.client, caller.made)


def _tick(clock: HandClock) -> None:
    clock.forward(timedelta(milliseconds=1))


def person(caller: Caller, external_id: str = "crm-1", email: str | None = None, **more: Any) -> None:
    body = {
        "identifiers": [{"type": "email", "value": email or f"{external_id}@example.org"}],
        "attributes": {"country": "DE", **more},
        "relationship": "lead",
    }
    assert caller.put(f"/v1/subjects/{external_id}", body).status_code in (200, 201)


def ask(caller: Caller, type_: str = "access", status: int = 201, **more: Any) -> dict[str, Any]:
    named = {} if "identity" in more else {"identities": [{"email": "crm-1@example.org"}]}
    answer = caller.post(PATH, {"type": type_, **named, **more})
    assert answer.status_code == status, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def act(caller: Caller, request: dict[str, Any], verb: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = caller.post(f"{PATH}/{request['id']}/{verb}", body)
    assert answer.status_code == status, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def letters(caller: Caller, request: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(f"{PATH}/{request['id']}/letters").get_json()["items"]
    return found


def code_of(caller: Caller, request: dict[str, Any]) -> str:
    # Letters of one instant have no order among them.
    found = [re.search(r"\b([0-9]{8})\.", letter["text"]) for letter in letters(caller, request)]
    return [code for code in found if code][-1].group(1)


def prove(caller: Caller, request: dict[str, Any], number: int = 0) -> dict[str, Any]:
    identity = request["identities"][number]["id"]
    act(caller, request, "verify", identity=identity, method="code")
    return act(caller, request, "verify", identity=identity, method="code", code=code_of(caller, request))


def code(problem: dict[str, Any]) -> str:
    return str(problem["type"]).rsplit("/", 1)[-1]


def refused(caller: Caller, address: str = "crm-1@example.org", external_id: str = "crm-1") -> set[str]:
    """The codes for which promotion by e-mail to this address is refused; empty if it is not."""
    action = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
    action["contact_point"] = {"type": "email", "value": address}  # type: ignore[assignment]
    body = {
        "subject": {"type": "component", "id": "test"},
        "action": {"name": "communication.send", "properties": action},
        "resource": {"type": "data_subject", "id": external_id},
    }
    answer = caller.post("/access/v1/evaluation", body).get_json()
    return set() if answer["decision"] else {each["code"] for each in answer["context"]["reasons"]}


def consent(caller: Caller, external_id: str = "crm-1") -> None:
    said = {"purpose": "marketing", "channel": "email", "status": "granted", "method": "web_form"}
    assert caller.post("/v1/consents", {"subject": {"id": external_id}, **said}).status_code == 201


def restricted(caller: Caller) -> bool:
    return bool(caller.get("/v1/subjects/crm-1").get_json()["standing"]["restricted"])


def test_a_request_gets_the_clock_of_the_law_where_the_person_lives(any_caller: Caller) -> None:
    person(any_caller)
    made = ask(any_caller)
    assert (made["status"], made["regime"], made["right"]) == ("received", "eu-gdpr", "yes")
    clock = made["clock"]
    assert (clock["due_on"], clock["due_at"]) == ("2026-12-21", "2026-12-21T23:00:00.000000Z")
    assert clock["acknowledge_by"] is None
    assert clock["basis"]["cites"] == ["Regulation (EU) 2016/679 Art. 12(3)-(4)"]
    assert clock["basis"]["verified"] is True
    assert clock["basis"]["ends_on_working_day"]["verified"] is False
    assert ask(any_caller, identity={"id": "crm-1"}, region="US-CA")["regime"] == "eu-gdpr", "the stricter"
    assert ask(any_caller, regime="us-ca")["clock"]["acknowledge_by"] == "2026-12-07T23:00:00.000000Z"


def test_nothing_happens_before_the_code_and_everything_begins_with_it(any_caller: Caller) -> None:
    caller = any_caller
    person(caller)
    made = ask(caller)
    assert code(act(caller, made, "fulfil", 409)) == "not-verified"
    identity = made["identities"][0]["id"]
    wrong = {"identity": identity, "method": "code"}
    assert code(act(caller, made, "verify", 409, **wrong, code="1")) == "no-code-sent"
    act(caller, made, "verify", **wrong)
    assert letters(caller, made)[-1]["to"] == {"type": "email", "value": "crm-1@example.org"}
    right = code_of(caller, made)
    for guess in ("00000000", "x", right[:-1]):
        assert code(act(caller, made, "verify", 409, **wrong, code=guess)) == "wrong-code"
    done = act(caller, made, "verify", **wrong, code=f" {right[:4]} {right[4:]}")
    assert (done["status"], done["waits_for"]) == ("in_progress", "package")
    assert done["identities"][0]["method"] == "code"
    closed = act(caller, made, "fulfil", partly=True, because="Enclosed.")
    assert (closed["status"], closed["outcome"]) == ("partly_fulfilled", "partly_fulfilled")
    assert "Enclosed." in letters(caller, made)[-1]["text"]
    assert code(act(caller, made, "fulfil", 409)) == "closed"


def test_a_code_ends_after_five_guesses_and_a_new_one_ends_the_old(caller: Caller, clock: HandClock) -> None:
    person(caller)
    made = ask(caller)
    named = {"identity": made["identities"][0]["id"], "method": "code"}
    act(caller, made, "verify", **named)
    first = code_of(caller, made)
    for _ in range(5):
        act(caller, made, "verify", 409, **named, code="1")
    assert code(act(caller, made, "verify", 410, **named, code=first)) == "expired"
    act(caller, made, "verify", **named)
    assert code(act(caller, made, "verify", 409, **named, code=first)) == "wrong-code"
    caller = later(caller, clock, timedelta(days=8))
    assert code(act(caller, made, "verify", 410, **named, code=code_of(caller, made))) == "expired"
    for _ in range(3):
        act(caller, made, "verify", **named)
    assert code(act(caller, made, "verify", 409, **named)) == "no-code", "five codes are enough"
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert [each["method"] for each in shown["identities"][0]["methods"]] == ["account", "staff"]


def test_several_identities_are_proved_one_by_one_and_one_may_be_left_out(caller: Caller) -> None:
    person(caller)
    person(caller, "crm-2")
    named = [{"email": "crm-1@example.org"}, {"email": "crm-2@example.org"}, {"id": "crm-1"}]
    made = ask(caller, "erasure", identities=named)
    assert prove(caller, made, 0)["status"] == "verifying"
    assert prove(caller, made, 1)["status"] == "verifying"
    left = made["identities"][2]["id"]
    done = act(caller, made, "verify", identity=left, method="drop")
    assert (done["status"], done["waits_for"]) == ("in_progress", "erasure")
    assert caller.get(f"{PATH}?subject=crm-2").get_json()["items"][0]["id"] == made["id"]


def test_an_id_is_proved_at_a_contact_point_on_file_and_none_younger_than_the_request(
    caller: Caller, clock: HandClock
) -> None:
    person(caller)
    clock.forward(timedelta(minutes=1))
    made = ask(caller, identity={"id": "crm-1"})
    clock.forward(timedelta(minutes=1))
    later = {
        "identifiers": [{"type": "email", "value": each} for each in ("crm-1@example.org", "new@example.org")]
    }
    assert caller.put("/v1/subjects/crm-1", later).status_code == 200
    shown = caller.get(f"{PATH}/{made['id']}").get_json()["identities"][0]
    codes = [each for each in shown["methods"] if each["method"] == "code"]
    assert len(codes) == 1
    named = {"identity": shown["id"], "method": "code"}
    assert code(act(caller, made, "verify", 409, **named, contact_point="pnt_other")) == "no-code"
    act(caller, made, "verify", **named, contact_point=codes[0]["contact_point"])
    assert letters(caller, made)[-1]["to"]["value"] == "crm-1@example.org"
    answer = act(caller, made, "verify", **named, code=code_of(caller, made))
    assert answer["status"] == "in_progress"


def test_a_shared_address_proves_nobody_until_staff_have_said_whom_it_means(caller: Caller) -> None:
    person(caller, "crm-1", "office@example.org")
    person(caller, "crm-2", "office@example.org")
    made = ask(caller, identities=[{"email": "office@example.org"}])
    assert prove(caller, made)["status"] == "verifying"
    found = caller.get(f"{PATH}/{made['id']}/matches").get_json()["items"][0]
    assert {each["id"] for each in found["subjects"]} == {"crm-1", "crm-2"}
    assert (found["status"], found["settled"]) == ("verified", False)
    match = {"identity": found["identity"], "subject": {"id": "crm-2"}}
    settled = act(caller, made, "matches", **match)
    assert settled["items"][0]["settled"] is True
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "in_progress"


def test_staff_cannot_turn_the_proof_of_one_address_into_that_of_another_person(caller: Caller) -> None:
    person(caller, "crm-1", "office@example.org")
    person(caller, "crm-2", "office@example.org")
    person(caller, "crm-3")
    made = ask(caller, identities=[{"email": "office@example.org"}])
    prove(caller, made)
    identity = made["identities"][0]["id"]
    act(caller, made, "matches", identity=identity, subject={"id": "crm-3"})
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert (shown["status"], shown["identities"][0]["status"]) == ("verifying", "open")
    checked = {"identity": identity, "method": "staff", "evidence": {"looked_at": "the contract"}}
    assert act(caller, made, "verify", **checked)["status"] == "in_progress"


def test_a_record_that_was_merged_is_proved_anew(caller: Caller) -> None:
    person(caller)
    person(caller, "crm-2")
    made = ask(caller)
    assert prove(caller, made)["status"] == "in_progress"
    assert caller.post("/v1/subjects/crm-1/merge", {"into": "crm-2"}).status_code == 200
    assert code(act(caller, made, "fulfil", 409)) == "merged-since"
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "verifying", "and that is kept"
    assert prove(caller, made)["status"] == "in_progress"
    assert act(caller, made, "fulfil", partly=True, because="Enclosed.")["status"] == "partly_fulfilled"


def test_an_agent_needs_both_the_persons_proof_and_the_authority(caller: Caller) -> None:
    person(caller)
    agent = {"kind": "authorised_agent", "name": "Eve Agent", "evidence": {"mandate": "signed 1 May"}}
    made = ask(caller, "erasure", on_behalf_of=agent)
    assert made["on_behalf_of"] == {"kind": "authorised_agent", "authority": "asked"}
    assert prove(caller, made)["status"] == "verifying"
    assert code(act(caller, made, "verify", 422, authority="accepted")) == "invalid"
    looked = {"looked_at": "the mandate"}
    assert act(caller, made, "verify", authority="rejected", evidence=looked)["status"] == "verifying"
    assert act(caller, made, "verify", authority="accepted", evidence=looked)["status"] == "in_progress"
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert shown["on_behalf_of"]["told"]["name"] == "Eve Agent"


def test_nobody_held_is_a_valid_answer_and_comes_only_after_proof(caller: Caller) -> None:
    made = ask(caller, identities=[{"email": "stranger@example.org"}], country="FR", language="fr-CA")
    known = ask(caller, identities=[{"email": "crm-1@example.org"}], country="FR", language="fr-CA")
    for name in ("status", "regime", "clock"):
        assert made[name] == known[name]
    done = prove(caller, made)
    assert (done["status"], done["outcome"]) == ("fulfilled", "nothing-held")
    assert "ne détenons rien" in letters(caller, made)[-1]["text"]


@pytest.mark.parametrize("type_", ["objection", "opt_out_of_sale", "limit_sensitive", "withdraw_consent"])
def test_a_no_acts_on_receipt_for_whoever_is_known_there_and_whoever_comes_later(
    caller: Caller, type_: str
) -> None:
    person(caller, country="US")
    consent(caller)
    assert refused(caller) == set()
    made = ask(caller, type_)
    assert (made["status"], made["outcome"]) == ("fulfilled", "acted")
    assert made["acted_at"] == made["received_at"]
    if type_ in ("objection", "withdraw_consent"):
        assert refused(caller)
    else:
        state = caller.get("/v1/subjects/crm-1/consents").get_json()["objections"]
        assert [each["status"] for each in state] == ["purpose"]
    stranger = ask(caller, type_, identities=[{"email": "later@example.org"}])
    assert (stranger["status"], stranger["outcome"]) == ("fulfilled", "acted")
    bars = {"contact_point": {"type": "email", "value": "later@example.org"}}
    assert len(caller.post("/v1/suppressions/lookup", bars).get_json()["items"]) == 1
    person(caller, "crm-9", "later@example.org", country="US")
    if type_ in ("objection", "withdraw_consent"):
        assert "suppressed" in refused(caller, "later@example.org", "crm-9")


def test_a_no_is_taken_twice_for_a_shared_address_and_under_restriction(caller: Caller) -> None:
    person(caller, "crm-1", "office@example.org", country="US")
    person(caller, "crm-2", "office@example.org", country="US")
    consent(caller, "crm-1")
    assert caller.put("/v1/subjects/crm-2/restriction", {"restricted": True}).status_code == 200
    for _ in range(2):
        made = ask(caller, "objection", identities=[{"email": "office@example.org"}])
        assert made["status"] == "fulfilled"
    assert refused(caller, "office@example.org")


def test_an_extension_is_announced_on_the_last_lawful_day_and_not_a_day_later(
    caller: Caller, clock: HandClock
) -> None:
    person(caller)
    late, good = ask(caller), ask(caller)
    last = timedelta(days=30, hours=12, minutes=59)  # until 21 December, 23:59 in Berlin
    caller = later(caller, clock, last)
    done = act(caller, good, "extend", because="Nine systems are asked.")
    assert (done["clock"]["due_on"], done["clock"]["times_extended"]) == ("2027-02-22", 1)
    assert done["clock"]["extension_until"] == done["clock"]["due_at"]
    letter = letters(caller, good)[-1]
    assert "22 February 2027" in letter["text"]
    assert "Nine systems" in letter["text"]
    assert code(act(caller, good, "extend", 409, because="And more.")) == "already-extended"
    clock.forward(timedelta(minutes=1))
    assert code(act(caller, late, "extend", 409, because="Too late.")) == "too-late"
    assert late["id"] in {each["id"] for each in caller.get(f"{PATH}?overdue=true").get_json()["items"]}


def test_a_pause_stops_only_the_clocks_whose_law_lets_it(caller: Caller, clock: HandClock) -> None:
    person(caller, country="GB")
    made, erasure = ask(caller), ask(caller, "erasure")
    assert code(act(caller, erasure, "pause", 409, reason="clarification")) == "no-pause"
    assert act(caller, made, "pause", reason="clarification")["clock"]["paused"] is True
    assert code(act(caller, made, "pause", 409, reason="clarification")) == "already-paused"
    caller = later(caller, clock, timedelta(days=4))
    done = act(caller, made, "resume")
    assert (done["clock"]["paused"], done["clock"]["due_on"]) == (False, "2026-12-25")
    assert code(act(caller, made, "resume", 409)) == "not-paused"
    assert made["clock"]["due_on"] == "2026-12-20"
    identity = act(caller, erasure, "pause", reason="identity", at="2026-11-22T10:00:00Z")
    assert identity["clock"]["waits_for"] == "identity"
    for at in ("2026-11-20T10:00:00Z", "2027-01-01T00:00:00Z"):
        assert act(caller, erasure, "resume", 422, at=at)["errors"]["at"]


def test_a_refusal_names_ground_clause_complaint_and_appeal(caller: Caller) -> None:
    person(caller, country="US", region="US-VA")
    made = ask(caller, language="es")
    wrong = act(caller, made, "refuse", 422, ground="beyond-a-reasonable-search")
    assert "identity-not-verified" in wrong["errors"]["ground"][0]
    done = act(caller, made, "refuse", ground="identity-not-verified", because="No contestó nadie.")
    assert (done["status"], done["outcome"]) == ("refused", "identity-not-verified")
    text = letters(caller, made)[-1]["text"]
    for each in (
        "No pudimos comprobar",
        "No contestó nadie.",
        "fiscal general de Virginia",
        "lo revisemos",
    ):
        assert each in text
    assert "(EU)" not in text, "a Virginian is not refused by the law of somewhere else"
    assert "Va. Code § 59.1-577(B)(4)" in text
    appeal = act(caller, made, "appeal", 201, details={"why": "I answered."})
    assert (appeal["type"], appeal["appeal_of"], appeal["status"]) == ("appeal", made["id"], "in_progress")
    assert appeal["clock"]["due_on"] == "2027-01-20"
    assert code(act(caller, appeal, "appeal", 409)) == "not-closed"
    posted = ask(caller, "appeal", 200, appeal_of=made["id"])
    assert (posted["id"], posted["regime"]) == (appeal["id"], "us-va"), "one is open already"
    ask(caller, "appeal", 422)


@pytest.mark.parametrize(
    ("lives", "language", "type_", "ground", "cites"),
    [
        ("DE", "de", "erasure", "legal-obligation", "Grundlage: Verordnung (EU) 2016/679 Art. 17(3)(b)."),
        ("GB", "en", "access", "beyond-a-reasonable-search", "UK GDPR Art. 15(1A)."),
        ("GB", "en", "complaint", "not-upheld", "Data Protection Act 2018 s. 164A."),
        ("US-CA", "en", "erasure", "identity-not-verified", "11 CCR § 7022(a)."),
        ("US-VA", "en", "erasure", "legal-obligation", "Va. Code § 59.1-582(A)."),
        ("US-TX", "es", "access", "manifestly-unfounded-or-excessive", "Tex. Bus. & Com. Code § 541.052(d)."),
        ("US-IA", "en", "rectification", "no-such-right", "Iowa Code § 715D.3(1)."),
        ("BR", "en", "erasure", "legal-obligation", "LGPD Art. 16 I."),
        ("CH", "fr", "access", "rights-of-others", "LPD Art. 26(1)(b)."),
        ("CA-QC", "fr", "access", "rights-of-others", "RLRQ c. P-39.1 art. 40."),
        ("JP", "en", "access", "rights-of-others", "APPI Art. 33(2)(i)."),
        ("SG", "en", "access", "exempt-from-disclosure", "Fifth Schedule para. 1."),
        ("SG", "en", "erasure", "no-such-right", "Personal Data Protection Act 2012 ss. 21-22."),
        ("ZA", "en", "access", "rights-of-others", "POPIA s. 23(4)(a)."),
    ],
)
def test_a_refusal_cites_the_law_of_the_person(
    caller: Caller, lives: str, language: str, type_: str, ground: str, cites: str
) -> None:
    country, _, region = lives.partition("-")
    person(caller, country=country, **({"region": lives} if region else {}))
    made = ask(caller, type_, language=language)
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert ground in shown["refusable_on"]
    assert shown["refusal"] is None
    done = act(caller, made, "refuse", ground=ground)
    assert done["refusal"]["ground"] == ground
    assert done["refusal"]["basis"]["cites"]
    assert done["refusal"]["basis"]["statutory"] is True
    letter = letters(caller, made)[-1]
    assert (letter["language"], letter["kind"]) == (language, "refusal")
    assert cites in letter["text"]
    assert cites.replace("&", "&amp;") in letter["html"]
    assert caller.get(f"{PATH}/{made['id']}").get_json()["refusable_on"] == []


@pytest.mark.parametrize("lives", ["AR", "IN", "US-WA"])
def test_where_no_law_is_in_force_the_letter_says_so_and_names_the_one_it_goes_by(
    caller: Caller, lives: str
) -> None:
    country, _, region = lives.partition("-")
    person(caller, country=country, **({"region": lives} if region else {}))
    made = ask(caller, "erasure", language="en")
    done = act(caller, made, "refuse", ground="legal-obligation")
    basis = done["refusal"]["basis"]
    assert (basis["statutory"], basis["verified"]) == (False, False)
    text = letters(caller, made)[-1]["text"]
    assert "This rests on" not in text
    assert "We know of no law in force on such requests where you live." in text
    model = "Va. Code § 59.1-582(A)" if country == "US" else "Regulation (EU) 2016/679 Art. 17(3)(b)"
    assert f"as if it applied: {model}." in text


@pytest.mark.parametrize(
    ("lives", "type_", "ground"),
    [
        ("DE", "access", "no-such-right"),
        ("DE", "erasure", "rights-of-others"),
        ("BR", "access", "manifestly-unfounded-or-excessive"),
        ("US-CO", "access", "manifestly-unfounded-or-excessive"),
        ("AU", "erasure", "legal-obligation"),
        ("DE", "access", "because-we-say-so"),
    ],
)
def test_a_ground_that_the_law_does_not_know_is_refused_with_those_that_it_knows(
    caller: Caller, lives: str, type_: str, ground: str
) -> None:
    country, _, region = lives.partition("-")
    person(caller, country=country, **({"region": lives} if region else {}))
    made = ask(caller, type_)
    problem = act(caller, made, "refuse", 422, ground=ground)
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert shown["status"] == "received"
    assert problem["errors"]["ground"] == [f"Use one of: {', '.join(shown['refusable_on'])}."]
    assert ground not in shown["refusable_on"]


def test_there_is_no_appeal_where_the_law_gives_none(caller: Caller) -> None:
    person(caller)
    made = ask(caller)
    act(caller, made, "refuse", ground="identity-not-verified")
    assert code(act(caller, made, "appeal", 409)) == "no-appeal"
    assert "Art. 77" in letters(caller, made)[-1]["text"]


def test_a_restriction_holds_as_soon_as_it_is_verified(caller: Caller) -> None:
    person(caller)
    made = ask(caller, "restriction")
    assert restricted(caller) is False
    assert prove(caller, made)["waits_for"] == "recipients"
    assert restricted(caller) is True


@pytest.mark.parametrize(
    ("asked", "after"), [(None, "de"), ("pt", "de"), ("fr", "fr")], ids=["none", "not shipped", "shipped"]
)
def test_letters_are_in_the_language_on_file_from_proof_on(
    caller: Caller, asked: str | None, after: str
) -> None:
    person(caller, language="de-AT")
    made = ask(caller, **({} if asked is None else {"language": asked}))
    first = letters(caller, made)[-1]["language"]
    assert first == made["language"] == ("fr" if asked == "fr" else "en"), "it would tell who is known"
    done = prove(caller, made)
    assert done["language"] == after
    assert caller.get(f"{PATH}/{made['id']}").get_json()["language_asked"] == asked
    act(caller, made, "refuse", ground="identity-not-verified")
    assert letters(caller, made)[-1]["language"] == after


def test_a_no_that_is_dated_ahead_is_taken_as_of_now(caller: Caller) -> None:
    person(caller)
    done = ask(caller, "objection", received_at="2026-11-21T10:30:00Z")
    assert (done["status"], done["received_at"][:16]) == ("fulfilled", "2026-11-21T10:00")


def test_a_repeated_request_is_joined_and_answered_only_on_its_own_proof(
    caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    first, second, third = ask(caller), ask(caller), ask(caller)
    assert (second["repeats"], third["repeats"]) == (first["id"], first["id"])
    prove(caller, first)
    prove(caller, third)
    assert caller.get(f"{PATH}/{second['id']}").get_json()["status"] == "received"
    assert build_packages.run(runtime) == 1, "and with it the third"
    states = [caller.get(f"{PATH}/{each['id']}").get_json()["status"] for each in (first, second, third)]
    assert states == ["fulfilled", "received", "fulfilled"]
    assert [each["kind"] for each in letters(caller, second)] == ["acknowledgement"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"received_at": "2026-11-22T00:00:00Z"}, "received_at"),
        ({"received_at": "2016-02-29T00:00:00Z"}, "received_at"),
        ({"received_at": "2026-02-30T00:00:00Z"}, "received_at"),
        ({"regime": "atlantis"}, "regime"),
        ({"country": "XX"}, "country"),
        ({"identities": []}, "identities"),
        ({"identities": [{"email": "a@example.org"}] * 2}, "identities"),
        ({"identities": [{"id": "a@example.org"}]}, "id"),
        ({"type": "objection", "details": {"scope": "some"}}, "details.scope"),
        ({"type": "withdraw_consent", "details": {"purpose": "unheard-of"}}, "details.purpose"),
        ({"channel": "opendsr"}, "channel"),
        ({"details": {"text": "x" * 20_001}}, "details"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_fields_name(
    caller: Caller, body: dict[str, Any], field: str
) -> None:
    problem = ask(caller, **{"type_": "access", "status": 422, **_typed(body)})
    assert field in problem["errors"], problem


@pytest.mark.parametrize(
    ("type_", "details", "field"),
    [
        ("withdraw_consent", {"purpose": 5}, "purpose"),
        ("withdraw_consent", {"purpose": True}, "purpose"),
        ("withdraw_consent", {"purpose": {}}, "purpose"),
        ("withdraw_consent", {"purpose": []}, "purpose"),
        ("withdraw_consent", {"purpose": "unheard-of"}, "purpose"),
        ("withdraw_consent", {"channel": "banana"}, "channel"),
        ("withdraw_consent", {"channel": 7}, "channel"),
        ("objection", {"purpose": 7}, "purpose"),
        ("objection", {"purpose": "unheard-of"}, "purpose"),
        ("objection", {"scope": "purpose", "purpose": ""}, "purpose"),
        ("objection", {"scope": "purpose"}, "purpose"),
        ("objection", {"scope": []}, "scope"),
    ],
)
def test_a_no_that_cannot_be_is_refused_alike_whoever_is_known(
    any_caller: Caller, type_: str, details: dict[str, Any], field: str
) -> None:
    caller = any_caller
    person(caller)
    named = [
        {"id": "crm-1"},
        {"id": "nobody"},
        {"email": "crm-1@example.org"},
        {"email": "nobody@example.org"},
    ]
    told = [ask(caller, type_, 422, identity=each, details=details) for each in named]
    assert all(each["errors"] == told[0]["errors"] for each in told)
    assert list(told[0]["errors"]) == [f"details.{field}"]
    assert caller.get(PATH).get_json()["items"] == []


def _typed(body: dict[str, Any]) -> dict[str, Any]:
    return {("type_" if name == "type" else name): value for name, value in body.items()}


def test_the_same_key_has_the_effect_once(caller: Caller) -> None:
    person(caller)
    body = {"type": "access", "identities": [{"email": "crm-1@example.org"}]}
    key = {"headers": {"Idempotency-Key": "k1"}}
    first, again = (caller.post(PATH, body, **key).get_json() for _ in range(2))
    assert first["id"] == again["id"]
    assert len(caller.get(PATH).get_json()["items"]) == 1


def test_lists_page_and_show_nothing_that_the_person_wrote(caller: Caller) -> None:
    person(caller)
    made = [ask(caller, name="Eve Canary", details={"text": "a canary"}) for _ in range(3)]
    first = caller.get(f"{PATH}?limit=2&type=access").get_json()
    rest = caller.get(f"{PATH}?limit=2&type=access&after={first['next']}").get_json()
    assert [each["id"] for each in first["items"] + rest["items"]] == [each["id"] for each in made]
    assert rest["next"] is None
    assert "anary" not in json.dumps([first, rest, made])
    shown = caller.get(f"{PATH}/{made[0]['id']}").get_json()
    assert (shown["name"], shown["details"]["text"]) == ("Eve Canary", "a canary")
    assert caller.get(f"{PATH}/{made[0]['id'][:-1]}x").status_code == 404


def test_the_ledger_tells_every_step_and_no_personal_data(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    made = ask(caller, name="Eve Canary", details={"text": "a canary"})
    prove(caller, made)
    act(caller, made, "extend", because="a canary again")
    act(caller, made, "fulfil", partly=True, because="a canary at last")
    with runtime.engine.connect() as connection:
        found = entries(connection, "acme", after=-1, limit=1000)
    told = [each.kind.removeprefix("rights.") for each in found if each.kind.startswith("rights.")]
    told = [each for each in told if each != "letter_written"]
    steps = ["received", "matched", "challenged", "identity_verified", "verified", "begun", "extended"]
    assert told == [*steps, "partly_fulfilled"]
    for each in found:
        assert b"anary" not in each.leaf
        assert b"example.org" not in each.leaf


def test_a_closed_request_can_be_forgotten_and_keeps_only_codes_and_instants(
    caller: Caller, runtime: Runtime
) -> None:
    person(caller)
    made = ask(caller, name="Eve Canary", details={"text": "a canary"})
    with runtime.work("acme", COMMAND_LINE) as work, pytest.raises(Exception, match="open"):
        rights.forget(work, made["id"])
    act(caller, made, "withdraw", because="I changed my mind.")
    with runtime.work("acme", COMMAND_LINE) as work:
        rights.forget(work, made["id"])
    shown = caller.get(f"{PATH}/{made['id']}").get_json()
    assert (shown["status"], shown["details"], shown["identities"][0]["value"]) == ("withdrawn", None, None)
    assert letters(caller, made)[0]["text"] is None
    assert runtime.vault.is_shredded("acme", made["id"], "evidence")


def test_a_letter_that_was_sent_answers_the_duty_to_acknowledge(caller: Caller) -> None:
    person(caller, country="US", region="US-CA")
    made = ask(caller)
    letter = letters(caller, made)[0]
    assert (letter["message_class"], letter["purpose"]) == ("rights_correspondence", "legal")
    done = act(caller, made, f"letters/{letter['id']}/sent")
    assert done["acknowledged_at"] is not None
    assert act(caller, made, f"letters/{letter['id']}/sent")["acknowledged_at"] == done["acknowledged_at"]
    assert letters(caller, made)[0]["sent_at"] is not None
    act(caller, made, "letters/ltr_none/sent", 404)


def test_html_in_a_name_is_text_in_a_letter(caller: Caller) -> None:
    person(caller)
    made = ask(caller, name='<script>alert("x")</script>', language="de")
    prove(caller, made)
    act(caller, made, "extend", because="<b>{{ 7 * 7 }}</b>")
    for letter in letters(caller, made):
        assert "<script" not in letter["html"]
    last = letters(caller, made)[-1]
    assert "&lt;script&gt;" in last["html"]
    assert "&lt;b&gt;{{ 7 * 7 }}&lt;/b&gt;" in last["html"]
    assert "Guten Tag" in last["text"]


def test_reading_needs_the_scope_and_another_tenants_requests_do_not_exist(
    app: Flask, runtime: Runtime
) -> None:
    caller = Caller(app.test_client(), new_component(runtime))
    person(caller)
    made = ask(caller)
    reader = Caller(app.test_client(), new_component(runtime, "rights:read"))
    assert reader.get(f"{PATH}/{made['id']}").status_code == 200
    assert reader.post(PATH, {"type": "access"}).status_code == 403
    runtime.create_tenant("other", name="Other", country="US", address=None)
    stranger = Caller(app.test_client(), new_component(runtime, tenant="other"))
    for path in ("", "/letters", "/matches"):
        assert stranger.get(f"{PATH}/{made['id']}{path}").status_code == 404
    assert stranger.post(f"{PATH}/{made['id']}/withdraw", {}).status_code == 404
