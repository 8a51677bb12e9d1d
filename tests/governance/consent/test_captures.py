"""Captures and the imports' fast path."""

from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent import store
from governance.consent.model import Question
from governance.consent.service import CapturedConsent, CapturedEvent, ImportedAct, NewCapture
from governance.errors import InvalidError, NotFoundError
from governance.events import Actor
from governance.ledger import service as ledger
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, NewSubject, SubjectChange

ACTOR = Actor("client_test")
MAIL = Identifier("email", "ada@example.org")
CHANGE = SubjectChange(identifiers=[MAIL], country="US")


def desk(runtime: Runtime, **more: Any) -> None:
    with runtime.work("acme", ACTOR) as work:
        body = {"title": "Join", "owner": "web", "purposes": ["marketing"], **more}
        purposes.put_capture_point(work, "join-form", body, None)


def take(runtime: Runtime, *consents: CapturedConsent, **more: Any) -> consent.CaptureOutcome:
    new = NewCapture("join-form", "crm-1", CHANGE, consents, evidence={"ip": "203.0.113.1"}, **more)
    with runtime.work("acme", ACTOR) as work:
        return consent.capture(work, new)


def facts(runtime: Runtime, ref: str) -> Any:
    with runtime.snapshot("acme", ACTOR) as snap:
        point = subjects.find_point(snap, ref, MAIL.type, MAIL.value)
        assert point is not None
        return consent.facts_for(snap, ref, Question("marketing", "", "email", None, point.point_ref, ref))


def test_a_capture_takes_in_person_consents_and_events_at_once(any_runtime: Runtime) -> None:
    desk(any_runtime)
    out = take(
        any_runtime,
        CapturedConsent("marketing", "granted", channel="email", contact_point=MAIL),
        events=[CapturedEvent("inquiry")],
        gpc=True,
    )
    assert out.subject.created
    assert out.capture_id.startswith("cap_")
    assert facts(any_runtime, out.subject.subject_ref).status == "granted"
    assert out.objection is not None
    with any_runtime.snapshot("acme", ACTOR) as snap:
        person = subjects.get(snap, "crm-1")
        assert person.last_inquiry_at == snap.now
        assert (person.acquired, person.capture_point) == ("person", "join-form")


def test_a_capture_point_that_confirms_turns_a_grant_into_a_sign_up(runtime: Runtime) -> None:
    desk(runtime, double_opt_in=True)
    out = take(runtime, CapturedConsent("marketing", "granted", channel="email", contact_point=MAIL))
    assert out.consents[0].confirmation is not None
    assert facts(runtime, out.subject.subject_ref).status == "requested"


def test_a_capture_is_taken_in_whole_or_not_at_all(runtime: Runtime) -> None:
    desk(runtime)
    good = CapturedConsent("marketing", "granted", channel="email")
    for bad in (
        CapturedConsent("service", "granted", channel="email"),
        CapturedConsent("marketing", "granted", channel="smoke"),
    ):
        with pytest.raises(InvalidError):
            take(runtime, good, bad)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.find(snap, "crm-1") is None
    with pytest.raises(NotFoundError), runtime.work("acme", ACTOR) as work:
        consent.capture(work, NewCapture("no-form", "crm-1", CHANGE))


def test_an_erased_person_starts_afresh_with_an_act(runtime: Runtime) -> None:
    desk(runtime)
    first = take(runtime, CapturedConsent("marketing", "granted", channel="email", contact_point=MAIL))
    with runtime.work("acme", ACTOR) as work:
        from governance.subjects.store import update

        update(work.connection, "acme", first.subject.subject_ref, {"erased": True})
        work.record("subject.erased", subject_ref=first.subject.subject_ref)
    again = take(runtime, CapturedConsent("marketing", "withdrawn", channel="sms"))
    assert again.subject.created
    assert again.subject.subject_ref != first.subject.subject_ref
    assert facts(runtime, again.subject.subject_ref).status == "none"


def imported(runtime: Runtime, *rows: ImportedAct) -> list[consent.BulkOutcome]:
    with runtime.work("acme", ACTOR) as work:
        return consent.record_many(work, rows)


