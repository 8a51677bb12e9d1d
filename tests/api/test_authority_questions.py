"""An authority asks about a message, a person and a month: three calls, whose answers verify offline."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from governance.bootstrap import Runtime
from governance.commands import main
from governance.reports.person_evidence import check_person_evidence
from tests.api.conftest import Caller
from tests.api.test_evidence import files_of, story, zipped
from tests.conftest import HandClock


def verified(kind: str, path: Path, vkey: str) -> dict[str, Any]:
    ran = CliRunner().invoke(main, [kind, "verify", str(path), "--vkey", vkey, "--json"])
    assert ran.exit_code == 0, (ran.stdout, ran.stderr)
    return dict(json.loads(ran.stdout))


def test_three_calls_answer_and_their_answers_verify_offline(
    any_caller: Caller, any_runtime: Runtime, clock: HandClock, tmp_path: Path
) -> None:
    caller, vkey = any_caller, any_runtime.vault.checkpoint_signer("governance").vkey
    message = story(caller)
    clock.forward(timedelta(minutes=10))
    person = caller.get("/v1/subjects/crm-1/evidence")
    assert (person.status_code, person.mimetype) == (200, "application/zip")
    month = caller.get("/v1/audit/export?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z")
    assert month.status_code == 200
    for name, data in (("message", message), ("person", person.data), ("month", month.data)):
        (tmp_path / name).write_bytes(data)
    assert verified("evidence", tmp_path / "message", vkey)["events"] == 5
    about = verified("evidence", tmp_path / "person", vkey)
    assert about["messages"] == 1
    assert about["entries"] >= 5
    assert verified("audit", tmp_path / "month", vkey)["size"] >= about["entries"]

    files = files_of(person.data)
    assert b"anna@example.org" not in b"".join(files.values())
    assert [json.loads(data)["readable"] for name, data in files.items() if name.startswith("consent/")]
    for name in files:
        less = {each: data for each, data in files.items() if each != name}
        assert not check_person_evidence(zipped(less), vkey=vkey).ok, name
        changed = {**files, name: bytes([files[name][0] ^ 1]) + files[name][1:]}
        assert not check_person_evidence(zipped(changed), vkey=vkey).ok, name
    assert not check_person_evidence(person.data, vkey=vkey[:-4] + "AAA=").ok
    assert not check_person_evidence(message, vkey=vkey).ok
    assert caller.get("/v1/subjects/nobody/evidence").status_code == 404
    assert caller.get("/v1/audit/export?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z").status_code == 422
