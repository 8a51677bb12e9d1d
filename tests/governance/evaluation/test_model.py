import json
from typing import Any

import pytest

from governance.errors import InvalidError
from governance.evaluation.model import MOST_EVALUATIONS, opaque, read_batch, read_request

GOOD: dict[str, Any] = {
    "subject": {"type": "user", "id": "alice@example.com"},
    "action": {"name": "can_read"},
    "resource": {"type": "document", "id": "1"},
}


def test_a_question_is_read_and_unknown_members_are_ignored() -> None:
    body = {**GOOD, "context": {"time": "2024-05-31T15:22-07:00"}, "colour": "blue"}
    body["subject"] = {**GOOD["subject"], "properties": {"department": "Sales"}, "shoe": 44}
    found = read_request(body)
    assert (found.subject.type, found.subject.id) == ("user", "alice@example.com")
    assert found.subject.properties == {"department": "Sales"}
    assert found.action == "can_read"
    assert found.context == {"time": "2024-05-31T15:22-07:00"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("subject",), None),
        (("subject",), "alice"),
        (("subject", "type"), None),
        (("subject", "type"), 5),
        (("subject", "id"), None),
        (("subject", "id"), ["a"]),
        (("subject", "id"), ""),
        (("subject", "id"), "\ud800"),
        (("subject", "id"), "x" * 1025),
        (("subject", "properties"), []),
        (("action",), None),
        (("action",), []),
        (("action", "name"), None),
        (("action", "name"), {}),
        (("action", "properties"), "x"),
        (("resource",), None),
        (("resource", "type"), None),
        (("resource", "id"), 1),
        (("resource", "properties"), 7),
        (("context",), "now"),
    ],
)
def test_missing_and_ill_typed_members_are_named(path: tuple[str, ...], value: Any) -> None:
    body = json.loads(json.dumps(GOOD))
    place = body
    for name in path[:-1]:
        place = place[name]
    if value is None:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = value
    with pytest.raises(InvalidError) as caught:
        read_request(body)
    assert list(caught.value.fields) == [".".join(path)]


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(InvalidError):
        read_request(body)
    with pytest.raises(InvalidError):
        read_batch(body)


def test_defaults_are_replaced_as_a_whole() -> None:
    body = {
        "subject": {**GOOD["subject"], "properties": {"department": "Sales"}},
        "action": {"name": "can_read"},
        "evaluations": [
            {"resource": {"type": "document", "id": "1"}},
            {"resource": {"type": "document", "id": "2"}, "action": {"name": "can_edit"}},
            {"resource": {"type": "document", "id": "3"}, "subject": {"type": "user", "id": "bob"}},
        ],
    }
    first, second, third = read_batch(body).requests
    assert (first.action, second.action) == ("can_read", "can_edit")
    assert first.subject.properties == {"department": "Sales"}
    assert (third.subject.id, third.subject.properties) == ("bob", {})


def test_without_a_list_a_batch_is_one_question() -> None:
    for body in (GOOD, {**GOOD, "evaluations": []}):
        found = read_batch(body)
        assert found.single
        assert found.requests == [read_request(GOOD)]


def test_a_question_of_a_batch_that_lacks_a_member_spoils_it_and_is_named() -> None:
    with pytest.raises(InvalidError) as caught:
        read_batch({"subject": GOOD["subject"], "evaluations": [{"resource": GOOD["resource"]}, 5]})
    assert set(caught.value.fields) == {"evaluations.0.action", "evaluations.1"}


@pytest.mark.parametrize(
    "more",
    [
        {"evaluations": {}},
        {"evaluations": [GOOD] * (MOST_EVALUATIONS + 1)},
        {"evaluations": [GOOD], "options": []},
        {"evaluations": [GOOD], "options": {"evaluations_semantic": "whatever"}},
        {"evaluations": [GOOD], "options": {"evaluations_semantic": ["execute_all"]}},
    ],
)
def test_a_batch_of_the_wrong_form_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        read_batch({**GOOD, **more})


def test_the_semantic_is_read() -> None:
    options = {"evaluations_semantic": "deny_on_first_deny", "another_option": "value"}
    assert read_batch({"evaluations": [GOOD], "options": options}).semantic == "deny_on_first_deny"
    assert read_batch({"evaluations": [GOOD]}).semantic == "execute_all"


@pytest.mark.parametrize(
    "text",
    ["alice@example.com", "192.168.1.1", "fe80::1", "491701234567", "+491701234567", "Alice Smith", "ä"],
)
def test_what_looks_like_a_person_is_not_logged_as_it_is(text: str) -> None:
    assert opaque(text) is None


@pytest.mark.parametrize("text", ["campaign-engine", "crm-123", "10023", "client_01a2"])
def test_opaque_codes_are_logged_as_they_are(text: str) -> None:
    assert opaque(text) == text
