"""No input, however odd, makes the service fail or answer with a status that it does not document."""

import json
import math
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import create_app
from api.application import ROOMS
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.callers.model import SCOPES
from tests.api.conftest import Caller

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PERSON = {
    "identifiers": [{"type": "email", "value": "jane.roe@example.org"}],
    "attributes": {"country": "DE"},
    "relationship": "lead",
}


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return create_app(runtime)


@schemathesis.serializer("application/x-ndjson")
def one_line(_: object, value: Any) -> bytes:
    """A batch of one line."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.serializer("message/rfc822", "message/feedback-report", "multipart/report")
def one_report(_: object, value: Any) -> bytes:
    """A complaint report: a text as it is, and now and then a real one."""
    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return REPORT if len(text) % 3 == 0 else text


def token_of(app: Flask, runtime: Runtime) -> str:
    with runtime.work("acme", COMMAND_LINE) as work:
        made = callers.create_client(work, name="schemathesis", scopes=SCOPES)
    caller = Caller(app.test_client(), made)
    assert caller.put("/v1/subjects/crm-1", PERSON).status_code == 201
    return caller.token


REPORT = b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <a@example.org>\n"


def prefer_the_known(case: Case) -> None:
    """Ask about the one person who exists, half of the time: strangers are soon told so."""
    parameters: dict[str, Any] = dict(case.path_parameters or {})
    if len(str(parameters.get("external_id", ""))) % 2:
        parameters["external_id"] = "crm-1"
        case.path_parameters = parameters


@pytest.mark.parametrize("cases", [1_000, pytest.param(10_000, marks=pytest.mark.full)])
def test_no_input_makes_the_service_fail_or_answer_what_it_does_not_document(
    app: Flask, runtime: Runtime, cases: int
) -> None:
    headers = {"Authorization": f"Bearer {token_of(app, runtime)}"}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    declared = sum(len(room.scopes) for room in ROOMS)
    assert len(operations) == declared - 1, "all but /openapi.json itself"
    # A route without any input has one case only; the others make up for it.
    with_input = [one for one in operations if one.body or one.query or one.path_parameters]
    each = math.ceil(1.15 * cases / len(with_input))
    answered = 0
    seen: set[int] = set()
    faults: list[str] = []

    for operation in operations:
        strategies = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
        if operation.body or operation.query or operation.path_parameters:
            strategies.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

        @settings(
            max_examples=each,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
        )
        @given(case=st.one_of(strategies))
        def ask(case: Case) -> None:
            nonlocal answered
            prefer_the_known(case)
            response = case.call(headers=headers)
            answered += 1
            seen.add(response.status_code)
            case.validate_response(response, checks=CHECKS)

        try:
            ask()
        except BaseExceptionGroup as group:
            faults.append(f"{operation.label}: {group.exceptions}")
    assert not faults, "\n".join(faults)
    assert answered >= cases
    assert {200, 201, 400, 404, 422} <= seen
