import pytest

from governance.errors import InvalidError
from governance.purposes.checks import check_capture_point, check_purpose
from governance.purposes.model import Vocabulary

WORDS = Vocabulary(
    lawful_bases=frozenset({"consent", "contract"}),
    message_classes=frozenset({"promotional", "newsletter"}),
    data_classes=frozenset(),
)


def complaints(check, *arguments):
    with pytest.raises(InvalidError) as caught:
        check(*arguments)
    return caught.value.fields


def test_an_empty_and_a_full_record_pass():
    check_purpose("marketing", {}, WORDS)
    check_purpose(
        "marketing",
        {
            "title": "Offers",
            "description": "line one\nline two",
            "owner": None,
            "lawful_basis": {
                "default": "consent",
                "by_country": {"US": "contract"},
                "by_stage": {"active_service": "contract"},
            },
            "message_classes": ["promotional"],
            "data_classes": ["anything-goes-where-the-list-is-open"],
            "solely_automated": False,
            "state": "active",
        },
        WORDS,
    )
    check_capture_point("web-form", {"purposes": ["marketing"], "double_opt_in": True}, {"marketing"})


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"titel": "x"}, "titel", "Did you mean title"),
        ({"title": 7}, "title", "text"),
        ({"title": "x" * 4001}, "title", "4000"),
        ({"title": "a\x00b"}, "title", "cannot be kept"),
        ({"title": "\ud800"}, "title", "cannot be kept"),
        ({"lawful_basis": "consnet"}, "lawful_basis", "Did you mean consent"),
        ({"lawful_basis": 4}, "lawful_basis", "Use an id"),
        ({"lawful_basis": {"default": "tradition"}}, "lawful_basis.default", "no lawful basis"),
        (
            {"lawful_basis": {"by_country": {"US": "tradition"}}},
            "lawful_basis.by_country.US",
            "no lawful basis",
        ),
        ({"lawful_basis": {"by_country": {"usa": "consent"}}}, "lawful_basis", "countries"),
        ({"lawful_basis": {"by_country": []}}, "lawful_basis", "object"),
        ({"lawful_basis": {"by_moon": {}}}, "lawful_basis", "Use a code"),
        ({"message_classes": "promotional"}, "message_classes", "list"),
        ({"message_classes": [["promotional"]]}, "message_classes", "codes"),
        ({"message_classes": ["promotional", "promotional"]}, "message_classes", "once"),
        ({"message_classes": ["promotional", "newsleter"]}, "message_classes.1", "Did you mean newsletter"),
        ({"human_review": "yes"}, "human_review", "true or false"),
        ({"state": "asleep"}, "state", "active or inactive"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_way_out(body, path, words):
    found = complaints(check_purpose, "marketing", body, WORDS)
    assert list(found) == [path]
    assert words in found[path][0]


def test_everything_wrong_is_said_at_once():
    found = complaints(check_purpose, "Not an id!", {"titel": "x", "state": "asleep", "owner": 1}, WORDS)
    assert sorted(found) == ["id", "owner", "state", "titel"]


def test_a_capture_point_serves_purposes_in_use_only():
    found = complaints(check_capture_point, "web-form", {"purposes": ["marketing", "profit"]}, {"marketing"})
    assert list(found) == ["purposes.1"]
    assert list(complaints(check_capture_point, "web-form", {"purposes": ["marketing"]}, set())) == [
        "purposes.0"
    ]
    assert list(complaints(check_capture_point, "web-form", {"double_opt_in": 1}, set())) == ["double_opt_in"]
