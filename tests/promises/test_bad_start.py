"""An installation that is not whole stops every command: one sentence, exit code 2, nothing changed."""

import base64
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from governance.bootstrap import COMMAND_LINE, assemble
from governance.commands import main
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange
from governance.vault.model import OPERATIONAL
from tests.postgres import Server
from tests.promises.servers import ROOT, environ_of

MAPPING = ROOT / "governance/commands/demo.mapping.yaml"
PASSWORD = "hunter2-in-the-address"

Fault = Callable[[Settings], dict[str, str]]
"""Breaks an installation; gives the settings to change."""


def database(settings: Settings) -> Path:
    return settings.data_dir / "governance.db"


def keyring(settings: Settings) -> Path:
    return settings.data_dir / "keyring.db"


def rubbish(path: Path) -> dict[str, str]:
    path.write_bytes(b"this is no database" * 1000)
    return {}


def wrong_root_key(settings: Settings) -> dict[str, str]:
    settings.root_key_file.write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    return {}


def missing_root_key(settings: Settings) -> dict[str, str]:
    settings.root_key_file.unlink()
    return {}


def readable_root_key(settings: Settings) -> dict[str, str]:
    settings.root_key_file.chmod(0o644)
    return {}


def malformed_root_key(settings: Settings) -> dict[str, str]:
    settings.root_key_file.write_text("secret\n")
    return {}


def missing_keyring(settings: Settings) -> dict[str, str]:
    keyring(settings).unlink()
    return {}


def empty_keyring(settings: Settings) -> dict[str, str]:
    keyring(settings).write_bytes(b"")
    return {}


def missing_database(settings: Settings) -> dict[str, str]:
    database(settings).unlink()
    return {}


def unmigrated_database(settings: Settings) -> dict[str, str]:
    database(settings).write_bytes(b"")
    return {}


