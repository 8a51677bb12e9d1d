"""Fixtures: a clock moved by hand, and real installations on SQLite and PostgreSQL."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.default import DefaultDialect

from governance.events import Actor
from governance.settings import Settings
from tests.postgres import Server, server

if TYPE_CHECKING:
    from governance.bootstrap import Runtime

ACTOR = Actor("client_test")


def _share_compiled_statements() -> None:
    """Let all engines of one kind share a dialect, and with it what they compiled.

    Every test has an installation of its own, and with it engines that know no statement yet: compiling them
    all anew was a third of the time that the tests took.
    """
    first: dict[str, Engine] = {}

    def share(_kind: type[Dialect], engine: Engine) -> None:
        known = first.setdefault(engine.url.drivername, engine)
        if getattr(known.dialect, "server_version_info", None) is None:  # it was never connected
            first[engine.url.drivername] = engine
            return
        engine.dialect = known.dialect
        engine._compiled_cache = known._compiled_cache

    DefaultDialect.engine_created = classmethod(share)  # type: ignore[assignment]


_share_compiled_statements()
# How fast a machine is says nothing about what is tested.
hypothesis_settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("house")
START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the promises: their campaigns last longest, none shall be waited for at the end."""
    items.sort(key=lambda item: "promises" not in item.path.parts)


class HandClock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def now(self) -> datetime:
        return self.at

    def forward(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for all workers of this run."""
    with server(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))) as found:
        yield found


def settings_in(folder: Path, database_url: str | None = None) -> Settings:
    """Settings of an installation in a folder."""
    environ = {"GOVERNANCE_DATA_DIR": str(folder), "GOVERNANCE_PUBLIC_URL": "https://privacy.example.org"}
    if database_url:
        environ["GOVERNANCE_DATABASE_URL"] = database_url
    return Settings.from_environ(environ)


def found(settings: Settings) -> None:
    """Make an installation with the tenant `acme` in it."""
    from governance.bootstrap import assemble, initialise  # pure tests need no installation

    initialise(settings)
    runtime = assemble(settings, clock=HandClock(START - timedelta(days=1)))
    try:
        runtime.create_tenant("acme", name="Acme Inc.", country="US", address="1 Main Street, Springfield")
    finally:
        runtime.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template-sqlite")
    found(settings_in(folder))
    return folder


@pytest.fixture(scope="session")
def postgres_template(
    tmp_path_factory: pytest.TempPathFactory, postgres: Server
) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("template-postgres")
    name = postgres.create()
    found(settings_in(folder, postgres.url(name)))
    yield folder, name
    postgres.drop(name)


@pytest.fixture
def make_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Settings]]:
    """Make a fresh installation on `sqlite` or `postgresql`, with the tenant `acme`."""
    made: list[tuple[Server, str]] = []

    def make(kind: str) -> Settings:
        folder = tmp_path / f"data-{kind}"
        if kind == "sqlite":
            shutil.copytree(request.getfixturevalue("sqlite_template"), folder)
            return settings_in(folder)
        source, template = request.getfixturevalue("postgres_template")
        running: Server = request.getfixturevalue("postgres")
        shutil.copytree(source, folder)
        name = running.create(template=template)
        made.append((running, name))
        return settings_in(folder, running.url(name))

    yield make
    for running, name in made:
        running.drop(name)


@pytest.fixture
def runtime(make_settings: Callable[[str], Settings], clock: HandClock) -> Iterator["Runtime"]:
    """An installation on SQLite with the tenant `acme`."""
    from governance.bootstrap import assemble

    runtime = assemble(make_settings("sqlite"), clock=clock)
    yield runtime
    runtime.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_runtime(
    request: pytest.FixtureRequest, make_settings: Callable[[str], Settings], clock: HandClock
) -> Iterator["Runtime"]:
    """An installation on each database with the tenant `acme`."""
    from governance.bootstrap import assemble

    runtime = assemble(make_settings(request.param), clock=clock)
    yield runtime
    runtime.close()


@pytest.fixture
def postgres_runtime(make_settings: Callable[[str], Settings], clock: HandClock) -> Iterator["Runtime"]:
    """An installation on PostgreSQL with the tenant `acme`."""
    from governance.bootstrap import assemble

    runtime = assemble(make_settings("postgresql"), clock=clock)
    yield runtime
    runtime.close()


def disagreements(request: pytest.FixtureRequest) -> Iterator[None]:
    """See, after a test, that people and consents are what the ledger of its installation tells.

    For autouse fixtures. A test that lays hands on the database says so: `@pytest.mark.by_hand`.
    """
    names = [name for name in ("runtime", "any_runtime", "postgres_runtime") if name in request.fixturenames]
    used: list[Runtime] = [request.getfixturevalue(name) for name in names]
    yield
    if used and request.node.get_closest_marker("by_hand") is None:
        from governance.consent.checking import check as check_consents
        from governance.subjects.checking import check as check_subjects

        for runtime in used:
            with runtime.snapshot("acme", ACTOR) as snapshot:
                assert check_subjects(snapshot) == []
                assert check_consents(snapshot) == []
