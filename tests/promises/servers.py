"""Real server processes and a small HTTP client for the hard promises."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.settings import Settings

ROOT = Path(__file__).parents[2]


def environ_of(settings: Settings) -> dict[str, str]:
    """The environment in which a process serves this installation."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GOVERNANCE_")}
    return plain | {
        "GOVERNANCE_DATA_DIR": str(settings.data_dir),
        "GOVERNANCE_DATABASE_URL": settings.database_url,
        "GOVERNANCE_KEYRING_URL": settings.keyring_url,
        "GOVERNANCE_DECISION_LOG_URL": settings.decision_log_url,
        "GOVERNANCE_ROOT_KEY_FILE": str(settings.root_key_file),
        "GOVERNANCE_PUBLIC_URL": settings.public_url,
        "GOVERNANCE_MAX_BATCH_BYTES": str(settings.max_batch_bytes),
        "GOVERNANCE_WEBHOOK_ALLOW": ",".join(sorted(settings.webhook_allow)),
        "GOVERNANCE_SYSTEM_ALLOW": ",".join(sorted(settings.system_allow)),
        "PYTHONPATH": str(ROOT),
    }


def free_port() -> int:
    """A port of loopback that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One serving process; `port` on loopback."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def kill(self) -> None:
        """kill -9 the server and its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(settings: Settings, log: Path, *, app: str = "api.wsgi:app", port: int | None = None) -> Server:
    """Start a server with one worker process in a process group of its own; returns when it is ready."""
    port = port or free_port()
    arguments = [sys.executable, "-m", "gunicorn", app, "--config", "python:api.server"]
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [*arguments, "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"],
            cwd=ROOT,
            env=environ_of(settings),
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    server = Server(process, port, log)
    for _ in range(2_400):  # two minutes: a busy machine is slow to begin
        if process.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return server
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise AssertionError(f"no server: {log.read_text(errors='replace')[-3000:]}")


@contextmanager
def serving(
    settings: Settings, log: Path, *, count: int = 1, app: str = "api.wsgi:app"
) -> Iterator[list[Server]]:
    """Serve an installation with `count` independent processes on ports of their own."""
    servers: list[Server] = []
    try:
        for _ in range(count):
            servers.append(start(settings, log, app=app))
        yield servers
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()


class Client:
    """One keep-alive connection to one server."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send one request; returns status and JSON (or text)."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self._headers | dict(headers or {}))
        answer = self._connection.getresponse()
        raw = answer.read()
        kind = answer.headers.get_content_type()
        is_document = kind.endswith("json") and kind != "application/x-ndjson"
        return answer.status, json.loads(raw) if is_document else raw.decode()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def token_from(port: int, client_id: str, secret: str) -> str:
    """Get an access token with all scopes of the client."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/oauth/token", "grant_type=client_credentials", headers)
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, document
    token: str = document["access_token"]
    return token


def check_body(person: str, **properties: Any) -> dict[str, Any]:
    """An AuthZEN question: may this person be sent a promotional marketing e-mail?"""
    asked = {"channel": "email", "message_class": "promotional", "purpose": "marketing"} | properties
    return {
        "subject": {"type": "component", "id": "campaign-engine"},
        "action": {"name": "communication.send", "properties": asked},
        "resource": {"type": "data_subject", "id": person},
    }


__all__ = ["Client", "Server", "check_body", "free_port", "serving", "start", "token_from"]
