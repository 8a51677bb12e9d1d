"""A tenant with one of everything in it, so that there is something to reach for."""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask

from governance.bootstrap import COMMAND_LINE, Runtime
from governance.database import for_reading, metadata
from governance.decisions.store import decision_log_metadata
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from governance.subjects.store import contact_point, subject
from governance.tenants import store as tenants
from governance.vault.keyring import keyring_engine, keyring_metadata
from retention_jobs import reset_inactive, run_erasures
from tests.api.conftest import Caller, new_component
from tests.conftest import HandClock

MAPPING = b"mapping: m\nformat: csv\nsubject: {external_id: Id}\n"
PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
QUESTION = {"action": "communication.send", **PROMOTION}
MECHANISM = {
    "kind": "scc",
    "instruments": ["eu-scc"],
    "scope": {"destinations": ["US"]},
    "assessment_reference": "t",
}
FLOW = {"origin": "DE", "destination": "US", "recipient": "mailer", "data_classes": ["contact_details"]}
RULE = """pack: {own}-rule
title: A rule of {own}
speaks_about: [communication.send]
layer: channel
applies: {{person.country: CA}}
rules:
  - id: no-advertising-by-post
    effect: forbid
    when: {{message.commercial: true, message.channel: post}}
    code: cool-off
    because: "{text}"
    remedy: Write an e-mail.
    cites: ["House rule 7"]
now: 2026-11-21T15:00:00Z
cases:
  - name: a leaflet
    facts: {{person.country: CA, message.commercial: true, message.channel: post}}
    expect: {{forbids: [cool-off]}}
  - name: a bill
    facts: {{person.country: CA, message.commercial: false, message.channel: post}}
    expect: {{forbids: []}}
"""


@dataclass
class World:
    """What a tenant holds: `ids` by kind (each kind has at least one), and texts that nobody else may see."""

    tenant: str
    ref: str
    caller: Caller
    ids: dict[str, list[str]] = field(default_factory=dict)
    canaries: set[str] = field(default_factory=set)

    def note(self, kind: str, *ids: str) -> None:
        """Remember ids, each once."""
        known = self.ids.setdefault(kind, [])
        known += [each for each in ids if each not in known]

    def fit(self, kind: str) -> str:
        """The first id of a kind."""
        return self.ids[kind][0]

    def every(self) -> list[str]:
        """All ids of all kinds."""
        return list(dict.fromkeys(each for ids in self.ids.values() for each in ids))


