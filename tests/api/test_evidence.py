"""The evidence of a message verifies offline, and nothing in it can be changed unseen."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from governance.commands import main
from governance.communications.evidence_check import MANIFEST, check_evidence, digest
from governance.ledger.note import sign_note
from governance.vault.model import EVIDENCE
from governance.vault.service import Vault
from tests.api.conftest import Caller, new_component


def story(caller: Caller) -> bytes:
    """A consent under a notice, a message, its outcomes: the evidence of the message."""
    notice = {"texts": {"en": "We write to you about our offers.", "de": "Wir schreiben Ihnen Angebote."}}
    assert caller.put("/v1/notices/letter/versions/1", notice).status_code == 201
    person = {"attributes": {"country": "DE"}, "relationship": "lead"}
    person["identifiers"] = [{"type": "email", "value": "anna@example.org"}]  # type: ignore[assignment]
    caller.put("/v1/subjects/crm-1", person)
    consent = {
        "subject": {"id": "crm-1"},
        "purpose": "marketing",
        "channel": "email",
        "status": "granted",
        "method": "web_form",
        "notice": {"id": "letter", "version": "1", "language": "en"},
        "evidence": {"form_url": "https://www.example.org/form", "ip": "192.0.2.7"},
    }
    assert caller.post("/v1/consents", consent).status_code == 201
    message = {"subject": {"id": "crm-1"}, "message_id": "m1", "channel": "email", "purpose": "marketing"}
    assert caller.post("/v1/communications", {**message, "message_class": "promotional"}).status_code == 201
    for outcome in ("delivered", "replied"):
        caller.post("/v1/communications/m1/outcomes", {"outcome": outcome})
    answer = caller.get("/v1/communications/m1/evidence")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    return answer.get_data()


def files_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_it_holds_everything_and_verifies_with_the_public_key_alone(
    any_caller: Caller, any_runtime: Runtime
) -> None:
    raw = story(any_caller)
    vkey = any_runtime.vault.checkpoint_signer("governance").vkey
    result = check_evidence(raw, vkey=vkey)
    assert result.ok, result.problems
    assert result.allowed
    assert result.events == 5, "authorised, two outcomes, the consent, its notice"
    files = files_of(raw)
    (given,) = [json.loads(data) for name, data in files.items() if name.startswith("consent/")]
    assert given["readable"]["evidence"]["ip"] == "192.0.2.7"
    notices = [data for name, data in files.items() if name.startswith("notices/")]
    assert notices == [b"We write to you about our offers."]
    rules = json.loads(files["policy/rules-that-spoke.json"])
    assert rules
    assert all(rule["sentence"] for rule in rules)
    outcomes = json.loads(files["message.json"])["outcomes"]
    assert {each["outcome"] for each in outcomes} == {"delivered", "replied"}
    assert b"anna@example.org" not in b"".join(files.values())


def test_that_it_was_given_is_recorded(caller: Caller) -> None:
    story(caller)
    kinds = [each["kind"] for each in caller.get("/v1/audit/entries?limit=500").get_json()["items"]]
    assert kinds.count("communications.evidence_disclosed") == 1


def test_any_changed_added_or_removed_file_is_found(caller: Caller, runtime: Runtime) -> None:
    files = files_of(story(caller))
    for name, data in files.items():
        changed = bytes([data[0] ^ 1]) + data[1:] if data else b"x"
        assert not check_evidence(zipped({**files, name: changed})).ok, name
        assert not check_evidence(zipped({each: files[each] for each in files if each != name})).ok, name
    assert not check_evidence(zipped({**files, "consent/extra.json": b"{}"})).ok
    assert check_evidence(zipped(files)).ok


def test_a_damaged_or_forged_zip_is_told_so_and_never_breaks_the_check(caller: Caller) -> None:
    raw = story(caller)
    files = files_of(raw)
    random_ = random.Random(20261121)
    for _ in range(300):
        damaged = bytearray(raw)
        for _ in range(random_.randrange(1, 4)):
            damaged[random_.randrange(len(raw))] ^= 1 << random_.randrange(8)
        result = check_evidence(bytes(damaged))
        # What lies in the ZIP beside the files' content (a date, an attribute) is no part of the evidence.
        assert not result.ok or files_of(bytes(damaged)) == files
    for end in (0, 1, 4, 22, 1000, len(raw) // 2, len(raw) - 1):
        assert not check_evidence(raw[:end]).ok


Change = Callable[[dict[str, Any]], None]


def _set(name: str, value: Any) -> Change:
    return lambda document: document.__setitem__(name, value)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("message.json", _set("purpose", "newsletter")),
        ("message.json", _set("outcomes", [{"outcome": "replied", "event_id": "evt_x"}])),
        ("decision.json", _set("codes", ["invented"])),
        ("decision.json", _set("policy", "sha256:" + "0" * 64)),
        ("ledger/proofs.json", _set("size", 1)),
        ("policy/policy.json", _set("title", "another")),
        ("consent/", lambda document: document["readable"].__setitem__("evidence", {})),
        ("consent/", _set("salt", "00" * 32)),
        ("ledger/", lambda document: document["facts"].__setitem__("purpose", "newsletter")),
    ],
)
def test_not_even_who_holds_the_signing_key_can_change_what_the_ledger_committed_to(
    caller: Caller, runtime: Runtime, file: str, change: Change
) -> None:
    files = files_of(story(caller))
    matching = [each for each in sorted(files) if each.startswith(file)]
    name = next(each for each in matching if "proofs" not in each or each == file)
    document = json.loads(files[name])
    change(document)
    files[name] = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    lines = [
        "governance-evidence/1",
        *(f"{digest(files[each])} {each}" for each in sorted(files) if each != MANIFEST),
    ]
    signer = runtime.vault.checkpoint_signer("governance")
    files[MANIFEST] = sign_note("".join(f"{line}\n" for line in lines), signer).encode()
    result = check_evidence(zipped(files), vkey=signer.vkey)
    assert not result.ok
    assert "manifest" not in result.problems[0]


def test_another_key_is_not_trusted(caller: Caller, runtime: Runtime, tmp_path: Path) -> None:
    raw = story(caller)
    from tests.conftest import settings_in

    other = settings_in(tmp_path / "other")
    from governance.bootstrap import initialise

    initialise(other)
    vault = Vault.open(other)
    assert not check_evidence(raw, vkey=vault.checkpoint_signer("governance").vkey).ok
    vault.close()


@pytest.mark.parametrize("raw", [b"", b"no zip", zipped({}), zipped({"message.json": b"{}"})])
def test_what_is_no_evidence_is_told_so(raw: bytes) -> None:
    assert not check_evidence(raw).ok


def test_after_an_erasure_what_was_sealed_is_missing_and_the_rest_still_verifies(
    caller: Caller, runtime: Runtime
) -> None:
    story(caller)
    with runtime.engine.connect() as connection:
        ref = str(connection.exec_driver_sql("SELECT subject_ref FROM subject").scalar())
    runtime.vault.shred("acme", ref, EVIDENCE, runtime.clock())
    raw = caller.get("/v1/communications/m1/evidence").get_data()
    assert check_evidence(raw).ok
    assert not [name for name in files_of(raw) if name.startswith("consent/")]


def test_the_command_checks_a_file(caller: Caller, tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    file.write_bytes(story(caller))
    good = CliRunner().invoke(main, ["evidence", "verify", str(file), "--json"])
    assert (good.exit_code, json.loads(good.stdout)["ok"]) == (0, True)
    file.write_bytes(file.read_bytes()[:-100])
    bad = CliRunner().invoke(main, ["evidence", "verify", str(file)])
    assert bad.exit_code == 1
    assert "does not verify" in bad.stdout


def test_it_wants_the_scope_of_auditors_and_a_message(
    client: FlaskClient, caller: Caller, runtime: Runtime
) -> None:
    assert caller.get("/v1/communications/none/evidence").status_code == 404
    reader = Caller(client, new_component(runtime, "communications:read"))
    assert reader.get("/v1/communications/m1/evidence").status_code == 403
