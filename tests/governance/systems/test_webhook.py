"""Systems of one's own behind signed requests: what goes out, what is believed, and what is not."""

import base64
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.egress.signatures import BadSignatureError, sign, verify
from governance.systems import callbacks, operations
from governance.systems import service as systems
from governance.systems.model import Change, ErasurePlan, Outcome
from governance.systems.operations import Operation
from tests.conftest import ACTOR, START
from tests.fixtures.crm import ANNA
from tests.fixtures.far_system import Answer, FarSystem, Request, serving
from tests.governance.systems.conftest import allowing

RAW = b"thirty-two bytes of webhook key."
SECRET = "whsec_" + base64.b64encode(RAW).decode()
PLAN = ErasurePlan.delete(["identification", "contact_details"])
GONE = [
    {"data_class": "identification", "outcome": "erased", "rows": {"people": 1}},
    {"data_class": "contact_details", "outcome": "erased", "rows": {"people": 1}},
]


def reply(status: int, document: Any) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


@pytest.fixture
def far() -> Iterator[FarSystem]:
    with serving(lambda request: reply(500, {})) as found:
        yield found


@pytest.fixture
def registered(runtime: Runtime, far: FarSystem) -> Runtime:
    allowing(runtime, far.place)
    put(runtime, {"url": far.url, "secret": SECRET}, None)
    return runtime


def put(runtime: Runtime, config: dict[str, Any], version: int | None) -> None:
    body = {"kind": "webhook", "config": config, "data_classes": ["identification", "contact_details"]}
    with runtime.work("acme", ACTOR) as work:
        systems.put(work, "shop", body, version)


def ask(runtime: Runtime, verb: str = "erase", id: str = "op-1", **more: Any) -> Outcome:
    plan = PLAN if verb == "erase" else None
    return operations.run(runtime, ACTOR, "acme", Operation(id, "shop", verb, ANNA, plan, **more))


def answers(erase: Any, count: int = 0, status: int = 200) -> Any:
    """A system that answers orders to erase so, and counts so many rows."""

    def answer(request: Request) -> Answer:
        verb = json.loads(request.body)["verb"]
        if verb == "count":
            return reply(200, {"status": "done", "counts": {"people": count}})
        return reply(status, erase)

    return answer


def test_an_order_is_signed_names_the_person_and_is_proven_by_a_count(
    registered: Runtime, far: FarSystem
) -> None:
    far.answer = answers({"status": "done", "steps": GONE})
    outcome = ask(registered)
    assert (outcome.status, outcome.because) == ("done", "")
    assert {each.outcome for each in outcome.steps} == {"erased"}
    order, count = far.requests
    verify(SECRET, order.headers, order.body, START)
    assert order.headers["webhook-id"] == "op-1/erase"
    document = json.loads(order.body)
    assert document["subject"] == {
        "external_id": ["crm-1"], "email": ["anna@example.org"], "phone": ["+493012345678"],
    }  # fmt: skip
    assert document["plan"]["identification"] == {"disposition": "delete"}
    assert json.loads(count.body)["verb"] == "count"
    assert ask(registered).steps == outcome.steps  # answered from what was kept
    assert len(far.requests) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answers({"status": "done", "steps": []}), "contact_details"),
        (answers({"status": "done", "steps": GONE[:1]}), "contact_details"),
        (answers({"status": "done", "steps": [GONE[0], GONE[1] | {"rows": {}}]}), "counts no row"),
        (answers({"status": "done", "steps": GONE}, count=3), "still counts"),
        (answers({"status": "done", "steps": [GONE[0], GONE[1] | {"outcome": "kept_until"}]}), "last day"),
        (answers({"status": "perfect"}), "status"),
        (answers([1, 2]), "no JSON object"),
        (answers({"status": "failed", "because": "anna@example.org is odd"}), "failed"),
        (lambda request: (200, {}, b"\xff{"), "no JSON object"),
        (lambda request: (200, {}, b"[" * 100_000), "no JSON object"),
        (lambda request: (302, {"Location": "http://169.254.169.254/"}, b""), "302"),
        (lambda request: (200, {}, b" " * 1_100_000), "larger than"),
    ],
)
def test_an_answer_that_cannot_be_relied_on_is_a_failure(
    registered: Runtime, far: FarSystem, answer: Any, words: str
) -> None:
    far.answer = answer
    outcome = ask(registered)
    assert outcome.status == "failed"
    assert words in outcome.because
    assert "anna" not in outcome.because


