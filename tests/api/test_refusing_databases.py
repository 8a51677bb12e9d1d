"""A database that refuses the password, or cannot be reached: said in a sentence, and nothing else stops."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from governance.bootstrap import Runtime
from governance.database import metadata
from retention_jobs import run_erasures, run_rights_clocks
from tests.api.conftest import Caller, new_component
from tests.api.test_rights import ask, person, prove
from tests.conftest import HandClock
from tests.fixtures import crm
from tests.governance.systems.conftest import allowing, place_of
from tests.postgres import Server

RIGHT, WRONG = "right-password-canary", "wrong-password-canary"


@dataclass
class Far:
    """A CRM on a PostgreSQL that asks its role for a password."""

    role: str
    url: str

    def with_password(self, password: str) -> str:
        url = make_url(self.url).set(username=self.role, password=password)
        return url.render_as_string(hide_password=False)


@pytest.fixture
def far(postgres: Server) -> Iterator[Far]:
    name, role = postgres.create(), postgres.role_with_password(RIGHT)
    crm.make(postgres.url(name))
    postgres.execute_in(name, f'GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"')
    yield Far(role, postgres.url(name))
    postgres.drop_role(role, name)
    postgres.drop(name)


def everything(runtime: Runtime) -> str:
    """All that was written down, as a text, and what was sealed as bytes."""
    with runtime.engine.connect() as connection:
        rows = [list(connection.execute(sa.select(table))) for table in metadata.tables.values()]
    return repr(rows)


def step(caller: Caller, erasure_id: str, system: str) -> dict[str, Any]:
    steps = caller.get(f"/v1/erasures/{erasure_id}").get_json()["steps"]
    return next(dict(each) for each in steps if each["system"] == system)


def put(caller: Caller, url: str, version: int | None = None) -> None:
    match = {} if version is None else {"If-Match": f'"{version}"'}
    answer = caller.put("/v1/systems/crm", crm.body(url), headers=match)
    assert answer.status_code in (200, 201), answer.data


def test_a_wrong_password_is_said_and_stops_neither_the_clock_nor_other_systems(
    any_caller: Caller,
    any_runtime: Runtime,
    far: Far,
    tmp_path: Path,
    clock: HandClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caller, shop = any_caller, f"sqlite:///{tmp_path}/shop/shop.db"
    caplog.set_level(logging.DEBUG)
    (tmp_path / "shop").mkdir()
    crm.make(shop)
    allowing(any_runtime, place_of(far.url), place_of(shop))
    put(caller, far.with_password(WRONG))
    # The shop depends on its own archive: two steps, one behind the other, and neither behind the CRM.
    assert caller.put("/v1/systems/archive", crm.body(shop)).status_code == 201
    derived = {**crm.body(shop), "depends_on": ["archive"]}
    assert caller.put("/v1/systems/shop", derived).status_code == 201

    tried = caller.post("/v1/systems/crm/test")
    assert tried.status_code == 200
    (finding,) = tried.get_json()["findings"]
    assert (tried.get_json()["good"], finding["level"], finding["at"]) == (False, "problem", "url")
    assert finding["sentence"] == REFUSED

    person(caller)
    made = ask(caller, "erasure", identity={"id": "crm-1"})
    before = prove(caller, made)
    clock.forward(timedelta(hours=25))
    caller = Caller(caller.client, new_component(any_runtime))
    run_erasures.run(any_runtime)
    run_rights_clocks.run(any_runtime)
    (erasure,) = caller.get("/v1/erasures").get_json()["items"]
    broken = step(caller, erasure["id"], "crm")
    assert (broken["status"], broken["outcome"], broken["rows"]) == ("failed", "failed", 0)
    assert broken["because"] == finding["sentence"]
    for other in ("shop", "archive", "governance"):
        assert step(caller, erasure["id"], other)["status"] == "done", other
    now = caller.get(f"/v1/rights-requests/{made['id']}").get_json()
    assert (now["status"], now["waits_for"]) == ("in_progress", "erasure-failed")
    assert now["clock"]["due_at"] == before["clock"]["due_at"]
    assert (now["clock"]["paused"], erasure["certificate"]) == (False, None)

    told = json.dumps([tried.get_json(), erasure, now, caller.get("/v1/events?limit=500").get_json()])
    for secret in (WRONG, far.role, far.url, "postgresql"):
        assert secret not in told
        assert secret not in caplog.text
    assert WRONG not in everything(any_runtime)

    # Put right, the step is taken up again, and only that one.
    put(caller, far.with_password(RIGHT), 1)
    assert caller.post("/v1/systems/crm/test").get_json()["good"] is True
    assert caller.post(f"/v1/erasures/{erasure['id']}/retry").status_code == 200
    assert run_erasures.run(any_runtime) == 1
    done = step(caller, erasure["id"], "crm")
    assert (done["status"], done["attempts"]) == ("done", 1)
    assert "crm-1" not in repr(crm.dump(far.url)["contact"])
    run_rights_clocks.run(any_runtime)
    closed = caller.get(f"/v1/rights-requests/{made['id']}").get_json()
    assert closed["status"] == "partly_fulfilled", "an invoice is kept, and the letter says so"


AWAY = "The database cannot be reached; it will be tried again."
NO_NAME = "There is no database of this name on that server; put the URL right."
REFUSED = "The database refused the user or the password; put the URL right."


@pytest.mark.parametrize(
    ("change", "sentence", "later"),
    [
        ({"host": "127.0.0.1", "port": 1}, AWAY, True),
        ({"database": "gone_canary"}, NO_NAME, False),
        ({"username": "nobody_canary"}, REFUSED, False),
    ],
    ids=["host", "database", "user"],
)
def test_what_is_wrong_with_the_url_is_said_without_the_url(
    caller: Caller, runtime: Runtime, postgres: Server, change: dict[str, Any], sentence: str, later: bool
) -> None:
    url = make_url(postgres.url("postgres"))
    url = url.set(query={}, **change) if "host" in change else url.set(**change)
    url = url.set(password=WRONG)
    allowing(runtime, place_of(url.render_as_string(hide_password=False)))
    put(caller, url.render_as_string(hide_password=False))
    tried = caller.post("/v1/systems/crm/test").get_json()
    assert [each["sentence"] for each in tried["findings"]] == [sentence]
    person(caller)
    ordered = caller.post("/v1/erasures", {"subject": {"id": "crm-1"}}).get_json()["id"]
    second = Caller(caller.client, new_component(runtime, "erasures:read", "erasures:approve"))
    assert second.post(f"/v1/erasures/{ordered}/approve").status_code == 200
    run_erasures.run(runtime)
    broken = step(caller, ordered, "crm")
    assert broken["because"] == sentence
    assert (broken["status"], broken["next_at"] is not None) == ("pending" if later else "failed", later)
    assert step(caller, ordered, "governance")["status"] == "done"
    told = json.dumps([tried, caller.get(f"/v1/erasures/{ordered}").get_json()])
    assert "canary" not in told
    assert "127.0.0.1" not in told
