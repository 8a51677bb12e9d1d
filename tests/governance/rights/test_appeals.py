"""What a granted appeal or complaint does behind the door: clocks, jobs, systems, retention, two at once."""

from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.erasure import service as erasure
from governance.errors import ConflictError, InvalidError
from governance.opendsr import store as opendsr_store
from governance.opendsr.model import OpenRequest
from governance.retention import holds
from governance.rights import ending, recipients, releasing
from governance.rights import service as rights
from governance.rights.dossier import clock_of, reading_of
from governance.rights.letter_files import LANGUAGES
from governance.rights.model import Request
from governance.rights.service import Dossier, NewRequest
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange, SubjectReference
from governance.systems import service as systems
from governance.systems import tasks
from retention_jobs import build_packages, run_rights_clocks
from tests.conftest import ACTOR, HandClock
from tests.governance.rights.test_erasures import SECOND, hold, jobs, verified

EVIDENCE = {"seen": "passport at the desk"}


def refused(runtime: Runtime, type_: str = "access", *, proved: bool = True, **more: Any) -> str:
    """The id of a request that was refused, after proof or before."""
    request_id = asked(runtime, type_, proved=proved, **more)
    with runtime.work("acme", ACTOR) as work:
        given = "no-such-right" if type_ == "restriction" else "exempt-from-disclosure"
        rights.refuse(work, request_id, ground=given if proved else "identity-not-verified")
    return request_id


def asked(
    runtime: Runtime, type_: str = "access", *, region: str = "US-VA", proved: bool = True, **more: Any
) -> str:
    """The id of a request that is open, proved or not."""
    with runtime.work("acme", ACTOR) as work:
        change = SubjectChange(identifiers=(Identifier("email", "anna@example.org"),), country="US")
        subjects.put(work, "crm-1", replace(change, region=region))
        made = rights.submit(work, NewRequest(type_, [SubjectReference(email="anna@example.org")], **more))
        if proved:
            identity = made.identities[0].identity_id
            rights.check(work, made.request_id, identity, method="staff", evidence=EVIDENCE)
    return made.request_id


def appealed(runtime: Runtime, request_id: str) -> str:
    with runtime.work("acme", ACTOR) as work:
        return rights.appeal(work, request_id).dossier.request_id


def granted(runtime: Runtime, request_id: str, **more: Any) -> str:
    appeal_id = appealed(runtime, request_id)
    with runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, appeal_id, **more)
    return appeal_id


def dossier_of(runtime: Runtime, request_id: str) -> Dossier:
    with runtime.snapshot("acme", ACTOR) as snapshot:
        return rights.open_dossier(snapshot, request_id)


def request_of(runtime: Runtime, request_id: str) -> Request:
    return dossier_of(runtime, request_id).request


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_letter_with_the_day_and_the_reason(
    runtime: Runtime, clock: HandClock, language: str
) -> None:
    request_id = refused(runtime, language=language)
    granted(runtime, request_id, because="Ω-1")
    with runtime.snapshot("acme", ACTOR) as snapshot:
        letter = next(each for each in rights.letters_of(snapshot, request_id) if each["kind"] == "reopened")
    assert letter["language"] == language
    for text in (letter["text"], letter["html"]):
        assert "Ω-1" in text
        assert "2027" in text
        assert ("changed our answer" in text) == (language == "en")


def test_two_appeals_at_once_are_one(any_runtime: Runtime) -> None:
    request_id = refused(any_runtime)
    taken = Event()
    second: list[tuple[str, bool]] = []

    def follow() -> None:
        taken.wait(10)
        with any_runtime.work("acme", ACTOR) as work:
            found = rights.appeal(work, request_id)
            second.append((found.dossier.request_id, found.new))

    thread = Thread(target=follow)
    thread.start()
    with any_runtime.work("acme", ACTOR) as work:
        first = rights.appeal(work, request_id)
        taken.set()
        thread.join(0.3)  # The other waits for this transaction and must not have an answer yet.
        assert not second
    thread.join(10)
    assert second == [(first.dossier.request_id, False)]
    assert first.new


def test_a_decision_and_another_appeal_at_once_do_not_wait_for_each_other_for_ever(
    any_runtime: Runtime,
) -> None:
    request_id = refused(any_runtime)
    appeal_id = appealed(any_runtime, request_id)
    begun = Event()
    told: list[str] = []

    def follow() -> None:
        begun.wait(10)
        try:
            with any_runtime.work("acme", ACTOR) as work:
                rights.appeal(work, request_id)
        except ConflictError as refusal:
            told.append(refusal.reason or "")

    thread = Thread(target=follow)
    thread.start()
    with any_runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, appeal_id)
        begun.set()
        thread.join(0.3)
        assert not told
    thread.join(10)
    assert told == ["not-closed"], "it is open again"


