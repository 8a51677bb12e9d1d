"""Whatever a test of a room did, the ledger tells the same story afterwards."""

from collections.abc import Iterator

import pytest

from tests.conftest import disagreements


@pytest.fixture(autouse=True)
def _ledger_and_rows_agree(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from disagreements(request)
