"""`governance tenant …`: create, list, suspend, resume, export, delete; offline checks of what is left."""

import json
from pathlib import Path
from typing import Any

import click

from governance.bootstrap import Runtime
from governance.commands.console import json_option, new_file, opened, say
from governance.commands.setup import sectors_option, tenant_group
from governance.database import for_reading
from governance.errors import InvalidError
from governance.events import Actor
from governance.offboarding import abroad
from governance.offboarding import service as offboarding
from governance.offboarding.model import Checked, check_archive, check_certificate
from governance.subjects.identifiers import check_code
from governance.subjects.places import check_country
from governance.tenants import leaving
from governance.tenants import store as tenants
from governance.tenants.model import GRACE_DAYS, Refusal
from governance.transfers.disclosures import Recipient

__all__ = ["tenant_group"]

_who = click.option("--by", required=True, help="Who does it: an opaque code of a person, such as staff-7.")
_named = click.argument("tenant")
_keys = click.option(
    "--jwks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The service's public keys as you hold them (/.well-known/jwks.json).",
)


def _actor(by: str) -> Actor:
    return Actor(f"operator:{check_code(by, 'by')}", "operator")


@tenant_group.command("create")
@_named
@click.option("--name", default=None, help="The controller's name; default: the tenant's id.")
@click.option("--country", default=None, help="Where it is established (ISO 3166-1 alpha-2).")
@click.option("--address", default=None, help="Its postal address, for messages that must carry one.")
@sectors_option
@json_option
def create(
    tenant: str,
    name: str | None,
    country: str | None,
    address: str | None,
    sectors: tuple[str, ...],
    as_json: bool,
) -> None:
    """Found a tenant, with the shipped catalogue and policies."""
    established = None if country is None else check_country(country, "country")
    with opened() as runtime:
        runtime.create_tenant(
            tenant, name=name or tenant, country=established, address=address, sectors=sectors
        )
    say(as_json, {"tenant": tenant, "state": "active"}, f"The tenant {tenant} is founded.")


@tenant_group.command("list")
@json_option
def every(as_json: bool) -> None:
    """List the tenants and their states."""
    with opened() as runtime, runtime.engine.connect() as plain, for_reading(plain).begin():
        found = tenants.every(plain)
    items = [{"tenant": each.tenant_id, "name": each.name, "state": each.state} for each in found]
    say(
        as_json, {"items": items}, "\n".join(f"{each.tenant_id}  {each.state}  {each.name}" for each in found)
    )


@tenant_group.command("suspend")
@_named
@_who
@json_option
def suspend(tenant: str, by: str, as_json: bool) -> None:
    """Let every gate and route of a tenant say no; what people do for themselves goes on."""
    with opened() as runtime, runtime.work(tenant, _actor(by)) as work:
        state = leaving.suspend(work).state
    say(as_json, {"tenant": tenant, "state": state}, f"The tenant {tenant} is {state}.")


@tenant_group.command("resume")
@_named
@_who
@json_option
def resume(tenant: str, by: str, as_json: bool) -> None:
    """Resume a suspended tenant."""
    with opened() as runtime, runtime.work(tenant, _actor(by)) as work:
        state = leaving.resume(work).state
    say(as_json, {"tenant": tenant, "state": state}, f"The tenant {tenant} is {state}.")


@tenant_group.command("export")
@_named
@_who
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where to.")
@click.option("--reveal-contact-points", is_flag=True, help="With people's contact points IN THE CLEAR.")
@click.option("--country", default=None, help="Where whoever gets it sits; default: where the tenant is.")
@click.option("--recipient", default=None, help="The code by which transfer flows name whoever gets it.")
@json_option
def export(
    tenant: str,
    by: str,
    output: Path,
    reveal_contact_points: bool,
    country: str | None,
    recipient: str | None,
    as_json: bool,
) -> None:
    """Write everything of a tenant into a ZIP that verifies offline; personal values are sealed.

    For somebody in another country only if everybody's data may go there.
    """
    size = 0
    with opened() as runtime:
        _ask(runtime, tenant, _actor(by), country, recipient)
        with new_file(output) as target:
            for part in offboarding.export(runtime, tenant, _actor(by), reveal=reveal_contact_points):
                target.write(part)
                size += len(part)
    say(as_json, {"file": str(output), "bytes": size}, f"{size} bytes written to {output}.")


