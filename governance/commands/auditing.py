"""`governance audit` and `governance fsck`: the proof, exported, checked offline, and re-derived."""

import sys
from pathlib import Path
from typing import IO

import click

from governance.bootstrap import COMMAND_LINE
from governance.commands.console import json_option, opened, say, tenant_option
from governance.consent.checking import check as check_consents
from governance.decisions.checking import check as check_decisions
from governance.ledger import service as ledger
from governance.ledger.export import export_lines
from governance.ledger.fsck import fsck as check_ledger
from governance.ledger.part import is_part, verify_part
from governance.ledger.verify import verify_export
from governance.subjects.checking import check as check_subjects


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command("export")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to; default: standard output."
)
@tenant_option
@json_option
def export(output: Path | None, tenant: str, as_json: bool) -> None:
    """Write the whole ledger as NDJSON; its last line holds the signed checkpoint and the public key."""
    count = 0
    with opened() as runtime:
        signer = runtime.vault.checkpoint_signer("governance")
        with runtime.work(tenant, COMMAND_LINE) as work:
            ledger.checkpoint(work, signer)
        with runtime.snapshot(tenant, COMMAND_LINE) as snapshot:
            target: IO[str] = output.open("w", encoding="utf-8", newline="\n") if output else sys.stdout
            try:
                for line in export_lines(snapshot.connection, tenant, vkey=signer.vkey):
                    target.write(line)
                    count += 1
            finally:
                if output:
                    target.close()
    if output:
        say(as_json, {"file": str(output), "entries": count - 1}, f"{count - 1} entries written to {output}.")


@audit.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--vkey", default=None, help="The log's public key as you hold it; default: the one in the file."
)
@click.option(
    "--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="One you kept."
)
@json_option
def verify(file: Path, vkey: str | None, checkpoint: Path | None, as_json: bool) -> None:
    """Check an export offline, with public keys only."""
    older = checkpoint.read_text(encoding="utf-8") if checkpoint else None
    with file.open("rb") as lines:
        part = is_part(lines.readline())
        lines.seek(0)
        result = (
            verify_part(lines, vkey=vkey) if part else verify_export(lines, vkey=vkey, older_checkpoint=older)
        )
    for problem in result.problems:
        click.echo(problem, err=True)
    key = "the key you gave" if vkey else "the key in the file (compare it with one you obtained elsewhere)"
    say(
        as_json,
        {"ok": result.ok, "size": result.size, "problems": list(result.problems)},
        f"{result.size} entries verify against the signed checkpoint with {key}."
        if result.ok
        else f"This export does not verify: {len(result.problems)} problems.",
    )
    if not result.ok:
        raise SystemExit(1)


@click.command()
@json_option
def fsck(as_json: bool) -> None:
    """Re-derive every tenant's ledger, decision log and consents from their rows; exit 1 if any disagrees."""
    problems: dict[str, list[str]] = {}
    with opened() as runtime:
        vkey = runtime.vault.checkpoint_signer("governance").vkey
        for tenant_id in runtime.tenant_ids():
            with runtime.snapshot(tenant_id, COMMAND_LINE) as snapshot:
                found = list(check_ledger(snapshot.connection, tenant_id, vkey))
                found += check_decisions(snapshot.connection, tenant_id, runtime.decision_log)
                found += check_subjects(snapshot)
                found += check_consents(snapshot)
                if found:
                    problems[tenant_id] = found
    for tenant_id, found in problems.items():
        for problem in found:
            click.echo(f"{tenant_id}: {problem}", err=True)
    say(
        as_json,
        {"ok": not problems, "problems": problems},
        "Every ledger agrees with its rows."
        if not problems
        else "The stores do not agree with their proofs.",
    )
    if problems:
        raise SystemExit(1)
