"""A request for erasure: ordered when verified, undone while it may be, answered when it is done."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.erasure import service as erasure
from governance.erasure.tables import erasure as erasure_table
from governance.errors import ConflictError
from governance.events import Actor
from governance.purposes import catalogue
from governance.retention import holds
from governance.retention.model import HoldScope
from governance.rights import service as rights
from governance.rights.letter_files import LANGUAGES, words
from governance.rights.model import Request
from governance.rights.service import NewRequest
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange, SubjectReference
from governance.systems import service as systems
from governance.systems import task_reports, tasks
from retention_jobs import run_erasures, run_rights_clocks
from tests.conftest import ACTOR, HandClock


def verified(runtime: Runtime, language: str | None = None) -> tuple[str, str]:
    """A person, and the id of the person's verified request for erasure."""
    change = SubjectChange(
        identifiers=(Identifier("email", "anna@example.org"),), country="DE", relationship="lead"
    )
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", change).subject_ref
        made = rights.submit(
            work, NewRequest("erasure", [SubjectReference(id="crm-1")], name="Anna", language=language)
        )
        proof = {"looked_at": "a call to the number on file"}
        identity = made.identities[0].identity_id
        rights.check(work, made.request_id, identity, method="staff", evidence=proof)
    return ref, made.request_id


def request_of(runtime: Runtime, request_id: str) -> Request:
    with runtime.snapshot("acme", ACTOR) as snapshot:
        return rights.open_dossier(snapshot, request_id).request


def test_a_verified_request_freezes_the_person_and_is_answered_when_the_erasure_is_done(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    ref, request_id = verified(runtime)
    assert (request_of(runtime, request_id).state, request_of(runtime, request_id).waits_for) == (
        "in_progress",
        "erasure",
    )
    with runtime.snapshot("acme", ACTOR) as snapshot:
        assert subjects.get_by_ref(snapshot, ref).erasure_pending
        assert erasure.of_subject(snapshot, ref)[0].request_id == request_id
    with pytest.raises(ConflictError) as early, runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, request_id)
    assert early.value.reason == "erasure-open"
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    assert request_of(runtime, request_id).state == "in_progress", "it may still be undone"
    clock.forward(timedelta(hours=25))
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    done = request_of(runtime, request_id)
    assert done.state in ("fulfilled", "partly_fulfilled")
    with runtime.snapshot("acme", ACTOR) as snapshot:
        assert subjects.points(snapshot, ref) == [] or subjects.get_by_ref(snapshot, ref).erased
        letter = rights.letters_of(snapshot, request_id)[-1]
    assert letter["to"] == {"type": "email", "value": "anna@example.org"}, "where the answer goes was kept"
    assert "Dear Anna," in letter["text"]


def test_a_request_that_is_withdrawn_in_time_takes_its_erasure_back(
    runtime: Runtime, clock: HandClock
) -> None:
    ref, request_id = verified(runtime)
    with runtime.work("acme", ACTOR) as work:
        assert rights.withdraw(work, request_id).request.state == "withdrawn"
        assert not subjects.get_by_ref(work, ref).erasure_pending


def test_what_has_begun_cannot_be_withdrawn(runtime: Runtime, clock: HandClock) -> None:
    _, request_id = verified(runtime)
    clock.forward(timedelta(hours=25))
    with pytest.raises(ConflictError) as late, runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, request_id)
    assert late.value.reason == "too-late"
    assert request_of(runtime, request_id).state == "in_progress"


def test_an_erasure_that_staff_undid_leaves_the_request_open_and_says_so(
    runtime: Runtime, clock: HandClock
) -> None:
    ref, request_id = verified(runtime)
    with runtime.work("acme", ACTOR) as work:
        erasure.cancel(work, erasure.of_subject(work, ref)[0].erasure_id)
    run_rights_clocks.run(runtime)
    assert request_of(runtime, request_id).waits_for == "erasure-undone"
    assert run_rights_clocks.run(runtime) == 0