def _ask(runtime: Runtime, tenant: str, actor: Actor, country: str | None, recipient: str | None) -> None:
    """Stop with the reasons where everybody's data may not go to whoever gets the file."""
    if country is None:
        return
    to = Recipient(check_country(country, "country"), recipient and check_code(recipient, "recipient"))
    refused = abroad.refusal(runtime, tenant, actor, to)
    if refused is not None:
        reasons = [f"{each.code}: {each.text} {each.remedy or ''}" for each in refused.verdict.reasons]
        raise click.ClickException("\n".join([f"Everybody's data may not go to {to.country}.", *reasons]))


@tenant_group.command("delete")
@_named
@_who
@click.option("--approve", is_flag=True, help="Approve what somebody else asked for.")
@click.option("--cancel", is_flag=True, help="Take it back before the grace is over.")
@click.option("--now", is_flag=True, help="Carry it out, once the grace is over (the job does it, too).")
@click.option(
    "--grace-days", default=GRACE_DAYS, show_default=True, help="Between approval and deletion: 1 to 365."
)
@json_option
def delete(
    tenant: str, by: str, approve: bool, cancel: bool, now: bool, grace_days: int, as_json: bool
) -> None:
    """Ask for the deletion of a tenant; a second person approves; after the grace it is carried out."""
    if approve + cancel + now > 1:
        raise click.UsageError("Give one of --approve, --cancel and --now.")
    with opened() as runtime:
        if now:
            done = offboarding.carry_out(runtime, tenant)
            say(as_json, done.document(), done.certificate or "")
            return
        with runtime.work(tenant, _actor(by)) as work:
            if cancel:
                state: dict[str, Any] = {"tenant": tenant, "state": leaving.cancel_deletion(work).state}
            elif approve:
                made = leaving.approve_deletion(work)
                state = {"refused": made.code} if isinstance(made, Refusal) else made.document()
            else:
                state = leaving.ask_deletion(work, grace_days=grace_days).document()
    if "refused" in state:
        raise InvalidError("Whoever asked for the deletion cannot approve it.")
    say(
        as_json,
        state,
        f"{tenant}: {state['state']}" + (f", due {state['due_at']}" if state.get("due_at") else ""),
    )


@tenant_group.command("certificate")
@_named
@json_option
def certificate(tenant: str, as_json: bool) -> None:
    """Print the certificate of a deletion, also of a tenant that is gone."""
    with opened() as runtime:
        found = offboarding.certified(runtime, tenant)
    if found.certificate is None:
        raise InvalidError("This deletion was not carried out, so there is no certificate.")
    say(as_json, found.document(), found.certificate)


@tenant_group.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_keys
@json_option
def verify(file: Path, jwks: Path | None, as_json: bool) -> None:
    """Check an export (ZIP) or a certificate of deletion (needs --jwks) offline, with public keys only."""
    keys = None if jwks is None else _read_keys(jwks)
    with file.open("rb") as content:
        if content.read(2) == b"PK":
            content.seek(0)
            checked = check_archive(content, keys)
        elif keys is None:
            raise click.UsageError("A certificate is checked with the public keys: give --jwks.")
        else:
            checked = check_certificate(file.read_text(encoding="utf-8", errors="replace"), keys)
    _told(checked, as_json, "the keys you gave" if keys else "the keys in the file; compare them with yours")


def _read_keys(path: Path) -> Any:
    """The key set of a file; whether its keys are any good is seen when they are used."""
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        keys = None
    if not isinstance(keys, dict) or not isinstance(keys.get("keys"), list):
        raise InvalidError('The file of public keys is no JSON Web Key Set (`{"keys": [...]}`).')
    return keys


def _told(checked: Checked, as_json: bool, keys: str) -> None:
    for each in checked.problems:
        click.echo(each, err=True)
    document = {"ok": checked.ok, "problems": checked.problems, "claims": checked.claims}
    say(as_json, document, f"It verifies with {keys}." if checked.ok else "It does not verify.")
    if not checked.ok:
        raise SystemExit(1)
