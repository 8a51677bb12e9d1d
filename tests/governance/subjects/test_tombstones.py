"""What erased persons were known by is found by an index, however many there are."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.bootstrap import Runtime
from governance.database import Instant
from governance.subjects import tombstone_store
from tests.conftest import ACTOR, START

COUNT = 5_000
_MANY = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
    "INSERT INTO subject_tombstone (tenant_id, hash, type, subject_ref, since) "
    "SELECT :tenant_id, 'h' || i, 'email', 'sub_' || (i % (:count / 5)), :since FROM n",
    "postgresql": "INSERT INTO subject_tombstone (tenant_id, hash, type, subject_ref, since) "
    "SELECT :tenant_id, 'h' || i, 'email', 'sub_' || (i % (:count / 5)), :since "
    "FROM generate_series(1, :count) AS i",
}


def plans(connection: Connection, look: Any) -> str:
    """How the database would carry out what a function asks it."""
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _k: object, statement: str, parameters: Any, _x: object, _m: bool) -> None:
        asked.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", note)
    look()
    sa.event.remove(connection, "before_cursor_execute", note)
    word = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    rows = [row for one in asked for row in connection.exec_driver_sql(word + one[0], one[1])]
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.by_hand
def test_no_look_at_tombstones_reads_them_all(any_runtime: Runtime) -> None:
    with any_runtime.work("acme", ACTOR) as work, work.bookkeeping():
        values = {"count": COUNT, "tenant_id": work.tenant_id, "since": START}
        many = sa.text(_MANY[work.connection.dialect.name])
        work.connection.execute(many.bindparams(sa.bindparam("since", type_=Instant)), values)
        work.connection.execute(sa.text("ANALYZE subject_tombstone"))
        at = (work.connection, work.tenant_id)
        assert len(tombstone_store.of_person(*at, "sub_17")) == 5
        whose = plans(work.connection, lambda: tombstone_store.of_person(*at, "sub_17"))
        assert "subject_tombstone_subject" in whose, whose
        known = plans(work.connection, lambda: tombstone_store.matching(*at, ["h1", "h2"]))
        assert "Seq Scan" not in known, known
        assert "SCAN" not in known, known
