"""Sectors: what a controller declares of itself changes the next answer; consent that must show its words."""

from datetime import date
from typing import Any

from governance.consent import service as consents
from governance.consent.acts import NoticeRef
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.tenants import service as tenants
from tests.conftest import ACTOR
from tests.governance.communications.conftest import Crm
from tests.governance.communications.test_stream import checked, populate, streamed

HEALTH_CLUB = {
    "title": "Advice by what we know of your health",
    "owner": "marketing",
    "lawful_basis": "consent",
    "message_classes": ["promotional", "service", "transactional"],
    "data_classes": ["contact_details", "special_categories"],
}


def declare(crm: Crm, *sectors: str) -> None:
    with crm.runtime.work("acme", ACTOR) as work:
        tenants.declare_sectors(work, sectors)


def purpose(crm: Crm, purpose_id: str, body: dict[str, Any], version: int | None = None) -> None:
    with crm.runtime.work("acme", ACTOR) as work:
        purposes.put(work, purpose_id, body, version)


def test_a_declared_sector_changes_the_very_next_answer_and_nobody_elses(crm: Crm) -> None:
    ref = crm.person("crm-1", "a@example.org", country="DE", stage="client")
    with crm.runtime.work("acme", ACTOR) as work:
        (point,) = subjects.points(work, ref)
        sold = {"product_family": "soap", "opt_out_offered": True, "point_ref": point.point_ref}
        subjects.record_event(work, ref, event="purchase", **sold)
    asked = {"product_family": "soap", "message_class": "customer_offer"}
    assert crm.check("crm-1", **asked).allowed, "a sale of similar products is enough"
    declare(crm, "health")
    answer = crm.check("crm-1", **asked)
    assert answer.codes == ("consent-missing",)
    (reason,) = (reason for reason in answer.verdict.reasons if reason.effect == "forbid")
    assert reason.rule == "sector-health.who-advertises-for-a-clinic-tells-of-illness"
    assert reason.verified is False
    assert crm.check("crm-1", message_class="service", purpose="service").allowed
    declare(crm)
    assert crm.check("crm-1", **asked).allowed


def test_explicit_consent_shows_what_was_agreed_to(crm: Crm) -> None:
    purpose(crm, "advice", HEALTH_CLUB)
    ref = crm.person("crm-1", "a@example.org", country="DE")
    assert crm.check("crm-1", purpose="advice").codes == ("consent-missing",)
    crm.said(ref, "granted", purpose="advice")
    assert crm.check("crm-1", purpose="advice").codes == ("consent-unproven",), "nobody can say to what"
    crm.said(ref, "granted", purpose="marketing")
    assert crm.check("crm-1", purpose="marketing").allowed, "other purposes are as they were"
    crm.said(ref, "granted", purpose="advice", evidence={"wording": "Use my health data to advise me."})
    answer = crm.check("crm-1", purpose="advice")
    assert answer.allowed
    assert "assess-impact-first" in answer.verdict.obligations
    purpose(crm, "advice", HEALTH_CLUB | {"impact_assessment": "DPIA 7"}, 1)
    assert "assess-impact-first" not in crm.check("crm-1", purpose="advice").verdict.obligations


def test_a_notice_is_a_statement_too(small: Crm) -> None:
    purpose(small, "advice", HEALTH_CLUB)
    ref = small.person("crm-1", "a@example.org", country="DE")
    with small.runtime.work("acme", ACTOR) as work:
        consents.put_notice(
            work, "advice", "1", {"en": "We use what you tell us of your health to advise you."}
        )
    small.said(ref, "granted", purpose="advice", notice=NoticeRef("advice", "1"))
    assert small.check("crm-1", purpose="advice").allowed


def test_schools_write_to_american_children_through_their_guardians(small: Crm) -> None:
    small.person("crm-1", "a@example.org", stage="client", birth_date=date(2016, 5, 1))
    asked = {"message_class": "service", "purpose": "service"}
    small.person("crm-2", "b@example.org", stage="client", birth_date=date(2000, 5, 1))
    assert small.check("crm-1", **asked).allowed
    declare(small, "education")
    assert small.check("crm-1", **asked).codes == ("child-without-guardian",)
    assert small.check("crm-2", **asked).allowed


def test_a_screening_knows_the_sectors_too(small: Crm) -> None:
    declare(small, "health", "education", "finance")
    purpose(small, "advice", HEALTH_CLUB)
    ids = populate(small, small.runtime.clock, 40, seed=5)  # type: ignore[arg-type]  # the fixture's clock
    for asked in ({}, {"purpose": "advice"}):
        answers = checked(small, ids, small.runtime.clock, **asked)  # type: ignore[arg-type]
        assert streamed(small, **asked) == answers
