"""Two write at once what is not allowed together: one of them is refused. Without the lock none is."""

import threading
from typing import Any

import pytest

from governance.access import service as access
from governance.access import store
from governance.access.model import ROLE, STAFF
from governance.bootstrap import Runtime
from governance.errors import InvalidError
from tests.conftest import ACTOR

PAIRS = {
    "a circle": ((ROLE, "xa", {"includes": ["xb"]}, 1), (ROLE, "xb", {"includes": ["xa"]}, 1)),
    "an exclusion and who holds both": (
        (ROLE, "xa", {"excludes": ["xb"]}, 1),
        (STAFF, "st-1", {"roles": ["xa", "xb"]}, None),
    ),
    "a role, and one that it includes": (
        (ROLE, "xa", {"includes": ["xb"]}, 1),
        (ROLE, "xb", {"excludes": ["xa"]}, 1),
    ),
}


def at_once(runtime: Runtime, first: tuple[Any, ...], second: tuple[Any, ...]) -> list[str]:
    """Write the second while the first is written and not committed; what came of it."""
    for name in ("xa", "xb"):
        with runtime.work("acme", ACTOR) as work:
            access.put(work, ROLE, name, {})
    written, done = threading.Event(), threading.Event()
    outcomes: list[str] = []

    def other() -> None:
        written.wait(10)
        try:
            with runtime.work("acme", ACTOR) as work:
                access.put(work, *second)
                done.set()
            outcomes.append("kept")
        except InvalidError:
            outcomes.append("refused")

    thread = threading.Thread(target=other)
    thread.start()
    with runtime.work("acme", ACTOR) as work:
        access.put(work, *first)
        written.set()
        done.wait(0.2)  # nobody who has to wait for us gets there
    outcomes.append("kept")
    thread.join(20)
    assert not thread.is_alive()
    return sorted(outcomes)


@pytest.mark.parametrize("pair", PAIRS)
def test_one_of_two_that_do_not_go_together_is_refused(any_runtime: Runtime, pair: str) -> None:
    assert at_once(any_runtime, *PAIRS[pair]) == ["kept", "refused"]


def test_without_the_lock_both_are_kept(postgres_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "queue", lambda *_: None)
    assert at_once(postgres_runtime, *PAIRS["a circle"]) == ["kept", "kept"]
