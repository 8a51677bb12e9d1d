from datetime import UTC, datetime

import pytest

from governance.errors import InvalidError
from governance.lifecycle.model import (
    Move,
    StageView,
    Standing,
    check_move,
    consequences,
    facts_of,
    records_of,
)

AT = "2026-11-21T10:00:00.000000Z"


def test_policy_sees_that_a_reference_and_a_reason_were_given_but_never_their_text() -> None:
    move = Move("relationship", "client", {"contract_reference": "C-17", "note": "Ms Doe"}, "met Ms Doe")
    facts = facts_of(Standing(True, "sub_1", "lead"), move)
    assert facts["transition.evidence.contract_reference"] is True
    assert facts["transition.evidence.fulfilment_reference"] is False
    assert facts["transition.because"] is True
    assert facts["transition.from"] == "lead"
    assert "Doe" not in repr(facts)
    assert "C-17" not in repr(facts)


def test_nobody_is_an_unknown_person_without_a_stage() -> None:
    facts = facts_of(Standing(False), Move("relationship", "lead", {}))
    assert facts["person.known"] is False
    assert facts["transition.from"] == "none"
    assert facts["transition.because"] is False


def test_every_fact_of_the_standing_reaches_policy() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    standing = Standing(
        True, "sub_1", "client", True, True, True, True, "in_force", moment, True, True, False, None
    )
    facts = facts_of(standing, Move("relationship", "lead", {}))
    assert [facts[f"person.{name}"] for name in ("restricted", "erasure_pending", "erased", "held")] == [
        True
    ] * 4
    assert facts["contract.state"] == "in_force"
    assert facts["relationship.last_contact_age"] == moment
    assert (facts["invoice.open"], facts["warranty.open"], facts["dispute.open"]) == (True, False, None)
    assert facts["notice.given"] is True


@pytest.mark.parametrize(
    ("contract", "to", "evidence", "expected"),
    [
        ("none", "client", {"contract_reference": "C"}, ("contract_signed",)),
        ("ended", "active_service", {"contract_reference": "C"}, ("contract_signed",)),
        ("in_force", "client", {"contract_reference": "C"}, ()),
        ("none", "client", {}, ()),
        ("none", "lead", {"contract_reference": "C"}, ()),
        ("in_force", "churned", {}, ("contract_ended",)),
        ("ended", "churned", {}, ()),
    ],
)
def test_a_move_records_the_contract_that_it_proves(
    contract: str, to: str, evidence: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert (
        records_of(Standing(True, "sub_1", contract_state=contract), Move("relationship", to, evidence))
        == expected
    )


def test_consequences_are_the_difference_between_two_stages() -> None:
    lead = StageView(
        frozenset({"consent"}), frozenset({"promotional", "transactional"}), frozenset({"lead-idle"})
    )
    client = StageView(
        frozenset({"consent", "contract"}), frozenset({"onboarding", "transactional"}), frozenset()
    )
    told = consequences(lead, client, at=AT, obligations=("keep-contract",), records=("contract_signed",))
    assert told.lawful_bases_gained == ("contract",)
    assert told.lawful_bases_lost == ()
    assert told.messages_now_allowed == ("onboarding",)
    assert told.messages_now_blocked == ("promotional",)
    assert told.retention_clocks == ({"clock": "lead-idle", "change": "stopped", "at": AT},)
    assert told.document()["records"] == ["contract_signed"]
    back = consequences(client, lead, at=AT, obligations=(), records=())
    assert back.lawful_bases_lost == told.lawful_bases_gained
    assert back.messages_now_blocked == told.messages_now_allowed
    assert back.retention_clocks == ({"clock": "lead-idle", "change": "started", "at": AT},)


@pytest.mark.parametrize(
    ("evidence", "because", "field"),
    [
        ({"contract_reference": " "}, None, "evidence.contract_reference"),
        ({"contract_reference": "x" * 257}, None, "evidence.contract_reference"),
        ({f"r{n}": "x" for n in range(21)}, None, "evidence"),
        ({}, "  ", "because"),
        ({}, "x" * 2_001, "because"),
    ],
)
def test_evidence_without_content_or_end_is_refused(
    evidence: dict[str, str], because: str | None, field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        check_move(Move("relationship", "client", evidence, because))
    assert field in refused.value.fields