@pytest.mark.parametrize(("status", "transient"), [(503, True), (429, True), (400, False), (401, False)])
def test_a_refusal_says_whether_to_try_again(
    registered: Runtime, far: FarSystem, status: int, transient: bool
) -> None:
    far.answer = lambda request: reply(status, {})
    outcome = ask(registered)
    assert (outcome.status, outcome.transient) == ("failed", transient)
    far.answer = answers({"status": "done", "steps": GONE})
    assert ask(registered).status == "done"  # a failed operation may be tried again under its id


def report(runtime: Runtime, document: Any, key: bytes = RAW, **more: Any) -> str | None:
    with runtime.snapshot("acme", ACTOR) as snap:
        url = systems.callback_url(snap, "shop")
    secret = more.pop("secret", url.rpartition(".")[2])
    body = json.dumps(document).encode()
    headers = sign([key], "msg-1", runtime.clock() - more.pop("age", timedelta(0)), body)
    return callbacks.receive(runtime, "acme", "shop", secret, headers, body).refused


def test_what_takes_time_is_reported_later_and_believed_only_if_signed(
    registered: Runtime, far: FarSystem
) -> None:
    far.answer = answers({}, status=202)
    waiting = ask(registered)
    assert (waiting.status, waiting.reference) == ("waiting", "op-1")
    done = {"operation": "op-1", "status": "done", "steps": GONE}
    assert report(registered, done, key=b"another key of thirty-two bytes.") == "bad-signature"
    assert report(registered, done, age=timedelta(minutes=6)) == "bad-signature"
    assert report(registered, done | {"operation": "op-2"}) == "unknown-request"
    assert report(registered, ["nothing"]) == "malformed"
    with registered.snapshot("acme", ACTOR) as snap:
        still = operations.standing(snap, "op-1")
        assert still is not None
        assert still.status == "waiting"
    assert report(registered, done) is None
    with registered.snapshot("acme", ACTOR) as snap:
        now = operations.standing(snap, "op-1")
        assert now is not None
        assert (now.status, {each.outcome for each in now.steps}) == ("done", {"erased"})
    assert report(registered, done | {"steps": []}) is None  # a later word changes nothing
    assert ask(registered).steps == now.steps


def test_a_late_report_must_speak_of_every_class(registered: Runtime, far: FarSystem) -> None:
    far.answer = answers({}, status=202)
    ask(registered)
    assert report(registered, {"operation": "op-1", "status": "done", "steps": GONE[:1]}) is None
    with registered.snapshot("acme", ACTOR) as snap:
        now = operations.standing(snap, "op-1")
        assert now is not None
        assert now.status == "failed"
        assert "contact_details" in now.because


def test_refused_reports_leave_a_trace_that_names_nobody(registered: Runtime) -> None:
    from governance.ledger import service as ledger

    assert report(registered, {"operation": "x"}, key=b"another key of thirty-two bytes.") == "bad-signature"
    with registered.snapshot("acme", ACTOR) as snap:
        kinds = [each.kind for each in ledger.entries(snap.connection, "acme", after=-1, limit=500)]
    assert kinds.count("system.callback_refused") == 1


def test_what_is_collected_later_is_sealed_and_given_once_asked_for(
    registered: Runtime, far: FarSystem
) -> None:
    far.answer = answers({}, status=202)
    assert ask(registered, "collect").status == "waiting"
    values = {
        "data_class": "identification",
        "table": "people",
        "row": "1",
        "values": {"name": "Canary Anna"},
    }
    assert report(registered, {"operation": "op-1", "status": "done", "items": [values]}) is None
    outcome = ask(registered, "collect")
    assert [each.values for each in outcome.items] == [{"name": "Canary Anna"}]
    database = registered.settings.data_dir / "governance.db"
    files = [database, database.with_name("governance.db-wal")]
    assert not any(b"Canary" in each.read_bytes() for each in files if each.exists())
    with registered.work("acme", ACTOR) as work:
        operations.forget_items(work, "op-1")


