"""kill -9 of the server while people write: the frame that every kind of request can be put into.

Every writer keeps a journal of what it sent and of what was acknowledged (a whole answer of 2xx). After the
kill the last request, whose answer nobody saw, is repeated under its key, and so are acknowledged ones; then
the journal and the stores must tell the same story. A builder of other requests makes a subclass of `Writer`
with its own `next` and `faults`, and gives it to `campaign`.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from governance.bootstrap import COMMAND_LINE, Runtime, assemble
from governance.callers import service as callers
from governance.commands import main
from governance.communications import service as communications
from governance.consent import service as consent
from governance.settings import Settings
from governance.subjects import service as subjects
from tests.promises.servers import Client, Server, environ_of, start, token_from

WRITERS = 3
SCOPES = ("subjects:write", "consents:write", "communications:write")


@dataclass
class Request:
    """One request of a writer; `key` makes a repeat of it the same act."""

    method: str
    path: str
    body: dict[str, Any]
    key: str | None
    acknowledged: bool = False
    seen: dict[str, Any] = field(default_factory=dict)


class Writer:
    """Writes about people of its own until the server is gone, and remembers what it was told."""

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self.dice = random.Random(seed * 1000 + number)
        self.journal: list[Request] = []
        self.refused: list[tuple[int, Any]] = []
        self._made = 0

    def people(self) -> list[str]:
        """The people that this writer has created, or was about to."""
        return [request.path.rpartition("/")[2] for request in self.journal if request.method == "PUT"]

    def run(self, port: int, token: str) -> None:
        """Send one request after another until one gets no answer."""
        client = Client(port, token)
        try:
            while True:
                self.send(client, self.next())
        except (OSError, http.client.HTTPException):
            pass
        finally:
            client.close()

    def next(self) -> Request:
        """Make up the next request and write it down before it is sent."""
        known = self.people()
        choice = self.dice.random()
        self._made += 1
        key = f"w{self.number}-{self._made}"
        if not known or choice < 0.2:
            request = Request(
                "PUT",
                f"/v1/subjects/p{self.number}-{self._made}",
                {"attributes": {"country": "US"}, "relationship": "lead"},
                None,
            )
        elif choice < 0.35 and self.journal[-1].method == "PUT":
            message = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
            body = {"subject": {"id": known[-1]}, "message_id": f"message-{key}", **message}
            request = Request("POST", "/v1/communications", body, None)
        else:
            status = self.dice.choice(["granted", "withdrawn", "refused"])
            body = {"subject": {"id": self.dice.choice(known)}, "status": status}
            body |= {"purpose": "marketing", "channel": "email", "method": "web_form"}
            request = Request("POST", "/v1/consents", body, key)
        self.journal.append(request)
        return request

    def send(self, client: Client, request: Request) -> None:
        """Send a request; an acknowledged one must be acknowledged again, with the same id."""
        headers = {"Idempotency-Key": request.key} if request.key else {}
        status, answer = client.call(request.method, request.path, request.body, headers)
        if status == 403 and request.acknowledged and request.path == "/v1/communications":
            return  # decided anew: the person has said no meanwhile
        if not 200 <= status < 300:
            self.refused.append((status, answer))
            return
        if request.acknowledged and answer.get("id") != request.seen.get("id"):
            self.refused.append((status, f"another answer to a repeat: {request.path}"))
        request.acknowledged, request.seen = True, answer

    def repeat(self, port: int, token: str) -> None:
        """Repeat the request that got no answer, and a few that did."""
        if not self.journal:
            return
        client = Client(port, token)
        unanswered = [request for request in self.journal if not request.acknowledged]
        assert unanswered == self.journal[-1:] or not unanswered, "only the last may be unanswered"
        again = self.dice.sample(self.journal, min(5, len(self.journal)))
        for request in [*unanswered, *again]:
            self.send(client, request)
        client.close()

    def faults(self, runtime: Runtime) -> Iterator[str]:
        """What the journal says and the stores do not, or the other way round."""
        yield from (f"refused: {status} {answer}" for status, answer in self.refused)
        with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
            for person in dict.fromkeys(self.people()):
                found = subjects.find(snapshot, person)
                if found is None:
                    yield f"lost: person {person}"
                    continue
                sent = [one for one in self.journal if one.body.get("subject") == {"id": person}]
                said = [one.body["status"] for one in sent if one.path == "/v1/consents"]
                kept = {one.consent_id: one.status for one in consent.history(snapshot, found.subject_ref)}
                if list(kept.values()) != said:
                    yield f"{person} said {said}, kept is {list(kept.values())}"
                messages = [one.body["message_id"] for one in sent if one.path == "/v1/communications"]
                items, _ = communications.history(snapshot, found.subject_ref, after=None, limit=500)
                if Counter(item["message_id"] for item in items) != Counter(messages):
                    yield f"{person} was sent {messages}, kept is {[item['message_id'] for item in items]}"


def credentials(settings: Settings, scopes: Sequence[str] = SCOPES) -> tuple[str, str]:
    runtime = assemble(settings)
    try:
        with runtime.work("acme", COMMAND_LINE) as work:
            made = callers.create_client(work, name="writer", scopes=scopes)
    finally:
        runtime.close()
    return made.component.client_id, made.secret or ""


class Campaign:
    """A server that is killed and started again, and the writers that do not notice much of it."""

    def __init__(
        self,
        settings: Settings,
        log: Path,
        *,
        seed: int,
        app: str = "api.wsgi:app",
        writer: type[Writer] = Writer,
    ) -> None:
        self.settings, self.log, self.app = settings, log, app
        self.dice = random.Random(seed)
        self.writers = [writer(number, seed) for number in range(WRITERS)]
        self.server: Server | None = None
        self.token = ""

    def begin(self, client: tuple[str, str]) -> None:
        """Start the first server."""
        self.server = start(self.settings, self.log, app=self.app)
        self.token = token_from(self.server.port, *client)

    def kill_while_writing(self) -> None:
        """Let all write for a moment, kill -9, start again, and repeat what got no answer."""
        server = self.server
        assert server is not None
        before = sum(len(writer.journal) for writer in self.writers)
        threads = [
            threading.Thread(target=writer.run, args=(server.port, self.token)) for writer in self.writers
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(6_000):  # a slow machine gets the time to write something
                if sum(len(writer.journal) for writer in self.writers) >= before + 20:
                    break
                time.sleep(0.01)
            time.sleep(self.dice.uniform(0, 0.15))
        finally:
            server.kill()
            for thread in threads:
                thread.join()
        self.server = start(self.settings, self.log, app=self.app)
        for writer in self.writers:
            writer.repeat(self.server.port, self.token)

    def end(self) -> None:
        """Stop the server for good."""
        if self.server is not None and self.server.process.poll() is None:
            self.server.kill()

    def faults(self) -> list[str]:
        """What the journals say and the stores do not, or the other way round."""
        runtime = assemble(self.settings)
        try:
            return [fault for writer in self.writers for fault in writer.faults(runtime)]
        finally:
            runtime.close()


def fsck(settings: Settings) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["fsck", "--json"], env=environ_of(settings))
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def campaign(
    settings: Settings,
    log: Path,
    *,
    kills: int,
    seed: int,
    app: str = "api.wsgi:app",
    writer: type[Writer] = Writer,
    scopes: Sequence[str] = SCOPES,
) -> Campaign:
    """Kill so many times; gives the ended campaign."""
    made = Campaign(settings, log, seed=seed, app=app, writer=writer)
    try:
        made.begin(credentials(settings, scopes))
        for _ in range(kills):
            made.kill_while_writing()
    finally:
        made.end()
    return made
