"""Files become people: what is wrong is said and kept, what is right comes in once, and the counts add up."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TypeVar

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.communications import gate
from governance.communications.model import read_check
from governance.consent import service as consent
from governance.consent.tables import consent_event
from governance.erasure import own
from governance.imports import runner, service
from governance.imports.mapping import MappingError
from governance.imports.runs import ImportRun
from governance.imports.store import import_chunk, import_error, import_run
from governance.ledger import service as ledger
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.service import SubjectReference
from tests.conftest import ACTOR, HandClock

MAPPING = """
mapping: test
format: csv
subject:
  external_id: Id
  relationship: {column: Stage}
attributes:
  country: {column: Country, values: {Germany: DE, United States: US, Nowhere: XX, "": null}}
  birth_date: {column: Born}
identifiers:
  - {type: email, column: E-mail}
  - {type: phone, column: Phone}
suppressions:
  - when: {Do Not Email: "Yes"}
    scope: marketing
    channel: email
  - when: {Activity: Bounced}
    scope: undeliverable
    channel: email
consents:
  - when: {Activity: Unsubscribed}
    purpose: marketing
    channel: email
    status: withdrawn
  - when: {Opted In: "Yes"}
    purpose: marketing
    channel: email
    status: granted
    occurred_at: Opted In At
events:
  - when: {Stage: client}
    event: purchase
    occurred_at: Bought
"""
COLUMNS = (
    "Id",
    "Stage",
    "Country",
    "Born",
    "E-mail",
    "Phone",
    "Do Not Email",
    "Activity",
    "Opted In",
    "Opted In At",
    "Bought",
)
Result = TypeVar("Result")
PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


def row(**values: str) -> str:
    """A line of CSV; names of columns with `_` for each character that no Python name may have."""
    known = {name.lower().replace(" ", "_").replace("-", "_"): name for name in COLUMNS}
    named = {known[name]: value for name, value in values.items()}
    fields = {"Stage": "lead", "Do Not Email": "No", "Opted In": "No"} | named
    return ",".join(fields.get(name, "") for name in COLUMNS) + "\n"


HEADER = ",".join(COLUMNS) + "\n"


SOLD = (
    MAPPING
    + """    product_family: {column: Activity}
    opt_out_offered: {Do Not Email: "No"}
    channel: email
"""
)


class Importer:
    """Takes files in on one installation."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.open_work = partial(runtime.work, "acme", ACTOR)
        self.open_snapshot = partial(runtime.snapshot, "acme", ACTOR)

    def begin(self, lines: Sequence[str], mapping: str = MAPPING) -> ImportRun:
        digest = sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        with self.open_work() as work:
            return service.begin(
                work, mapping_name="m.yaml", mapping_text=mapping, file_sha256=digest, total=None
            )

    def run(self, *rows: str, mapping: str = MAPPING, header: str = HEADER) -> ImportRun:
        lines = [header, *rows] if header else list(rows)
        return runner.run_lines(self.open_work, self.begin(lines, mapping), lines)

    def keep(self, content: bytes, mapping: str = MAPPING) -> ImportRun:
        """Upload a file."""
        with self.open_work() as work:
            run = service.begin(
                work,
                mapping_name="m.yaml",
                mapping_text=mapping,
                file_sha256=sha256(content).hexdigest(),
                total=None,
            )
            service.keep_file(work, run.import_id, content)
        return run

    def errors(self, run: ImportRun) -> list[dict[str, object]]:
        with self.open_snapshot() as snapshot:
            return service.errors(snapshot, run.import_id, limit=500)

    def wrong(self, run: ImportRun) -> list[tuple[object, object, object]]:
        """Number, column and value of each refused row."""
        return [(one["row"], one["column"], one["value"]) for one in self.errors(run)]

    def codes(self, person: str, **more: str) -> tuple[str, ...]:
        """Why a promotional e-mail may not be sent; () if it may."""
        with self.open_snapshot() as snapshot:
            decision = gate.check(snapshot, read_check(SubjectReference(id=person), PROMOTION | more))
            assert decision.allowed == (not decision.codes)
            return tuple(decision.codes)

    def events(self) -> Counter[str]:
        """How many events of each kind the ledger holds."""
        with self.open_snapshot() as snapshot:
            size, _ = ledger.head(snapshot.connection, "acme")
            kinds: Counter[str] = Counter()
            for start in range(0, size, 500):
                found = ledger.entries(snapshot.connection, "acme", after=start - 1, limit=500)
                kinds.update(json.loads(entry.leaf)["kind"] for entry in found)
            return kinds

    def rows_in(self, table: sa.Table) -> int:
        with self.runtime.engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


