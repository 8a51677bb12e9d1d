"""Promise: a link does nothing until its button is pressed, and nothing but the very link does anything.

Mail scanners follow links: whatever they ask for, not a row changes. Every truncation, every flipped bit and
every link of another kind or tenant is answered with the bytes that answer nonsense, and has no effect.
"""

import base64
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from governance.bootstrap import Runtime
from governance.database import metadata
from tests.api.conftest import Caller, application_over, new_component
from tests.conftest import HandClock

KINDS = ("unsubscribe", "confirm", "preferences")
PRESSED = {
    "unsubscribe": {"List-Unsubscribe": "One-Click"},
    "confirm": {},
    "preferences": {"everything": "off"},
}
PUBLIC_URL = "https://privacy.example.org"
SEED = 20261121
POSTS = 60
"""So many of the changed links, drawn by lot, are pressed as well as opened."""


@dataclass
class Mailbox:
    """One person's links, in one tenant."""

    runtime: Runtime
    caller: Caller
    tenant: str

    @property
    def browser(self) -> FlaskClient:
        return self.caller.client

    def links(self, who: str = "crm-1") -> dict[str, str]:
        """A token of each kind; nobody has pressed anything."""
        subject = {"id": who}
        mail = {"identifiers": [{"type": "email", "value": f"{who}@example.org"}]}
        self._call("put", f"/v1/subjects/{who}", {**mail, "attributes": {"country": "DE"}})
        said = {"subject": subject, "channel": "email", "method": "web_form"}
        given = {"status": "granted", "evidence": {"form_url": "https://www.example.org/form"}}
        self._call("post", "/v1/consents", {**said, **given, "purpose": "marketing"})
        asked = {"status": "requested", "double_opt_in": True, "purpose": "newsletter"}
        waiting = self._call("post", "/v1/consents", {**said, **asked})
        self._call("post", "/v1/lifecycle/transitions", {"subject": subject, "to": "lead"})
        question = {"channel": "email", "message_class": "promotional", "purpose": "marketing"}
        sent = self._call("post", "/v1/communications", {"subject": subject, "message_id": who, **question})
        page = self._call("post", "/v1/preferences/links", {"subject": subject})
        return {
            "unsubscribe": sent["headers"]["List-Unsubscribe"].strip("<>").rsplit("/", 1)[1],
            "confirm": waiting["confirmation"]["token"],
            "preferences": page["url"].rsplit("/", 1)[1],
        }

    def _call(self, method: str, path: str, body: Any) -> Any:
        answer = getattr(self.caller, method)(path, body)
        assert answer.status_code in (200, 201), answer.data
        return answer.get_json()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table of the main database."""
        with self.runtime.engine.connect() as connection:
            return {
                table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
                for table in metadata.sorted_tables
            }


@pytest.fixture
def mailbox(runtime: Runtime) -> Mailbox:
    return Mailbox(runtime, Caller(application_over(runtime).test_client(), new_component(runtime)), "acme")


@pytest.fixture
def neighbour(mailbox: Mailbox) -> Mailbox:
    """The same person as a customer of another tenant of the same installation."""
    runtime = mailbox.runtime
    runtime.create_tenant("other", name="Other", country="DE", address=None)
    return Mailbox(runtime, Caller(mailbox.browser, new_component(runtime, tenant="other")), "other")


Answer = tuple[int, tuple[tuple[str, str], ...], bytes]


def answer_to(
    browser: FlaskClient, kind: str, token: str, *, press: bool = False, accept: str = "text/html"
) -> Answer:
    """Everything that a link's holder sees, but for the request's own id."""
    headers = {"Accept": accept, "Sec-GPC": "1"}
    path = f"/{kind}/{quote(token, safe='')}"
    answer = (
        browser.post(path, data=PRESSED[kind], headers=headers)
        if press
        else browser.get(path, headers=headers)
    )
    seen = tuple(sorted(item for item in answer.headers.items() if item[0] != "X-Request-ID"))
    body = re.sub(rb"urn:request:\w+", b"", answer.get_data())
    return answer.status_code, seen, body


def changed(token: str, kind: str, random_: random.Random) -> Iterator[str]:
    """Every truncation at either end, every flipped bit, and some more spellings of a token."""
    yield from (token[:end] for end in range(1, len(token)))
    yield from (token[start:] for start in range(1, len(token)))
    yield from (token + "=", token + "A", token + "." + token, token.swapcase(), token.upper(), token[::-1])
    if kind == "confirm":  # plain text: every bit of every character
        for at, letter in enumerate(token):
            yield from (token[:at] + chr(ord(letter) ^ 1 << bit) + token[at + 1 :] for bit in range(7))
        return
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for bit in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
    for at, letter in enumerate(token):
        yield token[:at] + chr(ord(letter) ^ 1 << random_.randrange(7)) + token[at + 1 :]


def test_opening_a_link_changes_not_a_row_whoever_opens_it(mailbox: Mailbox) -> None:
    links = mailbox.links()
    before = mailbox.rows()
    scanner = {"User-Agent": "link-scanner/1.0", "Purpose": "prefetch", "Sec-GPC": "1"}
    for kind, token in links.items():
        for method in ("get", "head", "options"):
            for query in ("", "?List-Unsubscribe=One-Click", "?everything=off"):
                answer = getattr(mailbox.browser, method)(f"/{kind}/{token}{query}", headers=scanner)
                assert answer.status_code == 200, (kind, method)
                assert "Set-Cookie" not in answer.headers
        for method in ("put", "patch", "delete"):
            assert getattr(mailbox.browser, method)(f"/{kind}/{token}").status_code == 405
    assert mailbox.rows() == before
    # The very links do act, once they are pressed.
    for kind, token in links.items():
        assert answer_to(mailbox.browser, kind, token, press=True)[0] == 200
        assert mailbox.rows() != before
        before = mailbox.rows()


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_link_is_answered_like_nonsense_and_has_no_effect(mailbox: Mailbox, kind: str) -> None:
    token = mailbox.links()[kind]
    random_ = random.Random(SEED)
    wrong = [
        each for each in dict.fromkeys(changed(token, kind, random_)) if each != token and "/" not in each
    ]
    assert len(wrong) > 500
    before = mailbox.rows()
    nonsense = answer_to(mailbox.browser, kind, "nonsense")
    assert nonsense[0] == 404
    assert [each for each in wrong if answer_to(mailbox.browser, kind, each) != nonsense] == []
    pressed = answer_to(mailbox.browser, kind, "nonsense", press=True)
    assert pressed[0] == 404
    for each in random_.sample(wrong, POSTS):
        assert answer_to(mailbox.browser, kind, each, press=True) == pressed, each
    assert mailbox.rows() == before


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_link_of_another_kind_or_tenant_or_of_nobody_is_answered_like_nonsense(
    mailbox: Mailbox, neighbour: Mailbox, accept: str
) -> None:
    here, there = mailbox.links(), neighbour.links()
    before = mailbox.rows()
    for kind in KINDS:
        told = {
            press: answer_to(mailbox.browser, kind, "nonsense", press=press, accept=accept)
            for press in (False, True)
        }
        strangers = [here[other] for other in KINDS if other != kind]
        strangers += [
            f"tnt_{'0' * 32}.{'A' * 43}",
            mixed(kind, here[kind], there[kind]),
            mixed(kind, there[kind], here[kind]),
        ]
        for stranger in strangers:
            for press, answer in told.items():
                assert answer_to(mailbox.browser, kind, stranger, press=press, accept=accept) == answer
    assert mailbox.rows() == before


def mixed(kind: str, one: str, other: str) -> str:
    """A token that claims to be of one tenant and was made by another."""
    if kind == "confirm":
        return one.split(".")[0] + "." + other.split(".")[1]
    first, second = (base64.urlsafe_b64decode(each + "=" * (-len(each) % 4)) for each in (one, other))
    forged = first.split(b"\0")[0] + b"\0" + second.split(b"\0", 1)[1]
    return base64.urlsafe_b64encode(forged).rstrip(b"=").decode()


def test_a_component_of_another_tenant_confirms_nothing(mailbox: Mailbox, neighbour: Mailbox) -> None:
    token = mailbox.links()["confirm"]
    before = mailbox.rows()
    answers = [
        neighbour.caller.post("/v1/consents/confirm", {"token": each})
        for each in (token, token[:-1], "nonsense")
    ]
    assert {answer.status_code for answer in answers} == {404}
    told = {re.sub(rb"urn:request:\w+", b"", answer.get_data()) for answer in answers}
    assert len(told) == 1
    assert mailbox.rows() == before


def test_a_confirmation_that_is_replayed_gives_nothing_back(mailbox: Mailbox, clock: HandClock) -> None:
    links = mailbox.links()
    browser, token = mailbox.browser, links["confirm"]
    assert answer_to(browser, "confirm", token, press=True)[0] == 200
    before = mailbox.rows()
    assert answer_to(browser, "confirm", token)[0] == 200, "pressed twice: said twice, done once"
    clock.forward(timedelta(minutes=1))
    no = {"subject": {"id": "crm-1"}, "purpose": "newsletter", "status": "withdrawn", "method": "web_form"}
    assert mailbox.caller.post("/v1/consents", no).status_code == 201
    assert mailbox.rows() != before
    before = mailbox.rows()
    clock.forward(timedelta(minutes=1))
    # The person has left since. The old link neither brings them back nor says that it did.
    for press in (False, True):
        assert answer_to(browser, "confirm", token, press=press)[0] == 409
    assert mailbox.caller.post("/v1/consents/confirm", {"token": token}).status_code == 409
    assert mailbox.rows() == before


def test_links_that_have_run_out_say_no_more_than_that(mailbox: Mailbox, clock: HandClock) -> None:
    links = {who: mailbox.links(who) for who in ("crm-1", "crm-2")}
    clock.forward(timedelta(days=31))
    for kind in ("confirm", "preferences"):
        told = {answer_to(mailbox.browser, kind, links[who][kind]) for who in links}
        assert len(told) == 1, "the same page for everybody"
        assert {status for status, _, _ in told} == {410}


def test_the_campaign_catches_a_door_that_tells_strangers_apart(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api import links as door
    from governance.errors import ConflictError, NotFoundError

    honest: Callable[..., tuple[str, str]] = door.open_link

    def talkative(runtime: Runtime, token: str) -> tuple[str, str]:
        tenant_id, secret = honest(runtime, token)
        if not secret.startswith(token_here[:2]):
            raise NotFoundError("This link is not known.")
        if secret != token_here:
            raise ConflictError("This link was changed.")
        return tenant_id, secret

    token = mailbox.links()["confirm"]
    token_here = token.split(".")[1]
    monkeypatch.setattr(door, "open_link", talkative)
    with pytest.raises(AssertionError):
        test_every_changed_link_is_answered_like_nonsense_and_has_no_effect(mailbox, "confirm")
