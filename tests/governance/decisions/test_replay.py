"""What a draft would have answered agrees with asking again by hand, for every decision that was kept."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.decisions import replay as replays
from governance.decisions import shadows
from governance.decisions.again import Redecider
from governance.decisions.model import Verdict, decide, failed
from governance.decisions.record import DecisionRecord, merged
from governance.policy import service as policies
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.documents import Node, compose
from governance.policy.drafting import StoredDraft
from governance.policy.drafts import Sent
from governance.policy.loader import check_documents
from retention_jobs import run_shadows
from tests.conftest import ACTOR, START

SEND = "communication.send"
DRAFT = """pack: stricter
title: Stricter
speaks_about: [communication.send]
layer: channel
applies: {person.country: {in: [US, CA]}}
rules:
  - id: only-recent-buyers
    effect: forbid
    when: {message.commercial: true, message.channel: email}
    unless: {relationship.last_purchase_age: {under: 7 months}}
    code: consent-missing
    because: We write to those only who bought lately.
    cites: ["House rule 8"]
  - id: no-minors
    effect: forbid
    when: {message.commercial: true, person.age: {present: true, under: 21 years}}
    code: child-without-guardian
    because: We write to grown-ups only.
    cites: ["House rule 9"]
"""


def stricter() -> CompiledPolicy:
    """The shipped policy with a pack more, and without a rule of another."""
    documents = policies.shipped_documents()
    tree = compose("communications/stricter.yaml", DRAFT)
    assert isinstance(tree, Node)
    pack = documents["communications/ca-casl.yaml"]
    rules = pack.value["rules"].value  # type: ignore[index, union-attr, call-overload]
    lesser = replace(pack, value={**pack.value, "rules": Node(rules[1:], 1)})  # type: ignore[dict-item, index]
    documents |= {"communications/stricter.yaml": tree, "communications/ca-casl.yaml": lesser}
    return compile_policy(check_documents(documents, scrutinised=True, proven=False))


def world(pick: random.Random, now: datetime) -> dict[str, Any]:
    """Facts of somebody at random, as a gate gathers them: of several hundred who are asked about often."""
    pick = random.Random(pick.randrange(600))
    country = pick.choice(["DE", "US", "CA", "FR", "BR", None])
    # On and beside the very instant at which an age is reached.
    bought = now - timedelta(
        days=pick.choice([1, 181, 212, 213, 214, 215, 700, 731]), seconds=pick.choice([-1, 0, 1])
    )
    return {
        "person.known": True, "person.country": country, "person.restricted": pick.random() < 0.02,
        "person.erasure_pending": False, "person.erased": False, "person.held": False,
        "person.zone_known": False, "stage.relationship": pick.choice(["lead", "client", "dormant"]),
        "message.channel": pick.choice(["email", "sms"]), "message.class": "promotional",
        "message.commercial": True, "message.contains_promotion": False, "message.in_reply_to": False,
        "purpose.state": "active", "purpose.allows_class": True, "purpose.id": "marketing",
        "contact_point.state": "open", "consent.status": pick.choice(["none", "granted", "withdrawn"]),
        "objection.state": "none", "suppression.marketing": False, "suppression.all": False,
        "suppression.undeliverable": False, "contract.state": "none", "subscription.state": "none",
        "relationship.last_purchase_age": pick.choice([None, bought]),
        "local.clock": (pick.randrange(1440),),
        "local.weekday": ("mon",), "tenant.sector": frozenset({"health"}), "tenant.country": "US",
        "person.age": pick.choice([None, None, 12, 20, 21, 40]),
    }  # fmt: skip


def record(
    number: int, pick: random.Random, policy: CompiledPolicy
) -> tuple[DecisionRecord, list[dict[str, Any]]]:
    """A decision as it is logged, and the facts it was made from."""
    now = START + timedelta(seconds=pick.randrange(10_000_000))
    worlds = [world(pick, now) for _ in range(pick.choice([1, 1, 1, 2]))]
    made = [by_hand(policy, each, now) for each in worlds]
    return (
        DecisionRecord(
            id=f"dec_{number:032x}", action=SEND, subject_ref=None, verdict=merged(made),
            policy=policy.digest, ledger_position=1, evaluated_at=now,
            caller_ref="client_test", question={}, facts=worlds,
        ),
        worlds,
    )  # fmt: skip


def by_hand(policy: CompiledPolicy, facts: dict[str, Any], now: datetime) -> Verdict:
    """Decide as the gates do, about facts with an age in years made the instant that it is counted from."""
    years = facts["person.age"]
    born = None if years is None else now.replace(year=now.year - years)
    return decide(policy, SEND, policy.bucketed(SEND, {**facts, "person.age": born}, now))


def against(verdict: Verdict) -> set[str]:
    """What stood in the way, read from the reasons that a verdict gives."""
    return {reason.rule or reason.code for reason in verdict.reasons}


def agrees(runtime: Runtime, count: int) -> tuple[dict[str, Any], float]:
    """Log `count` decisions, replay them, and compare with asking each by hand.

    The report, and how many seconds it took.
    """
    pick = random.Random(7)
    log, draft = runtime.decision_log, stricter()
    with runtime.snapshot("acme", ACTOR) as snap:
        present = policies.active(snap.connection, "acme", snap.now)
        kinds: Counter[str] = Counter()
        countries: Counter[tuple[str, str]] = Counter()
        rules: Counter[tuple[str, str]] = Counter()
        differing: dict[str, str] = {}
        batch: list[DecisionRecord] = []
        for number in range(count):
            made, worlds = record(number, pick, present)
            batch.append(made)
            if len(batch) == 1000 or number == count - 1:
                log.append("acme", batch)
                batch.clear()
            then = merged([by_hand(draft, each, made.evaluated_at) for each in worlds])
            if then.allowed is not made.allowed:
                kind = "newly_denied" if made.allowed else "newly_allowed"
                kinds[kind] += 1
                countries[kind, worlds[0]["person.country"] or "unknown"] += 1
                rules.update((kind, each) for each in against(then) ^ against(made.verdict))
                differing[made.id] = kind
        began = time.perf_counter()
        found = replays.replay(snap, draft, limit=count)
        took = time.perf_counter() - began
    assert (found["read"], found["decided"], found["not_reproduced"]) == (count, count, 0)
    assert (found["newly_denied"], found["newly_allowed"]) == (kinds["newly_denied"], kinds["newly_allowed"])
    assert min(kinds["newly_denied"], kinds["newly_allowed"]) > 0
    for name, counted in (("country", countries), ("rule", rules)):
        told = {
            (kind, row[name]): row[kind]
            for row in found[f"by_{name}"] for kind in ("newly_denied", "newly_allowed") if row[kind]
        }  # fmt: skip
        assert told == dict(counted), name
    for kind, samples in found["samples"].items():
        assert {differing[each["decision"]] for each in samples} == {kind}
    return found, took


def test_a_replay_agrees_with_asking_each_by_hand(runtime: Runtime) -> None:
    found, _ = agrees(runtime, 400)
    rules = {row["rule"] for row in found["by_rule"]}
    assert {"stricter.only-recent-buyers", "stricter.no-minors"} <= rules
    assert any(rule.startswith("ca-casl.") for rule in rules)
    assert len(found["samples"]["newly_denied"]) > 10
    assert "stricter" in found["samples"]["newly_denied"][0]["rules"][0]


@pytest.mark.full
def test_a_hundred_thousand_decisions_are_replayed_in_half_a_minute_and_agree(runtime: Runtime) -> None:
    found, took = agrees(runtime, 100_000)
    assert found["distinct"] < 20_000
    assert took < 30, f"{took:.1f} s"


def test_what_is_no_policys_and_what_was_not_evaluated_is_told_apart(runtime: Runtime) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        present = policies.active(snap.connection, "acme", snap.now)
        made, _ = record(1, random.Random(1), present)
        full = replace(failed("Full.").reasons[0], code="frequency-cap", rule="caps.weekly")
        capped = replace(made.verdict, allowed=False, reasons=(full,))
        runtime.decision_log.append(
            "acme",
            [
                replace(made, id="dec_1", verdict=failed("Broken.")),
                replace(made, id="dec_2", verdict=capped),
                replace(made, id="dec_3", policy="sha256:" + "0" * 64),
                replace(made, id="dec_4", verdict=replace(made.verdict, allowed=not made.allowed)),
                replace(made, id="dec_5", subject_ref="sub_gone"),
                replace(made, id="dec_6", action="search.subject", facts=(), question={"search": "subject"}),
                replace(made, id="dec_7", action="data.erase", facts=({"record.data_class": "profile"},)),
                replace(
                    made, id="dec_8", action="data.read", question={"resource": {"type": "file", "id": "1"}}
                ),
            ],
        )
        runtime.decision_log.erase("acme", "sub_gone")
        found = replays.replay(snap, present)
    assert (found["read"], found["decided"], found["erased"], found["not_reproduced"]) == (8, 1, 1, 3)
    assert (found["not_decided_by_policy"], found["facts_not_kept"]) == (2, 1)
    assert (found["newly_denied"], found["newly_allowed"]) == (0, 0)


def test_a_vector_made_from_what_is_kept_is_the_gates_own(policy_in_force: CompiledPolicy) -> None:
    pick = random.Random(3)
    again = Redecider(policy_in_force)
    for _ in range(300):
        now = datetime(2026, pick.randrange(1, 13), 28, 23, 59, tzinfo=UTC) + timedelta(
            days=pick.randrange(4)
        )
        facts = {**world(pick, now), "person.age": None}
        kept = json.loads(json.dumps(_kept(facts)))
        assert again.vector(SEND, kept, now) == policy_in_force.bucketed(SEND, facts, now)


def _kept(facts: dict[str, Any]) -> dict[str, Any]:
    from governance.decisions.record import fact_documents

    return fact_documents(facts)


@pytest.fixture
def policy_in_force(runtime: Runtime) -> Iterator[CompiledPolicy]:
    with runtime.snapshot("acme", ACTOR) as snap:
        yield policies.active(snap.connection, "acme", snap.now)


def test_a_shadow_that_cannot_be_decided_fails_alone(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = check_documents(policies.shipped_documents(), scrutinised=True)
    stored = StoredDraft("de", Sent.one("pack: de"), "sha256:1", "client_test", START, None)
    with runtime.work("acme", ACTOR) as work:
        shadows.start(work, stored, checked, START + timedelta(hours=1))

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shadows, "advance", broken)
    assert run_shadows.run(runtime) == 1
    assert run_shadows.run(runtime) == 0
    with runtime.snapshot("acme", ACTOR) as snap:
        found = shadows.get(snap, "de")
    assert (found["state"], found["because"]) == ("failed", "ZeroDivisionError")
