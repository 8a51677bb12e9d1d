"""A tenant from the command line: founded, paused, exported, deleted; and what is said of nonsense."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.settings import Settings
from tests.governance.commands.conftest import CommandLine
from tests.promises.servers import Client, check_body, environ_of, serving, token_from

BY_7, BY_8 = ("--by", "staff-7"), ("--by", "staff-8")


def keys_of(cli: CommandLine, path: Path) -> Path:
    """The public keys as somebody outside holds them."""
    runtime = cli.runtime()
    path.write_text(json.dumps(runtime.vault.public_jwks()))
    runtime.close()
    return path


def as_process(settings: Settings, *words: str | Path) -> tuple[int, str, str]:
    """Run a command as a process of its own: exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "governance", *map(str, words)],
        env=environ_of(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_what_the_command_line_does_holds_at_the_next_request_of_a_serving_process(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = make_settings("sqlite")
    cli = CommandLine(settings)
    cli.run("tenant", "create", "rival", "--country", "US", "--address", "1 Main Street, Springfield")
    scope = "evaluate subjects:write admin"
    made = cli.json("client", "create", "crm", "--tenant", "rival", "--scope", scope)
    with serving(settings, tmp_path / "server.log") as (server,):
        client = Client(server.port, token_from(server.port, made["client_id"], made["client_secret"]))

        def asked() -> Any:
            status, answer = client.call("POST", "/access/v1/evaluation", check_body("crm-1"))
            return answer["decision"] if status == 200 else answer["type"].rsplit("/", 1)[-1]

        assert (
            client.call(
                "PUT", "/v1/subjects/crm-1", {"attributes": {"country": "US"}, "relationship": "lead"}
            )[0]
            == 201
        )
        assert asked() is True
        code, out, err = as_process(settings, "tenant", "suspend", "rival", *BY_7)
        assert (code, out, err) == (0, "The tenant rival is suspended.\n", "")
        assert asked() == "tenant-suspended"
        assert cli.json("tenant", "resume", "rival", *BY_7)["state"] == "active"
        assert asked() is True
        export = tmp_path / "rival.zip"
        assert (
            cli.json("tenant", "export", "rival", *BY_7, "--output", export)["bytes"] == export.stat().st_size
        )
        assert export.stat().st_mode & 0o077 == 0
        cli.run("tenant", "delete", "rival", *BY_7, "--grace-days", "1")
        assert asked() is True, "asking changes nothing"
        cli.run("tenant", "delete", "rival", *BY_8, "--approve")
        assert asked() == "tenant-suspended"
        with sqlite3.connect(settings.data_dir / "governance.db") as day_later:
            day_later.execute("UPDATE tenant_deletion SET due_at = due_at - 86400 * 1000000")
        certificate = cli.run("tenant", "delete", "rival", *BY_8, "--now").stdout
        assert client.call("POST", "/access/v1/evaluation", check_body("crm-1"))[0] == 401
        client.close()
    keys, file = keys_of(cli, tmp_path / "keys.json"), tmp_path / "certificate.jws"
    file.write_text(certificate)
    claims = cli.json("tenant", "verify", file, "--jwks", keys)["claims"]
    assert (claims["tenant_id"], claims["rows_left"]) == ("rival", 0)
    assert (claims["asked_by"], claims["approved_by"]) == ("operator:staff-7", "operator:staff-8")
    assert cli.run("tenant", "certificate", "rival").stdout == certificate
    assert cli.json("tenant", "verify", export, "--jwks", keys)["ok"]
    assert [each["tenant"] for each in cli.json("tenant", "list")["items"]] == ["acme"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "acme"), "The tenant 'acme' exists already."),
        (("create", "Bad Name"), "A tenant id is 1 to 63 characters"),
        (("create", "clinic", "--country", "Germany"), "no ISO 3166-1 alpha-2 country code"),
        (("create", "clinic", "--sector", "mining"), "'mining' is not one of"),
        (("suspend", "acme"), "Missing option '--by'"),
        (("suspend", "acme", "--by", "hans@example.org"), "A code is 1 to 64 characters"),
        (("suspend", "nobody", *BY_7), "This tenant does not exist"),
        (("resume", "acme", *BY_7), "This tenant is active."),
        (("export", "nobody", *BY_7, "--output", "kept.zip"), "This tenant does not exist"),
        (("export", "acme", *BY_7, "--output", "nowhere/x.zip"), "No such file or directory"),
        (("delete", "acme", *BY_7, "--grace-days", "400"), "A grace has 1 to 365 days."),
        (("delete", "acme", *BY_7, "--approve"), "No deletion of this tenant waits for approval."),
        (("delete", "acme", *BY_7, "--cancel"), "No deletion of this tenant can be taken back."),
        (("delete", "acme", *BY_7, "--now"), "The deletion of this tenant is not due."),
        (("delete", "acme", *BY_7, "--now", "--cancel"), "Give one of --approve, --cancel and --now."),
        (("certificate", "acme"), "No deletion of this tenant was ever asked for."),
        (("verify", "kept.zip", "--jwks", "noise"), "no JSON Web Key Set"),
        (("verify", "noise"), "give --jwks"),
        (("verify", "nothing.zip"), "does not exist"),
    ],
)
def test_nonsense_is_answered_with_one_sentence_and_changes_nothing(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kept.zip").write_bytes(b"an export of last year")
    Path("noise").write_bytes(bytes(range(256)))
    before = cli.json("tenant", "show", "--tenant", "acme")
    refused = cli.run("tenant", *words, code=2)
    assert says in refused.stderr
    assert refused.stdout == ""
    assert cli.json("tenant", "show", "--tenant", "acme") == before
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"kept.zip", "noise"}
    assert Path("kept.zip").read_bytes() == b"an export of last year", (
        "what was there stays until all is written"
    )


def test_what_does_not_verify_is_told_apart_from_what_cannot_be_read(
    cli: CommandLine, tmp_path: Path
) -> None:
    keys, other = keys_of(cli, tmp_path / "keys.json"), tmp_path / "other.json"
    other.write_text('{"keys": [{"kty": "EC"}]}')
    export, cut, noise = tmp_path / "acme.zip", tmp_path / "cut.zip", tmp_path / "noise"
    cli.run("tenant", "export", "acme", *BY_7, "--output", export)
    assert "keys you gave" in cli.run("tenant", "verify", export, "--jwks", keys).stdout
    cut.write_bytes(export.read_bytes()[:200])
    noise.write_bytes(bytes(range(256)))
    for file, held in ((export, other), (cut, keys), (noise, keys)):
        told = cli.run("tenant", "verify", file, "--jwks", held, code=1)
        assert told.stdout == "It does not verify.\n"
        assert told.stderr.count("\n") == 1
    cli.run("tenant", "delete", "acme", *BY_7)
    assert "asked for already" in cli.run("tenant", "delete", "acme", *BY_8, code=2).stderr
    assert "cannot approve" in cli.run("tenant", "delete", "acme", *BY_7, "--approve", code=2).stderr
    assert "due 20" in cli.run("tenant", "delete", "acme", *BY_8, "--approve").stdout
    assert "not due" in cli.run("tenant", "delete", "acme", *BY_8, "--now", code=2).stderr
    assert "is leaving" in cli.run("tenant", "resume", "acme", *BY_8, code=2).stderr
    assert "not carried out" in cli.run("tenant", "certificate", "acme", code=2).stderr
    assert cli.json("tenant", "delete", "acme", *BY_8, "--cancel")["state"] == "suspended"
    assert cli.json("tenant", "resume", "acme", *BY_8)["state"] == "active"
