"""People, and two members of staff who act on them."""

from collections.abc import Callable

import pytest

from governance.bootstrap import Runtime
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import SubjectChange

COUNSEL = Actor("client_counsel")
OFFICER = Actor("client_officer")
TENANT = "acme"

Person = Callable[..., str]


@pytest.fixture
def person(any_runtime: Runtime) -> Person:
    """Make a person, and give the reference."""

    def make(
        external_id: str = "crm-1", country: str | None = "DE", stage: str = "lead", **said: object
    ) -> str:
        with any_runtime.work(TENANT, OFFICER) as work:
            change = SubjectChange(country=country, relationship=stage, **said)  # type: ignore[arg-type]
            return subjects.put(work, external_id, change).subject_ref

    return make
