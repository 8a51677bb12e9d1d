"""Verdicts and explanations: from what is recorded about people and records, by the schedules in force."""

from datetime import UTC, date, datetime, timedelta

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consents
from governance.errors import InvalidError, NotFoundError
from governance.retention import records, service, settings, views
from governance.retention.model import REQUEST, SCHEDULE, Explained
from governance.retention.records import NewRecord
from governance.subjects import service as subjects
from governance.subjects.model import SubjectReference
from tests.conftest import START, HandClock
from tests.governance.retention.conftest import OFFICER, TENANT, Person


def explained(runtime: Runtime, ref: str | None, data_class: str, **said: object) -> Explained:
    with runtime.snapshot(TENANT, OFFICER) as snapshot:
        return service.explain(snapshot, ref, data_class, **said)  # type: ignore[arg-type]


def happened(runtime: Runtime, ref: str, event: str, at: datetime | None = None, **said: object) -> None:
    with runtime.work(TENANT, OFFICER) as work:
        subjects.record_event(work, ref, event=event, occurred_at=at, **said)  # type: ignore[arg-type]


def register(
    runtime: Runtime, record_id: str, subject: str | None, data_class: str, created: datetime, **said: object
) -> records.Registered:
    with runtime.work(TENANT, OFFICER) as work:
        told = NewRecord(
            "crm",
            record_id,
            None if subject is None else SubjectReference(id=subject),
            data_class,
            created,
            **said,  # type: ignore[arg-type]
        )
        return records.put(work, told)


def test_a_lead_s_profile_goes_three_years_after_the_last_contact_that_came_from_the_person(
    any_runtime: Runtime, person: Person, clock: HandClock
) -> None:
    ref = person(country="AT", acquired_at=datetime(2020, 1, 2, tzinfo=UTC))
    found = explained(any_runtime, ref, "contact_details")
    assert (found.verdict.disposition, found.verdict.until) == ("delete", date(2023, 1, 2))
    happened(any_runtime, ref, "inquiry", datetime(2025, 2, 28, 12, tzinfo=UTC))
    found = explained(any_runtime, ref, "contact_details")
    assert (found.verdict.disposition, found.verdict.until) == ("keep", date(2028, 2, 28))
    assert found.verdict.free_from == date(2028, 2, 29)
    assert found.verdict.rule == "everywhere.people-after-silence"
    clock.at = datetime(2028, 2, 28, 22, 59, tzinfo=UTC)
    assert explained(any_runtime, ref, "contact_details").verdict.disposition == "keep"
    clock.at = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert explained(any_runtime, ref, "contact_details").verdict.disposition == "delete"


