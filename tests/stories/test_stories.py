"""Stories of people, from their first contact to their last word, over HTTP and on both databases.

Each reads like what happens in a company: its CRM, call centre and campaign engine ask, people press buttons.
What withdrawal by link sets in motion in other systems is told in `tests/promises/test_leaving_by_link.py`.
"""

from tests.stories.crm import Crm

CHANNELS = ("email", "sms", "voice", "post", "push", "social")
ANNA = {"identifiers": [{"type": "email", "value": "anna@example.org"}], "relationship": "lead"}


def test_a_webinar_registration_with_double_opt_in_is_one_call_plus_the_persons_click(crm: Crm) -> None:
    # The webinar's page is a capture point that asks people to confirm, and shows them a notice.
    crm.call("put", "/v1/notices/webinar/versions/1", {"texts": {"en": "May we send you news by e-mail?"}})
    page = {
        "title": "Webinar page",
        "owner": "marketing",
        "channel": "email",
        "purposes": ["events", "marketing"],
        "double_opt_in": True,
    }
    crm.call("put", "/v1/capture-points/webinar", page)
    before = crm.calls
    # Anna registers and ticks the box for news: one call.
    taken = crm.takes_in(
        "webinar",
        "anna",
        subject={**ANNA, "attributes": {"country": "DE"}},
        notice={"id": "webinar", "version": "1"},
        consents=[{"purpose": "marketing", "channel": "email", "status": "granted"}],
        events=[{"event": "inquiry"}],
        evidence={"form_url": "https://www.example.org/webinar"},
    )
    assert crm.calls == before + 1
    # What she asked for may go out at once, and the request to confirm; news may not yet.
    assert crm.may("anna", message_class="transactional", purpose="events")
    assert crm.may("anna", message_class="consent_request")
    assert "consent-unconfirmed" in crm.may("anna").codes
    # Her click is all that was missing.
    crm.clicks("/confirm/" + taken["consents"][0]["confirmation"]["token"])
    assert crm.may("anna")
    acts = crm.call("get", "/v1/subjects/anna/consents/history")["items"]
    assert {(act["status"], act["double_opt_in"]) for act in acts} == {
        ("requested", True),
        ("confirmed", True),
    }
    assert {act["notice"]["id"] for act in acts} == {"webinar"}


def test_an_objection_at_the_call_centre_is_one_call_and_holds_everywhere(crm: Crm) -> None:
    # The company has a second brand with a purpose of its own; Ben said yes to both, on every channel.
    spa = {
        "title": "News of the spa",
        "description": "To tell people about the spa.",
        "owner": "marketing",
        "controller": "spa",
        "lawful_basis": "consent",
        "message_classes": ["promotional"],
        "data_classes": ["contact_details"],
        "retention": "Until the permission ends.",
    }
    crm.call("put", "/v1/purposes/spa_news", spa)
    crm.knows("ben", email="ben@example.org", phone="+4930123456")
    for channel in CHANNELS:
        for purpose, controller in (("marketing", None), ("spa_news", "spa")):
            crm.consents("ben", purpose=purpose, channel=channel, controller=controller)
    wanted = [(channel, purpose) for channel in CHANNELS for purpose in ("marketing", "spa_news")]
    assert all(crm.may("ben", channel, purpose=purpose) for channel, purpose in wanted)
    # "Stop it, all of it." The agent knows his number only: one call.
    objection = {"subject": {"phone": "+49 30 123456"}, "scope": "all", "method": "phone"}
    crm.call("post", "/v1/objections", objection)
    # No channel, no brand; and messages that he needs still reach him.
    for channel, purpose in wanted:
        assert "objection" in crm.may("ben", channel, purpose=purpose).codes, (channel, purpose)
    assert crm.may("ben", message_class="transactional", purpose="contract")
    # An import that knows nothing of it changes nothing.
    crm.imports([{"Id": "ben", "Mail": "ben@example.org", "Subscribed": "yes"}])
    assert "objection" in crm.may("ben").codes
    # A screening leaves him out, and the campaign that was screened before is refused at hand-over.
    assert "objection" in crm.screens()["ben"]
    assert "objection" in crm.sends("ben")[0].codes
    # A second record of him that said yes is no way around it, once the two are merged.
    crm.knows("ben-2", email="ben.private@example.org")
    crm.consents("ben-2")
    assert crm.may("ben-2")
    crm.merges("ben-2", into="ben")
    assert all("objection" in crm.may(who).codes for who in ("ben", "ben-2"))


