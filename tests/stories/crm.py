"""The words in which the stories are told: a company's CRM, its people, and this service between them."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask

from api.background import Background
from tests.api.conftest import Caller
from tests.conftest import HandClock

PUBLIC_URL = "https://privacy.example.org"
MAPPING = """
mapping: campaign-tool
format: csv
subject:
  external_id: Id
identifiers:
  - {column: Mail, type: email}
consents:
  - {purpose: marketing, channel: email, when: {Subscribed: "yes"}, status: granted}
"""


@dataclass(frozen=True)
class Told:
    """What the service said about a message: truthy for yes; `codes` of all reasons of a no."""

    allowed: bool
    codes: frozenset[str]
    obligations: frozenset[str]
    points: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


class Crm:
    """A company's systems: they ask, they tell, they send only what is permitted. Each word is one call."""

    def __init__(self, app: Flask, caller: Caller, clock: HandClock) -> None:
        self.app, self.caller, self.clock = app, caller, clock
        self.browser = app.test_client()
        self.calls = 0
        self._sent = 0

    # -- people come in

    def knows(
        self, who: str, *, email: str | None = None, phone: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """The CRM tells of somebody: `PUT /v1/subjects/{id}`."""
        named = [("email", email), ("phone", phone)]
        body = {
            "identifiers": [{"type": kind, "value": value} for kind, value in named if value],
            "relationship": "lead",
            "attributes": {"country": "DE", **more.pop("attributes", {})},
            **more,
        }
        return self.call("put", f"/v1/subjects/{who}", body)

    def takes_in(self, capture_point: str, who: str, **what: Any) -> dict[str, Any]:
        """A form, call or event desk takes somebody in: `POST /v1/captures`."""
        subject = {"id": who, **what.pop("subject", {})}
        return self.call("post", "/v1/captures", {"capture_point": capture_point, "subject": subject, **what})

    def consents(self, who: str, status: str = "granted", **how: Any) -> dict[str, Any]:
        """The person says yes or no: `POST /v1/consents`."""
        said = {"purpose": "marketing", "channel": "email", "method": "web_form", **how}
        if status == "granted":
            said.setdefault("evidence", {"form_url": "https://www.example.org/form"})
        return self.call("post", "/v1/consents", {"subject": {"id": who}, "status": status, **said})

    def happened(self, who: str, event: str, **more: Any) -> dict[str, Any]:
        """Something happened in the relationship: `POST /v1/subjects/{id}/events`."""
        return self.call("post", f"/v1/subjects/{who}/events", {"event": event, **more})

    def merges(self, who: str, into: str) -> None:
        """Two records were one person: `POST /v1/subjects/{id}/merge`."""
        self.call("post", f"/v1/subjects/{who}/merge", {"into": into})

    def splits(self, who: str) -> None:
        """They were two people after all: `POST /v1/subjects/{id}/split`."""
        self.call("post", f"/v1/subjects/{who}/split", {})

    def imports(self, rows: Sequence[Mapping[str, str]], mapping: str = MAPPING) -> dict[str, Any]:
        """A file of another system: `POST /v1/imports`."""
        sheet = io.StringIO()
        writer = csv.DictWriter(sheet, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        parts = {
            "file": (io.BytesIO(sheet.getvalue().encode()), "rows.csv"),
            "mapping": (io.BytesIO(mapping.encode()), "mapping.yaml"),
        }
        begun = self.caller.post("/v1/imports", data=parts, content_type="multipart/form-data")
        assert begun.status_code == 202, begun.data
        self._wait()
        done = self.call("get", f"/v1/imports/{begun.get_json()['id']}")
        assert done["status"] == "completed", done
        return done

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One call that has to be taken."""
        self.calls += 1
        self.clock.forward(timedelta(seconds=1))
        answer = getattr(self.caller, method)(path, body)
        assert answer.status_code in (200, 201, 202), answer.data
        return dict(answer.get_json())

    # -- the gate is asked

    def may(self, who: str, channel: str = "email", **asked: Any) -> Told:
        """May we? `POST /access/v1/evaluation`."""
        context = asked.pop("context", {})
        properties = {"channel": channel, "message_class": "promotional", "purpose": "marketing", **asked}
        question = {
            "subject": {"type": "component", "id": "campaign-engine"},
            "action": {"name": "communication.send", "properties": properties},
            "resource": {"type": "data_subject", "id": who},
            "context": context,
        }
        return told(self.call("post", "/access/v1/evaluation", question))

    def sends(self, who: str, channel: str = "email", **asked: Any) -> tuple[Told, Mapping[str, str]]:
        """Send if it is permitted: `POST /v1/communications`; gives the answer and the message's headers."""
        self._sent += 1
        body = {
            "subject": {"id": who},
            "message_id": f"m-{self._sent}",
            "channel": channel,
            "message_class": "promotional",
            "purpose": "marketing",
            **asked,
        }
        answer = self.caller.post("/v1/communications", body)
        document = answer.get_json()
        decision = told(document["decision"])
        assert answer.status_code == (201 if decision else 403), document
        return decision, document.get("headers", {})

    def screens(self, **asked: Any) -> dict[str, tuple[str, ...]]:
        """Ask about everyone: `POST /v1/screenings`; gives each person's reasons, () for a yes."""
        properties = {"channel": "email", "message_class": "promotional", "purpose": "marketing", **asked}
        made = self.call("post", "/v1/screenings", {"question": properties, "audience": {"all": True}})
        self._wait()
        answer = self.caller.get(f"/v1/screenings/{made['id']}/results")
        assert answer.status_code == 200, answer.data
        lines = [json.loads(line) for line in answer.get_data().splitlines()]
        return {each["id"]: () if each["decision"] == "allow" else tuple(each["codes"]) for each in lines}

    # -- the person acts

    def clicks(self, link: str, **pressed: str) -> None:
        """The person opens a link, which changes nothing, and presses the button, which does."""
        path = link.strip("<>").removeprefix(PUBLIC_URL)
        assert self.browser.get(path).status_code == 200
        assert self.browser.post(path, data=pressed).status_code == 200

    def later(self, **by: float) -> None:
        """Time passes."""
        self.clock.forward(timedelta(**by))

    def _wait(self) -> None:
        background: Background = self.app.extensions["governance-background"]
        assert background.wait(30)


def told(decision: Mapping[str, Any]) -> Told:
    """Read a decision."""
    context = decision["context"]
    allowed = bool(decision["decision"])
    return Told(
        allowed,
        frozenset() if allowed else frozenset(reason["code"] for reason in context["reasons"]),
        frozenset(each["properties"]["action"] for each in context["obligations"]),
        tuple(each["ref"] for each in context["contact_points"]),
    )
