"""The worker class that serves us: gunicorn's threads, in which a busy connection stays with its thread.

gunicorn gives a connection back to its main thread after every answer, which hands the next request to a
thread again: four changes of thread for each request of a caller that asks one question after another. Here
the thread waits a moment for the next request itself, as long as nobody else waits for a thread.
"""

import select
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

MOMENT = 2
"""Milliseconds that a thread waits for the connection's next request."""


MOST_UNREAD = 64 * 1024 * 1024
"""Bytes of a refused body that are read and thrown away, so that its sender gets to read the answer."""

PATIENCE = 5.0
"""Seconds that are spent on that."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """A threaded worker with short ways for callers that keep asking."""

    def handle(self, conn: Any) -> Any:
        """Answer a request and those that follow it at once; tell whether the connection is kept alive."""
        kept = super().handle(conn)
        if kept is not True:
            return kept
        waiting = select.poll()
        waiting.register(conn.sock, select.POLLIN)
        while kept is True and self._may_stay(conn) and waiting.poll(MOMENT):
            kept = super().handle(conn)
        return kept

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Read what is left of a refused body, then tell whether the connection is kept alive.

        gunicorn gives up after 64 KiB and closes; closing over unread bytes resets the connection, and the
        sender of an oversized body sees that instead of the 413.
        """
        read = conn.parser.finish_body(deadline=time.monotonic() + PATIENCE, max_bytes=MOST_UNREAD)
        return bool(read) and keepalive

    def _may_stay(self, conn: Any) -> bool:
        """Whether no other connection waits for this thread, and no part of a request was read already."""
        return self.alive and self.tpool._work_queue.empty() and not conn.parser.unreader.buf.getvalue()
