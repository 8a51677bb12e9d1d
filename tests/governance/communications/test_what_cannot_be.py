"""What proofs take for granted of facts is so of all that the gate really decides on."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import z3

from governance.consent.kinds import CONSENT, GUARDIAN, NIGHT
from governance.consent.model import Cell, Question
from governance.consent.resolving import resolve
from governance.policy.buckets import Bucketer
from governance.policy.compiled import compile_policy
from governance.policy.cuts import cut
from governance.policy.documents import canonical
from governance.policy.invariants import read_invariants, shipped_text
from governance.policy.loader import load_documents
from governance.policy.service import shipped_documents
from governance.policy.worlds import World
from governance.purposes import service as purposes
from tests.governance.communications.conftest import Crm
from tests.governance.policy.test_worlds import pins

SEND = "communication.send"
WHAT = ("message.class", "message.contains_promotion", "consent.status", "person.known")
Seen = list[tuple[dict[str, Any], datetime]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """All facts that are decided on while the test runs."""
    found: Seen = []
    original = Bucketer.vector

    def vector(self: Bucketer, facts: Mapping[str, Any]) -> tuple[Any, ...]:
        found.append((dict(facts), self._now))
        return original(self, facts)

    monkeypatch.setattr(Bucketer, "vector", vector)
    return found


def ask_everything(crm: Crm) -> None:
    """Ask about every class of message, with and without promotion, of people of many kinds."""
    people = {
        "nobody": None,
        "consented": "granted",
        "withdrew": "withdrawn",
        "refused": "refused",
        "waits": "requested",
    }
    for name, status in people.items():
        ref = crm.person(name, f"{name}@example.org", country="DE")
        if status is not None:
            crm.said(ref, status, email=f"{name}@example.org")
    for message_class in purposes.message_classes():
        for contains_promotion in (False, True):
            crm.check("consented", message_class=message_class, contains_promotion=contains_promotion)
    for name in (*people, "unknown"):
        crm.check(name)


def test_what_cannot_be_is_never_decided_on(small: Crm, seen: Seen) -> None:
    ask_everything(small)
    # Looking for the next instant at which a message would be permitted asks the same again and again.
    told = {
        repr([facts.get(name) for name in WHAT]): (facts, now) for facts, now in seen if WHAT[0] in facts
    }.values()
    assert len(told) >= 20 * 2 + 5
    policy = compile_policy(load_documents(canonical(shipped_documents())))
    granted = read_invariants(shipped_text(), policy.vocabulary).granted(SEND)
    assert granted
    conditions = [part for one in granted for part in (one.when, one.then)]
    world = World.new(
        z3.Context(), cut(policy.vocabulary.facts, policy.program(SEND).packs, conditions, policy.coverage)
    )
    solver = z3.SolverFor("QF_FD", ctx=world.ctx)
    solver.add(*world.limits)
    broken: set[str] = set()
    used: set[str] = set()
    for facts, now in told:
        held = list(pins(world, facts, now))
        assert solver.check(*held) == z3.sat, f"the space of proofs has no place for {facts}"
        model = solver.model()
        for one in granted:
            if z3.is_true(model.eval(world.condition(one.when, False), model_completion=True)):
                used.add(one.id)
                if not z3.is_true(model.eval(world.condition(one.then, False), model_completion=True)):
                    broken.add(one.id)
    assert broken == set()
    assert used == {one.id for one in granted}, "each is about something that the gate decides on"


def random_cells(chance: random.Random) -> Iterator[Cell]:
    """Give what somebody may have said so far."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for kind in chance.sample([CONSENT, GUARDIAN, NIGHT], chance.randint(0, 3)):
        yes, no = chance.sample(range(1, 50), 2)
        yield Cell(
            purpose=chance.choice(["", "marketing"]),
            controller="",
            channel=chance.choice(["", "email"]),
            topic="",
            point_ref="pt",
            kind=kind,
            neg_status=chance.choice([None, "withdrawn", "refused"]) if kind != GUARDIAN else None,
            neg_seq=no,
            neg_at=start + timedelta(days=no),
            pos_status=chance.choice([None, "granted", "requested"]),
            pos_seq=yes,
            pos_at=start + timedelta(days=yes),
            pos_by_person=chance.random() < 0.7,
        )


def test_a_withdrawal_ends_guardians_and_night_consents_too() -> None:
    """`withdrawing-never-helps` compares with somebody who withdrew: the two facts are false of them."""
    chance = random.Random(18)
    question = Question("marketing", channel="email", topic="", point_ref="pt")
    now = datetime(2026, 12, 1, tzinfo=UTC)
    withdrawal = Cell(
        "marketing", "", "email", "", "", CONSENT, "withdrawn", 100, datetime(2026, 11, 1, tzinfo=UTC)
    )
    before = set()
    for _ in range(2000):
        cells = list(random_cells(chance))
        earlier = resolve(cells, question, (), now)
        later = resolve([*cells, withdrawal], question, (), now)
        assert (later.status, later.guardian, later.night) == ("withdrawn", False, False)
        assert later.age_anchor is None
        before.add((earlier.status, earlier.guardian, earlier.night))
    assert {("granted", True, True), ("granted", False, True), ("none", False, False)} <= before
