"""What this process tells about itself: a JSON line per request and Prometheus numbers, nobody in either."""

import hashlib
import json
import logging
import os
import re
import sys
import time
import traceback
from typing import Any

import structlog
from flask import Flask, Request, Response, current_app, g, has_request_context, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from governance.clock import Clock, wire
from governance.ids import random_bytes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ACTIONS = frozenset(
    ("communication.send", "lifecycle.transition", "data.read", "data.use", "data.transfer", "data.erase")
)
"""The actions that this service decides itself."""

_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,200}")
_OPAQUE = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{32,64}|req_[0-9a-f]{32}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _StandardError:
    """Whatever standard error is at the moment of writing."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Log:
    """JSON lines on standard error. Paths appear as their template, callers as opaque ids."""

    def __init__(self, level: str, clock: Clock) -> None:
        self._clock = clock
        self._tells_requests = level.lower() in ("debug", "info")
        self._lines = structlog.wrap_logger(
            structlog.WriteLogger(_StandardError()),  # type: ignore[arg-type]  # all that it needs of a file
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(
                getattr(logging, level.upper(), logging.INFO)
            ),
        )

    def request(
        self, method: str, route: str, status: int, seconds: float, request_id: str, client_id: str | None
    ) -> None:
        """Note a request that was answered."""
        if not self._tells_requests:
            return
        # Written by hand, as the processors above would write it: this is on the path of every check.
        line = {
            "event": "request",
            "level": "info",
            "timestamp": wire(self._clock()),
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
            "request_id": request_id,
            "client_id": client_id,
        }
        sys.stderr.write(json.dumps(line) + "\n")

    def unforeseen(self, error: BaseException) -> None:
        """Note an error that nobody foresaw: its kind and where, never its message, which may hold data.

        Also outside a request: the background thread must live on after an error.
        """
        asked = has_request_context()
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        self._lines.error(
            "unforeseen",
            kind=type(error).__qualname__,
            where=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            route=route_template() if asked else None,
            request_id=g.get("log_id") if asked else None,
        )


class Numbers:
    """Prometheus numbers of one application. Under gunicorn they are added up over its workers."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "governance_http_requests",
            "Requests answered, by route template.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "governance_http_request_seconds",
            "Time from the first byte read to the answer, by route template.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "governance_decisions",
            "Questions decided, by action and answer.",
            ("action", "decision"),
            registry=self._registry,
        )
        self._refusals = Counter(
            "governance_refusals",
            "Refusals that leave a trace, by kind (such as resurrection-blocked).",
            ("kind",),
            registry=self._registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            known = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._known[key] = known
        known[0].inc()
        known[1].observe(seconds)

    def decision(self, action: str, allowed: bool) -> None:
        """Count a decision; `action` is one of ours or `other`."""
        self._decisions.labels(action, "allow" if allowed else "deny").inc()

    def refusal(self, kind: str) -> None:
        """Count a refusal that leaves a trace."""
        self._refusals.labels(kind).inc()

    def render(self) -> bytes:
        """Write the numbers in the Prometheus text form."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def route_template() -> str:
    """Give the path as declared, `/v1/subjects/<external_id>`: never what stands in its place."""
    return request.url_rule.rule if request.url_rule is not None else "unmatched"


def install(app: Flask) -> None:
    """Give every request an id, and note and count its answer."""

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req_{random_bytes(16).hex()}"
        g.request_id = request_id
        # The id is the client's free text: only what is surely opaque is repeated outside the header.
        if request_id is given and not _OPAQUE.fullmatch(given):
            request_id = hashlib.sha256(given.encode()).hexdigest()[:32]
        g.log_id = request_id

    @app.after_request
    def _end(answer: Response) -> Response:
        noted: dict[str, Any] = vars(g._get_current_object())
        request_id = noted.get("request_id")
        if request_id is not None:
            answer.headers["X-Request-ID"] = request_id
            seconds = time.perf_counter() - noted["began"]
            asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # a proxy
            method = asked.method if asked.method in _METHODS else "OTHER"
            route = asked.url_rule.rule if asked.url_rule is not None else "unmatched"
            caller = noted.get("caller")
            client_id = None if caller is None else caller.client_id
            log: Log = app.extensions["governance-log"]
            log.request(method, route, answer.status_code, seconds, noted["log_id"], client_id)
            numbers = numbers_of(app)
            if numbers is not None:
                numbers.request(method, route, answer.status_code, seconds)
        return answer


def numbers_of(app: Flask) -> Numbers | None:
    """Give the application's numbers, or None if they are switched off."""
    found: Any = app.extensions.get("governance-numbers")
    return found if isinstance(found, Numbers) else None


def count_refusal(kind: str) -> None:
    """Count a refusal of this request that leaves a trace."""
    numbers = numbers_of(current_app)
    if numbers is not None:
        numbers.refusal(kind)


def count_decision(action: str, allowed: bool) -> None:
    """Count a decision of this request; an action that is not ours counts as `other`."""
    numbers = numbers_of(current_app)
    if numbers is not None:
        numbers.decision(action if action in ACTIONS else "other", allowed)
