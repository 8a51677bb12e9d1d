"""What follows from relationship events, in whatever order they are told."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from governance.errors import InvalidError
from governance.subjects.relations import BLANK_STANDING, EVENT_EFFECTS, Happening, check_event, standing_from

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int, event: str, matter: str = "") -> Happening:
    return Happening(event, DAY + timedelta(days=day), matter, day)


def test_nothing_happened_is_a_blank_standing() -> None:
    assert standing_from([]) == BLANK_STANDING


@pytest.mark.parametrize(
    ("event", "columns"),
    [
        ("purchase", {"last_purchase_at": DAY}),
        ("inquiry", {"last_inquiry_at": DAY}),
        ("negotiation", {"last_contact_at": DAY}),
        ("charity_support", {"last_contact_at": DAY}),
        ("meaningful_contact", {"last_contact_at": DAY}),
        ("contract_signed", {"contract_state": "in_force"}),
        ("contract_ended", {"contract_state": "ended", "contract_ended_at": DAY}),
        ("subscription_started", {"subscription_state": "in_force"}),
        ("subscription_ended", {"subscription_state": "ended", "subscription_ended_at": DAY}),
        ("complaint_opened", {"dispute_open": True}),
        ("complaint_closed", {"dispute_open": False}),
        ("invoice_opened", {"invoice_open": True}),
        ("invoice_closed", {"invoice_open": False}),
        ("warranty_opened", {"warranty_open": True}),
        ("warranty_closed", {"warranty_open": False}),
        ("notice_given", {"notice_given": True}),
        ("data_disclosed", {}),
    ],
)
def test_each_kind_of_event_sets_its_columns_and_no_other(event: str, columns: dict[str, object]) -> None:
    assert standing_from([at(0, event)]) == {**BLANK_STANDING, **columns}


def test_every_kind_of_event_is_covered_above() -> None:
    assert len(EVENT_EFFECTS) == 17


def test_the_order_of_telling_does_not_matter() -> None:
    happened = [
        at(1, "contract_signed", "a"),
        at(2, "purchase"),
        at(3, "contract_ended", "a"),
        at(4, "invoice_opened", "i"),
        at(5, "contract_signed", "b"),
    ]
    answers = [standing_from(told) for told in permutations(happened)]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["contract_state"] == "in_force"
    assert answers[0]["contract_ended_at"] == DAY + timedelta(days=3)


def test_one_of_two_contracts_ending_leaves_the_other_in_force() -> None:
    told = [at(1, "contract_signed", "a"), at(2, "contract_signed", "b"), at(3, "contract_ended", "a")]
    assert standing_from(told)["contract_state"] == "in_force"
    assert standing_from([*told, at(4, "contract_ended", "b")])["contract_state"] == "ended"


def test_a_renewed_contract_ends_once() -> None:
    told = [at(1, "contract_signed", "a"), at(2, "contract_signed", "a"), at(3, "contract_ended", "a")]
    assert standing_from(told)["contract_state"] == "ended"


def test_an_ending_without_reference_ends_all_and_one_with_reference_ends_the_unnamed() -> None:
    told = [at(1, "invoice_opened", "a"), at(2, "invoice_opened", "b")]
    assert standing_from([*told, at(3, "invoice_closed")])["invoice_open"] is False
    assert standing_from([at(1, "invoice_opened"), at(3, "invoice_closed", "a")])["invoice_open"] is False
    assert standing_from([*told, at(3, "invoice_closed", "c")])["invoice_open"] is True


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(InvalidError, match="purchase"):
        check_event("purchased")
