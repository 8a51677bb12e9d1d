"""Keys are rotated without end, the rotator is killed again and again, and no read ever fails.

Readers and writers go on in this process meanwhile: what was sealed under any epoch opens, new keys are made,
and once a rotation got to its end, one epoch is left.
"""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from governance.clock import system_clock
from governance.settings import Settings
from governance.vault import keyring, rotation
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault
from tests.promises.servers import ROOT, environ_of

EMAIL = Place("contact_point", "value", "pnt_1")
PEOPLE = 60


class Reader(threading.Thread):
    """Reads what was sealed, seals for new people, and remembers what went wrong."""

    def __init__(self, settings: Settings, sealed: dict[str, bytes], seed: int) -> None:
        super().__init__()
        self._vault = Vault.open(settings)
        self._dice = random.Random(seed)
        self._sealed = dict(sealed)
        self._seed = seed
        self.reads = 0
        self.problems: list[BaseException] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                ref = self._dice.choice(list(self._sealed))
                opened = self._vault.reveal("acme", ref, OPERATIONAL, EMAIL, self._sealed[ref])
                assert opened == ref.encode()
                self.reads += 1
                if self.reads % 50 == 0:
                    new = f"sub_{self._seed}_{self.reads}"
                    self._sealed[new] = self._vault.seal("acme", new, OPERATIONAL, EMAIL, new.encode())
            except Exception as problem:
                self.problems.append(problem)
        self._vault.close()


def rotator(settings: Settings, *moment: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.promises.rotating", *moment],
        env=environ_of(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def epochs(settings: Settings) -> list[int]:
    engine = keyring.keyring_engine(settings.keyring_url)
    with keyring.reading(engine) as connection:
        found = list(connection.scalars(sa.select(keyring.epoch_key.c.epoch)))
    engine.dispose()
    return found


def survive(settings: Settings, *, kills: int, reads: int, seed: int) -> None:
    dice, vault = random.Random(seed), Vault.open(settings)
    refs = [f"sub_{number}" for number in range(PEOPLE)]
    vault.ensure_keys("acme", refs)
    sealed = {ref: vault.seal("acme", ref, OPERATIONAL, EMAIL, ref.encode()) for ref in refs}
    readers = [Reader(settings, sealed, number) for number in range(2)]
    for reader in readers:
        reader.start()
    before = max(epochs(settings))
    try:
        for number in range(kills):
            moment = ("statement", "before", "after")[number % 3]
            if dice.random() < 0.7:
                process = rotator(settings, moment, str(dice.randrange(1, 40)))
                assert process.wait(60) == -signal.SIGKILL
            else:
                process = rotator(settings)
                time.sleep(dice.uniform(0, 0.3))
                process.kill()
                process.wait()
            process.communicate()
        deadline = time.monotonic() + 300
        while sum(reader.reads for reader in readers) < reads and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        for reader in readers:
            reader.stop.set()
        for reader in readers:
            reader.join()
    assert [problem for reader in readers for problem in reader.problems] == []
    assert sum(reader.reads for reader in readers) >= reads
    rotation.open_due_epoch(vault._keys, system_clock(), timedelta(0))
    while vault.rewrap():
        pass
    assert vault.destroy_old_epochs() >= 1
    assert len(epochs(settings)) == 1
    assert max(epochs(settings)) > before
    assert all(vault.reveal("acme", ref, OPERATIONAL, EMAIL, sealed[ref]) == ref.encode() for ref in refs)
    vault.close()


@pytest.fixture
def on_server(
    make_settings: Callable[[str], Settings], request: pytest.FixtureRequest
) -> Callable[[str], Settings]:
    """Make an installation with its keyring, too, on this kind of database."""

    def make(kind: str) -> Settings:
        settings = make_settings(kind)
        if kind == "sqlite":
            return settings
        server = request.getfixturevalue("postgres")
        name = server.create()
        request.addfinalizer(lambda: server.drop(name))
        settings = replace(
            settings,
            keyring_url=server.url(name),
            root_key_file=settings.data_dir / "other.key",
        )
        Vault.create(settings)
        return settings

    return make


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_read_fails_while_the_rotator_is_killed(kind: str, on_server: Callable[[str], Settings]) -> None:
    survive(on_server(kind), kills=3, reads=500, seed=1)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_read_of_100_000_fails_in_50_kills(kind: str, on_server: Callable[[str], Settings]) -> None:
    survive(on_server(kind), kills=50, reads=100_000, seed=2)


def test_destroying_an_epoch_that_is_still_in_use_is_caught(
    on_server: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seeded bug: the old epoch's key goes before everything is wrapped anew."""
    settings = on_server("sqlite")

    def hasty(keys: object) -> int:
        engine = keyring.keyring_engine(settings.keyring_url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql(
                "DELETE FROM epoch_key WHERE epoch < (SELECT max(epoch) FROM epoch_key)"
            )
        engine.dispose()
        return 1

    monkeypatch.setattr(rotation, "destroy_old_epochs", hasty)
    vault = Vault.open(settings)
    vault.ensure_keys("acme", ["sub_1"])
    sealed = vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"sub_1")
    reader = Reader(settings, {"sub_1": sealed}, 1)
    reader.start()
    vault.open_epoch(system_clock())
    vault.destroy_old_epochs()
    for _ in range(1000):
        if reader.problems:
            break
        time.sleep(0.01)
    reader.stop.set()
    reader.join()
    vault.close()
    assert reader.problems
