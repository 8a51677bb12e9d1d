"""Fixtures of the HTTP door: the application over a real installation, and a caller with a token."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import application
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.callers.model import SCOPES, NewComponent
from tests.conftest import disagreements


def basic(made: NewComponent) -> dict[str, str]:
    """HTTP Basic credentials of a component."""
    pair = f"{made.component.client_id}:{made.secret}".encode()
    return {"Authorization": "Basic " + b64encode(pair).decode()}


def new_component(runtime: Runtime, *scopes: str, tenant: str = "acme") -> NewComponent:
    """Make a component with these scopes (all, if none is named)."""
    with runtime.work(tenant, COMMAND_LINE) as work:
        return callers.create_client(work, name="test", scopes=scopes or SCOPES)


class Caller:
    """A component that asks with its token."""

    def __init__(self, client: FlaskClient, made: NewComponent) -> None:
        self.client = client
        self.made = made
        answer = client.post("/oauth/token", data={"grant_type": "client_credentials"}, headers=basic(made))
        assert answer.status_code == 200, answer.data
        self.token: str = answer.get_json()["access_token"]

    def __getattr__(self, method: str) -> Callable[..., TestResponse]:
        def ask(path: str, body: Any = None, **options: Any) -> TestResponse:
            headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
            if body is not None:
                options["json"] = body
            return getattr(self.client, method)(path, headers=headers, **options)

        return ask


_BUILT: dict[str, Flask] = {}


def application_over(runtime: Runtime) -> Flask:
    """Give the application over this runtime. Its routes are built once a process: that takes a second."""
    url = runtime.settings.public_url
    app = _BUILT.get(url) or _BUILT.setdefault(url, application.build(url))
    application.attach(app, runtime)
    return app


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return application_over(runtime)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def caller(client: FlaskClient, runtime: Runtime) -> Caller:
    """A component of `acme` with every scope."""
    return Caller(client, new_component(runtime))


@pytest.fixture
def any_app(any_runtime: Runtime) -> Flask:
    return application_over(any_runtime)


@pytest.fixture
def any_caller(any_app: Flask, any_runtime: Runtime) -> Caller:
    """A component of `acme` with every scope, on each database."""
    return Caller(any_app.test_client(), new_component(any_runtime))


@pytest.fixture(autouse=True)
def _ledger_and_rows_agree(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from disagreements(request)
