"""Versions of what is configured: `ETag` says which one was read, `If-Match` which one a change builds on."""

import re

from flask import request
from werkzeug.exceptions import HTTPException, PreconditionRequired

from governance.errors import StaleError

_VERSION = re.compile(r'"(\d{1,9})"')


def etag(version: int) -> dict[str, str]:
    """Give the header that names a version."""
    return {"ETag": f'"{version}"'}


def if_match(*, exists: bool, required: bool = True) -> int | None:
    """Give the version that this PUT builds on, None to create.

    428 if something exists and a `required` `If-Match` is missing; StaleError (412) if it names no version.
    """
    header = request.headers.get("If-Match")
    if header is None:
        if exists and required:
            raise _required()
        return None
    named = _VERSION.fullmatch(header.strip())
    if named is None or not exists:
        raise StaleError("If-Match names no version of this; read it again and send its ETag.")
    return int(named.group(1))


def _required() -> HTTPException:
    return PreconditionRequired("This exists: read it, and send its ETag as If-Match with the change.")
