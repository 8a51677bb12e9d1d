"""Engines, the table registry, and the few column types that both databases share."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData()
"""Every table of the main database. Keyring and decision log have registries of their own."""

APPLICATION_ROLE = "governance_app"
"""PostgreSQL role that every transaction takes: it owns nothing, so row-level security binds it."""


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC with microseconds. SQLite keeps whole microseconds since 1970."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Use the database's own type where it keeps the zone."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """Refuse naive instants; write UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive instant cannot be stored: it names no moment")
        return value.astimezone(UTC) if dialect.name == "postgresql" else micros(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Read back an aware instant in UTC."""
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return from_micros(value)


class Json(TypeDecorator[Any]):
    """JSON text, written compactly with sorted keys."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Write a JSON value."""
        return None if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """Read a JSON value."""
        return None if value is None else json.loads(value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00:00Z, exactly."""
    delta = instant - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(value: int) -> datetime:
    """The aware UTC instant of so many microseconds since 1970."""
    seconds, rest = divmod(value, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


@dataclass(slots=True)
class Writes:
    """Counts the writing statements of one transaction; `paused` while it keeps its own books."""

    count: int = 0
    paused: bool = False


def make_engine(url: str, *, full_sync: bool = True, pool_size: int = 8) -> Engine:
    """Open an engine on SQLite (WAL, durable commits, foreign keys) or PostgreSQL."""
    address: URL = make_url(url)
    if address.get_backend_name() == "sqlite":
        engine = sa.create_engine(address, hide_parameters=True, pool_size=pool_size, max_overflow=16)
        _prepare_sqlite(engine, full_sync)
    else:
        engine = sa.create_engine(
            address, hide_parameters=True, pool_size=pool_size, max_overflow=16, pool_pre_ping=False
        )
    sa.event.listen(engine, "before_cursor_execute", _count_writes)
    return engine


def _prepare_sqlite(engine: Engine, full_sync: bool) -> None:
    """Take transactions into our own hands: the driver's default leaves half a migration behind."""

    @sa.event.listens_for(engine, "connect")
    def _connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None
        dbapi.execute("PRAGMA busy_timeout=30000")
        dbapi.execute("PRAGMA journal_mode=WAL")
        dbapi.execute(f"PRAGMA synchronous={'FULL' if full_sync else 'NORMAL'}")
        dbapi.execute("PRAGMA foreign_keys=ON")
        dbapi.execute("PRAGMA secure_delete=ON")
        dbapi.execute("PRAGMA cache_size=-65536")
        dbapi.execute("PRAGMA temp_store=MEMORY")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader never waits for writers; a writer takes its place in the queue before it reads.
        reads = connection.get_execution_options().get("governance_reads", False)
        if reads:
            # Takes no lock and so cannot fail; on the path of every check, so not through SQLAlchemy.
            driver: Any = connection.connection.dbapi_connection
            driver.execute("BEGIN DEFERRED")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def scrub(engine: Engine) -> bool:
    """Let nothing that was deleted stand in SQLite's write-ahead log; False if a reader was in the way.

    Deleted content is overwritten in the file itself (`secure_delete`), the log keeps older pages until it is
    truncated. PostgreSQL: nothing to do here; its log and its dead rows go with vacuuming and log rotation.
    """
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return True
    raw = engine.raw_connection()
    try:
        busy: int = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return busy == 0
    finally:
        raw.close()


def rewrite(engine: Engine) -> bool:
    """Write SQLite's file anew, so that nothing deleted stands in a page's unused part; as `scrub` else.

    `secure_delete` overwrites what is deleted where it stands. A row that a full page had passed on to its
    neighbour may stand in an unused part of the first all the same: with SQLite 3.40.1, one of a thousand
    erased among ten thousand was found in every sixth run or so. Readers go on meanwhile, writers wait.
    """
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return True
    raw = engine.raw_connection()
    try:
        # The copy of a large file does not fit into memory.
        raw.cursor().execute("PRAGMA temp_store=FILE")
        raw.cursor().execute("VACUUM")
        raw.cursor().execute("PRAGMA temp_store=MEMORY")
    finally:
        raw.close()
    return scrub(engine)


def _count_writes(
    connection: Connection, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
) -> None:
    counter = connection.get_execution_options().get("governance_writes")
    if (
        counter is not None
        and not counter.paused
        and statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE")
    ):
        counter.count += 1


def is_sqlite(connection: Connection) -> bool:
    """Whether this connection leads to SQLite."""
    return connection.dialect.name == "sqlite"


def for_reading(connection: Connection) -> Connection:
    """Make the connection's next transaction one read-only snapshot."""
    if is_sqlite(connection):
        return connection.execution_options(governance_reads=True)
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def enter_tenant(connection: Connection, tenant_id: str) -> None:
    """On PostgreSQL take the application role and name the tenant, for this transaction only.

    `SET LOCAL` semantics: nothing is left on the pooled connection for the next transaction.
    """
    if not is_sqlite(connection):
        connection.exec_driver_sql(
            "SELECT set_config('role', %s, true), set_config('governance.tenant', %s, true)",
            (APPLICATION_ROLE, tenant_id),
        )


def as_database_error(dialect: sa.Dialect, problem: Exception) -> Exception:
    """What SQLAlchemy would have raised for an error of the driver, whose own cursor was used."""
    error: Exception = sa.exc.DBAPIError.instance(
        None, None, problem, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
    )
    return error


_PAGE = 1000


def paged(
    connection: Connection, which: sa.Select[Any], keys: Sequence[sa.Column[Any]]
) -> Iterator[sa.Row[Any]]:
    """All rows in order of their keys (which are among the columns), a page at a time."""
    page = which.order_by(*keys).limit(_PAGE)
    after: tuple[Any, ...] = ()
    while True:
        at = page.where(sa.tuple_(*keys) > sa.tuple_(*after)) if after else page
        rows = connection.execute(at).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        after = tuple(rows[-1]._mapping[key] for key in keys)


class Prepared:
    """A query that is written out once for each database and then only run: for the paths of every check.

    Parameters are plain texts and rows come as the driver gives them (see `Instant` for what SQLite keeps):
    it runs on the driver's own cursor, because building results would take longer than finding the rows. Run
    it inside a transaction. Since no hook of SQLAlchemy sees it, it looks for the tenant itself.
    """

    def __init__(self, query: sa.Select[Any]) -> None:
        self._query = query
        self._written: dict[str, tuple[str, dict[str, Any], tuple[str, ...] | None]] = {}

    def rows(self, connection: Connection, **values: str) -> list[tuple[Any, ...]]:
        """Run the query with these parameters and give all its rows."""
        text, fixed, order = self._written.get(connection.dialect.name) or self._write(connection.dialect)
        named = {**fixed, **values}
        cursor: Any = connection.connection.cursor()
        try:
            cursor.execute(text, named if order is None else [named[name] for name in order])
            found: list[tuple[Any, ...]] = cursor.fetchall()
        except connection.dialect.loaded_dbapi.Error as problem:
            raise as_database_error(connection.dialect, problem) from problem
        cursor.close()
        return found

    def _write(self, dialect: sa.Dialect) -> tuple[str, dict[str, Any], tuple[str, ...] | None]:
        compiled = self._query.compile(dialect=dialect)
        if "tenant_id" not in str(self._query.whereclause):
            raise ValueError("a prepared query must choose its tenant")
        order = None if compiled.positiontup is None else tuple(compiled.positiontup)
        written = (str(compiled), dict(compiled.params), order)
        self._written[dialect.name] = written
        return written
