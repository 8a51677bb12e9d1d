"""The compiled policy: vectors, thresholds, coverage, sentences, and the text of its functions."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from governance.policy.cases import run_case, run_cases
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.complaints import Complaints
from governance.policy.documents import Node, compose
from governance.policy.durations import Duration
from governance.policy.grammar import Grammar
from governance.policy.model import CheckedPolicies
from governance.policy.sentences import condition_sentence

SEND = "communication.send"
NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)


def test_every_shipped_case_holds_and_every_rule_is_needed_by_one(shipped: CheckedPolicies) -> None:
    results = run_cases(shipped)
    assert [(result.name, result.explanation) for result in results if not result.passed] == []
    needed = {need for result in results for need in result.needs}
    assert needed >= {(rule.id, rule.line) for pack in shipped.packs for rule in pack.rules}


def test_a_case_fails_when_the_rule_it_needs_is_taken_out(shipped: CheckedPolicies) -> None:
    whole = next(pack for pack in shipped.packs if pack.name == "ca-casl")
    for gone in whole.rules:
        pack = replace(whole, rules=tuple(rule for rule in whole.rules if rule is not gone))
        policy = compile_policy(replace(shipped, packs=(pack,)))
        cases = [case for case in shipped.cases if case.pack == "ca-casl"]
        assert not all(run_case(case, policy).passed for case in cases), gone.id


def test_the_digest_names_the_text(shipped: CheckedPolicies, policy: CompiledPolicy) -> None:
    assert policy.digest.startswith("sha256:")
    assert len(policy.digest) == 71
    assert compile_policy(shipped).digest == policy.digest
    assert compile_policy(replace(shipped, canonical=shipped.canonical + b" ")).digest != policy.digest


def test_a_vector_holds_the_facts_in_order_and_the_epoch(policy: CompiledPolicy) -> None:
    names = policy.fact_names(SEND)
    vector = policy.bucketed(SEND, {"message.channel": "email", "person.country": "US"}, NOW)
    assert len(vector) == len(names) + 1
    assert vector[policy.position(SEND, "message.channel")] == "email"
    assert vector[policy.position(SEND, "place.covered")] is True
    assert vector[-1] == sum(date <= NOW for date in policy.effective_dates(SEND))
    assert hash(vector) == hash(
        policy.bucketed(SEND, {"message.channel": "email", "person.country": "US"}, NOW)
    )


def test_ages_fall_into_few_buckets(policy: CompiledPolicy) -> None:
    bucketer = policy.bucketer(SEND, NOW)
    fact = "relationship.last_purchase_age"
    edge = datetime(2024, 11, 21, 15, tzinfo=UTC)
    assert bucketer.bucket_age(fact, None) is None
    reached = bucketer.bucket_age(fact, edge)
    before = bucketer.bucket_age(fact, edge + timedelta(microseconds=1))
    place = policy.thresholds(SEND)[fact].index(Duration(24, "month"))
    assert reached is not None
    assert before is not None
    assert reached - before == 1 << place


def test_thresholds_name_where_answers_change(policy: CompiledPolicy) -> None:
    thresholds = policy.thresholds(SEND)
    months = [Duration(number, "month") for number in (18, 24)]
    assert thresholds["relationship.last_purchase_age"] == tuple(months)
    assert thresholds["relationship.last_inquiry_age"] == (Duration(3, "month"), Duration(6, "month"))
    assert datetime(2025, 4, 11, tzinfo=UTC) in policy.effective_dates(SEND)
    assert 21 * 60 in thresholds["local.clock"]


@pytest.mark.parametrize(
    ("country", "channel", "covered"),
    [
        ("DE", "email", True),
        ("NO", "sms", True),
        ("US", "voice", True),
        ("US", "social", False),
        ("CA", "voice", True),
        ("GB", "email", True),
        ("MX", "email", False),
        ("NZ", "voice", False),
        ("DE", "post", False),
        ("DE", "pigeon", False),
    ],
)
def test_coverage_follows_the_packs(
    country: str, channel: str, covered: bool, policy: CompiledPolicy
) -> None:
    assert policy.covered(country, channel) is covered


@pytest.mark.parametrize(
    ("person", "point", "covered"),
    [("US", None, True), ("US", "DE", True), ("US", "MX", False), (None, "US", False), ("MX", "US", False)],
)
def test_a_place_is_covered_only_if_all_that_is_known_of_it_is(
    person: str | None, point: str | None, covered: bool, policy: CompiledPolicy
) -> None:
    assert policy.bucketer(SEND, NOW).covered(person, "email", point) is covered


def test_the_generated_text_is_kept_and_runs_without_builtins(policy: CompiledPolicy) -> None:
    source = policy.source(SEND)
    assert source.startswith("def matching(vector):")
    assert "'ca-casl.commercial-message-needs-consent'" in source
    assert set(policy.program(SEND).matching.__globals__["__builtins__"]) == {"tuple", "enumerate", "bool"}


def test_a_sentence_names_groups_in_words(policy: CompiledPolicy) -> None:
    words = policy.vocabulary.group_words
    groups = {name for name in policy.vocabulary.groups if name.isupper()} - {"EU", "EEA"}
    assert groups == set(words), "a group without words shows its own name to whoever is refused"
    said = "\n".join(policy.text("en").values())
    assert not [name for name in groups if re.search(rf"\b{name}\b", said)]
    assert "the mechanism in force is an instrument that may lead to any country" in said


def test_a_group_that_the_vocabulary_has_no_words_for_is_named_as_one(policy: CompiledPolicy) -> None:
    mechanism = policy.vocabulary.facts["mechanism.usable"]
    groups = {"OUR_OWN": frozenset({"eu-scc"}), "TOLD": frozenset({"eu-scc"})}
    grammar = Grammar(
        {mechanism.name: mechanism}, groups, Complaints("own"), {"TOLD": "a thing that is told"}
    )
    for name, said in (("OUR_OWN", "one of the group our own"), ("TOLD", "a thing that is told")):
        tree = compose("own.yaml", f"mechanism.usable: {{not_in: [{name}, eu-bcr]}}")
        assert isinstance(tree, Node)
        own = grammar.condition(tree, "when")
        assert own is not None, grammar.desk.found
        assert condition_sentence(own, {mechanism.name: mechanism}) == (
            f"the mechanism in force is not {said} or eu-bcr"
        )


def test_every_rule_has_a_sentence(policy: CompiledPolicy) -> None:
    sentences = policy.text("en")
    assert set(sentences) == {rule.id for rule in policy.rules}
    casl = sentences["ca-casl.commercial-message-needs-consent"]
    assert casl.startswith(
        "Forbidden (consent-missing) when the message is commercial and the channel is email"
    )
    assert "the last purchase is less than 24 months ago" in casl
    assert "[CASL s. 6(1), CASL s. 10(9)-(14)]" in casl
    assert "(not verified)" in sentences["eu-default.electronic-marketing-needs-consent"]


def test_an_action_that_no_pack_speaks_of_is_not_permitted(policy: CompiledPolicy) -> None:
    vector = policy.bucketed("can_read", {}, NOW)
    assert policy.matching("can_read", vector) == ()


def test_the_relationship_model_and_the_matrix_can_be_looked_up(policy: CompiledPolicy) -> None:
    model = policy.models["relationship"]
    assert [stage.id for stage in model.stages] == [
        "lead",
        "contact",
        "client",
        "active_service",
        "dormant",
        "churned",
    ]
    assert "contract" in next(stage.bases for stage in model.stages if stage.id == "client")
    assert any(move.origins == ("client",) and move.to == "lead" for move in model.transitions)
    assert policy.matrix is not None
    assert policy.matrix.permit["promotional"] == ("lead", "contact", "client", "dormant")
    assert policy.matrix.permit["transactional"] is None
