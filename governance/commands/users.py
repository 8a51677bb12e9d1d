"""`governance user`: accounts of people who sign in here. Names and passwords are asked for, never
arguments."""

import sys

import click

from governance.bootstrap import COMMAND_LINE
from governance.callers import users
from governance.callers.user_model import NewUser, totp_uri
from governance.commands.console import json_option, opened, say, tenant_option

_staff = click.argument("staff_id")
_scopes = click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="A scope, or several with spaces between; without any, the account opens what the staff's roles do.",
)


@click.group("user")
def user_group() -> None:
    """Accounts of staff who sign in here; each is named by the company's opaque id of the member of staff."""


@user_group.command("create")
@_staff
@_scopes
@tenant_option
@json_option
def create(staff_id: str, scopes: tuple[str, ...], tenant: str, as_json: bool) -> None:
    """Make an account. Asks for a name to sign in with and a password (or reads both from standard input).

    The key of the codes and the recovery codes are printed once and kept sealed.
    """
    login, password = _ask()
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        made = users.create(work, staff_id=staff_id, login=login, password=password, scopes=_split(scopes))
    _show(made, as_json)


@user_group.command("reset")
@_staff
@tenant_option
@json_option
def reset(staff_id: str, tenant: str, as_json: bool) -> None:
    """Give an account a new name, password and codes; whoever is signed in with it is signed out."""
    login, password = _ask()
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        made = users.reset(work, staff_id, login=login, password=password)
    _show(made, as_json)


@user_group.command("grant")
@_staff
@_scopes
@tenant_option
@json_option
def grant(staff_id: str, scopes: tuple[str, ...], tenant: str, as_json: bool) -> None:
    """Change what an account opens; whoever is signed in with it is signed out."""
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        changed = users.grant(work, staff_id, _split(scopes))
    opens = None if changed.scopes is None else list(changed.scopes)
    sentence = "what the roles open" if opens is None else ", ".join(opens)
    say(as_json, {"staff_id": staff_id, "scopes": opens}, f"{staff_id} may do: {sentence}.")


@user_group.command("disable")
@_staff
@tenant_option
@json_option
def disable(staff_id: str, tenant: str, as_json: bool) -> None:
    """Take an account away; its sessions end at their next request, in every process."""
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        users.disable(work, staff_id)
    say(as_json, {"staff_id": staff_id, "state": "disabled"}, f"{staff_id} can no longer sign in.")


@user_group.command("list")
@tenant_option
@json_option
def list_users(tenant: str, as_json: bool) -> None:
    """List the accounts: who has one, and what it opens. Names to sign in with are not kept in clear."""
    with opened() as runtime, runtime.snapshot(tenant, COMMAND_LINE) as snapshot:
        every = users.every(snapshot)
    items = [
        {
            "staff_id": each.staff_id,
            "user_id": each.user_id,
            "state": each.state,
            "scopes": None if each.scopes is None else list(each.scopes),
        }
        for each in every
    ]
    lines = (f"{each.staff_id}  {each.state}  {' '.join(each.scopes or ('(roles)',))}" for each in every)
    say(as_json, {"users": items}, "\n".join(lines) or "There are no accounts.")


def _ask() -> tuple[str, str]:
    """Ask for name and password; where nobody can be asked, read them as two lines."""
    if sys.stdin.isatty():
        login: str = click.prompt("Name to sign in with")
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return login, password
    return sys.stdin.readline().rstrip("\r\n"), sys.stdin.readline().rstrip("\r\n")


def _split(scopes: tuple[str, ...]) -> list[str]:
    return [scope for given in scopes for scope in given.split()]


def _show(made: NewUser, as_json: bool) -> None:
    uri = totp_uri(made.totp, made.account.staff_id, "Governance")
    say(
        as_json,
        {
            "staff_id": made.account.staff_id,
            "user_id": made.account.user_id,
            "totp_secret": made.totp,
            "totp_uri": uri,
            "recovery_codes": list(made.recovery_codes),
        },
        f"staff_id        {made.account.staff_id}\ntotp_secret     {made.totp}\ntotp_uri        {uri}\n"
        f"recovery_codes  {' '.join(made.recovery_codes)}\n"
        "Hand these over now: they are not shown again.",
    )
