"""Imports: a made-up CRM export through the real import, row by row, into an empty store."""

import io
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from bench.measuring import Figure, rounded, timed
from bench.plan import Plan
from bench.sites import ACTOR, TENANT, Site
from governance.commands import sample
from governance.imports import service
from governance.imports.runner import run_lines

_MAPPING = Path(sample.__file__).parent / "demo.mapping.yaml"


def measure(plan: Plan) -> Iterator[Figure]:
    """Import the sample of `governance demo-data`."""
    export = io.StringIO(newline="")
    sample.write(export, plan.imported, 7)
    for database in plan.databases:
        site = plan.sites.fresh(database)
        seconds = timed(lambda site=site: _import(site, export.getvalue()))  # type: ignore[misc]
        yield Figure(
            f"import of {plan.imported:,} rows with e-mail address, events and opt-outs",
            database,
            {"rows_per_second": rounded(plan.imported / seconds), "seconds": rounded(seconds)},
            plan.command("imports"),
        )


def _import(site: Site, text: str) -> None:
    with site.runtime.work(TENANT, ACTOR) as work:
        run = service.begin(
            work,
            mapping_name=_MAPPING.name,
            mapping_text=_MAPPING.read_text(encoding="utf-8"),
            file_sha256=sha256(text.encode()).hexdigest(),
            total=None,
        )
    run = run_lines(lambda: site.runtime.work(TENANT, ACTOR), run, io.StringIO(text, newline=""))
    if run.counts["failed"] or run.state != "completed":
        raise RuntimeError(f"the import ended as {run.state} with {dict(run.counts)}")
