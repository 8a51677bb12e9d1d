"""The stage on which the stories play: the whole service over HTTP, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from governance.bootstrap import Runtime
from tests.api.conftest import Caller, application_over, new_component
from tests.conftest import HandClock, disagreements
from tests.stories.crm import Crm


@pytest.fixture
def crm(any_runtime: Runtime, clock: HandClock) -> Crm:
    """A company's CRM with every scope, on each database."""
    app = application_over(any_runtime)
    return Crm(app, Caller(app.test_client(), new_component(any_runtime)), clock)


@pytest.fixture(autouse=True)
def _ledger_and_rows_agree(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from disagreements(request)
