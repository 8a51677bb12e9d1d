"""Keys: how they are read, and how two requests under one key meet."""

from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.errors import ConflictError, InvalidError
from governance.idempotency import service
from governance.idempotency.model import read_key


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e"', "8e03978e"),
        ('  "a b"  ', "a b"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ("bare-key.1", "bare-key.1"),
        ('"' + "x" * 200 + '"', "x" * 200),
    ],
)
def test_keys_are_structured_field_strings_or_bare(header: str, key: str) -> None:
    assert read_key(header) == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        '"',
        '""',
        '"a',
        'a"',
        '"a\\b"',
        '"ü"',
        '"\t"',
        '"a" b',
        "a b",
        "x" * 201,
        '"' + "x" * 201 + '"',
    ],
)
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(InvalidError):
        read_key(header)


def attempt(runtime: Runtime, request: bytes, *, happens: bool = True) -> Any:
    with runtime.work("acme", COMMAND_LINE) as work:
        this = service.attempt(work, caller="client_1", key="k", request=request)
        found = service.recall(work, this)
        if found is None and happens:
            work.record("test.happened")
            work.seal()
            service.remember(work, this, 201, {"id": "x"})
        return found


def test_an_effect_is_recalled_and_another_request_refused(any_runtime: Runtime, clock: Any) -> None:
    assert attempt(any_runtime, b"one") is None
    assert attempt(any_runtime, b"one").kept == {"id": "x"}
    with pytest.raises(InvalidError):
        attempt(any_runtime, b"two")
    clock.forward(timedelta(hours=24))
    assert attempt(any_runtime, b"two", happens=False) is None
    assert attempt(any_runtime, b"two") is None
    assert attempt(any_runtime, b"two").status == 201


def test_an_effect_that_is_rolled_back_is_not_remembered(any_runtime: Runtime) -> None:
    def broken() -> None:
        with any_runtime.work("acme", COMMAND_LINE) as work:
            this = service.attempt(work, caller="client_1", key="k", request=b"one")
            work.record("test.happened")
            work.seal()
            service.remember(work, this, 201, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert attempt(any_runtime, b"one") is None


def test_a_key_in_use_by_another_transaction_is_still_running(any_runtime: Runtime) -> None:
    if any_runtime.engine.dialect.name == "sqlite":
        return  # one transaction writes at a time there: the second waits, and then recalls
    with any_runtime.work("acme", COMMAND_LINE) as work:
        this = service.attempt(work, caller="client_1", key="k", request=b"one")
        assert service.recall(work, this) is None
        with pytest.raises(ConflictError) as refused:
            attempt(any_runtime, b"one")
        assert refused.value.reason == "still-running"


def test_old_keys_are_swept(any_runtime: Runtime, clock: Any) -> None:
    attempt(any_runtime, b"one")
    clock.forward(timedelta(hours=25))
    with any_runtime.work("acme", COMMAND_LINE) as work:
        assert service.sweep(work) == 1
    with any_runtime.work("acme", COMMAND_LINE) as work:
        assert service.sweep(work) == 0
