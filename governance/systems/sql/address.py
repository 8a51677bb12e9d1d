"""Where a database may lie: only where the operator lets systems connect to, never in this service.

A tenant writes the URL, so it is read as hostile: a file path could name another tenant's data, a host name a
machine inside. The operator names hosts (`host:port`) and folders (of SQLite files and of sockets).
"""

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

SETTING = "GOVERNANCE_SYSTEM_ALLOW"

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}
_QUERY = {"host", "port", "sslmode", "charset"}
_CONNECT_SECONDS = 5


class Refused(Exception):
    """This URL is not one that a system may have; the sentence says why and never repeats it."""


def read_url(text: str, allow: Collection[str], own: Iterable[str]) -> URL:
    """Read a database URL; Refused if it is none, or leads where the operator allows nothing."""
    url = _parse(text)
    places = {_place(each) for each in map(_parse, own)}
    if _place(url) in places:
        raise Refused("This is a database of this service itself.")
    if url.get_backend_name() == "sqlite":
        _check_file(url, allow)
    else:
        _check_host(url, allow)
    return url


def open_engine(url: URL, lock_seconds: int) -> Engine:
    """An engine that keeps no connection and makes no file; parameters never stand in its errors."""
    if url.get_backend_name() == "sqlite":
        name = f"file:{quote(str(url.database))}?mode=rw"

        def connect() -> sqlite3.Connection:
            made = sqlite3.connect(name, uri=True, timeout=lock_seconds, isolation_level=None)
            made.execute("PRAGMA foreign_keys=ON")
            made.execute("PRAGMA secure_delete=ON")
            return made

        engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
        sa.event.listen(engine, "begin", _begin)
        return engine
    psycopg = url.get_driver_name() == "psycopg"
    arguments = {"connect_timeout": _CONNECT_SECONDS, "application_name": "governance"} if psycopg else {}
    return sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("system_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _parse(text: str) -> URL:
    for plain in ("postgresql://", "postgres://"):
        if text.startswith(plain):
            text = "postgresql+psycopg://" + text.removeprefix(plain)
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, ValueError, NoSuchModuleError, ImportError):
        raise Refused(
            "Use a URL such as postgresql://user:password@host:5432/name, of a database whose "
            "SQLAlchemy driver is installed."
        ) from None
    return url


def _check_file(url: URL, allow: Collection[str]) -> None:
    name = url.database or ""
    if url.query or not name.startswith("/"):
        raise Refused("A SQLite URL names one file by its whole path: sqlite:////folder/crm.db.")
    file = Path(name).resolve()
    if not _inside(file, allow):
        raise Refused(f"The operator allows no SQLite file in this folder; name the folder in {SETTING}.")


def _check_host(url: URL, allow: Collection[str]) -> None:
    if set(url.query) - _QUERY:
        raise Refused(f"Of the parameters of a URL only {', '.join(sorted(_QUERY))} are taken.")
    host, port = _host(url)
    if host.startswith("/"):
        if not _inside(Path(host).resolve(), allow):
            raise Refused(f"The operator allows no socket in this folder; name the folder in {SETTING}.")
    elif not host or "," in host or f"{host}:{port}" not in allow:
        raise Refused(f"The operator allows no database there; name it as host:port in {SETTING}.")


def _inside(path: Path, allow: Collection[str]) -> bool:
    folders = [Path(each).resolve() for each in allow if each.startswith("/")]
    return any(path == folder or folder in path.parents for folder in folders)


def _host(url: URL) -> tuple[str, int]:
    host, port = url.query.get("host", url.host or ""), url.query.get("port", url.port)
    if not isinstance(host, str) or isinstance(port, tuple):
        raise Refused("Name one host.")
    if url.host and "host" in url.query:
        raise Refused("Name the host once.")
    try:
        return host.lower(), int(port or _PORTS.get(url.get_backend_name(), 0))
    except ValueError:
        raise Refused("The port is a number.") from None


def _place(url: URL) -> tuple[str, ...]:
    """What tells two databases apart, whoever logs in."""
    if url.get_backend_name() == "sqlite":
        return ("sqlite", str(Path(url.database or "").resolve()))
    host, port = _host(url)
    return (url.get_backend_name(), host, str(port), url.database or "")
