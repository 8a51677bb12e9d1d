"""No address, number, name, IP address or free text of a person is readable in any file or log.

A realistic day over HTTP and on the command line, with the mistakes that callers make, is lived through with
values that occur nowhere else. Afterwards every file below the data directory, every temporary file, all
output of the server, its metrics, the audit export and every problem document is searched for them in all
the ways in which they could be written. A server with a seeded leak shows that the search finds it.
"""

import base64
import csv
import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from governance.bootstrap import COMMAND_LINE, assemble
from governance.callers import service as callers
from governance.callers.model import SCOPES
from governance.settings import Settings
from tests.promises.canaries import Canaries, files, forms, hits
from tests.promises.servers import Client, Server, environ_of, serving, token_from

MAPPING = """
mapping: canaries
format: csv
subject: {external_id: Id}
attributes:
  country: {column: Country, values: {Germany: DE, "": null}}
  birth_date: {column: Born}
identifiers:
  - {type: email, column: E-mail}
  - {type: phone, column: Phone}
suppressions:
  - {when: {Opted Out: "Yes"}, scope: marketing, channel: email}
consents:
  - {when: {Opted Out: Unsubscribed}, purpose: marketing, channel: email, status: withdrawn}
"""
COLUMNS = ("Id", "Name", "E-mail", "Phone", "Country", "Born", "Opted Out")
PROMOTION = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}


