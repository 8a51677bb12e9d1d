"""`governance evidence`: the proof of one message or one person, checked offline."""

from pathlib import Path

import click

from governance.commands.console import json_option, say
from governance.communications.evidence_check import check_evidence
from governance.reports.person_evidence import check_person_evidence, is_person_evidence


@click.group()
def evidence() -> None:
    """The evidence of one message or one person."""


@evidence.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--vkey", default=None, help="The log's public key as you hold it; default: the one in the file."
)
@json_option
def verify(file: Path, vkey: str | None, as_json: bool) -> None:
    """Check the evidence of a message or a person offline, with public keys only."""
    raw = file.read_bytes()
    if is_person_evidence(raw):
        _person(raw, vkey, as_json)
        return
    result = check_evidence(raw, vkey=vkey)
    for problem in result.problems:
        click.echo(problem, err=True)
    key = "the key you gave" if vkey else "the key in the file (compare it with one you obtained elsewhere)"
    say(
        as_json,
        {
            "ok": result.ok,
            "problems": list(result.problems),
            "message": result.message,
            "events": result.events,
        },
        f"The evidence of {result.message} verifies with {key}: {result.events} events of the signed ledger."
        if result.ok
        else "This evidence does not verify.",
    )
    if not result.ok:
        raise SystemExit(1)


def _person(raw: bytes, vkey: str | None, as_json: bool) -> None:
    found = check_person_evidence(raw, vkey=vkey)
    for problem in found.problems:
        click.echo(problem, err=True)
    key = "the key you gave" if vkey else "the key in the file (compare it with one you obtained elsewhere)"
    say(
        as_json,
        {
            "ok": found.ok,
            "problems": list(found.problems),
            "entries": found.entries,
            "messages": found.messages,
        },
        f"{found.entries} entries about this person and {found.messages} messages verify with {key}."
        if found.ok
        else "This evidence does not verify.",
    )
    if not found.ok:
        raise SystemExit(1)
