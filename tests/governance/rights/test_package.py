"""The package of an access request: exactly the person's data, from here and from a CRM of 13 tables."""

import base64
import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.errors import ConflictError
from governance.rights import package
from governance.rights import service as rights
from governance.rights.intake import NewRequest
from governance.rights.package_document import Collected
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange, SubjectReference
from governance.systems import operation_store, operations, task_reports, tasks
from governance.systems import service as systems
from governance.systems.model import Item, Outcome
from retention_jobs import build_packages
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm

EVIDENCE = {"seen": "passport at the desk"}


@pytest.fixture
def far(any_runtime: Runtime, tmp_path: Path) -> str:
    """A CRM on SQLite that holds Anna (crm-1) and others; Anna and Dora are known here."""
    folder = tmp_path / "crm"
    folder.mkdir()
    url = f"sqlite:///{folder}/crm.db"
    crm.make(url)
    settings = replace(any_runtime.settings, system_allow=frozenset({str(folder)}))
    any_runtime.settings = settings
    any_runtime.resources[Settings] = settings
    with any_runtime.work("acme", ACTOR) as work:
        systems.put(work, "crm", crm.body(url), None)
        for external_id, email in (("crm-1", "anna@example.org"), ("crm-4", "dora@example.org")):
            change = SubjectChange(identifiers=(Identifier("email", email),), country="DE")
            subjects.put(work, external_id, change)
    return url


def asked(runtime: Runtime, *, proved: bool = True, language: str = "en") -> str:
    with runtime.work("acme", ACTOR) as work:
        new = NewRequest("access", [SubjectReference(id="crm-1")], language=language)
        made = rights.submit(work, new)
        if proved:
            identity = made.identities[0].identity_id
            rights.check(work, made.request_id, identity, method="staff", evidence=EVIDENCE)
    return made.request_id


def opened(runtime: Runtime, request_id: str) -> tuple[str, dict[str, Any]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        content = package.read(snap, request_id)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["your-data.html", "your-data.json"]
        return archive.read("your-data.html").decode(), json.loads(archive.read("your-data.json"))


def state_of(runtime: Runtime, request_id: str) -> tuple[str, str | None]:
    with runtime.snapshot("acme", ACTOR) as snap:
        said = rights.open_dossier(snap, request_id).request
        return said.state, said.waits_for


def test_the_package_holds_exactly_the_persons_data_and_answers_the_request(
    any_runtime: Runtime, far: str
) -> None:
    crm.run(far, "UPDATE contact SET given_name = '<script>alert(1)</script>' WHERE id = 1;\n")
    request_id = asked(any_runtime)
    assert build_packages.run(any_runtime) == 1
    assert state_of(any_runtime, request_id) == ("fulfilled", None)
    page, document = opened(any_runtime, request_id)
    text = json.dumps(document, ensure_ascii=False)
    for own in ("anna@example.org", "Änderlich", "R-2", "My name is Anna", "030 / 1234 56-78"):
        assert own in text, own
        assert own in page, own
    for other in ("dora", "Dora", "R-3", "hanna@example.org", "Wien"):
        assert other not in text, other
        assert other not in page, other
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    about = {each["data_class"]: each for each in document["about"]}
    assert about["contact_details"]["purposes"], "why it is used"
    assert [each["system"] for each in document["recipients"]] == ["crm"]
    shared = [item for system in document["systems"] for item in system["items"] if item["about_others_too"]]
    assert shared, "rows that are about others too are marked"


def test_nothing_is_collected_before_the_person_is_proved(any_runtime: Runtime, far: str) -> None:
    request_id = asked(any_runtime, proved=False)
    assert build_packages.run(any_runtime) == 0
    with pytest.raises(ConflictError), any_runtime.snapshot("acme", ACTOR) as snap:
        package.read(snap, request_id)
    with pytest.raises(ConflictError):
        package.build(any_runtime, "acme", request_id)


def test_a_system_that_does_not_answer_is_named_and_the_request_stays_open(
    any_runtime: Runtime, far: str
) -> None:
    path = Path(far.removeprefix("sqlite:///"))
    path.rename(path.with_suffix(".away"))
    request_id = asked(any_runtime, language="de")
    assert build_packages.run(any_runtime) == 0
    assert state_of(any_runtime, request_id) == ("in_progress", "package-incomplete")
    page, document = opened(any_runtime, request_id)
    assert [each["system"] for each in document["not_answered"]] == ["crm"]
    assert "Ihre Daten" in page
    path.with_suffix(".away").rename(path)
    assert build_packages.run(any_runtime) == 1
    assert opened(any_runtime, request_id)[1]["not_answered"] == []


def test_a_package_can_be_fetched_for_thirty_days(any_runtime: Runtime, far: str, clock: HandClock) -> None:
    request_id = asked(any_runtime)
    build_packages.run(any_runtime)
    clock.forward(timedelta(days=30))
    with pytest.raises(ConflictError), any_runtime.snapshot("acme", ACTOR) as snap:
        package.read(snap, request_id)
    build_packages.run(any_runtime)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        tables = snap.connection.exec_driver_sql("SELECT count(*) FROM rights_package_piece").scalar()
    assert tables == 0


def test_what_was_found_by_hand_is_not_asked_again_while_another_system_is_away(
    any_runtime: Runtime, far: str
) -> None:
    """Else the closed task would be waited for, and the request never answered."""
    with any_runtime.work("acme", ACTOR) as work:
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
    path = Path(far.removeprefix("sqlite:///"))
    path.rename(path.with_suffix(".away"))
    request_id = asked(any_runtime)
    assert build_packages.run(any_runtime) == 0
    item = {"data_class": "notes", "table": "folder", "row": "1", "values": {"note": "Likes tea"}}
    with any_runtime.work("acme", ACTOR) as work:
        (task,) = tasks.page(work, state="open", after="", limit=10)
        task_reports.done(work, task.task_id, steps=[], items=[item], evidence={"text": "Seen."})
    for _ in range(2):
        assert build_packages.run(any_runtime) == 0
    assert [each["system"] for each in opened(any_runtime, request_id)[1]["not_answered"]] == ["crm"]
    path.with_suffix(".away").rename(path)
    assert build_packages.run(any_runtime) == 1
    assert "Likes tea" in opened(any_runtime, request_id)[0]


def test_a_file_that_a_system_gave_lies_beside_the_page_under_no_name_of_its_own(
    any_runtime: Runtime,
) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="DE"))
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
    request_id = asked(any_runtime)
    assert build_packages.run(any_runtime) == 0
    values = {"name": "../../<b>.html", "base64": base64.b64encode(b"<script>1</script>").decode()}
    item = Item("notes", "opendsr", "1", values, media="text/html")
    with any_runtime.work("acme", ACTOR) as work:
        (task,) = tasks.page(work, state="open", after="", limit=10)
        operations.finish(work, task.operation_id, Outcome("done", items=(item,)))
    assert build_packages.run(any_runtime) == 1
    with (
        any_runtime.snapshot("acme", ACTOR) as snap,
        zipfile.ZipFile(io.BytesIO(package.read(snap, request_id))) as archive,
    ):
        assert archive.namelist() == ["your-data.html", "your-data.json", "attached-1.bin"]
        assert archive.read("attached-1.bin") == b"<script>1</script>"
        page = archive.read("your-data.html").decode()
        (kept,) = json.loads(archive.read("your-data.json"))["systems"][0]["items"]
    assert kept["values"] == {
        "name": "../../<b>.html",
        "media_type": "text/html",
        "attached": "attached-1.bin",
    }
    assert "../../&lt;b&gt;.html" in page


