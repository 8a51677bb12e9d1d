"""Letters are in one language: what they quote from elsewhere is translated, or marked."""

import itertools
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from governance.errors import InvalidError
from governance.policy import service as policies
from governance.purposes import catalogue
from governance.retention.model import verdict_of
from governance.rights.letter_files import LANGUAGES, Words, words, write
from governance.rights.letters import _SILENT, FULFILMENT
from governance.rights.reasons import Reasons, reasons
from governance.rights.regime_files import law
from governance.rights.regimes import Regime

OTHERS = [each for each in LANGUAGES if each != "en"]
NOT_BEGUN = "The period has not begun."
STOCK = [
    "A legal hold covers the data; they are kept until it is released.",
    "A legal hold covers these data; the erasure goes on by itself once it is released.",
    "Nothing demands that the data be kept.",
    "No schedule says anything about this; a person has to look.",
]
UNTIL = date(2035, 1, 2)
DAYS = {"en": "2 January 2035", "de": "2. Januar 2035", "fr": "2 janvier 2035", "es": "2 de enero de 2035"}


def becauses(found: Any) -> set[str]:
    """Every reason in a file of schedules, however deep it stands."""
    if isinstance(found, dict):
        own = {found["because"]} if "because" in found else set()
        return own.union(*(becauses(each) for each in found.values()))
    return set().union(*(becauses(each) for each in found)) if isinstance(found, list) else set()


def shipped_reasons() -> list[str]:
    documents = policies.shipped_documents()
    files = [
        tree for name, tree in documents.items() if name.startswith("retention/") and "cases" not in name
    ]
    assert len(files) > 5
    return sorted(set().union(*(becauses(each.plain()) for each in files)))


REASONS = [*shipped_reasons(), *STOCK]
COMPLAINTS = sorted({each.complaint for each in law(None).regimes.every.values() if each.complaint})


NAMES = "Office of the Australian Information Commissioner"
"""The one name of an authority that has such a word in it."""

ENGLISH = re.compile(r"\b(the|and|are|is|kept|years|complaint|courts|authority|attorney|for)\b", re.I)


def letter(file: Words, *, because: str, complaint: str) -> str:
    """An answer to an erasure that kept something, in one language."""
    values = {**_SILENT, "what": file.types["erasure"], "received": file.day(UNTIL), "controller": "Muster"}
    values |= {"reference": "x", "partly": True, "because": because, "complaint": complaint, "appeal": True}
    return write(file, FULFILMENT, values).text


def said(language: str) -> Reasons:
    return reasons(language, None)


def test_there_is_something_to_translate() -> None:
    assert len(REASONS) > 60
    assert len(COMPLAINTS) > 10


@pytest.mark.parametrize("language", OTHERS)
def test_no_letter_quotes_an_english_sentence(language: str) -> None:
    told, file = said(language), words(language, None)
    classes = itertools.cycle(sorted(catalogue.vocabulary(None).data_classes))
    every = [*REASONS, *(f"{each} {NOT_BEGUN}" for each in REASONS)]
    for because, data_class in zip(every, classes, strict=False):
        kept = told.kept([data_class], because, UNTIL)
        text = letter(file, because=kept, complaint=told.say(COMPLAINTS[0]))
        assert not ENGLISH.search(text), text
        assert kept in text
        assert DAYS[language] in text
        assert "2035-01" not in text
        assert "_" not in text


@pytest.mark.parametrize(("language", "complaint"), [*itertools.product(OTHERS, COMPLAINTS)])
def test_whom_to_complain_to_is_said_in_the_letters_language(language: str, complaint: str) -> None:
    told = said(language).say(complaint)
    assert told == said(language).sentences[complaint]
    assert not ENGLISH.search(
        letter(words(language, None), because="x", complaint=told).replace(NAMES, "")
    ), told


