from typing import Any

import pytest

from governance.communications.screening import (
    Audience,
    Outcome,
    count,
    question_digest,
    read_audience,
)
from governance.communications.screening_audience import check_ids
from governance.errors import InvalidError

ORDER = ("erased", "unknown-subject", "suppressed", "consent-withdrawn", "consent-missing")


def outcome(number: int, *codes: str) -> Outcome:
    return Outcome(number, not codes, codes, codes[0] if codes else None, (), ())


def test_each_bad_id_of_a_list_is_named() -> None:
    with pytest.raises(InvalidError) as refused:
        read_audience({"ids": ["a", 1, "b", None]})
    assert sorted(refused.value.fields) == ["audience.ids.1", "audience.ids.3"]
    with pytest.raises(InvalidError, match="2 of the ids") as refused:
        check_ids(["a", "some@example.org", "b", "-"])
    assert sorted(refused.value.fields) == ["audience.ids.1", "audience.ids.3"]
    assert "example" not in str(refused.value.fields)


def test_everyone_is_counted_once_in_the_waterfall_and_under_every_reason() -> None:
    outcomes = [
        outcome(0),
        outcome(1, "suppressed", "consent-missing"),
        outcome(2, "consent-missing"),
        outcome(3, "erased"),
    ]
    counts = count(outcomes, {0: 5, 1: 3, 2: 7}, ORDER)
    assert (counts.total, counts.allowed, counts.denied) == (15, 5, 10)
    assert counts.waterfall == (("suppressed", 3), ("consent-missing", 7))
    assert counts.reasons == (("suppressed", 3), ("consent-missing", 10))
    assert sum(people for _, people in counts.waterfall) == counts.denied


def test_codes_stand_in_the_published_order_and_unknown_ones_last() -> None:
    outcomes = [outcome(0, "zebra"), outcome(1, "consent-missing"), outcome(2, "erased")]
    counts = count(outcomes, {0: 9, 1: 1, 2: 1}, ORDER)
    assert [code for code, _ in counts.waterfall] == ["erased", "consent-missing", "zebra"]


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ({"all": True}, Audience("all")),
        ({"ids": ["b", "a", "b"]}, Audience("ids", ids=("b", "a"), duplicates=1)),
        (
            {"filter": {"relationship": ["client", "lead", "lead"], "country": ["DE"]}},
            Audience("filter", ("client", "lead"), ("DE",)),
        ),
        ({"filter": {"country": ["DE"]}}, Audience("filter", (), ("DE",))),
    ],
)
def test_the_three_audiences_are_read(body: dict[str, Any], read: Audience) -> None:
    assert read_audience(body) == read


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"all": True, "ids": ["a"]},
        {"ids": []},
        {"ids": "abc"},
        {"ids": [1]},
        {"filter": {}},
        {"filter": {"relationship": []}},
        {"filter": {"country": "DE"}},
        {"filter": {"email": ["x"]}},
        {"everyone": True},
        [],
        "all",
    ],
)
def test_an_audience_that_cannot_be_read_is_refused(body: Any) -> None:
    with pytest.raises(InvalidError) as refused:
        read_audience(body)
    assert refused.value.fields


def test_the_same_people_in_another_order_are_the_same_question() -> None:
    asked = {"action": "communication.send", "channel": "email"}
    one = question_digest(asked, read_audience({"ids": ["a", "b"]}))
    assert one == question_digest(dict(reversed(asked.items())), read_audience({"ids": ["b", "a", "b"]}))
    assert one != question_digest(asked, read_audience({"ids": ["a", "c"]}))
    assert one != question_digest({**asked, "channel": "sms"}, read_audience({"ids": ["a", "b"]}))
    assert question_digest(asked, Audience("all")) != question_digest(asked, Audience("filter", ("lead",)))
