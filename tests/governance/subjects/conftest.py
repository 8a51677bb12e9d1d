"""One desk per database: units of work on the subjects of the tenant `acme`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.database import Writes, for_reading, make_engine, metadata
from governance.events import Actor
from governance.ledger import service as ledger
from governance.ledger import store as ledger_store
from governance.subjects import store
from governance.vault.service import Vault
from governance.work import Snapshot, Work
from tests.conftest import HandClock, settings_in

ACTOR = Actor("client_test")


class Desk:
    """Opens units of work at the hand-moved clock."""

    def __init__(self, engine: sa.Engine, vault: Vault, clock: HandClock) -> None:
        self.engine, self.vault, self.clock = engine, vault, clock
        self.recorded: list[tuple[str, dict[str, object]]] = []

    @contextmanager
    def work(self) -> Iterator[Work]:
        writes = Writes()
        with self.engine.connect() as plain:
            connection = plain.execution_options(governance_writes=writes)
            with connection.begin():
                work = Work(
                    connection,
                    "acme",
                    "tnt_0",
                    self.clock(),
                    ACTOR,
                    resources={Vault: self.vault},
                    sealer=ledger.append,
                    writes=writes,
                )
                yield work
                self.recorded += [(each.kind, dict(each.facts)) for each in work.events]
                work.seal()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self.engine.connect() as plain:
            connection = for_reading(plain)
            with connection.begin():
                yield Snapshot(
                    connection, "acme", "tnt_0", self.clock(), ACTOR, resources={Vault: self.vault}
                )

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.recorded]


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[Desk]:
    settings = settings_in(tmp_path)
    url, server, name = settings.database_url, None, ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = server.create()
        url = server.url(name)
    Vault.create(settings)
    vault, engine = Vault.open(settings), make_engine(url)
    tables = [
        table
        for module in (store, ledger_store)
        for table in vars(module).values()
        if isinstance(table, sa.Table)
    ]
    metadata.create_all(engine, tables=tables)
    yield Desk(engine, vault, clock)
    engine.dispose()
    vault.close()
    if server is not None:
        server.drop(name)
