"""What goes wrong at a database ends as `failed` with a sentence that says what to do; nothing is changed."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from governance.systems.model import ErasurePlan, SubjectKeys
from governance.systems.sql.address import Refused, read_url
from tests.fixtures import crm
from tests.fixtures.crm import ANNA
from tests.governance.systems.conftest import Crm

Change = Callable[[dict[str, Any]], None]


def wrong_column(tables: dict[str, Any]) -> None:
    """The key points at the CRM's inner number, which is no external id."""
    tables["contact"]["keys"] = [{"column": "id", "matches": "external_id"}]


def wrong_text(tables: dict[str, Any]) -> None:
    tables["contact"]["keys"] = [{"column": "family_name", "matches": "external_id"}]


def not_a_persons(tables: dict[str, Any]) -> None:
    """A key that everybody shares: the kind of activity."""
    tables["activity"] = {
        "data_class": "interactions",
        "keys": [{"column": "kind", "matches": "social"}],
        "limit": 1,
    }


@pytest.mark.parametrize(
    ("change", "word"),
    [(wrong_column, "crm_id"), (wrong_text, "crm_id"), (not_a_persons, "limit")],
)
def test_a_key_that_is_wrong_fails_and_never_completes(any_crm: Crm, change: Change, word: str) -> None:
    tables = crm.tables()
    change(tables)
    any_crm.put(tables=tables)
    before = any_crm.dump()
    keys = SubjectKeys("sub_anna", ANNA.external_ids, ANNA.emails, ANNA.phones, socials=("call",))
    outcome = any_crm.erase(keys)
    assert outcome.status == "failed"
    assert word in outcome.because
    assert any_crm.dump() == before


def test_a_key_of_addresses_only_that_finds_many_people_hits_the_limit(sqlite_crm: Crm) -> None:
    rows = ", ".join(f"({n}, 'crm-{n}', 'x', 'info@example.org', FALSE)" for n in range(100, 120))
    sqlite_crm.run(f"INSERT INTO contact (id, crm_id, family_name, email, restricted) VALUES {rows};\n")
    tables = crm.tables()
    tables["contact"]["keys"] = [{"column": "email", "matches": "email"}]
    sqlite_crm.put(tables=tables)
    before = sqlite_crm.dump()
    outcome = sqlite_crm.erase(SubjectKeys("sub_x", ("crm-100",), ("info@example.org",)))
    assert (outcome.status, outcome.transient) == ("failed", False)
    assert "more than 10 rows" in outcome.because
    assert sqlite_crm.dump() == before


def test_a_table_that_lost_a_column_fails_with_its_name(any_crm: Crm) -> None:
    any_crm.run("ALTER TABLE invoice DROP COLUMN billed_to;\n")
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA)
    assert outcome.status == "failed"
    assert "billed_to" in outcome.because
    assert any_crm.dump() == before


def test_a_table_that_is_gone_fails_with_its_name(sqlite_crm: Crm) -> None:
    sqlite_crm.run("DROP TABLE case_comment;\n")
    outcome = sqlite_crm.ask("collect", ANNA)
    assert outcome.status == "failed"
    assert "case_comment" in outcome.because


def test_a_missing_date_stops_rather_than_guesses(any_crm: Crm) -> None:
    any_crm.run("UPDATE invoice SET issued_on = NULL WHERE id = 2;\n")
    outcome = any_crm.erase(ANNA)
    assert outcome.status == "failed"
    assert "issued_on" in outcome.because


def test_a_trigger_that_keeps_rows_is_found_out_and_everything_is_rolled_back(any_crm: Crm) -> None:
    if any_crm.url.startswith("sqlite"):
        any_crm.run(
            "CREATE TRIGGER keep AFTER DELETE ON activity BEGIN INSERT INTO activity VALUES "
            "(old.id, old.contact_id, old.kind, old.body, old.happened_at); END;\n"
        )
    else:
        any_crm.run("CREATE RULE keep AS ON DELETE TO activity DO INSTEAD NOTHING;\n")
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA)
    assert outcome.status == "failed"
    assert any_crm.dump() == before


def test_rows_that_come_back_after_the_commit_are_a_failure(make_crm: Callable[[str], Crm]) -> None:
    crm_here = make_crm("postgresql")
    crm_here.put(tables=crm.tables(keep_invoices=False))
    crm_here.run(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO support_case VALUES (99, 'anna@example.org', NULL, 'x', NULL); RETURN NULL; END $$;\n"
        "CREATE CONSTRAINT TRIGGER back AFTER DELETE ON contact DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION back();\n"
    )
    outcome = crm_here.erase(ANNA)
    assert outcome.status == "failed"
    assert "support_case" in outcome.because


