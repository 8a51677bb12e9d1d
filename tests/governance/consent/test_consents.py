"""Recording consent against real databases."""

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
from governance.consent.service import NewConsent
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange
from governance.vault.service import Vault
from governance.work import Work

ACTOR = Actor("client_test")
MAIL = Identifier("email", "ada@example.org")
OTHER_MAIL = Identifier("email", "ada@elsewhere.example")
EVIDENCE = {"form_url": "https://shop.example/join", "ip": "203.0.113.77"}


@contextmanager
def acting(runtime: Runtime) -> Iterator[Work]:
    with runtime.work("acme", ACTOR) as work:
        yield work


def person(runtime: Runtime, external_id: str = "crm-1", *points: Identifier) -> str:
    with acting(runtime) as work:
        change = SubjectChange(identifiers=list(points), country="US")
        return subjects.put(work, external_id, change).subject_ref


def say(runtime: Runtime, ref: str, status: str, **more: Any) -> consent.ConsentOutcome:
    more.setdefault("purpose", "marketing")
    more.setdefault("method", "web_form")
    more.setdefault("channel", "email")
    if status == "granted":
        more.setdefault("evidence", EVIDENCE)
    with acting(runtime) as work:
        return consent.record(work, NewConsent(ref, status=status, **more))


def point_of(runtime: Runtime, ref: str, at: Identifier) -> Any:
    with runtime.snapshot("acme", ACTOR) as snap:
        return subjects.find_point(snap, ref, at.type, at.value)


def status(runtime: Runtime, ref: str, at: Identifier | None = MAIL, **asked: Any) -> str:
    return facts(runtime, ref, at, **asked).status


def facts(runtime: Runtime, ref: str, at: Identifier | None = MAIL, **asked: Any) -> Any:
    point = point_of(runtime, ref, at) if at else None
    asked.setdefault("purpose", "marketing")
    asked.setdefault("channel", "email")
    question = Question(point_ref=point.point_ref if point else None, subject_ref=ref, **asked)
    with runtime.snapshot("acme", ACTOR) as snap:
        return consent.facts_for(
            snap, ref, question, suppression_hash=point.suppression_hash if point else None
        )


def assert_state_is_projection(runtime: Runtime, ref: str) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        stored = store.cells_of(snap.connection, "acme", ref)
        assert stored == consent.rebuild(snap.connection, "acme", ref)


def test_a_proven_grant_holds_for_its_contact_point_only(any_runtime: Runtime) -> None:
    ref = person(any_runtime, "crm-1", MAIL, OTHER_MAIL)
    out = say(any_runtime, ref, "granted", contact_point=MAIL)
    assert [entry.status for entry in out.state] == ["granted"]
    assert status(any_runtime, ref, MAIL) == "granted"
    assert status(any_runtime, ref, OTHER_MAIL) == "none"
    assert status(any_runtime, ref, None) == "none"
    assert_state_is_projection(any_runtime, ref)


def test_a_grant_without_a_contact_point_covers_the_open_points_of_its_channel(any_runtime: Runtime) -> None:
    ref = person(any_runtime, "crm-1", MAIL, Identifier("phone", "+12025550123"))
    say(any_runtime, ref, "granted")
    assert status(any_runtime, ref, MAIL) == "granted"
    assert status(any_runtime, ref, None) == "granted"
    assert status(any_runtime, ref, Identifier("phone", "+12025550123"), channel="sms") == "none"
    with acting(any_runtime) as work:
        subjects.ensure_point(work, ref, OTHER_MAIL.type, OTHER_MAIL.value)
    assert status(any_runtime, ref, OTHER_MAIL) == "none"


def test_a_contact_point_that_is_new_in_a_consent_is_added(runtime: Runtime) -> None:
    ref = person(runtime)
    say(runtime, ref, "granted", contact_point=MAIL)
    assert point_of(runtime, ref, MAIL) is not None
    assert status(runtime, ref, MAIL) == "granted"


