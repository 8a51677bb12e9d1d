"""A request, an erasure, a report that fails is logged and left; the rest of the run goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from governance.bootstrap import HaltedError, Runtime
from governance.erasure import afterwards, saga
from governance.erasure import store as erasures
from governance.opendsr import reporting
from governance.opendsr import store as dsr
from governance.rights import package, telling
from governance.rights import service as rights
from retention_jobs import (
    build_packages,
    probe_erasures,
    report_opendsr,
    run_erasures,
    run_rights_clocks,
    tell_recipients,
)
from retention_jobs.alone import Alone
from retention_jobs.worker import LeaseLostError

Replaced = Callable[[str, Any], None]


def test_what_fails_is_logged_without_its_message_and_counted_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone, done = Alone("some-job"), []
    for each in ("a", "anna@example.org", "c"):
        with alone():
            if "@" in each:
                raise ValueError(each)
            done.append(each)
    alone.end()
    told = capsys.readouterr().err
    assert done == ["a", "c"]
    assert '"event": "job-failed"' in told
    assert '"failed": 1' in told
    assert "anna" not in told


def test_nothing_is_told_of_a_run_in_which_nothing_failed(capsys: pytest.CaptureFixture[str]) -> None:
    alone = Alone("some-job")
    with alone():
        pass
    alone.end()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stop", [HaltedError, LeaseLostError, KeyboardInterrupt])
def test_a_run_that_is_to_stop_stops(stop: type[BaseException]) -> None:
    with pytest.raises(stop), Alone("some-job")():
        raise stop


@pytest.mark.parametrize(
    ("job", "room", "due", "does"),
    [
        (build_packages, package, "due", "build"),
        (tell_recipients, telling, "waiting", "is_unsettled"),
        (run_rights_clocks, rights, "waiting", "is_due"),
        (run_erasures, erasures, "due", "advance"),
        (probe_erasures, erasures, "coming_back", "comes_back"),
        (report_opendsr, dsr, "due", "_parcel"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_every_one_has_its_turn_after_one_that_fails(
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    job: Any,
    room: Any,
    due: str,
    does: str,
) -> None:
    """What is due is given, and what is done fails for the first: the loop between is the job's own."""
    tried: list[str] = []

    def do(_: object, *rest: Any) -> bool:
        name = next(each for each in rest if each in ("r-1", "r-2"))
        tried.append(name)
        if name == "r-1":
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return False

    where = {"advance": saga, "comes_back": afterwards, "_parcel": reporting}.get(does, room)
    monkeypatch.setattr(room, due, lambda *_, **__: ["r-1", "r-2"])
    monkeypatch.setattr(where, does, do)
    if does == "_parcel":
        monkeypatch.setattr(reporting, "signer", lambda _: object())
        monkeypatch.setattr(reporting, "_told", lambda *_: False)
    job.run(runtime)
    assert tried == ["r-1", "r-2"]
    told = capsys.readouterr().err
    assert told.count('"event": "job-failed"') == 1
    assert '"event": "job-left"' in told
    assert job.__name__.rpartition(".")[2].replace("_", "-") in told
