"""Text of a far side as it can be kept: JSON lets through what UTF-8 or a database cannot hold. Pure."""

import re
from collections.abc import Mapping
from typing import Any

DEEPEST = 100
"""How deep values may be nested; what writes them down again goes a call deeper with each level."""

_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
_INSTEAD = "\ufffd"


def keepable(text: str) -> str:
    """Text with U+FFFD for each half of a surrogate pair and each NUL."""
    return _UNKEEPABLE.sub(_INSTEAD, text)


def keepable_json(value: Any, deepest: int = DEEPEST) -> Any:
    """A JSON value, its names too, with text as `keepable`; ValueError if it is nested too deeply."""
    if isinstance(value, str):
        return keepable(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if deepest <= 0:
        raise ValueError("nested too deeply")
    if not isinstance(value, Mapping):
        return [keepable_json(each, deepest - 1) for each in value]
    found: dict[str, Any] = {}
    for name, each in value.items():
        name = keepable(str(name))
        while name in found:  # two names that differed in what cannot be kept
            name += _INSTEAD
        found[name] = keepable_json(each, deepest - 1)
    return found
