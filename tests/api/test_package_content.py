"""What stands in a package: all that is held here, what Art. 15 wants said of it, in words people read."""

import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

import governance.tables
from governance.bootstrap import Runtime
from governance.database import metadata
from governance.rights import held_tables, package
from governance.rights.letter_files import LANGUAGES
from governance.rights.package_words import page_words
from retention_jobs import build_packages
from tests.api.conftest import Caller
from tests.conftest import ACTOR

assert governance.tables
PERSON = {
    "identifiers": [
        {"type": "email", "value": "c9@example.org"},
        {"type": "phone", "value": "+4915112345678"},
        {"type": "postal", "value": "Weg 1, 10115 Berlin"},
    ],
    "attributes": {
        "country": "DE", "language": "de", "birth_date": "1980-05-17", "customer_type": "consumer",
    },
    "organisation": {"id": "org-1", "country": "DE"},
    "relationship": "lead",
    "source": {
        "capture_point": "web-form", "channel": "web",
        "url": "https://www.example.org/form?x=1",
    },
}  # fmt: skip
HELD = {
    "the day of birth": "1980-05-17",
    "address of the form of the consent": "https://www.example.org/nl",
    "IP address": "203.0.113.77",
    "browser": "Mozilla/9",
    "page of origin": "https://www.example.org/form?x=1",
    "postal address": "Weg 1, 10115 Berlin",
    "telephone": "+4915112345678",
    "organisation": "org-1",
    "capture point": "web-form",
    "reference of an event": "ref-77",
    "registered record": "inv-1",
    "its class": "invoices",
    "why an address is barred": "asked at the fair",
    "an earlier request": "meine besondere Lage",
    "the letter about it": "Ihr Antrag",
    "a decision": "communication.send",
}
"""What the one person has here, by what it is."""


def ok(answer: Any) -> Any:
    assert answer.status_code < 300, answer.get_data(as_text=True)
    return answer.get_json()


def known(caller: Caller) -> None:
    """The person with something in every room."""
    ok(caller.put("/v1/subjects/c9", PERSON))
    ok(
        caller.post(
            "/v1/consents",
            {
                "subject": {"id": "c9"}, "purpose": "newsletter", "channel": "email", "status": "granted",
                "contact_point": {"type": "email", "value": "c9@example.org"}, "method": "web_form",
                "evidence": {
                    "form_url": "https://www.example.org/nl", "ip": "203.0.113.77", "user_agent": "Mozilla/9",
                },
            },
        )
    )  # fmt: skip
    c9 = {"subject": {"id": "c9"}}
    ok(caller.post("/v1/objections", {**c9, "scope": "profiling"}))
    ok(caller.post("/v1/suppressions", {**c9, "scope": "marketing", "reason": "asked at the fair"}))
    ok(
        caller.post(
            "/v1/subjects/c9/events",
            {"event": "inquiry", "occurred_at": "2026-03-01T10:00:00Z", "reference": "ref-77"},
        )
    )
    sent = {"message_id": "mm-1", "channel": "email", "message_class": "promotional", "purpose": "marketing"}
    assert caller.post("/v1/communications", {**c9, **sent}).status_code == 403, "objected to"
    record = {"data_class": "invoices", "created_at": "2026-01-05T10:00:00Z", "jurisdiction": "DE"}
    ok(caller.put("/v1/records/erp/inv-1", {**c9, **record}))
    objection = {"type": "objection", "identities": [{"id": "c9"}], "language": "de",
                 "details": {"scope": "profiling", "text": "Grund: meine besondere Lage"}}  # fmt: skip
    request = ok(caller.post("/v1/rights-requests", objection))
    assert request["status"] == "fulfilled", "it acts at once, without a proof"
    ok(caller.post("/v1/holds", {
        "matter": "Case 9", "scope": c9, "reason": "litigation", "expires_at": "2028-01-01T00:00:00Z",
    }))  # fmt: skip


