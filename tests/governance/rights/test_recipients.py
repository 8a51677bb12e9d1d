"""Art. 19: every connected system is told of a correction or restriction; then the request goes on."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.errors import ConflictError, InvalidError
from governance.rights import correcting, recipients, releasing, telling
from governance.rights import service as rights
from governance.rights.correcting import Correction
from governance.rights.intake import NewRequest
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange, SubjectReference
from governance.systems import service as systems
from governance.systems import task_reports, tasks
from retention_jobs import run_rights_clocks, tell_recipients
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.fixtures.far_system import Answer, FarSystem, Request, serving
from tests.governance.systems.conftest import allowing
from tests.governance.systems.test_opendsr import DOMAIN, ROOT, pem

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of webhook key.").decode()
EVIDENCE = {"seen": "passport at the desk"}


def reply(status: int, document: Any) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


@pytest.fixture
def shop() -> Iterator[FarSystem]:
    """A system behind signed requests that is down at first."""
    with serving(lambda request: reply(503, {})) as found:
        yield found


@pytest.fixture
def house(any_runtime: Runtime, shop: FarSystem, tmp_path: Any) -> str:
    """Anna in a CRM database, a shop behind a webhook, a paper file, and a processor of OpenDSR."""
    folder = tmp_path / "crm"
    folder.mkdir()
    url = f"sqlite:///{folder}/crm.db"
    crm.make(url)
    allowing(any_runtime, str(folder), shop.place)
    dsr = {"url": f"http://{shop.place}/v2", "domain": DOMAIN, "authorities": pem(ROOT).decode()}
    with any_runtime.work("acme", ACTOR) as work:
        systems.put(work, "crm", crm.body(url), None)
        systems.put(work, "shop", {"kind": "webhook", "config": {"url": shop.url, "secret": SECRET}}, None)
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
        systems.put(work, "ads", {"kind": "opendsr", "processor": "Example Ads", "config": dsr}, None)
        for external_id, email in (("crm-1", "anna@example.org"), ("crm-4", "dora@example.org")):
            change = SubjectChange(identifiers=(Identifier("email", email),), country="DE")
            subjects.put(work, external_id, change)
    return url


def asked(runtime: Runtime, type_: str) -> str:
    with runtime.work("acme", ACTOR) as work:
        made = rights.submit(work, NewRequest(type_, [SubjectReference(id="crm-1")]))
        identity = made.identities[0].identity_id
        rights.check(work, made.request_id, identity, method="staff", evidence=EVIDENCE)
    return made.request_id


def standing(runtime: Runtime, request_id: str) -> tuple[str, str | None, dict[str, str]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        said = rights.open_dossier(snap, request_id).request
        told = recipients.of_request(snap, request_id)
        return said.state, said.waits_for, {f"{each.system_id}/{each.verb}": each.status for each in told}


def end_task(runtime: Runtime) -> None:
    with runtime.work("acme", ACTOR) as work:
        (task,) = tasks.page(work, state="open", after="", limit=10)
        task_reports.done(work, task.task_id, steps=[], evidence={"text": "Marked in the folder."})


def column(url: str, name: str) -> list[Any]:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = list(connection.exec_driver_sql(f"SELECT {name} FROM contact ORDER BY id").scalars())
    engine.dispose()
    return found


def test_a_restriction_is_told_to_all_four_kinds_and_the_letter_says_who_did_it(
    any_runtime: Runtime, house: str, shop: FarSystem, clock: HandClock
) -> None:
    runtime = any_runtime
    request_id = asked(runtime, "restriction")
    assert tell_recipients.run(runtime) == 1, "the database at once"
    state, waits, told = standing(runtime, request_id)
    assert (state, waits) == ("in_progress", "recipients-failed"), "somebody must see to what cannot be asked"
    assert told == {
        "ads/restrict": "unsupported",
        "crm/restrict": "done",
        "paper/restrict": "waiting",
        "shop/restrict": "pending",
    }
    marks = column(house, "restricted")
    assert (marks[0], any(marks[1:])) == (1, False), "hers and nobody else's"

    # The shop is down and rests: a minute, then twice as long.
    calls = len(shop.requests)
    assert tell_recipients.run(runtime) == 0
    assert len(shop.requests) == calls
    clock.forward(timedelta(minutes=1))
    tell_recipients.run(runtime)
    assert len(shop.requests) == calls + 1
    shop.answer = lambda request: reply(200, {"status": "done", "steps": [], "counts": {"people": 1}})
    clock.forward(timedelta(minutes=2))
    assert tell_recipients.run(runtime) == 1
    names = {request.headers["webhook-id"] for request in shop.requests}
    assert len(names) == 1, "the same order under the same id, however often"

    # Nobody may call it answered before all have; then it goes on by itself.
    with pytest.raises(ConflictError, match="recipient"), runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, request_id)
    with runtime.work("acme", ACTOR) as work:
        recipients.note(work, request_id, "ads", outcome="impossible", evidence={"text": "No such order."})
    tell_recipients.run(runtime)
    assert standing(runtime, request_id)[:2] == ("in_progress", "recipients")
    end_task(runtime)
    assert tell_recipients.run(runtime) == 1, "noticed at once, not at the next look"
    assert standing(runtime, request_id)[:2] == ("partly_fulfilled", None)
    with runtime.snapshot("acme", ACTOR) as snap:
        (text,) = [
            each["text"] for each in rights.letters_of(snap, request_id) if each["kind"] == "fulfilment"
        ]
        receipts = {each["system"]: each for each in recipients.documents(snap, request_id)}
    assert "confirmed that they did it: Example Hosting, paper, shop" in text
    assert "did not do it, or cannot: Example Ads" in text
    assert (receipts["crm"]["rows"], receipts["crm"]["answered_at"] is not None) == (1, True)
    assert receipts["ads"]["noted_by"] == ACTOR.ref
    assert "anna" not in json.dumps(receipts)

    # Lifted: whoever marked it is told to release it.
    with runtime.work("acme", ACTOR) as work:
        person = subjects.get(work, "crm-1")
        subjects.set_restriction(work, person.subject_ref, False)
        releasing.release(work, person.subject_ref)
    tell_recipients.run(runtime)
    assert column(house, "restricted")[0] == 0
    assert standing(runtime, request_id)[2]["crm/release"] == "done"


def test_a_correction_is_written_here_and_everywhere_and_only_after_proof(
    any_runtime: Runtime, house: str, shop: FarSystem
) -> None:
    runtime = any_runtime
    seen: list[Any] = []

    def take(request: Request) -> Answer:
        seen.append(json.loads(request.body))
        return reply(200, {"status": "done", "steps": []})

    shop.answer = take
    wanted = [
        Correction("email", "anna.new@example.org", "anna@example.org"),
        Correction("family_name", "Richtig", "Änderlich", "crm"),
    ]
    with runtime.work("acme", ACTOR) as work:
        made = rights.submit(work, NewRequest("rectification", [SubjectReference(id="crm-1")]))
    with pytest.raises(ConflictError), runtime.work("acme", ACTOR) as work:
        correcting.correct(work, made.request_id, wanted)
    with runtime.work("acme", ACTOR) as work:
        identity = made.identities[0].identity_id
        rights.check(work, made.request_id, identity, method="staff", evidence=EVIDENCE)
    assert tell_recipients.run(runtime) == 0
    assert standing(runtime, made.request_id) == ("in_progress", "correction", {})

    before = crm.dump(house)
    with runtime.work("acme", ACTOR) as work:
        assert correcting.correct(work, made.request_id, wanted).refusal is None
    with runtime.snapshot("acme", ACTOR) as snap:
        known = [
            subjects.reveal_point(snap, each)
            for each in subjects.points(snap, _ref(snap))
            if each.state == "open"
        ]
    assert known == ["anna.new@example.org"]
    tell_recipients.run(runtime)
    (order,) = seen
    assert order["changes"] == [
        {"name": "email", "value": "anna.new@example.org", "was": "anna@example.org"}
    ], "what is another system's business is not told here"
    assert "anna@example.org" in order["subject"]["email"], "still found by what they know her as"
    assert column(house, "email")[0] == "anna.new@example.org"
    assert column(house, "family_name")[0] == "Richtig"
    after = crm.dump(house)
    for table, rows in after.items():
        assert len(set(rows) ^ set(before[table])) == (2 if table == "contact" else 0), table
    end_task(runtime)
    with runtime.work("acme", ACTOR) as work:
        recipients.note(work, made.request_id, "ads", outcome="done", evidence={"text": "By letter."})
    tell_recipients.run(runtime)
    assert standing(runtime, made.request_id)[:2] == ("fulfilled", None)
    with runtime.work("acme", ACTOR) as work:
        rights.forget(work, made.request_id)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert correcting.changes_for(snap, made.request_id, "crm") == ()
        assert len(recipients.documents(snap, made.request_id)) == 4, "the receipts stay"


def test_whoever_had_the_use_restricted_gets_a_correction_to_every_system_all_the_same(
    any_runtime: Runtime,
) -> None:
    """Art. 18(1)(a), then 16 and 19: it lasts until the data are right, so it cannot stop that."""
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        for name, country in (("home", "DE"), ("abroad", "US"), ("unsaid", None)):
            body = {
                "kind": "manual",
                "config": {"owner": "staff-7"},
                "data_classes": ["identification"],
                "country": country,
            }
            systems.put(work, name, body, None)
        subjects.put(work, "crm-1", SubjectChange(country="DE"))
    first = asked(runtime, "restriction")
    tell_recipients.run(runtime)
    second = asked(runtime, "rectification")
    with runtime.work("acme", ACTOR) as work:
        correcting.correct(work, second, [Correction("family_name", "Neu")])
    tell_recipients.run(runtime)
    for request_id, verb in ((first, "restrict"), (second, "correct")):
        told = standing(runtime, request_id)[2]
        assert told == {f"{name}/{verb}": "waiting" for name in ("abroad", "home", "unsaid")}, (
            "each has its task"
        )
    with runtime.snapshot("acme", ACTOR) as snap:
        assert subjects.get(snap, "crm-1").restricted


def test_a_slip_is_put_right_while_the_request_is_open_and_told_anew(
    any_runtime: Runtime, house: str, shop: FarSystem
) -> None:
    runtime = any_runtime
    seen: list[Any] = []

    def take(request: Request) -> Answer:
        seen.append(json.loads(request.body))
        return reply(200, {"status": "done", "steps": []})

    shop.answer = take
    request_id = asked(runtime, "rectification")

    def correct(*wanted: Correction) -> None:
        with runtime.work("acme", ACTOR) as work:
            assert correcting.correct(work, request_id, wanted).refusal is None

    def told() -> dict[str, str]:
        with runtime.snapshot("acme", ACTOR) as snap:
            return {each.system_id: each.operation_id for each in recipients.of_request(snap, request_id)}

    correct(Correction("email", "ana.new@example.org", "anna@example.org"))  # a slip: one n is missing
    tell_recipients.run(runtime)
    assert column(house, "email")[0] == "ana.new@example.org"
    first = told()
    correct(Correction("email", "anna.new@example.org", "ana.new@example.org"))
    assert all(told()[each] == f"{first[each]}/2" for each in first), "every one is asked anew"
    tell_recipients.run(runtime)
    assert column(house, "email")[0] == "anna.new@example.org"
    assert [each["value"] for each in seen[-1]["changes"]] == ["ana.new@example.org", "anna.new@example.org"]
    with runtime.snapshot("acme", ACTOR) as snap:
        points = [subjects.reveal_point(snap, each) for each in subjects.points(snap, _ref(snap))]
        open_tasks = tasks.page(snap, state="open", after="", limit=10)
    assert "anna.new@example.org" in points
    assert len(open_tasks) == 1, "the one task says everything; the one before it was dropped"

    # What is one system's business is told to that one only, and whoever was never told gets both in order.
    slip = Correction("family_name", "Falsch", "Änderlich", "crm")
    correct(slip, Correction("family_name", "Richtig", "Falsch", "crm"))
    assert told() == {**told(), "shop": f"{first['shop']}/2", "crm": f"{first['crm']}/3"}
    tell_recipients.run(runtime)
    assert column(house, "family_name")[0] == "Richtig"
    assert len(seen) == 2
    end_task(runtime)
    with runtime.work("acme", ACTOR) as work:
        recipients.note(work, request_id, "ads", outcome="done", evidence={"text": "By letter."})
    tell_recipients.run(runtime)
    assert standing(runtime, request_id)[:2] == ("fulfilled", None)
    with pytest.raises(ConflictError), runtime.work("acme", ACTOR) as work:
        correcting.correct(work, request_id, [Correction("email", "x@example.org")])


def test_an_answer_to_the_question_before_is_not_taken_for_that_to_the_next(
    any_runtime: Runtime, house: str, shop: FarSystem
) -> None:
    runtime = any_runtime
    request_id = asked(runtime, "rectification")

    def correct(value: str) -> None:
        with runtime.work("acme", ACTOR) as work:
            correcting.correct(work, request_id, [Correction("family_name", value, system="shop")])

    def meanwhile(request: Request) -> Answer:
        """Somebody puts a slip right while the system is still being asked."""
        shop.answer = lambda request: reply(200, {"status": "done", "steps": []})
        correct("Richtig")
        return reply(200, {"status": "done", "steps": []})

    shop.answer = meanwhile
    correct("Falsch")
    tell_recipients.run(runtime)
    tell_recipients.run(runtime)
    assert len(shop.requests) == 2
    values = [each["value"] for each in json.loads(shop.requests[-1].body)["changes"]]
    assert values == ["Falsch", "Richtig"]
    assert standing(runtime, request_id)[2]["shop/correct"] == "done"


@pytest.mark.parametrize(
    ("name", "system", "field", "said"),
    [
        ("moon", None, "changes.0.name", "use for example"),
        ("emial", None, "changes.0.name", "did you mean 'email'?"),
        ("contact.emial", "crm", "changes.0.name", "did you mean 'contact.email'?"),
        ("family_name", "cmr", "changes.0.system", "ads, crm, paper, shop"),
    ],
)
def test_what_means_nothing_anywhere_is_refused_with_the_nearest_name(
    any_runtime: Runtime, house: str, name: str, system: str | None, field: str, said: str
) -> None:
    request_id = asked(any_runtime, "rectification")
    with pytest.raises(InvalidError) as refused, any_runtime.work("acme", ACTOR) as work:
        correcting.correct(work, request_id, [Correction(name, "x", system=system)])
    assert said in refused.value.fields[field][0]
    assert standing(any_runtime, request_id) == ("in_progress", "correction", {}), "nothing was decided"
    with any_runtime.work("acme", ACTOR) as work:
        known = [Correction("family_name", "Neu"), Correction("loyalty", 3, system="shop")]
        correcting.correct(work, request_id, known)


def test_a_request_that_was_closed_or_has_to_be_proved_anew_tells_nobody(
    any_runtime: Runtime, house: str, shop: FarSystem
) -> None:
    withdrawn = asked(any_runtime, "restriction")
    with any_runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, withdrawn)
    merged = asked(any_runtime, "restriction")
    with any_runtime.work("acme", ACTOR) as work:
        refs = [subjects.get(work, each).subject_ref for each in ("crm-1", "crm-4")]
        consent.merge(work, *refs)
    assert tell_recipients.run(any_runtime) == 0
    assert shop.requests == []
    assert set(standing(any_runtime, withdrawn)[2].values()) == {"dropped"}
    assert standing(any_runtime, merged)[0] == "verifying"
    assert not any(column(house, "restricted"))


def test_a_task_ends_with_its_step_however_that_ends(any_runtime: Runtime) -> None:
    """Staff note the step of a manual system by hand: nobody is left with a task for it."""
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        for name in ("attic", "cellar", "paper", "shed"):
            systems.put(work, name, {"kind": "manual", "config": {"owner": "staff-7"}}, None)
        subjects.put(work, "crm-1", SubjectChange(country="DE"))
    request_id = asked(runtime, "restriction")
    tell_recipients.run(runtime)
    shown = {"text": "Canary: seen in drawer 7."}
    with runtime.work("acme", ACTOR) as work:
        recipients.note(work, request_id, "paper", outcome="done", evidence=shown)
        recipients.note(work, request_id, "attic", outcome="impossible", evidence={"why": "It burnt down."})
        recipients.note(work, request_id, "shed", outcome="retry", evidence={})
    tell_recipients.run(runtime)

    def listed(state: str) -> dict[str, tasks.Opened]:
        with runtime.snapshot("acme", ACTOR) as snap:
            found = tasks.page(snap, state=state, after="", limit=10)
            return {each.system_id: tasks.get(snap, each.task_id) for each in found}

    assert sorted(listed("open")) == ["cellar", "shed"], "asked again, the task is still the one"
    assert {name: each.evidence for name, each in listed("done").items()} == {"paper": shown}
    assert {name: each.task.done_by for name, each in listed("dropped").items()} == {"attic": ACTOR.ref}
    dropped = listed("dropped")["attic"].task.task_id
    with pytest.raises(ConflictError), runtime.work("acme", ACTOR) as work:
        task_reports.done(work, dropped, steps=[], evidence=shown)
    with runtime.work("acme", ACTOR) as work:  # and the other way round: the task ends the step
        task_reports.done(work, listed("open")["cellar"].task.task_id, steps=[], evidence=shown)
    tell_recipients.run(runtime)
    assert standing(runtime, request_id)[2] == {
        "attic/restrict": "impossible",
        "cellar/restrict": "done",
        "paper/restrict": "done",
        "shed/restrict": "waiting",
    }
    with runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, request_id)
    assert listed("open") == {}, "a request that was closed asks nobody any more"


def test_a_restriction_that_was_lifted_meanwhile_is_no_task_any_more(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
        subjects.put(work, "crm-1", SubjectChange(country="DE"))
    request_id = asked(any_runtime, "restriction")
    tell_recipients.run(any_runtime)
    with any_runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, _ref(work), False)
        releasing.release(work, _ref(work))
    tell_recipients.run(any_runtime)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert tasks.page(snap, state="open", after="", limit=10) == []
    state, _, told = standing(any_runtime, request_id)
    assert (state, told) == ("partly_fulfilled", {"paper/restrict": "dropped"}), (
        "never done, so not told as done"
    )
    with any_runtime.snapshot("acme", ACTOR) as snap:
        letters = {each["kind"]: each for each in rights.letters_of(snap, request_id)}
    assert set(letters) == {"acknowledgement", "restriction_over"}
    letter = letters["restriction_over"]
    assert "restricted from 21 November 2026 to 21 November 2026" in letter["text"]
    assert "can ask for a restriction again" in letter["text"]
    assert letter["text"].count("paper") == 1
    assert "These never restricted it" in letter["text"]
    assert "This is done" not in letter["text"]


def test_without_any_system_a_restriction_is_answered_at_once(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="DE"))
    request_id = asked(any_runtime, "restriction")
    tell_recipients.run(any_runtime)
    run_rights_clocks.run(any_runtime)
    assert standing(any_runtime, request_id)[:2] == ("fulfilled", None)


def test_a_worker_that_died_after_asking_asks_again_under_the_same_id_and_keeps_one_receipt(
    any_runtime: Runtime, house: str, shop: FarSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash point between the far side's answer and our receipt."""
    shop.answer = lambda request: reply(200, {"status": "done", "steps": []})
    request_id = asked(any_runtime, "restriction")

    class Killed(BaseException):
        pass

    def die(*_: object) -> bool:
        raise Killed

    honest = telling._keep
    for _ in range(2):
        monkeypatch.setattr(telling, "_keep", die)
        with pytest.raises(Killed):
            tell_recipients.run(any_runtime)
    monkeypatch.setattr(telling, "_keep", honest)
    tell_recipients.run(any_runtime)
    tell_recipients.run(any_runtime)
    assert standing(any_runtime, request_id)[2]["crm/restrict"] == "done"
    assert len(shop.requests) == 1
    with any_runtime.snapshot("acme", ACTOR) as snap:
        told = snap.connection.exec_driver_sql(
            "SELECT count(*) FROM ledger_entry WHERE kind = 'rights.recipient_told'"
        ).scalar()
    assert told == 2


def _ref(snap: Any) -> str:
    return subjects.get(snap, "crm-1").subject_ref
