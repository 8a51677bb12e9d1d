"""A server with a seeded fault: it does not remember Idempotency-Keys, so a repeat acts a second time."""

from collections.abc import Iterable
from typing import Any

from api.wsgi import app as _honest


def app(environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
    """Answer as if no key had been sent."""
    environ.pop("HTTP_IDEMPOTENCY_KEY", None)
    return _honest(environ, respond)