def test_an_import_records_hundreds_of_acts_in_a_handful_of_statements(
    any_runtime: Runtime, clock: Any
) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        put = subjects.put_many(work, [NewSubject(f"crm-{n}", SubjectChange()) for n in range(200)])
    refs = [each.subject_ref for each in put]
    rows = [
        ImportedAct(ref, "marketing", ("granted", "withdrawn", "refused")[n % 3], channel="email")
        for n, ref in enumerate(refs)
    ]
    rows += [
        ImportedAct(ref, None, "suppressed", scope="undeliverable", channel="email") for ref in refs[:50]
    ]
    rows += [ImportedAct(refs[0], "marketing", "withdrawn", channel="email")]
    statements: list[str] = []

    import sqlalchemy as sa

    def count(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    with any_runtime.work("acme", ACTOR) as work:
        sa.event.listen(any_runtime.engine, "before_cursor_execute", count)
        outcomes = consent.record_many(work, rows)
        sa.event.remove(any_runtime.engine, "before_cursor_execute", count)
    assert len(outcomes) == len(rows)
    assert all(each.refusal is None for each in outcomes)
    assert len(statements) < 15
    with any_runtime.snapshot("acme", ACTOR) as snap:
        for ref in refs:
            assert store.cells_of(snap.connection, "acme", ref) == consent.rebuild(
                snap.connection, "acme", ref
            )
        said = [each.status for each in consent.state(snap, refs[0]).consents]
        assert said == ["withdrawn"]
        assert consent.state(snap, refs[3]).consents[0].status == "unproven"
        assert consent.state(snap, refs[1]).consents[0].status == "withdrawn"
        assert len(consent.lookup(snap, subject_ref=refs[7])) == 1


def test_a_bad_row_stops_no_other(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", CHANGE).subject_ref
    out = imported(
        runtime,
        ImportedAct(ref, "nothing-known", "granted"),
        ImportedAct(ref, "marketing", "perhaps"),
        ImportedAct(ref, None, "granted"),
        ImportedAct(ref, "marketing", "withdrawn", channel="email", method="?"),
        ImportedAct(ref, None, "objected", scope="purpose"),
        ImportedAct(ref, "marketing", "objected", scope="purpose"),
        ImportedAct(ref, None, "suppressed", scope="sometimes"),
    )
    assert [each.refusal is None for each in out] == [False, False, False, True, False, True, False]
    assert facts(runtime, ref).status == "withdrawn"
    assert facts(runtime, ref).objection == "purpose"


def test_an_import_lifts_nothing_and_never_un_withdraws(runtime: Runtime, clock: Any) -> None:
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", CHANGE).subject_ref
        point = subjects.points(work, ref)[0]
    imported(runtime, ImportedAct(ref, "marketing", "withdrawn", channel="email"))
    clock.forward(timedelta(days=1))
    proof = {"form_url": "https://x.example", "occurred_at": "x", "text_shown_sha256": "f" * 64}
    yes = ImportedAct(ref, "marketing", "granted", channel="email", point_ref=point.point_ref, evidence=proof)
    imported(runtime, yes)
    assert facts(runtime, ref).status == "withdrawn"


def test_an_imported_withdrawal_bars_its_contact_point_for_others(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        one = subjects.put(work, "crm-1", CHANGE).subject_ref
        two = subjects.put(work, "crm-2", CHANGE).subject_ref
        point = subjects.points(work, one)[0]
    imported(
        runtime,
        ImportedAct(
            one,
            "marketing",
            "withdrawn",
            channel="email",
            point_ref=point.point_ref,
            suppression_hash=point.suppression_hash,
        ),
    )
    with runtime.snapshot("acme", ACTOR) as snap:
        question = Question("marketing", "", "email", None, subjects.points(snap, two)[0].point_ref, two)
        answer = consent.facts_for(snap, two, question, suppression_hash=point.suppression_hash)
        assert answer.suppressed_marketing


def test_every_act_is_in_the_ledger_with_what_its_rows_say(runtime: Runtime, clock: Any) -> None:
    desk(runtime)
    out = take(runtime, CapturedConsent("marketing", "granted", channel="email"))
    ref = out.subject.subject_ref
    clock.forward(timedelta(hours=1))
    imported(runtime, ImportedAct(ref, "marketing", "withdrawn", channel="email"))
    with runtime.snapshot("acme", ACTOR) as snap:
        entries = {each.event_id: each for each in ledger.entries(snap.connection, "acme", subject_ref=ref)}
        for event in consent.history(snap, ref):
            told = entries[event.event_id].facts
            assert told["act"] == event.consent_id
            assert event.point_ref in told["points"]
            assert told["sequence"] + told["points"].index(event.point_ref) == event.seq
            for name in ("kind", "purpose", "channel", "status", "scope", "method", "by_person", "proven"):
                assert told[name] == getattr(event, name)