def older_database(settings: Settings) -> dict[str, str]:
    with sqlite3.connect(database(settings)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    return {}


def missing_decision_log(settings: Settings) -> dict[str, str]:
    (settings.data_dir / "decisions.db").unlink()
    return {}


def nothing_there(settings: Settings) -> dict[str, str]:
    shutil.rmtree(settings.data_dir)
    return {}


def setting(**changes: str) -> Fault:
    return lambda _: changes


FAULTS: dict[str, tuple[Fault, str]] = {
    "wrong root key": (wrong_root_key, "root.key is not the one"),
    "missing root key": (missing_root_key, "root.key is missing"),
    "root key open to others": (readable_root_key, "chmod 600"),
    "malformed root key": (malformed_root_key, "32 bytes as base64"),
    "missing keyring": (missing_keyring, "keyring.db is missing"),
    "empty keyring": (empty_keyring, "is not set up"),
    "rubbish for a keyring": (lambda settings: rubbish(keyring(settings)), "cannot be opened"),
    "missing database": (missing_database, "There is no database yet; run `governance init`"),
    "unmigrated database": (unmigrated_database, "run `governance init`"),
    "older database": (older_database, "run `governance init`"),
    "rubbish for a database": (lambda settings: rubbish(database(settings)), "check GOVERNANCE_DATABASE_URL"),
    "missing decision log": (missing_decision_log, "run `governance init`"),
    "nothing there": (nothing_there, "governance init"),
    "address that is none": (setting(GOVERNANCE_DATABASE_URL="nonsense"), "GOVERNANCE_DATABASE_URL"),
    "empty address": (setting(GOVERNANCE_KEYRING_URL=""), "GOVERNANCE_KEYRING_URL"),
    "database of another kind": (
        setting(GOVERNANCE_DECISION_LOG_URL=f"mysql://root:{PASSWORD}@host/name"),
        "GOVERNANCE_DECISION_LOG_URL",
    ),
    "nobody at the address": (
        setting(GOVERNANCE_DATABASE_URL=f"postgresql://root:{PASSWORD}@127.0.0.1:1/name"),
        "check GOVERNANCE_DATABASE_URL",
    ),
    "number that is none": (setting(GOVERNANCE_TOKEN_LIFETIME="soon"), "GOVERNANCE_TOKEN_LIFETIME"),
    "several settings": (
        setting(GOVERNANCE_PUBLIC_URL="ftp://x", GOVERNANCE_POLICIES_DIR="/does/not/exist"),
        "GOVERNANCE_POLICIES_DIR",
    ),
}
COMMANDS = ("serve", "import", "fsck")


@pytest.fixture
def arguments(tmp_path: Path) -> Callable[[str], list[str]]:
    """The words of a command."""
    people = tmp_path / "people.csv"
    people.write_text("Lead Id\n1\n")
    known = {
        "serve": ["serve", "--port", "1"],
        "import": ["import", "subjects", str(people), "--mapping", str(MAPPING), "--tenant", "acme"],
        "fsck": ["fsck"],
        "init": ["init", "--tenant", "acme"],
        "jobs": ["jobs", "run", "seal-checkpoint"],
    }
    return lambda command: known[command]


@pytest.fixture(autouse=True)
def _never_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(*_: object) -> None:
        raise AssertionError("the server was started")

    monkeypatch.setattr(os, "execv", execute)


def refuses(words: list[str], environ: dict[str, str], hint: str) -> None:
    """Run a command in this process; see that it stops with one sentence that holds the hint."""
    result = CliRunner().invoke(main, words, env=environ)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    is_one_sentence(result.exit_code, result.stdout, result.stderr, hint)


def is_one_sentence(code: int, stdout: str, stderr: str, hint: str) -> None:
    assert code == 2, (code, stdout, stderr)
    assert stdout == ""
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("governance: "), stderr
    assert stderr.endswith(".\n"), stderr
    assert not re.search(r"[.!?] [A-Z]", stderr), stderr
    assert hint in stderr, stderr
    assert PASSWORD not in stderr
    assert "Traceback" not in stderr


def contents(settings: Settings) -> dict[str, bytes]:
    """The files of an installation, and what they hold (opening an empty database writes its header)."""
    files = sorted(settings.data_dir.glob("*"))
    empty = [path.name for path in files if path.suffix == ".db" and path.stat().st_size <= 4096]
    return {path.name: b"" if path.name in empty else path.read_bytes() for path in files}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_installation_stops_with_one_sentence(
    fault: str,
    command: str,
    make_settings: Callable[[str], Settings],
    arguments: Callable[[str], list[str]],
) -> None:
    settings = make_settings("sqlite")
    breaks, hint = FAULTS[fault]
    environ = environ_of(settings) | breaks(settings)
    before = contents(settings)
    refuses(arguments(command), environ, hint)
    assert contents(settings) == before


@pytest.mark.parametrize("command", [*COMMANDS, "jobs", "init"])
def test_a_real_process_stops_with_one_sentence(
    command: str, make_settings: Callable[[str], Settings], arguments: Callable[[str], list[str]]
) -> None:
    settings = make_settings("sqlite")
    wrong_root_key(settings)
    done = subprocess.run(
        [sys.executable, "-m", "governance", *arguments(command)],
        env=environ_of(settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    is_one_sentence(done.returncode, done.stdout, done.stderr, "root.key is not the one")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_real_processes_wait_for_the_replay_after_a_backup_came_back(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    """As a restore leaves it: the keyring says that a person's keys were destroyed, the record is there."""
    settings = make_settings(kind)
    runtime = assemble(settings)
    try:
        with runtime.work("acme", COMMAND_LINE) as work:
            change = SubjectChange((Identifier("email", "anna@example.org"),), relationship="lead")
            ref = subjects.put(work, "crm-1", change).subject_ref
        runtime.vault.shred("acme", ref, OPERATIONAL, runtime.clock())
    finally:
        runtime.close()

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "governance", *words],
            env=environ_of(settings),
            capture_output=True,
            text=True,
            timeout=60,
        )

    for words in (["serve", "--port", "1"], ["jobs"], ["jobs", "run", "seal-checkpoint"]):
        done = run(*words)
        is_one_sentence(done.returncode, done.stdout, done.stderr, "run `governance erasures replay`")
    replayed = run("erasures", "replay")
    assert (replayed.returncode, replayed.stdout) == (0, "1 persons erased again.\n"), replayed.stderr
    assert run("jobs", "run", "seal-checkpoint").returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", ["unmigrated", "missing", "older"])
def test_a_postgresql_database_that_is_not_ready_stops_with_one_sentence(
    fault: str,
    command: str,
    make_settings: Callable[[str], Settings],
    arguments: Callable[[str], list[str]],
    postgres: Server,
) -> None:
    settings = make_settings("postgresql")
    made = ""
    hint = "run `governance init` to bring it up to date"
    if fault == "older":
        postgres_database = settings.database_url.partition("?")[0].rpartition("/")[2]
        postgres.execute_in(postgres_database, "UPDATE alembic_version SET version_num = '0000'")
    elif fault == "unmigrated":
        made = postgres.create()
        settings = replace(settings, database_url=postgres.url(made))
    else:
        hint = "check GOVERNANCE_DATABASE_URL"
        settings = replace(settings, database_url=postgres.url("nobody_made_this"))
    try:
        refuses(arguments(command), environ_of(settings), hint)
    finally:
        if made:
            postgres.drop(made)


@pytest.mark.parametrize("gone", [missing_keyring, empty_keyring], ids=["missing", "empty"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_init_makes_no_new_keys_for_a_database_in_use(
    kind: str, gone: Fault, make_settings: Callable[[str], Settings], arguments: Callable[[str], list[str]]
) -> None:
    """New keys would find no suppression again: people who opted out could be written to."""
    settings = make_settings(kind)
    gone(settings)
    before = contents(settings)
    refuses(arguments("init"), environ_of(settings), "keyring of this database is missing")
    assert contents(settings) == before


@pytest.mark.parametrize(
    "fault", ["wrong root key", "missing root key", "rubbish for a keyring", "address that is none"]
)
def test_init_refuses_what_it_cannot_put_right(
    fault: str, make_settings: Callable[[str], Settings], arguments: Callable[[str], list[str]]
) -> None:
    settings = make_settings("sqlite")
    breaks, _ = FAULTS[fault]
    environ = environ_of(settings) | breaks(settings)
    before = contents(settings)
    refuses(arguments("init"), environ, "")
    assert contents(settings) == before


@pytest.mark.parametrize("fault", [nothing_there, older_database, missing_decision_log])
def test_init_puts_right_what_it_can(
    fault: Fault, make_settings: Callable[[str], Settings], arguments: Callable[[str], list[str]]
) -> None:
    settings = make_settings("sqlite")
    if fault is older_database:  # there is no older schema yet: what was never made is made
        database(settings).unlink()
        keyring(settings).unlink()
    else:
        fault(settings)
    environ = environ_of(settings)
    for words in (arguments("init"), arguments("init"), ["fsck"]):
        result = CliRunner().invoke(main, words, env=environ)
        assert result.exit_code == 0, result.stderr
