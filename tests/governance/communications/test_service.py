from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from governance.communications import service as communications
from governance.communications.messages import OutcomeReport, OutcomeTaken, SendRequest
from governance.communications.model import read_check
from governance.decisions import service as decisions
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.ledger import service as ledger
from governance.subjects.model import SubjectReference
from tests.conftest import ACTOR, HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm


def kinds(crm: "Crm", ref: str) -> list[str]:
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        return [each.kind for each in ledger.entries(snap.connection, "acme", subject_ref=ref, limit=500)]


def take(crm: "Crm", message: str, outcome: str, **more: object) -> OutcomeTaken:
    with crm.runtime.work("acme", ACTOR) as work:
        return communications.outcome(work, message, OutcomeReport(outcome, **more))  # type: ignore[arg-type]


def history(crm: "Crm", ref: str) -> list[dict[str, object]]:
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        return communications.history(snap, ref)[0]


def test_a_permitted_message_is_entered_once_with_its_decision(crm: "Crm", clock: HandClock) -> None:
    ref = crm.person("crm-1", "a@example.org")
    given = crm.authorise("m-1", "crm-1")
    assert given.allowed
    assert given.message is not None
    assert given.message.hand_over_by == clock.now() + timedelta(seconds=60)
    assert given.contact_point is not None
    assert given.contact_point.ref == next(iter(crm.points(ref)))
    assert given.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert given.headers["List-Unsubscribe"].startswith("<https://privacy.example.org/unsubscribe/")
    assert kinds(crm, ref)[-1] == "communications.authorised"
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        kept = decisions.find(snap, given.record.id)
    assert kept.act
    assert kept.allowed
    assert [each["message_id"] for each in history(crm, ref)] == ["m-1"]