def test_the_clock_is_that_of_the_appeal_with_the_extension_that_was_used_for_it(
    runtime: Runtime, clock: HandClock
) -> None:
    request_id = refused(runtime, region="US-CO")
    clock.forward(timedelta(days=100))
    appeal_id = appealed(runtime, request_id)
    with runtime.work("acme", ACTOR) as work:
        rights.extend(work, appeal_id, because="Many papers.")
    clock.forward(timedelta(days=50))
    with runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, appeal_id)
    with runtime.snapshot("acme", ACTOR) as snapshot:
        dossier = rights.open_dossier(snapshot, request_id)
        reading, read = reading_of(snapshot, dossier), clock_of(snapshot, dossier)
        theirs = rights.open_dossier(snapshot, appeal_id).request
    assert reading.due_at == theirs.due_at == dossier.request.due_at
    assert (reading.times_extended, reading.extend_by) == (1, None)
    assert (read.ground.source, read.statutory) == (("dsr.us-co",), False)
    with pytest.raises(ConflictError) as again, runtime.work("acme", ACTOR) as work:
        rights.extend(work, request_id, because="More.")
    assert again.value.reason == "already-extended"


def test_what_was_not_extended_for_the_appeal_can_be_for_the_action(
    runtime: Runtime, clock: HandClock
) -> None:
    request_id = refused(runtime, region="US-CO")
    granted(runtime, request_id)
    before = request_of(runtime, request_id).due_at
    with runtime.work("acme", ACTOR) as work:
        rights.extend(work, request_id, because="Three systems.")
    assert request_of(runtime, request_id).due_at - before == timedelta(days=60)
    with pytest.raises(ConflictError) as no, runtime.work("acme", ACTOR) as work:
        rights.pause(work, request_id, reason="identity")
    assert no.value.reason == "no-pause"


def test_the_clock_reminds_and_runs_over_anew_and_an_unproved_one_ends_after_thirty_days(
    runtime: Runtime, clock: HandClock
) -> None:
    one = refused(runtime)
    clock.forward(timedelta(days=200))
    granted(runtime, one)
    run_rights_clocks.run(runtime)
    assert (request_of(runtime, one).overdue_at, request_of(runtime, one).reminded) == (None, 0)
    clock.forward(timedelta(days=58))
    run_rights_clocks.run(runtime)
    assert request_of(runtime, one).reminded > 0
    clock.forward(timedelta(days=3))
    run_rights_clocks.run(runtime)
    assert request_of(runtime, one).overdue_at == clock.now()
    two = refused(runtime, "portability", proved=False)
    granted(runtime, two)
    clock.forward(timedelta(days=29))
    run_rights_clocks.run(runtime)
    assert request_of(runtime, two).state == "verifying"
    clock.forward(timedelta(days=2))
    run_rights_clocks.run(runtime)
    assert request_of(runtime, two).state == "expired"


def test_a_new_request_joins_the_one_that_is_open_again_and_appeals_of_two_do_not(
    runtime: Runtime, clock: HandClock
) -> None:
    one, two = refused(runtime), refused(runtime, "portability")
    assert dossier_of(runtime, appealed(runtime, one)).request.duplicate_of is None
    assert dossier_of(runtime, granted(runtime, two)).request.duplicate_of is None, "about another answer"
    clock.forward(timedelta(hours=1))
    with runtime.work("acme", ACTOR) as work:
        asked = NewRequest("portability", [SubjectReference(email="anna@example.org")])
        assert rights.submit(work, asked).request.duplicate_of == two


def test_a_request_is_not_forgotten_while_an_appeal_is_open_or_it_is_open_again(
    any_runtime: Runtime, clock: HandClock
) -> None:
    request_id = refused(any_runtime)
    clock.forward(timedelta(days=1))

    def old() -> list[str]:
        with any_runtime.snapshot("acme", ACTOR) as snapshot:
            return [each.row_id for each in ending.requests(snapshot, clock.now(), "", 10)]

    assert old() == [request_id]
    appeal_id = appealed(any_runtime, request_id)
    assert old() == []
    with pytest.raises(ConflictError) as held, any_runtime.work("acme", ACTOR) as work:
        rights.forget(work, request_id)
    assert held.value.reason == "open"
    with any_runtime.work("acme", ACTOR) as work:
        ending.end_requests(work, [request_id])
    assert request_of(any_runtime, request_id).content_sealed is not None
    with any_runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, appeal_id)
    clock.forward(timedelta(days=1))
    assert old() == [appeal_id]
    with any_runtime.work("acme", ACTOR) as work:
        rights.forget(work, appeal_id)
    assert build_packages.run(any_runtime) == 1
    clock.forward(timedelta(days=1))
    assert old() == [request_id]
    with any_runtime.work("acme", ACTOR) as work:
        rights.forget(work, request_id)
    with pytest.raises(ConflictError), any_runtime.work("acme", ACTOR) as work:
        rights.appeal(work, request_id)