@pytest.fixture
def importer(any_runtime: Runtime) -> Importer:
    return Importer(any_runtime)


def adds_up(run: ImportRun) -> bool:
    counts = run.counts
    parts = ("created", "updated", "unchanged", "blocked", "failed")
    return counts["rows"] == sum(counts[name] for name in parts) == run.position


def test_people_are_created_updated_and_left_alone(importer: Importer) -> None:
    first = importer.run(row(id="a", country="Germany"), row(id="b", e_mail="b@mail.example"))
    again = importer.run(row(id="a"), row(id="b", e_mail="b@mail.example"), row(id="c"))
    assert (first.state, first.counts["created"]) == ("completed", 2)
    assert {name: again.counts[name] for name in ("rows", "created", "updated", "unchanged")} == {
        "rows": 3,
        "created": 1,
        "updated": 0,
        "unchanged": 2,
    }
    third = importer.run(row(id="a", country="United States"), row(id="b", e_mail="b@mail.example"))
    assert (third.counts["updated"], third.counts["unchanged"]) == (1, 1)
    assert all(adds_up(run) for run in (first, again, third))


def test_bad_rows_are_reported_with_number_column_and_value_and_stop_no_other(importer: Importer) -> None:
    run = importer.run(
        row(id="good-1"),
        row(id=""),
        row(id="not an id"),
        row(id="somebody@mail.example"),
        row(id="e", country="Atlantis"),
        row(id="f", country="Nowhere"),
        row(id="g", e_mail="no-address"),
        row(id="h", e_mail="h@mail.example", phone="12"),
        row(id="i", stage="leed"),
        row(id="j", born="31.12.1980"),
        row(id="k", born="1066-10-14"),
        row(id="l", opted_in="Yes", opted_in_at="yesterday"),
        row(id="l2", opted_in="Yes", opted_in_at="2124-02-01T00:00:00Z"),
        row(id="l3", stage="client", bought="2124-02-01T00:00:00Z"),
        "m,too,few\n",
        row(id="n", e_mail="n\x00@mail.example"),
        row(id="o", e_mail="o\udcff@mail.example"),
        'p,"lead" x\n',
        row(id="good-2"),
    )
    assert importer.wrong(run) == [
        (2, "Id", None),
        (3, "Id", "not an id"),
        (4, "Id", "somebody@mail.example"),
        (5, "Country", "Atlantis"),
        (6, "Country", "Nowhere"),
        (7, "E-mail", "no-address"),
        (8, "Phone", "12"),
        (9, "Stage", "leed"),
        (10, "Born", "31.12.1980"),
        (11, "Born", "1066-10-14"),
        (12, "Opted In At", "yesterday"),
        (13, "Opted In At", "2124-02-01T00:00:00Z"),
        (14, "Bought", "2124-02-01T00:00:00Z"),
        (15, None, None),
        (16, "E-mail", "n\x00@mail.example"),
        (17, "E-mail", "o?@mail.example"),
        (18, None, None),
    ]
    assert all(one["detail"] for one in importer.errors(run))
    assert (run.state, run.counts["created"], run.counts["failed"]) == ("completed", 2, 17)
    assert adds_up(run)
    with importer.open_snapshot() as snapshot:
        assert subjects.find(snapshot, "good-1")
        assert subjects.find(snapshot, "good-2")
        assert subjects.find(snapshot, "l") is None


