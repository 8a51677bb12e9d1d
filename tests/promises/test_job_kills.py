"""Whoever does the jobs is killed, at random and at every commit: nothing lost, doubled or stuck."""

from collections.abc import Callable

import pytest

from governance.settings import Settings
from tests.promises import erasure_flow, flows, own_data_flow, recipients_flow, retention_flow
from tests.promises.far_crm import allowed
from tests.promises.job_kills import Flow, survive, survive_points

FLOWS = {
    "TALLY": flows,
    "IMPORTS": flows,
    "EXPIRIES": flows,
    "RECIPIENTS": recipients_flow,
    "OWN_DATA": own_data_flow,
    "ERASURES": erasure_flow,
    "RETENTION": retention_flow,
}
"""Where each flow is written down: a job whose work can be lost or doubled belongs here."""

STEPS = {"RECIPIENTS": 30, "OWN_DATA": 20, "ERASURES": 60, "RETENTION": 60}
"""Of so many commits the quick test takes one (of 12 if it is not said); the long one takes all."""

ONLY_AROUND_COMMITS = {"RECIPIENTS", "OWN_DATA"}
"""On SQLite the quick tests kill these around commits, and the long ones also at random."""

KINDS = ("sqlite", "postgresql")


def named(name: str) -> tuple[Flow, str]:
    module = FLOWS[name.removeprefix("HASTY_")]
    return getattr(module, name), f"{module.__name__}:{name}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in FLOWS for kind in KINDS if kind != "sqlite" or name not in ONLY_AROUND_COMMITS],
)
def test_killed_a_few_times_nothing_is_lost_or_doubled(
    name: str, kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(allowed(make_settings(kind)), *named(name), kills=2, seed=1) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FLOWS)
def test_killed_200_times_nothing_is_lost_or_doubled(
    name: str, kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(allowed(make_settings(kind)), *named(name), kills=200, seed=2) == []


@pytest.mark.parametrize("name", FLOWS)
def test_killed_around_some_commits_nothing_is_lost_or_doubled(
    name: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive_points(allowed(make_settings("sqlite")), *named(name), every=STEPS.get(name, 12)) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FLOWS)
def test_killed_around_every_commit_nothing_is_lost_or_doubled(
    name: str, kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive_points(allowed(make_settings(kind)), *named(name)) == []


def test_a_job_that_commits_its_effect_before_its_end_is_caught(
    make_settings: Callable[[str], Settings],
) -> None:
    faults = survive_points(allowed(make_settings("sqlite")), *named("HASTY_TALLY"), every=2)
    assert any("2 times" in fault for fault in faults)