def test_half_characters_that_a_system_gave_make_a_package_all_the_same(
    any_runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where they were kept as they came, and where they stand in names of fields and files."""
    with any_runtime.work("acme", ACTOR) as work:
        subjects.put(work, "crm-1", SubjectChange(country="DE"))
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
    request_id = asked(any_runtime)
    assert build_packages.run(any_runtime) == 0
    half = "tea \ud800"
    values = {"a": half, "b": {half: [half]}}
    items = Item("notes", half, half, values), Item("notes", "x", "2", values, (half,))
    object.__setattr__(items[0], "values", values)  # as it was before anything was replaced
    with any_runtime.work("acme", ACTOR) as work:
        (task,) = tasks.page(work, state="open", after="", limit=10)
        operations.finish(work, task.operation_id, Outcome("done", items=items))
    assert build_packages.run(any_runtime) == 1
    page, document = opened(any_runtime, request_id)
    assert page.count("tea \ufffd") >= 4
    first, second = (each["values"] for each in document["systems"][0]["items"])
    assert first == second == {"a": "tea \ufffd", "b": {"tea \ufffd": ["tea \ufffd"]}}
    assert "job-failed" not in capsys.readouterr().err


def test_page_and_file_are_written_whatever_stands_in_them() -> None:
    content = package._zip({"name": "\udc80"}, "<p>\ud800</p>", Collected({}, {}, {}))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("your-data.html").decode() == "<p>\ufffd</p>"
        assert json.loads(archive.read("your-data.json")) == {"name": "\ufffd"}


def test_a_request_that_fails_keeps_no_other_from_its_answer(
    any_runtime: Runtime,
    far: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    clock: HandClock,
) -> None:
    made = package.build
    monkeypatch.setattr(build_packages, "_BATCH", 1)
    bad = asked(any_runtime)
    with any_runtime.work("acme", ACTOR) as work:
        new = rights.submit(work, NewRequest("access", [SubjectReference(id="crm-4")]))
        rights.check(work, new.request_id, new.identities[0].identity_id, method="staff", evidence=EVIDENCE)

    def build(opener: Any, tenant_id: str, request_id: str) -> bool:
        if request_id == bad:
            raise ValueError("anna@example.org")
        return made(opener, tenant_id, request_id)

    monkeypatch.setattr(package, "build", build)
    assert build_packages.run(any_runtime) == 1
    assert state_of(any_runtime, new.request_id)[0] == "fulfilled"
    told = capsys.readouterr().err
    assert "job-failed" in told
    assert "anna" not in told
    clock.forward(timedelta(days=30))
    build_packages.run(any_runtime)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert snap.connection.exec_driver_sql("SELECT count(*) FROM rights_package_piece").scalar() == 0
    monkeypatch.setattr(package, "build", made)
    assert build_packages.run(any_runtime) == 1
    assert state_of(any_runtime, bad)[0] == "fulfilled"


def test_a_system_that_said_when_to_ask_again_is_let_alone_until_then(
    any_runtime: Runtime, clock: HandClock
) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        ref = subjects.put(work, "crm-1", SubjectChange(country="DE")).subject_ref
        systems.put(work, "paper", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
    request_id = asked(any_runtime)
    build_packages.run(any_runtime)
    name = f"{request_id}/paper/{ref}/collect"
    with any_runtime.work("acme", ACTOR) as work, work.bookkeeping():
        later = work.now + timedelta(hours=1)
        operation_store.change(work.connection, "acme", name, work.now, {"check_after": later})
        tried = operation_store.find(work.connection, "acme", name)
    for hours, more in ((0, 0), (2, 1)):
        clock.forward(timedelta(hours=hours))
        build_packages.run(any_runtime)
        with any_runtime.snapshot("acme", ACTOR) as snap:
            now = operation_store.find(snap.connection, "acme", name)
        assert tried is not None
        assert now is not None
        assert now.attempts == tried.attempts + more
