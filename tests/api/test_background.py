"""The thread that works off what requests queued outlives an error, and says what it was."""

import json
from typing import Any

import pytest

from api.background import Background
from api.telemetry import Log
from governance.bootstrap import Runtime


def test_after_an_error_the_thread_goes_on_with_what_comes_next(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    looked: list[str] = []

    def tenant_ids(*_: Any, **__: Any) -> list[str]:
        looked.append("")
        if len(looked) == 1:
            raise OSError("a name that nobody may read")
        return []

    monkeypatch.setattr(Runtime, "tenant_ids", tenant_ids)
    background = Background(runtime, Log("info", runtime.clock))
    background.kick()
    assert background.wait(30)
    background.kick()
    assert background.wait(30)
    assert len(looked) > 1, "and looked again"
    (line,) = [json.loads(each) for each in capfd.readouterr().err.splitlines() if "unforeseen" in each]
    assert (line["kind"], line["route"], line["request_id"]) == ("OSError", None, None)
    assert "nobody may read" not in json.dumps(line)
