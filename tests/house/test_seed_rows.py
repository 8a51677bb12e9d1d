"""Where the rows of the survey are done: what the tables name exists, and every row names something."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = {"docs/seed-rows.md": ROOT / "tests", "docs/lifecycle.md": ROOT / "tests/governance"}
"""A page with such tables, and where its paths begin."""

NAMED = re.compile(r"`([^`]+)`(?::\s+\*([^*]+)\*)?")


def rows(page: str) -> Iterator[str]:
    """The cells `Done in` of a page's tables, without their heads."""
    lines = (ROOT / page).read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| Row | Done in |"):
            for row in lines[number + 2 :]:
                if not row.startswith("|"):
                    break
                yield row


ROWS = [pytest.param(page, row, id=row.split("|")[1].strip()) for page in PAGES for row in rows(page)]


@cache
def found(page: str, name: str) -> Path | None:
    """The file of a name, as the page shortens it."""
    start = PAGES[page]
    places = [start / name, ROOT / name, *sorted((ROOT / "policies").glob(f"*/{name}"))]
    return next((place for place in places if place.exists()), None)


def problems(page: str, row: str) -> list[str]:
    """What a row names that does not exist; complains as well if it names nothing."""
    wrong: list[str] = []
    seen = 0
    file: Path | None = None
    for name, case in NAMED.findall(row.split("|")[2]):
        path, _, test = name.partition("::")
        if re.fullmatch(r"test_\w+", name):
            test = name
        elif "/" in path or path.endswith((".py", ".yaml", ".md")):
            if "*" in path:
                file = next(iter(sorted(ROOT.glob(path))), None)
            else:
                file = found(page, path)
        else:
            continue
        seen += 1
        text = file.read_text() if file is not None and file.is_file() else None
        if text is None:
            wrong.append(f"no such file: {name}")
        elif test and not re.search(rf"^def {test}\(", text, re.MULTILINE):
            wrong.append(f"no such test: {name}")
        elif case and case not in {each["name"] for each in yaml.safe_load(text)["cases"]}:
            wrong.append(f"no such case: {case}")
    return wrong if seen else ["the row names nothing"]


@pytest.mark.parametrize(("page", "row"), ROWS)
def test_what_a_row_names_exists(page: str, row: str) -> None:
    assert problems(page, row) == []


def test_each_table_has_rows() -> None:
    assert all(len(list(rows(page))) > 10 for page in PAGES)


@pytest.mark.parametrize(
    "row",
    [
        "| x | `stories/test_nothing.py::test_x` |",
        "| x | `stories/test_stories.py::test_nothing_of_the_kind` |",
        "| x | `house/test_readme.py`, `test_nothing_of_the_kind` |",
        "| x | `relationship.cases.yaml`: *a case that nobody wrote* |",
        "| x | somewhere |",
    ],
)
def test_a_row_that_names_what_is_not_there_is_found(row: str) -> None:
    assert problems("docs/seed-rows.md", row)
