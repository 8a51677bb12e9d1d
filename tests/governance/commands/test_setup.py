"""`governance init` and `governance client`."""

import stat

import pytest

from governance.bootstrap import COMMAND_LINE
from governance.callers import service as callers
from governance.ledger import service as ledger
from tests.governance.commands.conftest import CommandLine


def test_init_makes_a_whole_installation_and_may_be_repeated(bare_cli: CommandLine) -> None:
    first = bare_cli.json("init")
    again = bare_cli.json("init")
    assert (first["created"], again["created"]) == (True, False)
    assert first["tenant"] == "default"
    assert first["data_dir"] == str(bare_cli.settings.data_dir)
    runtime = bare_cli.runtime()
    assert runtime.tenant_ids() == ["default"]
    runtime.close()
    assert bare_cli.json("fsck") == {"ok": True, "problems": {}}


def test_init_adds_tenants_side_by_side(any_cli: CommandLine) -> None:
    assert any_cli.json("init", "--tenant", "other", "--country", "DE", "--name", "Andere GmbH")["created"]
    runtime = any_cli.runtime()
    assert runtime.tenant_ids() == ["acme", "other"]
    runtime.close()


def test_the_sectors_of_a_tenant_are_declared_shown_and_taken_back(any_cli: CommandLine) -> None:
    assert any_cli.json("tenant", "show", "--tenant", "acme") == {
        "tenant": "acme",
        "name": "Acme Inc.",
        "country": "US",
        "sectors": [],
        "askers": "anybody",
    }
    sectors = ("--sector", "health", "--sector", "finance", "--sector", "health")
    assert any_cli.json("tenant", "declare", *sectors, "--tenant", "acme")["sectors"] == ["finance", "health"]
    for named in (("acme",), ("--tenant", "acme"), ("acme", "--tenant", "acme")):
        assert any_cli.json("tenant", "show", *named)["sectors"] == ["finance", "health"], named
    assert "two tenants" in any_cli.run("tenant", "show", "acme", "--tenant", "other", code=2).stderr
    assert (
        "sectors: none declared" in any_cli.run("tenant", "declare", "--no-sector", "--tenant", "acme").stdout
    )
    closed = any_cli.json("tenant", "declare", "--askers", "registered", "--tenant", "acme")
    assert (closed["askers"], closed["sectors"]) == ("registered", [])
    assert any_cli.json("fsck")["ok"]
    runtime = any_cli.runtime()
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        entries = ledger.entries(snapshot.connection, "acme", after=-1, limit=500)
    runtime.close()
    declared = [entry.facts for entry in entries if entry.kind == "tenant.sectors_declared"]
    assert declared == [
        {"sectors": ["finance", "health"], "before": []},
        {"sectors": [], "before": ["finance", "health"]},
    ]


def test_a_tenant_is_founded_with_its_sectors(cli: CommandLine) -> None:
    cli.run("init", "--tenant", "clinic", "--sector", "health")
    assert cli.json("tenant", "show", "--tenant", "clinic")["sectors"] == ["health"]


@pytest.mark.parametrize(
    "words",
    [
        ["--sector", "mining"],
        [],
        ["--sector", "health", "--no-sector"],
        ["--askers", "everyone"],
        ["--sector", "health", "--tenant", "none"],
    ],
)
def test_sectors_that_nobody_knows_and_tenants_that_are_none_are_refused(
    cli: CommandLine, words: list[str]
) -> None:
    tenant = [] if "--tenant" in words else ["--tenant", "acme"]
    assert cli.run("tenant", "declare", *words, *tenant, code=2).stderr
    assert cli.json("tenant", "show", "--tenant", "acme")["sectors"] == []


def test_what_init_makes_is_for_its_user_only(bare_cli: CommandLine) -> None:
    bare_cli.run("init")
    folder = bare_cli.settings.data_dir
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes) >= {"governance.db", "keyring.db", "decisions.db", "root.key"}
    assert set(modes.values()) == {0o600}


def test_init_refuses_a_country_that_is_none(bare_cli: CommandLine) -> None:
    said = bare_cli.run("init", "--country", "Atlantis", code=2).stderr
    assert said.startswith("governance: ")


def test_a_component_is_told_its_secret_once_and_it_works(any_cli: CommandLine) -> None:
    made = any_cli.json(
        "client",
        "create",
        "CRM",
        "--scope",
        "evaluate subjects:write",
        "--scope",
        "audit:read",
        "--tenant",
        "acme",
    )
    assert set(made) == {"client_id", "client_secret", "scopes", "tenant"}
    assert made["scopes"] == ["evaluate", "subjects:write", "audit:read"]
    assert len(made["client_secret"]) >= 43
    runtime = any_cli.runtime()
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        found = callers.authenticate(snapshot.connection, made["client_id"], made["client_secret"])
        wrong = callers.authenticate(snapshot.connection, made["client_id"], "x" + made["client_secret"])
    runtime.close()
    assert found is not None
    assert found.scopes == tuple(made["scopes"])
    assert wrong is None
    for path in any_cli.settings.data_dir.rglob("*"):
        assert made["client_secret"].encode() not in path.read_bytes()


def test_for_people_the_secret_is_printed_with_a_warning(cli: CommandLine) -> None:
    printed = cli.run("client", "create", "CRM", "--scope", "evaluate", "--tenant", "acme").stdout
    assert "client_secret" in printed
    assert "Keep the secret now" in printed


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--scope", "bogus"), "There is no scope 'bogus'"),
        (("--scope", "evaluate", "--tenant", "nobody"), "This tenant does not exist"),
        ((), "Missing option '--scope'"),
    ],
    ids=["scope", "tenant", "no scope"],
)
def test_a_component_that_cannot_be_is_refused(cli: CommandLine, words: tuple[str, ...], hint: str) -> None:
    tenant = () if "--tenant" in words else ("--tenant", "acme")
    refused = cli.run("client", "create", "CRM", *words, *tenant, code=2)
    assert hint in refused.stderr
    assert refused.stdout == ""
