"""The command line, run in this process on an installation of its own."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from governance.bootstrap import Runtime, assemble
from governance.commands import main
from governance.settings import Settings
from tests.promises.servers import environ_of


@dataclass
class CommandLine:
    """Runs commands on one installation; `settings` are its settings."""

    settings: Settings

    def run(self, *words: str | Path, code: int = 0) -> Result:
        """Run a command and see that it exits with this code, with nothing but sentences for people."""
        result = CliRunner().invoke(main, [str(word) for word in words], env=environ_of(self.settings))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
        assert "Traceback" not in result.output
        return result

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """Run a command with `--json`; gives the one document that it prints."""
        printed = self.run(*words, "--json", code=code).stdout
        assert printed.count("\n") == 1
        return json.loads(printed)

    def runtime(self) -> Runtime:
        """Open the installation; the caller closes it."""
        return assemble(self.settings)


@pytest.fixture
def cli(make_settings: Callable[[str], Settings]) -> CommandLine:
    """The command line on an installation with the tenant `acme`, on SQLite."""
    return CommandLine(make_settings("sqlite"))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_cli(request: pytest.FixtureRequest, make_settings: Callable[[str], Settings]) -> CommandLine:
    """The command line on each database."""
    return CommandLine(make_settings(request.param))


@pytest.fixture
def bare_cli(cli: CommandLine) -> CommandLine:
    """The command line where nothing is installed yet."""
    shutil.rmtree(cli.settings.data_dir)
    return cli
