"""Whoever does the work of retention is killed: nothing lost, ended twice, or stuck."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from governance.settings import Settings
from tests.promises.job_kills import survive, survive_points
from tests.promises.retention_flow import RETENTION

NAME = "tests.promises.retention_flow:RETENTION"


def allowed(settings: Settings) -> Settings:
    """The same installation, with the CRM's folder allowed."""
    return replace(settings, system_allow=frozenset({str(settings.data_dir / "far")}))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_twice_everything_that_is_due_ends_once(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(allowed(make_settings(kind)), RETENTION, NAME, kills=2, seed=5) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_200_times_everything_that_is_due_ends_once(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(allowed(make_settings(kind)), RETENTION, NAME, kills=200, seed=6) == []


def test_killed_around_some_commits_everything_that_is_due_ends_once(
    make_settings: Callable[[str], Settings],
) -> None:
    assert survive_points(allowed(make_settings("sqlite")), RETENTION, NAME, every=60) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_around_every_commit_everything_that_is_due_ends_once(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive_points(allowed(make_settings(kind)), RETENTION, NAME) == []
