"""Nobody reaches over the wall: another tenant's credential shows nothing and changes nothing, on any route.

The routes come from the OpenAPI document (`walls`), ids stand wherever one can stand, and the other tenant
has one of everything (`two_tenants`). Twins with a seeded bug show that the same test would notice.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api import create_app
from governance.bootstrap import Runtime, assemble
from governance.retention import store as retention_store
from tests.conftest import HandClock, settings_in
from tests.promises import walls
from tests.promises.two_tenants import World, build, digests
from tests.promises.walls import Route, attempts, make, routes, told, undeclared

pytestmark = pytest.mark.by_hand


SHUT = {
    "POST /v1/subjects/{external_id}/split",  # names only what belongs to the person in the path
    "POST /v1/overrides",  # no shipped rule can be overridden
    "GET /oauth/authorize",  # nobody signs in without a registered address to come back to
    "POST /oauth/authorize",
}
"""Routes of which a refused form is the answer itself."""


class Two:
    """An installation with two tenants, each with one of everything."""

    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        self.runtime = runtime
        self.app = create_app(runtime)
        runtime.create_tenant("rival", name="Rival", country="US", address="2 Side Street, Springfield")
        self.own: World = build(self.app, runtime, clock, "acme")
        self.other: World = build(self.app, runtime, clock, "rival")
        self.routes: list[Route] = routes(self.app.test_client().get("/openapi.json").get_json())
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.made = 0
        self.sent: set[str] = set()

    def reach(self, which: list[Route], *, whole: bool) -> list[str]:
        """Make all attempts at some routes; what was shown or changed, with the attempt that did it."""
        found: list[str] = []
        before = digests(self.runtime, "rival")
        for route in which:
            for attempt in attempts(route, self.own, self.other, whole=whole):
                answer = make(attempt, self.own)
                self.made += 1
                self.statuses[route.name, answer.status_code] += 1
                assert answer.status_code < 500 or answer.status_code == 503, (route.name, attempt.where)
                self.sent.update(attempt.sent)
                shown = told(answer, self.sent, self.other)
                if shown:
                    found.append(f"{route.name} with {attempt.where} shows {shown[:3]}")
            self.app.extensions["governance-background"].wait(60)
            after = digests(self.runtime, "rival")
            changed = [table for table in after if after[table] != before[table]]
            if changed:
                found.append(f"{route.name} changes {changed}")
            before = after
        return found


@pytest.fixture(scope="module")
def two(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two") / "data"
    shutil.copytree(sqlite_template, folder)
    clock = HandClock()
    runtime = assemble(settings_in(folder), clock=clock)
    yield Two(runtime, clock)
    runtime.close()


def named(two: Two, *words: str) -> list[Route]:
    return [route for route in two.routes if any(word in route.path for word in words)]


def test_no_route_shows_or_changes_anything_of_another_tenant(two: Two) -> None:
    missing = {route.name: undeclared(route) for route in two.routes if undeclared(route)}
    assert not missing, f"say in tests/promises/walls.py where ids stand in: {missing}"
    found = two.reach(two.routes, whole=False)
    assert not found, "\n".join(found)
    assert {name for name, _ in two.statuses} == {route.name for route in two.routes}
    shut = {name for name, _ in two.statuses} - {
        name for name, at in two.statuses if at not in (400, 415, 422)
    }
    assert shut <= SHUT, f"no attempt got past the form of {shut - SHUT}: give EXAMPLES or VALUES in walls.py"
    # The owner finds what the other looked for in vain, so it was there to be found.
    for route in two.routes:
        if route.method != "GET" or route.public or not route.parameters("path") or "{pack}" in route.path:
            continue
        if route.path.startswith(("/opendsr/", "/v1/overrides/")):  # there is none to be found
            continue
        if route.query():  # what such a query must say depends on what there is
            continue
        first = next(attempts(route, two.own, two.other, whole=False))
        assert make(first, two.other).status_code in (200, 409), route.name


@pytest.mark.full
def test_five_thousand_attempts_show_and_change_nothing(two: Two) -> None:
    found = two.reach(two.routes, whole=True)
    assert not found, "\n".join(found)
    assert two.made >= 5_000
    print(f"{two.made} attempts at {len(two.routes)} routes")


def test_a_store_without_its_tenant_filter_is_noticed(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    right = retention_store.find_hold

    def seeded(connection: Any, tenant_id: str, hold_id: str, **more: Any) -> Any:
        return right(connection, "rival", hold_id, **more)

    monkeypatch.setattr(retention_store, "find_hold", seeded)
    found = two.reach(named(two, "/v1/holds/"), whole=False)
    assert any(each.startswith("GET /v1/holds/{hold_id} with path shows") for each in found)


def test_a_write_without_its_tenant_filter_is_noticed(two: Two) -> None:
    def seeded(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        if statement.startswith("UPDATE system_task SET"):
            what, _, where = statement.partition(" WHERE ")
            statement = what + " WHERE " + " AND ".join(["? IS NOT NULL"] * where.count("?"))
        return statement, parameters

    sa.event.listen(two.runtime.engine, "before_cursor_execute", seeded, retval=True)
    try:
        found = two.reach(named(two, "/v1/tasks/{task_id}/owner"), whole=False)
    finally:
        sa.event.remove(two.runtime.engine, "before_cursor_execute", seeded)
    assert any("changes ['system_task'" in each for each in found), found


def test_a_route_without_a_known_place_fails_with_its_name() -> None:
    spec: dict[str, Any] = {
        "paths": {"/v1/secrets/{secret_id}": {"get": {"parameters": [{"in": "path", "name": "secret_id"}]}}}
    }
    (route,) = routes(spec)
    assert undeclared(route) == ["PATHS['secret_id']"]
    assert walls.PATHS
