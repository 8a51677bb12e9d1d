"""Signing in takes alike long with a name that somebody has and one that nobody has.

That the work is the same, statement for statement, hash for hash and key for key, is a quick test of
`tests/api/test_sign_in.py`; the full run measures it. Passwords are hashed with the least cost here, so that
a hash hides nothing else. A door with a seeded bug, which hashes for known names only, is told apart.
"""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from argon2 import PasswordHasher

from governance.bootstrap import COMMAND_LINE, Runtime, assemble
from governance.callers import passwords, sign_in, users
from tests.api.conftest import application_over
from tests.conftest import HandClock, settings_in
from tests.fixtures.signing_in import BASE, PASSWORD, Browser, account, console
from tests.promises.test_existence_is_not_revealed import LIMIT, MEMORY, TRIES, welch

UNKNOWN, WRONG_PASSWORD, WRONG_CODE = "unknown", "wrong password", "wrong code"
KINDS = (UNKNOWN, WRONG_PASSWORD, WRONG_CODE)
PEOPLE = 5

pytestmark = pytest.mark.full  # microseconds: seen on a machine that does nothing else


@pytest.fixture
def even_runtime(sqlite_template: Path, tmp_path: Path, clock: HandClock) -> Iterator[Runtime]:
    """An installation whose disk is as even as can be."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path) as folder:
        shutil.copytree(sqlite_template, folder, dirs_exist_ok=True)
        runtime = assemble(settings_in(Path(folder)), clock=clock)
        yield runtime
        runtime.close()


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.nobodys.cache_clear()
    yield
    passwords.nobodys.cache_clear()


def times(runtime: Runtime, clock: HandClock, each: int) -> dict[str, list[float]]:
    """Seconds of every refusal, by what was wrong; all of them the same page."""
    browser = Browser(application_over(runtime), console(runtime))
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        missing = range(len(users.every(snapshot)), PEOPLE)
    for number in missing:
        account(runtime, f"s-{number}", f"known{number}@example.org")
    order = [kind for kind in KINDS for _ in range(each)]
    random.Random(4711).shuffle(order)
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number, kind in enumerate([*KINDS] * 5 + order):
        clock.forward(timedelta(minutes=16))  # nobody's tries are used up
        action, hidden = browser.form()
        name = "other" if kind == UNKNOWN else "known"
        password = PASSWORD if kind == WRONG_CODE else "another few words here"
        said = {"login": f"{name}{number % PEOPLE}@example.org", "password": password, "code": "no-code"}
        before = time.perf_counter()
        answer = browser.client.post(action, data={**hidden, **said}, base_url=BASE)
        seconds = time.perf_counter() - before
        assert answer.status_code == 422
        if number >= 5 * len(KINDS):  # the first ones warm things up
            taken[kind].append(seconds)
    return taken


def differences(taken: dict[str, list[float]]) -> dict[str, float]:
    """How far each kind of refusal lies from that of a name that nobody has."""
    return {kind: abs(welch(taken[UNKNOWN], taken[kind])) for kind in KINDS if kind != UNKNOWN}


def measured(found: Callable[[], dict[str, float]], good: Callable[[float], bool]) -> None:
    """See that one of some tries comes out well: a busy machine may disturb one, not all of them."""
    seen = []
    for _ in range(TRIES):
        seen.append(found())
        if all(good(each) for each in seen[-1].values()):
            return
    raise AssertionError(f"every time: {seen}")


def test_a_name_that_nobody_has_is_refused_in_the_same_time(even_runtime: Runtime, clock: HandClock) -> None:
    measured(lambda: differences(times(even_runtime, clock, 400)), lambda t: t < LIMIT)


def test_a_door_that_hashes_for_known_names_only_is_caught(
    even_runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sign_in.prove
    monkeypatch.setattr(
        sign_in,
        "prove",
        lambda candidate, *typed: None if candidate.user is None else real(candidate, *typed),
    )
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher())
    passwords.nobodys.cache_clear()
    measured(lambda: differences(times(even_runtime, clock, 20)), lambda t: t > LIMIT)
