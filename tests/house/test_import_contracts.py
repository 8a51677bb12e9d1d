"""Every rule of the architecture is broken on purpose in a copy of the tree, and the linter must say so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).parent / "lint-imports"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contracts")
    for name in ("governance", "api", "retention_jobs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
    )


def test_the_contracts_hold(copy: Path) -> None:
    answer = lint(copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("governance/subjects/service.py", "import api.problems", "Floors"),
        ("api/problems.py", "import retention_jobs.schedule", "Floors"),
        ("governance/subjects/service.py", "import governance.consent.service", "House"),
        ("governance/lifecycle/service.py", "import governance.communications.service", "House"),
        ("governance/ledger/store.py", "import governance.vault.service", "House"),
        ("governance/work.py", "import governance.ledger.service", "House"),
        ("governance/consent/service.py", "import flask", "neither the web"),
        ("governance/consent/service.py", "import apscheduler", "neither the web"),
        ("governance/consent/model.py", "import sqlalchemy", "Models are pure"),
        ("api/problems.py", "import authlib", "Only api/auth.py"),
        ("retention_jobs/seal_checkpoint.py", "import apscheduler", "Only api/auth.py"),
        ("governance/subjects/model.py", "import governance.subjects.store", "within a room"),
        ("governance/subjects/store.py", "import governance.subjects.service", "within a room"),
    ],
)
def test_a_broken_rule_is_named(copy: Path, file: str, line: str, contract: str) -> None:
    target = copy / file
    before = target.read_text()
    try:
        target.write_text(f"{before}\n{line}  # noqa\n")
        answer = lint(copy)
    finally:
        target.write_text(before)
    assert answer.returncode == 1, answer.stdout
    broken = [row for row in answer.stdout.splitlines() if "BROKEN" in row]
    assert any(contract in row for row in broken), answer.stdout


def test_a_room_that_is_not_in_the_order_is_refused(copy: Path) -> None:
    stray = copy / "governance" / "helpers.py"
    try:
        stray.write_text('"""A drawer for everything."""\n')
        answer = lint(copy)
    finally:
        stray.unlink()
    assert answer.returncode == 1