def test_a_repeat_decides_anew_and_counts_once(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org")
    first = crm.authorise("m-1", "crm-1")
    again = crm.authorise("m-1", "crm-1")
    assert first.message is not None
    assert again.message is not None
    assert again.message.message_ref == first.message.message_ref
    assert again.record.id != first.record.id
    assert len(history(crm, ref)) == 1
    crm.said(ref, "withdrawn")
    refused = crm.authorise("m-1", "crm-1")
    assert not refused.allowed
    assert refused.record.codes == ("consent-withdrawn",)
    # The first answer stands, the message may have gone out then; the refusal stands beside it.
    [kept] = history(crm, ref)
    assert (kept["status"], kept["decision_id"]) == ("authorised", again.record.id)
    assert [each["decision_id"] for each in kept["refused_repeats"]] == [refused.record.id]


def test_a_repeat_leaves_what_became_of_the_message(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org")
    first = crm.authorise("m-1", "crm-1")
    assert first.message is not None
    with crm.runtime.work("acme", ACTOR) as work:
        communications.outcome(work, "m-1", OutcomeReport("delivered"))
    assert crm.authorise("m-1", "crm-1").allowed
    crm.said(ref, "withdrawn")
    assert not crm.authorise("m-1", "crm-1").allowed
    [kept] = history(crm, ref)
    assert kept["status"] == "delivered"
    assert [each["outcome"] for each in kept["outcomes"]] == ["delivered"]
    assert len(kept["refused_repeats"]) == 1


def test_a_message_id_belongs_to_one_person_and_purpose(crm: "Crm") -> None:
    crm.person("crm-1")
    crm.person("crm-2")
    crm.authorise("m-1", "crm-1")
    with pytest.raises(ConflictError):
        crm.authorise("m-1", "crm-2")
    with pytest.raises(ConflictError):
        crm.authorise("m-1", "crm-1", purpose="newsletter", message_class="newsletter")
    with pytest.raises(ConflictError):
        crm.authorise("m-1", "crm-404")


def test_a_refusal_leaves_its_trace(crm: "Crm") -> None:
    ref = crm.person("crm-1", country="DE")
    refused = crm.authorise("m-1", "crm-1")
    assert not refused.allowed
    assert refused.headers == {}
    assert kinds(crm, ref)[-1] == "communications.denied"
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        assert not decisions.find(snap, refused.record.id).allowed
    assert history(crm, ref) == []
    assert not crm.authorise("m-2", "crm-404").allowed


def test_a_batch_answers_each_message_for_itself(crm: "Crm") -> None:
    crm.person("crm-1")
    crm.person("crm-2", country="DE")
    sends = [SendRequest(f"m-{number}", crm.request(f"crm-{number}")) for number in (1, 2)]
    sends.append(SendRequest("m-1", crm.request("crm-2")))
    with crm.runtime.work("acme", ACTOR) as work:
        first, second, third = communications.authorise_many(work, sends)
    assert not isinstance(first, Exception)
    assert first.allowed
    assert not isinstance(second, Exception)
    assert not second.allowed
    assert isinstance(third, ConflictError)


def test_a_message_that_is_not_marketing_carries_no_unsubscribe_link(small: "Crm") -> None:
    small.person("crm-1", stage="client")
    given = small.authorise("m-1", "crm-1", message_class="transactional", purpose="contract")
    assert given.allowed
    assert given.headers == {}


@pytest.mark.parametrize("message_id", ["", "<a@b.example.org>", "x" * 129, "a b", "\ud800"])
def test_a_message_id_is_an_opaque_code(message_id: str) -> None:
    question = read_check(
        SubjectReference(id="crm-1"),
        {"channel": "email", "message_class": "promotional", "purpose": "marketing"},
    )
    with pytest.raises(InvalidError):
        SendRequest(message_id, question)


def test_a_hard_bounce_closes_the_point_and_leaves_consent_alone(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org", "b@example.org", country="CA")
    crm.said(ref, "granted")
    given = crm.authorise("m-1", "crm-1", contact_point="a@example.org")
    assert given.message is not None
    taken = take(crm, "m-1", "bounced", bounce="hard")
    assert taken.consequences == ("contact-point-undeliverable",)
    assert sorted(crm.points(ref).values()) == ["open", "undeliverable"]
    assert crm.check("crm-1").allowed
    assert "undeliverable" in crm.check("crm-1", contact_point="a@example.org").codes


def test_a_hard_bounce_without_a_known_point_suppresses_the_channel(crm: "Crm") -> None:
    crm.person("crm-1")
    crm.authorise("m-1", "crm-1")
    assert take(crm, "m-1", "bounced", bounce="hard").consequences == ("suppressed-undeliverable",)
    assert crm.check("crm-1").codes == ("undeliverable",)


def test_a_soft_bounce_has_no_consequence(small: "Crm") -> None:
    small.person("crm-1", "a@example.org")
    small.authorise("m-1", "crm-1")
    assert take(small, "m-1", "bounced", bounce="soft").consequences == ()
    assert take(small, "m-1", "bounced").consequences == ()
    assert small.check("crm-1").allowed


def test_a_complaint_is_an_objection_to_marketing(crm: "Crm") -> None:
    crm.person("crm-1", "a@example.org")
    crm.authorise("m-1", "crm-1")
    assert take(crm, "m-1", "complained").consequences == ("marketing-objection",)
    assert "objection" in crm.check("crm-1").codes
    assert "objection" in crm.check("crm-1", purpose="newsletter", message_class="newsletter").codes


def test_leaving_withdraws_for_the_messages_purpose_and_channel(crm: "Crm") -> None:
    crm.person("crm-1", "a@example.org")
    given = crm.authorise("m-1", "crm-1")
    assert given.message is not None
    assert take(crm, given.message.message_ref, "unsubscribed").consequences == ("consent-withdrawn",)
    assert crm.check("crm-1").codes == ("consent-withdrawn",)


def test_opens_and_clicks_are_kept_only_with_a_permission(crm: "Crm") -> None:
    ref = crm.person("crm-1", "a@example.org")
    crm.authorise("m-1", "crm-1")
    before = kinds(crm, ref)
    dropped = take(crm, "m-1", "opened")
    assert not dropped.kept
    assert "tracking" in dropped.because
    assert kinds(crm, ref) == before
    assert history(crm, ref)[0]["outcomes"] == []


def test_the_same_report_again_changes_nothing(small: "Crm", clock: HandClock) -> None:
    ref = small.person("crm-1", "a@example.org")
    small.authorise("m-1", "crm-1")
    first = take(small, "m-1", "delivered", occurred_at=clock.now())
    again = take(small, "m-1", "delivered", occurred_at=clock.now())
    assert first.kept
    assert again.kept
    assert kinds(small, ref).count("communications.delivered") == 1


def test_outcomes_are_of_known_messages_and_of_known_kinds(small: "Crm") -> None:
    with pytest.raises(NotFoundError):
        take(small, "m-404", "delivered")
    with pytest.raises(InvalidError):
        OutcomeReport("exploded")
    with pytest.raises(InvalidError):
        OutcomeReport("delivered", bounce="hard")


def test_the_history_is_paged_newest_first(small: "Crm", clock: HandClock) -> None:
    ref = small.person("crm-1")
    for number in range(5):
        clock.forward(timedelta(seconds=1))
        small.authorise(f"m-{number}", "crm-1")
    with small.runtime.snapshot("acme", ACTOR) as snap:
        first, after = communications.history(snap, ref, limit=3)
        rest, end = communications.history(snap, ref, after=after, limit=3)
    assert [each["message_id"] for each in first + rest] == ["m-4", "m-3", "m-2", "m-1", "m-0"]
    assert end is None
