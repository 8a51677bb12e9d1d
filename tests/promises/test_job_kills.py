"""Whoever does the jobs is killed, at random and at every commit: nothing lost, doubled or stuck."""

from collections.abc import Callable

import pytest

from governance.settings import Settings
from tests.promises import flows
from tests.promises.job_kills import Flow, survive, survive_points

FLOWS = ("TALLY", "IMPORTS", "EXPIRIES")
"""What is in `tests.promises.flows`: a job whose work can be lost or doubled belongs here."""


def named(name: str) -> tuple[Flow, str]:
    return getattr(flows, name), f"tests.promises.flows:{name}"


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 2), ("postgresql", 2)])
@pytest.mark.parametrize("name", FLOWS)
def test_killed_a_few_times_nothing_is_lost_or_doubled(
    name: str, kind: str, kills: int, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(make_settings(kind), *named(name), kills=kills, seed=1) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", FLOWS)
def test_killed_200_times_nothing_is_lost_or_doubled(
    name: str, kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(make_settings(kind), *named(name), kills=200, seed=2) == []


@pytest.mark.parametrize("name", FLOWS)
def test_killed_around_some_commits_nothing_is_lost_or_doubled(
    name: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive_points(make_settings("sqlite"), *named(name), every=12) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", FLOWS)
def test_killed_around_every_commit_nothing_is_lost_or_doubled(
    name: str, kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive_points(make_settings(kind), *named(name)) == []


def test_a_job_that_commits_its_effect_before_its_end_is_caught(
    make_settings: Callable[[str], Settings],
) -> None:
    faults = survive_points(make_settings("sqlite"), *named("HASTY_TALLY"), every=2)
    assert any("2 times" in fault for fault in faults)
