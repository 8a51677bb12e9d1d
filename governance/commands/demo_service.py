"""A service of the demo's own: installed in a temporary folder, served on loopback, called over HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx2

from governance.bootstrap import COMMAND_LINE, assemble, initialise
from governance.callers import service as callers
from governance.settings import Settings

TENANT = "demo"
SCOPES = (
    "evaluate",
    "subjects:read",
    "subjects:write",
    "consents:read",
    "consents:write",
    "purposes:read",
    "purposes:write",
    "policies:read",
    "lifecycle:read",
    "lifecycle:write",
    "communications:read",
    "communications:write",
    "audit:read",
)


class Service:
    """A client of the demo's service; raises ClickException for an answer that the demo cannot go on from."""

    def __init__(self, base: str, client_id: str, client_secret: str) -> None:
        self._http = httpx2.Client(base_url=base, timeout=60)
        answer = self._http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "scope": " ".join(SCOPES)},
            auth=(client_id, client_secret),
        )
        self._expect(answer, (200,))
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> Any:
        """GET a JSON document."""
        return self._expect(self._http.get(path, params=params), (200,)).json()

    def lines(self, path: str, **params: Any) -> list[str]:
        """GET a text, as lines that keep their ends."""
        return self._expect(self._http.get(path, params=params), (200,)).text.splitlines(keepends=True)

    def post(self, path: str, body: Mapping[str, Any], *, also: tuple[int, ...] = ()) -> Any:
        """POST a JSON document; `also` names refusals that the demo wants to see."""
        answer = self._expect(self._http.post(path, json=body), (200, 201, 202, *also))
        return answer.json() | {"status_code": answer.status_code}

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT a JSON document."""
        return self._expect(self._http.put(path, json=body), (200, 201)).json()

    def upload(self, path: str, files: Mapping[str, Path]) -> Any:
        """POST files as multipart/form-data."""
        parts = {name: (file.name, file.read_bytes()) for name, file in files.items()}
        return self._expect(self._http.post(path, files=parts), (202,)).json()

    def until(self, path: str, done: tuple[str, ...] = ("completed",), seconds: int = 90) -> Any:
        """GET a document again and again until its `status` says that the work is done."""
        for _ in range(seconds * 10):
            document = self.get(path)
            if document["status"] in done:
                return document
            if document["status"] == "failed":
                raise click.ClickException(f"{path} failed: {document}")
            time.sleep(0.1)
        raise click.ClickException(f"{path} is not done after {seconds} seconds.")

    @staticmethod
    def _expect(answer: httpx2.Response, statuses: tuple[int, ...]) -> httpx2.Response:
        if answer.status_code not in statuses:
            request = answer.request
            raise click.ClickException(
                f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text[:500]}"
            )
        return answer


@contextmanager
def serving(folder: Path) -> Iterator[Service]:
    """Make an installation in `folder`, serve it with two processes on loopback, and stop it afterwards."""
    port = _free_port()
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GOVERNANCE_")},
        "GOVERNANCE_DATA_DIR": str(folder),
        "GOVERNANCE_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    settings = Settings.from_environ(environ)
    initialise(settings)
    runtime = assemble(settings)
    try:
        runtime.create_tenant(
            TENANT, name="Acme Education", country="US", address="1 Main Street, Springfield"
        )
        with runtime.work(TENANT, COMMAND_LINE) as work:
            client = callers.create_client(work, name="demo", scopes=SCOPES)
    finally:
        runtime.close()
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "governance", "serve", "--port", str(port), "--workers", "2"],
        env=environ,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_until_ready(base, server, folder / "server.log")
        yield Service(base, client.component.client_id, client.secret or "")
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def _wait_until_ready(base: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            break
        try:
            if httpx2.get(f"{base}/readyz", timeout=2).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise click.ClickException(f"The server did not become ready:\n{log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
