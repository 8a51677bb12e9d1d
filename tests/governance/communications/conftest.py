"""Short words for what these tests do again and again: make people, say yes and no, ask."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.communications import service as communications
from governance.communications.messages import Authorisation, SendRequest
from governance.communications.model import CheckRequest, read_check
from governance.consent import service as consents
from governance.consent.service import NewConsent
from governance.decisions.record import DecisionRecord
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectReference
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR

PROPERTIES = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


class Crm:
    """One installation, spoken to in short sentences."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def person(
        self, external_id: str, *emails: str, country: str | None = "US", stage: str = "lead", **named: Any
    ) -> str:
        change = SubjectChange(
            country=country,
            relationship=stage,
            identifiers=[Identifier("email", email) for email in emails],
            **named,
        )
        with self.runtime.work("acme", ACTOR) as work:
            return subjects.put(work, external_id, change).subject_ref

    def said(self, ref: str, status: str, *, email: str | None = None, **named: Any) -> None:
        point = None if email is None else Identifier("email", email)
        values = {"purpose": "marketing", "channel": "email", **named}
        with self.runtime.work("acme", ACTOR) as work:
            new = NewConsent(
                ref,
                values.pop("purpose"),
                status,
                values.pop("method", "web_form"),
                contact_point=point,
                evidence=values.pop("evidence", {"form_url": "https://example.org/form"}),
                **values,
            )
            consents.record(work, new)

    def request(self, external_id: str, *, time: datetime | None = None, **more: Any) -> CheckRequest:
        context = {} if time is None else {"time": time.isoformat()}
        return read_check(SubjectReference(id=external_id), {**PROPERTIES, **more}, context)

    def check(self, external_id: str, **more: Any) -> DecisionRecord:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return communications.check(snap, self.request(external_id, **more))

    def authorise(self, message_id: str, external_id: str, **more: Any) -> Authorisation:
        with self.runtime.work("acme", ACTOR) as work:
            return communications.authorise(work, SendRequest(message_id, self.request(external_id, **more)))

    def points(self, ref: str) -> dict[str, str]:
        """Contact point reference → state."""
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return {point.point_ref: point.state for point in subjects.points(snap, ref)}


@pytest.fixture
def crm(any_runtime: Runtime) -> Crm:
    """A CRM on each database."""
    return Crm(any_runtime)


@pytest.fixture
def small(runtime: Runtime) -> Crm:
    """A CRM on SQLite only."""
    return Crm(runtime)


MONTH = timedelta(days=31)
