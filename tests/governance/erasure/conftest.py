"""Fixtures of the erasures: people who are in a CRM of 13 tables, on the same kind of database as ours."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from governance.bootstrap import Runtime
from governance.erasure import saga, service
from governance.erasure.model import Erasure
from governance.events import Actor
from governance.settings import Settings
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange
from governance.systems import service as systems
from tests.conftest import ACTOR
from tests.fixtures import crm
from tests.postgres import Server

OFFICER, SECOND = Actor("user_officer"), Actor("user_second")
PEOPLE = {
    "crm-1": ("anna@example.org", "+493012345678"),
    "crm-2": ("ben@example.org", "+493087654321"),
    "crm-4": ("dora@example.org", "+4312345678"),
}


@dataclass
class World:
    """A tenant whose people are in a CRM; `refs` by the CRM's ids."""

    runtime: Runtime
    url: str
    refs: dict[str, str] = field(default_factory=dict)

    def put_system(self, **changes: object) -> None:
        """Register the CRM, or replace its record."""
        with self.runtime.work("acme", ACTOR) as work:
            found = systems.find(work, "crm")
            version = None if found is None else found.version
            systems.put(work, "crm", crm.body(self.url, **changes), version)

    def put_person(self, external_id: str, relationship: str = "lead") -> str:
        email, phone = PEOPLE[external_id]
        change = SubjectChange(
            identifiers=(Identifier("email", email), Identifier("phone", phone)),
            country="DE",
            relationship=relationship,
        )
        with self.runtime.work("acme", ACTOR) as work:
            self.refs[external_id] = subjects.put(work, external_id, change).subject_ref
        return self.refs[external_id]

    def order(self, external_id: str, *, hours: int = 0, **more: object) -> Erasure:
        with self.runtime.work("acme", OFFICER) as work:
            ref = self.refs[external_id]
            return service.order(work, ref, reason="rights_request", undo_hours=hours, **more)  # type: ignore[arg-type]

    def run(self, erasure: Erasure) -> Erasure:
        """Take it as far as it goes, and look at it."""
        saga.advance(self.runtime, "acme", erasure.erasure_id)
        return self.look(erasure)

    def look(self, erasure: Erasure) -> Erasure:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return service.get(snap, erasure.erasure_id)

    def dump(self) -> dict[str, list[str]]:
        return crm.dump(self.url)


@pytest.fixture
def stage() -> str:
    """At which stage of the relationship everybody is."""
    return "lead"


@pytest.fixture
def world(
    any_runtime: Runtime, tmp_path: Path, request: pytest.FixtureRequest, stage: str
) -> Iterator[World]:
    """Three people, known to us and to the CRM."""
    made: tuple[Server, str] | None = None
    if any_runtime.engine.dialect.name == "sqlite":
        (tmp_path / "crm").mkdir()
        url, place = f"sqlite:///{tmp_path}/crm/crm.db", str(tmp_path / "crm")
    else:
        server: Server = request.getfixturevalue("postgres")
        made = server, server.create()
        url = server.url(made[1])
        parts = make_url(url)
        host = str(parts.query.get("host", parts.host))
        place = host if host.startswith("/") else f"{host}:{parts.port or 5432}"
    settings = replace(any_runtime.settings, system_allow=frozenset({place}))
    any_runtime.settings = settings
    any_runtime.resources[Settings] = settings
    crm.make(url)
    found = World(any_runtime, url)
    found.put_system()
    for each in PEOPLE:
        found.put_person(each, stage)
    yield found
    if made is not None:
        made[0].drop(made[1])
