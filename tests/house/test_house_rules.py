"""What no linter knows: sizes, names, and who may read the clock."""

import re
from pathlib import Path

import pytest

from governance.database import metadata

ROOT = Path(__file__).parents[2]
FLOORS = ("governance", "api", "retention_jobs")
SOURCES = sorted(
    path
    for floor in FLOORS
    for path in (ROOT / floor).rglob("*.py")
    if "versions" not in path.parts and "__pycache__" not in path.parts
)
FORBIDDEN_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "misc",
    "manager",
    "managers",
    "v2",
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_module_fits_in_about_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 320, f"{_name(path)} grew too long; split it by concept"


def test_no_module_has_a_catch_all_name() -> None:
    named = [
        _name(path) for path in SOURCES if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES
    ]
    assert named == []


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (r"\bdatetime\.now\(|\bdate\.today\(|\butcnow\(|\btime\.time\(", {"governance/clock.py"}),
        (r"\buuid4\(|\bsecrets\.token_", {"governance/ids.py"}),
        # One place writes tables for people and makes formulas harmless; the sample plays the CRM.
        (r"\bcsv\.(writer|DictWriter)\(", {"api/spreadsheets.py", "governance/commands/sample.py"}),
        (
            r"\bos\.environ\b",
            {
                "governance/commands",
                "api/wsgi.py",
                "api/server.py",
                "api/telemetry.py",
                "retention_jobs/__main__.py",
            },
        ),
    ],
    ids=["clock", "ids", "tables", "environment"],
)
def test_time_ids_and_environment_have_one_door(pattern: str, allowed: set[str]) -> None:
    found = {
        _name(path)
        for path in SOURCES
        if re.search(pattern, path.read_text()) and not any(_name(path).startswith(door) for door in allowed)
    }
    # Token lifetimes are checked against the wall clock inside the OAuth library's own validator.
    assert found - {"api/auth.py", "api/tokens.py"} == set()


def test_every_room_is_on_the_readme_map() -> None:
    readme = (ROOT / "README.md").read_text()
    rooms = [path.name for path in (ROOT / "governance").iterdir() if (path / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}`" not in readme] == []


def test_every_table_has_the_tenant_first_in_its_key() -> None:
    import governance.tables  # noqa: F401  # registers every room's tables
    from governance.migrations.fences import OUTSIDE

    wrong = {
        table.name
        for table in metadata.tables.values()
        if table.name not in OUTSIDE and next(iter(table.primary_key.columns)).name != "tenant_id"
    }
    assert wrong == set()


def test_nothing_is_pickled_or_evaluated_from_outside() -> None:
    compiled_rules = "governance/policy/"  # executes only text that it wrote itself from checked rules
    found = {
        _name(path)
        for path in SOURCES
        if re.search(r"\bpickle\b|(?<![.\w])eval\(|(?<![.\w])exec\(", path.read_text())
        and not _name(path).startswith(compiled_rules)
    }
    assert found == set()


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pins = [line for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    assert pins
    assert lock.count("--hash=sha256:") >= len(pins)
