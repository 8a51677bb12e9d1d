"""A server with a seeded fault: it remembers answers to checks for a moment, in each process.

The promise test must catch it; a test that cannot catch this proves nothing. `SEEDED_MEMORY_SECONDS` says how
long the moment is: it has to outlast a withdrawal, and that takes longer where the machine is busy.
"""

import os
import time
from typing import Any

from flask import Response, request

from api.wsgi import app

_REMEMBERED: dict[bytes, tuple[float, bytes, str]] = {}
_FOR_SECONDS = float(os.environ.get("SEEDED_MEMORY_SECONDS", "0.02"))


@app.before_request
def _answer_from_memory() -> Any:
    known = _REMEMBERED.get(request.get_data(cache=True)) if request.path == "/access/v1/evaluation" else None
    if known is not None and time.monotonic() - known[0] < _FOR_SECONDS:
        return Response(known[1], 200, content_type=known[2])
    return None


@app.after_request
def _remember(response: Response) -> Response:
    if request.path == "/access/v1/evaluation" and response.status_code == 200:
        key = request.get_data(cache=True)
        known = _REMEMBERED.get(key)
        if known is None or time.monotonic() - known[0] >= _FOR_SECONDS:
            _REMEMBERED[key] = (time.monotonic(), response.get_data(), response.content_type)
    return response
