"""Tables of the imports. What a row held is sealed; counts and row numbers are not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.database import Instant, Json, is_sqlite, metadata

import_run = sa.Table(
    "import_run",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("import_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("mapping_name", sa.Text, nullable=False),
    sa.Column("mapping_text", sa.Text, nullable=False),
    sa.Column("file_sha256", sa.Text, nullable=False),
    sa.Column("mapping_sha256", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("counts", Json, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Column("lease_until", Instant),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Index("import_run_state", "tenant_id", "state"),
)

import_error = sa.Table(
    "import_error",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("import_id", sa.Text, primary_key=True),
    sa.Column("row_number", sa.BigInteger, primary_key=True),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("column_name", sa.Text, nullable=False),
    sa.Column("row_sealed", sa.LargeBinary, nullable=False),
)

import_chunk = sa.Table(
    "import_chunk",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("import_id", sa.Text, primary_key=True),
    sa.Column("chunk", sa.Integer, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Insert a run."""
    connection.execute(sa.insert(import_run).values(**row))


def find(
    connection: Connection, tenant_id: str, import_id: str, *, lock: bool = False
) -> Mapping[str, Any] | None:
    """The run of this id, if there is one; locked for this transaction if asked."""
    return _one(connection, tenant_id, import_run.c.import_id == import_id, lock=lock)


def find_unfinished(
    connection: Connection, tenant_id: str, file_sha256: str, mapping_sha256: str
) -> Mapping[str, Any] | None:
    """The run of this very file with this very mapping that was not brought to its end."""
    return _one(
        connection,
        tenant_id,
        (import_run.c.state == "running")
        & (import_run.c.file_sha256 == file_sha256)
        & (import_run.c.mapping_sha256 == mapping_sha256),
    )


def _one(
    connection: Connection, tenant_id: str, which: sa.ColumnElement[bool], *, lock: bool = False
) -> Mapping[str, Any] | None:
    query = sa.select(import_run).where(import_run.c.tenant_id == tenant_id, which)
    query = query.order_by(import_run.c.import_id.desc()).limit(1)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return None if row is None else dict(row)


def recent(connection: Connection, tenant_id: str, after: str, limit: int) -> list[Mapping[str, Any]]:
    """Runs in order of their ids, from after `after` on."""
    query = (
        sa.select(import_run)
        .where(import_run.c.tenant_id == tenant_id, import_run.c.import_id > after)
        .order_by(import_run.c.import_id)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def queue_for(connection: Connection, tenant_id: str, file_sha256: str) -> None:
    """Let whoever begins with the same file wait for this transaction (on SQLite every writer does)."""
    if not is_sqlite(connection):
        key = sa.func.hashtextextended(f"import:{tenant_id}:{file_sha256}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def update(connection: Connection, tenant_id: str, import_id: str, values: Mapping[str, Any]) -> None:
    """Change a run."""
    connection.execute(
        sa.update(import_run)
        .where(import_run.c.tenant_id == tenant_id, import_run.c.import_id == import_id)
        .values(**values)
    )


def claim(connection: Connection, tenant_id: str, import_id: str, now: datetime, until: datetime) -> bool:
    """Take the lease of a stored run that nobody holds; whether it was taken."""
    taken = connection.execute(
        sa.update(import_run)
        .where(
            import_run.c.tenant_id == tenant_id,
            import_run.c.import_id == import_id,
            import_run.c.state == "running",
            sa.or_(import_run.c.lease_until.is_(None), import_run.c.lease_until <= now),
        )
        .values(lease_until=until)
    )
    return taken.rowcount == 1


def waiting(connection: Connection, tenant_id: str, now: datetime) -> list[str]:
    """Ids of the stored runs that wait for somebody to run them, oldest first."""
    stored = sa.exists().where(
        import_chunk.c.tenant_id == tenant_id, import_chunk.c.import_id == import_run.c.import_id
    )
    query = sa.select(import_run.c.import_id).where(
        import_run.c.tenant_id == tenant_id,
        import_run.c.state == "running",
        sa.or_(import_run.c.lease_until.is_(None), import_run.c.lease_until <= now),
        stored,
    )
    return list(connection.execute(query.order_by(import_run.c.import_id)).scalars())


def add_errors(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert what was wrong with rows."""
    if rows:
        connection.execute(sa.insert(import_error), list(rows))


def errors(
    connection: Connection, tenant_id: str, import_id: str, after: int, limit: int
) -> list[Mapping[str, Any]]:
    """What was wrong with rows, in order of their numbers, from after row `after` on."""
    query = (
        sa.select(import_error)
        .where(
            import_error.c.tenant_id == tenant_id,
            import_error.c.import_id == import_id,
            import_error.c.row_number > after,
        )
        .order_by(import_error.c.row_number)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def add_chunk(connection: Connection, tenant_id: str, import_id: str, chunk: int, sealed: bytes) -> None:
    """Insert a piece of an uploaded file."""
    connection.execute(
        sa.insert(import_chunk).values(tenant_id=tenant_id, import_id=import_id, chunk=chunk, sealed=sealed)
    )


def chunk(connection: Connection, tenant_id: str, import_id: str, number: int) -> bytes | None:
    """A piece of an uploaded file, or None after the last."""
    return connection.execute(
        sa.select(import_chunk.c.sealed).where(
            import_chunk.c.tenant_id == tenant_id,
            import_chunk.c.import_id == import_id,
            import_chunk.c.chunk == number,
        )
    ).scalar_one_or_none()


def drop_chunks(connection: Connection, tenant_id: str, import_id: str) -> None:
    """Forget an uploaded file."""
    connection.execute(
        sa.delete(import_chunk).where(
            import_chunk.c.tenant_id == tenant_id, import_chunk.c.import_id == import_id
        )
    )
