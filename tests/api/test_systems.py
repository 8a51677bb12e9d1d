"""Systems, tasks and callbacks over HTTP: versions, refusals, and nothing secret in any answer."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.egress.signatures import sign
from governance.systems import operations
from governance.systems import service as systems
from governance.systems.model import ErasurePlan
from governance.systems.operations import Operation
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR
from tests.fixtures import crm
from tests.fixtures.crm import ANNA
from tests.governance.systems.conftest import allowing

RAW = b"thirty-two bytes of webhook key."
MANUAL = {"kind": "manual", "config": {"owner": "staff-7"}, "data_classes": ["support_cases"]}
WEBHOOK = {
    "kind": "webhook",
    "data_classes": ["support_cases"],
    "config": {
        "url": "https://hooks.example.com/secret-path-canary",
        "secret": "whsec_" + base64.b64encode(RAW).decode(),
    },
}


def test_a_system_is_put_read_listed_and_changed_by_version(any_caller: Caller) -> None:
    made = any_caller.put("/v1/systems/paper", MANUAL)
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert any_caller.put("/v1/systems/paper", MANUAL).status_code == 428
    stale = any_caller.put("/v1/systems/paper", MANUAL, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    changed = any_caller.put("/v1/systems/paper", MANUAL | {"country": "DE"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.get_json()["version"]) == (200, 2)
    listed = any_caller.get("/v1/systems").get_json()
    assert [each["id"] for each in listed["items"]] == ["paper"]
    assert listed["kinds"] == ["sql", "webhook", "opendsr", "manual"]
    assert any_caller.get("/v1/systems/nothing").status_code == 404
    assert any_caller.post("/v1/systems/paper/test").get_json()["good"] is True


def test_an_unknown_kind_names_the_kinds_and_a_secret_is_never_answered(caller: Caller) -> None:
    refused = caller.put("/v1/systems/x", {"kind": "telepathy"})
    assert refused.status_code == 422
    assert "sql, webhook, opendsr, manual" in refused.get_json()["errors"]["kind"][0]
    assert caller.put("/v1/systems/x", {}).status_code == 422
    assert caller.put("/v1/systems/x", {"kind": 7, "config": []}).status_code == 422
    answers = [
        caller.put("/v1/systems/hook", WEBHOOK),
        caller.get("/v1/systems/hook"),
        caller.get("/v1/systems"),
        caller.put("/v1/systems/hook", WEBHOOK | {"country": "XX"}, headers={"If-Match": '"1"'}),
    ]
    assert answers[0].get_json()["secrets"] == ["secret", "url"]
    for answer in answers:
        assert b"canary" not in answer.data
        assert WEBHOOK["config"]["secret"].encode() not in answer.data  # type: ignore[index]


def test_a_database_is_tested_over_http(caller: Caller, runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "crm.db").touch()
    url = f"sqlite:///{tmp_path}/crm.db"
    crm.make(url)
    refused = caller.put("/v1/systems/crm", crm.body(url))
    assert refused.status_code == 422
    assert "GOVERNANCE_SYSTEM_ALLOW" in refused.get_json()["errors"]["config.url"][0]
    allowing(runtime, str(tmp_path))
    assert caller.put("/v1/systems/crm", crm.body(url)).status_code == 201
    report = caller.post("/v1/systems/crm/test").get_json()
    assert report["good"] is True
    assert any("primary key" in each["sentence"] for each in report["findings"])
    assert str(tmp_path) not in json.dumps(report)


def test_scopes_part_reading_from_writing(client: Any, runtime: Runtime) -> None:
    reader = Caller(client, new_component(runtime, "systems:read"))
    assert reader.get("/v1/systems").status_code == 200
    assert reader.put("/v1/systems/paper", MANUAL).status_code == 403
    assert reader.get("/v1/tasks").status_code == 200
    assert reader.get("/v1/tasks/tsk_1").status_code == 403  # a task says who is meant


def test_a_task_is_listed_read_and_done(any_caller: Caller, any_runtime: Runtime) -> None:
    any_caller.put("/v1/systems/paper", MANUAL)
    asked = Operation("op-1", "paper", "erase", ANNA, ErasurePlan.delete(["support_cases"]))
    assert operations.run(any_runtime, ACTOR, "acme", asked).status == "waiting"
    (task,) = any_caller.get("/v1/tasks").get_json()["items"]
    assert "anna@" not in json.dumps(task)
    path = f"/v1/tasks/{task['id']}"
    assert any_caller.get(path).get_json()["instructions"]["subject"]["email"] == ["anna@example.org"]
    assert any_caller.put(f"{path}/owner", {"owner": "staff-8"}).get_json()["owner"] == "staff-8"
    step = {"data_class": "support_cases", "outcome": "erased", "rows": {"folder": 1}}
    done = {"steps": [step], "evidence": {"text": "Shredded."}}
    assert any_caller.post(f"{path}/done", {"steps": [], "evidence": {"text": "x"}}).status_code == 422
    assert any_caller.post(f"{path}/done", {"steps": [step], "evidence": {}}).status_code == 422
    assert any_caller.post(f"{path}/done", done).get_json()["state"] == "done"
    assert any_caller.post(f"{path}/done", done).status_code == 409
    assert any_caller.get("/v1/tasks").get_json()["items"] == []
    assert any_caller.get("/v1/tasks?state=done").get_json()["items"][0]["done_by"].startswith("client_")
    assert operations.run(any_runtime, ACTOR, "acme", asked).status == "done"
    assert any_caller.post("/v1/tasks/tsk_0/done", done).status_code == 404


def test_a_callback_is_believed_only_with_its_signature(caller: Caller, runtime: Runtime) -> None:
    caller.put("/v1/systems/hook", WEBHOOK)
    with runtime.snapshot("acme", ACTOR) as snap:
        path = systems.callback_url(snap, "hook").removeprefix("https://privacy.example.org")
    body = json.dumps({"operation": "op-1", "status": "done"}).encode()

    def post(to: str, key: bytes) -> int:
        headers = sign([key], "msg-1", runtime.clock(), body)
        return caller.client.post(to, data=body, headers=headers).status_code

    assert post(path, b"another key of thirty-two bytes.") == 403
    assert post(path, RAW) == 404  # believed, but nothing was asked under this reference
    assert post(path[:-1] + ("0" if path[-1] != "0" else "1"), RAW) == 404
    assert post("/callbacks/nothing/" + path.rpartition("/")[2], RAW) == 404
    assert post("/callbacks/hook/x", RAW) == 404


@pytest.mark.parametrize("kind", ["sql", "webhook", "opendsr", "manual"])
def test_whatever_is_sent_is_answered_and_never_breaks(caller: Caller, kind: str) -> None:
    odd: list[Any] = [
        None,
        7,
        -1,
        2**70,
        1.5,
        True,
        "",
        "x" * 9000,
        "\u0000",
        "\ud800",
        [],
        [[]],
        [7],
        {},
        {"a": 1},
    ]
    members = ("country", "processor", "config", "data_classes", "depends_on", "more")
    config = {
        "sql": ("url", "tables", "schema", "phone_country", "timeout_seconds"),
        "webhook": ("url", "secret", "verbs"),
        "opendsr": (
            "url",
            "authorization",
            "domain",
            "identities",
            "certificate",
            "regulation",
            "poll_hours",
        ),
        "manual": ("owner", "days", "instructions"),
    }[kind]
    table = ("data_class", "keys", "belongs_to", "fields", "ignore", "disposition", "limit", "restriction")
    bodies: list[Any] = [{"kind": kind, name: value} for name in members for value in odd[::2]]
    bodies += [{"kind": kind, "config": {name: value}} for name in config for value in odd]
    if kind == "sql":
        bodies += [{"kind": value} for value in odd]
        bodies += [{"kind": kind, "config": {"tables": {"t": {name: v}}}} for name in table for v in odd[::2]]
        bodies += [{"kind": kind, "config": {"tables": {"t": {n: [{"table": []}]}}}} for n in table]
    if kind == "opendsr":
        bodies += [{"kind": kind, "config": {"identities": [{"type": v, "format": v}]}} for v in odd]
    for body in bodies:
        raw = json.dumps(body).encode()
        answer = caller.put("/v1/systems/odd", None, data=raw, content_type="application/json")
        assert 400 <= answer.status_code < 500, (body, answer.data)


def test_a_system_is_taken_out_of_service_and_brought_back(any_caller: Caller) -> None:
    any_caller.put("/v1/systems/paper", MANUAL)
    assert any_caller.get("/v1/systems/paper").get_json()["retired_at"] is None
    gone = any_caller.post("/v1/systems/paper/retire", {})
    assert (gone.status_code, gone.get_json()["retired_at"] is None) == (200, False)
    (listed,) = any_caller.get("/v1/systems").get_json()["items"]
    assert listed["retired_at"] == gone.get_json()["retired_at"]
    assert any_caller.post("/v1/systems/nothing/retire", {}).status_code == 404
    back = any_caller.put("/v1/systems/paper", MANUAL, headers={"If-Match": '"1"'})
    assert (back.status_code, back.get_json()["retired_at"]) == (200, None)
    any_caller.put("/v1/subjects/crm-1", {})
    case = any_caller.post("/v1/erasures", {"subject": {"id": "crm-1"}}).get_json()
    assert "paper" in {each["system"] for each in case["steps"]}
    refused = any_caller.post("/v1/systems/paper/retire", {})
    assert (refused.status_code, refused.get_json()["type"].rsplit("/", 1)[-1]) == (409, "system-awaited")
    assert any_caller.post("/v1/systems/paper/retire", {"because": "sold"}).status_code == 200
