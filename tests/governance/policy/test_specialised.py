"""A policy narrowed to one question answers as the whole policy does, word for word."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.decisions.model import decide
from governance.policy import specialised as module
from governance.policy.compiled import CompiledPolicy
from governance.policy.model import Fact, FactType
from governance.policy.specialised import specialised

ACTION = "communication.send"
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"message.channel": "email", "message.class": "promotional", "message.commercial": True},
    {"message.channel": "sms", "message.class": "promotional", "message.commercial": True},
    {"message.channel": "voice", "message.class": "promotional", "message.call_mode": "live"},
    {"message.channel": "email", "message.class": "consent_request", "message.commercial": False},
    {"message.channel": "post", "message.class": "service", "message.commercial": False},
)
GIVEN = {
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


def value(fact: Fact, policy: CompiledPolicy, chance: random.Random) -> Any:
    """A value that a fact may have, often absent; places and ages are those that rules speak of."""
    if chance.random() < 0.15:
        return None
    match fact.type:
        case FactType.BOOLEAN:
            return chance.random() < 0.5
        case FactType.AGE:
            return NOW - timedelta(
                days=chance.choice((0, 20, 40, 100, 200, 400, 800, 2000, 5000, 5600, 8000))
            )
        case FactType.INTEGER | FactType.COUNT:
            return chance.randrange(6)
        case FactType.LOCAL_TIME:
            return tuple(chance.randrange(1440) for _ in range(chance.choice((1, 1, 2))))
        case FactType.WEEKDAY:
            return (chance.choice(("mon", "wed", "sat", "sun")),)
        case FactType.SET:
            return (chance.choice(sorted(fact.values)),) if fact.values else ()
        case FactType.COUNTRY:
            return chance.choice(
                ("US", "US", "CA", "DE", "FR", "GB", "KR", "ES", "AT", "IN", "AU", "ZA", "ZW")
            )
        case FactType.REGION:
            return chance.choice(("US-CA", "US-FL", "US-TX", "US-WA", "CA-QC"))
    return chance.choice(sorted(fact.values)) if fact.values else "x"


@pytest.mark.parametrize("question", QUESTIONS)
def test_everybody_gets_the_answer_of_the_whole_policy(
    policy: CompiledPolicy, question: dict[str, Any]
) -> None:
    chance = random.Random(4)
    given = {**GIVEN, **question}
    small = specialised(policy, ACTION, given, NOW)
    assert len(small.fact_names(ACTION)) < len(policy.fact_names(ACTION))
    facts = {name: policy.vocabulary.facts[name] for name in policy.fact_names(ACTION)}
    allowed = 0
    for _ in range(1500):
        world = {name: value(fact, policy, chance) for name, fact in facts.items()} | given
        if chance.random() < 0.7:
            # Somebody of whom little is said, so that yeses are seen too.
            world |= {name: False for name in world if name.startswith(("suppression.", "person."))}
            world |= {"person.known": True, "person.country": value(facts["person.country"], policy, chance)}
            world |= {"objection.state": "none", "contact_point.state": "open", "consent.status": "granted"}
            world |= {"person.age": None, "person.region": None}
        whole = decide(policy, ACTION, policy.bucketed(ACTION, world, NOW))
        part = decide(small, ACTION, small.bucketed(ACTION, world, NOW))
        assert part == whole, world
        allowed += whole.allowed
    assert allowed < 1500
    assert allowed > 0 or question["message.class"] != "promotional"


def test_a_rule_too_few_is_noticed(policy: CompiledPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Test, "may_match", lambda *_: False)
    monkeypatch.setattr(module, "_known", module.OrderedDict())
    with pytest.raises(AssertionError):
        test_everybody_gets_the_answer_of_the_whole_policy(policy, QUESTIONS[0])


def test_the_same_question_is_narrowed_once_and_another_instant_anew(policy: CompiledPolicy) -> None:
    given = {**GIVEN, **QUESTIONS[0]}
    once = specialised(policy, ACTION, given, NOW)
    assert specialised(policy, ACTION, dict(given), NOW + timedelta(seconds=1)) is once
    assert (
        specialised(policy, ACTION, given, policy.effective_dates(ACTION)[0] - timedelta(days=1)) is not once
    )
    assert once.digest == policy.digest
