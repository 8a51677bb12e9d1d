"""Nothing is offered that can only be refused, and no answer says what is not so. Through the HTTP door."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import request_started

from governance.bootstrap import Runtime
from governance.rights import letters as room_letters
from governance.rights.letter_files import words
from retention_jobs import build_packages, run_erasures
from tests.api.conftest import Caller
from tests.api.test_rights import PATH, act, ask, code, later, letters, person, prove, restricted
from tests.conftest import ACTOR, HandClock

VIRGINIA = {"country": "US", "region": "US-VA"}
UNFOUNDED = "manifestly-unfounded-or-excessive"
HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def time_passes(clock: HandClock) -> Iterator[None]:
    """A millisecond passes with every request, so that what came later has a later instant."""

    def tick(_sender: object, **_more: object) -> None:
        clock.forward(timedelta(milliseconds=1))

    with request_started.connected_to(tick):
        yield


def link_in(caller: Caller, made: dict[str, Any], kind: str, page: str) -> str:
    """The newest link of a kind of page in the letters of a kind."""
    texts = [each["text"] for each in letters(caller, made) if each["kind"] == kind]
    return re.findall(rf"/privacy/{page}/\S+", texts[-1])[-1]


def opened_again(caller: Caller, runtime: Runtime) -> tuple[dict[str, Any], str]:
    """An access request that is open again after it was answered in part with a package; and its link."""
    person(caller, **VIRGINIA)
    binder = {"kind": "manual", "country": "DE", "config": {"owner": "staff-7"}}
    assert caller.put("/v1/systems/binder", binder).status_code in (200, 201)
    made = ask(caller)
    prove(caller, made)
    build_packages.run(runtime)
    assert code(act_link(caller, made, 409)) == "not-ready", "nobody was answered yet"
    act(caller, made, "fulfil", partly=True, because="The binder is lost.")
    link = link_in(caller, made, "fulfilment", "packages")
    appeal = act(caller, made, "appeal", 201)
    act(caller, appeal, "fulfil", because="It was found.")
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "in_progress"
    return made, link


def act_link(caller: Caller, made: dict[str, Any], status: int) -> dict[str, Any]:
    return act(caller, made, "package/link", status)


def seen(caller: Caller, link: str, fetch: bool = False) -> int:
    browser = caller.client
    return (browser.post(link, headers=HTML) if fetch else browser.get(link, headers=HTML)).status_code


def test_the_package_of_an_answer_is_there_while_the_request_is_open_again_and_after_a_second_refusal(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    made, link = opened_again(caller, any_runtime)
    assert seen(caller, link) == 200
    act_link(caller, made, 201)
    assert seen(caller, link) == 410, "the newer one ended it"
    link = link_in(caller, made, "package", "packages")
    assert seen(caller, link) == 200
    act(caller, made, "refuse", ground=UNFOUNDED)
    assert seen(caller, link) == 200
    assert seen(caller, link, fetch=True) == 200, "what was given once is not taken back"
    assert seen(caller, link) == 410
    act_link(caller, made, 201)
    assert seen(caller, link_in(caller, made, "package", "packages"), fetch=True) == 200
    assert caller.get(f"{PATH}/{made['id']}/package").status_code == 200


def test_a_link_is_over_when_a_newer_package_has_begun_to_take_its_place(
    caller: Caller, runtime: Runtime
) -> None:
    made, link = opened_again(caller, runtime)
    build_packages.run(runtime)
    assert caller.get(f"{PATH}/{made['id']}").get_json()["waits_for"] == "package-incomplete"
    for _ in range(2):
        assert (seen(caller, link), seen(caller, link, fetch=True)) == (410, 410)
        assert code(act_link(caller, made, 409)) == "not-ready"
        if caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "in_progress":
            act(caller, made, "refuse", ground=UNFOUNDED)


def test_the_package_of_an_answer_is_nobodys_once_the_request_means_somebody_else(
    caller: Caller, runtime: Runtime
) -> None:
    """Whoever is proved then never gets what was collected for the one before."""
    made, link = opened_again(caller, runtime)
    person(caller, "crm-2", **VIRGINIA)
    identity = made["identities"][0]["id"]
    other = {"identity": identity, "subject": {"id": "crm-2"}, "confirmed": True}
    act(caller, made, "matches", **other)
    assert (seen(caller, link), seen(caller, link, fetch=True)) == (410, 410)
    evidence = {"seen": "a call to the number on file"}
    act(caller, made, "verify", identity=identity, method="staff", evidence=evidence)
    assert (seen(caller, link), seen(caller, link, fetch=True)) == (410, 410)
    assert caller.get(f"{PATH}/{made['id']}/package").status_code == 409
    act(caller, made, "refuse", ground=UNFOUNDED)
    assert (seen(caller, link), seen(caller, link, fetch=True)) == (410, 410)
    assert code(act_link(caller, made, 409)) == "not-ready"


def test_whoever_says_that_it_was_not_them_ends_the_link(caller: Caller, runtime: Runtime) -> None:
    made, link = opened_again(caller, runtime)
    page = link_in(caller, made, "verification", "requests")
    assert link in caller.client.get(page).get_data(as_text=True)
    assert caller.client.post(page, data={"action": "decline"}).status_code == 200
    assert (seen(caller, link), seen(caller, link, fetch=True)) == (410, 410)
    assert link not in caller.client.get(page).get_data(as_text=True)
    assert code(act_link(caller, made, 409)) == "not-ready"


def buttons(page: str) -> list[str]:
    return re.findall(r'name="action" value="(\w+)"', page)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_an_erasure_that_has_begun_is_not_offered_to_be_taken_back(
    caller: Caller, runtime: Runtime, clock: HandClock, language: str
) -> None:
    person(caller, **VIRGINIA)
    made = ask(caller, "erasure")
    prove(caller, made)
    with runtime.snapshot("acme", ACTOR) as snap:
        status = "/privacy/" + room_letters.status_link(snap, made["id"]).split("/privacy/")[1]
    pages = (status, link_in(caller, made, "verification", "requests"))
    sentence = words(language, None).page["status.begun"].replace("'", "&#39;")
    headers = {**HTML, "Accept-Language": language}
    browser = caller.client
    for each in pages:
        shown = browser.get(each, headers=headers).get_data(as_text=True)
        assert buttons(shown) == ["withdraw"], "it may still be taken back"
        assert sentence not in shown
    caller = later(caller, clock, timedelta(hours=25))
    for erased in (False, True):
        if erased:
            run_erasures.run(runtime)
        for each in pages:
            shown = browser.get(each, headers=headers).get_data(as_text=True)
            assert (buttons(shown), shown.count(sentence)) == ([], 1)
        for each, action in ((pages[0], "withdraw"), (pages[1], "withdraw"), (pages[1], "decline")):
            late = browser.post(each, data={"action": action}, headers=headers)
            shown = late.get_data(as_text=True)
            assert (late.status_code, buttons(shown), shown.count(sentence)) == (409, [], 1)
            told = browser.post(each, data={"action": action}, headers={"Accept": "application/problem+json"})
            assert (told.status_code, code(told.get_json())) == (409, "too-late")
    assert caller.get(f"{PATH}/{made['id']}").get_json()["status"] == "in_progress"


@pytest.mark.parametrize("by_staff", [False, True])
def test_no_request_is_refused_while_the_person_is_restricted_because_of_anything(
    any_caller: Caller, by_staff: bool
) -> None:
    caller = any_caller
    person(caller)
    if by_staff:
        said = {"restricted": True, "because": "An open dispute."}
        assert caller.put("/v1/subjects/crm-1/restriction", said).status_code == 200
    first = ask(caller, "restriction")
    second = ask(caller, "restriction")
    unproved = ask(caller, "restriction")
    for each in (first, second):
        prove(caller, each)
    act(caller, unproved, "refuse", ground="identity-not-verified")
    for each in (first, second):
        assert code(act(caller, each, "refuse", 409, ground="legal-claims")) == "restriction-in-force"
    assert act(caller, first, "withdraw")["status"] == "withdrawn"
    assert restricted(caller), "the second still asks for it"
    assert code(act(caller, second, "refuse", 409, ground="legal-claims")) == "restriction-in-force"
    act(caller, second, "withdraw")
    assert restricted(caller) == by_staff
