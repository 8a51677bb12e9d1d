"""A real server with one worker process on one core, and a token for it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import cores
from bench.sites import ACTOR, TENANT, Site
from governance.callers import service as callers
from governance.settings import Settings

_ROOT = Path(__file__).parents[1]
_SCOPES = ("evaluate", "subjects:write", "consents:write", "communications:write")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its port on loopback and the `Authorization` header that lets the load in.

    `group` is the process group of the server and its worker.
    """

    port: int
    authorization: str
    group: int

    def cpu_seconds(self) -> float:
        """Processor time that the server's processes have used so far.

        Unlike what the clock says, it hardly depends on what else the machine is doing.
        """
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[2]) == self.group:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(site: Site) -> Iterator[Served]:
    """Serve an installation as `governance serve --workers 1` does, pinned to the first core.

    The load (this process) keeps to the other cores; so does PostgreSQL, which serves itself.
    """
    server_core, load_cores = cores()
    before = os.sched_getaffinity(0)
    port = _free_port()
    log = site.settings.data_dir / "server.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "governance", "serve", "--port", str(port), "--workers", "1"],
            cwd=_ROOT,
            env=_environ(site.settings),
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, server_core),
        )
    os.sched_setaffinity(0, load_cores)
    try:
        _wait(process, port, log)
        yield Served(port, f"Bearer {_token(site, port)}", process.pid)
    finally:
        os.sched_setaffinity(0, before)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environ(settings: Settings) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GOVERNANCE_")}
    return plain | {
        "GOVERNANCE_DATA_DIR": str(settings.data_dir),
        "GOVERNANCE_DATABASE_URL": settings.database_url,
        "GOVERNANCE_KEYRING_URL": settings.keyring_url,
        "GOVERNANCE_DECISION_LOG_URL": settings.decision_log_url,
        "GOVERNANCE_LOG_LEVEL": settings.log_level,
        "PYTHONPATH": str(_ROOT),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-3000:]}")


def _token(site: Site, port: int) -> str:
    with site.runtime.work(TENANT, ACTOR) as work:
        made = callers.create_client(work, name="bench", scopes=_SCOPES)
    basic = b64encode(f"{made.component.client_id}:{made.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/oauth/token", "grant_type=client_credentials", headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"no token: {answer.status} {body[:300]!r}")
    return str(json.loads(body)["access_token"])