@pytest.mark.parametrize("regime", [each for each in law(None).regimes.every.values() if each.complaint])
@pytest.mark.parametrize("language", OTHERS)
def test_a_restrictions_end_says_it_too(language: str, regime: Regime) -> None:
    values = {
        **_SILENT,
        "controller": "x",
        "reference": "x",
        "complaint": said(language).say(regime.complaint or ""),
    }
    text = write(words(language, None), "restriction_end", values).text.replace(NAMES, "")
    assert said(language).sentences[regime.complaint or ""].replace(NAMES, "") in text
    assert not ENGLISH.search(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_of_data_has_a_name(language: str) -> None:
    known = catalogue.vocabulary(None).data_classes
    assert known <= set(said(language).data_classes)
    assert not any("_" in name for name in said(language).data_classes.values())


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_translated_that_nobody_says(language: str) -> None:
    assert set(said(language).sentences) == {*REASONS, *COMPLAINTS, NOT_BEGUN}, "reworded: translate it anew"


def test_what_has_no_translation_is_quoted_and_marked() -> None:
    law = "Invoices are kept for ten years (tax law)."
    assert said("de").say(law) == f"{law} (dazu liegt uns nur dieser Wortlaut vor)"
    assert said("de").say("") == ""
    assert said("en").say(law) == law
    assert said("en").kept(["own_class"], law, None) == "own class: Invoices are kept for ten years (tax law)"


def test_an_installation_adds_its_own_sentences_and_classes(tmp_path: Path) -> None:
    folder = tmp_path / "rights" / "reasons"
    folder.mkdir(parents=True)
    (folder / "de-own.yaml").write_text(
        'sentences: {"Invoices are kept for ten years.": Rechnungen bleiben zehn Jahre.}\n'
        "data_classes: {telemetry: Messwerte}\n",
        encoding="utf-8",
    )
    told = reasons("de", tmp_path)
    kept = told.kept(["telemetry"], f"Invoices are kept for ten years. {NOT_BEGUN}", UNTIL)
    assert kept == (
        "Messwerte, bis 2. Januar 2035: Rechnungen bleiben zehn Jahre. Die Frist hat noch nicht begonnen"
    )
    assert told.say(STOCK[0]) == said("de").say(STOCK[0]), "the shipped ones stay"
    assert said("de").say("Invoices are kept for ten years.").startswith("Invoices")


def test_the_stock_is_what_the_code_says() -> None:
    source = Path(verdict_of.__code__.co_filename).read_text(encoding="utf-8")
    planning = Path(policies.__file__).parents[1] / "erasure" / "planning.py"
    everything = source + planning.read_text(encoding="utf-8")
    assert all(each in everything for each in (*STOCK, NOT_BEGUN))


def test_an_own_file_from_before_a_letter_came_says_the_rest_as_shipped(tmp_path: Path) -> None:
    own = tmp_path / "rights" / "letters" / "de.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(
        "letters:\n  fulfilment:\n    subject: Erledigt bei uns\n    body: [Alles ist erledigt.]\n",
        encoding="utf-8",
    )
    said, shipped = words("de", tmp_path), words("de", None)
    assert (
        write(said, FULFILMENT, {**_SILENT, "controller": "A", "reference": "r"}).subject
        == "Erledigt bei uns"
    )
    assert said.letters["held"] == shipped.letters["held"]
    assert said.classes(["contact_details"]) == shipped.classes(["contact_details"])
    assert (said.months, said.page, said.types) == (shipped.months, shipped.page, shipped.types)
    assert words("fr", tmp_path) == words("fr", None)


@pytest.mark.parametrize("wrong", ["letters: [held]", "data_classes: notes", "[1]", "a: [", ""])
def test_an_own_file_of_another_form_is_refused_with_its_name(tmp_path: Path, wrong: str) -> None:
    own = tmp_path / "rights" / "letters" / "de.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(wrong, encoding="utf-8")
    with pytest.raises(InvalidError, match=r"letters/de\.yaml"):
        words("de", tmp_path)


def test_what_is_kept_for_one_reason_is_one_sentence() -> None:
    kept = said("de").kept(["notes", "invoices", "notes"], STOCK[2], UNTIL)
    assert kept.startswith("Notizen, Rechnungen und Belege, bis 2. Januar 2035: ")
    assert kept.count(said("de").say(STOCK[2]).removesuffix(".")) == 1
