"""Fixtures of the connected systems: a CRM's database on SQLite and PostgreSQL, registered with a runtime."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from governance.bootstrap import Runtime
from governance.settings import Settings
from governance.systems import operations
from governance.systems import service as systems
from governance.systems.model import ErasurePlan, Outcome, SubjectKeys
from governance.systems.operations import Operation
from tests.conftest import ACTOR
from tests.fixtures import crm
from tests.postgres import Server

Asked = Callable[..., Outcome]


@dataclass
class Crm:
    """A CRM's database and the runtime it is registered with, as system `crm`."""

    runtime: Runtime
    url: str
    asked: int = 0

    def put(self, **changes: Any) -> None:
        """Register the system, or replace it."""
        with self.runtime.work("acme", ACTOR) as work:
            found = systems.find(work, "crm")
            version = None if found is None else found.version
            systems.put(work, "crm", crm.body(self.url, **changes), version)

    def ask(
        self, verb: str, keys: SubjectKeys, *, id: str = "", plan: ErasurePlan | None = None, **more: Any
    ) -> Outcome:
        """Ask the system under a new operation id (or this one)."""
        self.asked += 1
        asked = Operation(id or f"op-{self.asked}", "crm", verb, keys, plan, **more)
        return operations.run(self.runtime, ACTOR, "acme", asked)

    def erase(self, keys: SubjectKeys, **more: Any) -> Outcome:
        """Erase all classes."""
        return self.ask("erase", keys, plan=more.pop("plan", ErasurePlan.delete(crm.DATA_CLASSES)), **more)

    def dump(self) -> dict[str, list[str]]:
        return crm.dump(self.url)

    def run(self, statements: str) -> None:
        crm.run(self.url, statements)


def place_of(url: str) -> str:
    """What an operator allows so that a system may have this URL."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return str(Path(str(parts.database)).parent)
    host = str(parts.query.get("host", parts.host))
    return host if host.startswith("/") else f"{host}:{parts.port or 5432}"


def allowing(runtime: Runtime, *places: str) -> None:
    """Let systems of this runtime connect to these places."""
    settings = replace(runtime.settings, system_allow=frozenset(places))
    runtime.settings = settings
    runtime.resources[Settings] = settings


@pytest.fixture
def make_crm(
    runtime: Runtime, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Crm]]:
    """Make a CRM on `sqlite` or `postgresql`."""
    made: list[tuple[Server, str]] = []

    def make(kind: str) -> Crm:
        if kind == "sqlite":
            (tmp_path / "crm").mkdir()
            (tmp_path / "crm" / "crm.db").touch()
            url = f"sqlite:///{tmp_path}/crm/crm.db"
        else:
            server: Server = request.getfixturevalue("postgres")
            name = server.create()
            made.append((server, name))
            url = server.url(name)
        crm.make(url)
        allowing(runtime, place_of(url))
        return Crm(runtime, url)

    yield make
    for server, name in made:
        server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_crm(make_crm: Callable[[str], Crm], request: pytest.FixtureRequest) -> Crm:
    """A registered CRM on each database."""
    made = make_crm(request.param)
    made.put()
    return made


@pytest.fixture
def sqlite_crm(make_crm: Callable[[str], Crm]) -> Crm:
    """A registered CRM on SQLite."""
    made = make_crm("sqlite")
    made.put()
    return made
