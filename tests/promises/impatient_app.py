"""The application with a seeded bug: the unsubscribe link looks whether somebody has left, and locks nobody.

Two presses at the same moment may both see that nobody has left yet, and both leave.
"""

from types import SimpleNamespace

from api.wsgi import app
from governance.communications import unsubscribe

unsubscribe.subjects = SimpleNamespace(lock=lambda *_: None)  # type: ignore[assignment]

__all__ = ["app"]
