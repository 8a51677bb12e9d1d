"""Every command: `--json`, `--help`, and the exit codes 0, 1 and 2."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from governance.commands import main
from tests.promises.servers import ROOT


def leaves(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that lead to it."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        words = (*before, name)
        found += leaves(command, words) if isinstance(command, click.Group) else [(words, command)]
    return found


LEAVES = leaves(main)
TALKS_ITSELF = {("serve",), ("jobs",), ("demo",), ("demo-data",)}


def test_the_commands_of_the_contract_are_there() -> None:
    names = {" ".join(words) for words, _ in LEAVES}
    assert names >= {
        "init",
        "client create",
        "serve",
        "jobs",
        "demo",
        "demo-data",
        "import subjects",
        "policies test",
        "policies adopt",
        "audit export",
        "audit verify",
        "fsck",
    }


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=[" ".join(words) for words, _ in LEAVES])
def test_every_command_explains_itself_and_takes_json(words: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    if words not in TALKS_ITSELF:
        assert any("--json" in parameter.opts for parameter in command.params)
    if words != ("jobs",):  # hands all its words over
        result = CliRunner().invoke(main, [*words, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.stdout


@pytest.mark.parametrize(
    "words", [["bogus"], ["fsck", "--bogus"], ["audit"], ["import", "subjects", "/nope"]]
)
def test_what_cannot_be_run_exits_with_2_and_explains_itself_on_standard_error(words: list[str]) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert result.stderr
    assert result.stdout == ""


def test_the_program_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "governance", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "version" in done.stdout