def test_what_a_refused_row_held_is_kept_to_be_put_right(importer: Importer) -> None:
    run = importer.run(row(id="a", country="Atlantis"), "b,too,few\n")
    mapped, unreadable = importer.errors(run)
    assert isinstance(mapped["values"], dict)
    assert (mapped["values"]["Id"], mapped["text"]) == ("a", None)
    assert (unreadable["values"], unreadable["text"]) == (None, "b,too,few\n")


def test_an_unknown_value_names_the_line_of_the_mapping(importer: Importer) -> None:
    (found,) = importer.errors(importer.run(row(id="a", country="Atlantis")))
    line = 1 + MAPPING.splitlines().index(
        '  country: {column: Country, values: {Germany: DE, United States: US, Nowhere: XX, "": null}}'
    )
    assert f"line {line}" in str(found["detail"])


def test_a_stray_quotation_mark_costs_its_own_row_only(importer: Importer) -> None:
    run = importer.run(row(id="a", e_mail='"a@mail.example'), row(id="b"), row(id="c"), row(id="d"))
    assert [one["row"] for one in importer.errors(run)] == [1]
    assert run.counts["created"] == 3
    assert adds_up(run)


def test_a_field_may_hold_line_breaks(importer: Importer) -> None:
    header = HEADER.rstrip("\n") + ",Note\n"
    run = importer.run(row(id="a").rstrip("\n") + ',"one\ntwo"\n', row(id="b")[:-1] + ",\n", header=header)
    assert (run.counts["rows"], run.counts["created"]) == (2, 2)


def test_a_person_who_comes_twice_is_one_person(importer: Importer) -> None:
    run = importer.run(
        row(id="a", country="Germany"),
        row(id="a", country="United States"),
        row(id="a", country="United States", do_not_email="Yes"),
    )
    assert {name: run.counts[name] for name in ("created", "updated", "unchanged", "suppressions")} == {
        "created": 1,
        "updated": 1,
        "unchanged": 1,
        "suppressions": 1,
    }
    assert adds_up(run)
    assert importer.codes("a") == ("suppressed",)


def test_another_stage_than_the_opening_one_is_refused_by_name_of_the_column(importer: Importer) -> None:
    importer.run(row(id="a"))
    run = importer.run(row(id="a", stage="client"))
    assert importer.wrong(run) == [(1, "Stage", "client")]
    assert adds_up(run)


@pytest.mark.parametrize(
    ("values", "column", "code", "counted"),
    [
        ({"stage": "client", "do_not_email": "Yes"}, "Stage", "suppressed", "suppressions"),
        ({"stage": "client", "activity": "Unsubscribed"}, "Stage", "consent-withdrawn", "consents"),
        ({"country": "Atlantis", "do_not_email": "Yes"}, "Country", "suppressed", "suppressions"),
        ({"born": "yesterday", "activity": "Unsubscribed"}, "Born", "consent-withdrawn", "consents"),
        ({"e_mail": "nonsense", "do_not_email": "Yes"}, "E-mail", "suppressed", "suppressions"),
    ],
    ids=[
        "another stage",
        "another stage, a withdrawal",
        "a value that is not mapped",
        "no date",
        "no address",
    ],
)
def test_the_opt_out_of_a_refused_row_is_taken_and_the_row_reported(
    importer: Importer, values: dict[str, str], column: str, code: str, counted: str
) -> None:
    importer.run(row(id="a", country="United States"), row(id="open", country="United States"))
    assert importer.codes("a") == ()
    run = importer.run(row(id="open", country="United States"), row(id="a", **values))
    assert [(number, name) for number, name, _ in importer.wrong(run)] == [(2, column)]
    (error,) = importer.errors(run)
    assert str(error["detail"]).endswith("The opt-outs that it reports were taken all the same.")
    assert code in importer.codes("a")
    assert importer.codes("open") == ()
    assert (run.counts["failed"], run.counts[counted]) == (1, 1)
    assert adds_up(run)
    with importer.open_snapshot() as snapshot:
        assert subjects.get(snapshot, "a").stage_relationship == "lead"
        once = len(consent.history(snapshot, subjects.get(snapshot, "a").subject_ref))
    importer.run(row(id="a", **values), row(id="another"))
    with importer.open_snapshot() as snapshot:
        assert len(consent.history(snapshot, subjects.get(snapshot, "a").subject_ref)) == once


