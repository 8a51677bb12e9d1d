"""A server with a seeded fault: it acknowledges a consent at once and records it a moment later.

The kill must catch it; a test that cannot catch this proves nothing.
"""

import io
import threading
import time
from collections.abc import Iterable
from typing import Any

from api.wsgi import app as _honest

_LATER = 0.3


def app(environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
    """Answer consents from thin air, everything else honestly."""
    if environ["PATH_INFO"] != "/v1/consents":
        return _honest(environ, respond)
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    late = {key: value for key, value in environ.items() if isinstance(value, str)}
    late |= {"wsgi.input": io.BytesIO(body), "wsgi.errors": environ["wsgi.errors"], "wsgi.version": (1, 0)}
    late |= {"wsgi.url_scheme": "http", "wsgi.multithread": True}
    threading.Thread(target=_record, args=(late,), daemon=True).start()
    respond("201 Created", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]


def _record(environ: dict[str, Any]) -> None:
    time.sleep(_LATER)
    for _ in _honest(environ, lambda *_: None):
        pass
