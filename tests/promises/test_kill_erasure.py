"""An erasure killed at any line leaves nothing half done at the far side, and ends the same when repeated."""

import multiprocessing as mp
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import assemble
from governance.ledger import service as ledger
from governance.settings import Settings
from governance.systems import service as systems
from tests.conftest import ACTOR, HandClock
from tests.fixtures import crm
from tests.governance.systems.conftest import allowing, place_of
from tests.promises.crashing_erasure import die_at, erase, half_commit

_PROCESSES = mp.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.promises.crashing_erasure"])
_EVERY = 400
"""More statements than an erasure has."""


def killed(target: Callable[..., None], *arguments: Any) -> bool:
    """Run in a process of its own; whether it was killed before it could end."""
    child = _PROCESSES.Process(target=target, args=arguments)
    child.start()
    child.join(timeout=60)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == -signal.SIGKILL


@pytest.fixture(params=["sqlite", "postgresql"])
def far(
    request: pytest.FixtureRequest, make_settings: Callable[[str], Settings], tmp_path: Path
) -> Iterator[tuple[Settings, str]]:
    """An installation, and the URL of the CRM that is registered with it."""
    server = None
    if request.param == "sqlite":
        folder = tmp_path / "crm"
        folder.mkdir()
        (folder / "crm.db").touch()
        url = f"sqlite:///{folder}/crm.db"
    else:
        server = request.getfixturevalue("postgres")
        database = server.create()
        url = server.url(database)
    crm.make(url)
    runtime = assemble(make_settings("sqlite"), clock=HandClock())
    allowing(runtime, place_of(url))
    with runtime.work("acme", ACTOR) as work:
        systems.put(work, "crm", crm.body(url, tables=crm.tables(keep_invoices=False)), None)
    settings = runtime.settings
    runtime.close()
    yield settings, url
    if server is not None:
        server.drop(database)


def kinds(settings: Settings) -> list[str]:
    runtime = assemble(settings, clock=HandClock())
    try:
        with runtime.snapshot("acme", ACTOR) as snap:
            return [each.kind for each in ledger.entries(snap.connection, "acme", after=-1, limit=500)]
    finally:
        runtime.close()


POINTS = ("SELECT", "DELETE FROM activity", "DELETE FROM contact", "commit", "after commit")


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_statement_it_is_whole_or_not_begun(far: tuple[Settings, str], point: str) -> None:
    settings, url = far
    before = crm.dump(url)
    assert check(settings, url, point)
    assert (crm.dump(url) == before) is False
    assert kinds(settings).count("system.answered") == 1


@pytest.mark.full
def test_killed_at_every_statement_it_is_whole_or_not_begun(
    far: tuple[Settings, str], tmp_path: Path
) -> None:
    settings, url = far
    rows = crm.dump(url)
    for number in range(_EVERY):
        if crm.dump(url) != rows:
            crm.clear(url)
            crm.make(url)
        if not check(settings, url, number):
            return
    raise AssertionError("an erasure has more statements than were counted")


def check(settings: Settings, url: str, point: str | int) -> bool:
    """Kill at a point, look, repeat, look again; False if the erasure ended before it came there."""
    before = crm.dump(url)
    if not killed(die_at, settings, f"op-{point}".replace(" ", "-"), point):
        return False
    after = crm.dump(url)
    outcome = erase(settings, f"op-{point}".replace(" ", "-"))
    assert (outcome.status, outcome.because) == ("done", "")
    end = crm.dump(url)
    assert after in (before, end)
    assert (after == end) is (point == "after commit") or isinstance(point, int)
    assert crm.gone(before, end)["contact"] == 1
    rows = {name: count for each in outcome.steps for name, count in each.rows.items()}
    assert (rows["contact"], rows["activity"]) == (1, 2)
    return True


def test_a_far_side_without_a_transaction_is_caught(far: tuple[Settings, str]) -> None:
    settings, url = far
    before = crm.dump(url)
    assert killed(half_commit, settings, "op-1")
    assert crm.gone(before, crm.dump(url))  # the seeded bug leaves it half done, and this look sees it
