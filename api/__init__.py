"""The HTTP door: routes read a shape, call one use case, and reply."""

from api.application import create_app

__all__ = ["create_app"]
