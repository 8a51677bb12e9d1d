"""A dry run over very many registered records: counts by rule, quickly, in flat memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from governance.bootstrap import COMMAND_LINE, assemble
from governance.retention import records
from governance.retention.records import NewRecord
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.model import NewSubject, SubjectChange, SubjectReference
from tests.conftest import START
from tests.promises.servers import environ_of

ROOT = Path(__file__).parents[2]
PEOPLE = 500
CLASSES = ("invoices", "decisions", "contact_details", "contracts", "notes")
COUNTRIES = ("DE", "FR", "GB", "US", "AT")


def fill(settings: Settings, count: int) -> None:
    """Register `count` records of some hundred people, in units of work of 1,000."""
    runtime = assemble(settings)
    with runtime.work("acme", COMMAND_LINE) as work:
        new = [
            NewSubject(
                f"crm-{each}",
                SubjectChange(
                    country=COUNTRIES[each % 5],
                    relationship="lead",
                    acquired_at=START - timedelta(days=each * 7),
                ),
            )
            for each in range(PEOPLE)
        ]
        subjects.put_many(work, new)
    for first in range(0, count, records.MOST):
        told = [
            NewRecord(
                "crm",
                f"r-{number:08}",
                SubjectReference(id=f"crm-{number % PEOPLE}"),
                CLASSES[number // 7 % 5],
                START - timedelta(days=number % 3650, seconds=number % 86_400),
            )
            for number in range(first, min(first + records.MOST, count))
        ]
        with runtime.work("acme", COMMAND_LINE) as work:
            assert all(each.changed for each in records.put_many(work, told))
    runtime.close()


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param("sqlite", 20_000, id="small"),
        pytest.param("sqlite", 1_000_000, marks=pytest.mark.full, id="million-sqlite"),
        pytest.param("postgresql", 1_000_000, marks=pytest.mark.full, id="million-postgresql"),
    ],
)
def test_a_dry_run_over_many_records_is_quick_and_its_memory_flat(
    make_settings: Callable[[str], Settings], kind: str, count: int
) -> None:
    settings = make_settings(kind)
    fill(settings, count)
    done = subprocess.run(
        [sys.executable, "-m", "tests.promises.counting_run", "acme"],
        cwd=ROOT,
        env={**os.environ, **environ_of(settings)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert told["status"] == "completed"
    assert sum(told["counts"].values()) == count + PEOPLE
    # 64 MB of it are the page cache that a connection to SQLite may fill; reading the policies takes a share.
    assert told["more_mb"] < 384, told
    # Of the processor: other tests share it, and a minute for a million is what one process needs alone.
    assert told["worked"] < 60 * max(count, 250_000) / 1_000_000, told
