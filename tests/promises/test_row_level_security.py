"""The second fence: with the application's filters removed, PostgreSQL shows each tenant its own rows only.

Statements run as the application runs them, on pooled connections and from several threads, but every
comparison with a tenant's id is taken out of them. Twins: a table without its policy, and a tenant that is
set for the session instead of the transaction, are noticed by the same tests.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from api import create_app
from governance import bootstrap, database
from governance.bootstrap import Runtime
from governance.database import APPLICATION_ROLE, metadata
from governance.migrations.fences import OUTSIDE
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from governance.subjects.store import subject
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR

pytestmark = pytest.mark.by_hand

TENANTS = ("acme", "rival")
FENCED = [each for each in metadata.sorted_tables if "tenant_id" in each.c and each.name not in OUTSIDE]
_FILTER = re.compile(r"(\w+)\.tenant_id = %\(\w+\)s(::\w+)?")


def without_filter(statement: str) -> str:
    """A statement that no longer compares a tenant's id, but for the tables that stand outside the fence."""
    return _FILTER.sub(lambda found: found.group(0) if found.group(1) in OUTSIDE else "TRUE", statement)


@pytest.fixture
def unfiltered(postgres_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Two tenants with a person of the same id each, in a service that has lost its filters."""
    runtime = postgres_runtime
    runtime.create_tenant("rival", name="Rival", country="US", address=None)
    for tenant in TENANTS:
        with runtime.work(tenant, ACTOR) as work:
            subjects.put(work, f"{tenant}-only", SubjectChange(country="US", relationship="lead"))
            subjects.put(work, "both", SubjectChange(country="US", relationship="lead"))
    with runtime.engine.begin() as owner:
        owner.exec_driver_sql("GRANT governance_app TO CURRENT_USER")

    def strip(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> Any:
        return without_filter(statement), parameters

    right = database.Prepared._write

    def write(self: Any, dialect: sa.Dialect) -> Any:
        text, parameters, order = right(self, dialect)
        return without_filter(text), parameters, order

    sa.event.listen(runtime.engine, "before_cursor_execute", strip, retval=True)
    monkeypatch.setattr(database.Prepared, "_write", write)
    for prepared in _every_prepared():
        monkeypatch.setattr(prepared, "_written", {})
    return runtime


def _every_prepared() -> list[database.Prepared]:
    import gc

    return [each for each in gc.get_objects() if isinstance(each, database.Prepared)]


def strangers(runtime: Runtime, tenant: str) -> dict[str, int]:
    """How many rows of anybody else a unit of work of this tenant sees, by table, where there are any."""
    seen: dict[str, int] = {}
    with runtime.snapshot(tenant, ACTOR) as snap:
        for table in FENCED:
            query = sa.select(sa.func.count()).select_from(table).where(table.c.tenant_id != tenant)
            count = snap.connection.scalar(query)
            if count:
                seen[table.name] = count
    return seen


def left_on(runtime: Runtime) -> list[tuple[str, str | None]]:
    """What is left on each pooled connection: the role and the tenant that the next user would begin with."""
    taken = [runtime.engine.connect() for _ in range(runtime.engine.pool.size())]  # type: ignore[attr-defined]
    try:
        return [
            tuple(
                each.exec_driver_sql("SELECT current_user, current_setting('governance.tenant', true)").one()
            )
            for each in taken
        ]
    finally:
        for each in taken:
            each.close()


def alternate(runtime: Runtime, times: int) -> list[str]:
    """Read as one tenant and the other in turn, from several threads; what was wrong."""

    def look(number: int) -> str | None:
        tenant = TENANTS[number % 2]
        opened = runtime.work if number % 7 == 0 else runtime.snapshot
        with opened(tenant, ACTOR) as snap:
            everyone = snap.connection.execute(sa.select(subject.c.tenant_id, subject.c.external_id)).all()
            try:
                found = subjects.find(snap, "both")
            except sa.exc.MultipleResultsFound:
                return f"{tenant} found several people of one id"
        if {row.tenant_id for row in everyone} != {tenant} or len(everyone) != 2 or found is None:
            return f"{tenant} saw {len(everyone)} rows of {sorted({row.tenant_id for row in everyone})}"
        return None

    with ThreadPoolExecutor(8) as pool:
        wrong = [each for each in pool.map(look, range(times)) if each]
    wrong += [f"left behind: {each}" for each in left_on(runtime) if each[0] == APPLICATION_ROLE or each[1]]
    return wrong


@pytest.mark.parametrize("times", [300, pytest.param(10_000, marks=pytest.mark.full)])
def test_with_filters_removed_each_tenant_sees_only_its_own(unfiltered: Runtime, times: int) -> None:
    for tenant in TENANTS:
        assert strangers(unfiltered, tenant) == {}
    assert alternate(unfiltered, times) == []


def test_with_filters_removed_the_routes_still_show_only_their_own(unfiltered: Runtime) -> None:
    client = create_app(unfiltered).test_client()
    for tenant, other in (TENANTS, TENANTS[::-1]):
        caller = Caller(client, new_component(unfiltered, tenant=tenant))
        assert caller.get("/v1/subjects/both").status_code == 200
        assert caller.get(f"/v1/subjects/{other}-only").status_code == 404
        search = {
            "subject": {"type": "component", "id": "crm"},
            "action": {"name": "data.erase", "properties": {"data_class": "preferences"}},
            "resource": {"type": "data_subject"},
        }
        found = caller.post("/access/v1/search/resource", search).get_json()["results"]
        assert {each["id"] for each in found} == {"both", f"{tenant}-only"}
        assert f"{other}-only" not in caller.get("/v1/events?limit=500").get_data(as_text=True)


def test_nothing_can_be_written_into_another_tenant(unfiltered: Runtime) -> None:
    with unfiltered.snapshot("rival", ACTOR) as snap:
        before = snap.connection.execute(sa.select(subject)).all()
    for statement in (
        "UPDATE subject SET country = 'XX' WHERE tenant_id = 'rival'",
        "DELETE FROM subject WHERE tenant_id = 'rival'",
    ):
        with unfiltered.engine.connect() as plain, plain.begin() as transaction:
            database.enter_tenant(plain, "acme")
            assert plain.exec_driver_sql(statement).rowcount == 0
            transaction.rollback()
    with unfiltered.engine.connect() as plain, plain.begin() as transaction:
        database.enter_tenant(plain, "acme")
        with pytest.raises(sa.exc.ProgrammingError):
            plain.exec_driver_sql("UPDATE subject SET tenant_id = 'rival'")
        transaction.rollback()
    with unfiltered.snapshot("rival", ACTOR) as snap:
        assert snap.connection.execute(sa.select(subject)).all() == before


def test_a_table_without_its_policy_is_noticed(unfiltered: Runtime) -> None:
    with unfiltered.engine.begin() as owner:
        owner.exec_driver_sql("ALTER TABLE subject NO FORCE ROW LEVEL SECURITY")
        owner.exec_driver_sql("ALTER TABLE subject DISABLE ROW LEVEL SECURITY")
    assert strangers(unfiltered, "acme") == {"subject": 2}
    assert alternate(unfiltered, 4) != []


def test_a_tenant_set_for_the_session_is_noticed(
    unfiltered: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seeded(connection: sa.Connection, tenant_id: str) -> None:
        connection.exec_driver_sql(
            "SELECT set_config('role', %s, false), set_config('governance.tenant', %s, false)",
            (APPLICATION_ROLE, tenant_id),
        )

    monkeypatch.setattr(bootstrap, "enter_tenant", seeded)
    wrong = alternate(unfiltered, 20)
    assert any(each.startswith("left behind") for each in wrong)
