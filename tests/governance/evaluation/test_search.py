"""Searches give what an evaluation of every single entity would permit, page by page, nobody twice."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bench import population
from governance.access import service as access
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.communications import capping
from governance.communications.model import CALL_MODES, CHANNELS
from governance.errors import InvalidError
from governance.evaluation import actions, search
from governance.evaluation.model import read_request
from governance.evaluation.search_model import Found, read_search
from governance.evaluation.service import answer
from governance.lifecycle import service as lifecycle
from governance.policy import service as policies
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR, HandClock

PEOPLE = 60
COMPONENT = {"type": "component", "id": "campaign-engine"}
ROOT = Path(__file__).parents[3]
ANYONE = {"type": "data_subject"}


def send(channel: str = "email", message_class: str = "promotional", purpose: str = "marketing") -> Any:
    said = {"channel": channel, "message_class": message_class, "purpose": purpose}
    return {"name": "communication.send", "properties": said}


def named(action: str, **properties: Any) -> Any:
    return {"name": action, "properties": properties}


QUESTIONS = [
    send(),
    send("voice", "one_to_one_sales", "sales"),
    named("lifecycle.transition", to="dormant"),
    named("data.erase", data_class="preferences"),
    {"name": "data.unheard_of"},
]


def pages(runtime: Runtime, kind: str, body: dict[str, Any], limit: int | None = None) -> Iterator[Found]:
    asked = read_search(kind, body if limit is None else {**body, "page": {"limit": limit}})
    position = None
    while True:
        with runtime.snapshot("acme", ACTOR) as snap:
            found, record = search.search(snap, asked, position)
        assert record.question["results"] == len(found.results)
        yield found
        position = found.position
        if position is None:
            return


def every(runtime: Runtime, kind: str, body: dict[str, Any], limit: int | None = None) -> list[Any]:
    return [each for page in pages(runtime, kind, body, limit) for each in page.results]


def permitted(runtime: Runtime, action: Any, ids: list[str]) -> set[str]:
    """The people to whom an action is permitted, each asked about alone."""
    found = set()
    with runtime.snapshot("acme", ACTOR) as snap:
        desk = actions.Desk(snap)
        for external_id in ids:
            resource = {"type": "data_subject", "id": external_id}
            body = {"subject": COMPONENT, "action": action, "resource": resource}
            if answer(desk, read_request(body)).allowed:
                found.add(external_id)
    return found


@pytest.mark.by_hand
def test_a_search_gives_whom_single_evaluations_permit_and_pages_lose_and_double_nobody(
    any_runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    population.make(any_runtime.settings.database_url, "acme", PEOPLE, epoch=clock.now())
    monkeypatch.setattr(search, "_FIRST_WINDOW", 15)  # several windows, as with very many people
    monkeypatch.setattr(search, "ONE_BY_ONE", 25)  # and pages that end before they are full
    ids = [f"crm-{number}" for number in range(1, PEOPLE + 1)]
    sizes = set()
    for action in QUESTIONS:
        body = {"subject": COMPONENT, "action": action, "resource": ANYONE}
        expected = permitted(any_runtime, action, ids)
        sizes.add(0 < len(expected) < PEOPLE)
        for limit in (None, 7):
            found = [each["id"] for each in every(any_runtime, "resource", body, limit)]
            assert len(found) == len(set(found)), (action, limit)
            assert set(found) == expected, (action, limit)
    assert True in sizes
    body = {"subject": COMPONENT, "action": send(), "resource": {**ANYONE, "properties": {"country": "US"}}}
    american = {each["id"] for each in every(any_runtime, "resource", body)}
    with any_runtime.snapshot("acme", ACTOR) as snap:
        living = {each for each in ids if subjects.get(snap, each).country == "US"}
    assert american == permitted(any_runtime, send(), ids) & living


@pytest.mark.by_hand
def test_a_search_that_begins_a_page_at_the_wrong_place_is_noticed(
    runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    population.make(runtime.settings.database_url, "acme", 60, epoch=clock.now())
    right = search._window

    def seeded(snap: Any, asked: Any, after: str, size: int) -> str | None:
        return right(snap, asked, after + "~", size) if after else right(snap, asked, after, size)

    body = {"subject": COMPONENT, "action": send(), "resource": ANYONE}
    whole = [each["id"] for each in every(runtime, "resource", body)]
    monkeypatch.setattr(
        search, "_selection", lambda asked, after, until: actions.Selection(after=None, until=until)
    )
    monkeypatch.setattr(search, "_window", seeded)
    asked = read_search("resource", {**body, "page": {"limit": 2}})
    with runtime.snapshot("acme", ACTOR) as snap:
        first, _ = search.search(snap, asked)
        second, _ = search.search(snap, asked, first.position)
    found = [each["id"] for page in (first, second) for each in page.results]
    assert found != whole[:4]
    assert len(set(found)) < 4


def test_a_person_for_whom_caps_hold_nothing_more_is_not_in_the_audience(runtime: Runtime) -> None:
    cap = {
        "channel": "email",
        "message_classes": ["promotional"],
        "purposes": [],
        "limit": 1,
        "window": "P1D",
    }
    with runtime.work("acme", ACTOR) as work:
        refs = [
            subjects.put(work, name, SubjectChange(country="US", relationship="lead")).subject_ref
            for name in ("crm-1", "crm-2")
        ]
        daily = capping.put(work, "daily", cap, None)
        assert capping.take(work, [daily], subject_ref=refs[0], message_ref="msg_1") == []
    body = {"subject": COMPONENT, "action": send(), "resource": ANYONE}
    assert [each["id"] for each in every(runtime, "resource", body)] == ["crm-2"]


def test_what_may_be_done_with_a_person_is_all_of_it_and_the_rest_has_reasons(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="client"))
        sees = {"kind": "service", "purposes": ["sales", "research"], "fields": ["email", "topics"]}
        access.put(work, "component", COMPONENT["id"], sees)
    person = {"type": "data_subject", "id": "crm-1"}
    body = {"subject": COMPONENT, "resource": person}
    found = list(pages(any_runtime, "action", body))
    page = found[0]
    page.results[:] = [each for part in found for each in part.results]

    def spelled(action: Any) -> str:
        return json.dumps(action, sort_keys=True)

    listed = [spelled(each) for each in page.results]
    assert len(listed) == len(set(listed))

    def brute_force() -> Iterator[Any]:
        """Every question that can be asked, whether or not the purpose knows the class."""
        with any_runtime.snapshot("acme", ACTOR) as snap:
            desk = actions.Desk(snap)
            everything: list[Any] = []
            for purpose, kind, channel in product(purposes.every(snap), purposes.message_classes(), CHANNELS):
                plain = send(channel, kind, purpose.purpose_id)
                modes = CALL_MODES if channel == "voice" else (None,)
                everything += [
                    plain if mode is None else named(plain["name"], **plain["properties"], call_mode=mode)
                    for mode in modes
                ]
            for model in desk.ground.policy.models.values():
                everything += [
                    named(lifecycle.ACTION, model=model.name, to=stage.id) for stage in model.stages
                ]
            everything += [
                named("data.erase", data_class=each, occasion="erasure")
                for each in purposes.data_classes(snap)
            ]
            everything.append(named("data.transfer", destination="US"))  # at home; no flow is declared
            for purpose in purposes.every(snap):
                everything.append(named("data.use", purpose=purpose.purpose_id))
                for field in desk.access.fields:
                    everything.append(named("data.read", fields=[field], purpose=purpose.purpose_id))
            for action in everything:
                question = read_request({**body, "action": action})
                if answer(desk, question).allowed:
                    yield spelled(action)

    assert set(listed) == set(brute_force())
    # Nobody knows what this person's data were collected for, so no use is permitted.
    assert {each["name"] for each in page.results} == set(actions.ACTIONS) - {"data.use"}
    assert named("data.read", fields=["email"], purpose="sales") in page.results
    told = {reason["code"] for reason in page.context["reasons"]}
    for refused in page.context["refused"]:
        assert refused["codes"], refused
        assert set(refused["codes"]) <= told
    assert page.context["refused"]
    small = list(pages(any_runtime, "action", body, 10))
    assert [each for part in small for each in part.results] == page.results
    assert max(len(part.results) for part in small) == 10


def test_who_may_do_it_are_the_components_that_are_still_here(runtime: Runtime) -> None:
    with runtime.work("acme", COMMAND_LINE) as work:
        subjects.put(work, "crm-1", SubjectChange(country="US", relationship="lead"))
        made = [callers.create_client(work, name=str(each), scopes=["evaluate"]) for each in range(3)]
        callers.let_go(work, made[1].component.client_id)
    person = {"type": "data_subject", "id": "crm-1"}
    body = {"subject": {"type": "component", "id": "ignored"}, "action": send(), "resource": person}
    expected = sorted(made[each].component.client_id for each in (0, 2))
    assert [each["id"] for each in every(runtime, "subject", body, 1)] == expected
    stranger = {**body, "resource": {"type": "data_subject", "id": "crm-404"}}
    assert every(runtime, "subject", stranger) == []


def test_own_resources_are_searched_as_the_specification_shows(runtime: Runtime, tmp_path: Path) -> None:
    extra = tmp_path / "packs"
    shutil.copytree(ROOT / "tests" / "fixtures" / "access", extra / "access")
    with runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=policies.shipped_documents(extra))
    alice, account = {"type": "user", "id": "alice@example.com"}, {"type": "account", "id": "123"}
    read = {"name": "can_read"}
    found = every(runtime, "subject", {"subject": {"type": "user"}, "action": read, "resource": account})
    assert [each["id"] for each in found] == ["alice@example.com", "bob@example.com"]
    body = {"subject": alice, "action": read, "resource": {"type": "account"}}
    assert every(runtime, "resource", body, 1) == [
        {"type": "account", "id": "123"},
        {"type": "account", "id": "456"},
    ]
    found = every(runtime, "action", {"subject": alice, "resource": account})
    assert [each["name"] for each in found] == ["can_delete", "can_read", "can_write"]


BAD: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("resource", lambda body: {**body, "page": []}, "page"),
    ("resource", lambda body: {**body, "page": {"limit": -1}}, "page.limit"),
    ("resource", lambda body: {**body, "page": {"limit": True}}, "page.limit"),
    ("resource", lambda body: {**body, "page": {"token": 5}}, "page.token"),
    ("resource", lambda body: {**body, "resource": {}}, "resource.type"),
    ("resource", lambda body: {**body, "resource": None}, "resource"),
    ("subject", lambda body: {**body, "resource": ANYONE}, "resource.id"),
    ("action", lambda body: {"resource": {**ANYONE, "id": "crm-1"}}, "subject"),
    ("resource", lambda body: [body], ""),
]


@pytest.mark.parametrize(("kind", "spoil", "field"), BAD)
def test_a_search_that_cannot_be_read_names_the_member(
    kind: str, spoil: Callable[[dict[str, Any]], Any], field: str
) -> None:
    body = {"subject": COMPONENT, "action": send(), "resource": ANYONE}
    with pytest.raises(InvalidError) as caught:
        read_search(kind, spoil(body))
    assert field in caught.value.fields


def test_a_search_whose_content_makes_no_sense_is_refused(runtime: Runtime) -> None:
    body = {"subject": COMPONENT, "action": send(), "resource": ANYONE}
    for change in (
        {"action": send("fax")},
        {"action": named("communication.send", **send()["properties"], contact_point="a@example.org")},
        {"resource": {**ANYONE, "properties": {"shoe_size": 5}}},
        {"resource": {**ANYONE, "properties": {"country": "Germany"}}},
        {"resource": {**ANYONE, "properties": {"relationship": []}}},
        {"context": {"time": "yesterday"}},
        {"action": named("lifecycle.transition", to="heaven")},
    ):
        with runtime.snapshot("acme", ACTOR) as snap, pytest.raises(InvalidError):
            search.search(snap, read_search("resource", {**body, **change}))
