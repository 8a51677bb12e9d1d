"""The register of systems: versions, secrets that never come out, circles, and the test of a connection."""

import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.errors import InvalidError, NotFoundError, StaleError
from governance.systems import registry
from governance.systems import service as systems
from governance.systems.dependencies import circle, erasure_order
from governance.systems.findings import Finding
from governance.systems.model import System
from tests.conftest import ACTOR
from tests.fixtures import crm
from tests.governance.systems.conftest import Crm, allowing

MANUAL = {"kind": "manual", "config": {"owner": "staff-7"}, "data_classes": ["support_cases"]}
SECRET = "hunter2-very-secret"


def put(runtime: Runtime, system_id: str, body: dict[str, Any], if_match: int | None = None) -> System:
    with runtime.work("acme", ACTOR) as work:
        return systems.put(work, system_id, body, if_match)


def complaints(runtime: Runtime, body: dict[str, Any], system_id: str = "crm") -> dict[str, list[str]]:
    with pytest.raises(InvalidError) as refused:
        put(runtime, system_id, body)
    return refused.value.fields


def test_a_system_is_registered_and_changed_by_version(any_runtime: Runtime) -> None:
    first = put(any_runtime, "paper", MANUAL)
    assert (first.version, first.kind, first.data_classes) == (1, "manual", ("support_cases",))
    with pytest.raises(StaleError):
        put(any_runtime, "paper", MANUAL)
    with pytest.raises(StaleError):
        put(any_runtime, "paper", MANUAL, 7)
    assert put(any_runtime, "paper", MANUAL | {"country": "DE"}, 1).version == 2
    with any_runtime.snapshot("acme", ACTOR) as snap:
        assert systems.get(snap, "paper").country == "DE"
        assert [each.system_id for each in systems.every(snap)] == ["paper"]
        for unknown in ("nothing", "../etc", "x\0y", "Ä"):
            with pytest.raises(NotFoundError):
                systems.get(snap, unknown)


def test_what_cannot_be_kept_is_named_all_at_once(runtime: Runtime) -> None:
    found = complaints(runtime, {"kind": "telepathy"})
    assert found == {"kind": ["Use one of sql, webhook, opendsr, manual."]}
    wrong = {
        "kind": "sql",
        "country": "XX",
        "colour": "red",
        "data_classes": ["no_such_class"],
        "depends_on": ["nobody"],
        "config": {"url": "sqlite:////etc/passwd", "tables": {"t": {"data_class": "aura", "surprise": 1}}},
    }
    found = complaints(runtime, wrong, "Not An Id")
    assert set(found) == {
        "id", "colour", "country", "data_classes.0", "depends_on.0", "config.url", "config.tables.t",
        "config.tables.t.data_class", "config.tables.t.surprise",
    }  # fmt: skip
    found = complaints(runtime, {"kind": "webhook", "config": {"url": "http://10.0.0.1/", "secret": "short"}})
    assert {"config.url", "config.secret"} <= set(found)
    assert "config.owner" in complaints(runtime, {"kind": "manual", "config": {"owner": "anna@example.org"}})


def test_a_class_that_is_declared_is_mapped_and_the_other_way_round(sqlite_crm: Crm) -> None:
    body = crm.body(sqlite_crm.url) | {"data_classes": ["identification", "special_categories"]}
    found = complaints(sqlite_crm.runtime, body, "crm2")["data_classes"]
    assert any("special_categories" in each for each in found)
    assert any("also maps" in each and "financial" in each for each in found)


def test_dependencies_never_go_in_a_circle(runtime: Runtime) -> None:
    put(runtime, "a", MANUAL)
    put(runtime, "b", MANUAL | {"depends_on": ["a"]})
    put(runtime, "c", MANUAL | {"depends_on": ["b"]})
    with pytest.raises(InvalidError) as refused:
        put(runtime, "a", MANUAL | {"depends_on": ["c"]}, 1)
    assert "a → c → b → a" in refused.value.fields["depends_on"][0]
    with runtime.snapshot("acme", ACTOR) as snap:
        assert erasure_order(systems.every(snap)) == [["c"], ["b"], ["a"]]
    assert circle({"a": ["b"], "b": ["b2"], "b2": []}, "a") == []