def test_a_withdrawal_covers_points_that_come_later(any_runtime: Runtime, clock: Any) -> None:
    ref = person(any_runtime, "crm-1", MAIL)
    say(any_runtime, ref, "granted")
    clock.forward(timedelta(minutes=1))
    say(any_runtime, ref, "withdrawn", contact_point=MAIL)
    with acting(any_runtime) as work:
        subjects.ensure_point(work, ref, OTHER_MAIL.type, OTHER_MAIL.value)
    assert status(any_runtime, ref, MAIL) == "withdrawn"
    assert status(any_runtime, ref, OTHER_MAIL) == "withdrawn"
    assert status(any_runtime, ref, None, channel="sms") == "none"
    assert_state_is_projection(any_runtime, ref)


def test_the_person_lifts_a_withdrawal_by_a_later_act_and_an_import_does_not(
    runtime: Runtime, clock: Any
) -> None:
    ref = person(runtime, "crm-1", MAIL)
    say(runtime, ref, "withdrawn")
    clock.forward(timedelta(minutes=1))
    proof = {"form_url": "https://x.example", "occurred_at": "2026-11-21", "text_shown_sha256": "a" * 64}
    say(runtime, ref, "granted", method="import", evidence=proof, contact_point=MAIL)
    assert status(runtime, ref) == "withdrawn"
    say(runtime, ref, "granted", contact_point=MAIL)
    assert status(runtime, ref) == "granted"


def test_a_grant_that_happened_before_the_withdrawal_lifts_nothing_however_late_it_is_told(
    runtime: Runtime, clock: Any
) -> None:
    ref = person(runtime, "crm-1", MAIL)
    clock.forward(timedelta(days=1))
    say(runtime, ref, "withdrawn")
    clock.forward(timedelta(days=1))
    say(runtime, ref, "granted", method="paper", occurred_at=clock.now() - timedelta(days=2))
    assert status(runtime, ref) == "withdrawn"


def test_a_clients_clock_that_runs_ahead_is_put_back_to_now(runtime: Runtime, clock: Any) -> None:
    ref = person(runtime, "crm-1", MAIL)
    with pytest.raises(InvalidError, match="happened yet"):
        say(runtime, ref, "granted", occurred_at=clock.now() + timedelta(days=365))
    say(runtime, ref, "granted", occurred_at=clock.now() + timedelta(minutes=5))
    clock.forward(timedelta(minutes=1))
    say(runtime, ref, "withdrawn")
    assert status(runtime, ref) == "withdrawn"


def test_a_narrower_grant_lifts_only_its_cell(runtime: Runtime, clock: Any) -> None:
    phone = Identifier("phone", "+12025550123")
    ref = person(runtime, "crm-1", MAIL, phone)
    say(runtime, ref, "withdrawn", channel=None)
    clock.forward(timedelta(minutes=1))
    say(runtime, ref, "granted", channel="email", topic="spring-offer")
    assert status(runtime, ref, MAIL, topic="spring-offer") == "granted"
    assert status(runtime, ref, MAIL, topic="autumn-offer") == "withdrawn"
    assert status(runtime, ref, MAIL) == "withdrawn"
    assert status(runtime, ref, phone, channel="sms", topic="spring-offer") == "withdrawn"


def test_a_withdrawal_from_one_topic_leaves_the_others(runtime: Runtime, clock: Any) -> None:
    ref = person(runtime, "crm-1", MAIL)
    say(runtime, ref, "granted")
    clock.forward(timedelta(minutes=1))
    say(runtime, ref, "withdrawn", topic="spring-offer")
    assert status(runtime, ref, topic="spring-offer") == "withdrawn"
    assert status(runtime, ref, topic="autumn-offer") == "granted"
    assert status(runtime, ref) == "withdrawn", "leaving the topic out opens nothing"


def test_a_no_that_names_no_address_comes_from_the_only_one_there_is(any_runtime: Runtime) -> None:
    first = person(any_runtime, "crm-1", MAIL)
    second = person(any_runtime, "crm-2", MAIL)
    say(any_runtime, first, "withdrawn")
    assert facts(any_runtime, second).suppressed_marketing, "the same mailbox would be written to"
    many = person(any_runtime, "crm-3", OTHER_MAIL, Identifier("email", "eve@third.example"))
    other = person(any_runtime, "crm-4", OTHER_MAIL)
    say(any_runtime, many, "withdrawn")
    assert not facts(any_runtime, other, OTHER_MAIL).suppressed_marketing, "which one was used is not known"


