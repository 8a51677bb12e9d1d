"""What a processor found for an access request: fetched, read, and never only pointed at."""

import base64
import io
import json
import lzma
import zipfile
from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.errors import InvalidError
from governance.systems import opendsr_results, operations
from governance.systems.model import Outcome
from tests.conftest import ACTOR
from tests.fixtures.far_system import FarSystem
from tests.governance.systems.conftest import allowing
from tests.governance.systems.test_opendsr import (
    DOMAIN,
    Processor,
    ask,
    far,
    processor,
    put,
    registered,
    report,
    signed,
)

__all__ = ["far", "processor", "registered"]  # fixtures


def collected(runtime: Runtime, processor: Processor, status: int, media: str, body: bytes) -> Outcome:
    """Ask for access, let the processor complete it with this answer at its `results_url`, and ask again."""
    if not processor.requests:
        assert ask(runtime, "collect").status == "waiting"
    processor.found = status, {"Content-Type": media}, body
    where = f"http://{processor.place}/v2/results/r-1"
    processor.status, processor.results = "completed", {"results_url": where, "results_count": 2}
    return ask(runtime, "collect")


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


OURS = {
    "held_here": [{"data_class": "identification", "title": "profile", "rows": [{"country": "FR"}]}],
    "systems": [{"items": [{"data_class": "orders", "table": "sale", "values": {"number": "S-1"}}]}],
    "not_answered": [],
}


def test_a_package_of_this_service_is_read_into_items(
    registered: Runtime, processor: Processor, far: FarSystem
) -> None:
    content = zipped(
        **{"your-data_dot_html": b"<p>S-1</p>", "your-data_dot_json": json.dumps(OURS).encode()},
        **{"attached-1_dot_pdf": b"%PDF"},
    )
    done = collected(registered, processor, 200, "application/zip", content)
    assert done.status == "done"
    assert [(each.data_class, each.table, dict(each.values)) for each in done.items[:2]] == [
        ("identification", "profile", {"country": "FR"}),
        ("orders", "sale", {"number": "S-1"}),
    ]
    assert [(each.row, each.media) for each in done.items[2:]] == [("attached-1.pdf", "application/pdf")]
    assert far.requests[-1].headers["authorization"] == "Bearer sesame", "asked with the credentials"


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json", b'[{"number": "S-1", "sum": 7}]'),
        ("application/json; charset=utf-8", b'{"number": "S-1", "sum": 7}'),
        ("text/csv", b"\xef\xbb\xbfnumber,sum\r\nS-1,7\r\n"),
        ("application/zip", zipped(sale_dot_csv=b"number,sum\nS-1,7\n")),
    ],
)
def test_json_and_csv_become_items(
    registered: Runtime, processor: Processor, media: str, body: bytes
) -> None:
    (item,) = collected(registered, processor, 200, media, body).items
    assert {name: str(value) for name, value in item.values.items()} == {"number": "S-1", "sum": "7"}
    assert item.data_class == "contact_details"


@pytest.mark.parametrize("body", [b"%PDF-1.7 \x00", b"{broken", b"[1, 2]"])
def test_anything_else_is_an_attached_file(registered: Runtime, processor: Processor, body: bytes) -> None:
    (item,) = collected(registered, processor, 200, "application/json", body).items
    assert item.media == "application/json"
    assert base64.b64decode(item.values["base64"]) == body


def test_a_file_in_a_zip_is_no_path(registered: Runtime, processor: Processor) -> None:
    (item,) = collected(registered, processor, 200, "", zipped(**{"..__..__etc__passwd_dot_bin": b"x"})).items
    assert item.values["name"] == "passwd.bin"


def test_results_that_are_not_there_are_looked_for_again_after_longer_and_longer(
    registered: Runtime, processor: Processor
) -> None:
    pauses = []
    for status in (404, 409, 503):
        waiting = collected(registered, processor, status, "", b"")
        assert waiting.status == "waiting"
        assert waiting.check_after is not None
        pauses.append(waiting.check_after - registered.clock())  # type: ignore[attr-defined]
    assert pauses == sorted(set(pauses)), "each longer than the one before"
    assert pauses[-1] <= timedelta(hours=24)
    whole = collected(registered, processor, 200, "application/json", b"[]")
    assert whole.status == "done"


def test_a_package_that_lacks_systems_is_waited_for(registered: Runtime, processor: Processor) -> None:
    body = json.dumps(OURS | {"not_answered": [{"system": "crm"}]}).encode()
    assert collected(registered, processor, 200, "application/json", body).status == "waiting"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 410])
def test_results_that_are_refused_are_a_failure(
    registered: Runtime, processor: Processor, status: int
) -> None:
    failed = collected(registered, processor, status, "", b"")
    assert failed.status == "failed"
    assert not failed.items


