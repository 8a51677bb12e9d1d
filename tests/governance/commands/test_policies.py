"""`governance policies test` and `adopt`."""

from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from governance.bootstrap import COMMAND_LINE
from governance.policy import service
from tests.governance.commands.conftest import CommandLine
from tests.promises.servers import ROOT

PACK = "communications/us-can-spam.yaml"
CASES = "communications/us-can-spam.cases.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the tenant's own packs: so far a copy of one that is shipped."""
    own = tmp_path / "own"
    (own / "communications").mkdir(parents=True)
    for name in (PACK, CASES):
        (own / name).write_text((ROOT / "policies" / name).read_text())
    return own


def active(cli: CommandLine) -> str:
    """The digest in force."""
    runtime = cli.runtime()
    try:
        with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
            connection: Connection = snapshot.connection
            return service.active(connection, "acme", snapshot.now).digest
    finally:
        runtime.close()


def test_the_shipped_cases_hold(cli: CommandLine) -> None:
    told = cli.json("policies", "test")
    assert told["ok"]
    assert told["cases"] > 100
    assert told["failed"] == 0


def test_a_typing_error_is_named_with_file_line_and_the_nearest_name(cli: CommandLine, folder: Path) -> None:
    text = (folder / PACK).read_text()
    (folder / PACK).write_text(text.replace("consent.status: granted", "consent.statis: granted", 1))
    line = 1 + text[: text.index("consent.status: granted")].count("\n")
    told = cli.json("policies", "test", folder, code=1)
    assert not told["ok"]
    (problem,) = [each for each in told["problems"] if f"{PACK}:{line}:" in each]
    assert "did you mean 'consent.status'?" in problem
    before = active(cli)
    refused = cli.run("policies", "adopt", folder, "--tenant", "acme", code=2)
    assert f"{PACK}:{line}:" in refused.stderr
    assert active(cli) == before


def test_a_case_that_fails_is_named(cli: CommandLine, folder: Path) -> None:
    text = (folder / CASES).read_text()
    (folder / CASES).write_text(text.replace("forbids: []", "forbids: [objection]", 1))
    result = cli.run("policies", "test", folder, code=1)
    assert "an e-mail advertisement to somebody with no record at all" in result.stderr + result.stdout
    assert cli.json("policies", "test")["ok"]


def test_adopting_puts_in_force_and_is_an_event(any_cli: CommandLine, folder: Path) -> None:
    before = active(any_cli)
    text = (folder / PACK).read_text()
    (folder / PACK).write_text(text.replace("title: ", "title: Changed ", 1))
    adopted = any_cli.json("policies", "adopt", folder, "--tenant", "acme")
    assert adopted["digest"] == active(any_cli)
    assert adopted["digest"] != before
    assert any_cli.json("fsck")["ok"]


def test_adopting_for_nobody_is_refused(cli: CommandLine) -> None:
    assert "does not exist" in cli.run("policies", "adopt", "--tenant", "nobody", code=2).stderr


def test_a_draft_that_no_policy_may_be_is_shown_by_the_test_and_not_adopted(
    cli: CommandLine, folder: Path
) -> None:
    """Also where only an exception for one person would show it: the overridable is taken away."""
    name = "communications/everywhere.yaml"
    text = (ROOT / "policies" / name).read_text()
    rule = "  - id: withdrawn-means-no\n    effect: forbid\n"
    assert text.count(rule) == 1
    (folder / name).write_text(text.replace(rule, f"{rule}    overridable: true\n"))
    told = cli.json("policies", "test", folder, code=1)
    assert (told["ok"], told["failed"]) == (False, 0)
    sentences = [one["sentence"] for one in told["counter_examples"]]
    assert any("without the forbids that may be overridden" in one for one in sentences)
    assert all("No policy may do that" in one for one in sentences)
    before = active(cli)
    refused = cli.run("policies", "adopt", folder, "--tenant", "acme", code=2)
    assert sentences[0] in refused.stderr
    assert active(cli) == before
