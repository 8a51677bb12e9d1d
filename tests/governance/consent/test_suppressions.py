"""Suppressions of people and of contact points."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent import store
from governance.consent.model import Question
from governance.consent.service import NewConsent, NewObjection, NewSuppression
from governance.errors import InvalidError, NotFoundError
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange
from tests.conftest import HandClock

ACTOR = Actor("client_test")
MAIL = Identifier("email", "ada@example.org")


def person(runtime: Runtime, external_id: str = "crm-1") -> str:
    with runtime.work("acme", ACTOR) as work:
        return subjects.put(work, external_id, SubjectChange(identifiers=[MAIL])).subject_ref


def facts(runtime: Runtime, ref: str, channel: str = "email") -> Any:
    with runtime.snapshot("acme", ACTOR) as snap:
        point = subjects.find_point(snap, ref, MAIL.type, MAIL.value)
        assert point is not None
        question = Question("marketing", "", channel, None, point.point_ref, ref)
        return consent.facts_for(snap, ref, question, suppression_hash=point.suppression_hash)


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ("marketing", "suppressed_marketing"),
        ("all", "suppressed_all"),
        ("undeliverable", "undeliverable"),
    ],
)
@pytest.mark.parametrize("on", ["person", "point"])
def test_a_suppression_holds_until_its_release_whatever_is_consented(
    any_runtime: Runtime, scope: str, field: str, on: str
) -> None:
    ref = person(any_runtime)
    target: dict[str, Any] = {"subject_ref": ref} if on == "person" else {"contact_point": MAIL}
    with any_runtime.work("acme", ACTOR) as work:
        made = consent.suppress(work, NewSuppression(scope, reason="hard_bounce", **target))
        evidence = {"form_url": "https://x.example"}
        consent.record(
            work, NewConsent(ref, "marketing", "granted", "web_form", channel="email", evidence=evidence)
        )
    assert getattr(facts(any_runtime, ref), field)
    assert made.reason == "hard_bounce"
    with any_runtime.snapshot("acme", ACTOR) as snap:
        for asked in ({"subject_ref": ref}, target):
            assert [each.suppression_id for each in consent.lookup(snap, **asked)] == [made.suppression_id]
    with any_runtime.work("acme", ACTOR) as work:
        released = consent.release_suppression(work, made.suppression_id, because="The mailbox works again.")
        again = consent.release_suppression(work, made.suppression_id, because="The mailbox works again.")
        assert released.released_at == again.released_at == work.now
    assert not getattr(facts(any_runtime, ref), field)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert consent.lookup(snap, subject_ref=ref) == []
        assert store.cells_of(snap.connection, "acme", ref) == consent.rebuild(snap.connection, "acme", ref)


def test_a_look_up_by_address_tells_what_stands_on_the_people_who_have_it(
    any_runtime: Runtime, clock: HandClock
) -> None:
    ref = person(any_runtime)
    with any_runtime.work("acme", ACTOR) as work:
        barred = consent.suppress(work, NewSuppression("marketing", subject_ref=ref))
        objected = consent.object_(work, NewObjection(ref, "all"))
        released = consent.object_(work, NewObjection(ref, "profiling"))
    clock.forward(timedelta(minutes=1))
    with any_runtime.work("acme", ACTOR) as work:
        consent.release_objection(work, released.objection_id, method="web_form")
    for asked in ({"contact_point": MAIL}, {"subject_ref": ref}):
        with any_runtime.snapshot("acme", ACTOR) as snap:
            found = consent.noes(snap, **asked)
            nobody = consent.noes(snap, contact_point=replace(MAIL, value="else@example.org"))
        assert {(each.kind, each.suppression_id) for each in found} == {
            ("suppression", barred.suppression_id),
            ("objection", objected.objection_id),
        }
        assert {each.on for each in found} == {"subject"}
        assert nobody == []
    with any_runtime.work("acme", ACTOR) as work:
        other = subjects.put(work, "crm-survivor", SubjectChange()).subject_ref
        consent.merge(work, ref, other)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert len(consent.noes(snap, contact_point=MAIL)) == 2


def test_a_release_leaves_another_suppression_standing(runtime: Runtime) -> None:
    ref = person(runtime)
    with runtime.work("acme", ACTOR) as work:
        consent.suppress(work, NewSuppression("marketing", subject_ref=ref))
        second = consent.suppress(work, NewSuppression("marketing", subject_ref=ref))
        consent.release_suppression(work, second.suppression_id, because="told twice")
    assert facts(runtime, ref).suppressed_marketing


def test_a_suppressed_contact_point_is_so_for_whoever_comes_with_it(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        consent.suppress(
            work, NewSuppression("marketing", contact_point=Identifier("email", "ADA@Example.org"))
        )
    assert facts(runtime, person(runtime)).suppressed_marketing


def test_a_suppression_of_one_channel_leaves_the_others(runtime: Runtime) -> None:
    ref = person(runtime)
    with runtime.work("acme", ACTOR) as work:
        consent.suppress(work, NewSuppression("marketing", subject_ref=ref, channel="sms"))
    assert not facts(runtime, ref).suppressed_marketing
    assert facts(runtime, ref, "sms").suppressed_marketing


def test_free_text_and_addresses_are_nowhere_in_plain(runtime: Runtime) -> None:
    told = "Ada Lovelace rang and was cross"
    with runtime.work("acme", ACTOR) as work:
        made = consent.suppress(work, NewSuppression("all", contact_point=MAIL, reason=told))
        consent.release_suppression(
            work, made.suppression_id, because="Ada rang again", evidence={"call": "9"}
        )
    assert made.reason == "told"
    with runtime.snapshot("acme", ACTOR) as snap:
        tables = ["suppression", "ledger_entry", "consent_event"]
        plain = "".join(
            str(snap.connection.execute(sa.text(f"SELECT * FROM {name} WHERE tenant_id = 'acme'")).all())
            for name in tables
        )
    assert "Ada" not in plain
    assert "ada@" not in plain


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "sometimes", "contact_point": MAIL},
        {"scope": "all"},
        {"scope": "all", "subject_ref": "sub_1", "contact_point": MAIL},
        {"scope": "all", "contact_point": Identifier("email", "nothing")},
        {"scope": "all", "contact_point": MAIL, "channel": "sms"},
    ],
)
def test_what_makes_no_sense_is_refused(runtime: Runtime, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidError), runtime.work("acme", ACTOR) as work:
        consent.suppress(work, NewSuppression(**wrong))


def test_a_release_needs_a_reason_and_something_to_release(runtime: Runtime) -> None:
    with pytest.raises(InvalidError), runtime.work("acme", ACTOR) as work:
        consent.release_suppression(work, "sup_1", because=" ")
    with pytest.raises(NotFoundError), runtime.work("acme", ACTOR) as work:
        consent.release_suppression(work, "sup_1", because="why not")
