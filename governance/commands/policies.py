"""`governance policies`: test the packs with their cases, and put them in force."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from governance.access import service as access
from governance.bootstrap import COMMAND_LINE
from governance.commands.console import json_option, opened, say, settings, tenant_option
from governance.policy import service
from governance.policy.cases import run_cases
from governance.policy.complaints import PolicyError
from governance.policy.loader import check_documents
from governance.policy.proof import examined
from governance.policy.schedule_cases import run_schedule_cases
from governance.purposes import service as purposes

if TYPE_CHECKING:
    from governance.policy.proving import Proof

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def policies() -> None:
    """The rules and their cases."""


@policies.command("test")
@click.argument("folder", required=False, type=_FOLDER)
@json_option
def test(folder: Path | None, as_json: bool) -> None:
    """Check the shipped packs, with those of FOLDER added or replacing, run every case, and prove the whole.

    Proved is, over all combinations of facts, what no policy may ever allow (policies/invariants.yaml). A
    draft that allows it is refused with a counter-example: a question, the facts, the rule that lets it pass.
    """
    try:
        checked = check_documents(service.shipped_documents(folder or settings().policies_dir))
    except PolicyError as refused:
        say(as_json, {"ok": False, "problems": [str(one) for one in refused.problems]}, refused.message)
        raise SystemExit(1) from None
    retention = checked.retention
    results = [*run_cases(checked), *run_schedule_cases(retention.schedules, retention.cases)]
    failed = [result for result in results if not result.passed]
    for result in failed:
        click.echo(f"{result.pack}: {result.name}: {result.explanation}", err=True)
    proof = examined(checked)
    for example in proof.found:
        click.echo(str(example.problem()), err=True)
    said = {
        "ok": proof.holds and not failed,
        "cases": len(results),
        "failed": len(failed),
        "invariants": proof.invariants,
        "milliseconds": proof.milliseconds,
        "counter_examples": [example.document() for example in proof.found],
    }
    say(as_json, said, f"{len(results) - len(failed)} of {len(results)} cases hold. {_proved(proof)}")
    if not said["ok"]:
        raise SystemExit(1)


def _proved(proof: "Proof") -> str:
    """Say what a proof came to."""
    if proof.holds:
        return f"{proof.invariants} invariants proved in {proof.milliseconds} ms."
    count = len({(example.invariant, example.action) for example in proof.found})
    return f"{count} of {proof.invariants} invariants do not hold."


@policies.command("adopt")
@click.argument("folder", required=False, type=_FOLDER)
@tenant_option
@json_option
def adopt(folder: Path | None, tenant: str, as_json: bool) -> None:
    """Put the shipped packs, with those of FOLDER added or replacing, in force from the next check on."""
    with opened() as runtime, runtime.work(tenant, COMMAND_LINE) as work:
        documents = service.shipped_documents(folder or runtime.settings.policies_dir)
        digest = service.adopt(work, documents=documents)
        # What the catalogue has gained since: rules may speak of purposes and roles that came with them.
        purposes.install_catalogue(work)
        access.install_catalogue(work)
    say(as_json, {"digest": digest, "tenant": tenant}, f"In force for {tenant!r}: {digest}")
