"""The HTTP door: routes read a shape, call one use case, and reply."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from governance.bootstrap import Runtime


def create_app(runtime: "Runtime") -> "Flask":
    """Build the Flask application over a runtime.

    Imported only now: `api.server` has to say where numbers are kept before the metrics library is loaded.
    """
    from api import application

    return application.create_app(runtime)
