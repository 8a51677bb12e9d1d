"""`governance demo-data`: invented people, the same for the same seed."""

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

from click.testing import CliRunner

from governance.commands import main


def made(*words: str) -> str:
    result = CliRunner().invoke(main, ["demo-data", *words])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_the_same_seed_makes_the_same_people() -> None:
    one, other = made("--subjects", "200", "--seed", "3"), made("--subjects", "200", "--seed", "3")
    assert one == other
    assert one != made("--subjects", "200", "--seed", "4")
    assert made("--subjects", "300", "--seed", "3").startswith(one)


def test_a_file_holds_what_standard_output_would(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    assert made("--subjects", "50", "--output", str(file)) == ""
    assert file.read_text() == made("--subjects", "50")


def test_a_program_gets_the_same_people_as_one_document(tmp_path: Path) -> None:
    told = json.loads(made("--subjects", "50", "--json"))
    assert (told["subjects"], told["seed"]) == (50, 7)
    assert told["rows"] == list(csv.DictReader(io.StringIO(made("--subjects", "50"))))
    file = tmp_path / "people.csv"
    assert json.loads(made("--subjects", "50", "--json", "--output", str(file)))["output"] == str(file)
    assert file.read_text() == made("--subjects", "50")


def test_the_sample_has_the_traits_of_a_real_export() -> None:
    rows = list(csv.DictReader(io.StringIO(made("--subjects", "2000", "--seed", "7"))))
    assert len(rows) == len({row["Lead Id"] for row in rows}) == 2000
    countries = Counter(row["Country"] for row in rows)
    assert countries["United States"] > countries["Germany"] > countries[""] > 0
    assert countries["unknown"] > 0
    assert {row["Do Not Email"] for row in rows} == {"Yes", "No"}
    assert {"Unsubscribed", "Email Bounced", "Email Marked Spam"} < {row["Last Activity"] for row in rows}
    assert len({row["Stage"] for row in rows}) == 6


def test_nobody_in_it_can_be_reached() -> None:
    for row in csv.DictReader(io.StringIO(made("--subjects", "500"))):
        assert row["E-mail"].endswith(".example.org")  # RFC 2606
        assert re.fullmatch(r"(\+1202555\d{4})?", row["Phone"])


def test_counts_that_make_no_sense_are_refused() -> None:
    result = CliRunner().invoke(main, ["demo-data", "--subjects", "0"])
    assert result.exit_code == 2
