"""Fixtures: a clock moved by hand, and real installations on SQLite and PostgreSQL."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
# A process of tests holds a million objects that stay. Looking for garbage among them again and again was a
# third of the time that the tests took; what a test leaves behind is still collected.
gc.set_threshold(50_000, 20, 50)
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


@dataclass(frozen=True)
class Filling:
    """What a test begins with beside the tenant: made once in a process of tests, then copied."""

    name: str
    fill: Callable[["Runtime"], None]


@pytest.fixture(scope="session")
def filled_templates() -> dict[tuple[str, str], tuple[Path, str | None]]:
    """The installations that were filled, by the kind of database and the name of what is in them."""
    return {}


@pytest.fixture
def make_settings(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Settings]]:
    """Make a fresh installation on `sqlite` or `postgresql`: the tenant `acme`, and what `filling` says."""
    made: list[tuple[Server, str]] = []

    def copy(kind: str, source: Path, template: str | None, folder: Path) -> tuple[Settings, str | None]:
        shutil.copytree(source, folder)
        if kind == "sqlite":
            return settings_in(folder), None
        running: Server = request.getfixturevalue("postgres")
        name = running.create(template=template)
        return settings_in(folder, running.url(name)), name

    def plain(kind: str) -> tuple[Path, str | None]:
        if kind == "sqlite":
            return request.getfixturevalue("sqlite_template"), None
        found: tuple[Path, str] = request.getfixturevalue("postgres_template")
        return found

    def filled(kind: str, filling: Filling) -> tuple[Path, str | None]:
        from governance.bootstrap import assemble

        known: dict[tuple[str, str], tuple[Path, str | None]] = request.getfixturevalue("filled_templates")
        if (kind, filling.name) not in known:
            folder = tmp_path_factory.mktemp("filled") / "data"
            settings, name = copy(kind, *plain(kind), folder)
            runtime = assemble(settings, clock=HandClock())
            try:
                filling.fill(runtime)
            finally:
                runtime.close()
            known[kind, filling.name] = folder, name
        return known[kind, filling.name]

    def make(kind: str, filling: Filling | None = None) -> Settings:
        source, template = plain(kind) if filling is None else filled(kind, filling)
        settings, name = copy(kind, source, template, tmp_path / f"data-{kind}")
        if name is not None:
            made.append((request.getfixturevalue("postgres"), name))
        return settings

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
