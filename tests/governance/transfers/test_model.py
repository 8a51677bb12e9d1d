"""What covers a transfer, which way data go, and why a mechanism does not count. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.transfers.model import (
    ANSWER,
    BACK,
    BEYOND_ERRAND,
    BEYOND_FLOW,
    ERASURE,
    EXPIRED,
    IN_FORCE,
    INSIDE,
    NOT_YET,
    OPT_OUT,
    OUT,
    SUSPENDED,
    TO_PERSON,
    UNASSESSED,
    Flow,
    Mechanism,
    Person,
    Question,
    Register,
)
from governance.transfers.situations import adequacy_fell_away, lost, usable, way, worlds

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
CONTACT = frozenset({"contact_details"})


def mechanism(name: str = "dpf", **changed: Any) -> Mechanism:
    said: dict[str, Any] = {
        "mechanism_id": name,
        "version": 1,
        "kind": "dpf",
        "instruments": ("eu-us-dpf",),
        "recipients": (),
        "destinations": ("US",),
        "data_classes": (),
        "valid_from": YESTERDAY,
        "expires_at": None,
        "owner": None,
        "assessment_reference": None,
        "suspended_at": None,
    }
    return Mechanism(**{**said, **changed})


def flow(*mechanisms: str, **changed: Any) -> Flow:
    said: dict[str, Any] = {
        "flow_id": "mail",
        "version": 1,
        "origin": "DE",
        "destination": "US",
        "recipient": "mailer",
        "recipient_kind": None,
        "data_classes": ("contact_details", "preferences"),
        "mechanisms": mechanisms,
    }
    return Flow(**{**said, **changed})


def register(*mechanisms: Mechanism, flows: tuple[Flow, ...] = (), tenant: str | None = "DE") -> Register:
    return Register({each.mechanism_id: each for each in mechanisms}, flows, {}, tenant)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, IN_FORCE),
        ({"suspended_at": NOW}, SUSPENDED),
        ({"expires_at": NOW}, EXPIRED),
        ({"expires_at": NOW + timedelta(microseconds=1)}, IN_FORCE),
        ({"valid_from": NOW + timedelta(seconds=1)}, NOT_YET),
        ({"valid_from": NOW}, IN_FORCE),
        ({"unassessed": ("eu-us-dpf",)}, UNASSESSED),
        ({"suspended_at": NOW, "expires_at": YESTERDAY}, SUSPENDED),
    ],
)
def test_a_mechanism_stands_in_one_way_at_a_time(changed: dict[str, Any], state: str) -> None:
    assert mechanism(**changed).state(NOW) == state
    assert (usable([mechanism(**changed)], NOW) == frozenset({"eu-us-dpf"})) == (state == IN_FORCE)


@pytest.mark.parametrize(
    ("scope", "asked", "covered"),
    [
        ({}, ("US", "mailer", CONTACT), True),
        ({}, ("IN", "mailer", CONTACT), False),
        ({}, (None, "mailer", CONTACT), False),
        ({"destinations": ()}, ("IN", None, None), True),
        ({"recipients": ("mailer",)}, ("US", "mailer", CONTACT), True),
        ({"recipients": ("mailer",)}, ("US", "other", CONTACT), False),
        ({"recipients": ("mailer",)}, ("US", None, CONTACT), False),
        ({"data_classes": ("contact_details",)}, ("US", None, CONTACT), True),
        ({"data_classes": ("contact_details",)}, ("US", None, CONTACT | {"financial"}), False),
        ({"data_classes": ("contact_details",)}, ("US", None, None), False),
    ],
)
def test_what_was_not_said_lies_only_in_a_scope_that_does_not_ask(
    scope: dict[str, Any], asked: tuple[str | None, str | None, frozenset[str] | None], covered: bool
) -> None:
    assert mechanism(**scope).covers(*asked) is covered


@pytest.mark.parametrize(
    ("tenant", "lives", "origin", "destination", "expected"),
    [
        ("DE", "DE", None, "DE", ("DE", INSIDE)),
        ("DE", "DE", None, "US", ("DE", OUT)),
        ("DE", "US", None, "US", ("DE", OUT)),  # the controller sends, wherever the person lives
        ("US", "DE", None, "US", ("US", INSIDE)),
        (None, "DE", None, "US", ("DE", OUT)),
        (None, None, None, "US", (None, OUT)),
        ("DE", "DE", "US", "DE", ("US", BACK)),
        ("DE", "CN", "CN", "DE", ("CN", OUT)),  # that is not coming back: it leaves where the person lives
        ("DE", "CN", "US", "DE", ("US", BACK)),
        (None, "DE", "US", "DE", ("US", BACK)),
        ("DE", "DE", "US", "IN", ("US", OUT)),  # onward
    ],
)
def test_which_way_data_go(
    tenant: str | None, lives: str | None, origin: str | None, destination: str, expected: tuple[str, str]
) -> None:
    found = way(register(tenant=tenant), Question(destination, origin=origin), Person.living_in(lives))
    assert found == expected


def test_a_flow_rests_only_on_the_mechanisms_that_it_names() -> None:
    both = (mechanism("dpf"), mechanism("scc", instruments=("eu-scc",), kind="scc"))
    asked = Question("US", "mailer", CONTACT)
    (alone,) = worlds(register(*both, flows=(flow("dpf"),)), asked, Person.living_in("DE"), NOW)
    assert alone.facts["mechanism.usable"] == {"eu-us-dpf"}
    assert alone.facts["transfer.systematic"] is True
    (none,) = worlds(register(*both), asked, Person.living_in("DE"), NOW)
    assert none.facts["mechanism.usable"] == {"eu-us-dpf", "eu-scc"}
    assert none.facts["transfer.systematic"] is False
    assert none.facts["transfer.beyond"] is None


@pytest.mark.parametrize(
    ("changed", "beyond"),
    [
        ({}, None),
        ({"origin": "DE"}, None),
        ({"recipient": None}, None),
        ({"recipient_kind": "public"}, None),
        ({"data_classes": frozenset()}, BEYOND_FLOW),
        ({"data_classes": None}, BEYOND_FLOW),
        ({"data_classes": None, "recipient": None}, BEYOND_FLOW),
        ({"data_classes": CONTACT | {"demographics"}}, BEYOND_FLOW),
        ({"origin": "FR"}, BEYOND_FLOW),
        ({"recipient_kind": "commercial"}, BEYOND_FLOW),
        ({"recipient": None, "data_classes": CONTACT | {"demographics"}}, BEYOND_FLOW),
    ],
)
def test_whoever_asks_for_more_than_the_flow_carries_goes_beyond_it(
    changed: dict[str, Any], beyond: str | None
) -> None:
    """A derogation that the flow does not name opens nothing to its recipient, however wide the question."""
    declared = flow("dpf", recipient_kind="public")
    kept = register(
        mechanism("dpf", suspended_at=NOW),
        mechanism("once", kind="derogation", instruments=("legal-claims",)),
        flows=(declared,),
    )
    asked = replace(Question("US", "mailer", CONTACT), **changed)
    (found,) = worlds(kept, asked, Person.living_in("DE"), NOW)
    assert (found.flow, found.facts["transfer.beyond"]) == (declared, beyond)
    assert (found.facts["mechanism.usable"], found.facts["mechanism.lost"]) == (None, SUSPENDED)
    assert found.facts["transfer.systematic"] is True
    (elsewhere,) = worlds(kept, replace(asked, recipient="lawyer"), Person.living_in("DE"), NOW)
    assert elsewhere.flow is None, "no flow goes there: an occasional transfer"
    assert elsewhere.facts["mechanism.usable"] == {"legal-claims"}


@pytest.mark.parametrize(
    ("errand", "classes", "more", "beyond"),
    [
        (OPT_OUT, {"contact_details", "preferences"}, {}, None),
        (OPT_OUT, {"contact_details", "health"}, {}, BEYOND_ERRAND),
        (ERASURE, {"identification"}, {}, None),
        (ERASURE, {"financial"}, {}, BEYOND_ERRAND),
        (ANSWER, {"contact_details"}, {"recipient": "mailer"}, None),
        (ANSWER, {"transactions"}, {"recipient": "mailer"}, BEYOND_ERRAND),
        (ANSWER, {"transactions"}, {}, BEYOND_ERRAND),
        (OPT_OUT, set(), {}, BEYOND_ERRAND),
        (ERASURE, set(), {}, BEYOND_ERRAND),
        (ANSWER, set(), {"recipient": "mailer"}, BEYOND_ERRAND),
        (ANSWER, set(), {"recipient_kind": TO_PERSON}, None),
        (ANSWER, {"transactions"}, {"recipient": "mailer", "replaces": True}, None),
        (ERASURE, {"transactions"}, {"recipient": "mailer", "replaces": True}, BEYOND_ERRAND),
        (ANSWER, {"transactions"}, {"recipient_kind": TO_PERSON}, None),
        (ANSWER, {"transactions"}, {"recipient_kind": TO_PERSON, "recipient": "mailer"}, BEYOND_ERRAND),
        (ANSWER, {"transactions"}, {"recipient_kind": TO_PERSON, "destination": "CN"}, BEYOND_ERRAND),
        (ERASURE, {"transactions"}, {"recipient_kind": TO_PERSON}, BEYOND_ERRAND),
    ],
)
def test_an_errand_carries_who_is_meant_and_what_is_said(
    errand: str, classes: set[str], more: dict[str, Any], beyond: str | None
) -> None:
    asked = replace(Question("FR", data_classes=frozenset(classes), errand=errand), **more)
    (found,) = worlds(register(flows=(flow("dpf"),)), asked, Person.living_in("FR"), NOW)
    assert (found.facts["transfer.beyond"], found.flow) == (beyond, None)


def test_a_recipient_who_is_not_named_stands_for_every_flow_to_the_place() -> None:
    kept = register(
        mechanism("dpf", suspended_at=NOW),
        mechanism("scc", instruments=("eu-scc",)),
        flows=(
            flow("dpf"),
            flow("scc", flow_id="support", recipient="helpdesk"),
            flow("scc", flow_id="tickets", recipient="desk", data_classes=("support_cases",)),
        ),
    )
    found = worlds(kept, Question("US", None, CONTACT), Person.living_in("DE"), NOW)
    assert [(each.facts["mechanism.usable"], each.facts["transfer.beyond"]) for each in found] == [
        (frozenset({"eu-scc"}), BEYOND_FLOW),
        (frozenset({"eu-scc"}), None),
        (None, None),
    ], "desk, helpdesk, mailer: what would be denied to one of them is denied to whoever is not named"


def test_the_gravest_cause_is_told_and_adequacy_falls_away_by_hand_or_by_its_end() -> None:
    ended, paused = mechanism("a", expires_at=YESTERDAY), mechanism("b", suspended_at=NOW)
    assert lost([ended, paused], NOW) == SUSPENDED
    assert lost([ended, mechanism("c")], NOW) == EXPIRED
    assert lost([mechanism("c")], NOW) == "none"
    swiss = mechanism("ch", kind="adequacy", instruments=("adequacy-decision",), destinations=("CH",))
    assert not adequacy_fell_away([swiss], "CH", "r", NOW)
    for changed in ({"suspended_at": NOW}, {"expires_at": YESTERDAY}):
        fallen = mechanism("ch", kind="adequacy", destinations=("CH",), **changed)
        assert adequacy_fell_away([fallen], "CH", "r", NOW)
        assert not adequacy_fell_away([fallen], "GB", "r", NOW)
    assert not adequacy_fell_away([paused], "US", "r", NOW), "only adequacy speaks of adequacy"
