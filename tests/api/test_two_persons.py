"""Two people are two natural persons: every act that needs a second one, done by one with two credentials.

`ACTS` names every place of the domain that asks for a second person; a new one that is missing here fails.
"""

import ast
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from governance import persons
from governance.bootstrap import Runtime
from governance.callers import users
from governance.callers.model import SCOPES, staff_ref
from governance.database import metadata
from governance.events import Actor
from governance.policy import drafting, history
from governance.policy import service as policies
from governance.policy.compiled import compile_policy
from governance.policy.documents import Node, compose
from governance.policy.loader import check_documents
from governance.tenants import service as tenants
from tests.api.conftest import Caller, new_component
from tests.api.test_overrides import CASES, PACK
from tests.api.test_policy_changes import NEW
from tests.conftest import ACTOR, HandClock

ROOT = Path(__file__).parents[2]
OLD = "2015-03-04T10:00:00Z"
GLASS = {"subject": {"id": "crm-1"}, "fields": ["iban"], "reason": "A fraud is under way."}


class Cast(NamedTuple):
    """`one` and `two` are credentials of st-duo, `three` is st-third's, `boss` belongs to nobody."""

    runtime: Runtime
    clock: HandClock
    boss: Caller
    one: Caller
    two: Caller
    three: Caller


class Second(NamedTuple):
    """What the second person asks."""

    path: str
    body: Any = None
    headers: dict[str, str] | None = None


def client_id(caller: Caller) -> str:
    return caller.made.component.client_id


def ok(answer: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201, 202), answer.get_json()
    return dict(answer.get_json())


def make_cast(runtime: Runtime, clock: HandClock, boss: Caller) -> Cast:
    one, two, three = (Caller(boss.client, new_component(runtime, *SCOPES)) for _ in range(3))
    roles = {"roles": ["support_agent"]}
    ok(boss.put("/v1/staff/st-duo", {**roles, "clients": [client_id(one), client_id(two)]}))
    ok(boss.put("/v1/staff/st-third", {"clients": [client_id(three)]}))
    ok(boss.put("/v1/subjects/crm-1", {"attributes": {"country": "NZ"}, "relationship": "client"}))
    return Cast(runtime, clock, boss, one, two, three)


@pytest.fixture
def cast(runtime: Runtime, clock: HandClock, caller: Caller) -> Cast:
    return make_cast(runtime, clock, caller)


def hold(cast: Cast, first: Caller) -> Second:
    said = {"matter": "M", "scope": {"subject": {"id": "crm-1"}}, "reason": "R"}
    return Second(f"/v1/holds/{ok(first.post('/v1/holds', said))['id']}/release")


def erasure(cast: Cast, first: Caller) -> Second:
    made = ok(first.post("/v1/erasures", {"subject": {"id": "crm-1"}, "undo_hours": 48}))
    return Second(f"/v1/erasures/{made['id']}/approve")


def run(cast: Cast, first: Caller) -> Second:
    record = {"subject": {"id": "crm-1"}, "data_class": "invoices", "created_at": OLD, "jurisdiction": "DE"}
    ok(cast.boss.put("/v1/records/crm/inv-1", record))
    made = ok(first.post("/v1/retention/runs", {"dry_run": False}))
    assert made["status"] == "awaiting_approval"
    return Second(f"/v1/retention/runs/{made['id']}/approve")


def disposition(cast: Cast, first: Caller) -> Second:
    run(cast, first)
    (waiting,) = ok(first.get("/v1/retention/dispositions?state=proposed"))["items"]
    return Second(f"/v1/retention/dispositions/{waiting['id']}/approve")


def override(cast: Cast, first: Caller) -> Second:
    go_back(cast, ACTOR)
    until = (cast.clock.at + timedelta(days=2)).isoformat()
    wish = {"rule": "house.not-now", "reason": "She asked.", "expires_at": until}
    made = ok(first.post("/v1/overrides", {**wish, "subject": {"id": "crm-1"}}))
    return Second(f"/v1/overrides/{made['id']}/approve", {})


def deletion(cast: Cast, first: Caller) -> Second:
    ok(first.post("/v1/tenant/deletion", {}))
    return Second("/v1/tenant/deletion/approve")


def glass(cast: Cast, first: Caller) -> Second:
    made = ok(first.post("/v1/access/break-glass", GLASS))
    return Second(f"/v1/access/break-glass/{made['id']}/review", {"outcome": "justified", "note": "It was."})


def small_documents() -> dict[str, Node]:
    """A whole policy of one pack: it is quickly read."""
    shipped = policies.shipped_documents()
    documents = {
        path: node for path, node in shipped.items() if "/" not in path or path.startswith("lifecycle/")
    }
    for path, text in (("house.yaml", PACK), ("house.cases.yaml", CASES)):
        tree = compose(f"communications/{path}", text)
        assert isinstance(tree, Node)
        documents[f"communications/{path}"] = tree
    return documents


