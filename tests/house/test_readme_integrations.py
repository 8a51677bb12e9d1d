"""The README's integrations are run as they stand there, against a real server process."""

import os
import re
import shutil
import socket
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, assemble
from governance.callers import service as callers
from tests.conftest import settings_in
from tests.promises.servers import Client, free_port, serving, token_from

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.split("## Integrations in five lines", 1)[1].split("\n## ", 1)[0]
PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
MESSAGE = {"subject": {"id": "crm-123"}, "message_id": "m-1", **PROMOTION}
YES = b'{"id": "msg_1", "decision": {"decision": true}, "headers": {}}'


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)


def scopes() -> list[str]:
    """The scopes that the README's first conversation gives its component."""
    found = re.search(r'--scope "(.*?)"', README, re.DOTALL)
    assert found
    return found.group(1).split()


class Crm:
    """A running service, a token of the README's component, and the README's Python."""

    def __init__(self, port: int, token: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.token = token
        self.service = Client(port, token)
        self.names = python(self.url, token)

    def call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        status, answer = self.service.call(method, path, body)
        assert status in (200, 201), answer
        return answer

    def consent(self, status: str) -> None:
        said = {"purpose": "marketing", "channel": "email", "status": status, "method": "web_form"}
        proof = {"evidence": {"form_url": "https://www.example.org/form"}} if status == "granted" else {}
        self.call("POST", "/v1/consents", {"subject": {"id": "crm-123"}, **said, **proof})


def python(url: str, token: str) -> dict[str, Any]:
    """Run all Python of the section as one program; give its names."""
    names: dict[str, Any] = {}
    before = dict(os.environ)
    os.environ.update(GOVERNANCE_PUBLIC_URL=url, TOKEN=token)
    try:
        exec("".join(blocks("python")), names)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return names


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crm]:
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(sqlite_template, folder / "data")
    settings = settings_in(folder / "data")
    runtime = assemble(settings)
    with runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(work, name="crm", scopes=scopes())
    runtime.close()
    with serving(settings, folder / "server.log") as (server,):
        crm = Crm(server.port, token_from(server.port, made.component.client_id, made.secret or ""))
        yield crm
        crm.service.close()


@pytest.fixture
def crm(served: Crm) -> Crm:
    """The service, with a lead in Germany who has said nothing, or has withdrawn."""
    who = {
        "identifiers": [{"type": "email", "value": "anna@example.org"}],
        "attributes": {"country": "DE"},
        "relationship": "lead",
    }
    served.call("PUT", "/v1/subjects/crm-123", who)
    served.consent("withdrawn")
    return served


def test_each_is_about_five_lines() -> None:
    for block in (*blocks("sh"), *blocks("python")):
        lines = [line for line in block.split("def ", 1)[-1].splitlines() if line.strip()]
        assert 4 <= len(lines) <= 10, block


@pytest.mark.skipif(shutil.which("curl") is None, reason="told with curl")
def test_the_script_hands_over_after_a_yes_only(crm: Crm, tmp_path: Path) -> None:
    script = tmp_path / "hand-over"
    script.write_text('#!/bin/sh\necho "$1" >> handed-over\n')
    script.chmod(0o755)
    (told,) = blocks("sh")

    def run(url: str) -> int:
        environ = {**os.environ, "GOVERNANCE_PUBLIC_URL": url, "TOKEN": crm.token}
        done = subprocess.run(
            ["bash", "-c", told], cwd=tmp_path, env=environ, capture_output=True, timeout=30
        )
        return done.returncode

    handed_over = tmp_path / "handed-over"
    assert run(crm.url) != 0
    assert run(f"http://127.0.0.1:{free_port()}") != 0
    assert not handed_over.exists()
    crm.consent("granted")
    assert run(crm.url) == 0
    assert handed_over.read_text() == "spring-7\n"


def test_python_asks_and_gets_the_answer_of_the_moment(crm: Crm) -> None:
    may = crm.names["may"]
    assert not may("communication.send", "crm-123", **PROMOTION)
    crm.consent("granted")
    assert may("communication.send", "crm-123", **PROMOTION)
    crm.consent("withdrawn")
    assert not may("communication.send", "crm-123", **PROMOTION)
    assert not may("communication.send", "nobody", **PROMOTION)
    assert not may("communication.send", "crm-123", channel="pigeon")
    (call,) = re.findall(r"`(may\(.*?\))`", SECTION, re.DOTALL)
    assert eval(call, dict(crm.names)) in (True, False)


