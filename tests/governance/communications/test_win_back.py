"""The lawful win-back list: only who is blocked by what a permitted message or an act can undo today."""

import random
from datetime import date, timedelta
from typing import Any

import pytest

from governance.communications import screening_service as screenings
from governance.communications import service as communications
from governance.communications.model import read_check
from governance.communications.screening_results import results
from governance.communications.win_back import FINAL, read_remedies, win_back, youngest
from governance.consent import service as consents
from governance.consent.service import NewObjection, NewSuppression
from governance.errors import ConflictError, InvalidError
from governance.policy.service import active
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectReference
from tests.conftest import ACTOR, HandClock
from tests.governance.communications.conftest import Crm

TEXTS = {"channel": "sms", "message_class": "promotional", "purpose": "marketing"}
MAIL = TEXTS | {"channel": "email"}


def screened(crm: Crm, question: dict[str, Any] = TEXTS) -> str:
    with crm.runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, question, {"all": True})
    assert screenings.run(crm.runtime, "acme", queued.screening_id)
    return queued.screening_id


def listed(crm: Crm, screening_id: str) -> dict[str, dict[str, Any]]:
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        return {each["id"]: each for each in win_back(snap, screening_id)}


def reachable(crm: Crm, name: str, number: int, **named: Any) -> str:
    """Somebody with an e-mail address and an American mobile number."""
    ref = crm.person(name, f"{name}@example.org", **named)
    with crm.runtime.work("acme", ACTOR) as work:
        subjects.ensure_point(work, ref, "phone", f"+1212555{number:04d}")
    return ref


def test_who_was_never_asked_can_be_asked_where_the_law_permits_it_today(crm: Crm) -> None:
    reachable(crm, "american", 101)
    reachable(crm, "german", 102, country="DE")
    found = listed(crm, screened(crm))
    # American law lets an e-mail ask for consent to texts; German law regards asking as advertising.
    assert set(found) == {"american"}
    [remedy] = found["american"]["remedies"]
    assert found["american"]["codes"] == ["consent-missing", "quiet-hours"]
    assert remedy["remedy"] == "ask-to-renew"
    assert remedy["message"]["channel"] == "email"
    assert [point["type"] for point in remedy["message"]["contact_points"]] == ["email"]


def test_a_sign_up_of_ones_own_may_be_confirmed(crm: Crm) -> None:
    ref = crm.person("signed-up", "signed-up@example.org", country="DE")
    crm.said(ref, "requested", email="signed-up@example.org", double_opt_in=True)
    crm.person("never-asked", "never-asked@example.org", country="DE")
    found = listed(crm, screened(crm, MAIL))
    assert {name: each["remedies"][0]["remedy"] for name, each in found.items()} == {
        "signed-up": "confirm-the-sign-up"
    }
    assert found["signed-up"]["codes"] == ["consent-unconfirmed"]


def test_a_client_may_find_a_link_in_the_next_service_message(crm: Crm) -> None:
    crm.person("client", "client@example.org", country="DE", stage="client")
    [found] = listed(crm, screened(crm, MAIL)).values()
    assert found["remedies"][0]["remedy"] == "link-in-a-service-message"
    assert found["remedies"][0]["message"]["message_class"] == "service"


def test_nobody_who_said_no_and_no_child_is_ever_listed(crm: Crm, clock: HandClock) -> None:
    refs = {
        name: reachable(crm, name, 200 + number)
        for number, name in enumerate(
            ("asked", "withdrew", "refused-by-post", "objected", "suppressed", "dead", "restricted", "barred")
        )
    }
    young = clock.now().date() - timedelta(days=17 * 365)
    reachable(crm, "child", 300, birth_date=date(young.year, young.month, 1))
    crm.said(refs["withdrew"], "withdrawn", channel="sms")
    crm.said(refs["refused-by-post"], "refused", channel="post")
    with crm.runtime.work("acme", ACTOR) as work:
        consents.object_(work, NewObjection(refs["objected"], "all"))
        consents.suppress(work, NewSuppression("marketing", subject_ref=refs["suppressed"]))
        consents.suppress(work, NewSuppression("undeliverable", subject_ref=refs["dead"], channel="sms"))
        subjects.set_restriction(work, refs["restricted"], restricted=True)
        point = Identifier("email", "barred@example.org")
        consents.suppress(work, NewSuppression("marketing", contact_point=point))
    assert set(listed(crm, screened(crm))) == {"asked"}


