"""Our own data about people ends at its own term: not before, not under a hold; proofs still hold."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.bootstrap import Runtime
from governance.communications.store import message
from governance.decisions.store import decision, logged_decision
from governance.imports.store import import_error, import_run
from governance.ledger.store import ledger_entry
from governance.retention import holds
from governance.retention.model import DATA_CLASS, HoldScope
from governance.rights.tables import rights_request
from retention_jobs import end_own_data, seal_decisions
from tests.api.conftest import Caller, any_app, any_caller, new_component
from tests.conftest import ACTOR, HandClock
from tests.governance.erasure.conftest import SECOND

__all__ = ["any_app", "any_caller"]

YEAR = timedelta(days=365)


def left(runtime: Runtime) -> dict[str, int]:
    """How many rows of each kind still say something."""

    def count(engine: Any, table: sa.Table, *where: Any) -> int:
        with engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0

    main, log = runtime.engine, runtime.decision_log.engine
    consent = (ledger_entry.c.kind.like("consent.%"), ledger_entry.c.payload.is_not(None))
    return {
        "checks": count(log, logged_decision, logged_decision.c.body.is_not(None)),
        "messages": count(main, message),
        "acts": count(main, decision),
        "requests": count(main, rights_request, rights_request.c.content_sealed.is_not(None)),
        "proofs": count(main, ledger_entry, *consent),
        "import-errors": count(main, import_error),
    }


@pytest.fixture
def lived(any_runtime: Runtime, any_caller: Caller) -> Runtime:
    """Anna consented, was asked about, written to, withdrew and had a request refused; an import failed."""
    caller, runtime = any_caller, any_runtime
    address = {"type": "email", "value": "anna@example.org"}
    person = {"identifiers": [address], "attributes": {"country": "US"}, "relationship": "lead"}
    assert caller.put("/v1/subjects/crm-1", person).status_code == 201
    named = {"subject": {"id": "crm-1"}}
    said = {**named, "purpose": "marketing", "channel": "email", "method": "web_form"}
    evidence = {"evidence": {"form_url": "https://www.example.org/form"}}
    assert caller.post("/v1/consents", {**said, **evidence, "status": "granted"}).status_code == 201
    about = {"channel": "email", "purpose": "marketing", "message_class": "promotional"}
    asked = {
        "subject": {"type": "component", "id": "crm"},
        "action": {"name": "communication.send", "properties": about},
        "resource": {"type": "data_subject", "id": "crm-1"},
    }
    assert caller.post("/access/v1/evaluation", asked).get_json()["decision"] is True
    assert caller.post("/v1/communications", {**named, **about, "message_id": "m1"}).status_code == 201
    assert caller.post("/v1/consents", {**said, **evidence, "status": "withdrawn"}).status_code == 201
    body = {"type": "access", "identities": [{"id": "crm-1"}], "details": {"text": "All of it, please."}}
    made = caller.post("/v1/rights-requests", body).get_json()
    refused = {"ground": "identity-not-verified"}
    assert caller.post(f"/v1/rights-requests/{made['id']}/refuse", refused).status_code == 200
    seal_decisions.run(runtime)
    seal_decisions.run(runtime)
    run = {
        "tenant_id": "acme", "import_id": "imp_1", "state": "completed", "mapping_name": "m",
        "mapping_text": "", "file_sha256": "", "mapping_sha256": "", "position": 1, "counts": {},
        "started_at": runtime.clock(),
        "finished_at": runtime.clock(),
    }  # fmt: skip
    row = {"row_number": 1, "sentence": "No.", "column_name": "email", "row_sealed": b"sealed"}
    with runtime.engine.connect() as connection, connection.begin():
        connection.execute(sa.insert(import_run).values(**run))
        connection.execute(sa.insert(import_error).values(tenant_id="acme", import_id="imp_1", **row))
    return runtime


def test_everything_ends_at_its_own_term_and_what_is_proved_stays_proved(
    lived: Runtime, any_caller: Caller, clock: HandClock
) -> None:
    before = left(lived)
    assert all(before.values()), before
    clock.forward(timedelta(days=80))
    assert end_own_data.run(lived) == 0
    assert left(lived) == before, "nothing before its term"
    clock.forward(timedelta(days=20))
    assert end_own_data.run(lived) == 1
    assert left(lived) == {**before, "import-errors": 0}
    with lived.work("acme", ACTOR) as work:
        scope = HoldScope(DATA_CLASS, values={"data_class": ("messages", "rights_requests")})
        hold = holds.place(work, scope=scope, matter="Case 7", reason="A claim.")
    clock.forward(5 * YEAR)
    end_own_data.run(lived)
    held = left(lived)
    assert (held["checks"], held["proofs"], held["import-errors"]) == (0, 0, 0)
    assert (held["messages"], held["requests"]) == (1, 1), "a hold stops deletion"
    assert held["acts"] >= 1, "the decision of a message that is kept stays with it"
    with lived.work("acme", SECOND) as work:
        assert not hasattr(holds.release(work, hold.hold_id), "code")
    assert end_own_data.run(lived) >= 3
    assert set(left(lived).values()) == {0}
    assert end_own_data.run(lived) == 0, "again changes nothing"
    again = Caller(any_caller.client, new_component(lived))
    shown = again.get("/v1/rights-requests").get_json()["items"][0]
    assert (shown["status"], shown["outcome"]) == ("refused", "identity-not-verified"), "codes stay"
    state = again.get("/v1/subjects/crm-1/consents").get_json()["consents"]
    assert {each["status"] for each in state} == {"withdrawn"}, "and so does what was chosen"


def test_a_consent_in_force_keeps_its_proof_for_ever(
    any_runtime: Runtime, any_caller: Caller, clock: HandClock
) -> None:
    any_caller.put("/v1/subjects/crm-1", {"attributes": {"country": "US"}, "relationship": "lead"})
    said = {"subject": {"id": "crm-1"}, "purpose": "marketing", "channel": "email", "method": "web_form"}
    evidence = {"evidence": {"form_url": "https://www.example.org/form"}}
    assert any_caller.post("/v1/consents", {**said, **evidence, "status": "granted"}).status_code == 201
    proofs = left(any_runtime)["proofs"]
    clock.forward(20 * YEAR)
    end_own_data.run(any_runtime)
    assert left(any_runtime)["proofs"] == proofs > 0


def test_checks_lie_in_another_database_and_no_end_of_them_is_untold(
    lived: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash point between the two commits: told again, never silent."""

    def told() -> int:
        query = sa.select(ledger_entry.c.leaf).where(ledger_entry.c.kind == "retention.own_data_ended")
        with lived.engine.connect() as connection:
            facts = [json.loads(leaf)["facts"] for leaf in connection.scalars(query)]
        return sum(each["count"] for each in facts if each["kind"] == "checks")

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    clock.forward(10 * YEAR)
    kinds = end_own_data.KINDS
    assert kinds[0].elsewhere
    monkeypatch.setattr(end_own_data, "KINDS", (replace(kinds[0], end=die), *kinds[1:]))
    with pytest.raises(Killed):
        end_own_data.run(lived)
    there = left(lived)["checks"]
    assert told() == there > 0
    monkeypatch.setattr(end_own_data, "KINDS", kinds)
    end_own_data.run(lived)
    assert (told(), left(lived)["checks"]) == (2 * there, 0)