def test_erasure_on_demand_is_stopped_by_a_contract_and_by_nothing_that_policy_says(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person()
    happened(any_runtime, ref, "meaningful_contact")
    assert explained(any_runtime, ref, "contact_details", occasion=SCHEDULE).verdict.disposition == "keep"
    assert explained(any_runtime, ref, "contact_details", occasion=REQUEST).verdict.disposition == "delete"
    happened(any_runtime, ref, "contract_signed")
    said = explained(any_runtime, ref, "contact_details", occasion=REQUEST).verdict
    assert (said.disposition, said.until, said.rule) == ("keep", None, "everywhere.contract-in-force")
    happened(any_runtime, ref, "contract_ended")
    assert explained(any_runtime, ref, "contact_details", occasion=REQUEST).verdict.disposition == "delete"


def test_an_invoice_is_kept_to_the_end_of_the_year_of_the_place_where_it_was_made(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person(country="DE")
    # 23:30 in London is the next year in Berlin.
    late = datetime(2020, 12, 31, 23, 30, tzinfo=UTC)
    register(any_runtime, "i-1", "crm-1", "invoices", late, jurisdiction="DE")
    register(any_runtime, "i-2", "crm-1", "invoices", late, jurisdiction="GB")
    for record, until, rule in (
        ("i-1", date(2029, 12, 31), "de.vouchers"),
        ("i-2", date(2026, 12, 31), "gb.accounts"),
    ):
        said = explained(any_runtime, ref, "invoices", system="crm", record=record, occasion=REQUEST).verdict
        assert (said.disposition, said.until, said.rule, said.binding) == ("keep", until, rule, True)
    with any_runtime.work(TENANT, OFFICER) as work:
        settings.put(work, financial_year_end="03-31")
    said = explained(any_runtime, ref, "invoices", system="crm", record="i-2").verdict
    assert said.until == date(2027, 3, 31)


def test_without_its_own_jurisdiction_a_record_is_claimed_by_controller_and_person(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person(country="FR")  # the controller is in the United States
    register(any_runtime, "i-1", "crm-1", "invoices", datetime(2020, 5, 5, tzinfo=UTC))
    found = explained(any_runtime, ref, "invoices", system="crm", record="i-1")
    assert found.circumstances.places == {"FR", "US"}
    assert (found.verdict.rule, found.verdict.until) == ("fr.books-and-vouchers", date(2030, 12, 31))
    lines = {line.rule.id: line.lost for line in found.outcome.weighed}
    assert lines["us.tax-records"] == "shorter-duty"


def test_data_of_which_nobody_knows_when_it_came_into_being_is_taken_for_new(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person(country="DE")
    said = explained(any_runtime, ref, "invoices", occasion=REQUEST).verdict
    assert (said.disposition, said.until) == ("keep", date(2034, 12, 31))
    said = explained(
        any_runtime, ref, "invoices", created_at=datetime(2017, 1, 1, 12, tzinfo=UTC), occasion=REQUEST
    ).verdict
    assert said.disposition == "delete"


def test_the_proof_of_a_consent_is_kept_while_it_is_relied_on_and_then_for_claims(
    any_runtime: Runtime, person: Person, clock: HandClock
) -> None:
    ref = person(country="AT")

    def act(status: str, purpose: str | None) -> None:
        with any_runtime.work(TENANT, OFFICER) as work:
            said = consents.NewConsent(ref, purpose, status, "web_form", channel="email" if purpose else None)
            consents.record(work, said)

    act("granted", "marketing")
    found = explained(any_runtime, ref, "consent_proofs", occasion=REQUEST)
    assert found.verdict.rule == "everywhere.consent-proof-while-relied-on"
    clock.forward(timedelta(days=10))
    act("withdrawn", None)
    found = explained(any_runtime, ref, "consent_proofs", occasion=REQUEST)
    # The controller is in the United States, where five years are kept.
    assert (found.verdict.rule, found.verdict.until) == ("us.proof-of-consent", date(2031, 12, 1))
    assert found.circumstances.clocks["consent_ended"] == date(2026, 12, 1)


def test_what_no_schedule_speaks_of_is_looked_at_and_goes_on_demand(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person()
    assert explained(any_runtime, ref, "special_categories").verdict.disposition == "review"
    said = explained(any_runtime, ref, "special_categories", occasion=REQUEST).verdict
    assert (said.disposition, said.rule) == ("delete", None)
    with pytest.raises(InvalidError):
        explained(any_runtime, ref, "invoices", occasion="whim")


def test_a_restricted_person_s_data_stay(any_runtime: Runtime, person: Person, clock: HandClock) -> None:
    ref = person(acquired_at=datetime(2015, 1, 1, tzinfo=UTC))
    with any_runtime.work(TENANT, OFFICER) as work:
        subjects.set_restriction(work, ref, True)
    said = explained(any_runtime, ref, "contact_details", occasion=REQUEST).verdict
    assert (said.disposition, said.rule) == ("keep", "everywhere.restricted")


def test_an_explanation_lists_every_rule_with_its_day_and_why_it_lost(
    any_runtime: Runtime, person: Person
) -> None:
    ref = person(country="FR", acquired_at=datetime(2020, 1, 2, tzinfo=UTC))
    happened(any_runtime, ref, "complaint_opened")
    register(any_runtime, "r-1", "crm-1", "contact_details", datetime(2020, 1, 3, tzinfo=UTC))
    with any_runtime.snapshot(TENANT, OFFICER) as snapshot:
        shown = views.explanation(
            snapshot, subjects.get_by_ref(snapshot, ref), "contact_details", system=None, record=None
        )
        somebody = subjects.get_by_ref(snapshot, ref)
        with pytest.raises(NotFoundError):
            views.explanation(snapshot, somebody, "contact_details", system="crm", record="r-2")
    assert shown["winner"]["rule"] == "everywhere.dispute-open"
    assert shown["phase"] == "intermediate_archive"
    assert shown["blockers"] == [{"kind": "duty", "id": "everywhere.dispute-open", "until": None}]
    lines = {line["rule"]: (line["until"], line["lost"]) for line in shown["rules"]}
    assert lines["fr.prospects"] == ("2023-01-02", "keeping-beats-deleting")
    assert lines["everywhere.people-after-silence"] == ("2023-01-02", "less-specific")
    assert lines["everywhere.restricted"] == (None, "state-absent")
    assert shown["on_request"]["disposition"] == "keep"
    assert [each["record"] for each in shown["records"]] == ["r-1"]


def test_telling_a_record_again_changes_and_records_nothing(any_runtime: Runtime, person: Person) -> None:
    person()
    told = datetime(2020, 1, 2, tzinfo=UTC)
    assert register(any_runtime, "r-1", "crm-1", "invoices", told).created
    again = register(any_runtime, "r-1", "crm-1", "invoices", told)
    assert (again.created, again.changed) == (False, False)
    changed = register(any_runtime, "r-1", "crm-1", "invoices", told, closed_at=START)
    assert (changed.created, changed.changed) == (False, True)
    assert (
        register(any_runtime, "r-2", None, "accounting_books", START + timedelta(minutes=4)).record.created_at
        == START
    )  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("record_id", "subject", "said", "error"),
    [
        ("r-1", "nobody", {}, NotFoundError),
        ("a@example.org", None, {}, InvalidError),
        ("r-1", None, {"jurisdiction": "XX"}, InvalidError),
        ("r-1", None, {"jurisdiction": "US-XX"}, InvalidError),
        ("r-1", None, {"closed_at": datetime(2019, 1, 1, tzinfo=UTC)}, InvalidError),
        ("r-1", None, {"purpose": "no purpose"}, InvalidError),
    ],
)
def test_a_record_that_cannot_be_meant_is_refused(
    any_runtime: Runtime, record_id: str, subject: str | None, said: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        register(any_runtime, record_id, subject, "invoices", datetime(2020, 1, 2, tzinfo=UTC), **said)


def test_this_service_itself_is_no_system_of_records(any_runtime: Runtime) -> None:
    with any_runtime.work(TENANT, OFFICER) as work, pytest.raises(InvalidError, match="this service itself"):
        records.put(work, NewRecord("governance", "r-1", None, "invoices", START))


def test_a_bad_record_never_stops_the_others(any_runtime: Runtime, person: Person) -> None:
    person()
    named = [SubjectReference(id="crm-1"), SubjectReference(id="nobody"), None]
    with any_runtime.work(TENANT, OFFICER) as work:
        told = [NewRecord("crm", f"r-{n}", who, "invoices", START) for n, who in enumerate(named)]
        done = records.put_many(work, [*told, told[0]])
    assert [each.refusal is None for each in done] == [True, False, True, True]
    assert [each.created for each in done] == [True, False, True, False]
    assert len(work.sealings) == 1
