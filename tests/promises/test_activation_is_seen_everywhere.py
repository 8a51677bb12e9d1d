"""What is approved, taken back or ended in one process holds in every other from the next check on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, assemble
from governance.callers import service as callers
from governance.settings import Settings
from tests.promises.servers import Client, check_body, serving, token_from

SCOPES = ["evaluate", "subjects:write", "policies:read", "policies:write", "policies:approve", "access:write"]
URL = "/v1/policies/nowhere/draft"
POLICY = """pack: nowhere
title: Nobody in New Zealand is written to
speaks_about: [communication.send]
layer: channel
applies: {person.country: NZ}
rules:
  - id: not-at-all
    effect: forbid
    when: {message.channel: email, message.class: promotional}
    code: cool-off
    because: We have left New Zealand.
    cites: ["House rule 1"]
"""
CASES = """pack: nowhere
now: 2026-11-21T15:00:00Z
cases:
  - name: a promotion
    facts: {person.country: NZ, message.channel: email, message.class: promotional}
    expect: {forbids: [cool-off]}
"""


def people(settings: Settings) -> list[tuple[str, str]]:
    """Two who may change policies."""
    runtime = assemble(settings)
    try:
        with runtime.work("acme", COMMAND_LINE) as work:
            made = [callers.create_client(work, name=name, scopes=SCOPES) for name in ("one", "two")]
    finally:
        runtime.close()
    return [(each.component.client_id, each.secret or "") for each in made]


def late_answers(settings: Settings, log: Path, app: str = "api.wsgi:app") -> tuple[int, int]:
    """Change a rule, go back, let who asks leave; (answers looked at, answers that came too late)."""
    looked = late = 0
    first, second = people(settings)
    with serving(settings, log, count=2, app=app) as servers:
        author = Client(servers[0].port, token_from(servers[0].port, *first))
        approver = Client(servers[1].port, token_from(servers[1].port, *second))
        body = {"attributes": {"country": "NZ"}, "relationship": "lead"}
        assert author.call("PUT", "/v1/subjects/kiwi", body)[0] == 201

        def look(digest: str, forbidden: bool) -> None:
            nonlocal looked, late
            for client in (author, approver):
                status, answer = client.call("POST", "/access/v1/evaluation", check_body("kiwi"))
                assert status == 200, answer
                codes = [reason["code"] for reason in answer["context"]["reasons"]]
                looked += 1
                late += answer["context"]["policy"] != digest or ("cool-off" in codes) is not forbidden

        before = done(author.call("GET", "/v1/policies"), 200)["digest"]
        look(before, False)
        draft = done(author.call("PUT", URL, {"policy": POLICY, "cases": CASES}), 201)["digest"]
        named = {"digest": draft}
        done(author.call("POST", f"{URL}/propose", named), 201)
        after = done(approver.call("POST", f"{URL}/approve", named), 200)["digest"]
        look(after, True)
        back = done(author.call("POST", "/v1/policies/nowhere/rollback", {}), 200)["digest"]
        assert back == before != after
        look(back, False)
        # So does that whoever asks has left, by whichever process it was said.
        engine = {"kind": "service", "roles": []}
        done(author.call("PUT", "/v1/components/campaign-engine", engine), 201)
        done(author.call("PUT", "/v1/components/campaign-engine", {**engine, "status": "left"}), 200)
        for client in (author, approver):
            answer = done(client.call("POST", "/access/v1/evaluation", check_body("kiwi")), 200)
            looked += 1
            late += "asker-left" not in {reason["code"] for reason in answer["context"]["reasons"]}
        author.close()
        approver.close()
    return looked, late


def done(answered: tuple[int, Any], status: int) -> Any:
    """What was answered, as it should be."""
    assert answered[0] == status, answered[1]
    return answered[1]


def test_the_next_check_of_every_process_decides_by_the_new_policy(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    assert late_answers(make_settings("sqlite"), tmp_path / "server.log") == (8, 0)


@pytest.mark.full
def test_so_it_is_on_postgresql(make_settings: Callable[[str], Settings], tmp_path: Path) -> None:
    assert late_answers(make_settings("postgresql"), tmp_path / "server.log") == (8, 0)


def test_the_same_test_catches_a_process_that_remembers(
    make_settings: Callable[[str], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDED_MEMORY_SECONDS", "300")
    looked, late = late_answers(
        make_settings("sqlite"), tmp_path / "server.log", "tests.promises.stale_app:app"
    )
    assert (looked, late) == (8, 4)
