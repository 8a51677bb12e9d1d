from datetime import UTC, datetime
from typing import Any

import pytest

from governance.communications.model import PointName, is_code, read_check, read_instant
from governance.errors import InvalidError
from governance.subjects.model import SubjectReference

PERSON = SubjectReference(id="crm-1")
GOOD = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


def test_unknown_members_are_ignored() -> None:
    found = read_check(PERSON, {**GOOD, "colour": "blue"}, {"weather": "fine"})
    assert found == read_check(PERSON, GOOD)


def test_every_complaint_is_made_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        read_check(PERSON, {"channel": "fax", "purpose": 7, "contains_promotion": "yes"}, {"time": "soon"})
    assert set(caught.value.fields) == {
        "channel",
        "message_class",
        "purpose",
        "contains_promotion",
        "context.time",
    }


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("topic", "a b"),
        ("topic", "x\x00"),
        ("topic", "\ud800"),
        ("topic", "x" * 129),
        ("purpose", []),
        ("purpose", ""),
        ("call_mode", "shouting"),
        ("written_by", "cat"),
        ("contact_point", {}),
        ("contact_point", {"type": "phone", "value": "+491701234567"}),
        ("contact_point", {"type": "email", "value": ""}),
        ("contact_point", 5),
        ("in_reply_to", {}),
        ("product_family", True),
    ],
)
def test_members_of_the_wrong_form_are_refused(member: str, value: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        read_check(PERSON, {**GOOD, member: value})
    assert any(name.startswith(member) for name in caught.value.fields)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21",
        "2026-11-21T10:00:00",
        "noon",
        "",
        5,
        None,
        "9999-12-31T23:59:59-23:59",
        "3000-01-01T00:00:00Z",
    ],
)
def test_what_is_no_instant_with_an_offset_is_none(value: object) -> None:
    assert read_instant(value) is None


def test_the_short_instants_of_the_specification_are_understood() -> None:
    assert read_instant("2024-05-31T15:22-07:00") == datetime(2024, 5, 31, 22, 22, tzinfo=UTC)


def test_the_past_cannot_be_asked_about() -> None:
    with pytest.raises(InvalidError):
        read_check(PERSON, GOOD, {"as_of": 5})


def test_a_contact_point_may_be_named_by_value_alone() -> None:
    assert read_check(PERSON, {**GOOD, "contact_point": "a@example.org"}).contact_point == PointName(
        type="email", value="a@example.org"
    )
    assert read_check(PERSON, {**GOOD, "contact_point": {"ref": "pnt_1"}}).contact_point == PointName(
        ref="pnt_1"
    )


def test_what_is_logged_of_a_question_names_nobody() -> None:
    question = read_check(
        PERSON, {**GOOD, "contact_point": "a@example.org", "in_reply_to": "<x@mail.example.org>"}
    )
    assert "example.org" not in str(question.document())
    assert question.document()["in_reply_to"] is True


def test_codes_are_plain() -> None:
    assert is_code("spring-offer")
    assert not is_code("-spring")
    assert not is_code("ä")
    assert not is_code("")
