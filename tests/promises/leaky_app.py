"""A server with a seeded fault: it logs the bodies of requests. The search for canaries must find it out."""

import io
import sys
from collections.abc import Iterable
from typing import Any

from api.wsgi import app as _honest


def app(environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
    """Log the body, then answer honestly."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    print("debug:", body.hex(), file=sys.stderr, flush=True)
    environ["wsgi.input"] = io.BytesIO(body)
    return _honest(environ, respond)
