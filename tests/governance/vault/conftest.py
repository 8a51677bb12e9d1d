"""A vault of its own for each test, with its keyring on SQLite or PostgreSQL."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from governance.settings import Settings
from governance.vault.service import Vault


def settings_in(folder: Path) -> Settings:
    return Settings.from_environ({"GOVERNANCE_DATA_DIR": str(folder)})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an installation that is not made yet, keyring on SQLite."""
    return settings_in(tmp_path / "data")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vault-template") / "data"
    Vault.create(settings_in(folder))
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def any_settings(request: pytest.FixtureRequest, settings: Settings, made_once: Path) -> Iterator[Settings]:
    """Settings of an installation whose vault is made."""
    if request.param == "sqlite":
        shutil.copytree(made_once, settings.data_dir)
        yield settings
        return
    server = request.getfixturevalue("postgres")
    name = server.create()
    on_server = replace(settings, keyring_url=server.url(name))
    Vault.create(on_server)
    yield on_server
    server.drop(name)


@pytest.fixture
def vault(settings: Settings, made_once: Path) -> Iterator[Vault]:
    """An open vault with its keyring on SQLite."""
    shutil.copytree(made_once, settings.data_dir)
    opened = Vault.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def any_vault(any_settings: Settings) -> Iterator[Vault]:
    """An open vault with its keyring on each database."""
    opened = Vault.open(any_settings)
    yield opened
    opened.close()
