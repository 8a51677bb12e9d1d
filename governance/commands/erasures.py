"""`governance erasures`: after a restore, erase again whoever was erased."""

import click

from governance.bootstrap import COMMAND_LINE
from governance.commands.console import json_option, opened, say
from governance.erasure import replay as replaying


@click.group()
def erasures() -> None:
    """Erasures of persons."""


@erasures.command("replay")
@click.option("--dry-run", is_flag=True, help="Only say how many would be erased again.")
@json_option
def replay(dry_run: bool, as_json: bool) -> None:
    """Erase again everybody whom a restored backup brought back. Run it before the service serves."""
    count = 0
    with opened() as runtime:
        for tenant_id in runtime.tenant_ids():
            if dry_run:
                with runtime.snapshot(tenant_id, COMMAND_LINE) as snapshot:
                    count += sum(1 for _ in replaying.due(snapshot))
            else:
                count += replaying.replay(runtime, tenant_id)
    verb = "would be erased again" if dry_run else "erased again"
    say(as_json, {"persons": count, "dry_run": dry_run}, f"{count} persons {verb}.")