def test_the_hook_lets_a_lead_become_a_client_with_a_contract_only(crm: Crm) -> None:
    convert = crm.names["before_convert"]
    crm.call("PUT", "/v1/subjects/crm-124", {"attributes": {"country": "DE"}, "relationship": "lead"})
    with pytest.raises(PermissionError):
        convert({"id": "crm-124", "contract": ""})
    dead = python(f"http://127.0.0.1:{free_port()}", crm.token)["before_convert"]
    with pytest.raises(OSError):  # whatever it raises, the lead stays a lead
        dead({"id": "crm-124", "contract": "C-2026-17"})
    assert crm.call("GET", "/v1/subjects/crm-124", {})["relationship"] == "lead"
    convert({"id": "crm-124", "contract": "C-2026-17"})
    assert crm.call("GET", "/v1/subjects/crm-124", {})["relationship"] == "client"
    with pytest.raises(PermissionError, match="transition-not-allowed"):
        convert({"id": "crm-124", "contract": "C-2026-17"})


def test_the_job_sends_what_is_permitted_and_nothing_else(crm: Crm) -> None:
    sent: list[Any] = []
    send = crm.names["send"]
    assert not send(MESSAGE, lambda *message: sent.append(message))
    assert sent == []
    crm.consent("granted")
    assert send(MESSAGE, lambda *message: sent.append(message))
    ((message, headers),) = sent
    assert message == MESSAGE
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_job_that_cannot_hand_over_says_so() -> None:
    with answering(http(201, YES)) as url, pytest.raises(ConnectionError):
        python(url, "t")["send"](MESSAGE, _broken_mail_server)


def _broken_mail_server(*_: object) -> None:
    raise ConnectionError


def http(status: int, body: bytes, *more: str, length: int | None = None) -> bytes:
    """An answer, byte by byte."""
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {size}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


SLOW = b""
ANSWERS = {
    "slow": SLOW,
    "500": http(500, YES),
    "503": http(503, b'{"status": 503}', "Retry-After: 1"),
    "429": http(429, YES),
    "401": http(401, b"{}"),
    "403, as if allowed": http(403, YES),
    "200, no act": http(200, YES),
    "a redirect": http(302, YES, "Location: http://127.0.0.1:9/"),
    "no JSON": http(201, b"<html>Welcome to the hotel's WLAN</html>"),
    "nothing": http(201, b""),
    "half an answer": http(201, YES[:40]),
    "hung up": http(201, YES, length=len(YES) + 100),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "bytes": http(201, b"\xff\xfe\x00\x01"),
    "a list": http(201, b"[]"),
    "null": http(201, b"null"),
    "a word": http(201, b'"true"'),
    "no decision": http(201, b'{"headers": {}}'),
    "another form": http(201, b'{"decision": true, "headers": {}}'),
    "no": http(201, YES.replace(b"true", b"false")),
    "as text": http(201, YES.replace(b"true", b'"true"')),
    "a number": http(201, YES.replace(b"true", b"1")),
    "no headers": http(201, b'{"decision": {"decision": true}}'),
}


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A server on loopback that answers these bytes to everything; SLOW: nothing for a long while."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                if raw == SLOW:
                    over.wait(20)
                else:
                    peer.sendall(raw)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65536):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()


def is_sent(url: str, program: Callable[[str, str], dict[str, Any]] = python) -> bool:
    sent: list[Any] = []
    told = program(url, "t")["send"](MESSAGE, lambda *message: sent.append(message))
    assert bool(told) == bool(sent)
    return bool(sent)


@pytest.mark.parametrize("how", ANSWERS)
def test_no_clear_yes_means_that_nothing_is_sent(how: str) -> None:
    began = time.monotonic()
    with answering(ANSWERS[how]) as url:
        assert not is_sent(url)
    assert time.monotonic() - began < 10, "the job may not wait for ever"


def test_a_server_that_is_down_means_that_nothing_is_sent() -> None:
    assert not is_sent(f"http://127.0.0.1:{free_port()}")
    assert not is_sent("http://nowhere.invalid")


def test_the_same_answers_catch_a_job_that_fails_open() -> None:
    hasty = textwrap.dedent("""
        import requests
        def send(message, hand_over):
            try:
                answer = requests.post(API + "/v1/communications", json=message, timeout=2)
                allowed = answer.status_code != 403
            except requests.RequestException:
                allowed = True
            if allowed:
                hand_over(message, {})
            return allowed
    """)

    def program(url: str, _token: str) -> dict[str, Any]:
        names: dict[str, Any] = {"API": url}
        exec(hasty, names)
        return names

    with answering(http(201, YES)) as url:
        assert is_sent(url, program)
        assert is_sent(url)
    with answering(ANSWERS["500"]) as url:
        assert is_sent(url, program)
    assert is_sent(f"http://127.0.0.1:{free_port()}", program)
