"""Schemas of the three stores, and the way from any older one to the newest.

Alembic is loaded by whoever goes that way: every process asks whether the schema is the one that it was
written for, and loading Alembic for that was a fifth of the time in which a process starts.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from governance.database import is_sqlite
from governance.migrations.fences import raise_fences

if TYPE_CHECKING:
    from alembic.config import Config

MAIN = "main"
KEYRING = "keyring"
DECISION_LOG = "decision_log"
_HERE = Path(__file__).parent
_NAMES = re.compile(r"""^(revision|down_revision) = ["'](\w+)["']$""", re.MULTILINE)


def _config(store: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE / store))
    config.set_main_option("path_separator", "os")
    config.attributes["store"] = store
    return config


def upgrade(engine: Engine, store: str) -> None:
    """Bring a store to the newest schema; on PostgreSQL also raise the fences between tenants."""
    from alembic import command

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
    held = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
    return list(held.scalars()) == [newest(store)]


@cache
def newest(store: str) -> str:
    """The newest migration of this program: the one that no other follows."""
    names: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for file in (_HERE / store / "versions").glob("*.py"):
        for which, name in _NAMES.findall(file.read_text(encoding="utf-8")):
            names[which].add(name)
    (name,) = names["revision"] - names["down_revision"]
    return name


def differences(connection: Connection, metadata: sa.MetaData) -> list[object]:
    """What the tables in the database lack of those in the code: empty when the migrations are complete."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(
        connection, opts={"compare_type": not is_sqlite(connection), "compare_server_default": True}
    )
    return list(compare_metadata(context, metadata))
