"""Whatever a test of this room did, the ledger tells the same story afterwards."""

from collections.abc import Iterator

import pytest

from governance.bootstrap import Runtime
from governance.consent import checking as consents
from governance.events import Actor
from governance.subjects import checking as subjects


@pytest.fixture(autouse=True)
def _ledger_and_rows_agree(request: pytest.FixtureRequest) -> Iterator[None]:
    names = [name for name in ("runtime", "any_runtime", "postgres_runtime") if name in request.fixturenames]
    used: list[Runtime] = [request.getfixturevalue(name) for name in names]
    yield
    for runtime in used:
        with runtime.snapshot("acme", Actor("client_test")) as snapshot:
            assert subjects.check(snapshot.connection, "acme") == []
            assert consents.check(snapshot.connection, "acme") == []
