"""The command line.

Every command exits 0 on success, 1 when what it checked does not hold, 2 when it could not run.

`--json` prints one JSON document on standard output; what went wrong is one sentence on standard error.
"""

import gc
from collections import UserDict
from importlib import import_module
from typing import Any

import click

from governance.errors import GovernanceError


class _Loading(UserDict[str, Any]):
    """Commands by name, each as the place where it stands until it is asked for.

    Loading all of them is loading half of the service, and whoever calls one waits for that one only.
    """

    def __getitem__(self, name: str) -> Any:
        found = self.data[name]
        if isinstance(found, str):
            module, attribute = found.split(":")
            # What is loaded stays: looking for garbage in it takes a fifth of the time that loading takes.
            collecting = gc.isenabled()
            gc.disable()
            try:
                found = self.data[name] = getattr(import_module(f"governance.commands.{module}"), attribute)
            finally:
                if collecting:
                    gc.enable()
        return found


_COMMANDS = _Loading(
    {
        "init": "setup:init",
        "tenant": "tenancy:tenant_group",
        "client": "setup:client",
        "user": "users:user_group",
        "serve": "serving:serve",
        "jobs": "serving:jobs",
        "demo": "demonstration:demo",
        "demo-data": "demonstration:demo_data",
        "import": "importing:import_group",
        "policies": "policies:policies",
        "audit": "auditing:audit",
        "erasures": "erasures:erasures",
        "evidence": "evidence:evidence",
        "fsck": "auditing:fsck",
    }
)


class _Sentences(click.Group):
    """Turns the errors of the domain, and files that cannot be had, into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GovernanceError as problem:
            click.echo(f"governance: {problem.message}", err=True)
            for path, complaints in getattr(problem, "fields", {}).items():
                click.echo(f"  {path}: {'; '.join(complaints)}", err=True)
            ctx.exit(2)
        except BrokenPipeError:
            ctx.exit(2)
        except OSError as problem:
            if problem.filename is None:
                raise
            click.echo(f"governance: {problem.filename}: {problem.strerror}.", err=True)
            ctx.exit(2)


@click.group(cls=_Sentences, commands=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="governance")
def main() -> None:
    """Consent, access and retention for a CRM: the system of record that says yes or no, and why."""
