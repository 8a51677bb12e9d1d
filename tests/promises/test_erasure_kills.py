"""Whoever carries erasures out is killed: everybody is erased once, everywhere, and nobody else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from governance.settings import Settings
from tests.promises.erasure_flow import ERASURES
from tests.promises.job_kills import survive, survive_points

NAME = "tests.promises.erasure_flow:ERASURES"


def allowed(settings: Settings) -> Settings:
    """An installation whose operator lets systems be in the folder of the CRM."""
    return replace(settings, system_allow=frozenset({str(settings.data_dir / "far")}))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_twice_everybody_is_erased_once(kind: str, make_settings: Callable[[str], Settings]) -> None:
    assert survive(allowed(make_settings(kind)), ERASURES, NAME, kills=2, seed=3) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_200_times_everybody_is_erased_once(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive(allowed(make_settings(kind)), ERASURES, NAME, kills=200, seed=4) == []


def test_killed_around_some_commits_everybody_is_erased_once(
    make_settings: Callable[[str], Settings],
) -> None:
    assert survive_points(allowed(make_settings("sqlite")), ERASURES, NAME, every=60) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_around_every_commit_everybody_is_erased_once(
    kind: str, make_settings: Callable[[str], Settings]
) -> None:
    assert survive_points(allowed(make_settings(kind)), ERASURES, NAME) == []
