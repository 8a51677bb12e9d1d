"""`governance init`, `tenant` and `client`: an installation, its controllers, components that may call."""

import click
from click.core import ParameterSource

from governance.bootstrap import COMMAND_LINE, assemble, initialise
from governance.callers import service as callers
from governance.commands.console import json_option, opened, say, settings, tenant_option
from governance.subjects.places import check_country
from governance.tenants import service as tenants
from governance.tenants.model import ASKERS, SECTORS, Tenant

sectors_option = click.option(
    "--sector",
    "sectors",
    multiple=True,
    type=click.Choice(SECTORS),
    help="A sector that it works in, so that the rules of that sector apply; may be given several times.",
)


@click.command()
@tenant_option
@click.option("--name", default=None, help="The controller's name; default: the tenant's id.")
@click.option("--country", default=None, help="Where it is established (ISO 3166-1 alpha-2).")
@click.option("--address", default=None, help="Its postal address, for messages that must carry one.")
@sectors_option
@json_option
def init(
    tenant: str,
    name: str | None,
    country: str | None,
    address: str | None,
    sectors: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make or upgrade the installation: keys, database, first tenant, shipped policies. Safe to repeat."""
    chosen = settings()
    established = None if country is None else check_country(country, "country")
    initialise(chosen)
    runtime = assemble(chosen)
    try:
        created = tenant not in runtime.tenant_ids()
        if created:
            runtime.create_tenant(
                tenant, name=name or tenant, country=established, address=address, sectors=sectors
            )
    finally:
        runtime.close()
    say(
        as_json,
        {"data_dir": str(chosen.data_dir), "tenant": tenant, "created": created},
        f"Ready in {chosen.data_dir}: tenant {tenant!r} {'created' if created else 'was there already'}.",
    )


@click.group("tenant")
def tenant_group() -> None:
    """Who the controller is, and what it declares about itself."""


@tenant_group.command("show")
@click.argument("name", required=False)
@tenant_option
@json_option
def show_tenant(name: str | None, tenant: str, as_json: bool) -> None:
    """Say what is recorded of a tenant: NAME, or that of `--tenant`."""
    given = click.get_current_context().get_parameter_source("tenant") is not ParameterSource.DEFAULT
    if name is not None and given and name != tenant:
        raise click.UsageError("NAME and --tenant name two tenants.")
    tenant = name or tenant
    with opened() as runtime, runtime.snapshot(tenant, COMMAND_LINE) as snapshot:
        found = tenants.get(snapshot)
    _say_tenant(found, as_json)


@tenant_group.command("declare")
@sectors_option
@click.option("--no-sector", is_flag=True, help="None of them.")
@click.option("--askers", type=click.Choice(ASKERS), help="On whose behalf may be asked.")
@tenant_option
@json_option
def declare(
    sectors: tuple[str, ...], no_sector: bool, askers: str | None, tenant: str, as_json: bool
) -> None:
    """Declare the sectors that a tenant works in, in place of those before, or whose questions it answers.

    The next check knows it.
    """
    if (bool(sectors) and no_sector) or not (sectors or no_sector or askers):
        raise click.UsageError("Name the sectors with --sector, or say --no-sector, or say --askers.")
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        if sectors or no_sector:
            changed = tenants.declare_sectors(work, sectors)
        if askers is not None:
            changed = tenants.declare_askers(work, askers)
    _say_tenant(changed, as_json)


def _say_tenant(found: Tenant, as_json: bool) -> None:
    document = {
        "tenant": found.tenant_id,
        "name": found.name,
        "country": found.country,
        "sectors": list(found.sectors),
        "askers": found.askers,
    }
    where = found.country or "not recorded"
    sectors = ", ".join(found.sectors) or "none declared"
    say(
        as_json,
        document,
        f"{found.tenant_id}: {found.name}; country: {where}; sectors: {sectors}; askers: {found.askers}",
    )


@click.group()
def client() -> None:
    """Components that may call the service."""


@client.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="A scope, or several with spaces between."
)
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    help="Where people who sign in through it are led back to, to the letter; it has then no secret.",
)
@tenant_option
@json_option
def create(
    name: str, scopes: tuple[str, ...], redirect_uris: tuple[str, ...], tenant: str, as_json: bool
) -> None:
    """Register a component; its secret is printed once and kept nowhere."""
    wanted = [scope for given in scopes for scope in given.split()]
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        made = callers.create_client(work, name=name, scopes=wanted, redirect_uris=redirect_uris)
    say(
        as_json,
        {
            "client_id": made.component.client_id,
            "client_secret": made.secret,
            "scopes": wanted,
            "tenant": tenant,
        },
        f"client_id      {made.component.client_id}\n"
        + (
            "It has no secret: people sign in through it, with PKCE."
            if made.secret is None
            else f"client_secret  {made.secret}\n"
            "Keep the secret now: it is not stored and cannot be shown again."
        ),
    )
