"""Complaint reports as the vectors expect them, and words that mean leaving."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from governance.communications import keywords
from governance.communications.feedback_reports import LEAVING, read_report

FIXTURES = Path(__file__).parents[2] / "fixtures"
REPORTS = sorted((FIXTURES / "arf").glob("*.eml"))
KINDS = {"Abuse": "abuse", "AuthFailure": "auth-failure"}


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_report_is_read_as_the_vector_says(path: Path) -> None:
    wanted: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    found = read_report(path.read_bytes())
    assert found.feedback_type == KINDS[wanted["feedback_type"]]
    assert found.version == str(wanted["version"])
    for name in (
        "user_agent",
        "original_mail_from",
        "original_rcpt_to",
        "original_envelope_id",
        "reporting_mta",
        "source_ip",
        "incidents",
    ):
        assert getattr(found, name) == wanted[name], name
    assert list(found.reported_domain) == wanted["reported_domain"]
    assert list(found.reported_uri) == wanted["reported_uri"]
    arrived = wanted["arrival_date"]
    assert found.arrival_at == (None if arrived is None else datetime.fromtimestamp(arrived, UTC))
    assert (found.feedback_type in LEAVING) == (wanted["feedback_type"] == "Abuse")


def test_whom_a_report_is_about_is_told_or_left_open() -> None:
    assert len(REPORTS) == 5
    assert read_report(REPORTS[0].read_bytes()).recipients == ()
    assert read_report(REPORTS[1].read_bytes()).recipients == ("user@example.com",)
    assert read_report(REPORTS[4].read_bytes()).recipients == ("someuser@receiver.example",)


WORDS = json.loads((FIXTURES / "sms/sms-keywords.json").read_text())
STOPS = {
    *WORDS["twilio_default_opt_out"],
    *WORDS["aws_end_user_messaging_opt_out"],
    *WORDS["telnyx_opt_out"],
    *WORDS["fcc_47_CFR_64_1200_a_10"]["keywords"],
}


@pytest.mark.parametrize("word", sorted(STOPS))
def test_every_published_word_of_leaving_stops(word: str) -> None:
    for written in (word, word.lower(), f" {word.title()}! "):
        assert keywords.meaning(written) == keywords.STOP


def test_the_other_words_and_nothing_but_the_word() -> None:
    assert {keywords.meaning(word) for word in WORDS["twilio_opt_in"]} == {keywords.START}
    assert {keywords.meaning(word) for word in WORDS["twilio_help"]} == {keywords.HELP}
    for text in ("STOP PLEASE", "please don't text me", "I'd like to start", "", "the end is near"):
        assert keywords.meaning(text) == keywords.OTHER
    assert keywords.sounds_like_leaving("please don't text me again")
    assert keywords.sounds_like_leaving("STOP PLEASE")
    assert not keywords.sounds_like_leaving("see you at nine")
