"""Uploaded files: kept in memory until they are sealed, never spooled to the disk in clear."""

from io import BytesIO
from typing import IO, Any

from flask import Request, request
from werkzeug.exceptions import BadRequest

MOST_BYTES = 64 * 1024 * 1024
"""The largest upload; more goes in as several files, or by `governance import`."""


class MemoryRequest(Request):
    """A request whose uploaded files never touch the disk: they are full of persons."""

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return BytesIO()

    def get_data(self, *how: Any, **named: Any) -> Any:
        """Give the whole body; 413 if there is more of it than may be read.

        A chunked body has no Content-Length that could be refused beforehand, and Werkzeug ends it silently
        at the limit: half of what was sent would pass for all of it. Reading on is what tells.
        """
        data = super().get_data(*how, **named)
        if self.content_length is None:
            self.stream.read(1)
        return data


def accept_upload() -> None:
    """Let this request be larger than others; call it before anything of the body is read."""
    request.max_content_length = MOST_BYTES


def part(name: str) -> tuple[str, bytes]:
    """Give a part's file name and bytes, sent as a file or as a field; 400 if it is missing."""
    file = request.files.get(name)
    if file is not None:
        return file.filename or name, file.read()
    text = request.form.get(name)
    if text is None:
        raise BadRequest(f"The part {name!r} is missing.")
    return name, text.encode("utf-8", "surrogateescape")
