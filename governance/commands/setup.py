"""`governance init` and `governance client`: an installation, and components that may call it."""

import click

from governance.access import service as access
from governance.bootstrap import COMMAND_LINE, assemble, initialise
from governance.commands.console import json_option, opened, say, settings, tenant_option
from governance.subjects.places import check_country


@click.command()
@tenant_option
@click.option("--name", default=None, help="The controller's name; default: the tenant's id.")
@click.option("--country", default=None, help="Where it is established (ISO 3166-1 alpha-2).")
@click.option("--address", default=None, help="Its postal address, for messages that must carry one.")
@json_option
def init(tenant: str, name: str | None, country: str | None, address: str | None, as_json: bool) -> None:
    """Make or upgrade the installation: keys, database, first tenant, shipped policies. Safe to repeat."""
    chosen = settings()
    established = None if country is None else check_country(country)
    initialise(chosen)
    runtime = assemble(chosen)
    try:
        created = tenant not in runtime.tenant_ids()
        if created:
            runtime.create_tenant(tenant, name=name or tenant, country=established, address=address)
    finally:
        runtime.close()
    say(
        as_json,
        {"data_dir": str(chosen.data_dir), "tenant": tenant, "created": created},
        f"Ready in {chosen.data_dir}: tenant {tenant!r} {'created' if created else 'was there already'}.",
    )


@click.group()
def client() -> None:
    """Components that may call the service."""


@client.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="A scope, or several with spaces between."
)
@tenant_option
@json_option
def create(name: str, scopes: tuple[str, ...], tenant: str, as_json: bool) -> None:
    """Register a component; its secret is printed once and kept nowhere."""
    wanted = [scope for given in scopes for scope in given.split()]
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        made = access.create_client(work, name=name, scopes=wanted)
    say(
        as_json,
        {
            "client_id": made.component.client_id,
            "client_secret": made.secret,
            "scopes": wanted,
            "tenant": tenant,
        },
        f"client_id      {made.component.client_id}\nclient_secret  {made.secret}\n"
        "Keep the secret now: it is not stored and cannot be shown again.",
    )