def test_no_place_of_results_is_a_failure(registered: Runtime, processor: Processor) -> None:
    ask(registered, "collect")
    processor.status, processor.results = "completed", {"results_count": 2}
    assert ask(registered, "collect").status == "failed"


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example.net/results/1",
        "http://169.254.169.254/latest/meta-data",
        f"http://{DOMAIN}/results/1",  # not https
        "http://127.0.0.1:9/v2/results",  # the same host, a port that the operator did not name
        "file:///etc/passwd",
        "not a URL",
    ],
)
def test_results_are_fetched_from_the_processors_hosts_only(
    registered: Runtime, processor: Processor, far: FarSystem, where: str
) -> None:
    ask(registered, "collect")
    processor.status, processor.results = "completed", {"results_url": where, "results_count": 2}
    before = len(far.requests)
    outcome = ask(registered, "collect")
    assert (outcome.status, outcome.items) == ("failed", ())
    assert all("/requests/" in each.path or "cert" in each.path or "disc" in each.path
               for each in far.requests[before:])  # fmt: skip


def test_another_host_that_is_named_gets_no_credentials(
    registered: Runtime, processor: Processor, far: FarSystem
) -> None:
    port = far.place.rpartition(":")[2]
    allowing(registered, far.place, f"localhost:{port}")
    put(registered, far, 1, results_hosts=["localhost"])
    ask(registered, "collect")
    processor.found = 200, {"Content-Type": "application/json"}, b'[{"a": 1}]'
    where = f"http://localhost:{port}/v2/results/r-1"
    processor.status, processor.results = "completed", {"results_url": where, "results_count": 1}
    assert len(ask(registered, "collect").items) == 1
    assert "authorization" not in far.requests[-1].headers


def test_results_that_are_too_large_are_not_taken(
    registered: Runtime, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opendsr_results, "MOST_BYTES", 1000)
    bomb = zipped(a_dot_txt=b"0" * 5000)
    assert len(bomb) < 1000
    failed = collected(registered, processor, 200, "application/zip", bomb)
    assert failed.status == "failed"
    assert "unpack" in failed.because


def test_a_callback_lets_the_results_be_fetched_at_once(registered: Runtime, processor: Processor) -> None:
    ask(registered, "collect")
    where = f"http://{processor.place}/v2/results/r-1"
    processor.found = 200, {"Content-Type": "application/json"}, b'[{"a": 1}]'
    processor.status, processor.results = "completed", {"results_url": where, "results_count": 1}
    (request_id,) = processor.requests
    body = processor.body(request_id)
    assert report(registered, body, DOMAIN, signed(processor.key, body)) is None
    with registered.snapshot("acme", ACTOR) as snap:
        now = operations.standing(snap, "op-1")
        assert now is not None
        assert (now.status, now.check_after) == ("waiting", snap.now)
    assert [dict(each.values) for each in ask(registered, "collect").items] == [{"a": 1}]


@pytest.mark.parametrize("hosts", ["localhost", ["https://x.example"], ["X.example"], [7]])
def test_hosts_of_results_are_names(registered: Runtime, far: FarSystem, hosts: object) -> None:
    with pytest.raises(InvalidError) as refused:
        put(registered, far, 1, results_hosts=hosts)
    assert any("results_hosts" in path for path in refused.value.fields)


def test_half_characters_become_marks(registered: Runtime, processor: Processor) -> None:
    body = rb'[{"a\ud800": "\ud800", "b": ["x\udc00\u0000"]}]'
    (item,) = collected(registered, processor, 200, "application/json", body).items
    assert item.values == {"a\ufffd": "\ufffd", "b": ["x\ufffd\ufffd"]}


def test_what_is_nested_too_deeply_is_an_attached_file(registered: Runtime, processor: Processor) -> None:
    body = b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}"
    (item,) = collected(registered, processor, 200, "application/json", body).items
    assert base64.b64decode(item.values["base64"]) == body


def _bad_name() -> bytes:
    content = zipped(ää=b"x")
    return content.replace("ää".encode(), b"\xff\xff\xff\xff")


def _bad_lzma() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x" * 1000)
    content = bytearray(buffer.getvalue())
    start = 30 + 1  # a local header and the name
    content[start + 4 : start + 9] = b"\xff" * 5
    return bytes(content)


def _bad_place() -> bytes:
    """A ZIP whose directory is said to begin where a file would have to begin before the answer does."""
    content = bytearray(zipped(a=b"x"))
    end = content.rindex(b"PK\x05\x06")
    size = int.from_bytes(content[end + 12 : end + 16], "little")
    content[end + 16 : end + 20] = (end - size + 50).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    ("body", "raised"),
    [(_bad_name(), UnicodeDecodeError), (_bad_lzma(), lzma.LZMAError), (_bad_place(), ValueError)],
    ids=["name", "lzma", "place"],
)
def test_a_damaged_zip_is_a_failure_for_good(
    registered: Runtime, processor: Processor, body: bytes, raised: type[Exception]
) -> None:
    with pytest.raises(raised), zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.read(archive.infolist()[0])
    failed = collected(registered, processor, 200, "application/zip", body)
    assert (failed.status, failed.transient) == ("failed", False)
    assert "cannot be opened" in failed.because
