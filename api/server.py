"""How gunicorn serves us: `gunicorn api.wsgi:app --config python:api.server`.

SIGTERM lets requests in flight finish (`graceful_timeout`). Numbers of all workers are added up in `/metrics`
through a folder of counters that lives as long as the server.
"""

import atexit
import gc
import os
import shutil
import tempfile
from typing import Any

worker_class = "api.worker.Worker"
preload_app = False
graceful_timeout = 30
timeout = 120
keepalive = 30
max_requests = 0
accesslog = None  # ours: api/telemetry.py, without personal data
errorlog = "-"
loglevel = "warning"
limit_request_line = 8190
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_made = ""
if _FOLDER not in os.environ:
    # Before anything imports the metrics library, which looks only once.
    _made = os.environ[_FOLDER] = tempfile.mkdtemp(prefix="governance-metrics-")


def post_fork(server: Any, worker: Any) -> None:
    """Load the application without looking for garbage in it, which takes a fifth of the time: it stays."""
    gc.disable()


def post_worker_init(worker: Any) -> None:
    """Look for garbage from the first request on."""
    gc.enable()


def child_exit(server: Any, worker: Any) -> None:
    """Let the gauges of a worker go with it."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _forget(maker: int, folder: str) -> None:
    """Remove the counters' folder with the process that made it, not with its workers."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


if _made:
    atexit.register(_forget, os.getpid(), _made)