def test_secrets_go_in_and_never_come_out(sqlite_crm: Crm) -> None:
    runtime = sqlite_crm.runtime
    allowing(runtime, "db.example.org:5432")
    url = f"postgresql://crm:{SECRET}@db.example.org/crm"
    made = put(runtime, "remote", crm.body(url))
    assert made.secrets == ("url",)
    assert "url" not in made.config
    assert SECRET not in repr(made)
    kept = crm.body(url)
    del kept["config"]["url"]
    kept["config"]["lock_seconds"] = 9
    assert put(runtime, "remote", kept, 1).secrets == ("url",)  # what is not sent stays
    with runtime.snapshot("acme", ACTOR) as snap:
        connector, context = systems.connect(snap, "remote", "op", "sub_x")
        assert context.draft.secrets["url"] == url
        assert SECRET not in repr(context)
        # Sealed, so that not even the database holds it; nor does the ledger.
        stored = snap.connection.execute(sa.text("SELECT * FROM system")).all()
        leaves = snap.connection.execute(sa.text("SELECT * FROM ledger_entry")).all()
        assert SECRET.encode() not in repr(stored).encode() + repr(leaves).encode()
    report = connector.probe(context)
    assert not report.good
    assert SECRET not in repr(report)
    with pytest.raises(InvalidError) as refused:
        put(runtime, "remote", kept | {"config": {"url": url + "?host=/etc", "tables": {}}}, 2)
    assert SECRET not in repr(refused.value.fields) + refused.value.message


def test_a_place_can_be_one_tenants_alone(sqlite_crm: Crm) -> None:
    runtime = sqlite_crm.runtime
    (place,) = runtime.settings.system_allow
    allowing(runtime, f"other={place}")
    assert "config.url" in complaints(runtime, crm.body(sqlite_crm.url), "crm2")
    assert sqlite_crm.ask("count", crm.ANNA).status == "failed"  # taken back, and so no longer asked
    allowing(runtime, f"acme={place}")
    assert sqlite_crm.ask("count", crm.ANNA).status == "done"


def test_a_new_url_never_inherits_the_old_ones_secrets(runtime: Runtime) -> None:
    config = {"domain": "dsr.example.com", "url": "https://dsr.example.com/v2", "authorization": "Bearer x"}
    body = {"kind": "opendsr", "data_classes": ["identification"], "config": config}
    assert put(runtime, "dsr", body).secrets == ("authorization", "url")
    moved = {"domain": "dsr.example.com", "url": "https://collector.example.net/v2"}
    assert put(runtime, "dsr", body | {"config": moved}, 1).secrets == ("url",)


def test_a_test_reports_in_sentences_and_changes_nothing(any_crm: Crm) -> None:
    def probed() -> tuple[bool, tuple[Finding, ...]]:
        with any_crm.runtime.snapshot("acme", ACTOR) as snap:
            connector, context = systems.connect(snap, "crm", "test", "")
        report = connector.probe(context)
        return report.good, report.findings

    before = any_crm.dump()
    good, findings = probed()
    assert good
    said = " ".join(each.sentence for each in findings)
    assert "activity.contact_id refers to contact.id" in said
    assert "household_member.household_id refers to household.id; rows may be shared" in said
    assert "primary key (household_id, contact_id)" in said
    order = said[said.index("in this order") :]
    assert order.index("case_comment") < order.index("support_case")
    assert order.index("invoice_line") < order.index("invoice,") < order.index(" contact.")
    any_crm.run("ALTER TABLE activity DROP COLUMN body;\nDROP TABLE case_comment;\n")
    good, findings = probed()
    assert not good
    said = " ".join(each.sentence for each in findings if each.level == "problem")
    assert "activity has no column body" in said
    assert "no table case_comment" in said
    after = any_crm.dump()
    assert {name: rows for name, rows in after.items() if name != "activity"} == {
        name: rows for name, rows in before.items() if name not in ("activity", "case_comment")
    }


def test_a_new_connector_is_one_module_behind_an_entry_point(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ledgerbook.py").write_text(
        "from governance.systems.manual import ManualConnector\n"
        "class Ledgerbook(ManualConnector):\n"
        "    secret_members = ('key',)\n"
    )
    info = tmp_path / "ledgerbook-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ledgerbook\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[governance.connectors]\nledgerbook = ledgerbook:Ledgerbook\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert "ledgerbook" in registry.kinds()
        body = {"kind": "ledgerbook", "config": {"owner": "staff-7", "key": SECRET}}
        assert put(runtime, "books", body).secrets == ("key",)
    finally:
        registry.connector.cache_clear()
        sys.modules.pop("ledgerbook", None)