class Builder:
    """Fills a tenant over HTTP, as its own components would."""

    def __init__(self, app: Flask, runtime: Runtime, clock: HandClock, tenant: str) -> None:
        self.app, self.runtime, self.clock, self.tenant = app, runtime, clock, tenant
        self.caller = Caller(app.test_client(), new_component(runtime, tenant=tenant))
        with runtime.engine.connect() as plain, for_reading(plain).begin():
            found = tenants.find(plain, tenant)
        assert found is not None
        self.world = World(tenant, found.ref, self.caller)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Ask something that must succeed; a moment passes with it."""
        self.clock.forward(timedelta(milliseconds=2))
        answer = getattr(self.caller, method)(path, body, **more)
        assert answer.status_code < 400, (method, path, answer.get_json())
        return answer.get_json(silent=True)

    def email(self, name: str) -> str:
        """An address that nobody else has; one of the canaries."""
        address = f"{name}.{self.tenant}-canary@mailbox-{self.tenant}.example"
        self.world.canaries.add(address)
        return address

    def text(self, about: str) -> str:
        """A text that nobody else has written; one of the canaries."""
        said = f"{about} of {self.tenant} told in confidence"
        self.world.canaries.add(said)
        return said

    def build(self) -> World:
        """Make one of everything."""
        for part in (
            self.people,
            self.consents,
            self.configuration,
            self.gates,
            self.requests,
            self.retention,
            self.erasure,
            self.access,  # from the first member of staff on, two credentials are no two people
            self.sleepers,
            self.rest,
        ):
            part()
        self.app.extensions["governance-background"].wait(60)
        with self.runtime.engine.connect() as plain, for_reading(plain).begin():
            refs = plain.scalars(sa.select(subject.c.subject_ref).where(subject.c.tenant_id == self.tenant))
            points = plain.scalars(
                sa.select(contact_point.c.point_ref).where(contact_point.c.tenant_id == self.tenant)
            )
            self.world.note("subject_ref", *refs)
            self.world.note("point_ref", *points)
        self.world.canaries.update(
            each for each in self.world.every() if re.fullmatch(r"[a-z]+_[0-9a-f]{32}", each)
        )
        return self.world

    def people(self) -> None:
        """Known people, one of them ready to be written to."""
        for number in range(6):
            name = f"{self.tenant}-person-{number}"
            body = {
                # The second address is in no attempt: whoever sees it has seen the person.
                "identifiers": [
                    {"type": "email", "value": self.email(f"person{number}")},
                    {"type": "email", "value": self.email(f"hidden{number}")},
                ],
                "attributes": {"country": "US"},
                "relationship": "client" if number else "lead",
            }
            self.ask("put", f"/v1/subjects/{name}", body)
            self.world.note("external_id", name)
            self.world.note("email", f"person{number}.{self.tenant}-canary@mailbox-{self.tenant}.example")
            self.world.canaries.add(name)
        told = {"event": "inquiry", "reference": self.text("The reference")}
        self.ask("post", f"/v1/subjects/{self.world.fit('external_id')}/events", told)

    def consents(self) -> None:
        """Consents with receipts, a sign-up to confirm, an objection, suppressions."""
        who = {"subject": {"id": self.world.fit("external_id")}}
        said = {**who, "purpose": "marketing", "channel": "email", "method": "web_form"}
        point = {"type": "email", "value": self.world.fit("email")}
        made = self.ask(
            "post",
            "/v1/consents",
            {**said, "contact_point": point, "status": "granted", "evidence": {"note": self.text("A form")}},
            headers={"Idempotency-Key": f"key-{self.tenant}"},
        )
        self.world.note("idempotency_key", f"key-{self.tenant}")
        self.world.note("consent", made["id"])
        self.world.note("receipt_id", made["receipt_id"])
        other = {"subject": {"id": self.world.ids["external_id"][1]}}
        waiting = self.ask(
            "post",
            "/v1/consents",
            {
                **said,
                **other,
                "contact_point": {"type": "email", "value": self.world.ids["email"][1]},
                "status": "requested",
                "double_opt_in": True,
            },
        )
        self.world.note("confirmation", waiting["confirmation"]["token"])
        objected = {"subject": {"id": self.world.ids["external_id"][2]}, "scope": "all"}
        self.world.note("objection_id", self.ask("post", "/v1/objections", objected)["id"])
        barred = {"contact_point": {"type": "email", "value": self.email("barred")}, "scope": "marketing"}
        reason = {**barred, "reason": self.text("The reason")}
        self.world.note("suppression_id", self.ask("post", "/v1/suppressions", reason)["id"])
        link = self.ask("post", "/v1/preferences/links", who)
        self.world.note("preferences", str(link).split("/preferences/")[1].split("'")[0])

    def configuration(self) -> None:
        """Purposes, notices, caps, systems, webhooks, under names of their own."""
        own = self.tenant
        purpose = self.ask("get", "/v1/purposes/marketing")
        body = {
            name: purpose[name] for name in ("owner", "lawful_basis", "message_classes") if name in purpose
        }
        self.ask("put", f"/v1/purposes/{own}-purpose", {**body, "title": self.text("A title")})
        self.world.note("purpose_id", f"{own}-purpose")
        point = {"title": self.text("A point"), "owner": "sales", "purposes": ["marketing"]}
        self.ask("put", f"/v1/capture-points/{own}-form", point)
        self.world.note("capture_point_id", f"{own}-form")
        text = {"texts": {"en": self.text("A notice")}}
        self.ask("put", f"/v1/notices/{own}-notice/versions/1", text)
        self.world.note("notice_id", f"{own}-notice")
        self.world.note("version", "1")
        cap = {"limit": 900, "window": "P1D", "channel": "email", "message_classes": [], "purposes": []}
        self.ask("put", f"/v1/caps/{own}-cap", cap)
        self.world.note("cap_id", f"{own}-cap")
        manual = {"kind": "manual", "config": {"owner": f"{own}-clerk"}, "data_classes": ["support_cases"]}
        self.ask("put", f"/v1/systems/{own}-archive", manual)
        self.world.note("system_id", f"{own}-archive")
        self.world.canaries.update(
            (f"{own}-archive", f"{own}-clerk", f"{own}-notice", f"{own}-form", f"{own}-cap")
        )
        hook = {"url": "https://hooks.example.com/in", "types": ["governance.consent.granted"]}
        self.ask("put", f"/v1/webhooks/{own}-hook", hook)
        self.world.note("webhook_id", f"{own}-hook")
        self.world.canaries.add(f"{own}-hook")

    def access(self) -> None:
        """Roles, staff, components, fields, assessments, an issuer; a rule that is drafted and proposed."""
        own = self.tenant
        until = "2028-01-01T00:00:00Z"
        assessed = {
            "outcome": "compatible",
            "owner": "o",
            "reference": self.text("An assessment"),
            "expires_at": until,
        }
        for kind, path, body in (
            ("role_id", f"roles/{own}_role", {"title": self.text("A role"), "kinds": ["staff"]}),
            ("staff_id", f"staff/{own}-staff", {"roles": ["support_agent"]}),
            ("component_id", f"components/{own}-component", {"kind": "service", "roles": ["marketer"]}),
            ("field_id", f"data-fields/{own}_field", {"data_class": "invoices"}),
            (
                "assessment_id",
                f"compatibility-assessments/{own}-assessment",
                {"from": "service", "to": "marketing", **assessed},
            ),
            (
                "issuer_id",
                f"issuers/{own}-idp",
                {
                    "issuer": f"https://idp.{own}.example",
                    "audience": own,
                    "role_claim": "groups",
                    "grants": {"office": ["audit:read"]},
                },
            ),
        ):
            self.ask("put", f"/v1/{path}", body)
            name = path.partition("/")[2]
            self.world.note(kind, name)
            self.world.canaries.add(name)
        self.ask("put", f"/v1/transfer-mechanisms/{own}-clauses", MECHANISM)
        self.world.note("mechanism_id", f"{own}-clauses")
        self.ask("put", f"/v1/transfer-flows/{own}-flow", {**FLOW, "mechanisms": [f"{own}-clauses"]})
        self.world.note("flow_id", f"{own}-flow")
        self.world.canaries.update((f"{own}-clauses", f"{own}-flow"))
        person = {"id": self.world.fit("external_id")}
        glass = {
            "subject": person,
            "fields": ["phone"],
            "reason": self.text("An emergency"),
            "asker": {"type": "staff", "id": f"{own}-staff"},
        }
        self.world.note("grant_id", self.ask("post", "/v1/access/break-glass", glass)["id"])
        url = f"/v1/policies/{own}-rule/draft"
        rule = RULE.format(own=own, text=self.text("A rule"))
        self.clock.forward(timedelta(milliseconds=2))
        written = self.caller.put(url, data=rule.encode(), headers={"Content-Type": "application/yaml"})
        assert written.status_code == 201, written.get_json()
        self.world.note("pack", f"{own}-rule")
        match = {"If-Match": written.headers["ETag"]}
        self.world.note("proposal_id", self.ask("post", f"{url}/propose", {}, headers=match)["id"])

    def gates(self) -> None:
        """A decision, a message, a screening, answers by SMS that wait for somebody."""
        person = self.world.fit("external_id")
        question = {
            "subject": {"type": "component", "id": "crm"},
            "action": {"name": "communication.send", "properties": PROMOTION},
            "resource": {"type": "data_subject", "id": person},
        }
        self.world.note("decision_id", self.ask("post", "/access/v1/evaluation", question)["context"]["id"])
        send = {"subject": {"id": person}, "message_id": f"{self.tenant}-message", **PROMOTION}
        sent = self.ask("post", "/v1/communications", send)
        self.world.note("message_id", sent["id"], f"{self.tenant}-message")
        self.world.note(
            "unsubscribe", sent["headers"]["List-Unsubscribe"].strip("<>").split("/unsubscribe/")[1]
        )
        made = self.ask("post", "/v1/screenings", {"question": QUESTION, "audience": {"all": True}})
        self.world.note("screening_id", made["id"])
        number = f"+1202555{len(self.tenant):04d}"
        self.world.canaries.add(number)
        self.ask(
            "put",
            f"/v1/subjects/{person}",
            {
                "identifiers": [
                    {"type": "email", "value": self.world.fit("email")},
                    {"type": "phone", "value": number},
                ]
            },
        )
        answered = {"channel": "sms", "from": {"phone": number}, "text": self.text("please no more, I think")}
        self.ask("post", "/v1/communications/inbound", answered)
        for item in self.ask("get", "/v1/communications/reviews")["items"]:
            self.world.note("communications_review", item["id"])

    def requests(self) -> None:
        """Requests of people, one by the CRM and one by the public form."""
        named = {"type": "access", "identities": [{"email": self.world.ids["email"][3]}]}
        made = self.ask("post", "/v1/rights-requests", {**named, "details": {"text": self.text("A wish")}})
        path = f"/v1/rights-requests/{made['id']}"
        self.world.note("request_id", made["id"])
        self.world.note("identity", *(each["id"] for each in made["identities"]))
        verify = {"identity": made["identities"][0]["id"], "method": "code"}
        self.ask("post", f"{path}/verify", verify)
        self.world.note("letter_id", *(each["id"] for each in self.ask("get", f"{path}/letters")["items"]))

    def retention(self) -> None:
        """Holds, registered records, runs and what they propose, people who fell asleep."""
        person = self.world.ids["external_id"][4]
        hold = {
            "matter": self.text("A matter"),
            "reason": self.text("A claim"),
            "scope": {"subject": {"id": person}},
        }
        self.world.note("hold_id", self.ask("post", "/v1/holds", hold)["id"])
        record = {
            "subject": {"id": self.world.ids["external_id"][5]},
            "data_class": "invoices",
            "created_at": "2001-01-01T00:00:00Z",
            "jurisdiction": "DE",
        }
        self.ask("put", f"/v1/records/{self.tenant}-archive/{self.tenant}-invoice", record)
        self.world.note("record_id", f"{self.tenant}-invoice")
        self.world.canaries.add(f"{self.tenant}-invoice")
        run = self.ask("post", "/v1/retention/runs", {"dry_run": False})
        self.world.note("run_id", run["id"])
        second = Caller(self.caller.client, new_component(self.runtime, tenant=self.tenant))
        assert second.post(f"/v1/retention/runs/{run['id']}/approve").status_code == 200
        assert self.app.extensions["governance-background"].wait(60)
        for item in self.ask("get", "/v1/retention/dispositions")["items"]:
            self.world.note("disposition_id", item["id"])

    def erasure(self) -> None:
        """An erasure that waits for its undo window, and one that waits for somebody to do it by hand."""
        for number in (3, 5):
            order = {"subject": {"id": self.world.ids["external_id"][number]}, "undo_hours": 24}
            self.world.note("erasure_id", self.ask("post", "/v1/erasures", order)["id"])
        second = Caller(self.caller.client, new_component(self.runtime, tenant=self.tenant))
        ended = second.post(f"/v1/erasures/{self.world.ids['erasure_id'][1]}/approve")
        assert ended.status_code < 400, ended.get_json()
        run_erasures.run(self.runtime)
        for item in self.ask("get", "/v1/tasks")["items"]:
            self.world.note("task_id", item["id"])

    def sleepers(self) -> None:
        """Somebody who has done nothing for years, so that a review waits."""
        now = self.clock.at
        self.clock.at = now - timedelta(days=1200)
        with self.runtime.work(self.tenant, COMMAND_LINE) as work:
            person = subjects.put(
                work, f"{self.tenant}-sleeper", SubjectChange(country="US", relationship="client")
            )
            subjects.record_event(work, person.subject_ref, event="contract_ended")
        self.clock.at = now
        reset_inactive.run(self.runtime)
        for item in self.ask("get", "/v1/lifecycle/reviews")["items"]:
            self.world.note("lifecycle_review", item["id"])

    def rest(self) -> None:
        """An import, and the newest of the ledger."""
        rows = f"Id\n{self.tenant}-imported\n".encode()
        files = {"file": (io.BytesIO(rows), "p.csv"), "mapping": (io.BytesIO(MAPPING), "m.yaml")}
        made = self.ask("post", "/v1/imports", None, data=files, content_type="multipart/form-data")
        self.world.note("import_id", made["id"])
        for item in self.ask("get", "/v1/events?limit=5")["items"]:
            self.world.note("event", item["id"])
        self.world.note("access_token", self.caller.token)
        self.world.note("client_id", self.caller.made.component.client_id)
        self.world.note("tenant", self.tenant, self.world.ref)


def build(app: Flask, runtime: Runtime, clock: HandClock, tenant: str) -> World:
    """Fill a tenant."""
    return Builder(app, runtime, clock, tenant).build()


def digests(runtime: Runtime, tenant: str) -> Mapping[str, str]:
    """A digest of every table's rows of one tenant: main database, keyring, decision log."""
    found: dict[str, str] = {}
    keyring = keyring_engine(runtime.settings.keyring_url)
    try:
        stores: list[tuple[Any, sa.MetaData]] = [
            (runtime.engine, metadata),
            (keyring, keyring_metadata),
            (runtime.decision_log.engine, decision_log_metadata),
        ]
        for engine, tables in stores:
            with engine.connect() as plain:
                for table in tables.sorted_tables:
                    if "tenant_id" not in table.c:
                        continue
                    query = sa.select(table).where(table.c.tenant_id == tenant)
                    rows = sorted(repr(tuple(row)) for row in plain.execute(query))
                    text = "\n".join(rows).encode()
                    found[table.name] = f"{len(rows)}:{hashlib.sha256(text).hexdigest()}"
    finally:
        keyring.dispose()
    return found