def test_a_refused_row_of_somebody_new_leaves_nobody_behind_and_a_refused_yes_is_not_taken(
    importer: Importer,
) -> None:
    importer.run(row(id="a", country="Germany"))
    run = importer.run(
        row(id="new", country="Atlantis", do_not_email="Yes"),
        row(id="a", stage="client", opted_in="Yes", opted_in_at="2026-01-02"),
    )
    assert [str(each["detail"]).endswith("all the same.") for each in importer.errors(run)] == [False, False]
    with importer.open_snapshot() as snapshot:
        assert subjects.find(snapshot, "new") is None
        assert consent.history(snapshot, subjects.get(snapshot, "a").subject_ref) == []


def test_no_in_an_opt_out_column_is_never_consent(importer: Importer) -> None:
    run = importer.run(row(id="de", country="Germany", do_not_email="No"), row(id="nowhere"))
    assert (run.counts["consents"], run.counts["suppressions"]) == (0, 0)
    assert "consent-missing" in importer.codes("de")
    assert "consent-missing" in importer.codes("nowhere")
    with importer.open_snapshot() as snapshot:
        assert consent.history(snapshot, subjects.get(snapshot, "de").subject_ref) == []


def test_an_imported_grant_is_unproven_and_opens_nothing(importer: Importer) -> None:
    importer.run(
        row(id="a", country="Germany", e_mail="a@mail.example", opted_in="Yes", opted_in_at="2026-01-02")
    )
    with importer.open_snapshot() as snapshot:
        (entry,) = consent.history(snapshot, subjects.get(snapshot, "a").subject_ref)
    assert (entry.status, entry.proven, entry.by_person) == ("granted", False, False)
    assert "consent-unproven" in importer.codes("a")


def test_an_imported_grant_never_lifts_a_withdrawal(importer: Importer, clock: HandClock) -> None:
    importer.run(row(id="a", country="United States", activity="Unsubscribed"))
    assert "consent-withdrawn" in importer.codes("a")
    importer.run(row(id="a", country="United States", opted_in="Yes", opted_in_at="2026-11-21T12:00:00Z"))
    assert "consent-withdrawn" in importer.codes("a")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"do_not_email": "Yes"}, "suppressed"),
        ({"activity": "Unsubscribed"}, "consent-withdrawn"),
        ({"activity": "Bounced", "e_mail": "a@mail.example"}, "undeliverable"),
        ({"activity": "Bounced"}, "undeliverable"),
    ],
    ids=["suppression", "withdrawal", "bounce of an address", "bounce without an address"],
)
def test_an_opt_out_or_a_bounce_closes_the_gate(
    importer: Importer, values: dict[str, str], code: str
) -> None:
    importer.run(row(id="a", country="United States", **values), row(id="open", country="United States"))
    assert code in importer.codes("a")
    assert importer.codes("open") == ()