def test_corrections_and_restrictions_go_out_too_and_missing_verbs_are_said(
    registered: Runtime, far: FarSystem
) -> None:
    far.answer = lambda request: reply(
        200,
        {
            "status": "done",
            "steps": [{"data_class": "contact_details", "outcome": "corrected", "rows": {"people": 1}}],
        },
    )
    change = Change("email", "new@example.org", "anna@example.org")
    assert ask(registered, "correct", changes=(change,)).status == "done"
    assert json.loads(far.requests[0].body)["changes"] == [
        {"name": "email", "value": "new@example.org", "was": "anna@example.org"}
    ]
    assert ask(registered, "restrict", "op-2").status == "done"
    put(registered, {"verbs": ["erase"]}, 1)
    assert ask(registered, "release", "op-3").status == "unsupported"


def test_an_address_inside_is_never_asked(runtime: Runtime, far: FarSystem) -> None:
    allowing(runtime, far.place)
    put(runtime, {"url": far.url, "secret": SECRET}, None)
    allowing(runtime)  # the operator takes it back
    outcome = ask(runtime)
    assert outcome.status == "failed"
    assert far.requests == []


def test_a_test_pings_the_system_and_is_good_only_if_that_is_answered(
    registered: Runtime, far: FarSystem
) -> None:
    def probed(runtime: Runtime = registered) -> tuple[bool, str]:
        with runtime.snapshot("acme", ACTOR) as snap:
            connector, context = systems.connect(snap, "shop", "test", "")
        report = connector.probe(context)
        return report.good, report.findings[0].sentence

    def answer(request: Request) -> Answer:
        try:
            verify(SECRET, request.headers, request.body, START)
        except BadSignatureError:
            return reply(401, {})
        return reply(200, {})

    far.answer = answer
    assert probed() == (True, "The system answered a signed ping with 200.")
    (ping,) = far.requests
    assert json.loads(ping.body) == {"operation": "test", "verb": "ping"}, (
        "it names nobody and orders nothing"
    )
    for status, word in ((401, "compare the secrets"), (404, "nothing at this URL"), (500, "with 500")):
        far.answer = lambda request, status=status: reply(status, {})  # type: ignore[misc]
        good, sentence = probed()
        assert (good, word in sentence) == (False, True), sentence
    far.answer = answer
    other = "whsec_" + base64.b64encode(b"another thirty-two bytes of key!").decode()
    put(registered, {"url": far.url, "secret": other}, 1)
    assert probed()[0] is False, "the secrets differ"
    with socket.socket() as taken:  # bound and not listening: nobody else can answer there meanwhile
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        allowing(registered, place)
        put(registered, {"url": f"http://{place}/orders", "secret": SECRET}, 2)
        assert probed() == (False, "The system cannot be reached.")
    with registered.snapshot("acme", ACTOR) as snap:
        assert operations.standing(snap, "test") is None, "nothing is kept of it"


def test_half_characters_in_items_are_kept_as_marks(registered: Runtime, far: FarSystem) -> None:
    item = {"data_class": "identification", "table": "people", "row": "1\ud800", "free_text": ["n\udfff"]}
    values = {"n\udfff": "\ud800", "n\x00": {"deep": ["\U0001f375", "\ud83c"]}}
    far.answer = lambda request: reply(200, {"status": "done", "items": [item | {"values": values}]})
    (found,) = ask(registered, "collect").items
    assert (found.row, found.free_text) == ("1\ufffd", ("n\ufffd",))
    assert found.values == {"n\ufffd": "\ufffd", "n\ufffd\ufffd": {"deep": ["\U0001f375", "\ufffd"]}}