def test_of_two_people_with_one_mailbox_the_others_no_counts_until_ones_own_yes(crm: Crm) -> None:
    # Carla and Dan share a mailbox; both said yes.
    for who in ("carla", "dan"):
        crm.knows(who, email="home@example.org")
        crm.consents(who)
    assert crm.may("carla")
    assert crm.may("dan")
    # Carla has enough, by the link in her message. Nobody knows who reads the mailbox: it closes for both.
    _, headers = crm.sends("carla")
    crm.clicks(headers["List-Unsubscribe"], **{"List-Unsubscribe": "One-Click"})
    assert "consent-withdrawn" in crm.may("carla").codes
    assert not crm.may("dan")
    assert crm.screens()["dan"]
    # What Dan bought is delivered all the same.
    assert crm.may("dan", message_class="transactional", purpose="contract")
    # Dan says yes himself, now: it opens for him, not for her.
    crm.consents("dan")
    assert crm.may("dan")
    assert not crm.may("carla")
    # A yes that somebody else reports does not open it.
    crm.imports([{"Id": "carla", "Mail": "home@example.org", "Subscribed": "yes"}])
    assert not crm.may("carla")


def test_of_a_merged_duplicate_the_no_of_either_counts_and_the_yes_stays_on_its_address(crm: Crm) -> None:
    # Eva is in the CRM twice: once with her work address, and once with her own, where she said yes.
    crm.knows("eva", email="eva@work.example.org", phone="+4930123457")
    crm.knows("eva-2", email="eva@example.org")
    crm.consents("eva-2", contact_point={"type": "email", "value": "eva@example.org"})
    crm.consents("eva", "withdrawn", channel="sms")
    crm.merges("eva-2", into="eva")
    # Both ids mean one person now. She may be written to where she said yes, and nowhere else.
    private, work = ({"type": "email", "value": f"eva@{at}"} for at in ("example.org", "work.example.org"))
    for who in ("eva", "eva-2"):
        assert crm.may(who, contact_point=private)
        assert "consent-missing" in crm.may(who, contact_point=work).codes
        assert crm.may(who).points == crm.may(who, contact_point=private).points
        assert "consent-withdrawn" in crm.may(who, "sms").codes
    # She leaves by the link in a message that went to the record that is no more.
    _, headers = crm.sends("eva-2", contact_point=private)
    crm.clicks(headers["List-Unsubscribe"], **{"List-Unsubscribe": "One-Click"})
    for who in ("eva", "eva-2"):
        assert "consent-withdrawn" in crm.may(who, contact_point=private).codes
        assert crm.may(who).points == ()
    told = crm.call("get", "/v1/subjects/eva")
    assert sorted(each["value"] for each in told["identifiers"] if each["type"] == "email") == [
        "eva@example.org",
        "eva@work.example.org",
    ]