def test_a_row_whose_opt_out_is_refused_leaves_nobody_behind(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who said no must not be there without the no."""
    from governance.consent.bulk import BulkOutcome
    from governance.errors import InvalidError

    recorded = consent.record_many

    def refusing(work: object, acts: Sequence[consent.ImportedAct]) -> list[BulkOutcome]:
        outcomes = recorded(work, acts)  # type: ignore[arg-type]
        return [
            BulkOutcome("", "", InvalidError("No.")) if act.status == "withdrawn" else outcome
            for act, outcome in zip(acts, outcomes, strict=True)
        ]

    monkeypatch.setattr(consent, "record_many", refusing)
    before = importer.events()
    run = importer.run(
        row(id="a", country="United States", do_not_email="Yes"),
        row(id="b", country="United States", activity="Unsubscribed"),
        row(id="c", country="Atlantis"),
        row(id="d", country="United States"),
    )
    assert [one["row"] for one in importer.errors(run)] == [2, 3]
    assert (run.counts["created"], run.counts["consents"], run.counts["suppressions"]) == (2, 0, 1)
    assert adds_up(run)
    with importer.open_snapshot() as snapshot:
        assert subjects.find(snapshot, "b") is None
    assert importer.codes("a") == ("suppressed",)
    new = importer.events() - before
    assert new["subject.created"] == 2


def test_a_sale_in_a_file_is_a_soft_opt_in_for_its_family_if_a_way_to_refuse_was_offered(
    importer: Importer,
) -> None:
    sold = {"stage": "client", "country": "Germany", "bought": "2026-09-01", "activity": "shoes"}
    run = importer.run(
        row(id="offered", e_mail="a@mail.example", **sold),
        row(id="not-offered", e_mail="b@mail.example", do_not_email="", **sold),
        row(id="no-address", **sold),
        mapping=SOLD,
    )
    assert (run.counts["created"], run.counts["events"]) == (3, 3)
    assert importer.codes("offered", product_family="shoes") == ()
    assert importer.codes("offered", product_family="wine") == ("consent-missing",)
    assert importer.codes("not-offered", product_family="shoes") == ("consent-missing",)
    assert importer.codes("offered") == ("consent-missing",)


def test_a_mapping_that_names_an_unknown_purpose_is_refused_before_any_row(importer: Importer) -> None:
    with pytest.raises(MappingError, match=r"m\.yaml:22: unknown purpose 'marketting'; did you mean"):
        importer.run(row(id="a"), mapping=MAPPING.replace("purpose: marketing", "purpose: marketting", 1))
    assert importer.rows_in(import_run) == 0


def test_a_file_without_a_mapped_column_ends_the_run_as_failed(importer: Importer) -> None:
    with pytest.raises(MappingError, match="the file has no column 'Country'; did you mean 'Contry'"):
        importer.run(row(id="a"), header=HEADER.replace("Country", "Contry"))
    with importer.open_snapshot() as snapshot, importer.runtime.engine.connect() as connection:
        import_id = connection.scalar(sa.select(import_run.c.import_id))
        run = service.get(snapshot, str(import_id))
    assert (run.state, run.counts["rows"]) == ("failed", 0)
    assert "no column 'Country'" in str(run.problem)


def test_a_file_without_a_header_is_refused_without_repeating_its_first_line(importer: Importer) -> None:
    with pytest.raises(MappingError) as caught:
        importer.run(header="1,lead,Kountry,,e-mail,,,,,,\n")
    assert "did you mean" not in str(caught.value)


def test_a_mapped_column_that_stands_twice_is_refused(importer: Importer) -> None:
    with pytest.raises(MappingError, match="several columns 'E-mail'"):
        importer.run(header=HEADER.replace("Phone", "E-mail,Phone"))


def test_ndjson_is_taken_in_alike(importer: Importer) -> None:
    people = [
        {"Id": "a", "Stage": "lead", "Country": "Germany", "E-mail": "a@mail.example", "Do Not Email": "Yes"},
        {"Id": 7, "Stage": "client", "Bought": "2026-01-05", "Country": None},
        {"Id": "c", "Stage": "lead", "Country": ["Germany"]},
    ]
    empty = dict.fromkeys(COLUMNS, "")
    lines = [json.dumps(empty | person) + "\n" for person in people] + ["{oops\n", "\n", "[]\n"]
    run = importer.run(*lines, mapping=MAPPING.replace("format: csv", "format: ndjson"), header="")
    counts = {name: run.counts[name] for name in ("rows", "created", "failed", "suppressions", "events")}
    assert counts == {"rows": 5, "created": 2, "failed": 3, "suppressions": 1, "events": 1}
    assert [one["row"] for one in importer.errors(run)] == [3, 4, 5]
    assert adds_up(run)
    with importer.open_snapshot() as snapshot:
        assert subjects.get(snapshot, "7").last_purchase_at is not None


def test_a_run_that_was_cut_short_goes_on_where_it_was(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 10)
    rows = [row(id=f"p{number}", do_not_email="Yes" if number % 3 == 0 else "No") for number in range(35)]
    lines = [HEADER, *rows]

    class Killed(BaseException):
        """Stands for the end of the process."""

    def die(now: ImportRun) -> None:
        if now.position >= 20:
            raise Killed

    begun = importer.begin(lines)
    with pytest.raises(Killed):
        runner.run_lines(importer.open_work, begun, lines, progress=die)
    resumed = importer.begin(lines)
    assert (resumed.import_id, resumed.position, resumed.state) == (begun.import_id, 20, "running")
    ended = runner.run_lines(importer.open_work, resumed, lines)
    assert (ended.state, ended.counts["created"], ended.counts["suppressions"]) == ("completed", 35, 12)
    assert adds_up(ended)
    assert importer.events()["subject.created"] == 35
    assert importer.events()["import.started"] == importer.events()["import.completed"] == 1


def test_a_batch_given_twice_counts_once(importer: Importer) -> None:
    lines = [HEADER, row(id="a"), row(id="b")]
    stale = importer.begin(lines)
    first = runner.run_lines(importer.open_work, stale, lines)
    second = runner.run_lines(importer.open_work, stale, lines)  # somebody else drove the run meanwhile
    assert first == second
    assert importer.events()["import.completed"] == 1


def test_the_same_file_taken_in_twice_says_every_no_once(importer: Importer) -> None:
    lines = (row(id="a", do_not_email="Yes"), row(id="b", activity="Unsubscribed"))
    importer.run(*lines)
    said = importer.rows_in(consent_event)
    again = importer.run(*lines, row(id="c"))
    assert adds_up(again)
    assert importer.rows_in(consent_event) == said == 2
    assert "suppressed" in importer.codes("a")


def at_once(count: int, do: Callable[[], Result]) -> list[Result]:
    """Do the same in so many threads at once; gives what each came to."""
    go = threading.Barrier(count)
    results: list[Result] = []

    def one() -> None:
        go.wait()
        results.append(do())

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results


def test_two_who_begin_with_the_same_file_at_once_drive_one_run(importer: Importer) -> None:
    lines = [HEADER, *(row(id=f"p{number}") for number in range(250))]
    begun = at_once(2, lambda: importer.begin(lines))
    assert begun[0] == begun[1]
    ended = at_once(2, lambda: runner.run_lines(importer.open_work, begun[0], lines))
    assert ended[0] == ended[1]
    assert importer.rows_in(import_run) == 1
    assert importer.events()["subject.created"] == 250
    assert importer.events()["import.completed"] == 1


def content(rows: int) -> bytes:
    lines = (row(id=f"p{number}", e_mail=f"somebody{number}@mail.example") for number in range(rows))
    return (HEADER + "".join(lines)).encode()


def test_an_uploaded_file_is_kept_sealed_and_forgotten_afterwards(importer: Importer) -> None:
    file = content(7_000)
    run = importer.keep(file)
    with importer.runtime.engine.connect() as connection:
        pieces = list(connection.scalars(sa.select(import_chunk.c.sealed).order_by(import_chunk.c.chunk)))
    assert len(pieces) == -(-len(file) // service.CHUNK) > 1
    assert all(b"somebody" not in piece for piece in pieces)
    with importer.open_snapshot() as snapshot:
        assert b"".join(service.kept_file(snapshot, run.import_id)) == file
        assert service.waiting(snapshot) == [run.import_id]
    with importer.open_work() as work:
        service.end(work, run.import_id)
    assert importer.rows_in(import_chunk) == 0


def test_two_workers_take_in_an_uploaded_file_once(importer: Importer) -> None:
    run = importer.keep(content(300) + b"broken\n")
    ended = at_once(2, lambda: runner.run_kept(importer.open_work, importer.open_snapshot, run.import_id))
    (done,) = [one for one in ended if isinstance(one, ImportRun)]
    assert ended.count(None) == 1
    assert (done.state, done.counts["created"], done.counts["failed"]) == ("completed", 300, 1)
    assert adds_up(done)
    assert importer.events()["subject.created"] == 300
    assert importer.events()["import.completed"] == 1
    with importer.open_snapshot() as snapshot:
        assert service.waiting(snapshot) == []


def test_a_file_whose_worker_died_waits_for_the_end_of_its_lease(
    importer: Importer, clock: HandClock
) -> None:
    run = importer.keep(content(3))
    with importer.open_work() as work:
        assert service.claim(work, run.import_id)
    assert runner.run_kept(importer.open_work, importer.open_snapshot, run.import_id) is None
    clock.forward(service.LEASE)
    done = runner.run_kept(importer.open_work, importer.open_snapshot, run.import_id)
    assert done is not None
    assert (done.state, done.counts["created"]) == ("completed", 3)


def test_an_uploaded_file_that_does_not_fit_its_mapping_ends_as_failed(importer: Importer) -> None:
    run = importer.keep(b"some,thing\nelse,\n")
    done = runner.run_kept(importer.open_work, importer.open_snapshot, run.import_id)
    assert done is not None
    assert done.state == "failed"
    assert importer.rows_in(import_chunk) == 0
    assert importer.events()["import.failed"] == 1


def test_refused_rows_are_sealed(importer: Importer) -> None:
    importer.run(row(id="a", e_mail="no-address-of-anna", country="Atlantis"), "b,too,few,but,telling\n")
    with importer.runtime.engine.connect() as connection:
        kept = connection.execute(sa.select(import_error)).mappings().all()
    assert len(kept) == 2
    for one in kept:
        plain = " ".join(str(value) for name, value in one.items() if name != "row_sealed")
        assert not any(word in plain for word in ("anna", "Atlantis", "telling"))
        assert not any(word in one["row_sealed"] for word in (b"anna", b"Atlantis", b"telling"))


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()  # other tests of this worker may have left some of theirs
    yield
    assert threading.active_count() <= before


def test_a_row_of_somebody_erased_brings_nobody_back_and_its_noes_are_kept(
    importer: Importer, clock: HandClock
) -> None:
    importer.run(row(id="a", country="Germany", e_mail="anna@example.org"))
    with importer.open_work() as work:
        own.bury(work, subjects.get(work, "a").subject_ref)
    said = row(id="a", country="Germany", e_mail="anna@example.org", do_not_email="Yes")
    for rows in ((said,), (said, row(id="b")), (row(id="a", country="Atlantis", do_not_email="Yes"),)):
        importer.run(*rows)
        with importer.open_snapshot() as snapshot:
            assert subjects.find(snapshot, "a") is None
            bars = consent.lookup(snapshot, contact_point=Identifier("email", "anna@example.org"))
            assert [bar.scope for bar in bars] == ["marketing"], rows
    clock.forward(timedelta(hours=1))
    fence = clock.now() - timedelta(hours=1)
    with importer.open_work() as work:
        ref = subjects.put(work, "a", subjects.SubjectChange(), by_act=True).subject_ref
        acts = [
            consent.ImportedAct(ref, "marketing", "granted", channel="email", occurred_at=at)
            for at in (fence - timedelta(days=28), fence, fence + timedelta(minutes=1))
        ]
        refusals = [each.refusal for each in consent.record_many(work, acts)]
        assert [getattr(each, "reason", None) for each in refusals] == ["erased", "erased", None]


def test_a_row_with_the_address_of_somebody_being_erased_leaves_its_noes_only(importer: Importer) -> None:
    importer.run(row(id="a", country="Germany", e_mail="anna@example.org"))
    with importer.open_work() as work:
        ref = subjects.get(work, "a").subject_ref
        subjects.set_erasure_pending(work, ref, True)
        work.record("erasure.ordered", subject_ref=ref, facts={})
    said = row(id="o9", country="Germany", e_mail="anna@example.org", do_not_email="Yes")
    run = importer.run(said, row(id="b", country="Germany"))
    assert adds_up(run)
    (wrong,) = importer.errors(run)
    assert "who is being erased" in str(wrong)
    assert "were taken all the same" in str(wrong)
    with importer.open_snapshot() as snapshot:
        assert subjects.find(snapshot, "o9") is None
        assert subjects.find(snapshot, "b") is not None
        said_by_her = consent.lookup(snapshot, subject_ref=ref)
        assert [bar.scope for bar in said_by_her] == ["marketing"]
