"""From the click to the last system: a withdrawal by link, told from end to end.

Several processes serve one installation. Each person presses the button of the link in their message,
impatiently: in all processes at the same moment. From the acknowledgement on every process refuses; pressing
again is harmless; a system that fails 30 times of a hundred is told, and there is exactly one effect.
"""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime, assemble
from governance.callers import service as callers
from governance.callers.model import SCOPES
from governance.clock import system_clock
from governance.egress.client import Egress, Limits
from governance.ledger import service as ledger
from governance.outbox import delivery
from governance.settings import Settings
from tests.conftest import ACTOR
from tests.governance.outbox.receiver import Receiver
from tests.governance.outbox.receiver import serving as receiving
from tests.promises.servers import Client, Server, check_body, serving, token_from
from tests.promises.test_webhooks import CarefulSystem

PROCESSES = 2
PEOPLE = 12
ONE_CLICK = b"List-Unsubscribe=One-Click"
PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


class Ahead:
    """The system's clock, moved ahead by hand: retries are due without anybody waiting for hours."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def __call__(self) -> datetime:
        return system_clock() + self.by


class Scene:
    """An installation, its processes, the system that listens, and people with a link each."""

    def __init__(self, runtime: Runtime, ahead: Ahead, servers: list[Server], receiver: Receiver) -> None:
        self.runtime, self.ahead, self.servers = runtime, ahead, servers
        with runtime.work("acme", COMMAND_LINE) as work:
            made = callers.create_client(work, name="crm", scopes=SCOPES)
        token = token_from(servers[0].port, made.component.client_id, made.secret or "")
        self.clients = [Client(server.port, token) for server in servers]
        hook = {"url": receiver.url, "types": ["governance.consent.withdrawn"]}
        self.system = CarefulSystem(ahead, self.call("PUT", "/v1/webhooks/mail-engine", hook)["secret"])
        receiver.plan = self.system
        self.paths = {f"crm-{number}": self._arrives(f"crm-{number}") for number in range(PEOPLE)}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        status, answer = self.clients[0].call(method, path, body)
        assert status in (200, 201), answer
        return dict(answer)

    def _arrives(self, who: str) -> str:
        """Somebody comes, consents, and gets a message; gives the path of the link in it."""
        mail = [{"type": "email", "value": f"{who}@example.org"}]
        attributes = {"attributes": {"country": "DE"}, "relationship": "lead"}
        self.call("PUT", f"/v1/subjects/{who}", {"identifiers": mail, **attributes})
        said = {"purpose": "marketing", "channel": "email", "status": "granted", "method": "web_form"}
        proof = {"evidence": {"form_url": "https://www.example.org/form"}}
        self.call("POST", "/v1/consents", {"subject": {"id": who}, **said, **proof})
        sent = self.call("POST", "/v1/communications", self.message(who, "first"))
        link = sent["headers"]["List-Unsubscribe"].strip("<>")
        return str(link).removeprefix(self.runtime.settings.public_url)

    def message(self, who: str, name: str) -> dict[str, Any]:
        return {"subject": {"id": who}, "message_id": f"{name}-{who}", **PROMOTION}

    def page(self, server: Server, path: str, pressed: bytes | None = None) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data=pressed)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)

    def presses_everywhere(self, path: str) -> list[int]:
        """Press the button in all processes at the same moment."""
        together = threading.Barrier(len(self.servers))
        statuses: list[int] = []

        def press(server: Server) -> None:
            together.wait()
            statuses.append(self.page(server, path, ONE_CLICK))

        threads = [threading.Thread(target=press, args=(server,)) for server in self.servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return statuses

    def answers(self, who: str) -> list[bool]:
        """What each process says to a check."""
        told = [client.call("POST", "/access/v1/evaluation", check_body(who)) for client in self.clients]
        return [bool(answer["decision"]) for _, answer in told]

    def delivers(self) -> None:
        """Let the job send, again and again, until nothing waits."""
        egress = Egress(Limits(seconds=2), clock=self.ahead)
        for _ in range(100):
            delivery.run_due(self.runtime, egress)
            summary = self.call("GET", "/v1/webhooks/mail-engine/deliveries")["summary"]
            if summary["behind"] == summary["pending"] == 0:
                return
            self.ahead.by += timedelta(minutes=5)
        raise AssertionError("something waits for ever")

    def report(self) -> dict[str, Any]:
        """How far the noes have come."""
        return dict(self.call("GET", "/v1/reports/consents")["opt_outs"])

    def withdrawals(self) -> Counter[str]:
        """How many withdrawals the ledger holds, by person."""
        with self.runtime.snapshot("acme", ACTOR) as snap:
            entries = ledger.entries(snap.connection, "acme", limit=100_000)
        return Counter(entry.subject_ref or "" for entry in entries if entry.kind == "consent.withdrawn")


@contextmanager
def scene_of(settings: Settings, log: Path, app: str = "api.wsgi:app") -> Iterator[Scene]:
    ahead = Ahead()
    with receiving() as receiver:
        settings = replace(settings, webhook_allow=frozenset({f"127.0.0.1:{receiver.port}"}))
        runtime = assemble(settings, clock=ahead)
        try:
            with serving(settings, log, count=PROCESSES, app=app) as servers:
                scene = Scene(runtime, ahead, servers, receiver)
                yield scene
                for client in scene.clients:
                    client.close()
        finally:
            runtime.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def scene(
    request: pytest.FixtureRequest, make_settings: Callable[[str], Settings], tmp_path: Path
) -> Iterator[Scene]:
    with scene_of(make_settings(request.param), tmp_path / "server.log") as scene:
        yield scene


def test_a_withdrawal_by_link_holds_in_every_process_and_has_one_effect_in_a_failing_system(
    scene: Scene,
) -> None:
    for who, path in scene.paths.items():
        # A scanner follows the link: nothing happens.
        assert scene.page(scene.servers[0], path) == 200
        assert scene.answers(who) == [True] * PROCESSES
        # The person presses, everywhere at once; whoever answered first, all refuse from then on.
        assert scene.presses_everywhere(path) == [200] * PROCESSES
        assert scene.answers(who) == [False] * PROCESSES
        for number, client in enumerate(scene.clients):
            status, answer = client.call("POST", "/v1/communications", scene.message(who, f"late-{number}"))
            assert status == 403
            codes = {reason["code"] for reason in answer["decision"]["context"]["reasons"]}
            assert "consent-withdrawn" in codes
    assert scene.report()["waiting"] == PEOPLE
    scene.delivers()
    # The link lies in the mailbox and is pressed again, days later.
    for path in scene.paths.values():
        assert scene.page(scene.servers[-1], path, ONE_CLICK) == 200
    scene.delivers()
    # One withdrawal each in the ledger, one event each, one act each, although many attempts failed.
    assert sorted(scene.withdrawals().values()) == [1] * PEOPLE
    told = [json.loads(body)["data"]["external_id"] for body in scene.system.bodies.values()]
    assert sorted(told) == sorted(scene.paths)
    assert set(scene.system.acts.values()) == {1}
    assert sum(scene.system.seen.values()) > PEOPLE, "some attempts failed after the act, and came again"
    # From the click to the last system's acknowledgement: reported.
    report = scene.report()
    assert (report["told"], report["waiting"], report["given_up"]) == (PEOPLE, 0, 0)
    assert 0 < report["seconds"]["p50"] <= report["seconds"]["p95"] <= report["seconds"]["max"]
    summary = scene.call("GET", "/v1/webhooks/mail-engine/deliveries")["summary"]
    assert (summary["delivered"], summary["dead"]) == (PEOPLE, 0)


def test_the_same_presses_catch_a_link_that_looks_before_it_locks(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    app = "tests.promises.impatient_app:app"
    with scene_of(make_settings("postgresql"), tmp_path / "server.log", app) as scene:
        for path in scene.paths.values():
            scene.presses_everywhere(path)
        assert max(scene.withdrawals().values()) > 1
