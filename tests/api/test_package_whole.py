"""Every table that the package shows is filled for one person, who then finds in it all that is theirs."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.decisions.service import DecisionLog
from governance.decisions.store import decision, logged_decision
from governance.rights import held_tables, package
from governance.rights import service as rights
from governance.rights.held_tables import HELD, Held
from governance.subjects import service as subjects
from governance.subjects.store import contact_point
from governance.vault import keyring
from governance.vault.keyring import keyring_engine, subject_key
from governance.vault.model import EVIDENCE
from governance.work import Snapshot
from retention_jobs import build_packages, tell_recipients
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR, HandClock
from tests.fixtures.whole_person import STAFF, Life, live, written

CODES_ONLY = frozenset(
    {"subject_stage", "inactivity_review", "consent_confirmation", "consent_reconfirmation", "consent_expiry",
     "register_check", "preference_link", "cap_counter", "decision", "erasure"}
)  # fmt: skip
"""Shown tables in which people write nothing: codes, dates and numbers; their rows are counted."""

READ_ELSEWHERE = {"rights_request": "requests", "rights_identity": "requests", "rights_letter": "letters",
                  "rights_correction": "requests", "rights_recipient": "told", "ledger_entry": "acts",
                  "legal_hold": "holds"}  # fmt: skip
"""The section that shows a table which other code of the package reads."""


@pytest.fixture
def lives(any_runtime: Runtime, any_caller: Caller, clock: HandClock) -> dict[str, Life]:
    second = Caller(any_caller.client, new_component(any_runtime))
    return live(any_runtime, clock, any_caller, second, "anna", "dora")


def packaged(runtime: Runtime, life: Life) -> str:
    """Ask for access as this person, have what lies on paper looked for; gives the request's id."""
    asked = {"type": "access", "identities": [{"id": life.name}], "language": "en"}
    made = life.ask("post", "/v1/rights-requests", asked)
    proof = {"identity": made["identities"][0]["id"], **STAFF}
    life.ask("post", f"/v1/rights-requests/{made['id']}/verify", proof)
    build_packages.run(runtime)
    found = {"data_class": "support_cases", "table": "folder", "row": "1",
             "values": {"note": life.text("system", "item")}}  # fmt: skip
    for task in life.ask("get", "/v1/tasks")["items"]:
        if task["verb"] == "collect":
            done = {"evidence": {"text": "Looked."}, "steps": [], "items": [found]}
            life.ask("post", f"/v1/tasks/{task['id']}/done", done)
    build_packages.run(runtime)
    return str(made["id"])


def opened(runtime: Runtime, request_id: str) -> tuple[str, dict[str, Any]]:
    with runtime.snapshot("acme", ACTOR) as snap:
        content = package.read(snap, request_id)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("your-data.html").decode(), json.loads(archive.read("your-data.json"))


def rows_of(document: dict[str, Any], title: str) -> list[dict[str, Any]]:
    return [row for each in document["held_here"] if each["title"] == title for row in each["rows"]]


def counted(snap: Snapshot, held: Held, ref: str) -> int:
    """How many rows of a table are about a person."""
    keys, at = [ref], contact_point.c
    if held.by == "suppression_hash":
        hashes = sa.select(at.suppression_hash).where(at.subject_ref == ref)
        keys = list(snap.connection.scalars(hashes))
    query = sa.select(sa.func.count()).select_from(held.table).where(held.table.c[held.by].in_(keys))
    count = snap.connection.scalar(query) or 0
    if held.table is decision:
        logged = sa.select(sa.func.count()).where(logged_decision.c.subject_ref == ref)
        with snap.resource(DecisionLog).engine.connect() as connection:
            count += connection.scalar(logged) or 0
    return count


