"""kill -9 of an import: the same command goes on, and every row is taken in exactly once.

What ends up in the stores must equal what an import that nobody disturbed leaves behind: the counts, and for
every person the events in the ledger. Killed at random moments, and on purpose at every line that matters.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from governance.commands import main
from governance.commands.sample import write
from governance.database import for_reading, make_engine
from governance.imports.store import import_error, import_run
from governance.ledger.store import ledger_entry
from governance.settings import Settings
from governance.subjects.store import subject
from tests.conftest import settings_in
from tests.promises.servers import ROOT, environ_of

MAPPING = ROOT / "governance/commands/demo.mapping.yaml"
ROWS = 3_000
FEW = 350
BROKEN = "broken,row\n"

Story = dict[str, list[str]]
"""Of each person the events in the ledger, in order: kinds and what was said."""


@dataclass(frozen=True)
class Outcome:
    """What an import left behind."""

    counts: dict[str, int]
    story: Story
    runs: int
    errors: list[int]


def sample(file: Path, rows: int) -> Path:
    """A sample with a broken row after every 500."""
    with file.open("w", encoding="utf-8", newline="") as target:
        write(target, subjects=rows, seed=11)
    lines = file.read_text().splitlines(keepends=True)
    for at in range(len(lines) - len(lines) % 500, 0, -500):
        lines.insert(at, BROKEN)
    file.write_text("".join(lines))
    return file


def words(file: Path) -> list[str]:
    return ["import", "subjects", str(file), "--mapping", str(MAPPING), "--tenant", "acme", "--json"]


def command(settings: Settings, file: Path, *script: str) -> subprocess.Popen[bytes]:
    """Start the import as a process of its own; `script` is what runs instead of the real program."""
    program = list(script) or ["-m", "governance"]
    return subprocess.Popen(
        [sys.executable, *program, *words(file)],
        env=environ_of(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(settings: Settings, file: Path) -> dict[str, int]:
    """Run the same command to its end, in this process; gives its counts."""
    result = CliRunner().invoke(main, words(file), env=environ_of(settings))
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["status"] == "completed"
    counts: dict[str, int] = told["counts"]
    return counts


def outcome(settings: Settings, counts: dict[str, int]) -> Outcome:
    engine = make_engine(settings.database_url)
    story: Story = defaultdict(list)
    with engine.connect() as connection:
        people = connection.execute(sa.select(subject.c.subject_ref, subject.c.external_id))
        names: dict[str, str] = dict(people.all())  # type: ignore[arg-type]
        entries = sa.select(ledger_entry.c.subject_ref, ledger_entry.c.kind, ledger_entry.c.leaf)
        for ref, kind, leaf in connection.execute(entries.order_by(ledger_entry.c.position)):
            if kind.startswith(("subject.", "consent.", "import.")):
                facts = json.loads(leaf)["facts"]
                said = [
                    f"{name}={facts[name]}"
                    for name in ("status", "scope", "event", "state", "sequence")
                    if name in facts
                ]
                story[names[ref] if ref else "nobody"].append(" ".join([kind, *said]))
        runs = connection.scalar(sa.select(sa.func.count()).select_from(import_run))
        errors = list(connection.scalars(sa.select(import_error.c.row_number).order_by("row_number")))
    engine.dispose()
    return Outcome(counts, dict(story), runs or 0, errors)


def fsck(settings: Settings) -> Any:
    return json.loads(CliRunner().invoke(main, ["fsck", "--json"], env=environ_of(settings)).stdout)


def undisturbed(folder: Path, template: Path, rows: int) -> tuple[Path, Outcome]:
    """A sample, and what it leaves behind if nobody kills anything."""
    file = sample(folder / "people.csv", rows)
    data = folder / "data"
    shutil.copytree(template, data)
    settings = settings_in(data)
    return file, outcome(settings, finish(settings, file))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Path, Outcome]:
    return undisturbed(tmp_path_factory.mktemp("many"), sqlite_template, ROWS)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> tuple[Path, Outcome]:
    return undisturbed(tmp_path_factory.mktemp("few"), sqlite_template, FEW)


@contextmanager
def watching(settings: Settings) -> Iterator[Callable[[], int]]:
    """Tell at any moment how many rows are done, without ever standing in the way of who does them."""
    engine = make_engine(settings.database_url)
    with engine.connect() as plain:
        connection = for_reading(plain)

        def position() -> int:
            with connection.begin():
                return connection.scalar(sa.select(sa.func.max(import_run.c.position))) or 0

        yield position
    engine.dispose()


def completed(settings: Settings) -> dict[str, int] | None:
    """The counts of the run, if it was brought to its end (the kill came after its last commit)."""
    engine = make_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            row = connection.execute(sa.select(import_run.c.state, import_run.c.counts)).first()
            return dict(row.counts) if row is not None and row.state == "completed" else None
    finally:
        engine.dispose()


def killed(settings: Settings, file: Path, until: int, pause: float) -> bool:
    """Start the import and kill it a moment after so many rows are done; False if it was done before."""
    with watching(settings) as position:
        process = command(settings, file)
        try:
            for _ in range(60_000):
                if process.poll() is not None or position() >= until:
                    break
                time.sleep(0.001)
            time.sleep(pause)
            return process.poll() is None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def survives(settings: Settings, file: Path, wanted: Outcome, *, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    step = ROWS // (kills + 1)
    times = 0
    for number in range(kills):
        if completed(settings):
            break
        until = number * step + dice.randrange(step)
        times += killed(settings, file, until, dice.uniform(0, 0.03))
        assert fsck(settings) == {"ok": True, "problems": {}}
    found = outcome(settings, completed(settings) or finish(settings, file))
    assert times >= kills - 1, "the import was too quick to be killed"
    assert found.runs == 1
    assert found == wanted
    assert fsck(settings) == {"ok": True, "problems": {}}


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 2), ("postgresql", 1)])
def test_an_import_killed_again_and_again_takes_every_row_once(
    kind: str, kills: int, make_settings: Callable[[str], Settings], many: tuple[Path, Outcome]
) -> None:
    file, wanted = many
    assert wanted.counts["created"] == ROWS
    assert wanted.counts["failed"] == len(wanted.errors) == ROWS // 500
    survives(make_settings(kind), file, wanted, kills=kills, seed=5)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_import_killed_at_many_moments_takes_every_row_once(
    kind: str, seed: int, make_settings: Callable[[str], Settings], many: tuple[Path, Outcome]
) -> None:
    survives(make_settings(kind), many[0], many[1], kills=10, seed=100 + seed)


POINTS = (
    "begun, before the commit",
    "begun, after the commit",
    "keys made, rows not",
    "rows written, position not",
    "position written, before the commit",
    "batch committed",
    "last batch committed",
    "ended, before the commit",
    "ended, after the commit",
)


QUICK = (POINTS[2], POINTS[4], POINTS[8])
"""The three that differ most; the long campaigns take them all."""


@pytest.mark.parametrize(
    "point", [each if each in QUICK else pytest.param(each, marks=pytest.mark.full) for each in POINTS]
)
def test_an_import_killed_at_this_very_line_takes_every_row_once(
    point: str, make_settings: Callable[[str], Settings], few: tuple[Path, Outcome]
) -> None:
    file, wanted = few
    settings = make_settings("sqlite")
    process = command(settings, file, "-m", "tests.promises.crashing_import", point)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, "the line was never reached"
    assert fsck(settings)["ok"]
    if point == "ended, after the commit":  # done: the same command is a new import that changes nobody
        engine = make_engine(settings.database_url)
        with engine.connect() as connection:
            done = connection.execute(sa.select(import_run.c.state, import_run.c.counts)).one()
        engine.dispose()
        assert done.state == "completed"
        assert outcome(settings, done.counts) == wanted
        return
    assert outcome(settings, finish(settings, file)) == wanted
    assert fsck(settings)["ok"]


def test_an_import_that_keeps_its_position_in_another_transaction_is_caught(
    make_settings: Callable[[str], Settings], few: tuple[Path, Outcome]
) -> None:
    """The seeded bug: killed between the two commits, a batch is taken in twice."""
    file, wanted = few
    settings = make_settings("sqlite")
    process = command(settings, file, "-m", "tests.promises.crashing_import", "seeded bug")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    found = outcome(settings, finish(settings, file))
    assert found.story != wanted.story
    assert found.counts != wanted.counts
