"""`governance audit` and `governance fsck`: green as long as nobody lays hands on the database, red after."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE
from governance.communications import gate
from governance.communications.model import read_check
from governance.settings import Settings
from governance.subjects.service import SubjectReference
from tests.governance.commands.conftest import CommandLine
from tests.promises.servers import ROOT

MAPPING = ROOT / "governance/commands/demo.mapping.yaml"


def fill(cli: CommandLine, folder: Path) -> None:
    """Take in a few people and ask about some of them, then seal what was decided."""
    file = folder / "people.csv"
    cli.run("demo-data", "--subjects", "90", "--output", file)
    cli.run("import", "subjects", file, "--mapping", MAPPING, "--tenant", "acme")
    runtime = cli.runtime()
    question = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        asked = [
            gate.check(snapshot, read_check(SubjectReference(id=f"lead-{number:06d}"), question))
            for number in range(1, 6)
        ]
    runtime.decision_log.append("acme", asked)
    with runtime.work("acme", COMMAND_LINE) as work:
        assert runtime.decision_log.seal_batch(work)
    runtime.close()
    cli.run("audit", "export", "--output", folder / "first.ndjson", "--tenant", "acme")


@pytest.fixture
def filled(cli: CommandLine, tmp_path: Path) -> CommandLine:
    fill(cli, tmp_path)
    return cli


def test_an_export_verifies_offline_and_says_how_many_entries_it_holds(
    any_cli: CommandLine, tmp_path: Path
) -> None:
    fill(any_cli, tmp_path)
    file = tmp_path / "audit.ndjson"
    told = any_cli.json("audit", "export", "--output", file, "--tenant", "acme")
    assert told == {"file": str(file), "entries": len(file.read_text().splitlines()) - 1}
    verified = any_cli.json("audit", "verify", file)
    assert verified == {"ok": True, "problems": [], "size": told["entries"]}
    assert json.loads(file.read_text().splitlines()[-1])["checkpoint"]


def test_an_export_to_standard_output_is_the_same(filled: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    filled.run("audit", "export", "--output", file, "--tenant", "acme")
    printed = filled.run("audit", "export", "--tenant", "acme").stdout
    assert printed.splitlines()[:-1] == file.read_text().splitlines()[:-1]


def test_an_export_verifies_where_nothing_is_installed(filled: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    filled.run("audit", "export", "--output", file, "--tenant", "acme")
    shutil.rmtree(filled.settings.data_dir)
    assert filled.json("audit", "verify", file)["ok"]


@pytest.mark.parametrize("edit", ["changed", "removed", "added", "cut"])
def test_an_edited_export_does_not_verify(filled: CommandLine, tmp_path: Path, edit: str) -> None:
    file = tmp_path / "audit.ndjson"
    filled.run("audit", "export", "--output", file, "--tenant", "acme")
    lines = file.read_text().splitlines(keepends=True)
    if edit == "changed":
        lines[4] = lines[4].replace("subject.created", "subject.updated").replace("purpose.", "purpoze.")
    elif edit == "removed":
        del lines[4]
    elif edit == "added":
        lines.insert(4, lines[3])
    else:
        lines = lines[:-1]
    assert lines != file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines))
    told = filled.json("audit", "verify", file, code=1)
    assert not told["ok"]
    assert told["problems"]


def test_another_key_than_the_one_held_does_not_verify(filled: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    filled.run("audit", "export", "--output", file, "--tenant", "acme")
    key = json.loads(file.read_text().splitlines()[-1])["vkey"]
    assert filled.json("audit", "verify", file, "--vkey", key)["ok"]
    other = "governance+01020304+AWDQ0000000000000000000000000000000000000000"
    assert not filled.json("audit", "verify", file, "--vkey", other, code=1)["ok"]


def test_an_export_continues_a_checkpoint_that_was_kept(filled: CommandLine, tmp_path: Path) -> None:
    older, file, kept = tmp_path / "older.ndjson", tmp_path / "audit.ndjson", tmp_path / "kept.txt"
    filled.run("audit", "export", "--output", older, "--tenant", "acme")
    kept.write_text(json.loads(older.read_text().splitlines()[-1])["checkpoint"])
    filled.run("policies", "adopt", "--tenant", "acme")
    filled.run("client", "create", "later", "--scope", "evaluate", "--tenant", "acme")
    filled.run("audit", "export", "--output", file, "--tenant", "acme")
    assert filled.json("audit", "verify", file, "--checkpoint", kept)["ok"]
    assert not filled.json("audit", "verify", older, "--checkpoint", kept)["problems"]


def test_fsck_is_green_on_what_the_service_wrote(any_cli: CommandLine, tmp_path: Path) -> None:
    fill(any_cli, tmp_path)
    assert any_cli.json("fsck") == {"ok": True, "problems": {}}
    assert any_cli.run("fsck").stderr == ""


def by_hand(database: Path, statement: str) -> int:
    """Do what somebody with the database file could do; gives how many rows that touched."""
    connection = sqlite3.connect(database)
    try:
        fences = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in fences.fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        with connection:
            return connection.execute(statement).rowcount
    finally:
        connection.close()


HEAD = "(SELECT max(position) FROM ledger_entry)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET leaf = CAST(replace(leaf, '\"cli\"', '\"cly\"') AS BLOB) WHERE position = 3",
        "UPDATE ledger_entry SET leaf_hash = zeroblob(32) WHERE position = 3",
        "UPDATE ledger_entry SET kind = 'consent.granted' WHERE position = 3",
        "UPDATE ledger_entry SET at = at + 1 WHERE position = 3",
        "DELETE FROM ledger_entry WHERE position = 3",
        f"DELETE FROM ledger_entry WHERE position = {HEAD}",
        f"UPDATE ledger_entry SET position = position + 1 WHERE position = {HEAD}",
        "UPDATE ledger_head SET size = size - 1",
        "UPDATE ledger_head SET root = zeroblob(32)",
        "UPDATE ledger_checkpoint SET note = replace(note, 'governance', 'gouvernance')",
        "DELETE FROM decision_seal",
        "UPDATE decision_seal SET root = replace(root, 'a', 'b')",
        "UPDATE consent_event SET status = 'granted', kind = 'consent' WHERE status = 'withdrawn'",
        "UPDATE consent_event SET occurred_at = occurred_at - 1 WHERE seq = 1",
        "UPDATE consent_event SET proven = 1, by_person = 1",
        "DELETE FROM consent_event WHERE status = 'suppressed'",
        "UPDATE consent_state SET neg_status = NULL WHERE neg_status = 'withdrawn'",
        "UPDATE consent_state SET pos_status = 'granted', pos_seq = 9, pos_by_person = 1",
        "DELETE FROM consent_state WHERE kind = 'suppression'",
        "INSERT INTO consent_state SELECT tenant_id, subject_ref, 'newsletter', controller, channel, topic, "
        "point_ref, 'consent', NULL, NULL, NULL, NULL, 'granted', 1, neg_at, 1, NULL, neg_event_id "
        "FROM consent_state LIMIT 1",
        "UPDATE suppression SET released_at = recorded_at",
        "UPDATE suppression SET event_id = 'evt_0'",
        "UPDATE subject SET subject_ref = 'sub_0' WHERE external_id = 'lead-000001'",
        "DELETE FROM subject WHERE external_id = 'lead-000001'",
        "UPDATE subject SET country = 'US' WHERE country <> 'US'",
        "UPDATE subject SET restricted = 1",
        "UPDATE contact_point SET state = 'closed'",
        "UPDATE relationship_event SET occurred_at = occurred_at - 1",
        "DELETE FROM suppression WHERE scope = 'purpose'",
    ],
)
def test_fsck_is_red_after_a_change_by_hand(filled: CommandLine, statement: str) -> None:
    assert by_hand(filled.settings.data_dir / "governance.db", statement) > 0
    told = filled.json("fsck", code=1)
    assert not told["ok"]
    assert told["problems"]["acme"]
    assert filled.run("fsck", code=1).stderr.startswith("acme: ")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE logged_decision SET allowed = 1 - allowed",
        "UPDATE logged_decision SET codes = ''",
        "DELETE FROM logged_decision WHERE decision_id = (SELECT max(decision_id) FROM logged_decision)",
        "DELETE FROM logged_decision",
    ],
)
def test_fsck_is_red_after_a_change_in_the_decision_log(filled: CommandLine, statement: str) -> None:
    assert by_hand(filled.settings.data_dir / "decisions.db", statement) > 0
    assert filled.json("fsck", code=1)["problems"]["acme"]


def test_fsck_is_red_after_a_change_on_postgresql(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    cli = CommandLine(make_settings("postgresql"))
    fill(cli, tmp_path)
    engine = sa.create_engine(cli.settings.database_url)
    with engine.begin() as connection:
        changed = connection.execute(
            sa.text("UPDATE consent_state SET neg_status = NULL WHERE neg_status = 'withdrawn'")
        )
        assert changed.rowcount > 0
    engine.dispose()
    assert "consent state" in cli.json("fsck", code=1)["problems"]["acme"][0]
