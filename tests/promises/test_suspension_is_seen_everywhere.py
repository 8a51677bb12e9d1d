"""A mechanism suspended at noon: at 12:00:01 whatever rests on it alone is denied in every process."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, assemble
from governance.callers import service as callers
from governance.settings import Settings
from tests.promises.servers import Client, serving, token_from

PROCESSES = 2
FLOWS: dict[str, list[str]] = {"mail": ["dpf"], "ads": ["dpf"], "support": ["dpf", "scc"], "books": ["scc"]}
ALONE = {"mail", "ads"}
TENANT = "berlin"
PEOPLE: dict[str, str | None] = {
    "hans": "DE",
    "claire": "FR",
    "joao": "BR",
    "ravi": "IN",
    "li": "CN",
    "ivan": "RU",
    "nobody-knows": None,
}
"""The controller in Berlin sends everybody's data; of Ivan nothing goes before either (localisation)."""


def credentials(settings: Settings) -> tuple[str, str]:
    runtime = assemble(settings)
    try:
        runtime.create_tenant(TENANT, name="Berlin", country="DE", address=None)
        with runtime.work(TENANT, COMMAND_LINE) as work:
            scopes = ["evaluate", "subjects:write", "transfers:read", "transfers:write"]
            made = callers.create_client(work, name="test", scopes=scopes)
    finally:
        runtime.close()
    return made.component.client_id, made.secret or ""


def question(recipient: str, errand: str = "ordinary", who: str = "hans") -> dict[str, Any]:
    return {
        "subject": {"type": "component", "id": "crm"},
        "action": {
            "name": "data.transfer",
            "properties": {
                "origin": "DE",
                "destination": "US",
                "recipient": recipient,
                "data_classes": ["contact_details"],
                "errand": errand,
            },
        },
        "resource": {"type": "data_subject", "id": who},
    }


def person(country: str | None) -> dict[str, Any]:
    return {"relationship": "client", **({"attributes": {"country": country}} if country else {})}


def prepare(client: Client) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        *((f"/v1/subjects/{name}", person(country)) for name, country in PEOPLE.items()),
        ("/v1/transfer-mechanisms/dpf", {"kind": "dpf", "scope": {"destinations": ["US"]}}),
        (
            "/v1/transfer-mechanisms/scc",
            {
                "kind": "scc",
                "instruments": ["eu-scc"],
                "scope": {"destinations": ["US"]},
                "assessment_reference": "tia-1",
            },
        ),
    ]
    for recipient, mechanisms in FLOWS.items():
        body = {"origin": "DE", "destination": "US", "recipient": recipient, "mechanisms": mechanisms}
        bodies.append((f"/v1/transfer-flows/{recipient}", {**body, "data_classes": ["contact_details"]}))
    for path, body in bodies:
        status, answer = client.call("PUT", path, body)
        assert status == 201, (path, answer)


def answers(clients: Sequence[Client], errand: str = "ordinary") -> list[set[str]]:
    """What each process permits now, by recipient."""
    found = []
    for client in clients:
        allowed = set()
        for recipient in FLOWS:
            status, answer = client.call("POST", "/access/v1/evaluation", question(recipient, errand))
            assert status == 200, answer
            if answer["decision"]:
                allowed.add(recipient)
        found.append(allowed)
    return found


def at_noon(clients: Sequence[Client]) -> tuple[list[set[str]], list[set[str]], dict[str, Any]]:
    """Suspend in one process; give what each permitted before and after, and the switch's answer."""
    prepare(clients[0])
    before = answers(clients)
    path = "/v1/transfer-mechanisms/dpf/suspend"
    status, switched = clients[0].call("POST", path, {"reason": "The framework was annulled."})
    assert status == 200, switched
    return before, answers(clients), switched


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_at_noon_and_a_second_every_process_denies_what_rested_on_it_alone(
    kind: str, make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = make_settings(kind)
    client_id, secret = credentials(settings)
    with serving(settings, tmp_path / "server.log", count=PROCESSES) as servers:
        token = token_from(servers[0].port, client_id, secret)
        clients = [Client(server.port, token) for server in servers]
        before, after, switched = at_noon(clients)
        assert before == [set(FLOWS)] * PROCESSES
        assert after == [set(FLOWS) - ALONE] * PROCESSES
        assert set(switched["stopped"]) == ALONE
        stopped = set(PEOPLE) - {"ivan"}
        assert switched["people"] == len(stopped)
        path = "/v1/transfer-mechanisms/dpf/people"
        for client in clients:
            status, listed = client.call("GET", path)
            assert (status, {each["id"] for each in listed["items"]}) == (200, stopped)
            assert {flow for each in listed["items"] for flow in each["flows"]} == ALONE
            for name in PEOPLE:
                _, answer = client.call("POST", "/access/v1/evaluation", question("mail", who=name))
                assert answer["decision"] is False, name
        for errand in ("opt_out", "erasure", "answer"):
            assert answers(clients, errand) == [set(FLOWS)] * PROCESSES, errand
        status, report = clients[1].call("GET", "/v1/reports/transfers")
        assert status == 200
        assert {each["id"]: each["status"] for each in report["flows"]} == {
            "ads": "stopped",
            "books": "active",
            "mail": "stopped",
            "support": "fallback",
        }
        for client in clients:
            client.close()


def test_the_same_test_catches_a_process_that_remembers(
    make_settings: Callable[[str], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("sqlite")
    client_id, secret = credentials(settings)
    monkeypatch.setenv("SEEDED_MEMORY_SECONDS", "600")
    with serving(
        settings, tmp_path / "server.log", count=PROCESSES, app="tests.promises.stale_app:app"
    ) as servers:
        token = token_from(servers[0].port, client_id, secret)
        clients = [Client(server.port, token) for server in servers]
        before, after, _ = at_noon(clients)
        assert before == [set(FLOWS)] * PROCESSES
        assert any(allowed & ALONE for allowed in after)
        for client in clients:
            client.close()