def proposal(cast: Cast, first: Caller) -> Second:
    url, sort = "/v1/policies/no-fridays/draft", {"Content-Type": "application/yaml"}
    written = first.put(url, data=NEW.encode(), headers=sort)
    match = {"If-Match": written.headers["ETag"]}
    ok(first.post(f"{url}/propose", {}, headers=match))
    return Second(f"{url}/approve", {}, match)


def go_back(cast: Cast, by: Actor) -> None:
    """Go back to a small policy, which a proposal over the shipped one would be too slow to prove."""
    checked = check_documents(small_documents(), scrutinised=True, proven=False)
    digest, text = compile_policy(checked).digest, checked.canonical
    with cast.runtime.snapshot("acme", ACTOR) as snap:
        base, _ = drafting.documents_in_force(snap)
        newest = history.versions(snap, "data-read")[0]["id"]
    with cast.runtime.work("acme", by) as work:
        history.roll_back(work, "data-read", history.WayBack(base, newest, digest, text, {}))


def rollback(cast: Cast, first: Caller) -> Second:
    go_back(cast, Actor(client_id(first)))
    return Second("/v1/policies/data-read/rollback/review", {"note": "Looked at."})


ACTS: dict[str, Callable[[Cast, Caller], Second]] = {
    "governance/access/break_glass.py:review": glass,
    "governance/communications/overrides.py:approve": override,
    "governance/erasure/service.py:approve": erasure,
    "governance/policy/changing.py:approve": proposal,
    "governance/policy/history.py:review": rollback,
    "governance/retention/dispositions.py:approve": disposition,
    "governance/retention/holds.py:release": hold,
    "governance/retention/runs.py:approve": run,
    "governance/tenants/leaving.py:approve_deletion": deletion,
}
"""The function that asks for a second person, and what one does over HTTP to get there."""


def ask(caller: Caller, second: Second) -> tuple[int, str | None]:
    answer = caller.post(second.path, second.body, headers=second.headers or {})
    kind = (answer.get_json() or {}).get("type", "")
    return answer.status_code, str(kind).rsplit("/", 1)[-1] or None


REFUSED = (403, persons.CODE)


@pytest.mark.parametrize("act", ACTS)
def test_one_person_with_two_credentials_is_one_person(cast: Cast, act: str) -> None:
    second = ACTS[act](cast, cast.one)
    assert ask(cast.one, second) == REFUSED
    assert ask(cast.two, second) == REFUSED, "the other credential of the same person"
    assert ask(cast.boss, second) == REFUSED, "a credential that belongs to nobody may be hers as well"
    # Handing the credential on makes no second person: she knows its secret.
    ok(cast.boss.put("/v1/staff/st-duo", {"clients": [client_id(cast.one)]}))
    assert ask(cast.two, second) == REFUSED
    ok(cast.boss.put("/v1/staff/st-heir", {"clients": [client_id(cast.two)]}))
    assert ask(cast.two, second) == REFUSED
    status, _ = ask(cast.three, second)
    assert status == 200
    cast.boss.client.application.extensions["governance-background"].wait(20)  # what was approved goes on


