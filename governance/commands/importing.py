"""`governance import`: files from the CRM."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.commands.console import console, json_option, opened, say, tenant_option
from governance.imports import service
from governance.imports.runner import run_lines
from governance.imports.runs import ImportRun

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("import")
def import_group() -> None:
    """Take in files from the CRM."""


@import_group.command("subjects")
@click.argument("file", type=_FILE)
@click.option("--mapping", "mapping_file", type=_FILE, required=True, help="What columns and values mean.")
@tenant_option
@json_option
def subjects(file: Path, mapping_file: Path, tenant: str, as_json: bool) -> None:
    """Take in people, row by row. Interrupted, the same command goes on where it was."""
    with opened() as runtime:
        digest, total = _measure(file)
        with runtime.work(tenant, COMMAND_LINE) as work:
            run = service.begin(
                work,
                mapping_name=mapping_file.name,
                mapping_text=mapping_file.read_bytes().decode("utf-8", "replace"),
                file_sha256=digest,
                total=total,
            )
        run = _drive(runtime, tenant, run, file, quiet=as_json)
        with runtime.snapshot(tenant, COMMAND_LINE) as snapshot:
            wrong = service.errors(snapshot, run.import_id, limit=20)
    for row in wrong:
        value = f" {row['value']!r}" if row["value"] else ""
        click.echo(f"row {row['row']}: {row['column'] or 'row'}{value}: {row['detail']}", err=True)
    if run.counts["failed"] > len(wrong):
        click.echo(f"… and {run.counts['failed'] - len(wrong)} more rows.", err=True)
    counts = ", ".join(f"{count} {name}" for name, count in run.counts.items() if count)
    document = {"id": run.import_id, "status": run.state, "counts": dict(run.counts)}
    say(as_json, document, f"{run.import_id} {run.state}: {counts or 'no rows'}.")


def _drive(runtime: Runtime, tenant: str, run: ImportRun, file: Path, *, quiet: bool) -> ImportRun:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    out = console()
    with Progress(*columns, console=out, disable=quiet or not out.is_terminal, transient=True) as bar:
        task = bar.add_task("rows", total=run.total, completed=run.position)
        return run_lines(
            lambda: runtime.work(tenant, COMMAND_LINE),
            run,
            _lines(file),
            progress=lambda now: bar.update(task, completed=now.position),
        )


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        yield from lines


def _measure(file: Path) -> tuple[str, int]:
    """The file's SHA-256 and, for the bar, how many lines it has below the first."""
    digest, lines = sha256(), 0
    with file.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    return digest.hexdigest(), max(lines - 1, 0)
