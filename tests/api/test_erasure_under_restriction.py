"""Who is restricted and asks for erasure is asked which of the two they want. Over HTTP, both databases."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from retention_jobs import probe_erasures, run_erasures, run_rights_clocks
from tests.api.conftest import Caller
from tests.api.test_rights import PATH, act, ask, code, letters, person, prove, restricted
from tests.conftest import HandClock

DAY = timedelta(hours=25)
DONE = {"en": "done", "de": "geschehen", "fr": "fait", "es": "hecho"}
NOTHING = {
    "en": "we have deleted nothing yet",
    "de": "haben wir noch nichts gelöscht",
    "fr": "Nous n'avons donc encore rien effacé",
    "es": "todavía no hemos suprimido nada",
}


def pass_time(caller: Caller, runtime: Runtime, clock: HandClock, by: timedelta = DAY) -> Caller:
    """Let time pass and the jobs run; gives a caller whose token is still good."""
    clock.forward(by)
    for job in (run_rights_clocks, probe_erasures, run_erasures, run_rights_clocks):
        job.run(runtime)
    return Caller(caller.client, caller.made)


def stands(caller: Caller, request: dict[str, Any]) -> tuple[str, str | None]:
    now = caller.get(f"{PATH}/{request['id']}").get_json()
    return now["status"], now["waits_for"]


def orders(caller: Caller) -> list[str]:
    return [each["status"] for each in caller.get("/v1/erasures").get_json()["items"]]


def is_frozen(caller: Caller) -> bool:
    return bool(caller.get("/v1/subjects/crm-1").get_json()["standing"]["erasure_pending"])


def is_gone(caller: Caller) -> bool:
    return caller.get("/v1/subjects/crm-1").status_code == 404


def lift(caller: Caller, clock: HandClock) -> None:
    told = {"at": clock.now().isoformat().replace("+00:00", "Z"), "how": "By telephone."}
    answer = caller.put("/v1/subjects/crm-1/restriction", {"restricted": False, "informed": told})
    assert answer.status_code == 200, answer.data


def kinds(caller: Caller, request: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in letters(caller, request)]


@pytest.mark.parametrize("language", sorted(DONE))
def test_nothing_is_ordered_and_the_letter_says_so(caller: Caller, language: str) -> None:
    person(caller)
    prove(caller, ask(caller, "restriction"))
    erasure = ask(caller, "erasure", language=language)
    prove(caller, erasure)
    assert stands(caller, erasure) == ("in_progress", "restriction")
    assert (orders(caller), is_frozen(caller)) == ([], False)
    letter = letters(caller, erasure)[-1]
    assert (letter["kind"], letter["language"]) == ("restricted", language)
    for text in (letter["text"], letter["html"].replace("&#39;", "'")):
        assert NOTHING[language] in text
        assert DONE[language] not in text
        assert erasure["id"] in text
    assert code(act(caller, erasure, "fulfil", 409, partly=True, because="Restricted.")) == "erasure-open"


def test_who_withdraws_the_restriction_is_erased_and_told_so(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    caller, runtime = any_caller, any_runtime
    person(caller)
    restriction = ask(caller, "restriction")
    prove(caller, restriction)
    erasure = ask(caller, "erasure")
    prove(caller, erasure)
    for _ in range(2):
        caller = pass_time(caller, runtime, clock)
    assert (stands(caller, erasure), orders(caller)) == (("in_progress", "restriction"), [])
    assert kinds(caller, erasure).count("restricted") == 1, "told once"
    act(caller, restriction, "withdraw")
    assert not restricted(caller)
    caller = pass_time(caller, runtime, clock, timedelta(minutes=1))
    assert (stands(caller, erasure), orders(caller)) == (("in_progress", "erasure"), ["undo_window"])
    assert is_frozen(caller)
    caller = pass_time(caller, runtime, clock)
    assert is_gone(caller)
    assert stands(caller, erasure) == ("fulfilled", None)
    assert DONE["en"] in letters(caller, erasure)[-1]["text"]


def test_it_is_never_answered_and_gets_overdue_while_the_person_is_restricted(
    caller: Caller, runtime: Runtime, clock: HandClock
) -> None:
    person(caller)
    prove(caller, ask(caller, "restriction"))
    erasure = ask(caller, "erasure")
    prove(caller, erasure)
    caller = pass_time(caller, runtime, clock, timedelta(days=35))
    assert (stands(caller, erasure), orders(caller)) == (("in_progress", "restriction"), [])
    assert caller.get(f"{PATH}/{erasure['id']}").get_json()["clock"]["overdue"] is True
    assert "fulfilment" not in kinds(caller, erasure)
    lift(caller, clock)
    caller = pass_time(caller, runtime, clock, timedelta(minutes=1))
    caller = pass_time(caller, runtime, clock)
    assert (is_gone(caller), stands(caller, erasure)) == (True, ("fulfilled", None))


@pytest.mark.parametrize(("verb", "body"), [("withdraw", {}), ("refuse", {"ground": "legal-claims"})])
def test_who_no_longer_wants_it_or_is_refused_is_not_erased_after_the_lifting(
    caller: Caller, runtime: Runtime, clock: HandClock, verb: str, body: dict[str, str]
) -> None:
    person(caller)
    prove(caller, ask(caller, "restriction"))
    erasure = ask(caller, "erasure")
    prove(caller, erasure)
    act(caller, erasure, verb, **body)
    lift(caller, clock)
    for _ in range(2):
        caller = pass_time(caller, runtime, clock)
    assert (orders(caller), is_gone(caller), is_frozen(caller)) == ([], False, False)


def test_a_pause_changes_nothing_about_it(caller: Caller, runtime: Runtime, clock: HandClock) -> None:
    person(caller, country="GB")
    prove(caller, ask(caller, "restriction"))
    erasure = ask(caller, "erasure")
    prove(caller, erasure)
    act(caller, erasure, "pause", reason="fee")
    act(caller, erasure, "resume")
    assert (stands(caller, erasure), orders(caller)) == (("in_progress", "restriction"), [])
    assert kinds(caller, erasure).count("restricted") == 1


def test_a_restriction_in_the_undo_day_takes_the_order_back(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock
) -> None:
    caller, runtime = any_caller, any_runtime
    person(caller)
    erasure = ask(caller, "erasure", language="de")
    prove(caller, erasure)
    assert is_frozen(caller)
    prove(caller, ask(caller, "restriction"))
    caller = pass_time(caller, runtime, clock, timedelta(minutes=1))
    assert (stands(caller, erasure), orders(caller)) == (("in_progress", "restriction"), ["cancelled"])
    assert not is_frozen(caller)
    assert NOTHING["de"] in letters(caller, erasure)[-1]["text"]
    lift(caller, clock)
    caller = pass_time(caller, runtime, clock, timedelta(minutes=1))
    assert sorted(orders(caller)) == ["cancelled", "undo_window"]
    caller = pass_time(caller, runtime, clock)
    assert (is_gone(caller), stands(caller, erasure)) == (True, ("fulfilled", None))


@pytest.mark.parametrize("first", ["clocks", "probe"])
def test_what_a_begun_erasure_left_alone_is_not_called_done_and_goes_after_the_lifting(
    caller: Caller, runtime: Runtime, clock: HandClock, first: str
) -> None:
    person(caller)
    erasure = ask(caller, "erasure", language="de")
    prove(caller, erasure)
    clock.forward(DAY)
    caller = Caller(caller.client, caller.made)
    assert caller.put("/v1/subjects/crm-1/restriction", {"restricted": True}).status_code == 200
    for _ in range(2):
        caller = pass_time(caller, runtime, clock, timedelta(hours=2))
    assert (stands(caller, erasure), orders(caller)) == (("in_progress", "restriction"), ["partly_complete"])
    assert kinds(caller, erasure)[-1] == "restricted"
    assert all(DONE["de"] not in each["text"] for each in letters(caller, erasure))
    assert NOTHING["de"] in letters(caller, erasure)[-1]["text"]
    lift(caller, clock)
    if first == "probe":
        probe_erasures.run(runtime)
        run_erasures.run(runtime)
    for _ in range(3):
        caller = pass_time(caller, runtime, clock)
    assert is_gone(caller)
    assert stands(caller, erasure)[0] in ("fulfilled", "partly_fulfilled")
    assert "Einschränkung" not in letters(caller, erasure)[-1]["text"]
    assert kinds(caller, erasure).count("fulfilment") == 1


def test_a_lifting_before_the_jobs_looked_is_not_taken_for_done(
    caller: Caller, runtime: Runtime, clock: HandClock, client: FlaskClient
) -> None:
    """The case is over and has erased nothing; nobody has taken it up again yet."""
    person(caller)
    erasure = ask(caller, "erasure")
    prove(caller, erasure)
    clock.forward(DAY)
    caller = Caller(client, caller.made)
    assert caller.put("/v1/subjects/crm-1/restriction", {"restricted": True}).status_code == 200
    run_erasures.run(runtime)
    lift(caller, clock)
    run_rights_clocks.run(runtime)
    assert stands(caller, erasure) == ("in_progress", "erasure")
    caller = pass_time(caller, runtime, clock)
    assert (is_gone(caller), stands(caller, erasure)[0]) == (True, "fulfilled")
