"""How a room of the API is declared: every route names its scope and documents itself."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

import marshmallow as ma
from flask import Request, g
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from api import runtime, strict_json
from api.disclosures import Discloses

PUBLIC = "public"
"""In place of a scope: a route that anyone may ask."""

View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Reads bodies with our JSON reader and refuses what a schema does not know, wherever it stands."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012  # the library's own form
        "json": None,
        "query": ma.RAISE,
        "form": ma.RAISE,
        "files": ma.RAISE,
    }

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """Read the body; 400 malformed, 413 too large, 415 another media type."""
        return json_body(req)


def json_body(req: Request) -> Any:
    """Read the request's JSON body; 400 malformed, 413 too large, 415 another media type."""
    body = req.get_data(cache=True)
    if req.mimetype != "application/json" and not (req.mimetype.startswith("application/") and req.is_json):
        raise UnsupportedMediaType("Send the body as application/json.")
    return strict_json.read(body)


class Room(Blueprint):  # type: ignore[misc]  # flask-smorest is untyped
    """One room's routes."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, *, description: str) -> None:
        super().__init__(name, name, description=description)
        self.scopes: dict[tuple[str, str], str] = {}
        self.discloses: dict[tuple[str, str], Discloses | None] = {}

    def route(
        self,
        rule: str,
        *,
        scope: str,
        or_scope: str | None = None,
        effect: bool = True,
        configuration: bool = False,
        even_suspended: bool = False,
        discloses: Discloses | None = None,
        **options: Any,
    ) -> Callable[[View], View]:
        """Declare a route.

        `scope`: the one that a token needs, or PUBLIC; `or_scope`: another that does as well. `effect`:
        whether a POST changes anything (look-ups and checks do not). `configuration`: whether a PUT wants
        `If-Match` (412 stale, 428 missing).
        `even_suspended`: it goes on while the tenant is suspended. `discloses`: which data of people it
        answers with.
        """
        declare = super().route

        def decorator(view: View) -> View:
            for method in options.get("methods", ("GET",)):
                self.scopes[method, rule] = scope
                self.discloses[method, rule] = discloses
            guarded = view if scope == PUBLIC else _guarded(view, scope, or_scope, even_suspended, discloses)
            methods = options.get("methods", ("GET",))
            statuses = _statuses(guarded, rule, scope, methods, configuration)
            if or_scope is not None:
                guarded.__dict__["_apidoc"].setdefault("manual_doc", {})["security"] = [
                    {"oauth": [scope]},
                    {"oauth": [or_scope]},
                ]
            _document(guarded, scope, statuses, keyed=effect and scope != PUBLIC and "POST" in methods)
            declare(rule, **options)(guarded)
            return view

        return decorator

    def get(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Declare a route for GET."""
        return self.route(rule, methods=["GET"], **options)

    def post(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Declare a route for POST."""
        return self.route(rule, methods=["POST"], **options)

    def put(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Declare a route for PUT."""
        return self.route(rule, methods=["PUT"], **options)

    def delete(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Declare a route for DELETE."""
        return self.route(rule, methods=["DELETE"], **options)

    def describe(self, **members: Any) -> Callable[[View], View]:
        """Add to the operation's documentation by hand."""
        return _only_documenting(self.doc(**members))

    def tables(self) -> Callable[[View], View]:
        """Document that the answer is a table in CSV where `format=csv` asks for it."""
        text = {"schema": {"type": "string"}}
        return self.describe(responses={200: {"content": {"text/csv": text}}})

    def refuses(self, status: int) -> Callable[[View], View]:
        """Document a problem that this route can answer besides those of its form."""
        return _only_documenting(self.alt_response(status, HTTPStatus(status).name))

    def body(self, schema: type[ma.Schema] | ma.Schema, **options: Any) -> Callable[[View], View]:
        """Read the JSON body by a schema and hand it to the view."""
        # A class would be instantiated at every request, its fields copied each time.
        once = schema() if isinstance(schema, type) else schema
        decorator: Callable[[View], View] = self.arguments(once, location="json", **options)
        return decorator

    def query(self, schema: type[ma.Schema] | ma.Schema) -> Callable[[View], View]:
        """Read the query by a schema and hand it to the view."""
        once = schema() if isinstance(schema, type) else schema
        decorator: Callable[[View], View] = self.arguments(once, location="query")
        return decorator

    def answers(self, status: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document an answer. Views answer with `api.runtime.reply`; the schema describes it."""
        return _only_documenting(self.response(status, schema, **options))

    def also(self, status: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document another answer than the first."""
        return _only_documenting(self.alt_response(status, schema=schema, success=True, **options))


def _only_documenting(decorator: Callable[[Any], Any]) -> Callable[[View], View]:
    """Take a flask-smorest decorator's documentation and leave its wrapper: our views answer themselves."""

    def documented(view: View) -> View:
        view.__dict__["_apidoc"] = decorator(view)._apidoc
        return view

    return documented


def _guarded(
    view: View, scope: str, or_scope: str | None, even_suspended: bool, discloses: Discloses | None
) -> View:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        runtime.admit(scope, or_scope, even_suspended=even_suspended, discloses=discloses)
        answer = view(*args, **kwargs)
        if not g.standing_checked:
            # The view opened no transaction of its own, so nothing happened yet that could not be withheld.
            with runtime.request_snapshot():
                pass
        if discloses is not None and not g.disclosed and answer.status_code < 400:
            raise AssertionError("a route that discloses people's data asked nobody whether they may go")
        return answer

    return guarded  # type: ignore[return-value]  # wraps keeps the view's signature


def _statuses(view: Any, rule: str, scope: str, methods: Any, configuration: bool) -> set[int]:
    """Say which problems a route of this form can answer."""
    statuses = {400, 503}
    if scope != PUBLIC:
        statuses |= {401, 403}
    if "<" in rule:
        statuses |= {404, 422}
    if any(method in ("POST", "PUT", "PATCH") for method in methods):
        statuses |= {404, 409, 413, 415, 422}
    if getattr(view, "_apidoc", {}).get("arguments"):
        statuses.add(422)
    if configuration and "PUT" in methods:
        statuses |= {412, 428}
    return statuses


def _document(view: Any, scope: str, statuses: set[int], *, keyed: bool) -> None:
    """Write the scope, the problems and the Idempotency-Key into the view's documentation."""
    documented = view.__dict__.setdefault("_apidoc", {})
    responses = documented.setdefault("response", {}).setdefault("responses", {})
    for status in sorted(statuses - set(responses)):
        responses[status] = [HTTPStatus(status).name]
    manual = documented.setdefault("manual_doc", {})
    manual.setdefault("security", [] if scope == PUBLIC else [{"oauth": [scope]}])
    if keyed:
        manual.setdefault("parameters", []).append(
            {
                "in": "header",
                "name": "Idempotency-Key",
                "schema": {"type": "string", "pattern": r"^[!#-\[\]-~]{1,200}$"},
                "description": "The same key and body have the same effect once (kept for 24 hours).",
            }
        )
