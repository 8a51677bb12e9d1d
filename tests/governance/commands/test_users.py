"""`governance user`: secrets are asked for and shown once; what went wrong is a sentence."""

import json
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from governance.bootstrap import Runtime
from governance.callers import passwords
from governance.commands import main
from tests.promises.servers import environ_of


@pytest.fixture
def run(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    environ = {k: v for k, v in environ_of(runtime.settings).items() if k.startswith("GOVERNANCE_")}

    def run(*arguments: str, typed: str = "", status: int = 0) -> str:
        done = CliRunner().invoke(main, [*arguments, "--tenant", "acme"], input=typed, env=environ)
        assert done.exit_code == status, done.output
        return done.output

    return run  # type: ignore[return-value]


def test_an_account_is_made_changed_reset_listed_and_taken_away(run: object) -> None:
    assert callable(run)
    made = json.loads(
        run("user", "create", "s-1", "--scope", "audit:read", "--json", typed="anna\nfour plain words here\n")
    )
    assert made["totp_uri"].startswith("otpauth://totp/Governance:s-1?secret=" + made["totp_secret"])
    assert len(made["recovery_codes"]) == 10
    assert "s-1  active  audit:read" in run("user", "list")
    assert "access:read" in run("user", "grant", "s-1", "--scope", "access:read audit:read")
    again = json.loads(run("user", "reset", "s-1", "--json", typed="anna\nfive other plain words\n"))
    assert again["totp_secret"] != made["totp_secret"]
    assert "not shown again" in run("user", "create", "s-2", typed="ben\nfour plain words here\n")
    assert "can no longer" in run("user", "disable", "s-1")
    assert "s-1  disabled" in run("user", "list")
    assert "opaque id" in run("user", "create", "a@b.c", typed="x\nfour plain words here\n", status=2)
    assert "12 to 256" in run("user", "create", "s-3", typed="x\nshort\n", status=2)
    assert "no scope" in run("user", "grant", "s-2", "--scope", "everything", status=2)
    assert "no account" in run("user", "disable", "s-9", status=2)


def test_a_console_is_registered_without_a_secret(run: object) -> None:
    assert callable(run)
    at = ("client", "create", "console", "--scope", "audit:read", "--redirect-uri")
    made = json.loads(run(*at, "https://console.example.org/cb", "--json"))
    assert made["client_secret"] is None
    assert "loopback" in run(*at, "http://console.example.org/cb", status=2)