def made(runtime: Runtime, caller: Caller, language: str = "de") -> tuple[str, dict[str, Any]]:
    """The page and the document of a new request for access."""
    asked = {"type": "access", "identities": [{"id": "c9"}], "language": language}
    request = ok(caller.post("/v1/rights-requests", asked))
    proof = {"identity": request["identities"][0]["id"], "method": "staff", "evidence": {"seen": "passport"}}
    ok(caller.post(f"/v1/rights-requests/{request['id']}/verify", proof))
    assert build_packages.run(runtime) == 1
    with runtime.snapshot("acme", ACTOR) as snap:
        content = package.read(snap, request["id"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        page = archive.read("your-data.html").decode()
        if os.environ.get("KEEP_PAGES"):
            Path(os.environ["KEEP_PAGES"], f"{language}.html").write_text(page)
        return page, json.loads(archive.read("your-data.json"))


def test_everything_that_is_held_here_stands_in_the_package(any_runtime: Runtime, any_caller: Caller) -> None:
    known(any_caller)
    page, document = made(any_runtime, any_caller)
    text = json.dumps(document, ensure_ascii=False)
    assert [what for what, value in HELD.items() if value not in text] == []
    shown = HELD | {"the day of birth": "17. Mai 1980", "its class": "Rechnungen und Belege"}
    assert [what for what, value in shown.items() if value not in page] == []
    assert "Case 9" not in text, "what a hold is about is nobody's to tell"
    assert "litigation" not in text
    assert page_words("de", None).say("hold_text") in page, "that there is one is told"


def test_what_has_to_be_said_of_the_data_is_that_of_this_person(
    any_runtime: Runtime, any_caller: Caller
) -> None:
    known(any_caller)
    page, document = made(any_runtime, any_caller)
    about = {each["data_class"]: each for each in document["about"]}
    ids = {each["id"]: each["lawful_basis"] for each in about["contact_details"]["purposes"]}
    assert ids["newsletter"] == "consent", "consented to"
    assert not {"marketing", "events", "service", "segmentation"} & set(ids), "no yes, no contract, objected"
    assert {each["id"] for each in about["consent_proofs"]["purposes"]} == {"accountability"}
    rows = {each["data_class"]: each for each in document["held_here"] if each["title"] == "records"}
    (invoice,) = rows["invoices"]["kept"]
    assert rows["invoices"]["rows"][0]["record_id"] == "inv-1"
    assert invoice["kept_until"] is None or invoice["kept_until"] > "2030", "from its own date"
    assert {each["type"] for each in document["rights"]["may_ask_for"]} >= {"erasure", "rectification"}
    for told in ("Art. 77", "Datenschutz-Grundverordnung", "die Löschung Ihrer Daten"):
        assert told in page, told
    assert page_words("de", None).say("automated_none") in page
    assert document["transfers"] == []


def test_only_who_holds_a_class_receives_it_and_abroad_needs_a_safeguard(
    any_runtime: Runtime, any_caller: Caller
) -> None:
    known(any_caller)
    system = {"kind": "manual", "config": {"owner": "staff-7"}, "country": "IN", "processor": "Far Inc",
              "data_classes": ["contact_details"]}  # fmt: skip
    ok(any_caller.put("/v1/systems/far", system))
    asked = {"type": "access", "identities": [{"id": "c9"}], "language": "de"}
    request = ok(any_caller.post("/v1/rights-requests", asked))
    proof = {"identity": request["identities"][0]["id"], "method": "staff", "evidence": {"seen": "passport"}}
    ok(any_caller.post(f"/v1/rights-requests/{request['id']}/verify", proof))
    assert build_packages.run(any_runtime) == 0, "the system has not answered"
    with any_runtime.snapshot("acme", ACTOR) as snap:
        content = package.read(snap, request["id"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        document = json.loads(archive.read("your-data.json"))
    about = {each["data_class"]: each["recipients"] for each in document["about"]}
    assert [each["processor"] for each in about["contact_details"]] == ["Far Inc"]
    assert about["identification"] == []
    assert [(each["country"], each["status"]) for each in document["transfers"]] == [("IN", "not_declared")]
    assert [each["system"] for each in document["not_answered"]] == ["far"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_in_words_of_its_language(runtime: Runtime, caller: Caller, language: str) -> None:
    known(caller)
    page, document = made(runtime, caller, language)
    words = page_words(language, None)
    assert f'<html lang="{language}">' in page
    assert words.say("rights") in page
    assert not re.search(r"\d{4}-\d\d-\d\dT\d\d:", page), "no instant as machines write it"
    assert not re.search(r"<td>(True|False|None)</td>", page)
    assert "legitimate_interests" not in page
    assert "stage_relationship" not in page
    assert page.count("<h1>") == 1
    assert page.count("<table>") == page.count("<thead>")
    names = {name for each in document["held_here"] for row in each["rows"] for name in row}
    assert {name for name in names if name not in words.groups["fields"]} == set()
    assert {each["title"] for each in document["held_here"]} <= set(words.groups["sections"])
    purposes = [one["title"] for each in document["about"] for one in each["purposes"] if one["title"]]
    assert set(purposes) <= set(words.groups["titles"])


def test_a_code_that_nobody_translated_is_quoted() -> None:
    words = page_words("de", None)
    assert words.value("channel", "carrier_pigeon") == "„carrier_pigeon“"
    assert words.value("value", "email") == "email", "an own value is no code"
    assert words.value("proven", True) == "ja"
    assert words.value("occurred_at", "2026-05-17T10:05:59.123456Z") == "17. Mai 2026, 10:05 Uhr UTC"


def test_every_column_about_people_is_shown_or_it_is_said_why_not() -> None:
    personal = re.compile(r"subject_ref|sealed$|^payload$|blind_index|suppression_hash|members")
    known_tables = {each.table.name for each in held_tables.HELD}
    known_tables |= set(held_tables.ELSEWHERE) | set(held_tables.NOT_SHOWN)
    for name, table in metadata.tables.items():
        columns = {column.name for column in table.columns}
        if any(personal.search(each) for each in columns):
            assert name in known_tables, f"say in `held_tables` what the package shows of {name}"
    for held in held_tables.HELD:
        missing = {column.name for column in held.table.columns} - held.accounted
        assert not missing, f"say in `held_tables` what becomes of {held.table.name}: {missing}"


def test_every_shown_column_and_section_has_a_name_in_every_language() -> None:
    columns = {name for held in held_tables.HELD for name in held.shown}
    columns |= {name.removesuffix("_sealed") for held in held_tables.HELD for name in held.sealed}
    for language in LANGUAGES:
        words = page_words(language, None)
        assert columns - set(words.groups["fields"]) == set()
        assert {held.title for held in held_tables.HELD} - set(words.groups["sections"]) == set()
