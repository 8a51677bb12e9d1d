"""The command line.

Every command exits 0 on success, 1 when what it checked does not hold, 2 when it could not run.

`--json` prints one JSON document on standard output; what went wrong is one sentence on standard error.
"""

from typing import Any

import click

from governance.commands.auditing import audit, fsck
from governance.commands.demonstration import demo, demo_data
from governance.commands.erasures import erasures
from governance.commands.evidence import evidence
from governance.commands.importing import import_group
from governance.commands.policies import policies
from governance.commands.serving import jobs, serve
from governance.commands.setup import client, init
from governance.commands.tenancy import tenant_group
from governance.commands.users import user_group
from governance.errors import GovernanceError


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


@click.group(cls=_Sentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="governance")
def main() -> None:
    """Consent, access and retention for a CRM: the system of record that says yes or no, and why."""


for command in (
    init,
    tenant_group,
    client,
    user_group,
    serve,
    jobs,
    demo,
    demo_data,
    import_group,
    policies,
    audit,
    erasures,
    evidence,
    fsck,
):
    main.add_command(command)
