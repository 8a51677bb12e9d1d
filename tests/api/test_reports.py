"""Reports over HTTP."""

from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from tests.api.conftest import Caller, new_component

PLACE = "/v1/reports/message-classes"


def send(caller: Caller, message_id: str, kind: str, purpose: str) -> None:
    body = {
        "subject": {"id": "crm-1"},
        "message_id": message_id,
        "campaign": "spring",
        "channel": "email",
        "message_class": kind,
        "purpose": purpose,
    }
    answer = caller.post("/v1/communications", body)
    assert answer.status_code == 201, answer.data


def test_a_campaign_of_two_kinds_is_listed_with_counts_and_samples(caller: Caller) -> None:
    person = {
        "identifiers": [{"type": "email", "value": "a@example.org"}],
        "attributes": {"country": "US"},
        "relationship": "client",
    }
    assert caller.put("/v1/subjects/crm-1", person).status_code == 201
    send(caller, "m-1", "promotional", "marketing")
    send(caller, "m-2", "service", "service")
    report = caller.get(f"{PLACE}?until=2199-01-01T00:00:00Z&since=2198-12-01T00:00:00Z").get_json()
    assert (report["messages"], report["findings"]) == (0, [])
    report = caller.get(f"{PLACE}?until=2026-11-22T00:00:00Z").get_json()
    assert report["messages"] == 2
    (found,) = report["findings"]
    assert found["sign"] == "campaign-of-two-kinds"
    assert found["where"] == {"campaign": "spring"}
    assert found["classes"] == {"promotional": 1, "service": 1}
    (ref,) = found["sample"]
    assert caller.get(f"/v1/communications/{ref}/evidence").status_code == 200
    assert {sign["id"] for sign in report["signs"]} >= {found["sign"], "people-leave"}


def test_a_period_that_cannot_be_read_or_is_none_is_refused(caller: Caller) -> None:
    for query in ("since=yesterday", "since=2027-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "day=1"):
        assert caller.get(f"{PLACE}?{query}").status_code == 422, query


def test_where_no_system_listens_the_report_on_opt_outs_says_so(caller: Caller) -> None:
    answer = caller.get("/v1/reports/consents")
    assert answer.status_code == 200, answer.data
    assert answer.get_json()["opt_outs"] == {
        "systems": [],
        "told": 0,
        "waiting": 0,
        "given_up": 0,
        "seconds": {"p50": None, "p95": None, "max": None},
    }


def test_reports_want_the_scope_of_auditors(client: FlaskClient, runtime: Runtime) -> None:
    other = Caller(client, new_component(runtime, "consents:read"))
    assert other.get("/v1/reports/consents").status_code == 403
