"""Schemas of the three stores, and the way from any older one to the newest."""

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from governance.database import is_sqlite
from governance.migrations.fences import raise_fences

MAIN = "main"
KEYRING = "keyring"
DECISION_LOG = "decision_log"
_HERE = Path(__file__).parent


def _config(store: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / store))
    config.set_main_option("path_separator", "os")
    config.attributes["store"] = store
    return config


def upgrade(engine: Engine, store: str) -> None:
    """Bring a store to the newest schema; on PostgreSQL also raise the fences between tenants."""
    with engine.connect() as connection, connection.begin():
        config = _config(store)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if store == MAIN:
            raise_fences(connection)


def is_current(connection: Connection, store: str) -> bool:
    """Whether the store has the schema that this program was written for."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    return MigrationContext.configure(connection).get_current_revision() == _head(store)


@cache
def _head(store: str) -> str | None:
    """The newest migration of this program; reading all of them takes a while."""
    return ScriptDirectory.from_config(_config(store)).get_current_head()


def differences(connection: Connection, metadata: sa.MetaData) -> list[object]:
    """What the tables in the database lack of those in the code: empty when the migrations are complete."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": not is_sqlite(connection), "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))
