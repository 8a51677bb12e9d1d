"""What the commands share: settings, the runtime, and printing for people or as JSON."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

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


def console() -> Console:
    """Where to print for people: with colour and frames on a terminal, plain when piped."""
    return Console(highlight=False, soft_wrap=True)


def say(as_json: bool, document: dict[str, Any], sentence: str) -> None:
    """Print the document as JSON, or the sentence."""
    click.echo(json.dumps(document, sort_keys=True) if as_json else sentence)
