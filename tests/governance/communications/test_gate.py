from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from governance.bootstrap import Runtime
from governance.communications import gate as gates
from governance.communications import service as communications
from governance.communications.model import read_check
from governance.consent import service as consents
from governance.consent.service import NewSuppression
from governance.errors import InvalidError
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectReference
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR, HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm


def test_an_american_lead_is_permitted_with_the_obligations_of_can_spam(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org")
    found = crm.check("crm-1")
    assert found.allowed
    assert found.codes == ()
    assert "include-unsubscribe" in found.verdict.obligations
    assert [point.ref for point in found.contact_points] == list(crm.points(ref))
    context = found.document()
    assert context["obligations"][0]["type"] == "custom"
    assert len({each["id"] for each in context["obligations"]}) == len(context["obligations"])
    assert context["policy"].startswith("sha256:")
    assert context["stage"] == {"relationship": "lead"}
    assert context["next_eligible_at"] is None


def test_a_german_lead_is_refused_until_a_proven_consent_is_recorded(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", country="DE")
    refused = crm.check("crm-1")
    assert not refused.allowed
    assert "consent-missing" in refused.codes
    assert all(reason["text"] and reason["cites"] for reason in refused.document()["reasons"])
    crm.said(ref, "granted", double_opt_in=False, email="a@example.org")
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        state = consents.state(snap, ref)
    assert state is not None
    assert crm.check("crm-1").ledger_position > refused.ledger_position


def test_an_american_tenant_may_not_write_to_a_german_resident_without_consent(crm: "Crm") -> None:
    crm.person("crm-1", country="DE")
    assert "consent-missing" in crm.check("crm-1").codes


def test_somebody_without_a_country_needs_consent(crm: "Crm") -> None:
    crm.person("crm-1", country=None)
    assert "consent-missing" in crm.check("crm-1").codes


def test_a_withdrawal_covers_every_contact_point_and_the_channel(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", "b@example.org")
    crm.said(ref, "withdrawn")
    found = crm.check("crm-1")
    assert found.codes == ("consent-withdrawn",)
    assert len(found.facts) == 2
    assert len(found.document()["reasons"]) == 1


def test_every_usable_point_must_pass_and_the_permitted_ones_are_listed(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", "b@example.org", country="CA")
    crm.said(ref, "granted", email="a@example.org")
    found = crm.check("crm-1")
    assert not found.allowed
    assert [point.type for point in found.contact_points] == ["email"]
    (permitted,) = (point.ref for point in found.contact_points)
    named = crm.check("crm-1", contact_point={"type": "email", "value": "A@Example.org"})
    assert named.allowed
    assert [point.ref for point in named.contact_points] == [permitted]
    assert not crm.check("crm-1", contact_point="b@example.org").allowed
    assert crm.check("crm-1", contact_point={"ref": permitted}).allowed


def test_an_undeliverable_point_is_passed_over_while_another_is_open(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", "b@example.org")
    first, second = crm.points(ref)
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.set_point_state(work, ref, first, "undeliverable")
    found = crm.check("crm-1")
    assert found.allowed
    assert [point.ref for point in found.contact_points] == [second]
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.set_point_state(work, ref, second, "undeliverable")
    assert "undeliverable" in crm.check("crm-1").codes


def test_a_point_that_is_not_the_persons_is_no_contact_point(crm: "Crm") -> None:
    crm.person("crm-1", "a@example.org")
    crm.person("crm-2", "b@example.org")
    found = crm.check("crm-1", contact_point="b@example.org")
    assert not found.allowed
    assert "no-contact-point" in found.codes
    assert found.contact_points == ()


def test_a_suppression_of_a_shared_address_holds_for_everyone_who_uses_it(crm: "Crm") -> None:
    crm.person("crm-1", "family@example.org")
    crm.person("crm-2", "family@example.org")
    with crm.runtime.work("acme", ACTOR) as work:
        consents.suppress(
            work, NewSuppression("marketing", contact_point=Identifier("email", "family@example.org"))
        )
    assert "suppressed" in crm.check("crm-1").codes
    assert "suppressed" in crm.check("crm-2").codes


def test_an_unknown_person_is_refused_as_such(crm: "Crm") -> None:
    found = crm.check("crm-404")
    assert not found.allowed
    assert found.codes[0] == "unknown-subject"
    assert found.subject_ref is None


def test_a_merged_record_is_decided_by_the_person_it_was_merged_into(crm: "Crm") -> None:
    first, second = crm.person("crm-1", "a@example.org"), crm.person("crm-2", "b@example.org")
    with crm.runtime.work("acme", ACTOR) as work:
        consents.merge(work, second, first)
    crm.said(first, "withdrawn")
    found = crm.check("crm-2")
    assert found.subject_ref == first
    assert found.codes == ("consent-withdrawn",)


def test_a_promotion_inside_makes_any_message_commercial(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", stage="client")
    crm.said(ref, "withdrawn", purpose=None)
    assert crm.check("crm-1", message_class="transactional", purpose="contract").allowed
    promoted = crm.check("crm-1", message_class="transactional", purpose="contract", contains_promotion=True)
    assert "consent-withdrawn" in promoted.codes


def test_an_unknown_purpose_or_class_is_an_error_that_names_the_known_ones(crm: "Crm") -> None:
    crm.person("crm-1")
    for member, known in (("purpose", "marketing"), ("message_class", "promotional")):
        with pytest.raises(InvalidError) as refused:
            crm.check("crm-1", **{member: "nothing-of-ours"})
        assert known in refused.value.fields[member][0]


def test_a_purpose_that_is_not_complete_permits_nothing(crm: "Crm") -> None:
    crm.person("crm-1", "a@example.org")
    with crm.runtime.work("acme", ACTOR) as work:
        purposes.put(work, "draft", {"title": "A draft", "message_classes": ["promotional"]}, None)
    assert "purpose-missing" in crm.check("crm-1", purpose="draft").codes


def test_restriction_and_other_reasons_are_all_returned(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", country="DE", stage="active_service")
    crm.said(ref, "withdrawn")
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, ref, restricted=True)
        consents.suppress(work, NewSuppression("marketing", subject_ref=ref))
    found = crm.check("crm-1")
    assert {"restricted", "consent-withdrawn", "suppressed", "stage-mismatch"} <= set(found.codes)
    assert found.codes.index("restricted") < found.codes.index("stage-mismatch")


def test_the_clock_moves_by_context_time_but_never_back(small: "Crm", clock: HandClock) -> None:
    ref = small.person("crm-1", "a@example.org", country="CA")
    with small.runtime.work("acme", ACTOR) as work:
        subjects.record_event(work, ref, event="purchase", occurred_at=clock.now())
    assert small.check("crm-1").allowed
    assert not small.check("crm-1", time=clock.now() + timedelta(days=800)).allowed
    clock.forward(timedelta(days=800))
    assert not small.check("crm-1", time=clock.now() - timedelta(days=790)).allowed


def test_a_past_grant_that_runs_out_is_seen_in_the_future(small: "Crm", clock: HandClock) -> None:
    ref = small.person("crm-1", "a@example.org", country="CA")
    small.said(ref, "granted", expires_at=clock.now() + timedelta(days=30))
    assert small.check("crm-1").allowed
    later = small.check("crm-1", time=clock.now() + timedelta(days=30))
    assert "consent-expired" in later.codes


def test_whatever_goes_wrong_inside_is_a_refusal_with_its_own_code(
    small: "Crm", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    small.person("crm-1", "secret@example.org")

    def breaks(*_: object) -> None:
        raise RuntimeError("secret@example.org")

    monkeypatch.setattr(gates, "decide", breaks)
    found = small.check("crm-1")
    assert not found.allowed
    assert found.codes == ("evaluation-failed",)
    assert "secret@example.org" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_a_refused_person_is_told_the_instant_of_a_rules_end(small: "Crm", clock: HandClock) -> None:
    from governance.communications import eligibility
    from governance.communications.situations import Situation

    day = datetime(2027, 1, 1, tzinfo=UTC)

    class Dated:
        """A policy of which only the dates are asked."""

        def effective_dates(self, _: str) -> tuple[datetime, ...]:
            return (day, datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))

        def thresholds(self, _: str) -> dict[str, tuple[object, ...]]:
            return {}

    situation = Situation("sub_1", "crm-1", {})
    asked: list[datetime] = []

    def outlook(instant: datetime) -> eligibility.Outlook:
        asked.append(instant)
        return eligibility.Outlook(permitted=instant >= day)

    def never(_: datetime) -> eligibility.Outlook:
        return eligibility.Outlook(permitted=False)

    found = eligibility.next_eligible_at(Dated(), situation, [], clock.now(), outlook)  # type: ignore[arg-type]
    assert found == day
    assert asked == [clock.now(), day]
    assert eligibility.next_eligible_at(Dated(), situation, [], clock.now(), never) is None  # type: ignore[arg-type]


def test_a_phone_is_understood_in_the_persons_country(small: "Crm") -> None:
    with small.runtime.work("acme", ACTOR) as work:
        change = SubjectChange(
            country="DE", relationship="client", identifiers=[Identifier("phone", "+491701234567")]
        )
        subjects.put(work, "crm-1", change)
    found = small.check(
        "crm-1",
        channel="sms",
        message_class="transactional",
        purpose="contract",
        contact_point="0170 1234567",
    )
    assert "no-contact-point" not in found.codes


def test_people_are_found_by_address_as_well(small: "Crm") -> None:
    small.person("crm-1", "a@example.org")
    request = read_check(SubjectReference(email="a@example.org"), small_properties())
    with small.runtime.snapshot("acme", ACTOR) as snap:
        assert communications.check(snap, request).allowed
        nobody = read_check(SubjectReference(email="nobody@example.org"), small_properties())
        assert communications.check(snap, nobody).codes[0] == "unknown-subject"


def small_properties() -> dict[str, str]:
    return {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


def test_nothing_of_an_address_is_in_the_record(small: "Crm", runtime: Runtime) -> None:
    small.person("crm-1", "canary@example.org")
    found = small.check("crm-1", contact_point="canary@example.org")
    runtime.decision_log.append("acme", [found])
    for file in runtime.settings.data_dir.rglob("*"):
        if file.is_file():
            assert b"canary" not in file.read_bytes(), file.name
