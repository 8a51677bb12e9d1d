"""`python -m bench [NAME …]`: measure, and print a table or JSON."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import growth, imports, machine, requests, screenings
from bench.measuring import Figure
from bench.plan import Plan, full, quick
from bench.sites import POSTGRESQL, SQLITE, Sites

MEASUREMENTS: dict[str, Callable[[Plan], Iterator[Figure]]] = {
    "checks": requests.checks,
    "evaluations": requests.evaluations,
    "screening": screenings.measure,
    "growth": growth.measure,
    "imports": imports.measure,
    "sends": requests.sends,
    "consents": requests.consents,
}
"""In the order of measuring: what writes comes last, so that the rest is measured on a population as made."""


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(MEASUREMENTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(MEASUREMENTS)}")
    databases = (SQLITE, POSTGRESQL) if chosen.database == "both" else (chosen.database,)
    console = Console(stderr=chosen.json)
    with tempfile.TemporaryDirectory(prefix="governance-bench-", dir=chosen.folder) as folder:
        facts = machine.facts(Path(folder))
        sites = Sites(Path(folder))
        found: list[Figure] = []
        try:
            if POSTGRESQL in databases:
                facts["postgresql"] = sites.postgresql_version()
            console.print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False)
            plan = (quick if chosen.quick else full)(sites, databases)
            for name in chosen.names or list(MEASUREMENTS):
                for figure in MEASUREMENTS[name](plan):
                    found.append(figure)
                    console.print(_line(figure), highlight=False, soft_wrap=True)
        finally:
            sites.close()
    if chosen.json:
        document = {"machine": facts, "figures": [asdict(figure) for figure in found]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        console.print(_table(found))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures the service on this machine. Figures are medians of several rounds.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(MEASUREMENTS)} (default: all)"
    )
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL, "both"), default="both")
    parser.add_argument("--quick", action="store_true", help="small populations, short rounds")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--folder", help="where the databases are made (default: the system's own)")
    return parser


def _line(figure: Figure) -> str:
    values = ", ".join(f"{name} {_shown(value)}" for name, value in figure.values.items())
    return f"{figure.what}, {figure.database}: {values}"


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Medians of several rounds", caption_justify="left")
    for heading in ("what", "database", "figures"):
        table.add_column(heading, overflow="fold")
    last = ""
    for figure in figures:
        if figure.command != last:
            last = figure.command
            table.add_section()
            table.add_row(f"[bold]{last}[/bold]", "", f"aim: {figure.aim}" if figure.aim else "")
        values = ", ".join(f"{name} {_shown(value)}" for name, value in figure.values.items())
        table.add_row(figure.what, figure.database, values)
    return table


def _shown(value: object) -> str:
    if isinstance(value, float) and value == int(value) and abs(value) >= 1000:
        return f"{int(value):,}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