class Day:
    """The day: every method is something that callers do. `seen` are the bodies that must not tell."""

    def __init__(self, server: Server, token: str, settings: Settings, folder: Path) -> None:
        self.server, self.token, self.settings, self.folder = server, token, settings, folder
        self.client = Client(server.port, token)
        self.canaries = Canaries()
        self.seen: list[tuple[str, bytes]] = []

    def call(self, method: str, path: str, body: Any = None, headers: Any = None, *, ok: bool = True) -> Any:
        """Call; a success if `ok`, else a refusal, whose document is kept for the search."""
        status, answer = self.client.call(method, path, body, headers)
        assert status < 500, (method, path, status, answer)
        assert (status < 400 or status == 403) == ok, (method, path, status, answer)
        if status >= 400:
            self.seen.append((f"{method} {path.split('/')[2]} {status}", json.dumps(answer).encode()))
        return answer

    def evidence(self) -> dict[str, str]:
        some = self.canaries
        return {
            "form_url": f"https://www.example.org/{some.code()}",
            "ip": some.ip(),
            "user_agent": some.agent(),
            "wording": some.text(),
            "name": some.name(),
        }

    def people(self) -> None:
        """Create, update, look up, restrict, merge."""
        some = self.canaries
        for number in range(3):
            self.call(
                "PUT",
                f"/v1/subjects/crm-{number}",
                {
                    "identifiers": [
                        {"type": "email", "value": some.email()},
                        {"type": "phone", "value": some.phone()},
                        {"type": "postal", "value": some.text()},
                        {"type": "device", "value": some.code()},
                        {"type": "social", "value": some.name()},
                    ],
                    "attributes": {"country": "US", "birth_date": some.birth()},
                    "relationship": "lead",
                    "source": {"url": f"https://www.example.org/?who={some.code()}", "channel": "web"},
                },
            )
        first = self.canaries.made[0]
        found = self.call("POST", "/v1/subjects/lookup", {"subject": {"email": first}})
        assert found["id"] == "crm-0", "the address is there and can be found"
        event = {"event": "purchase", "reference": some.text(), "opt_out_offered": True}
        self.call("POST", "/v1/subjects/crm-0/events", event, {"Idempotency-Key": some.email()})
        contacted = {"event": "inquiry", "contact_point": {"type": "email", "value": some.email()}}
        self.call("POST", "/v1/subjects/crm-0/events", contacted)
        self.call("PUT", "/v1/subjects/crm-1/restriction", {"restricted": True, "because": some.text()})
        told = {"at": datetime.now(UTC).isoformat(), "how": some.text()}
        lifted = {"restricted": False, "because": some.text(), "informed": told}
        self.call("PUT", "/v1/subjects/crm-1/restriction", lifted)
        self.call("POST", "/v1/subjects/crm-2/merge", {"into": "crm-1"})
        self.call("GET", "/v1/subjects/crm-0")
        self.call("GET", "/v1/subjects/crm-0/timeline")

    def acts(self) -> None:
        """Consents, captures, objections, suppressions."""
        some = self.canaries
        said = {"subject": {"id": "crm-0"}, "purpose": "marketing", "channel": "email", "method": "web_form"}
        point = {"type": "email", "value": some.email()}
        granted = {**said, "status": "granted", "contact_point": point, "evidence": self.evidence()}
        guarded = {**granted, "guardian": {"name": some.name(), "email": some.email(), "how": some.text()}}
        self.call("POST", "/v1/consents", granted, {"Idempotency-Key": some.code()})
        self.call("POST", "/v1/consents", guarded)
        waiting = self.call("POST", "/v1/consents", {**granted, "status": "requested", "double_opt_in": True})
        token = waiting["confirmation"]["token"]
        self.call("POST", "/v1/consents/confirm", {"token": token, "evidence": self.evidence()})
        self.call("POST", "/v1/consents", {**said, "status": "withdrawn", "evidence": self.evidence()})
        capture = {
            "capture_point": "web-form",
            "subject": {"id": "crm-9", "identifiers": [{"type": "email", "value": some.email()}]},
            "consents": [{"purpose": "marketing", "status": "granted", "channel": "email"}],
            "events": [{"event": "inquiry", "reference": some.text()}],
            "evidence": self.evidence(),
        }
        self.call("POST", "/v1/captures", capture)
        objection = {"subject": {"id": "crm-0"}, "scope": "all", "evidence": self.evidence()}
        made = self.call("POST", "/v1/objections", objection)
        release = {"method": "email", "evidence": self.evidence()}
        self.call("POST", f"/v1/objections/{made['id']}/release", release)
        for target in (
            {"subject": {"id": "crm-0"}},
            {"contact_point": {"type": "phone", "value": some.phone()}},
        ):
            body = {**target, "scope": "marketing", "reason": some.text(), "evidence": self.evidence()}
            made = self.call("POST", "/v1/suppressions", body)
            self.call("POST", "/v1/suppressions/lookup", target)
            because = {"because": some.text(), "evidence": self.evidence()}
            self.call("POST", f"/v1/suppressions/{made['id']}/release", because)
        self.call("GET", "/v1/subjects/crm-0/consents")
        self.call("GET", "/v1/subjects/crm-0/consents/history")

    def gates(self) -> None:
        """Checks with people where components stand, hand-overs, moves, screenings."""
        some = self.canaries
        question = {
            "subject": {"type": "user", "id": some.email(), "properties": {"name": some.name()}},
            "action": {"name": "communication.send", "properties": dict(PROMOTION)},
            "resource": {"type": "data_subject", "id": "crm-1", "properties": {"note": some.text()}},
            "context": {"ip": some.ip(), "user_agent": some.agent()},
        }
        self.call("POST", "/access/v1/evaluation", question)
        self.call(
            "POST",
            "/access/v1/evaluations",
            {**question, "evaluations": [{}, {"context": {"a": some.text()}}]},
        )
        at_point = {**PROMOTION, "contact_point": {"type": "email", "value": some.email()}}
        asked = {**question, "action": {"name": "communication.send", "properties": at_point}}
        self.call("POST", "/access/v1/evaluation", asked)
        stranger = {**question, "resource": {"type": "data_subject", "id": some.code()}}
        self.call("POST", "/access/v1/evaluation", stranger)
        sent = self.call(
            "POST", "/v1/communications", {"subject": {"id": "crm-1"}, "message_id": "m-1", **PROMOTION}
        )
        assert sent["decision"]["decision"], sent
        self.call(
            "POST", f"/v1/communications/{sent['id']}/outcomes", {"outcome": "bounced", "bounce": "hard"}
        )
        path = sent["headers"]["List-Unsubscribe"].strip("<>").removeprefix(self.settings.public_url)
        self.leave(path)
        replying = {**PROMOTION, "in_reply_to": some.email(), "subject": {"id": "crm-1"}, "message_id": "m-9"}
        self.call("POST", "/v1/communications", replying)
        nobody = {**PROMOTION, "subject": {"email": some.email()}, "message_id": "m-10"}
        self.call("POST", "/v1/communications", nobody)
        move = {"subject": {"id": "crm-9"}, "model": "relationship", "to": "client", "because": some.text()}
        move["evidence"] = {"contract_reference": some.text(), "signed_by": some.name()}
        self.call("POST", "/v1/lifecycle/transitions", move)
        made = self.call(
            "POST",
            "/v1/screenings",
            {"question": {"action": "communication.send", **PROMOTION}, "audience": {"all": True}},
        )
        self.until(f"/v1/screenings/{made['id']}")
        self.call("GET", f"/v1/screenings/{made['id']}/results")
        self.call("GET", "/v1/decisions")
        for scope in ({"subject": {"id": "crm-9"}}, {"filter": {"country": ["JP"]}}):
            held = self.call(
                "POST", "/v1/holds", {"matter": some.text(), "reason": some.text(), "scope": scope}
            )
            assert held["reason"] in some.made

    def requests(self) -> None:
        """Requests about their data, by the CRM and by the public form, with everything that people write."""
        some = self.canaries
        told = {"name": some.name(), "details": {"text": some.text(), "corrections": {"email": some.email()}}}
        agent = {
            "kind": "guardian",
            "name": some.name(),
            "contact": some.email(),
            "evidence": {"id": some.code()},
        }
        named = [{"id": "crm-0"}, {"email": some.email()}, {"phone": some.phone()}]
        made = self.call(
            "POST",
            "/v1/rights-requests",
            {"type": "human_review", "identities": named, "on_behalf_of": agent, **told},
        )
        path = f"/v1/rights-requests/{made['id']}"
        looked = {"looked_at": some.text(), "passport": some.code()}
        self.call("POST", f"{path}/verify", {"authority": "accepted", "evidence": looked})
        for each in made["identities"]:
            self.call("POST", f"{path}/verify", {"identity": each["id"], "method": "code"})
            proof = {"identity": each["id"], "method": "staff", "evidence": looked}
            self.call("POST", f"{path}/verify", proof)
        self.call("POST", f"{path}/extend", {"because": some.text()})
        assert some.made[-1] in str(self.call("GET", f"{path}/letters")), (
            "it can be read where it is asked for"
        )
        self.call("POST", f"{path}/fulfil", {"because": some.text(), "partly": True})
        other = self.call("POST", "/v1/rights-requests", {"type": "access", "identities": named[:1], **told})
        refusal = {"ground": "identity-not-verified", "because": some.text()}
        self.call("POST", f"/v1/rights-requests/{other['id']}/refuse", refusal)
        for type_ in ("objection", "withdraw_consent", "erasure"):
            self.fill_in(type_)
        assert self.command("jobs", "run", "match-rights-requests").returncode == 0
        assert self.command("jobs", "run", "run-rights-clocks").returncode == 0

    def fill_in(self, type_: str) -> None:
        """Somebody uses the public form, once wrongly."""
        some = self.canaries
        for email in (some.code(), some.email()):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            connection.request("GET", "/privacy/requests")
            form = connection.getresponse().read().decode().split('name="form" value="')[1].split('"')[0]
            said = {"type": type_, "email": email, "name": some.name(), "details": some.text(), "form": form}
            headers = {"User-Agent": some.agent(), "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/privacy/requests", urlencode(said), headers)
            answer = connection.getresponse()
            page = answer.read()
            assert answer.status == (200 if "@" in email else 422), page
            if answer.status == 200:
                self.seen.append(("public form", page))
            connection.close()

    def leave(self, path: str) -> None:
        """The person opens the link and leaves, from an own browser."""
        for method, form in (("GET", None), ("POST", "List-Unsubscribe=One-Click")):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            headers = {
                "User-Agent": self.canaries.agent(),
                "X-Forwarded-For": self.canaries.ip(),
                "Referer": f"https://mail.example/?{self.canaries.code()}",
                "Content-Type": "application/x-www-form-urlencoded",
            }
            connection.request(method, path, form, headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            self.seen.append(("unsubscribe page", answer.read()))
            connection.close()

    def until(self, path: str) -> Any:
        """Ask again until the work is done."""
        for _ in range(600):
            found = self.call("GET", path)
            if found["status"] in ("completed", "failed"):
                return found
            time.sleep(0.05)
        raise AssertionError(path)

    def rows(self) -> list[dict[str, str]]:
        """People of a CRM's export; half of them cannot be taken in."""
        some = self.canaries
        rows = []
        for number in range(8):
            row = {
                "Id": f"imported-{uuid.UUID(int=len(some.made)).hex}",
                "Name": some.name(),
                "E-mail": some.email(),
                "Phone": some.phone(),
                "Country": "Germany",
                "Born": some.birth(),
                "Opted Out": ("No", "Yes", "Unsubscribed", "")[number % 4],
            }
            wrong = {
                1: {"Country": some.text()},
                3: {"E-mail": some.code() + "@"},
                5: {"Id": some.email()},
                7: {"Born": some.text()},
            }
            rows.append(row | wrong.get(number, {}))
        return rows

    def imports(self) -> None:
        """A file by upload, and a file on the command line; broken lines in both."""
        file, mapping = self.folder / "people.csv", self.folder / "mapping.yaml"
        mapping.write_text(MAPPING)
        for upload in (True, False):
            with file.open("w", encoding="utf-8", newline="") as target:
                writer = csv.DictWriter(target, COLUMNS)
                writer.writeheader()
                writer.writerows(self.rows())
                target.write(f"{self.canaries.name()},{self.canaries.email()}\n")
                target.write(f'x,"{self.canaries.name()}" y,{self.canaries.email()}\n')
            if upload:
                self.upload(file, mapping)
            else:
                words = ["import", "subjects", str(file), "--mapping", str(mapping), "--tenant", "acme"]
                done = self.command(*words)
                assert done.returncode == 0, done.stderr
                assert "failed" in done.stdout
        file.unlink()

    def upload(self, file: Path, mapping: Path) -> None:
        edge = "canary-edge"
        told = 'Content-Disposition: form-data; name="{}"; filename="{}"'
        parts = [
            f"--{edge}\r\n{told.format(name, path.name)}\r\n\r\n".encode() + path.read_bytes() + b"\r\n"
            for name, path in (("file", file), ("mapping", mapping))
        ]
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": f"multipart/form-data; boundary={edge}",
        }
        connection.request("POST", "/v1/imports", b"".join(parts) + f"--{edge}--\r\n".encode(), headers)
        answer = connection.getresponse()
        begun = json.loads(answer.read())
        connection.close()
        assert answer.status == 202, begun
        done = self.until(f"/v1/imports/{begun['id']}")
        counts = done["counts"]
        assert (counts["created"], counts["failed"]) == (4, 6), done

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "governance", *words],
            env=environ_of(self.settings),
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.client.close()  # a server keeps an idle connection for half a minute only
        self.client = Client(self.server.port, self.token)
        return done

    def mistakes(self) -> None:
        """What callers do wrong, with people where none belong."""
        some = self.canaries
        made = (self.mistaken_people(), self.mistaken_acts(), self.mistaken_questions())
        for method, path, body in chain.from_iterable(made):
            headers = {"X-Request-ID": some.email(), "User-Agent": some.agent(), "X-Forwarded-For": some.ip()}
            self.call(method, path, body, headers, ok=False)
        self.raw(f'{{"subject": {{"email": "{some.email()}"}}, oops'.encode())
        self.raw(b"\xff\xfe" + some.text().encode())
        self.raw(json.dumps({"subject": {"id": some.text()}, "x": "\ud800"}).encode())
        self.raw(json.dumps({some.name(): [some.text()] * 100_000}).encode())
        self.raw(json.dumps({"subject": {"id": some.email()}}).encode(), token=some.code())

    def mistaken_people(self) -> Iterator[tuple[str, str, Any]]:
        some, crm = self.canaries, "/v1/subjects/crm-0"
        yield "GET", f"/v1/subjects/{some.email()}", None
        yield "PUT", f"/v1/subjects/{some.email()}", {"attributes": {}}
        yield "POST", "/v1/subjects/lookup", {"subject": {"email": some.text()}}
        yield "POST", "/v1/subjects/lookup", {"subject": {"email": some.email()}}
        yield "POST", f"{crm}/merge", {"into": some.email()}
        yield "POST", f"{crm}/events", {"event": some.text(), "reference": some.text()}
        yield "POST", f"{crm}/events", {"event": "purchase", "product_family": some.email()}
        for body in (
            {some.email(): some.name()},
            {"attributes": {"country": some.text()}},
            {"attributes": {"time_zone": some.name(), "region": some.text()}},
            {"attributes": {"birth_date": some.text()}},
            {"attributes": {"language": some.code(), "customer_type": some.name()}},
            {"relationship": some.name()},
            {"source": {"channel": some.email()}},
            {"source": {"capture_point": some.email()}},
            {"organisation": {"id": some.email()}},
            {"identifiers": [{"type": some.name(), "value": some.email()}]},
            {"identifiers": [{"type": "email", "value": some.text()}]},
            {"identifiers": [{"type": "phone", "value": some.email()}]},
        ):
            yield "PUT", crm, body

    def mistaken_acts(self) -> Iterator[tuple[str, str, Any]]:
        some, crm = self.canaries, {"subject": {"id": "crm-0"}}
        granted = {**crm, "purpose": "marketing", "status": "granted", "method": "web_form"}
        for wrong in (
            {"purpose": some.email()},
            {"method": some.text()},
            {"topic": some.email()},
            {"controller": some.phone()},
            {"subject": {"phone": some.phone()}},
            {"notice": {"id": some.email(), "version": some.text()}},
        ):
            yield "POST", "/v1/consents", granted | wrong
        yield "POST", "/v1/consents/confirm", {"token": some.code()}
        yield "POST", "/v1/suppressions", {"contact_point": {"type": "email", "value": some.text()}}
        sending = {**crm, "message_id": "m-2", **PROMOTION}
        for wrong in (
            {"message_id": some.email()},
            {"campaign": some.email()},
            {"topic": some.email()},
            {"screening": some.email()},
            {"product_family": some.email()},
            {"purpose": some.email()},
        ):
            yield "POST", "/v1/communications", sending | wrong
        yield "POST", f"/v1/communications/{some.code()}/outcomes", {"outcome": "delivered"}
        asked = {"type": "access", "identities": [{"email": some.email()}]}
        for wrong in (
            {"type": some.name()},
            {"identities": [{"id": some.email()}]},
            {"identities": [{"email": some.text()}]},
            {"regime": some.text()},
            {"received_at": some.text()},
            {"on_behalf_of": {"kind": some.name()}},
            {"type": "objection", "details": {"scope": some.text()}},
        ):
            yield "POST", "/v1/rights-requests", asked | wrong
        yield "POST", f"/v1/rights-requests/{some.code()}/verify", {"identity": some.name(), "method": "code"}
        yield "POST", "/v1/lifecycle/transitions", {**crm, "model": "relationship", "to": some.name()}

    def mistaken_questions(self) -> Iterator[tuple[str, str, Any]]:
        some = self.canaries
        question = {"action": "communication.send", **PROMOTION}
        for wrong in (
            {"question": {"action": some.name()}},
            {"audience": {"ids": [some.email()]}},
            {"audience": {some.email(): some.text()}},
            {"audience": {"filter": {"country": [some.name()]}}},
        ):
            yield "POST", "/v1/screenings", {"question": question, "audience": {"all": True}} | wrong
        yield "POST", "/access/v1/evaluation", {"subject": {"type": "user", "id": some.email()}}
        yield "GET", f"/v1/decisions/{some.code()}", None
        yield "GET", f"/v1/decisions?subject={some.code()}&from={some.code()}", None
        yield "GET", f"/v1/purposes/{some.code()}", None
        yield "GET", f"/v1/nothing/{some.code()}", None

    def raw(self, body: bytes, *, token: str | None = None) -> None:
        """Post bytes to the consents; they are refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        connection.request("POST", f"/v1/consents?hint={self.canaries.code()}", body, headers)
        answer = connection.getresponse()
        assert 400 <= answer.status < 500
        self.seen.append((f"POST consents {answer.status}", answer.read()))
        connection.close()

    def end(self) -> None:
        """The jobs run, the audit trail is exported, somebody looks at the numbers."""
        for job in ("seal-decisions", "seal-checkpoint"):
            done = self.command("jobs", "run", job)
            assert done.returncode == 0, done.stderr
            self.seen.append((job, (done.stdout + done.stderr).encode()))
        export = self.command("audit", "export", "--tenant", "acme")
        assert export.returncode == 0
        self.seen.append(("audit export on the command line", export.stdout.encode()))
        checked = self.command("fsck")
        assert checked.returncode == 0, checked.stderr
        for path in ("/v1/audit/export", "/metrics", "/v1/audit/entries", "/v1/events"):
            status, text = self.client.call("GET", path)
            assert status == 200
            told = text if isinstance(text, str) else json.dumps(text)
            assert len(told) > 500
            self.seen.append((path, told.encode()))


def tables(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """On PostgreSQL everything in every table, as text; binary values in hexadecimal digits."""
    if not settings.database_url.startswith("postgresql"):
        return
    with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as copy:  # type: ignore[call-overload]
                yield f"table {name}", b"".join(bytes(part) for part in copy)


def credentials(settings: Settings) -> tuple[str, str]:
    runtime = assemble(settings)
    try:
        with runtime.work("acme", COMMAND_LINE) as work:
            made = callers.create_client(work, name="crm", scopes=SCOPES)
    finally:
        runtime.close()
    return made.component.client_id, made.secret or ""


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def test_nobody_can_be_read_in_what_a_day_leaves_behind(
    kind: str, make_settings: Callable[[str], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(kind)
    client = credentials(settings)
    scratch, logs = tmp_path / "scratch", tmp_path / "logs"
    (scratch / "metrics").mkdir(parents=True)
    logs.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(scratch / "metrics"))
    with serving(settings, logs / "server.log") as (server,):
        token = token_from(server.port, *client)
        day = Day(server, token, settings, tmp_path)
        for part in (day.people, day.acts, day.imports, day.gates, day.requests, day.mistakes, day.end):
            part()
        places = (settings.data_dir, scratch, logs)
        left = list(files(*places))
    left += [*files(*places), *tables(settings), *day.seen]
    assert hits(day.canaries.made, left) == []
    assert len(day.canaries.made) > 250
    assert (logs / "server.log").read_text().count('"event": "request"') > 80


def test_a_server_that_logs_bodies_is_found_out(
    make_settings: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = make_settings("sqlite")
    client = credentials(settings)
    with serving(settings, tmp_path / "server.log", app="tests.promises.leaky_app:app") as (server,):
        day = Day(server, token_from(server.port, *client), settings, tmp_path)
        day.people()
    found = hits(day.canaries.made, files(tmp_path))
    assert len(found) > 10
    assert all(one.startswith(str(tmp_path / "server.log")) for one in found)


def test_every_way_of_writing_is_found_in_the_middle_of_a_file(tmp_path: Path) -> None:
    some = Canaries()
    values = [
        some.email(),
        some.phone(),
        some.name(),
        some.ip(),
        some.agent(),
        some.text(),
        some.birth(),
        some.code(),
    ]
    for value in values:
        for name, form in forms(value).items():
            (tmp_path / "file").write_bytes(b"before" + form + b"after")
            assert hits(values, files(tmp_path)), (value, name)
    (tmp_path / "file").write_bytes(b"before and after")
    assert hits(values, files(tmp_path)) == []


def test_base64_is_found_wherever_it_begins(tmp_path: Path) -> None:
    some = Canaries()
    value = some.email()
    for shift in range(9):
        coded = base64.b64encode(b"x" * shift + value.encode() + b"y" * 5)
        assert hits([value], [("there", coded)]), shift
