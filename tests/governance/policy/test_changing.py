"""Two people approve at once: exactly one effect. And the same test finds the lock missing."""

import threading
from contextlib import ExitStack
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.errors import ConflictError
from governance.events import Actor
from governance.policy import changing, drafting, store
from governance.policy.complaints import PolicyError
from governance.policy.counterexamples import CounterExample
from governance.policy.drafts import Sent
from governance.policy.model import CheckedPolicies
from governance.policy.proving import Proof

AUTHOR, FIRST, SECOND = Actor("author"), Actor("first"), Actor("second")
TEXT = """pack: no-post
title: No advertising by post
speaks_about: [communication.send]
layer: channel
applies: {person.country: CA}
rules:
  - id: no-advertising-by-post
    effect: forbid
    when: {message.commercial: true, message.channel: post}
    code: cool-off
    because: We send no advertising by post to Canada.
    cites: ["House rule 7"]
now: 2026-11-21T15:00:00Z
cases:
  - name: a leaflet
    facts: {person.country: CA, message.commercial: true, message.channel: post}
    expect: {forbids: [cool-off]}
"""


def propose(runtime: Runtime) -> str:
    """Write and propose a draft; gives its digest."""
    with runtime.snapshot("acme", AUTHOR) as snap:
        written = drafting.read(snap, "no-post", Sent.one(TEXT))
    with runtime.work("acme", AUTHOR) as work:
        drafting.keep(work, written, None)
    with runtime.snapshot("acme", AUTHOR) as snap:
        prepared = changing.prepare(snap, "no-post")
    with runtime.work("acme", AUTHOR) as work:
        changing.propose(work, "no-post", prepared, notes="")
    return written.draft.digest


def approve_at_once(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Let a second person approve while the first one's approval is not committed; (outcomes, effects)."""
    digest = propose(runtime)
    outcomes: list[str] = []
    read = threading.Event()
    looked_up = changing._proposed

    def proposed(*of: Any) -> Any:
        found = looked_up(*of)
        if threading.current_thread() is not threading.main_thread():
            read.set()
        return found

    def approve() -> None:
        try:
            with runtime.work("acme", SECOND) as work:
                changing.approve(work, "no-post", digest)
            outcomes.append("approved")
        except ConflictError as conflict:
            outcomes.append(conflict.reason)

    monkeypatch.setattr(changing, "_proposed", proposed)
    second = threading.Thread(target=approve)
    with ExitStack() as first:
        work = first.enter_context(runtime.work("acme", FIRST))
        changing.approve(work, "no-post", digest)
        second.start()
        read.wait(0.5)
    second.join()
    outcomes.append("approved")
    with runtime.snapshot("acme", FIRST) as snap:
        rows = store.versions(snap.connection, "acme")
    return sorted(outcomes), sum(row["kind"] == "activated" for row in rows)


def test_two_people_who_approve_at_once_have_one_effect(
    any_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert approve_at_once(any_runtime, monkeypatch) == (["already-approved", "approved"], 1)


def test_the_same_test_catches_a_lock_that_is_missing(
    postgres_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.active_row
    monkeypatch.setattr(store, "active_row", lambda connection, tenant, lock=False: real(connection, tenant))
    assert approve_at_once(postgres_runtime, monkeypatch) == (["approved", "approved"], 2)


def test_what_cannot_be_proved_is_neither_proposed_nor_approved(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(checked: CheckedPolicies) -> Proof:
        rules = [rule for pack in checked.packs for rule in pack.rules if pack.name == "no-post"]
        words = "somebody who objected would be written to."
        found = CounterExample("mine", "communication.send", "That is not done.", ("House rule 8",), words)
        return Proof(1, 0, tuple(found.at_rule("communications/no-post.yaml", rule.line) for rule in rules))

    digest = propose(runtime)
    monkeypatch.setattr("governance.policy.proof.examined", broken)
    with runtime.snapshot("acme", AUTHOR) as snap:
        with pytest.raises(PolicyError, match="draft:7: somebody who objected"):
            changing.prepare(snap, "no-post")
        with pytest.raises(PolicyError, match="somebody who objected"):
            changing.prove_proposed(snap, "no-post")
    assert digest.startswith("sha256:")