def test_an_unmapped_table_that_refers_to_the_person_is_named(any_crm: Crm) -> None:
    tables = crm.tables(keep_invoices=False)
    del tables["activity"]
    any_crm.put(tables=tables)
    before = any_crm.dump()
    outcome = any_crm.erase(ANNA, plan=ErasurePlan.delete(crm.DATA_CLASSES))
    assert outcome.status == "failed"
    assert "activity" in outcome.because
    assert any_crm.dump() == before


def test_an_empty_shell_needs_every_text_mapped(any_crm: Crm) -> None:
    any_crm.run("ALTER TABLE contact ADD COLUMN nickname VARCHAR(50);\n")
    outcome = any_crm.erase(ANNA)  # her kept invoice makes a shell of the contact
    assert outcome.status == "failed"
    assert "nickname" in outcome.because
    assert "crm-1" in str(any_crm.dump()["contact"])
    assert [each for each in any_crm.ask("collect", ANNA).warnings if "nickname" in each]


def test_wrong_credentials_and_no_database_say_so_without_the_secret(make_crm: Callable[[str], Crm]) -> None:
    made = make_crm("postgresql")
    url = make_url(made.url)
    for changed, word, transient in (
        (url.set(database="no_such_database"), "no database of this name", False),
        (url.set(username="nobody_here", password="hunter2secret"), "password", False),
    ):
        made.url = changed.render_as_string(hide_password=False)
        made.put()
        outcome = made.ask("collect", ANNA)
        assert (outcome.status, outcome.transient) == ("failed", transient)
        assert word in outcome.because
        assert "hunter2secret" not in repr(outcome)


def test_an_unreachable_database_is_tried_again(sqlite_crm: Crm) -> None:
    from tests.governance.systems.conftest import allowing

    allowing(sqlite_crm.runtime, "127.0.0.1:1")
    sqlite_crm.url = "postgresql://crm:hunter2secret@127.0.0.1:1/crm"
    sqlite_crm.put()
    outcome = sqlite_crm.erase(ANNA)
    assert (outcome.status, outcome.transient) == ("failed", True)
    assert "cannot be reached" in outcome.because
    assert "hunter2secret" not in repr(outcome)


def test_a_locked_row_is_waited_for_only_so_long(make_crm: Callable[[str], Crm]) -> None:
    import psycopg

    made = make_crm("postgresql")
    made.put(lock_seconds=1)
    dsn = make_url(made.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn) as other:
        other.execute("SELECT * FROM contact WHERE id = 1 FOR UPDATE")
        outcome = made.erase(ANNA)
        other.rollback()
    assert (outcome.status, outcome.transient) == ("failed", True)
    assert "locked" in outcome.because
    assert made.erase(ANNA).status == "done"


ALLOW = {"db.example.org:5432", "/srv/crm"}
OWN = ("sqlite:////srv/crm/governance.db", "postgresql://u@db.example.org/governance")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.other.org/crm",
        "postgresql://db.example.org:5433/crm",
        "postgresql://db.example.org/governance",
        "postgresql://u:p@DB.example.org:5432/governance",
        "postgresql://db.example.org/crm?host=/srv/crm",
        "postgresql:///crm?host=/etc",
        "postgresql:///crm?host=db.example.org,evil.example.org",
        "postgresql://db.example.org,evil.example.org/crm",
        "postgresql://db.example.org/crm?hostaddr=10.0.0.1",
        "postgresql://db.example.org/crm?service=x",
        "postgresql://db.example.org/crm?passfile=/etc/passwd",
        "postgresql://db.example.org/crm?options=-c",
        "postgresql:///crm",
        "sqlite:///relative.db",
        "sqlite://",
        "sqlite:////etc/passwd",
        "sqlite:////srv/crm/../other/x.db",
        "sqlite:////srv/crm/governance.db",
        "sqlite:////srv/crm/x.db?mode=rwc",
        "sqlite:////srv/crmx/x.db",
        "sqlite:///file:/srv/crm/x.db?uri=true",
        "mysql+nodriver://db.example.org/crm",
        "http://db.example.org/",
        "nonsense",
        "",
    ],
)
def test_a_url_leads_only_where_the_operator_lets_it(url: str) -> None:
    with pytest.raises(Refused) as refused:
        read_url(url, ALLOW, OWN)
    assert len(url) < 12 or url not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example.org/crm",
        "postgresql+psycopg://u:p@db.example.org:5432/crm?sslmode=require",
        "postgresql://u@/crm?host=/srv/crm&port=5433",
        "sqlite:////srv/crm/x.db",
    ],
)
def test_a_url_that_the_operator_allows_is_taken(url: str) -> None:
    assert read_url(url, ALLOW, OWN)