def test_every_act_that_needs_a_second_person_is_tried_here() -> None:
    """And none of them compares actors by itself."""
    asking, comparing, coded = set(), set(), set()
    for path in sorted((ROOT / "governance").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        if persons.CODE in text and name != "governance/persons.py":
            coded.add(name)
        if "not_second" not in text and "actor.ref" not in text:
            continue
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("not_second"):
                    asking.add(f"{name}:{function.name}")
                if isinstance(node, ast.Compare) and "actor.ref" in ast.unparse(node):
                    comparing.add(f"{name}:{function.name}")
    assert asking == set(ACTS)
    assert coded == set(), "the code is written in one place"
    assert comparing == set(), "credentials are not persons: ask `persons.not_second`"


def may(cast: Cast, first: str, second: Actor) -> str | None:
    with cast.runtime.work("acme", second) as work:
        return persons.not_second(work, first, otherwise="same")


def test_who_is_who(any_runtime: Runtime, clock: HandClock, any_app: Flask, any_caller: Caller) -> None:
    cast = make_cast(any_runtime, clock, any_caller)
    duo, third = (Actor(staff_ref(each), "staff") for each in ("st-duo", "st-third"))
    one, three, nobody = (Actor(client_id(each)) for each in (cast.one, cast.three, cast.boss))
    stranger, bot, desk, line, other_line = (new_component(any_runtime).component.client_id for _ in range(5))
    for name, kind, credential in (
        ("bot", "ai", bot),
        ("crm", "service", desk),
        ("li", "human_operated", line),
        ("li-2", "human_operated", other_line),
    ):
        ok(cast.boss.put(f"/v1/components/{name}", {"kind": kind, "clients": [credential]}))
    for first, second, why in (
        (one.ref, duo, "same"),  # by a credential, then signed in
        (duo.ref, one, "same"),
        ("operator:st-duo", duo, "same"),  # `--by` of the command line
        (duo.ref, Actor("operator:st-duo", "operator"), "same"),
        (duo.ref, third, None),
        (one.ref, three, None),
        ("cli", third, None),
        ("cli", Actor("cli", "operator"), "same"),
        ("job:sweep-retention", one, None),
        (nobody.ref, third, persons.UNTOLD),
        (one.ref, nobody, persons.UNTOLD),
        (stranger, nobody, persons.UNTOLD),  # either may be a secret of any member of staff
        (line, nobody, persons.UNTOLD),
        (stranger, Actor(line), persons.UNTOLD),
        (other_line, Actor(line), persons.UNTOLD),  # one agent may work with both
        (desk, third, None),
        (line, third, None),
        (one.ref, Actor(line), persons.UNTOLD),
        ("component:li", Actor(line), "same"),
        (f"component:{line}", Actor(line), "same"),
        (one.ref, Actor(desk), persons.ALONE),
        (one.ref, Actor(bot), persons.ALONE),
    ):
        assert may(cast, first, second) == why, (first, second)
    with any_runtime.work("acme", ACTOR) as work:
        tenants.declare_askers(work, "registered")
    assert may(cast, stranger, nobody) == persons.UNTOLD
    assert may(cast, one.ref, three) is None
    with any_runtime.work("acme", one) as work:
        work.resources = {}
        assert persons.not_second(work, three.ref, otherwise="same") == persons.UNTOLD, "in doubt, no"


@pytest.mark.parametrize("known_by", ["record", "account"])
def test_two_credentials_without_a_person_count_as_two_only_until_staff_is_registered(
    any_runtime: Runtime, clock: HandClock, any_caller: Caller, known_by: str
) -> None:
    one, two, line, other = (new_component(any_runtime).component.client_id for _ in range(4))
    for name, credential in (("li", line), ("li-2", other)):
        ok(any_caller.put(f"/v1/components/{name}", {"kind": "human_operated", "clients": [credential]}))
    cast = Cast(any_runtime, clock, any_caller, any_caller, any_caller, any_caller)
    pairs = ((one, two), (line, other), (one, line), (line, one))
    assert [may(cast, first, Actor(second)) for first, second in pairs] == [None] * 4
    if known_by == "record":
        ok(any_caller.put("/v1/staff/st-1", {"status": "left"}))
    else:
        with any_runtime.work("acme", ACTOR) as work:
            users.create(work, staff_id="st-1", login="one@example.org", password="a very long pass phrase")
    assert [may(cast, first, Actor(second)) for first, second in pairs] == [persons.UNTOLD] * 4


@pytest.mark.parametrize("act", ["override", "proposal", "deletion", "erasure"])
def test_with_staff_two_components_are_no_two_people(cast: Cast, act: str) -> None:
    second = {"override": override, "proposal": proposal, "deletion": deletion, "erasure": erasure}[act]
    lines = [Caller(cast.boss.client, new_component(cast.runtime, *SCOPES)) for _ in range(2)]
    for line in lines:
        body = {"kind": "human_operated", "clients": [client_id(line)]}
        ok(cast.boss.put(f"/v1/components/li-{lines.index(line)}", body))
    wanted = second(cast, lines[0])
    assert ask(lines[1], wanted) == REFUSED
    assert ask(cast.boss, wanted) == REFUSED
    assert ask(cast.three, wanted)[0] == 200, "a member of staff approves what a component asked"
    cast.boss.client.application.extensions["governance-background"].wait(20)  # what was approved goes on


def test_who_held_a_credential_is_not_forgotten(
    any_runtime: Runtime, clock: HandClock, any_app: Flask, any_caller: Caller
) -> None:
    cast = make_cast(any_runtime, clock, any_caller)
    boss, two = cast.boss, Actor(client_id(cast.two))
    for name in ("st-duo", "st-heir", "st-last"):
        if name != "st-duo":
            ok(boss.put(f"/v1/staff/{name}", {"clients": [two.ref]}))
        ok(boss.put(f"/v1/staff/{name}", {"clients": []}))
    assert "access_former_credential" in metadata.tables
    for name in ("st-duo", "st-heir", "st-last"):
        assert may(cast, staff_ref(name), two) == "same", name
    assert may(cast, staff_ref("st-third"), two) is None, "it was some member of staff's"
