"""What a message is: promotion inside any class, and machines that write or speak."""

from typing import TYPE_CHECKING, Any

import pytest

from governance.purposes.service import every, message_classes

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

from tests.conftest import ACTOR

NOT_COMMERCIAL = sorted(name for name, kind in message_classes().items() if not kind.commercial)
# These reach people despite their opt-outs, so they carry no advertising even with consent.
PURE = {"consent_request", "opt_out_confirmation", "rights_correspondence", "legal_notice", "security"}


def question(crm: "Crm", message_class: str) -> dict[str, Any]:
    """A class with a purpose that lists it, as an answer to the person where it must be one."""
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        purpose = next(each.purpose_id for each in every(snap) if message_class in each.message_classes)
    return {"message_class": message_class, "purpose": purpose, "in_reply_to": message_class == "reply"}


def test_there_are_twelve_classes_that_are_not_commercial() -> None:
    assert len(NOT_COMMERCIAL) == 12


@pytest.mark.parametrize("message_class", NOT_COMMERCIAL)
def test_promotion_makes_any_class_commercial(small: "Crm", message_class: str) -> None:
    asked = question(small, message_class)
    ref = small.person("crm-1", "a@example.org", country="DE", stage="client")
    if message_class == "consent_request":
        small.said(ref, "requested", purpose=asked["purpose"], email="a@example.org")
    if message_class == "opt_out_confirmation":  # there must be a no to confirm
        assert not small.check("crm-1", **asked).allowed
        small.said(ref, "withdrawn", purpose=None, channel=None)
        assert small.check("crm-1", **asked).allowed
        mixed = small.check("crm-1", **asked, contains_promotion=True)
        assert {"consent-withdrawn", "advertising-in-service-message"} <= set(mixed.codes)
        return
    assert small.check("crm-1", **asked).allowed
    mixed = small.check("crm-1", **asked, contains_promotion=True)
    assert not mixed.allowed
    assert {"consent-missing", "consent-unconfirmed"} & set(mixed.codes)
    assert ("advertising-in-service-message" in mixed.codes) is (message_class in PURE)
    small.said(ref, "withdrawn", purpose=None, channel=None)
    assert "consent-withdrawn" in small.check("crm-1", **asked, contains_promotion=True).codes
    if message_class != "consent_request":
        assert small.check("crm-1", **asked).allowed, "a no to marketing holds up nothing that must be told"


@pytest.mark.parametrize("message_class", sorted(set(NOT_COMMERCIAL) - PURE))
def test_with_consent_a_mixed_message_goes_with_the_duties_of_a_commercial_one(
    small: "Crm", message_class: str
) -> None:
    asked = question(small, message_class)
    ref = small.person("crm-1", "a@example.org", country="DE", stage="client")
    small.said(ref, "granted", purpose=asked["purpose"], email="a@example.org")
    mixed = small.check("crm-1", **asked, contains_promotion=True)
    assert mixed.allowed
    assert {"include-unsubscribe", "mention-right-to-object"} <= set(mixed.verdict.obligations)
    assert "include-unsubscribe" not in small.check("crm-1", **asked).verdict.obligations


@pytest.mark.parametrize(
    ("country", "region", "asked", "told"),
    [
        ("SE", None, {"channel": "voice", "call_mode": "ai_voice"}, True),
        ("SE", None, {"channel": "voice", "call_mode": "live"}, False),
        ("SE", None, {"channel": "social", "written_by": "ai"}, True),
        ("SE", None, {"channel": "email", "written_by": "ai"}, False),
        ("SE", None, {"channel": "email", "written_by": "human"}, False),
        ("US", "US-CA", {"channel": "email", "written_by": "ai"}, True),
        ("US", "US-CA", {"channel": "email", "written_by": "human"}, False),
        ("US", "US-NY", {"channel": "email", "written_by": "ai"}, False),
        ("US", None, {"channel": "email", "written_by": "ai"}, True),
    ],
)
def test_a_machine_says_what_it_is_where_a_row_says_so(
    small: "Crm", country: str, region: str | None, asked: dict[str, str], told: bool
) -> None:
    ref = small.person("crm-1", country=country, region=region)
    small.said(ref, "granted", channel=asked["channel"])
    obligations = small.check("crm-1", **asked).verdict.obligations
    assert ("disclose-ai" in obligations) is told


def test_a_machine_that_sells_to_one_person_in_europe_says_so_even_by_mail(small: "Crm") -> None:
    ref = small.person("crm-1", "a@example.org", country="DE")
    small.said(ref, "granted", purpose="sales", email="a@example.org")
    asked = {"message_class": "one_to_one_sales", "purpose": "sales", "written_by": "ai"}
    assert "disclose-ai" in small.check("crm-1", **asked).verdict.obligations
    assert "disclose-ai" not in small.check("crm-1", **{**asked, "written_by": "human"}).verdict.obligations


def test_an_american_synthetic_voice_needs_consent_although_a_live_call_might_not(small: "Crm") -> None:
    small.person("crm-1", country="US", region="US-NY", time_zone="America/New_York")
    codes = small.check("crm-1", channel="voice", call_mode="ai_voice").codes
    assert "consent-missing" in codes
    assert "consent-missing" not in small.check("crm-1", channel="voice", call_mode="live").codes
