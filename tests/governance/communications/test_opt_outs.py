"""What follows from an opt-out by telephone: the one text that confirms it, and everything that it ends."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from governance.consent import service as consents
from governance.consent.service import NewObjection, NewSuppression
from tests.conftest import ACTOR, HandClock
from tests.governance.communications.test_stream import checked, streamed

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

CONFIRMING = {"channel": "sms", "message_class": "opt_out_confirmation"}
ORDER = {"channel": "sms", "message_class": "transactional", "purpose": "contract"}
MINUTE = timedelta(minutes=1)


def codes(crm: "Crm", external_id: str, **more: object) -> list[str]:
    return sorted(crm.check(external_id, **more).codes)


def test_a_text_confirms_an_opt_out_once_and_at_once_in_the_united_states(
    crm: "Crm", clock: HandClock
) -> None:
    ref = crm.person("crm-1", country="US")
    crm.said(ref, "granted", channel="sms")
    assert codes(crm, "crm-1", **CONFIRMING) == ["confirmation-too-late", "no-opt-out-to-confirm"]
    clock.forward(MINUTE)
    crm.said(ref, "withdrawn", channel="sms")
    clock.forward(4 * MINUTE)
    assert codes(crm, "crm-1", **CONFIRMING) == []
    assert crm.authorise("m-1", "crm-1", **CONFIRMING).record.allowed
    # The same text handed over again is the same text.
    assert crm.authorise("m-1", "crm-1", **CONFIRMING).record.allowed
    assert codes(crm, "crm-1", **CONFIRMING) == ["frequency-cap"]
    assert crm.authorise("m-2", "crm-1", **CONFIRMING).record.codes == ("frequency-cap",)
    clock.forward(MINUTE)
    assert codes(crm, "crm-1", **CONFIRMING) == ["confirmation-too-late", "frequency-cap"]
    assert crm.check("crm-1", **CONFIRMING).next_eligible_at is None
    # Whatever the purpose of the confirmation and of the opt-out, it is one.
    assert codes(crm, "crm-1", **CONFIRMING, purpose="newsletter") == [
        "confirmation-too-late",
        "frequency-cap",
    ]
    # Another no may be confirmed in its turn.
    crm.said(ref, "withdrawn", channel="email", purpose="newsletter")
    assert codes(crm, "crm-1", **CONFIRMING) == []


def test_elsewhere_too_a_confirmation_needs_a_no(crm: "Crm", clock: HandClock) -> None:
    ref = crm.person("crm-1", "a@example.org", country="DE")
    by_mail = {**CONFIRMING, "channel": "email"}
    assert codes(crm, "crm-1", **by_mail) == ["no-opt-out-to-confirm"]
    with crm.runtime.work("acme", ACTOR) as work:
        objection = consents.object_(work, NewObjection(ref, "all"))
    clock.forward(timedelta(days=1))
    assert codes(crm, "crm-1", **by_mail) == []
    with crm.runtime.work("acme", ACTOR) as work:
        consents.release_objection(work, objection.objection_id, method="web_form")
    assert codes(crm, "crm-1", **by_mail) == ["no-opt-out-to-confirm"]


def test_from_february_2027_one_opt_out_ends_all_texts_in_the_united_states(
    crm: "Crm", clock: HandClock
) -> None:
    ref = crm.person("crm-1", country="US", region="US-NY")
    other = crm.person("crm-2", country="US", region="US-NY")
    crm.said(ref, "granted", channel="sms", purpose="events")
    clock.forward(MINUTE)
    crm.said(ref, "withdrawn", channel="sms")
    crm.said(other, "withdrawn", channel="email")
    before = datetime(2027, 1, 30, 18, tzinfo=UTC)
    after = datetime(2027, 1, 31, 18, tzinfo=UTC)
    event = {"channel": "sms", "purpose": "events", "message_class": "event_invitation"}
    for asked in (ORDER, event):
        assert codes(crm, "crm-1", time=before, **asked) == []
        assert codes(crm, "crm-1", time=after, **asked) == ["consent-withdrawn"]
    # Letters by e-mail and people whose no was to e-mail only are not touched.
    assert codes(crm, "crm-1", time=after, **{**ORDER, "channel": "email"}) == []
    assert codes(crm, "crm-2", time=after, **ORDER) == []
    clock.forward(after - clock.now())
    crm.said(ref, "granted", channel="sms", purpose="events")
    clock.forward(MINUTE)
    assert codes(crm, "crm-1", **event) == []
    assert codes(crm, "crm-1", **ORDER) == ["consent-withdrawn"]


def test_screenings_see_opt_outs_as_single_checks_do(crm: "Crm", clock: HandClock) -> None:
    ids = []
    for number in range(14):
        ref = crm.person(f"crm-{number}", country="US" if number % 3 else "DE")
        ids.append(f"crm-{number}")
        if number % 2:
            crm.said(ref, "granted", channel="sms", purpose="contract")
            clock.forward(MINUTE)
        if number % 5 > 2:
            with crm.runtime.work("acme", ACTOR) as work:
                consents.suppress(work, NewSuppression("marketing", subject_ref=ref))
        elif number % 5:
            purpose = "newsletter" if number % 2 else "contract"
            crm.said(ref, "withdrawn", channel=("sms", "email", None)[number % 3], purpose=purpose)
        if number in (1, 2, 3, 7):
            crm.authorise(f"m-{number}", f"crm-{number}", **CONFIRMING)
        clock.forward(MINUTE / 2)
        if number % 7 == 6:
            crm.said(ref, "granted", channel="sms", purpose="contract")
    told = streamed(crm, **CONFIRMING)
    assert told == checked(crm, ids, clock, **CONFIRMING)
    assert {code for _, found, *_ in told.values() for code in found} == {
        "no-opt-out-to-confirm",
        "confirmation-too-late",
        "frequency-cap",
    }
    days = (datetime(2027, 2, 1, tzinfo=UTC) - clock.now()).days + 1
    ended = streamed(crm, days=days, **ORDER)
    assert ended == checked(crm, ids, clock, days=days, **ORDER)
    assert streamed(crm, **ORDER) != ended
