"""`governance tenant export` for somebody in another country."""

from pathlib import Path

from governance.bootstrap import COMMAND_LINE
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange
from governance.transfers import service as transfers
from tests.governance.commands.conftest import CommandLine

SCC = {
    "kind": "scc",
    "instruments": ["eu-scc"],
    "scope": {"destinations": ["IN"], "recipients": ["archive"]},
    "assessment_reference": "tia-2026-5",
}


def test_everything_of_a_tenant_goes_abroad_only_if_everybody_s_data_may(
    cli: CommandLine, tmp_path: Path
) -> None:
    runtime = cli.runtime()
    with runtime.work("acme", COMMAND_LINE) as work:
        subjects.put(work, "hans", SubjectChange(country="DE"))
    file = tmp_path / "acme.zip"
    export = ("tenant", "export", "acme", "--by", "staff-7", "--output", file)
    refused = cli.run(*export, "--country", "IN", code=1)
    assert "transfer-no-mechanism" in refused.stderr
    assert "register clauses" in refused.stderr
    assert not file.exists()
    with runtime.work("acme", COMMAND_LINE) as work:
        transfers.put(work, "scc", SCC, None)
    cli.run(*export, "--country", "IN", code=1)
    cli.run(*export, "--country", "IN", "--recipient", "archive")
    assert file.stat().st_size > 1000
    found = runtime.decision_log.page("acme")
    assert [(each.allowed, each.caller_ref) for each in found] == [
        (True, "operator:staff-7"),
        (False, "operator:staff-7"),
        (False, "operator:staff-7"),
    ]
    runtime.close()