def faults(snap: Snapshot, life: Life, document: dict[str, Any], page: str) -> Iterator[str]:
    """What is not in the package of a person, or was not lived through."""
    ref = subjects.get(snap, life.name).subject_ref
    for held in HELD:
        name, rows = held.table.name, rows_of(document, held.title)
        if not rows:
            yield f"{name}: fill a row in `whole_person`, as the package shows this table"
        if len(rows) != counted(snap, held, ref):
            yield f"{name}: {len(rows)} rows are shown of {counted(snap, held, ref)}"
        if name not in CODES_ONLY and not any(table == name for table, _ in life.canaries):
            yield f"{name}: write a canary to it in `whole_person`"
        for member in (each.removesuffix("_sealed") for each in held.sealed):
            if not any(member in row for row in rows):
                yield f"{name}.{member} is sealed, and shown in no row"
    titles = {held.table.name: held.title for held in HELD} | READ_ELSEWHERE
    for title in READ_ELSEWHERE.values():
        if not rows_of(document, title):
            yield f"{title}: fill a row in `whole_person`"
    for (table, member), canary in life.canaries.items():
        where = rows_of(document, titles[table]) if table in titles else document["systems"]
        if canary not in written(where):
            yield f"{table}.{member} is not in your-data.json"
        if canary not in page:
            yield f"{table}.{member} is not in your-data.html"


def test_what_is_in_any_table_shown_is_in_the_package_of_that_person_only(
    any_runtime: Runtime, lives: dict[str, Life]
) -> None:
    assert set(READ_ELSEWHERE) == set(held_tables.ELSEWHERE), "say which section shows a table"
    anna, dora = lives["anna"], lives["dora"]
    purpose = {"title": "Credit scoring", "owner": "o", "lawful_basis": "legal_obligation",
               "data_classes": ["identification"], "message_classes": [], "solely_automated": True,
               }  # fmt: skip
    anna.ask("put", "/v1/purposes/scoring", purpose)
    tell_recipients.run(any_runtime)
    request_id = packaged(any_runtime, anna)
    page, document = opened(any_runtime, request_id)
    assert document["unreadable"] == 0
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert list(faults(snap, anna, document, page)) == []
        state = rights.open_dossier(snap, request_id).request
        assert (state.state, state.waits_for) == ("fulfilled", None)
    text = written(document)
    assert [each["id"] for each in document["automated_decisions"]["solely_automated"]] == ["scoring"]
    assert "Credit scoring" in page
    assert [own for own in (anna.email, anna.phone, "1980-05-17") if own not in text] == []
    others = (*dora.canaries.values(), dora.email, dora.phone, "dora", *dora.hidden, *anna.hidden)
    assert [each for each in others if each in text or each in page] == []


@pytest.mark.by_hand
def test_a_value_whose_key_is_lost_is_told_and_one_whose_key_was_destroyed_is_gone(
    any_runtime: Runtime, any_caller: Caller, clock: HandClock
) -> None:
    life = Life(any_runtime, clock, any_caller, any_caller, "anna")
    person = {"attributes": {"country": "DE"}, "identifiers": [{"type": "email", "value": life.email}]}
    life.ask("put", "/v1/subjects/anna", person)
    life.consented("newsletter", "evidence")
    with any_runtime.snapshot("acme", ACTOR) as snap:
        ref = subjects.get(snap, "anna").subject_ref
    engine = keyring_engine(any_runtime.settings.keyring_url)
    at = subject_key.c
    with keyring.writing(engine) as connection:
        connection.execute(sa.delete(subject_key).where(at.subject_ref == ref, at.kind == EVIDENCE))
    engine.dispose()
    request_id = packaged(any_runtime, life)
    page, document = opened(any_runtime, request_id)
    (consents,) = [each for each in document["held_here"] if each["title"] == "consents"]
    assert consents["unreadable"] == [["evidence"]]
    assert document["unreadable"] == page.count("This could not be read.") == 1
    assert "Details here that could not be read: 1." in page
    with any_runtime.snapshot("acme", ACTOR) as snap:
        state = rights.open_dossier(snap, request_id).request
        assert (state.state, state.waits_for) == ("in_progress", "package-incomplete")
    any_runtime.vault.shred("acme", ref, EVIDENCE, clock.at)
    assert build_packages.run(any_runtime) == 1
    page, document = opened(any_runtime, request_id)
    assert document["unreadable"] == 0
    assert "could not be read" not in page
