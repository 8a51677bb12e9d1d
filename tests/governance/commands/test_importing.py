"""`governance import subjects`: counts that add up, and every bad row by number, column and value."""

from pathlib import Path

import pytest

from governance.commands.sample import write
from tests.governance.commands.conftest import CommandLine
from tests.promises.servers import ROOT

MAPPING = ROOT / "governance/commands/demo.mapping.yaml"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A sample of 120 people."""
    file = tmp_path / "people.csv"
    with file.open("w", encoding="utf-8", newline="") as target:
        write(target, subjects=120, seed=7)
    return file


def imported(file: Path, mapping: Path = MAPPING) -> tuple[str | Path, ...]:
    return ("import", "subjects", file, "--mapping", mapping, "--tenant", "acme")


def test_a_sample_comes_in_and_comes_in_again(any_cli: CommandLine, sample: Path) -> None:
    first, again = any_cli.json(*imported(sample)), any_cli.json(*imported(sample))
    assert first["status"] == again["status"] == "completed"
    assert (first["counts"]["rows"], first["counts"]["created"]) == (120, 120)
    assert (again["counts"]["created"], again["counts"]["unchanged"], again["counts"]["failed"]) == (
        0,
        120,
        0,
    )
    assert first["id"] != again["id"]
    assert any_cli.json("fsck")["ok"]


def test_people_are_told_the_counts_in_one_line(cli: CommandLine, sample: Path) -> None:
    result = cli.run(*imported(sample))
    assert "120 created" in result.stdout
    assert "completed" in result.stdout
    assert result.stderr == ""


def test_bad_rows_are_reported_with_number_column_and_value(cli: CommandLine, sample: Path) -> None:
    lines = sample.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("example.org", "")  # row 3: the address ends with its point
    lines[5] = "only,two\n"
    lines[7] = lines[7].replace("lead-000007", "")
    country = lines[9].split(",")[3]
    lines[9] = lines[9].replace(f",{country},", ",Atlantis,", 1)
    sample.write_text("".join(lines))
    result = cli.run(*imported(sample), "--json")
    said = result.stderr.splitlines()
    assert [line.partition(":")[0] for line in said] == ["row 3", "row 5", "row 7", "row 9"]
    assert said[0].startswith("row 3: E-mail 'person3@mail")
    assert said[1].startswith("row 5: row: ")
    assert said[2].startswith("row 7: Lead Id: ")
    assert said[3].startswith("row 9: Country 'Atlantis': The mapping (line ")
    counts = cli.json("import", *imported(sample)[1:])["counts"]
    assert counts["rows"] == 120 == counts["failed"] + counts["unchanged"]
    assert counts["failed"] == 4


def test_of_many_bad_rows_the_first_are_shown_and_the_rest_counted(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    cli.run("demo-data", "--subjects", "1", "--output", file)
    file.write_text(file.read_text() + "broken\n" * 50)
    said = cli.run(*imported(file)).stderr.splitlines()
    assert len(said) == 21
    assert said[-1] == "… and 30 more rows."


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (
            ("identifiers:", "identifers:"),
            "unknown member of the mapping 'identifers'; did you mean",
        ),
        (
            ("status: withdrawn", "status: withdrawed"),
            "unknown status 'withdrawed'; did you mean 'withdrawn'?",
        ),
        (
            ("purpose: marketing", "purpose: marketin"),
            "unknown purpose 'marketin'; did you mean 'marketing'?",
        ),
        (("column: Country", "column: Countrie"), "no column 'Countrie'; did you mean 'Country'?"),
        (("format: csv", "format: csv: csv"), "this is not YAML"),
    ],
    ids=["member", "status", "purpose", "column", "not YAML"],
)
def test_a_mapping_that_cannot_be_used_is_refused_with_line_and_value(
    cli: CommandLine, sample: Path, tmp_path: Path, change: tuple[str, str], hint: str
) -> None:
    mapping = tmp_path / "demo.yaml"
    text = MAPPING.read_text()
    line = 1 + text[: text.index(change[0])].count("\n")
    mapping.write_text(text.replace(*change, 1))
    refused = cli.run(*imported(sample, mapping), code=2)
    assert hint in refused.stderr
    assert f"demo.yaml:{line}: " in refused.stderr
    assert refused.stdout == ""
    assert cli.json(*imported(sample))["counts"]["created"] == 120


def test_a_mapping_that_is_not_utf_8_is_refused(cli: CommandLine, sample: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "demo.yaml"
    mapping.write_bytes(b"mapping: caf\xe9\n")
    assert "not UTF-8" in cli.run(*imported(sample, mapping), code=2).stderr


def test_an_empty_file_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"")
    assert "the file has no column 'Lead Id'" in cli.run(*imported(file), code=2).stderr


def test_importing_for_nobody_is_refused(cli: CommandLine, sample: Path) -> None:
    refused = cli.run("import", "subjects", sample, "--mapping", MAPPING, "--tenant", "nobody", code=2)
    assert "does not exist" in refused.stderr
