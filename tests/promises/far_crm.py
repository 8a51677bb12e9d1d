"""The CRM of flows that are killed: a SQLite file in a folder that the operator allows, known as `crm`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.settings import Settings
from governance.systems import service as systems


def allowed(settings: Settings) -> Settings:
    """The same installation, with the CRM's folder allowed."""
    return replace(settings, system_allow=frozenset({str(_folder(settings))}))


def engine(runtime: Runtime) -> sa.Engine:
    """The CRM's database."""
    return sa.create_engine(_url(runtime), poolclass=sa.NullPool)


def register(runtime: Runtime, tables: Mapping[str, Any], *statements: str) -> None:
    """Make the CRM's tables by these statements, and register it with what `tables` say of them."""
    _folder(runtime.settings).mkdir(exist_ok=True)
    with engine(runtime).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    body = {"kind": "sql", "config": {"url": _url(runtime), "tables": tables}}
    with runtime.work("acme", COMMAND_LINE) as work:
        systems.put(work, "crm", body, None)


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "far"


def _url(runtime: Runtime) -> str:
    return f"sqlite:///{_folder(runtime.settings) / 'crm.db'}"
