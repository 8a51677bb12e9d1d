"""Double opt-in, objections, suppressions, notices."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent import store
from governance.consent.model import Question
from governance.consent.service import NewConsent, NewObjection
from governance.errors import ConflictError, ExpiredError, InvalidError, NotFoundError, StaleError
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange
from governance.work import Work

ACTOR = Actor("client_test")
MAIL = Identifier("email", "ada@example.org")


@contextmanager
def acting(runtime: Runtime) -> Iterator[Work]:
    with runtime.work("acme", ACTOR) as work:
        yield work


@pytest.fixture
def ref(runtime: Runtime) -> str:
    with acting(runtime) as work:
        return subjects.put(work, "crm-1", SubjectChange(identifiers=[MAIL], country="DE")).subject_ref


def sign_up(runtime: Runtime, ref: str, **more: Any) -> consent.ConsentOutcome:
    new = NewConsent(
        ref,
        "marketing",
        "requested",
        "web_form",
        channel="email",
        contact_point=MAIL,
        double_opt_in=True,
        **more,
    )
    with acting(runtime) as work:
        return consent.record(work, new)


def facts(runtime: Runtime, ref: str, **asked: Any) -> Any:
    with runtime.snapshot("acme", ACTOR) as snap:
        point = subjects.find_point(snap, ref, MAIL.type, MAIL.value)
        assert point is not None
        question = Question("marketing", "", "email", None, point.point_ref, ref)
        return consent.facts_for(snap, ref, question, suppression_hash=point.suppression_hash)


def say_no(runtime: Runtime, ref: str, channel: str | None = "email") -> None:
    with acting(runtime) as work:
        consent.record(work, NewConsent(ref, "marketing", "withdrawn", "reply", channel=channel))


def test_a_sign_up_holds_only_once_it_is_confirmed(any_runtime: Runtime, clock: Any) -> None:
    with acting(any_runtime) as work:
        change = SubjectChange(identifiers=[MAIL], country="DE")
        ref = subjects.put(work, "crm-1", change).subject_ref
    ends = clock.now() + timedelta(days=365)
    out = sign_up(any_runtime, ref, expires_at=ends)
    assert out.confirmation is not None
    assert out.confirmation.expires_at == clock.now() + timedelta(days=30)
    assert facts(any_runtime, ref).status == "requested"
    clock.forward(timedelta(days=1))
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert consent.waiting_for(snap, out.confirmation.token)[0].purpose == "marketing"
    with acting(any_runtime) as work:
        confirmed = consent.confirm(work, out.confirmation.token, evidence={"ip": "203.0.113.9"})
    answer = facts(any_runtime, ref)
    assert (answer.status, answer.age_anchor, answer.expires_at) == ("granted", clock.now(), ends)
    assert confirmed.consent_id == out.consent_id
    with any_runtime.snapshot("acme", ACTOR) as snap:
        last = consent.history(snap, ref)[-1]
        assert (last.status, last.method, last.proven, last.double_opt_in) == (
            "confirmed",
            "double_opt_in",
            True,
            True,
        )
        assert subjects.points(snap, ref)[0].verified
        assert store.cells_of(snap.connection, "acme", ref) == consent.rebuild(snap.connection, "acme", ref)


def test_only_the_hash_of_a_token_is_kept(runtime: Runtime, ref: str) -> None:
    out = sign_up(runtime, ref)
    assert out.confirmation is not None
    with runtime.snapshot("acme", ACTOR) as snap:
        rows = snap.connection.execute(sa.text("SELECT * FROM consent_confirmation WHERE tenant_id = 'acme'"))
        assert out.confirmation.token not in str(rows.all())


def test_confirming_twice_changes_nothing(runtime: Runtime, ref: str) -> None:
    out = sign_up(runtime, ref)
    assert out.confirmation is not None
    for _ in range(2):
        with acting(runtime) as work:
            consent.confirm(work, out.confirmation.token)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert [event.status for event in consent.history(snap, ref)] == ["requested", "confirmed"]


def test_a_confirmation_comes_too_late_after_thirty_days(runtime: Runtime, ref: str, clock: Any) -> None:
    out = sign_up(runtime, ref)
    assert out.confirmation is not None
    clock.forward(timedelta(days=30))
    with pytest.raises(ExpiredError), acting(runtime) as work:
        consent.confirm(work, out.confirmation.token)
    assert facts(runtime, ref).status == "none"


def test_an_unknown_token_confirms_nothing(runtime: Runtime) -> None:
    for token in ("", "nonsense", "\ud800"):
        with pytest.raises(NotFoundError), acting(runtime) as work:
            consent.confirm(work, token)


@pytest.mark.parametrize("channel", ["email", None])
def test_a_link_from_before_a_withdrawal_grants_nothing(
    runtime: Runtime, ref: str, clock: Any, channel: str | None
) -> None:
    out = sign_up(runtime, ref)
    assert out.confirmation is not None
    clock.forward(timedelta(hours=1))
    say_no(runtime, ref, channel)
    clock.forward(timedelta(hours=1))
    with pytest.raises(ConflictError) as refused, acting(runtime) as work:
        consent.confirm(work, out.confirmation.token)
    assert refused.value.reason == "withdrawn-since"
    assert facts(runtime, ref).status == "withdrawn"


def test_a_new_sign_up_after_a_withdrawal_can_be_confirmed(runtime: Runtime, ref: str, clock: Any) -> None:
    say_no(runtime, ref)
    clock.forward(timedelta(hours=1))
    out = sign_up(runtime, ref)
    assert out.confirmation is not None
    assert facts(runtime, ref).status == "withdrawn"
    assert facts(runtime, ref).pending_request
    clock.forward(timedelta(hours=1))
    with acting(runtime) as work:
        consent.confirm(work, out.confirmation.token)
    assert facts(runtime, ref).status == "granted"


def test_an_objection_ends_by_the_persons_act_only(runtime: Runtime, ref: str, clock: Any) -> None:
    with acting(runtime) as work:
        made = consent.object_(work, NewObjection(ref, "all", method="reply"))
    assert facts(runtime, ref).objection == "marketing"
    clock.forward(timedelta(hours=1))
    for method, when in (("staff", None), ("import", None), ("reply", clock.now() - timedelta(days=1))):
        with pytest.raises(ConflictError), acting(runtime) as work:
            consent.release_objection(work, made.objection_id, method=method, occurred_at=when)
    assert facts(runtime, ref).objection == "marketing"
    with acting(runtime) as work:
        consent.release_objection(work, made.objection_id, method="preference_page")
        consent.release_objection(work, made.objection_id, method="preference_page")
    assert facts(runtime, ref).objection == "none"
    with runtime.snapshot("acme", ACTOR) as snap:
        assert [event.status for event in consent.history(snap, ref)] == ["objected", "released"]
    with pytest.raises(NotFoundError), acting(runtime) as work:
        consent.release_objection(work, "obj_none", method="reply")


def test_a_release_leaves_other_objections_standing(runtime: Runtime, ref: str, clock: Any) -> None:
    with acting(runtime) as work:
        consent.object_(work, NewObjection(ref, "purpose", "marketing"))
        second = consent.object_(work, NewObjection(ref, "purpose", "marketing"))
        consent.object_(work, NewObjection(ref, "profiling"))
    clock.forward(timedelta(hours=1))
    with acting(runtime) as work:
        consent.release_objection(work, second.objection_id, method="reply")
    assert facts(runtime, ref).objection == "purpose"


def test_an_objection_to_a_purpose_names_a_known_one(runtime: Runtime, ref: str) -> None:
    for wrong in (
        NewObjection(ref, "purpose"),
        NewObjection(ref, "purpose", "nothing-known"),
        NewObjection(ref, "everything"),
    ):
        with pytest.raises(InvalidError), acting(runtime) as work:
            consent.object_(work, wrong)


def test_a_gpc_signal_is_recorded_once_as_an_opt_out_of_sale_and_sharing(runtime: Runtime, ref: str) -> None:
    for _ in range(3):
        with acting(runtime) as work:
            made = consent.object_by_signal(work, ref)
    assert (made.scope, made.purpose) == ("purpose", "sale_sharing")
    with runtime.snapshot("acme", ACTOR) as snap:
        assert len(consent.history(snap, ref)) == 1
        question = Question("sale_sharing", "", "", None, None, ref)
        assert consent.facts_for(snap, ref, question).objection == "purpose"
    assert facts(runtime, ref).objection == "none"


def test_a_notice_must_exist_in_version_and_language(runtime: Runtime, ref: str) -> None:
    with acting(runtime) as work:
        texts = {"de": "Wir schreiben Ihnen.", "en": "We write to you."}
        rows, created = consent.put_notice(work, "newsletter", "3", texts)
        assert created
        assert [row.language for row in rows] == ["de", "en"]
        assert consent.put_notice(work, "newsletter", "3", texts)[1] is False
    for wrong in (
        consent.NoticeRef("newsletter", "4", "de"),
        consent.NoticeRef("newsletter", "3", "fr"),
        consent.NoticeRef("newsletter", "3"),
        consent.NoticeRef("letter", "3", "de"),
    ):
        with pytest.raises(InvalidError):
            sign_up(runtime, ref, notice=wrong)
    with acting(runtime) as work:
        new = NewConsent(
            ref,
            "marketing",
            "granted",
            "paper",
            channel="email",
            notice=consent.NoticeRef("newsletter", "3", "DE"),
        )
        consent.record(work, new)
    assert facts(runtime, ref).status == "granted"
    with runtime.snapshot("acme", ACTOR) as snap:
        event = consent.history(snap, ref)[0]
        assert (event.notice_id, event.notice_version, event.notice_language) == ("newsletter", "3", "de")


def test_a_notice_that_people_answered_to_never_changes(runtime: Runtime, ref: str) -> None:
    with acting(runtime) as work:
        first, _ = consent.put_notice(work, "newsletter", "1", {"en": "We write."})
    with pytest.raises(StaleError), acting(runtime) as work:
        consent.put_notice(work, "newsletter", "1", {"en": "We write often."})
    with acting(runtime) as work:
        second, created = consent.put_notice(
            work, "newsletter", "1", {"en": "We write often."}, if_match=consent.tag(first)
        )
        assert not created
    sign_up(runtime, ref, notice=consent.NoticeRef("newsletter", "1", "en"))
    with pytest.raises(ConflictError), acting(runtime) as work:
        consent.put_notice(work, "newsletter", "1", {"en": "We write."}, if_match=consent.tag(second))
    for wrong in ({}, {"en": " "}, {"klingon!": "x"}, {"en": "a\x00b"}, {"en": "\ud800"}):
        with pytest.raises(InvalidError), acting(runtime) as work:
            consent.put_notice(work, "newsletter", "2", wrong)
