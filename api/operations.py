"""Operations: health, metrics, and the description of this API itself."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, current_app, render_template
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from api import job_numbers, strict_json, telemetry
from api.rooms import PUBLIC, Room
from api.runtime import reply, this_runtime
from api.shapes import AnyObject
from governance import migrations
from governance.erasure import replay
from governance.erasure.replay import Whole
from governance.errors import GovernanceError, NotReadyError

room = Room("operations", description="Health, metrics and documentation.")


class Health(ma.Schema):
    """Whether this process answers."""

    status = ma.fields.String(required=True)


class Readiness(ma.Schema):
    """Whether this process can serve, and each thing it needs for that."""

    status = ma.fields.String(required=True, validate=ma.validate.OneOf(["ready", "not-ready"]))
    checks = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


@room.get("/healthz", scope=PUBLIC)
@room.answers(200, Health)
def healthz() -> Response:
    """Say that the process is alive."""
    return reply({"status": "alive"})


@room.get("/readyz", scope=PUBLIC)
@room.answers(200, Readiness)
@room.also(503, Readiness, description="Something it needs is missing.")
def readyz() -> Response:
    """Say whether database, keyring, migrations and clock are good to serve."""
    runtime = this_runtime()
    checks: dict[str, str] = {}

    def look(name: str, see: Any) -> None:
        try:
            checks[name] = "ok" if see() else "failed"
        except NotReadyError as problem:
            checks[name] = problem.message
        except (GovernanceError, SQLAlchemyError, OSError):
            checks[name] = "failed"

    def database() -> bool:
        with runtime.engine.connect() as connection:
            return bool(connection.scalar(sa.select(1)) == 1)

    def keyring() -> bool:
        runtime.vault.ping()
        return True

    def migrated() -> bool:
        with runtime.engine.connect() as connection:
            return migrations.is_current(connection, migrations.MAIN)

    def erasures() -> bool:
        if Whole not in runtime.resources:  # looked once: nobody restores below a running process
            replay.check_whole(runtime, runtime.tenant_ids())
            runtime.resources[Whole] = Whole()
        return True

    look("database", database)
    look("migrations", migrated)
    look("keyring", keyring)
    look("decision_log", runtime.decision_log.ping)
    look("clock", lambda: runtime.clock().year >= 2026)
    look("erasures", erasures)
    ready = all(state == "ok" for state in checks.values())
    return reply({"status": "ready" if ready else "not-ready", "checks": checks}, 200 if ready else 503)


@room.get("/metrics", scope=PUBLIC)
@room.answers(200, {"type": "string"}, content_type="text/plain", description="Prometheus text format.")
@room.refuses(404)
def metrics() -> Response:
    """Give the numbers of this server and of the jobs; GOVERNANCE_METRICS=off switches them off.

    Nobody is in the labels.
    """
    numbers = telemetry.numbers_of(current_app)
    if numbers is None:
        raise NotFound("Metrics are switched off.")
    text = numbers.render() + job_numbers.render(this_runtime())
    return Response(text, content_type=telemetry.CONTENT_TYPE)


@room.get("/openapi.json", scope=PUBLIC)
@room.answers(200, AnyObject)
def openapi() -> Response:
    """Describe every route (OpenAPI 3.1)."""
    return Response(_document(), content_type="application/json")


@room.get("/docs", scope=PUBLIC)
@room.answers(200, {"type": "string"}, content_type="text/html")
def docs() -> Response:
    """Show the description to people; works offline."""
    spec = current_app.extensions["governance-spec"].to_dict()
    return Response(render_template("docs.html", spec=spec, tags=_by_tag(spec)), content_type="text/html")


def _document() -> bytes:
    written: bytes | None = current_app.extensions.get("governance-openapi")
    if written is None:
        written = strict_json.write(current_app.extensions["governance-spec"].to_dict())
        current_app.extensions["governance-openapi"] = written
    return written


def _by_tag(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Group the operations under their tags, resolved enough to be read."""
    tags = {tag["name"]: {**tag, "operations": []} for tag in spec.get("tags", [])}
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            scopes = [scope for each in operation.get("security", []) for scope in each.get("oauth", [])]
            tags[operation["tags"][0]]["operations"].append(
                {
                    **operation,
                    "path": path,
                    "method": method.upper(),
                    "parameters": parameters,
                    "scopes": scopes,
                }
            )
    return list(tags.values())