def test_the_list_is_of_this_moment_and_not_of_the_screening(crm: Crm) -> None:
    refs = {name: reachable(crm, name, 400 + number) for number, name in enumerate(("stays", "leaves"))}
    screening_id = screened(crm)
    assert set(listed(crm, screening_id)) == {"stays", "leaves"}
    crm.said(refs["leaves"], "withdrawn", channel="email")
    assert set(listed(crm, screening_id)) == {"stays"}


def test_every_message_named_is_permitted_by_a_single_check_and_every_reason_is_curable(crm: Crm) -> None:
    world = random.Random(5)
    for number in range(30):
        stage = world.choice(("lead", "contact", "client", "active_service", "dormant", "churned"))
        ref = reachable(
            crm, f"crm-{number}", 500 + number, country=world.choice(("US", "DE", "CA")), stage=stage
        )
        dice = world.random()
        if dice < 0.2:
            crm.said(ref, "withdrawn", channel=world.choice(("email", "sms")))
        elif dice < 0.4:
            crm.said(ref, "requested", channel="sms", double_opt_in=True)
    screening_id = screened(crm)
    found = listed(crm, screening_id)
    assert len(found) > 5
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        for name, each in found.items():
            assert FINAL.isdisjoint(each["codes"])
            assert tuple(each["codes"]) == crm.check(name, **TEXTS).codes
            for remedy in each["remedies"]:
                asked = read_check(SubjectReference(id=name), remedy["message"] | {"contact_point": None})
                record = communications.check(snap, asked)
                assert record.allowed, (name, remedy)
                points = [point.document() for point in record.contact_points]
                assert remedy["message"]["contact_points"] == points
        denied = {each["id"] for each in results(snap, screening_id, decision="deny")}
    assert found.keys() <= denied


def test_a_remedy_for_a_no_is_refused() -> None:
    for code in sorted(FINAL):
        with pytest.raises(InvalidError):
            read_remedies({"nag": {"codes": [code, "consent-missing"], "message_class": "re_permission"}})
    with pytest.raises(InvalidError):
        read_remedies({"both": {"codes": ["consent-missing"], "message_class": "service", "act": "call"}})


def test_from_which_age_somebody_is_listed_is_said_by_the_catalogue() -> None:
    assert youngest(purposes.win_back_limits()) == 18
    assert youngest({"minors": {"years": 21}}) == 21
    for entries in ({}, {"minors": {"years": "18"}}, {"minors": {"years": True}}, {"minors": {"years": -1}}):
        with pytest.raises(InvalidError, match="win-back-limits"):
            youngest(entries)


def test_the_shipped_remedies_speak_of_codes_classes_and_purposes_that_exist(small: Crm) -> None:
    remedies = read_remedies(purposes.win_back())
    with small.runtime.snapshot("acme", ACTOR) as snap:
        codes = set(active(snap.connection, "acme", snap.now).vocabulary.codes)
        known = {each.purpose_id: each for each in purposes.every(snap)}
    for each in remedies:
        assert each.codes <= codes
        if each.message_class is not None:
            assert each.message_class in purposes.message_classes()
        if each.purpose is not None:
            assert each.message_class in known[each.purpose].message_classes


def test_a_screening_that_is_not_finished_has_no_list(small: Crm) -> None:
    with small.runtime.work("acme", ACTOR) as work:
        queued = screenings.create(work, TEXTS, {"all": True})
    with small.runtime.snapshot("acme", ACTOR) as snap, pytest.raises(ConflictError):
        win_back(snap, queued.screening_id)