def test_after_a_split_nobody_has_a_yes_and_each_keeps_every_no(crm: Crm) -> None:
    # Fred senior and junior were taken for one person; one of them left while they were.
    crm.knows("fred-senior", email="fred@example.org", phone="+4930123458")
    crm.knows("fred-junior", email="freddy@example.org")
    crm.consents("fred-junior")
    crm.merges("fred-junior", into="fred-senior")
    freddy = {"type": "email", "value": "freddy@example.org"}
    assert crm.may("fred-senior", contact_point=freddy)
    crm.consents("fred-senior", "withdrawn", channel="voice", method="phone")
    crm.splits("fred-junior")
    # Whose yes it was is not certain any more; whose no it was is not either, so it counts for both.
    for who in ("fred-senior", "fred-junior"):
        assert "consent-missing" in crm.may(who).codes
        assert "consent-withdrawn" in crm.may(who, "voice").codes
    # Each has his own address again, and his own word opens it.
    junior = crm.call("get", "/v1/subjects/fred-junior")["identifiers"]
    assert [each["value"] for each in junior if each["state"] == "open"] == ["freddy@example.org"]
    crm.consents("fred-junior")
    assert crm.may("fred-junior")
    assert not crm.may("fred-senior")


def test_people_of_an_acquired_list_are_told_first_and_asked_never_by_advertising(crm: Crm) -> None:
    # A list was bought; the seller says that everybody on it agreed.
    bought = """
mapping: bought-list
format: csv
subject:
  external_id: Id
  acquired: acquired_list
  relationship: {column: Id, values: {gina: lead}}
attributes:
  country: {column: Id, values: {gina: DE}}
identifiers:
  - {column: Mail, type: email}
consents:
  - {purpose: marketing, channel: email, when: {Subscribed: "yes"}, status: granted}
"""
    crm.imports([{"Id": "gina", "Mail": "gina@example.org", "Subscribed": "yes"}], bought)
    # The seller's word is shown and never relied on; asking by mail would be advertising itself.
    assert "consent-unproven" in crm.may("gina").codes
    assert "sign-up-missing" in crm.may("gina", message_class="consent_request").codes
    # She has to be told where the data came from, within a month or with the first message.
    due = crm.call("get", "/v1/lifecycle/notices-due")["items"]
    assert [each["subject"] for each in due] == ["gina"]
    letter = crm.may("gina", message_class="legal_notice", purpose="legal")
    assert "give-art14-notice" in letter.obligations
    crm.sends("gina", message_class="legal_notice", purpose="legal")
    crm.happened("gina", "notice_given")
    assert crm.call("get", "/v1/lifecycle/notices-due")["items"] == []
    assert not crm.may("gina")
    # She comes of her own accord: her own yes counts.
    crm.consents("gina")
    assert crm.may("gina")


def test_a_contract_with_a_firm_is_no_consent_of_the_people_who_work_there(crm: Crm) -> None:
    firm = {"id": "acme-gmbh", "country": "DE"}
    for who in ("hans", "ines"):
        crm.knows(
            who,
            email=f"{who}@firm.example.org",
            organisation=firm,
            attributes={"customer_type": "business"},
        )
    # Hans signs for the firm, and consents for himself.
    crm.happened("hans", "contract_signed", reference="C-1")
    move = {"subject": {"id": "hans"}, "to": "client", "evidence": {"contract_reference": "C-1"}}
    crm.call("post", "/v1/lifecycle/transitions", move)
    crm.consents("hans")
    assert crm.may("hans")
    # Ines, his colleague, did neither: nothing of his opens anything for her.
    assert "consent-missing" in crm.may("ines").codes
    assert crm.call("get", "/v1/subjects/ines")["relationship"] == "lead"
    assert "stage-mismatch" in crm.may("ines", message_class="service", purpose="service").codes
    assert crm.may("hans", message_class="service", purpose="service")
    # The firm's general mailbox is nobody's consent either, and in Great Britain it needs none.
    crm.knows(
        "desk",
        attributes={"country": "GB", "customer_type": "business"},
        identifiers=[{"type": "email", "value": "info@firm.example.org", "subscriber": "corporate"}],
    )
    assert crm.may("desk")
    crm.call("post", "/v1/objections", {"subject": {"id": "desk"}, "scope": "all", "method": "reply"})
    assert "objection" in crm.may("desk").codes