def test_what_others_report_without_proof_is_unproven(runtime: Runtime) -> None:
    ref = person(runtime, "crm-1", MAIL)
    for method in ("import", "acquired_list", "staff"):
        say(runtime, ref, "granted", method=method, evidence=None)
        assert status(runtime, ref) == "unproven", method
    say(runtime, ref, "granted", evidence=None)
    assert status(runtime, ref) == "granted", "the person's own act, recorded when it happened"


def test_consent_ends_at_its_expiry(runtime: Runtime, clock: Any) -> None:
    ref = person(runtime, "crm-1", MAIL)
    say(runtime, ref, "granted", expires_at=clock.now() + timedelta(days=1))
    assert status(runtime, ref) == "granted"
    clock.forward(timedelta(days=1))
    assert status(runtime, ref) == "expired"
    with pytest.raises(InvalidError):
        say(runtime, ref, "granted", expires_at=clock.now())


def test_an_expired_grant_lifts_no_withdrawal_any_more(runtime: Runtime, clock: Any) -> None:
    ref = person(runtime, "crm-1", MAIL)
    say(runtime, ref, "withdrawn")
    clock.forward(timedelta(minutes=1))
    say(runtime, ref, "granted", expires_at=clock.now() + timedelta(days=1))
    assert status(runtime, ref) == "granted"
    clock.forward(timedelta(days=2))
    assert status(runtime, ref) == "withdrawn"


def test_a_withdrawal_bars_the_point_for_others_until_they_consent_themselves(
    any_runtime: Runtime, clock: Any
) -> None:
    one = person(any_runtime, "crm-1", MAIL)
    two = person(any_runtime, "crm-2", MAIL)
    for ref in (one, two):
        say(any_runtime, ref, "granted", contact_point=MAIL)
    clock.forward(timedelta(minutes=1))
    say(any_runtime, one, "withdrawn", contact_point=MAIL)
    assert facts(any_runtime, two).suppressed_marketing
    assert not facts(any_runtime, one).suppressed_marketing, "one's own bar says no more than the withdrawal"
    clock.forward(timedelta(minutes=1))
    say(any_runtime, two, "granted", contact_point=MAIL)
    assert not facts(any_runtime, two).suppressed_marketing
    assert status(any_runtime, one) == "withdrawn"


def test_an_unsubscribe_by_point_reference_bars_the_point(runtime: Runtime, clock: Any) -> None:
    one = person(runtime, "crm-1", MAIL)
    two = person(runtime, "crm-2", MAIL)
    say(runtime, two, "granted")
    clock.forward(timedelta(minutes=1))
    with acting(runtime) as work:
        point = subjects.points(work, one)[0]
        consent.withdraw(work, one, purpose="marketing", channel="email", point_ref=point.point_ref)
    assert status(runtime, one) == "withdrawn"
    assert facts(runtime, two).suppressed_marketing


def test_an_unknown_purpose_is_refused_and_the_known_ones_are_named(runtime: Runtime) -> None:
    ref = person(runtime, "crm-1", MAIL)
    with pytest.raises(InvalidError, match="marketing"):
        say(runtime, ref, "granted", purpose="markting")
    with pytest.raises(InvalidError):
        say(runtime, ref, "granted", purpose=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "maybe"},
        {"method": "telepathy"},
        {"channel": "smoke"},
        {"topic": "ada@example.org"},
        {"topic": "192.0.2.1"},
        {"controller": "a b"},
        {"contact_point": Identifier("phone", "+12025550123")},
        {"contact_point": Identifier("email", "no address")},
        {"notice": consent.NoticeRef("none", "1")},
    ],
)
def test_what_makes_no_sense_is_refused_without_a_trace(runtime: Runtime, wrong: dict[str, Any]) -> None:
    ref = person(runtime, "crm-1", MAIL)
    said = {"status": "granted", **wrong}
    with pytest.raises(InvalidError):
        say(runtime, ref, said.pop("status"), **said)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert consent.history(snap, ref) == []


