"""kill -9 of the server while people write: nothing acknowledged is lost, nothing is doubled.

See `tests.promises.api_kills`. Servers with seeded bugs show that the test sees it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from governance.settings import Settings
from tests.promises.api_kills import WRITERS, campaign, fsck


def holds(settings: Settings, log: Path, *, kills: int, seed: int) -> None:
    ended = campaign(settings, log, kills=kills, seed=seed)
    acknowledged = sum(one.acknowledged for writer in ended.writers for one in writer.journal)
    assert acknowledged >= kills * 20 - WRITERS
    assert ended.faults() == []
    assert fsck(settings) == {"ok": True, "problems": {}}


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 2), ("postgresql", 1)])
def test_kill_9_of_the_server_loses_nothing_and_doubles_nothing(
    kind: str, kills: int, make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    holds(make_settings(kind), tmp_path / "server.log", kills=kills, seed=1)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_200_kills_lose_nothing_and_double_nothing(
    kind: str, make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    holds(make_settings(kind), tmp_path / "server.log", kills=200, seed=2)


def test_a_server_that_acknowledges_before_it_commits_is_caught(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = make_settings("sqlite")
    app = "tests.promises.hasty_app:app"
    ended = campaign(settings, tmp_path / "server.log", kills=1, seed=3, app=app)
    assert any("kept is" in fault for fault in ended.faults())


def test_a_server_that_forgets_keys_is_caught(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = make_settings("sqlite")
    app = "tests.promises.keyless_app:app"
    ended = campaign(settings, tmp_path / "server.log", kills=1, seed=4, app=app)
    assert any("another answer to a repeat" in fault for fault in ended.faults())
    assert any("kept is" in fault for fault in ended.faults())
