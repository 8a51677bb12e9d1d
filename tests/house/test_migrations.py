"""The migrations make, from empty, exactly the tables that the code speaks of; the fences stand."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from governance import migrations
from governance.bootstrap import Runtime
from governance.database import enter_tenant, make_engine, metadata
from governance.decisions.store import decision_log_metadata
from governance.migrations.fences import OUTSIDE
from governance.vault.keyring import keyring_metadata


def test_the_schema_made_by_migrations_is_the_schema_of_the_code(any_runtime: Runtime) -> None:
    import governance.tables  # noqa: F401

    settings = any_runtime.settings
    for url, registry, store in (
        (settings.database_url, metadata, migrations.MAIN),
        (settings.keyring_url, keyring_metadata, migrations.KEYRING),
        (settings.decision_log_url, decision_log_metadata, migrations.DECISION_LOG),
    ):
        engine = make_engine(url)
        with engine.connect() as connection:
            assert migrations.is_current(connection, store), store
            assert migrations.differences(connection, registry) == [], store
        engine.dispose()


@pytest.mark.parametrize("store", [migrations.MAIN, migrations.KEYRING, migrations.DECISION_LOG])
def test_the_newest_migration_is_the_one_that_alembic_would_end_at(store: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / store))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.newest(store)]


def test_upgrading_twice_changes_nothing(any_runtime: Runtime) -> None:
    migrations.upgrade(any_runtime.engine, migrations.MAIN)
    with any_runtime.engine.connect() as connection:
        assert migrations.is_current(connection, migrations.MAIN)


def test_every_tenant_table_is_fenced(postgres_runtime: Runtime) -> None:
    with postgres_runtime.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'r' AND nspname = 'public'"
        ).all()
        policies = set(connection.exec_driver_sql("SELECT tablename FROM pg_policies").scalars())
    fenced = {name for name, forced in rows if forced}
    assert {name for name, _ in rows} - fenced == OUTSIDE
    assert fenced == policies


def test_without_a_filter_one_tenant_sees_nothing_of_another(postgres_runtime: Runtime) -> None:
    runtime = postgres_runtime
    runtime.create_tenant("other", name="Other", country="DE", address=None)
    # Alternate on one connection: nothing of the earlier transaction may be left on it.
    engine = sa.create_engine(runtime.settings.database_url, pool_size=1, max_overflow=0)
    for _ in range(20):
        for tenant in ("acme", "other"):
            with engine.connect() as connection, connection.begin():
                enter_tenant(connection, tenant)
                seen = set(connection.exec_driver_sql("SELECT tenant_id FROM ledger_entry").scalars())
                assert seen == {tenant}
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET LOCAL ROLE governance_app")
        assert connection.exec_driver_sql("SELECT count(*) FROM ledger_entry").scalar() == 0
    engine.dispose()


def test_a_row_cannot_be_written_for_another_tenant(postgres_runtime: Runtime) -> None:
    with postgres_runtime.engine.connect() as connection, connection.begin():
        enter_tenant(connection, "acme")
        with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
            connection.exec_driver_sql(
                "INSERT INTO ledger_head (tenant_id, size, frontier, root) VALUES ('other', 0, '', '')"
            )
