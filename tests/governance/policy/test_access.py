"""Users and records of the AuthZEN specification's examples, written as a pack of the room `access`."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from governance.decisions.model import Verdict, decide
from governance.policy.access import Party, access_facts, action_names, entities_of
from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.loader import load

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> CompiledPolicy:
    extra = tmp_path_factory.mktemp("packs")
    shutil.copytree(ROOT / "tests" / "fixtures" / "access", extra / "access")
    return compile_policy(load(ROOT / "policies", extra))


def ask(
    policy: CompiledPolicy,
    user: str,
    action: str,
    resource: tuple[str, str],
    context: dict[str, Any] | None = None,
    **claims: Any,
) -> Verdict:
    facts = access_facts(
        policy,
        principal=Party("user", user, claims),
        action=action,
        resource=Party(*resource),
        context=context,
    )
    return decide(policy, action, policy.bucketed(action, facts, NOW))


def test_the_examples_of_the_specification_are_answered(policy: CompiledPolicy) -> None:
    assert ask(policy, "alice@example.com", "can_read", ("account", "123")).allowed
    for document in ("boxcarring.md", "subject-search.md", "resource-search.md"):
        assert ask(policy, "alice@example.com", "can_read", ("document", document)).allowed
    assert not ask(policy, "alice@example.com", "can_edit", ("document", "resource-search.md")).allowed
    three = [ask(policy, "alice@example.com", "read", ("document", number)).allowed for number in "123"]
    assert three == [True, False, True]


def test_what_the_pack_states_beats_what_the_caller_claims(policy: CompiledPolicy) -> None:
    assert not ask(policy, "mallory@example.com", "can_read", ("account", "123"), department="Sales").allowed
    assert ask(policy, "carol@example.com", "can_read", ("account", "123"), department="Sales").allowed


def test_a_claim_of_the_wrong_type_counts_as_absent(policy: CompiledPolicy) -> None:
    edit = ("alice@example.com", "can_edit", ("document", "resource-search.md"))
    assert ask(policy, *edit, context={"break_glass": True}).allowed
    assert not ask(policy, *edit, context={"break_glass": "true"}).allowed
    assert not ask(policy, "carol@example.com", "can_read", ("account", "123"), department=["Sales"]).allowed


def test_an_unknown_action_or_resource_is_refused_with_the_nearest_permit(policy: CompiledPolicy) -> None:
    verdict = ask(policy, "alice@example.com", "can_fly", ("account", "123"))
    assert not verdict.allowed
    assert [reason.code for reason in verdict.reasons] == ["no-permit"]
    assert "The nearest permit" in verdict.reasons[0].text


def test_searches_find_users_resources_and_actions(policy: CompiledPolicy) -> None:
    readers = [
        user
        for user in entities_of(policy, "user")
        if ask(policy, user, "can_read", ("account", "123")).allowed
    ]
    assert readers == ["alice@example.com", "bob@example.com"]
    accounts = [
        key
        for key in entities_of(policy, "account")
        if ask(policy, "alice@example.com", "can_read", ("account", key)).allowed
    ]
    assert accounts == ["123", "456"]
    actions = [
        name
        for name in action_names(policy)
        if ask(policy, "alice@example.com", name, ("account", "123")).allowed
    ]
    assert actions == ["can_delete", "can_read", "can_write"]
