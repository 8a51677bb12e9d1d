"""Whoever does the jobs is killed, at random and at every commit: nothing lost, doubled or stuck."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from governance.settings import Settings
from tests.promises import flows, own_data_flow, recipients_flow
from tests.promises.job_kills import Flow, survive, survive_points

HERE = ("TALLY", "IMPORTS", "EXPIRIES")
"""What is in `tests.promises.flows`: a job whose work can be lost or doubled belongs here."""

FLOWS = (*HERE, "RECIPIENTS", "OWN_DATA")
STEPS = {"RECIPIENTS": 30, "OWN_DATA": 20}
"""Of so many commits the quick test takes one; the long one takes all."""

_MODULES = {"RECIPIENTS": recipients_flow, "OWN_DATA": own_data_flow}


def named(name: str) -> tuple[Flow, str]:
    module = _MODULES.get(name, flows)
    return getattr(module, name), f"{module.__name__}:{name}"


def allowed(settings: Settings) -> Settings:
    """The same installation, with the folder of the far side allowed."""
    return replace(settings, system_allow=frozenset({str(settings.data_dir / "far")}))


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in FLOWS for kind in ("sqlite", "postgresql") if name in HERE or kind != "sqlite"],
)
def test_killed_a_few_times_nothing_is_lost_or_doubled(
    name: str, kind: str, make_settings: Callable[[str], Settings]
) -> None:
    """What is not in HERE is killed on SQLite around commits, below, and at random in the long versions."""
    assert survive(allowed(make_settings(kind)), *named(name), kills=2, seed=1) == []


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
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
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
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
