"""What the commands share: settings, the runtime, and printing for people or as JSON."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from rich.console import Console

from governance.bootstrap import Runtime, assemble
from governance.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def tenant_option(command: Command) -> Command:
    """Give a command `--tenant`."""
    return click.option("--tenant", default="default", show_default=True, help="Whose data.")(command)


def settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environ(os.environ)


@contextmanager
def opened() -> Iterator[Runtime]:
    """The runtime of the installation that the environment names, closed afterwards."""
    runtime = assemble(settings())
    try:
        yield runtime
    finally:
        runtime.close()


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file for its user only, at `path` once it is whole; what stood there before stays until then."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as target:
            part.chmod(0o600)
            yield target
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def console() -> Console:
    """Where to print for people: with colour and frames on a terminal, plain when piped."""
    return Console(highlight=False, soft_wrap=True)


def say(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    """Print the document as JSON, or the sentence."""
    click.echo(json.dumps(document, sort_keys=True) if as_json else sentence)