@pytest.mark.parametrize("begun", [False, True])
def test_a_request_that_meets_a_scoped_erasure_is_answered_only_when_everything_is_gone(
    any_runtime: Runtime, clock: HandClock, begun: bool
) -> None:
    """Staff tidy some data up; the person then asks for everything. Done is said when everything is."""
    runtime = any_runtime
    change = SubjectChange(
        identifiers=(Identifier("email", "anna@example.org"),), country="DE", relationship="lead"
    )
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", change).subject_ref
        hours = 0 if begun else 24
        order = {"reason": "tidy_up", "scope": ["interactions"], "undo_hours": hours}
        scoped = erasure.order(work, ref, **order).erasure_id  # type: ignore[arg-type]
    if begun:
        run_erasures.run(runtime)
    clock.forward(timedelta(seconds=1))
    ref, request_id = verified(runtime)
    with runtime.snapshot("acme", ACTOR) as snapshot:
        (newest, *_) = erasure.of_subject(snapshot, ref)
        assert (newest.whole, newest.request_id) == (True, request_id)
        assert (newest.erasure_id == scoped) is not begun
    run_rights_clocks.run(runtime)
    assert request_of(runtime, request_id).state == "in_progress"
    clock.forward(timedelta(hours=25))
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    assert request_of(runtime, request_id).state in ("fulfilled", "partly_fulfilled")
    with runtime.snapshot("acme", ACTOR) as snapshot:
        assert subjects.get_by_ref(snapshot, ref).erased
        assert subjects.points(snapshot, ref) == []


def test_a_request_whose_person_only_a_scoped_case_is_about_is_never_called_done(
    runtime: Runtime, clock: HandClock
) -> None:
    """As orders were joined before: the request hangs on a case of one data class, which is complete."""
    _, request_id = verified(runtime)
    with runtime.work("acme", ACTOR) as work, work.bookkeeping():
        work.connection.execute(sa.update(erasure_table).values(scope=["interactions"], status="complete"))
    run_rights_clocks.run(runtime)
    found = request_of(runtime, request_id)
    assert (found.state, found.waits_for) == ("in_progress", "erasure-undone")


COUNSEL, SECOND = Actor("user_counsel"), Actor("user_second")
SAID = {
    "en": ("contact details", "legal claims"),
    "de": ("Kontaktdaten", "Rechtsansprüche"),
    "fr": ("les coordonnées", "obligation légale"),
    "es": ("datos de contacto", "obligación legal"),
}


def hold(runtime: Runtime) -> str:
    with runtime.work("acme", COUNSEL) as work:
        scope = HoldScope("data_class", values={"data_class": ("contact_details",)})
        return holds.place(work, matter="LG 7 O 12/26", scope=scope, reason="A lawsuit by Anna.").hold_id


def letters_of(runtime: Runtime, request_id: str) -> list[dict[str, Any]]:
    with runtime.snapshot("acme", ACTOR) as snapshot:
        return rights.letters_of(snapshot, request_id)


def jobs(runtime: Runtime) -> None:
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)


def test_a_hold_is_told_once_and_the_request_is_answered_in_part_before_its_term(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    hold_id = hold(runtime)
    ref, request_id = verified(runtime)
    clock.forward(timedelta(hours=25))
    for _ in range(3):
        jobs(runtime)
        clock.forward(timedelta(hours=2))
    waits = request_of(runtime, request_id)
    assert (waits.state, waits.waits_for) == ("in_progress", "legal-hold")
    assert [each["kind"] for each in letters_of(runtime, request_id)].count("held") == 1
    with pytest.raises(ConflictError) as early, runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, request_id)
    assert early.value.reason == "erasure-open", "it is not done"
    clock.forward(waits.due_at - clock.now() - timedelta(days=2))
    jobs(runtime)
    answered = request_of(runtime, request_id)
    assert (answered.state, answered.overdue_at) == ("partly_fulfilled", None)
    last = letters_of(runtime, request_id)[-1]
    assert last["kind"] == "fulfilment"
    for text in (last["text"], last["html"]):
        assert "contact details" in text
        assert "legal claims stand in the way" in text
        assert "LG 7" not in text
        assert "lawsuit" not in text
    with runtime.snapshot("acme", ACTOR) as snapshot:
        assert not subjects.get_by_ref(snapshot, ref).erased
    with runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    jobs(runtime)
    with runtime.snapshot("acme", ACTOR) as snapshot:
        assert subjects.get_by_ref(snapshot, ref).erased, "it goes on by itself"


