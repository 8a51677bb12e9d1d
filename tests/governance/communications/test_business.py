"""People who act for a firm: whose address it is, and what the firm cannot say for them."""

from typing import TYPE_CHECKING, Any

import pytest

from governance.communications.gate import open_gate
from governance.communications.model import ACTION
from governance.communications.stream import vectors
from governance.consent import service as consents
from governance.consent.service import NewObjection
from governance.decisions.model import decide
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import Organisation
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

FIRM = Organisation("firm-1", "GB")


def employee(crm: "Crm", who: str, country: str, subscriber: str | None, **more: Any) -> str:
    """Somebody of a firm, with an address of this kind of subscriber."""
    change = SubjectChange(
        identifiers=[Identifier("email", f"{who}@firm.example", subscriber=subscriber)],
        country=country,
        relationship="lead",
        organisation=FIRM,
        **{"customer_type": "business", **more},
    )
    with crm.runtime.work("acme", ACTOR) as work:
        return subjects.put(work, who, change).subject_ref


def streamed(crm: "Crm") -> dict[str, set[str]]:
    """Everybody's codes by the stream."""
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        gate = open_gate(snap)
        policy = gate.ground.policy
        found = vectors(
            snap.connection,
            "acme",
            gate.asked(crm.request("nobody")),
            policy,
            snap.now,
            evaluate=lambda vector: decide(policy, ACTION, vector),
        )
        return {
            subjects.get_by_ref(snap, ref).external_id: {
                reason.code for _, verdict in worlds for reason in verdict.reasons
            }
            for ref, worlds in found
        }


@pytest.mark.parametrize(
    ("country", "subscriber", "allowed"),
    [
        # PECR leaves corporate subscribers out; a sole trader is an individual, and who is not known to be
        # corporate is taken for one.
        ("GB", "corporate", True),
        ("GB", "sole_trader", False),
        ("GB", "individual", False),
        ("GB", None, False),
        # No row says that a firm's address is free here.
        ("DE", "corporate", False),
        ("AT", "corporate", False),
        ("FR", "corporate", False),
        ("SE", "corporate", False),
        ("CA", "corporate", False),
        ("JP", "corporate", False),
        # CAN-SPAM knows no difference: opt-out for all.
        ("US", "corporate", True),
        ("US", "sole_trader", True),
    ],
)
def test_whose_address_it_is_decides_by_country(
    small: "Crm", country: str, subscriber: str | None, allowed: bool
) -> None:
    employee(small, "ann", country, subscriber)
    found = small.check("ann")
    assert found.allowed is allowed
    assert streamed(small) == {"ann": set(found.codes)}
    assert ("consent-missing" in found.codes) is not allowed
    if allowed:
        assert {"identify-sender", "include-unsubscribe"} <= set(found.verdict.obligations)


def test_a_corporate_subscriber_in_britain_still_objects_for_good(crm: "Crm") -> None:
    ref = employee(crm, "ann", "GB", "corporate")
    assert crm.check("ann").allowed
    with crm.runtime.work("acme", ACTOR) as work:
        consents.object_(work, NewObjection(ref, "all"))
    assert crm.check("ann").codes == ("objection",)
    employee(crm, "bob", "GB", "corporate")
    assert crm.check("bob").allowed, "one colleague's no is not another's"


def test_a_firms_contract_and_a_colleagues_yes_are_no_consent_of_the_person(crm: "Crm") -> None:
    ann, bob = employee(crm, "ann", "DE", "corporate"), employee(crm, "bob", "DE", "corporate")
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, ann, event="contract_signed", reference="C-1", product_family="shoes")
        subjects.record_event(
            work, ann, event="purchase", product_family="shoes", opt_out_offered=True,
            point_ref=subjects.points(work, ann)[0].point_ref,
        )  # fmt: skip
    crm.said(ann, "granted", email="ann@firm.example")
    assert crm.check("ann", product_family="shoes").allowed
    alone = crm.check("bob", product_family="shoes")
    assert "consent-missing" in alone.codes
    crm.said(bob, "granted", email="bob@firm.example")
    assert crm.check("bob").allowed
    crm.said(ann, "withdrawn")
    assert crm.check("bob").allowed


@pytest.mark.parametrize(
    ("customer_type", "codes"),
    [
        ("consumer", {"consent-missing"}),
        ("business", {"consent-missing"}),
        (None, {"consent-missing"}),
    ],
)
def test_calls_in_germany_need_consent_whoever_is_called_and_say_by_which_rule(
    small: "Crm", customer_type: str | None, codes: set[str]
) -> None:
    employee(small, "ann", "DE", None, customer_type=customer_type)
    found = small.check("ann", channel="voice", call_mode="live")
    assert set(found.codes) == codes
    rules = {reason["rule"] for reason in found.document()["reasons"]}
    assert ("de.calls-to-consumers-need-express-consent" in rules) is (customer_type != "business")
    assert ("de.calls-to-businesses-need-consent" in rules) is (customer_type != "consumer")


def test_the_french_hours_are_those_of_consumers(small: "Crm") -> None:
    for who, kind in (("ann", "consumer"), ("bob", "business")):
        ref = employee(small, who, "FR", None, customer_type=kind)
        small.said(ref, "granted", channel="voice")
    # The clock of the tests stands on a Saturday.
    call = {"channel": "voice", "call_mode": "live"}
    assert small.check("ann", **call).codes == ("quiet-hours",)
    assert small.check("bob", **call).allowed
