import random
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from governance.communications.asked import Asked
from governance.communications.facts import ANCHORS
from governance.communications.lasting import lasts
from governance.communications.model import ACTION
from governance.communications.situations import Point, Situation, born
from governance.consent.model import Cell, Question
from governance.decisions.model import Verdict, decide
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.loader import check_documents
from governance.policy.service import shipped_documents

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
FACTS = {
    "message.channel": "email",
    "message.class": "promotional",
    "message.commercial": True,
    "message.contains_promotion": False,
    "message.in_reply_to": False,
    "message.call_mode": None,
    "message.written_by": None,
    "purpose.id": "marketing",
    "purpose.state": "active",
    "purpose.allows_class": True,
    "tenant.country": "US",
    "sender.country": None,
}
ASKED = Asked(FACTS, Question("marketing", "", "email", None), "email")


# Among the shipped rules for e-mail few are healed by time; this one is.
PAUSE = """
pack: house-pause
title: A pause after each purchase
speaks_about: [communication.send]
layer: channel
rules:
  - id: pause-after-a-purchase
    effect: forbid
    when: {message.commercial: true, relationship.last_purchase_age: {under: 6 months}}
    code: cool-off
    because: Whoever bought something is left in peace for half a year.
    remedy: Wait until half a year is over.
    cites: [house rule]
    source: [out.us.canspam]
    verified: true
"""


@cache
def policy() -> CompiledPolicy:
    with TemporaryDirectory() as folder:
        pack = Path(folder, "communications", "house-pause.yaml")
        pack.parent.mkdir()
        pack.write_text(PAUSE)
        return compile_policy(check_documents(shipped_documents(Path(folder)), proven=False))


def somebody(dice: random.Random) -> Situation:
    def ago(days: int) -> datetime | None:
        return NOW - timedelta(days=dice.randrange(days)) if dice.random() < 0.6 else None

    person = {
        "person.known": True,
        "person.country": dice.choice(("US", "DE", "FR", "CA", "BR", None)),
        "person.region": None,
        "person.customer_type": dice.choice(("consumer", "business", None)),
        "stage.relationship": dice.choice(("lead", "contact", "client", "dormant", "churned", None)),
        "contract.state": dice.choice(("none", "in_force", "ended")),
        "subscription.state": "none",
        "source.acquired": dice.choice(("person", "import", "acquired_list")),
        "person.restricted": dice.random() < 0.1,
        "person.erasure_pending": dice.random() < 0.05,
        "person.erased": False,
        "person.held": False,
        "person.zone_known": False,
        **{name: ago(900) for name in ANCHORS},
    }
    at = NOW - timedelta(days=dice.randrange(900))
    said = dice.choice(("granted", "expiring", "withdrawn", "nothing", "nothing"))
    cells: tuple[Cell, ...] = ()
    if said == "withdrawn":
        cells = (Cell("marketing", "", "email", "", "", "consent", "withdrawn", 1, at, "evt_1"),)
    elif said != "nothing":
        until = NOW + timedelta(days=dice.randrange(1, 300)) if said == "expiring" else None
        cells = tuple(
            Cell(
                "marketing", "", "email", "", place, "consent",
                pos_status="granted", pos_seq=1, pos_at=at, pos_by_person=True, pos_expires_at=until,
            )
            for place in ("", "pnt_1")
        )  # fmt: skip
    points = (Point("pnt_1", "open"),) if dice.random() < 0.5 else ()
    month = f"{dice.randrange(2005, 2012)}-05" if dice.random() < 0.3 else None
    return Situation("sub_1", "crm-1", {**person, "person.age": born(month)}, points, cells)


def verdicts_at(situation: Situation, instant: datetime) -> list[Verdict]:
    return [
        decide(policy(), ACTION, policy().bucketed(ACTION, world.facts, instant))
        for world in situation.worlds(ASKED, instant)
    ]


def test_a_refusal_that_lasts_is_never_followed_by_a_permission() -> None:
    dice = random.Random(5)
    lasting = ending = 0
    for _ in range(600):
        situation = somebody(dice)
        verdicts = verdicts_at(situation, NOW)
        if all(verdict.allowed for verdict in verdicts):
            continue
        later = any(
            all(verdict.allowed for verdict in verdicts_at(situation, NOW + timedelta(days=days)))
            for days in range(1, 400, 9)
        )
        if lasts(policy(), situation, situation.worlds(ASKED, NOW), verdicts):
            lasting += 1
            assert not later
        ending += later
    assert lasting > 100
    assert ending > 10


def test_a_consent_that_runs_out_leaves_the_end_of_a_refusal_open() -> None:
    dice = random.Random(7)
    person = somebody(dice)
    withdrawn = Cell("marketing", "", "email", "", "", "consent", "withdrawn", 1, NOW, "evt_1")
    for running_out, lasting in ((None, True), (NOW + timedelta(days=3), False)):
        yes = Cell("marketing", "", "", "", "", "claim", pos_status="unproven", pos_expires_at=running_out)
        situation = Situation("sub_1", "crm-1", person.person, (), (withdrawn, yes))
        worlds = situation.worlds(ASKED, NOW)
        verdicts = verdicts_at(situation, NOW)
        assert not verdicts[0].allowed
        assert lasts(policy(), situation, worlds, verdicts) is lasting


def test_a_rule_with_dates_counts_as_changing() -> None:
    uses = policy().program(ACTION).uses
    assert uses
    assert all(
        "epoch" in uses[rule.id] for rule in policy().rules if rule.effective.since and rule.id in uses
    )
