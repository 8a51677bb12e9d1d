"""Errors: one table, problem details everywhere, nobody in them."""

import json
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from api import problems
from governance import errors
from governance.errors import GovernanceError
from governance.queue import service as queue
from governance.queue.timetable import TIMETABLE
from tests.api.conftest import Caller


def kinds(of: type[GovernanceError]) -> set[type[GovernanceError]]:
    return {of}.union(*(kinds(each) for each in of.__subclasses__()))


def test_every_kind_of_error_has_a_status() -> None:
    for kind in kinds(GovernanceError) - {GovernanceError}:
        assert any(base in problems.STATUS for base in kind.__mro__), kind
    named = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GovernanceError)
    }
    assert named - {GovernanceError} == set(problems.STATUS)


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("get", "/nowhere", {}, 404),
        ("delete", "/healthz", {}, 405),
        ("get", "/v1/audit/entries?after=%00", {}, 400),
        ("get", "/v1/subjects/a%00b", {}, 400),
        ("get", "/v1/audit/entries?limit=0", {}, 422),
        ("get", "/v1/audit/entries?email=a@example.org", {}, 422),
        ("get", "/v1/audit/entries?after=nonsense", {}, 422),
        ("get", "/v1/subjects/nobody", {}, 404),
        ("post", "/v1/consents", {"data": b"{", "content_type": "application/json"}, 400),
        ("post", "/v1/consents", {"data": b"{}", "content_type": "text/plain"}, 415),
        ("post", "/v1/consents", {"data": b"{}", "content_type": "application/json"}, 422),
        ("post", "/v1/consents", {"data": b"x" * 1_048_577, "content_type": "application/json"}, 413),
        ("post", "/v1/consents", {"data": b"[" * 10_000, "content_type": "application/json"}, 400),
        ("post", "/v1/consents", {"data": b'{"a":"\\ud800"}', "content_type": "application/json"}, 400),
        ("post", "/access/v1/evaluation", {"json": {}}, 400),
        ("post", "/access/v1/evaluation", {"json": []}, 400),
    ],
)
def test_what_is_wrong_is_answered_with_problem_details(
    caller: Caller, method: str, path: str, options: dict[str, object], status: int
) -> None:
    answer = getattr(caller, method)(path, **options)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["instance"].startswith("urn:request:")


def test_405_names_what_is_allowed(client: FlaskClient) -> None:
    assert "GET" in client.post("/healthz").headers["Allow"]


def test_field_errors_name_paths_and_never_repeat_what_may_be_a_person(caller: Caller) -> None:
    body = {"subject": {"id": 7}, "status": "perhaps", "jane.roe@example.org": 1, "+4915112345678": 2}
    answer = caller.post("/v1/consents", body)
    assert answer.status_code == 422
    errors = answer.get_json()["errors"]
    assert {"subject.id", "status", "purpose", "method"} <= set(errors)
    assert all(complaints and all(complaints) for complaints in errors.values())
    assert "jane" not in answer.get_data(as_text=True)
    assert "4915112345678" not in answer.get_data(as_text=True)


def test_an_unforeseen_error_says_nothing_and_is_logged_without_its_message(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("jane.roe@example.org")

    monkeypatch.setattr("governance.ledger.service.entries", broken)
    answer = caller.get("/v1/audit/entries")
    assert answer.status_code == 500
    assert "jane" not in answer.get_data(as_text=True)
    log = capsys.readouterr().err
    assert "jane" not in log
    assert any(json.loads(line)["event"] == "unforeseen" for line in log.splitlines() if line.startswith("{"))


def test_request_ids_are_echoed_or_made_and_only_opaque_ones_are_logged(
    client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    made = client.get("/healthz").headers["X-Request-ID"]
    assert made.startswith("req_")
    told = client.get("/healthz", headers={"X-Request-ID": "jane.roe@example.org"})
    assert told.headers["X-Request-ID"] == "jane.roe@example.org"
    log = capsys.readouterr().err
    assert made in log
    assert "jane" not in log


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    for path in ("/healthz", "/nowhere", "/docs"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Strict-Transport-Security"].startswith("max-age")
        assert "no-store" in headers["Cache-Control"]


def test_metrics_count_by_route_template_and_name_nobody(caller: Caller) -> None:
    caller.get("/v1/subjects/crm-secret-7")
    text = caller.client.get("/metrics").get_data(as_text=True)
    assert 'route="/v1/subjects/<external_id>"' in text
    assert "crm-secret-7" not in text


def test_metrics_tell_how_the_jobs_are_getting_on(caller: Caller) -> None:
    runtime = caller.client.application.extensions["governance"]
    with runtime.engine.connect() as connection, connection.begin():
        queue.offer(
            connection, "seal-checkpoint", timedelta(minutes=1), runtime.clock() - timedelta(minutes=5)
        )
    text = caller.client.get("/metrics").get_data(as_text=True)
    assert 'governance_job_backlog{job="seal-checkpoint"} 1.0' in text
    assert 'governance_job_missed_total{job="seal-checkpoint"} 0.0' in text
    (lag,) = re.findall(r'governance_job_lag_seconds{job="seal-checkpoint"} ([0-9.]+)', text)
    assert float(lag) >= 300
    told = re.findall(r'governance_job_lag_seconds{job="([a-z-]+)"}', text)
    assert set(told) == set(TIMETABLE), "every job, also those that no scheduler ever offered"


def test_readiness_names_what_it_looked_at(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert set(answer.get_json()["checks"]) >= {"database", "keyring", "migrations", "decision_log", "clock"}