def test_a_withdrawal_is_not_refused_for_its_method_notice_point_or_evidence(runtime: Runtime) -> None:
    ref = person(runtime, "crm-1", MAIL)
    out = say(
        runtime,
        ref,
        "withdrawn",
        method="carrier_pigeon",
        notice=consent.NoticeRef("none", "1"),
        contact_point=Identifier("email", "no address"),
        evidence={"score": 0.5, "half": "\ud800"},
    )
    assert status(runtime, ref) == "withdrawn"
    assert out.event_id.startswith("evt_")
    with runtime.snapshot("acme", ACTOR) as snap:
        assert consent.history(snap, ref)[0].method == "other"


def test_consent_of_somebody_unknown_is_refused(runtime: Runtime) -> None:
    with pytest.raises(NotFoundError):
        say(runtime, "sub_nobody", "granted")


def test_somebody_being_erased_can_say_no_but_not_yes(runtime: Runtime) -> None:
    ref = person(runtime, "crm-1", MAIL)
    with acting(runtime) as work:
        from governance.subjects.store import update

        update(work.connection, "acme", ref, {"erasure_pending": True})
        work.touch(ref)
        work.record("subject.erasure_requested", subject_ref=ref)
    with pytest.raises(ConflictError):
        say(runtime, ref, "granted")
    say(runtime, ref, "withdrawn")
    assert status(runtime, ref) == "withdrawn"


def test_evidence_is_readable_from_the_vault_only(any_runtime: Runtime) -> None:
    ref = person(any_runtime, "crm-1", MAIL)
    out = say(any_runtime, ref, "granted", guardian={"name": "Grace Hopper", "verified_by": "card"})
    with any_runtime.snapshot("acme", ACTOR) as snap:
        row = snap.connection.execute(
            sa.text("SELECT payload, leaf FROM ledger_entry WHERE tenant_id = 'acme' AND event_id = :id"),
            {"id": out.event_id},
        ).one()
        for table in ("consent_event", "consent_state", "suppression"):
            rows = snap.connection.execute(sa.text(f"SELECT * FROM {table} WHERE tenant_id = 'acme'"))
            assert "203.0.113" not in str(rows.all())
        leaf = row.leaf.decode()
        assert "203.0.113" not in leaf
        assert "Grace" not in leaf
        commitment = __import__("json").loads(leaf)["commit"]
        opened = any_runtime.vault.reveal_evidence("acme", ref, out.event_id, row.payload, commitment)
    assert opened["evidence"] == EVIDENCE
    assert opened["guardian"] == {"name": "Grace Hopper", "verified_by": "card"}
    assert isinstance(snap.resource(Vault), Vault)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert consent.history(snap, ref)[0].guardian


def test_history_cannot_be_rewritten_and_keeps_ledger_order(any_runtime: Runtime, clock: Any) -> None:
    ref = person(any_runtime, "crm-1", MAIL)
    for said in ("requested", "granted", "withdrawn", "refused"):
        clock.forward(timedelta(minutes=1))
        say(any_runtime, ref, said)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        history = consent.history(snap, ref)
        assert [event.seq for event in history] == list(range(1, len(history) + 1))
        order = [event.event_id for event in history]
        from governance.ledger import service as ledger

        sealed = [entry.event_id for entry in ledger.entries(snap.connection, "acme", subject_ref=ref)]
        assert [each for each in sealed if each in order] == list(dict.fromkeys(order))


def test_the_past_can_be_asked_by_instant_and_by_position(any_runtime: Runtime, clock: Any) -> None:
    ref = person(any_runtime, "crm-1", MAIL)
    say(any_runtime, ref, "granted", contact_point=MAIL, expires_at=clock.now() + timedelta(days=3))
    then = clock.now()
    with any_runtime.snapshot("acme", ACTOR) as snap:
        from governance.ledger import service as ledger

        size, _ = ledger.head(snap.connection, "acme")
    clock.forward(timedelta(days=5))
    say(any_runtime, ref, "withdrawn")
    with any_runtime.snapshot("acme", ACTOR) as snap:
        now = consent.state(snap, ref)
        assert [entry.status for entry in now.consents] == ["withdrawn", "withdrawn"]
        for as_of in (then, size - 1):
            before = consent.state(snap, ref, as_of=as_of)
            assert [entry.status for entry in before.consents] == ["granted"]
        assert consent.state(snap, ref, as_of=0).consents == ()
        assert consent.state(snap, ref, as_of=then - timedelta(days=9)).consents == ()
