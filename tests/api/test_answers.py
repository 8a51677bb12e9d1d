"""Nobody is told that something was done which was not: when a request may be called answered."""

from typing import Any

import pytest

from governance.bootstrap import Runtime
from retention_jobs import build_packages, tell_recipients
from tests.api.conftest import Caller
from tests.api.test_corrections import STAFF, correct, system
from tests.api.test_rights import PATH, act, ask, code, letters, person, restricted

pytestmark = pytest.mark.usefixtures("time_passes")


@pytest.fixture
def time_passes(clock: Any) -> Any:
    """As in the other tests of requests: what came later has a later id."""
    from flask import request_started

    from tests.api.test_rights import _tick

    with request_started.connected_to(lambda _sender: _tick(clock)):
        yield


def proved(caller: Caller, type_: str, **more: Any) -> dict[str, Any]:
    made = ask(caller, type_, identity={"id": "crm-1"}, **more)
    return act(caller, made, "verify", identity=made["identities"][0]["id"], **STAFF)


def shown(caller: Caller, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = caller.get(f"{PATH}/{made['id']}").get_json()
    return found


def recipients(caller: Caller, made: dict[str, Any]) -> dict[tuple[str, str], str]:
    items = caller.get(f"{PATH}/{made['id']}/recipients").get_json()["items"]
    return {(each["system"], each["verb"]): each["status"] for each in items}


def note(caller: Caller, made: dict[str, Any], outcome: str) -> None:
    body = {"outcome": outcome, "evidence": {"text": "The paper file."}}
    assert caller.post(f"{PATH}/{made['id']}/recipients/paper", body).status_code == 200


def test_a_rectification_is_not_answered_before_something_was_put_right(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller = any_caller
    person(caller)
    made = proved(caller, "rectification")
    for body in ({}, {"because": "Done."}, {"partly": True, "because": "Half."}):
        assert code(act(caller, made, "fulfil", 409, **body)) == "correction-open"
    assert [each["kind"] for each in letters(caller, made)] == ["acknowledgement"]
    correct(caller, made, {"name": "country", "value": "AT"})
    tell_recipients.run(any_runtime)
    assert shown(caller, made)["status"] == "fulfilled"
    other = proved(caller, "rectification")
    assert act(caller, other, "refuse", ground="not-wrong")["status"] == "refused", "where nothing was wrong"


@pytest.mark.parametrize("type_", ["access", "portability"])
def test_access_is_not_answered_before_its_package_exists(
    caller: Caller, runtime: Runtime, type_: str
) -> None:
    person(caller)
    made = proved(caller, type_)
    for body in ({}, {"because": "Enclosed."}, {"partly": True}, {"partly": True, "because": " "}):
        assert code(act(caller, made, "fulfil", 409, **body)) == "package-open"
    assert build_packages.run(runtime) == 1
    assert shown(caller, made)["status"] == "fulfilled"
    assert "/privacy/packages/" in letters(caller, made)[-1]["text"]
    other = proved(caller, type_)
    done = act(caller, other, "fulfil", partly=True, because="The rest is about others.")
    assert done["status"] == "partly_fulfilled", "a part, by hand, and the letter says which"


def test_a_package_that_lacks_a_system_answers_in_part_only(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    system(caller)
    made = proved(caller, "access")
    assert build_packages.run(runtime) == 0
    assert shown(caller, made)["waits_for"] == "package-incomplete"
    assert code(act(caller, made, "fulfil", 409)) == "package-open"
    assert act(caller, made, "fulfil", partly=True)["status"] == "partly_fulfilled"


def test_what_people_decide_is_said_in_their_words(caller: Caller) -> None:
    person(caller)
    made = proved(caller, "human_review")
    for body in ({}, {"because": "  "}, {"partly": True}):
        assert "because" in act(caller, made, "fulfil", 422, **body)["errors"]
    assert act(caller, made, "fulfil", because="Looked at by a person: it stays.")["status"] == "fulfilled"
    assert "it stays" in letters(caller, made)[-1]["text"]


def test_two_requests_to_restrict_are_one_mark_and_one_release(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    caller, runtime = any_caller, any_runtime
    person(caller, language="en")
    system(caller)
    first, second = proved(caller, "restriction"), proved(caller, "restriction")
    assert shown(caller, second)["repeats"] == first["id"]
    tell_recipients.run(runtime)
    note(caller, first, "done")
    assert recipients(caller, second) == {("paper", "restrict"): "done"}, "it is the same mark"
    tell_recipients.run(runtime)
    for made in (first, second):
        assert shown(caller, made)["status"] == "fulfilled"
        last = letters(caller, made)[-1]["text"]
        assert "confirmed that they did it: paper" in last
        assert "did not do it" not in last
    tasks = caller.get("/v1/tasks?state=open").get_json()["items"]
    assert tasks == [], "nobody marks it twice"
    path, body = "/v1/subjects/crm-1/restriction", {"restricted": False, "because": "checked"}
    assert caller.put(path, body).status_code == 409
    (notice,) = caller.get(path).get_json()["notices"]
    assert caller.post(f"{path}/notices/{notice['id']}/sent", {}).status_code == 200
    assert caller.put(path, body).status_code == 200
    assert not restricted(caller)
    released = [each for made in (first, second) for each in recipients(caller, made) if "release" in each]
    assert released == [("paper", "release")]


def test_a_repeated_restriction_waits_for_its_own_recipients(caller: Caller, runtime: Runtime) -> None:
    person(caller, language="en")
    system(caller)
    first, second = proved(caller, "restriction"), proved(caller, "restriction")
    tell_recipients.run(runtime)
    note(caller, first, "impossible")
    tell_recipients.run(runtime)
    assert shown(caller, first)["status"] == "partly_fulfilled"
    assert shown(caller, second)["status"] == "in_progress"
    note(caller, second, "done")
    tell_recipients.run(runtime)
    assert shown(caller, second)["status"] == "fulfilled"
    assert "confirmed that they did it: paper" in letters(caller, second)[-1]["text"]


def test_another_correction_is_not_answered_with_the_first(caller: Caller, runtime: Runtime) -> None:
    person(caller)
    first = proved(caller, "rectification", details={"text": "My country is Austria."})
    same = proved(caller, "rectification", details={"text": "My country is Austria."})
    other = proved(caller, "rectification", details={"text": "My birthday is wrong."})
    correct(caller, first, {"name": "country", "value": "AT"})
    tell_recipients.run(runtime)
    assert [shown(caller, each)["status"] for each in (first, same, other)] == [
        "fulfilled",
        "fulfilled",
        "in_progress",
    ]
