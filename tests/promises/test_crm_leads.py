"""9,237 real CRM leads: imported as the mapping says, everyone screened, nobody unaccounted for.

The file may not be redistributed; where it is not beside the project, the sample of the demo stands in for
the counts (tests/governance/commands), and these tests are left out.
"""

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import COMMAND_LINE, Runtime, assemble
from governance.communications import gate, screening_results, screening_service
from governance.communications.model import read_check
from governance.consent import service as consent
from governance.consent.service import NewConsent
from governance.decisions.record import DecisionRecord
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.service import SubjectReference
from tests.promises.servers import environ_of

ROOT = Path(__file__).parents[2]
LEADS = ROOT.parent / "shared/data/crm-leads.csv"
MAPPING = ROOT / "docs/examples/crm-leads.mapping.yaml"
OPTED_OUT = {"Unsubscribed", "Email Marked Spam", "Email Bounced"}
QUESTION = {
    "action": "communication.send",
    "channel": "email",
    "message_class": "promotional",
    "purpose": "marketing",
}
PROPERTIES = {name: value for name, value in QUESTION.items() if name != "action"}

pytestmark = pytest.mark.skipif(not LEADS.exists(), reason="the lead export is not beside the project")


@dataclass
class Leads:
    """The export as published, and the installation that took it in."""

    runtime: Runtime
    rows: dict[str, dict[str, str]]
    counts: Any
    results: dict[str, dict[str, Any]]

    def check(self, person: str) -> DecisionRecord:
        with self.runtime.snapshot("acme", COMMAND_LINE) as snapshot:
            return gate.check(snapshot, read_check(SubjectReference(id=person), PROPERTIES))


@pytest.fixture(scope="module")
def leads(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Leads]:
    folder = tmp_path_factory.mktemp("leads") / "data"
    shutil.copytree(sqlite_template, folder)
    settings = Settings.from_environ({"GOVERNANCE_DATA_DIR": str(folder)})
    command = [sys.executable, "-m", "governance", "import", "subjects", str(LEADS)]
    done = subprocess.run(
        [*command, "--mapping", str(MAPPING), "--tenant", "acme"],
        env=environ_of(settings),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with LEADS.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["Prospect ID"]: row for row in csv.DictReader(file)}
    runtime = assemble(settings)
    with runtime.work("acme", COMMAND_LINE) as work:
        made = screening_service.create(work, QUESTION, {"all": True})
    screening_service.run_due(runtime)
    with runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        screening = screening_service.find(snapshot, made.screening_id)
        results = {one["id"]: one for one in screening_results.results(snapshot, made.screening_id)}
    assert screening.status == "completed"
    yield Leads(runtime, rows, screening.counts, results)
    runtime.close()


def is_open(row: dict[str, str]) -> bool:
    """Whether nothing in the row keeps an e-mail from the lead."""
    said = {row["Last Activity"], row["Last Notable Activity"]}
    return row["Do Not Email"] == "No" and not said & OPTED_OUT


def allowed(leads: Leads) -> set[str]:
    return {person for person, result in leads.results.items() if result["decision"] == "allow"}


def test_everyone_is_accounted_for(leads: Leads) -> None:
    assert len(leads.rows) == 9237
    assert leads.counts.total == 9237
    assert leads.counts.allowed + leads.counts.denied == 9237
    assert sum(number for _, number in leads.counts.waterfall) == leads.counts.denied
    assert set(leads.results) == set(leads.rows)
    assert len(allowed(leads)) == leads.counts.allowed


def test_nobody_who_opted_out_or_bounced_is_allowed(leads: Leads) -> None:
    closed = {person for person, row in leads.rows.items() if not is_open(row)}
    assert len(closed) > 700
    assert allowed(leads) & closed == set()


def test_only_the_united_states_are_opened_without_consent(leads: Leads) -> None:
    countries = {leads.rows[person]["Country"] for person in allowed(leads)}
    assert countries == {"United States"}


def test_every_open_lead_in_the_united_states_is_allowed_with_the_duties(leads: Leads) -> None:
    wanted = {
        person for person, row in leads.rows.items() if row["Country"] == "United States" and is_open(row)
    }
    assert wanted
    assert wanted <= allowed(leads)
    for person in wanted:
        decision = leads.check(person)
        duties = set(decision.verdict.obligations)
        assert {"identify-sender", "postal-address", "include-unsubscribe"} <= duties, duties


def test_each_refusal_has_a_reason_with_text_and_clause(leads: Leads) -> None:
    for person, result in leads.results.items():
        if result["decision"] == "deny":
            assert result["codes"], person


def test_screening_and_single_checks_agree_for_every_person(leads: Leads) -> None:
    with leads.runtime.snapshot("acme", COMMAND_LINE) as snapshot:
        opened = gate.open_gate(snapshot)
        for person, result in leads.results.items():
            decision = opened.check(read_check(SubjectReference(id=person), PROPERTIES))
            assert decision.allowed == (result["decision"] == "allow"), person
            assert list(decision.codes) == result["codes"], person
            for reason in decision.verdict.reasons:
                assert reason.text, (person, reason.code)
                assert reason.cites, (person, reason.code)


def test_after_a_proven_consent_one_refused_person_of_each_country_is_allowed(leads: Leads) -> None:
    chosen: dict[str, str] = {}
    for person, row in leads.rows.items():
        if is_open(row) and leads.results[person]["decision"] == "deny":
            chosen.setdefault(row["Country"], person)
    assert len(chosen) > 30
    for country, person in chosen.items():
        with leads.runtime.work("acme", COMMAND_LINE) as work:
            found = subjects.get(work, person)
            consent.record(
                work,
                NewConsent(
                    found.subject_ref,
                    "marketing",
                    "granted",
                    "web_form",
                    channel="email",
                    evidence={"form_url": "https://www.example.org/newsletter"},
                ),
            )
        decision = leads.check(person)
        assert decision.allowed, (country, decision.codes)