@pytest.mark.parametrize("language", sorted(SAID))
def test_every_language_says_what_a_hold_keeps_and_never_the_matter(
    runtime: Runtime, clock: HandClock, language: str
) -> None:
    hold(runtime)
    _, request_id = verified(runtime, language)
    clock.forward(timedelta(hours=25))
    jobs(runtime)
    (letter,) = [each for each in letters_of(runtime, request_id) if each["kind"] == "held"]
    assert letter["language"] == language
    for text in (letter["text"], letter["html"]):
        for said in SAID[language]:
            assert said in text
        assert "LG 7" not in text
        assert "contact_details" not in text


def test_an_erasure_that_goes_on_after_its_release_is_answered_as_done(
    runtime: Runtime, clock: HandClock
) -> None:
    hold_id = hold(runtime)
    _, request_id = verified(runtime)
    clock.forward(timedelta(hours=25))
    jobs(runtime)
    with runtime.work("acme", SECOND) as work:
        holds.release(work, hold_id)
    clock.forward(timedelta(hours=2))
    jobs(runtime)
    assert request_of(runtime, request_id).state == "fulfilled"
    assert "stand in the way" not in letters_of(runtime, request_id)[-1]["text"]


def test_every_data_class_of_the_catalogue_has_a_name_in_every_language() -> None:
    known = set(catalogue.vocabulary(None).data_classes)
    for language in LANGUAGES:
        assert set(words(language, None).data_classes) == known


def test_what_was_kept_is_told_in_the_language_of_the_request(any_runtime: Runtime, clock: HandClock) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        body = {
            "kind": "manual",
            "config": {"owner": "staff-7"},
            "data_classes": ["invoices", "transactions"],
        }
        systems.put(work, "paper", body, None)
        person = SubjectChange(identifiers=(Identifier("email", "anna@example.org"),), country="DE")
        subjects.put(work, "crm-1", person)
        made = rights.submit(work, NewRequest("erasure", [SubjectReference(id="crm-1")], language="de"))
        rights.check(work, made.request_id, made.identities[0].identity_id, method="staff", evidence={"a": 1})
    clock.forward(timedelta(hours=25))
    run_erasures.run(runtime)
    with runtime.work("acme", ACTOR) as work:
        (task,) = tasks.page(work, state="open", after="", limit=10)
        plan = tasks.get(work, task.task_id).instructions["plan"]
        law = "Invoices stay by a law that only this house knows."
        assert plan["invoices"]["because"].startswith("Vouchers and invoices are kept eight years;")
        kept = {"outcome": "kept_until", "rows": {"folder": 1}}
        invoices = {**kept, "data_class": "invoices", "until": plan["invoices"]["until"]}
        orders = {**kept, "data_class": "transactions", "until": "2035-03-01", "because": law}
        steps = [{**invoices, "because": plan["invoices"]["because"]}, orders]
        task_reports.done(work, task.task_id, steps=steps, evidence={"text": "In the archive."})
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    with runtime.snapshot("acme", ACTOR) as snapshot:
        letter = rights.letters_of(snapshot, made.request_id)[-1]["text"]
    assert "Rechnungen und Belege, bis 1. Januar 2035: Belege und Rechnungen sind acht Jahre" in letter
    assert f"bis 1. März 2035: {law} (dazu liegt uns nur dieser Wortlaut vor)." in letter
    assert "eine Datenschutz-Aufsichtsbehörde (Art. 77) und die Gerichte" in letter
    assert "2035-" not in letter
