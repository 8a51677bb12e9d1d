"""House tests of the shipped packs: what every pack must be, whoever writes it."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from governance.decisions.model import decide
from governance.policy.cases import run_cases
from governance.policy.compiled import compile_policy
from governance.policy.loader import load
from governance.policy.logic import leaves
from governance.policy.model import CheckedPack, CheckedPolicies, CheckedRule, Effect, FactType, Layer

POLICIES = Path(__file__).parents[2] / "policies"
SEND = "communication.send"
NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)
SHIPPED = load(POLICIES)
COUNTRY_PACKS = [
    pack
    for pack in SHIPPED.packs
    if SEND in pack.actions and pack.layer in (Layer.CHANNEL, Layer.DATA_PROTECTION)
]

# Somebody of whom nothing is recorded but where they live.
NO_RECORD: dict[str, Any] = {
    "message.class": "promotional",
    "message.commercial": True,
    "message.contains_promotion": True,
    "message.in_reply_to": False,
    "purpose.state": "active",
    "purpose.allows_class": True,
    "person.known": True,
    "person.restricted": False,
    "person.erasure_pending": False,
    "person.erased": False,
    "stage.relationship": "lead",
    "contact_point.state": "none",
    "consent.status": "none",
    "objection.state": "none",
    "suppression.marketing": False,
    "suppression.all": False,
    "suppression.undeliverable": False,
    "contract.state": "none",
    "subscription.state": "none",
}


def countries_of(pack: CheckedPack) -> list[str]:
    """Give the countries that a pack names."""
    found: set[str] = set()
    for leaf in leaves(pack.applies):
        found |= {str(one) for one in (leaf.value if isinstance(leaf.value, frozenset) else [leaf.value])}
    return sorted(found)


def only(*packs: CheckedPack) -> CheckedPolicies:
    return replace(SHIPPED, packs=packs)


@pytest.mark.parametrize("pack", COUNTRY_PACKS, ids=lambda pack: pack.name)
def test_no_record_means_no_promotion_unless_the_pack_names_another_basis(pack: CheckedPack) -> None:
    matrix = next(one for one in SHIPPED.packs if one.name == "matrix")
    policy = compile_policy(only(matrix, pack))
    assert pack.covers, "a country pack says which channels it gives a full answer for"
    opted_out = {basis.channel: basis for basis in pack.basis if basis.basis == "opt_out"}
    for country, channel in product(countries_of(pack), pack.covers):
        for mode in ("live", "automated", "ai_voice") if channel == "voice" else (None,):
            asked = {"message.channel": channel, "person.country": country, "message.call_mode": mode}
            verdict = decide(policy, SEND, policy.bucketed(SEND, {**NO_RECORD, **asked}, NOW))
            if channel in opted_out:
                assert opted_out[channel].clause
                assert opted_out[channel].source in SHIPPED.sources
            else:
                assert not verdict.allowed, (pack.name, country, channel, mode)


@pytest.mark.parametrize("pack", COUNTRY_PACKS, ids=lambda pack: pack.name)
def test_country_packs_hold_only_forbids_and_obligations(pack: CheckedPack) -> None:
    assert {rule.effect for rule in pack.rules} <= {Effect.FORBID, Effect.OBLIGE}


def test_somebody_whose_country_has_no_pack_or_is_not_known_gets_no_promotion() -> None:
    policy = compile_policy(SHIPPED)
    channels = SHIPPED.vocabulary.facts["message.channel"].values
    for country, channel in product(["MX", "NG", "TR", None], channels):
        facts = {**NO_RECORD, "person.country": country, "message.channel": channel}
        assert not decide(policy, SEND, policy.bucketed(SEND, facts, NOW)).allowed, (country, channel)
        facts["consent.status"] = "granted"
        assert decide(policy, SEND, policy.bucketed(SEND, facts, NOW)).allowed, (country, channel)


def test_every_american_lead_may_get_e_mail_with_the_duties_of_can_spam() -> None:
    policy = compile_policy(SHIPPED)
    facts = {
        **NO_RECORD,
        "person.country": "US",
        "message.channel": "email",
        "message.contains_promotion": False,
    }
    verdict = decide(policy, SEND, policy.bucketed(SEND, facts, NOW))
    assert verdict.allowed
    assert {"postal-address", "include-unsubscribe", "advertising-disclosure"} <= set(verdict.obligations)


def random_facts(chance: random.Random, names: list[str]) -> dict[str, Any]:
    """Give facts of a world in which most things are harmless."""
    facts: dict[str, Any] = {**NO_RECORD, "message.channel": chance.choice(["email", "sms", "voice", "post"])}
    facts["person.country"] = chance.choice(["DE", "US", "CA", "GB", None])
    for name in chance.sample(names, 4):
        fact = SHIPPED.vocabulary.facts[name]
        if fact.type is FactType.BOOLEAN:
            facts[name] = chance.random() < 0.5
        elif fact.type is FactType.ENUM:
            facts[name] = chance.choice([*fact.values, None])
        elif fact.type is FactType.COUNTRY:
            facts[name] = chance.choice(["DE", "US", "CA", "GB", None])
        elif fact.type is FactType.AGE:
            facts[name] = chance.choice([NOW, NOW.replace(year=2025), NOW.replace(year=2020), None])
    return facts


def test_packs_only_narrow_whatever_another_pack_permits() -> None:
    """Take any pack away: whoever is allowed with it is allowed without it, but never the other way round.

    `place.covered` is held still: which pack answers for a place is a question of coverage, not of permits.
    """
    whole = compile_policy(SHIPPED)
    names = [name for name in whole.fact_names(SEND) if name != "place.covered"]
    narrowing = [pack for pack in SHIPPED.packs if SEND in pack.actions and pack.layer is not Layer.BASE]
    without = {
        pack.name: compile_policy(only(*(one for one in SHIPPED.packs if one is not pack)))
        for pack in narrowing
    }
    base = [pack for pack in SHIPPED.packs if pack.layer is Layer.BASE]
    alone = {pack.name: compile_policy(only(*base, pack)) for pack in narrowing}
    chance = random.Random(1)
    outcomes = {True: 0, False: 0}
    for _ in range(1500):
        facts = random_facts(chance, names)
        facts["place.covered"] = chance.random() < 0.5
        allowed = decide(whole, SEND, whole.bucketed(SEND, facts, NOW)).allowed
        outcomes[allowed] += 1
        for pack in narrowing:
            less, single = without[pack.name], alone[pack.name]
            if allowed:
                assert decide(less, SEND, less.bucketed(SEND, facts, NOW)).allowed, (pack.name, facts)
            if not decide(single, SEND, single.bucketed(SEND, facts, NOW)).allowed:
                assert not allowed, f"{pack.name} denies and another pack opened it: {facts}"
    assert min(outcomes.values()) > 50, "the random worlds must have both answers"


def test_a_place_that_loses_its_coverage_is_never_opened_by_that() -> None:
    """Adding a country pack may replace unknown-default there, but the pack itself then answers."""
    whole = compile_policy(SHIPPED)
    for pack in COUNTRY_PACKS:
        less = compile_policy(only(*(one for one in SHIPPED.packs if one is not pack)))
        opted_out = {basis.channel for basis in pack.basis if basis.basis == "opt_out"}
        for country, channel in product(countries_of(pack), pack.covers):
            facts = {**NO_RECORD, "message.channel": channel, "person.country": country}
            opened = decide(whole, SEND, whole.bucketed(SEND, facts, NOW)).allowed
            closed = not decide(less, SEND, less.bucketed(SEND, facts, NOW)).allowed
            assert not (opened and closed) or channel in opted_out, (pack.name, country, channel)


def test_every_rule_gives_a_sentence_a_clause_and_says_how_well_it_was_checked() -> None:
    for pack in SHIPPED.packs:
        for rule in pack.rules:
            assert rule.because.endswith("."), rule.id
            assert rule.cites, rule.id
            if rule.effect is Effect.FORBID:
                assert rule.remedy.endswith("."), rule.id
            if rule.verified and pack.layer is not Layer.BASE:
                assert all(SHIPPED.sources[source].solid for source in rule.source), rule.id


SOFT = {
    "relationship.soft_opt_in": True,
    "relationship.soft_opt_in_age": NOW.replace(month=10),
    "relationship.soft_opt_in_negotiation": True,
    "relationship.charity_support": True,
}
LENIENT = [
    (pack, rule)
    for pack in SHIPPED.packs
    for rule in pack.rules
    if rule.unless is not None and not SOFT.keys().isdisjoint(leaf.fact for leaf in leaves(rule.unless))
]


@pytest.mark.parametrize(("pack", "rule"), LENIENT, ids=lambda one: getattr(one, "id", None))
def test_whoever_is_written_to_on_a_soft_opt_in_is_offered_a_way_to_leave_every_time(
    pack: CheckedPack, rule: CheckedRule
) -> None:
    policy = compile_policy(SHIPPED)
    allowed = 0
    for country, channel in product(countries_of(pack), pack.covers):
        facts = {**NO_RECORD, **SOFT, "message.channel": channel, "person.country": country}
        facts |= {"register.listed": False, "message.call_mode": "live", "local.clock": (11 * 60,)}
        facts |= {"local.weekday": ("wed",), "local.public_holiday": False, "local.holiday_eve": False}
        verdict = decide(policy, SEND, policy.bucketed(SEND, facts, NOW))
        if verdict.allowed:
            allowed += 1
            assert "include-unsubscribe" in verdict.obligations, (rule.id, country, channel)
    assert allowed, rule.id


def test_every_row_about_messages_is_the_source_of_a_rule_or_says_why_it_is_none() -> None:
    cited = {source for pack in SHIPPED.packs for rule in pack.rules for source in rule.source}
    cited |= {basis.source for pack in SHIPPED.packs for basis in pack.basis}
    rows = {name: row for name, row in SHIPPED.sources.items() if name.startswith("out.")}
    idle = {name for name in rows if name not in cited}
    assert idle == {name for name, row in rows.items() if row.no_rule}
    assert all(row.no_rule.endswith(".") for row in rows.values() if row.no_rule)
    assert len(rows) >= 61, "as many as the fact sheet has"


def test_every_country_of_the_european_economic_area_has_its_rules() -> None:
    policy = compile_policy(SHIPPED)
    countries = SHIPPED.vocabulary.groups["EEA"]
    assert {"IS", "LI", "NO", "DE", "FR"} <= set(countries)
    assert len(countries) == 30
    for country, channel in product(countries, ["email", "sms", "voice", "social"]):
        facts = {**NO_RECORD, "person.country": country, "message.channel": channel}
        verdict = decide(policy, SEND, policy.bucketed(SEND, facts, NOW))
        rules = {reason.rule for reason in verdict.reasons}
        assert not verdict.allowed
        assert any(rule.startswith("eu-default.") for rule in rules), (country, channel, rules)
        assert not any(rule.startswith("unknown-default.") for rule in rules), (country, channel)


def test_one_whole_case_expects_four_forbids() -> None:
    four = [case for case in SHIPPED.cases if case.pack == "whole" and len(case.codes or ()) == 4]
    assert four
    assert all(result.passed for result in run_cases(SHIPPED) if result.case in four)


def test_the_vocabulary_and_the_catalogue_speak_of_the_same_things() -> None:
    def ids(name: str) -> set[str]:
        (entries,) = yaml.safe_load(
            (POLICIES / "catalogue" / f"{name}.yaml").read_text(encoding="utf-8")
        ).values()
        return {entry["id"] for entry in entries}

    facts = SHIPPED.vocabulary.facts
    assert ids("purposes") == set(facts["purpose.id"].values)
    assert ids("message-classes") == set(facts["message.class"].values)
    bases = {base for model in SHIPPED.models for stage in model.stages for base in stage.bases}
    assert bases <= ids("lawful-bases")


def test_every_reason_code_of_the_contract_is_in_the_vocabulary() -> None:
    contract = {
        "consent-missing",
        "consent-withdrawn",
        "consent-refused",
        "consent-expired",
        "consent-unconfirmed",
        "consent-unproven",
        "objection",
        "suppressed",
        "undeliverable",
        "restricted",
        "erasure-pending",
        "erased",
        "unknown-subject",
        "stage-mismatch",
        "transition-not-allowed",
        "quiet-hours",
        "frequency-cap",
        "cool-off",
        "child-without-guardian",
        "no-contact-point",
        "register-check-stale",
        "purpose-incompatible",
        "purpose-missing",
        "field-not-permitted",
        "transfer-no-mechanism",
        "transfer-suspended",
        "localisation",
        "legal-hold",
        "retention-required",
        "no-permit",
        "evaluation-failed",
    }
    codes = list(SHIPPED.vocabulary.codes)
    assert contract <= set(codes)
    assert codes[0] == "erased"
    assert codes[-1] == "evaluation-failed"


def test_every_class_is_in_the_matrix() -> None:
    (matrix,) = SHIPPED.matrices
    assert set(matrix.permit) == set(SHIPPED.vocabulary.facts["message.class"].values)


def test_matching_is_fast_enough_for_a_million_people() -> None:
    """Not a timing test: the generated function holds no loops."""
    source = compile_policy(SHIPPED).source(SEND)
    assert " for " not in source
    assert "while" not in source


def test_every_row_of_law_on_transfers_is_cited_by_a_rule() -> None:
    cited = {source for pack in SHIPPED.packs for rule in pack.rules for source in rule.source}
    assert {name for name in SHIPPED.sources if name.startswith("xfer.")} - cited == set()


def test_instruments_of_the_catalogue_are_those_that_rules_may_name() -> None:
    path = POLICIES / "catalogue" / "transfer-instruments.yaml"
    (entries,) = yaml.safe_load(path.read_text(encoding="utf-8")).values()
    assert {entry["id"] for entry in entries} == set(SHIPPED.vocabulary.facts["mechanism.usable"].values)
