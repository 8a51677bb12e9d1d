"""The shipped policies, loaded once a run."""

from pathlib import Path

import pytest

from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.loader import load
from governance.policy.model import CheckedPolicies

POLICIES = Path(__file__).parents[3] / "policies"


@pytest.fixture(scope="session")
def shipped() -> CheckedPolicies:
    return load(POLICIES)


@pytest.fixture(scope="session")
def policy(shipped: CheckedPolicies) -> CompiledPolicy:
    return compile_policy(shipped)
