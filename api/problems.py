"""What goes wrong, as RFC 9457 problem details: one table from kinds of error to HTTP."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma
from flask import Response, current_app, g, request
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException

from api import strict_json
from governance.errors import (
    ConflictError,
    ExpiredError,
    GovernanceError,
    InvalidError,
    NotFoundError,
    NotReadyError,
    StaleError,
    SuspendedError,
    TooManyError,
    UnreadableError,
)
from governance.policy.complaints import PolicyError, suggestion

MEDIA_TYPE = "application/problem+json"

_MOST_PROBLEMS = 100
_PLAIN_NAME = re.compile(r"(?!\d{5})[A-Za-z0-9_-]{1,40}")

STATUS: Mapping[type[GovernanceError], tuple[int, str]] = {
    InvalidError: (422, "What was sent cannot be used"),
    NotFoundError: (404, "Not found"),
    ConflictError: (409, "Conflict with what is"),
    StaleError: (412, "The version edited is not the newest"),
    TooManyError: (429, "Too many requests"),
    ExpiredError: (410, "No longer valid"),
    UnreadableError: (404, "Not readable any more"),
    NotReadyError: (503, "Not ready"),
    SuspendedError: (403, "This tenant is suspended"),
}
"""Every kind of error that the domain raises: its status and title. A test demands that none is missing."""

TITLES = {
    "denied-by-policy": "Denied by policy",
    "resurrection-blocked": "This value belongs to an erased person",
}


class Problem(ma.Schema):
    """Problem details (RFC 9457)."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String()
    instance = ma.fields.String(metadata={"description": "The request's id, as in X-Request-ID."})
    errors = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={
            "description": "Path of a member (`subject.id`, `events.0.event`) → what is wrong with it."
        },
    )
    problems = ma.fields.List(
        ma.fields.Dict(),
        metadata={
            "description": "Only with `policy-refused`: `file`, `line`, `sentence`, `nearest` known name."
        },
    )
    decision = ma.fields.Dict(metadata={"description": "Only with `denied-by-policy`: the whole decision."})


def problem(
    status: int,
    title: str,
    detail: str | None = None,
    *,
    code: str | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response:
    """Answer with problem details; `code` is the last segment of `type` (absent: `about:blank`)."""
    body: dict[str, object] = {
        "type": "about:blank" if code is None else f"{current_app.config['PUBLIC_URL']}/problems/{code}",
        "title": title,
        "status": status,
    }
    if detail:
        body["detail"] = detail
    if "request_id" in g:
        body["instance"] = f"urn:request:{g.log_id}"
    if errors:
        body["errors"] = {path: list(complaints) for path, complaints in errors.items()}
    body.update(members)
    answer = Response(strict_json.write(body), status, content_type=MEDIA_TYPE)
    for name, value in (headers or {}).items():
        answer.headers[name] = value
    return answer


def denied(document: Mapping[str, Any], detail: str) -> Response:
    """Answer what policy denies: 403, with the whole decision. Its trace is committed."""
    return problem(403, "Denied by policy", detail, code="denied-by-policy", decision=document)


def of_domain(error: GovernanceError) -> Response:
    """Answer an error that the domain raised, by the table."""
    if isinstance(error, PolicyError):
        return of_policy(error)
    status, title = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if isinstance(error, InvalidError) and request.path.startswith("/access/v1/"):
        status = 400  # AuthZEN 1.0, "Error Responses": what is malformed is a Bad Request
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyError) else None
    code = error.reason if isinstance(error, ConflictError) else error.code
    fields = error.fields if isinstance(error, InvalidError) else {}
    return problem(
        status,
        TITLES.get(code, title),
        error.message,
        code=code,
        errors={_path(path.split(".")): complaints for path, complaints in fields.items()},
        headers=headers,
    )


def of_policy(error: PolicyError) -> Response:
    """Answer policies that were refused: each complaint with its file and line, the first hundred of them."""
    shown = error.problems[:_MOST_PROBLEMS]
    return problem(
        422,
        "The policy was refused",
        error.message.split("\n", 1)[0].rstrip(":") + "; see `problems`.",
        code=error.code,
        errors={"policy": [str(one) for one in shown]},
        problems=[
            {
                "file": one.file,
                "line": one.line,
                "sentence": one.sentence,
                "nearest": suggestion(one.sentence),
            }
            for one in shown
        ],
    )


def of_http(error: HTTPException) -> Response:
    """Answer an HTTP exception, keeping its headers (Allow, Retry-After, WWW-Authenticate)."""
    if error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect made by the router
    data: Mapping[str, Any] = getattr(error, "data", None) or {}
    found = data.get("messages") or data.get("errors")
    kept = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    kept.update(data.get("headers") or {})
    detail = "Some members cannot be used; see `errors`." if found else (error.description or None)
    return problem(
        error.code,
        error.name,
        detail,
        code="invalid" if found else None,
        errors=_walk(found) if found else None,
        headers=kept,
    )


def of_fields(messages: Mapping[str, Any]) -> Response:
    """Answer members that cannot be used: marshmallow's messages, `{location: {field: …}}`."""
    return problem(
        422,
        "Unprocessable Content",
        "Some members cannot be used; see `errors`.",
        code="invalid",
        errors=_walk(messages),
    )


def of_database(error: DBAPIError) -> Response:
    """Answer a database that is busy or away (503), or two requests that made the same thing (409)."""
    current_app.extensions["governance-log"].unforeseen(error)
    if isinstance(error, IntegrityError):
        return problem(
            409,
            "Conflict with what is",
            "Another request changed the same thing at the same moment; repeat this one.",
            code="concurrent-change",
        )
    if isinstance(error, OperationalError):
        return problem(
            503, "Not ready", "The database is busy or away; repeat later.", headers={"Retry-After": "1"}
        )
    return problem(
        500, "Internal Server Error", "This should not have happened; the log has the request's id."
    )


def of_anything(error: Exception) -> Response:
    """Answer what nobody foresaw, without saying anything about it; the log has its kind and place."""
    current_app.extensions["governance-log"].unforeseen(error)
    return problem(
        500, "Internal Server Error", "This should not have happened; the log has the request's id."
    )


def _walk(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """Flatten marshmallow's messages, `{location: {field: {index: [text]}}}`, into path → texts."""
    found: dict[str, list[str]] = {}

    def descend(path: list[str], thing: Any) -> None:
        if isinstance(thing, Mapping):
            for name, rest in thing.items():
                descend(path if name == "_schema" else [*path, str(name)], rest)
        else:
            texts = thing if isinstance(thing, list) else [thing]
            found.setdefault(_path(path), []).extend(str(text) for text in texts)

    for rest in messages.values():
        descend([], rest)
    return found


def _path(path: Sequence[str]) -> str:
    """Write a path with dots; a name that no field of ours could have (it may be a person's) becomes `?`."""
    return ".".join(part if _PLAIN_NAME.fullmatch(part) else "?" for part in path if part != "") or "body"
