"""A ledger of its own on each database: its tables and triggers, units of work, a signing key."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.engine import Engine

from governance.database import Writes, make_engine, metadata
from governance.events import Actor
from governance.ledger import service, store, triggers
from governance.ledger.note import NoteSigner
from governance.tenants.store import tenant_deletion
from governance.work import Work

TABLES = [store.ledger_head, store.ledger_entry, store.ledger_node, store.ledger_checkpoint]
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

OpenWork = Callable[..., AbstractContextManager[Work]]


@pytest.fixture
def signer() -> NoteSigner:
    return NoteSigner("privacy.example.org/ledger", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with nothing but the ledger in it."""
    name = None
    if request.param == "sqlite":
        made = make_engine(f"sqlite:///{tmp_path}/ledger.db", full_sync=False)
    else:
        server = request.getfixturevalue("postgres")
        name = server.create()
        made = make_engine(server.url(name))
    with made.begin() as connection:
        metadata.create_all(connection, tables=[*TABLES, tenant_deletion])
        triggers.install_triggers(connection)
    yield made
    made.dispose()
    if name is not None:
        server.drop(name)


@pytest.fixture
def open_work(engine: Engine) -> OpenWork:
    """Open a unit of work as the runtime does: sealed and committed on leaving, rolled back on an error."""

    @contextmanager
    def opened(tenant_id: str = "acme") -> Iterator[Work]:
        writes = Writes()
        with engine.connect().execution_options(governance_writes=writes) as connection, connection.begin():
            work = Work(
                connection,
                tenant_id,
                f"ref-of-{tenant_id}",
                NOW,
                Actor("client_test"),
                sealer=service.append,
                writes=writes,
            )
            yield work
            work.seal()

    return opened


@pytest.fixture
def record(open_work: OpenWork) -> Callable[..., None]:
    """Record so many events, up to 200 in a transaction."""

    def recorded(count: int, *, tenant_id: str = "acme", subject_ref: str | None = "sub_1") -> None:
        for start in range(0, count, 200):
            with open_work(tenant_id) as work:
                for number in range(start, min(start + 200, count)):
                    work.record("consent.granted", subject_ref=subject_ref, facts={"number": number})

    return recorded