def test_a_package_that_was_begun_before_the_refusal_is_collected_anew(
    runtime: Runtime, clock: HandClock
) -> None:
    """The task of the first time was dropped with the refusal; waiting for it would be waiting for ever."""
    with runtime.work("acme", ACTOR) as work:
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
        change = SubjectChange(identifiers=(Identifier("email", "anna@example.org"),), country="US")
        subjects.put(work, "crm-1", replace(change, region="US-VA"))
        made = rights.submit(work, NewRequest("access", [SubjectReference(id="crm-1")]))
        rights.check(work, made.request_id, made.identities[0].identity_id, method="staff", evidence=EVIDENCE)

    def open_tasks() -> list[str]:
        with runtime.snapshot("acme", ACTOR) as snapshot:
            return [each.task_id for each in tasks.page(snapshot, state="open", after="", limit=10)]

    build_packages.run(runtime)
    (first,) = open_tasks()
    with runtime.work("acme", ACTOR) as work:
        rights.refuse(work, made.request_id, ground="exempt-from-disclosure")
    assert open_tasks() == []
    granted(runtime, made.request_id)
    build_packages.run(runtime)
    (second,) = open_tasks()
    assert second != first


def test_who_is_told_of_a_restriction_is_told_again_and_released_again(
    runtime: Runtime, clock: HandClock
) -> None:
    with runtime.work("acme", ACTOR) as work:
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
    request_id = asked(runtime, "restriction")

    def turn(verb: str) -> list[tuple[str, str]]:
        with runtime.snapshot("acme", ACTOR) as snapshot:
            found = [each for each in recipients.of_request(snapshot, request_id) if each.verb == verb]
            return [(each.status, each.operation_id.rsplit("/restrict")[-1]) for each in found]

    with runtime.work("acme", ACTOR) as work:
        recipients.note(work, request_id, "paper", outcome="done", evidence=EVIDENCE)
        ref = dossier_of(runtime, request_id).identities[0].subject_ref or ""
        subjects.set_restriction(work, ref, False, because=None)
        releasing.release(work, ref)
    with runtime.work("acme", ACTOR) as work:
        rights.refuse(work, request_id, ground="no-such-right")
    assert turn("release")[0][0] == "pending"
    granted(runtime, request_id)
    assert turn("restrict") == [("pending", "/2")]
    with runtime.work("acme", ACTOR) as work:
        recipients.note(work, request_id, "paper", outcome="done", evidence=EVIDENCE)
        subjects.set_restriction(work, ref, False, because=None)
        releasing.release(work, ref)
    with runtime.snapshot("acme", ACTOR) as snapshot:
        (release,) = [each for each in recipients.of_request(snapshot, request_id) if each.verb == "release"]
    assert (release.status, release.operation_id.endswith("/release/2")) == ("pending", True)


def test_a_no_that_was_refused_acts_at_once_and_has_no_parts(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        change = SubjectChange(identifiers=(Identifier("email", "anna@example.org"),), country="US")
        ref = subjects.put(work, "crm-1", replace(change, region="US-VA")).subject_ref
        new = NewRequest("opt_out_of_sale", [SubjectReference(email="anna@example.org")], regime="us-va")
        made = rights.take(work, new)  # as the form does: nobody has looked yet whom it means
        rights.refuse(work, made.request_id, ground="manifestly-unfounded-or-excessive")
    appeal_id = appealed(runtime, made.request_id)
    with pytest.raises(InvalidError), runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, appeal_id, partly=True, because="Half of it.")
    with runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, appeal_id)
    done = dossier_of(runtime, made.request_id)
    assert (done.request.state, done.request.outcome) == ("fulfilled", "acted")
    assert done.request.acted_at is not None
    assert [each.subject_ref for each in done.identities] == [ref]


def test_a_controller_is_told_that_a_cancelled_request_goes_on(runtime: Runtime, clock: HandClock) -> None:
    request_id = refused(runtime)
    told = OpenRequest(
        "client_x", "1", request_id, "access", "", clock.now(), clock.now(), None, 0, "cancelled", "evt_x"
    )
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        opendsr_store.add(work.connection, work.tenant_id, told)

    def unfinished() -> list[OpenRequest]:
        with runtime.snapshot("acme", ACTOR) as snapshot:
            return opendsr_store.unfinished(snapshot.connection, "acme")

    assert unfinished() == []
    granted(runtime, request_id)
    assert unfinished() == [told]


def test_an_erasure_that_a_hold_left_in_part_goes_on_from_where_it_is(
    runtime: Runtime, clock: HandClock
) -> None:
    hold_id = hold(runtime)
    ref, request_id = verified(runtime)
    clock.forward(timedelta(hours=25))
    jobs(runtime)
    with runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, request_id, partly=True, because="A hold.")
        about = rights.submit(work, NewRequest("complaint", [], appeal_of=request_id))
        rights.fulfil(work, about.request_id)
    jobs(runtime)
    waits = request_of(runtime, request_id)
    assert (waits.state, waits.waits_for) == ("in_progress", "legal-hold")
    with runtime.snapshot("acme", ACTOR) as snapshot:
        assert len(erasure.of_subject(snapshot, ref)) == 1, "it joined the one that runs"
    with runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    jobs(runtime)
    assert request_of(runtime, request_id).state == "fulfilled"
