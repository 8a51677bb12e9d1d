"""The pages behind links in a real headless Chromium (skipped without one), with JavaScript and without."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from api import create_app
from governance.bootstrap import COMMAND_LINE, Runtime
from governance.callers import service as callers
from governance.ledger import service as ledger
from retention_jobs import build_packages, match_rights_requests
from tests.api.conftest import Caller, new_component
from tests.fixtures.signing_in import LOGIN, PASSWORD, VERIFIER, account, challenge
from tests.promises.servers import free_port

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=390,844",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The member under which WebDriver names an element (W3C WebDriver §11)."""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed"
)


class Browser:
    """A headless Chromium, driven over the W3C WebDriver protocol by the standard library alone."""

    def __init__(self, port: int, folder: Path, *, scripts: bool) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.downloads = folder / "downloads"
        options: dict[str, Any] = {
            "binary": CHROMIUM,
            "args": [*FLAGS, f"--user-data-dir={folder}"],
            "prefs": {"download.default_directory": str(folder / "downloads")}
            | ({} if scripts else {"profile.managed_default_content_settings.javascript": 2}),
        }
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.base += f"/session/{self.ask('POST', '/session', wanted)['sessionId']}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        request = Request(self.base + path, sent, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=60) as answer:  # loopback
            return json.loads(answer.read())["value"]

    def open(self, url: str) -> str:
        self.ask("POST", "/url", {"url": url})
        return self.source()

    def source(self) -> str:
        return str(self.ask("GET", "/source"))

    def click(self, selector: str, until: str = "") -> str:
        """Press something, and wait for a page that says so."""
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        self.ask("POST", f"/element/{found}/click", {})
        for _ in range(50):
            if until in (shown := self.source()):
                return shown
            time.sleep(0.1)
        raise AssertionError(f"no page said {until!r}: {shown}")

    def write(self, selector: str, text: str) -> None:
        """Type into a field."""
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        self.ask("POST", f"/element/{found}/value", {"text": text})

    def fits(self) -> bool:
        """Whether no field or button is wider than the window."""
        window = self.ask("GET", "/window/rect")["width"]
        found = self.ask("POST", "/elements", {"using": "css selector", "value": "main *"})
        rects = [self.ask("GET", f"/element/{each[ELEMENT]}/rect") for each in found]
        return all(rect["x"] >= 0 and rect["x"] + rect["width"] <= window for rect in rects)

    def downloaded(self, name: str) -> bytes:
        """What a button that was pressed gave as a file."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                return (self.downloads / name).read_bytes()
            time.sleep(0.1)
        raise AssertionError(f"nothing was downloaded as {name}")

    def close(self) -> None:
        self.ask("DELETE", "")


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen([str(DRIVER), f"--port={port}"], **quiet)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/status", timeout=5):
                break
            time.sleep(0.1)
        opened = Browser(port, tmp_path / "profile", scripts=request.param)
        if not request.param:
            assert "<p>no scripts</p>" in opened.open(
                "data:text/html,<noscript><p>no scripts</p></noscript>"
            ), "the browser runs no scripts"
        yield opened
        opened.close()
    finally:
        driver.terminate()
        driver.wait(timeout=20)


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing: addresses hold tokens."""

    def log(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(runtime: Runtime) -> Iterator[tuple[Runtime, Caller]]:
    """The application on a port of loopback, and a caller with a token."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    runtime = Runtime(
        replace(runtime.settings, public_url=url),
        runtime.engine,
        runtime.vault,
        runtime.decision_log,
        runtime.clock,
        runtime.ids,
    )
    app = create_app(runtime)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield runtime, Caller(app.test_client(), new_component(runtime))
    server.shutdown()
    thread.join()


def links(caller: Caller) -> dict[str, str]:
    """The links that one person was sent, by page."""
    address = {"type": "email", "value": "anna@example.org"}
    person = {"identifiers": [address], "attributes": {"country": "US"}, "relationship": "lead"}
    assert caller.put("/v1/subjects/crm-1", person).status_code == 201
    named = {"subject": {"id": "crm-1"}}
    consent = {**named, "purpose": "marketing", "channel": "email", "method": "web_form"}
    assert caller.post("/v1/consents", {**consent, "status": "granted"}).status_code == 201
    asked = {**consent, "purpose": "newsletter", "status": "requested", "double_opt_in": True}
    waiting = caller.post("/v1/consents", {**asked, "contact_point": address}).get_json()["confirmation"]
    message = {**named, "message_id": "m1", "channel": "email", "purpose": "marketing"}
    sent = caller.post("/v1/communications", {**message, "message_class": "promotional"}).get_json()
    page = caller.post("/v1/preferences/links", named).get_json()["url"]
    base = page.split("/preferences/")[0]
    return {
        "preferences": page,
        "unsubscribe": sent["headers"]["List-Unsubscribe"].strip("<>"),
        "confirm": f"{base}/confirm/{waiting['token']}",
    }


def size(runtime: Runtime) -> int:
    with runtime.engine.connect() as connection:
        return ledger.head(connection, "acme")[0]


def test_loading_a_page_changes_nothing_and_pressing_its_button_does(
    site: tuple[Runtime, Caller], browser: Browser
) -> None:
    runtime, caller = site
    found = links(caller)
    before = size(runtime)
    for url in found.values():
        shown = browser.open(url)
        assert "<script" not in shown
        assert "anna" not in shown
    assert size(runtime) == before

    browser.open(found["confirm"])
    browser.click("button", until="Thank you")
    browser.open(found["unsubscribe"])
    browser.click("button", until="You are unsubscribed.")
    assert size(runtime) > before

    browser.open(found["preferences"])
    browser.click('input[name="choice.events.email"][value="on"]')
    browser.click('button[name="save"]', until="Your choices are saved")
    state = caller.get("/v1/subjects/crm-1/consents").get_json()["consents"]
    stands = {each["purpose"]: each["status"] for each in state if each["contact_point"] is None}
    assert (stands["events"], stands["marketing"]) == ("granted", "withdrawn")
    browser.click('button[name="everything"]', until="Everything is off")
    objections = caller.get("/v1/subjects/crm-1/consents").get_json()["objections"]
    assert [each["status"] for each in objections] == ["marketing"]


def test_the_form_for_requests_is_filled_in_confirmed_and_followed(
    site: tuple[Runtime, Caller], browser: Browser
) -> None:
    runtime, caller = site
    links(caller)
    base = runtime.settings.public_url
    shown = browser.open(f"{base}/privacy/requests")
    assert "<script" not in shown
    assert browser.fits(), "nothing is wider than a telephone"
    browser.write("#email", "anna@example.org")
    browser.write("#name", "<i>Anna</i>")
    browser.click('#type option[value="access"]')
    browser.click('#country option[value="DE"]')
    sent = browser.click('button[type="submit"]', until="We have your request")
    assert "anna" not in sent
    assert match_rights_requests.run(runtime) == 1

    (made,) = caller.get("/v1/rights-requests").get_json()["items"]
    (letter,) = caller.get(f"/v1/rights-requests/{made['id']}/letters").get_json()["items"]
    page = re.findall(rf"{base}/privacy/requests/\S+", letter["text"])[0]
    asked = browser.open(page)
    assert "Was that you?" in asked
    assert caller.get(f"/v1/rights-requests/{made['id']}").get_json()["status"] == "verifying"
    followed = browser.click('button[value="confirm"]', until="We are working on it.")
    assert "Answer due by" in followed
    done = caller.get(f"/v1/rights-requests/{made['id']}").get_json()
    assert (done["status"], done["name"]) == ("in_progress", "<i>Anna</i>")
    browser.click('button[value="withdraw"]', until="It was withdrawn.")


def test_somebody_signs_in_and_is_led_back(site: tuple[Runtime, Caller], browser: Browser) -> None:
    runtime, _ = site
    made = account(runtime)
    back = f"{runtime.settings.public_url}/healthz"
    with runtime.work("acme", COMMAND_LINE) as work:
        console = callers.create_client(work, name="Console", scopes=["audit:read"], redirect_uris=[back])
    asked = {
        "response_type": "code",
        "client_id": console.component.client_id,
        "redirect_uri": back,
        "scope": "audit:read",
        "state": "s",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
    }
    shown = browser.open(f"{runtime.settings.public_url}/oauth/authorize?{urlencode(asked)}")
    assert "<script" not in shown
    assert browser.fits(), "nothing is wider than a telephone"
    for password, until in (("not the password", "is wrong"), (PASSWORD, "alive")):
        browser.write("#login", LOGIN)
        browser.write("#password", password)
        browser.write("#code", made.recovery_codes[0])
        browser.click('button[type="submit"]', until=until)
    location = str(browser.ask("GET", "/url"))
    assert location.startswith(f"{back}?code=")
    form = {"grant_type": "authorization_code", "redirect_uri": back, "code_verifier": VERIFIER}
    form |= {
        "client_id": console.component.client_id,
        "code": location.partition("code=")[2].partition("&")[0],
    }
    sent = Request(f"{runtime.settings.public_url}/oauth/token", urlencode(form).encode())
    with urlopen(sent, timeout=20) as answer:  # loopback
        assert json.loads(answer.read())["scope"] == "audit:read"


def test_the_package_is_fetched_once_from_the_page_behind_its_link(
    site: tuple[Runtime, Caller], browser: Browser
) -> None:
    runtime, caller = site
    links(caller)
    base = runtime.settings.public_url
    browser.open(f"{base}/privacy/requests")
    browser.write("#email", "anna@example.org")
    browser.click('#type option[value="access"]')
    browser.click('button[type="submit"]', until="We have your request")
    assert match_rights_requests.run(runtime) == 1
    (made,) = caller.get("/v1/rights-requests").get_json()["items"]
    (letter,) = caller.get(f"/v1/rights-requests/{made['id']}/letters").get_json()["items"]
    page = re.findall(rf"{base}/privacy/requests/\S+", letter["text"])[0]
    browser.open(page)
    browser.click('button[value="confirm"]', until="We are working on it.")
    assert build_packages.run(runtime) == 1

    assert "Fetch your data" in browser.open(page)
    shown = browser.click("a.button", until="Fetch my data")
    assert "<script" not in shown
    assert "anna" not in shown
    assert browser.fits()
    before = size(runtime)
    browser.ask("POST", "/refresh", {})
    assert size(runtime) == before, "looking uses nothing up"
    browser.click("main button", until="Fetch my data")
    with zipfile.ZipFile(io.BytesIO(browser.downloaded("your-data.zip"))) as archive:
        read = archive.read("your-data.html").decode()
    assert "anna@example.org" in read
    readable = browser.downloads / "your-data.html"
    readable.write_text(read)
    assert "Your data" in browser.open(readable.as_uri())
    assert "Fetch your data" not in browser.open(page), "used up"
