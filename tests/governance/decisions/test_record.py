from datetime import UTC, datetime

from governance.decisions.model import Reason, Verdict
from governance.decisions.record import (
    AskedFor,
    DecisionRecord,
    PermittedPoint,
    fact_documents,
    merged,
    obligation_documents,
)

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def reason(code: str, rank: int, rule: str = "pack.rule") -> Reason:
    return Reason(code, rule, "forbid", "Because.", ("Art. 7",), True, "Ask.", rank)


def record(**named: object) -> DecisionRecord:
    values = {
        "id": "dec_1",
        "action": "communication.send",
        "subject_ref": "sub_1",
        "verdict": Verdict(False, (reason("consent-withdrawn", 3),), ("include-unsubscribe",), ()),
        "policy": "sha256:00",
        "ledger_position": 4711,
        "evaluated_at": NOW,
        "caller_ref": "client_1",
        "question": {"purpose": "marketing"},
        "facts": ({"consent.status": "withdrawn"},),
        "asked_for": AskedFor("component", "engine"),
        "contact_points": (PermittedPoint("pnt_1", "email"),),
        "stage": {"relationship": "client"},
    }
    return DecisionRecord(**{**values, **named})  # type: ignore[arg-type]


def test_a_decision_is_answered_as_the_contract_says() -> None:
    answer = record().answer()
    assert answer["decision"] is False
    assert answer["context"] == {
        "id": "dec_1",
        "policy": "sha256:00",
        "ledger_position": 4711,
        "evaluated_at": "2026-11-21T10:00:00.000000Z",
        "reasons": [
            {
                "code": "consent-withdrawn",
                "rule": "pack.rule",
                "effect": "forbid",
                "text": "Because.",
                "cites": ["Art. 7"],
                "verified": True,
                "remedy": "Ask.",
            }
        ],
        "permits": [],
        "obligations": [
            {"id": "obligation-1", "type": "custom", "properties": {"action": "include-unsubscribe"}}
        ],
        "contact_points": [{"ref": "pnt_1", "type": "email"}],
        "next_eligible_at": None,
        "stage": {"relationship": "client"},
    }
    assert record(next_eligible_at=NOW).document()["next_eligible_at"] == "2026-11-21T10:00:00.000000Z"


def test_several_contact_points_are_permitted_only_together() -> None:
    yes = Verdict(True, (), ("a", "b"), ("matrix.promotional",))
    no = Verdict(False, (reason("undeliverable", 9), reason("objection", 2)), ("b", "c"), ())
    whole = merged([yes, no, no])
    assert not whole.allowed
    assert [each.code for each in whole.reasons] == ["objection", "undeliverable"]
    assert whole.obligations == ("a", "b", "c")
    assert whole.permits == ("matrix.promotional",)
    assert merged([yes, yes]).allowed
    assert merged([no]) is no


def test_obligations_have_ids_of_their_own() -> None:
    assert [each["id"] for each in obligation_documents(["x", "y"])] == ["obligation-1", "obligation-2"]


def test_facts_are_written_without_what_is_absent() -> None:
    facts = {"a": None, "b": NOW, "c": frozenset({"y", "x"}), "d": False, "e": 0, "f": "text"}
    assert fact_documents(facts) == {
        "b": "2026-11-21T10:00:00.000000Z",
        "c": ["x", "y"],
        "d": False,
        "e": 0,
        "f": "text",
    }
