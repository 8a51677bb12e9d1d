"""The way out: hundreds of ways to write an inner address, none of which is ever connected to."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from governance.egress.addresses import Target, is_public, read_target
from governance.egress.client import Egress, Limits, RefusedError, system_dial
from governance.errors import InvalidError
from tests.governance.outbox.receiver import Receiver, serving


def words(text: str) -> list[str]:
    return text.split()


INNER_V4 = words("""
    0.0.0.0 0.0.0.1 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3
    127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
    192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
""")
INNER_V6 = words("""
    :: ::1 ::7f00:1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1 100::1 2001::1
    2001:2::1 2001:10::1 2001:20::1 2001:db8::1 3fff::1 5f00::1 64:ff9b:1::1 4000::1 2620:4f:8000::1 3ffe::1
""")
PUBLIC = words("""
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.1
    2606:4700:4700::1111 2a00:1450:4001:829::200e 2001:4860:4860::8888
""")


def spellings_v4(address: str) -> Iterator[str]:
    """The ways in which some reader or other takes a host for this address."""
    number = int(ipaddress.IPv4Address(address))
    parts = address.split(".")
    yield address
    yield f"{address}."
    yield str(number)
    yield f"0x{number:x}"
    yield f"0{number:o}"
    yield ".".join(f"0x{int(part):x}" for part in parts)
    yield ".".join(f"0{int(part):o}" for part in parts)
    yield f"{parts[0]}.{parts[1]}.{int(parts[2]) * 256 + int(parts[3])}"
    yield f"{parts[0]}.{int(parts[1]) * 65536 + int(parts[2]) * 256 + int(parts[3])}"
    for embedded in embeddings(address):
        yield f"[{embedded}]"
    yield f"[::ffff:{address}]"
    yield f"[64:ff9b::{address}]"
    yield ".".join(part.translate(str.maketrans("0123456789", "０１２３４５６７８９")) for part in parts)
    yield address.replace(".", "。")
    yield address.replace(".", "%2e")


def embeddings(address: str) -> Iterator[str]:
    """IPv6 addresses that lead to an IPv4 address somewhere."""
    number = int(ipaddress.IPv4Address(address))
    high, low = number >> 16, number & 0xFFFF
    yield f"::{high:x}:{low:x}"  # compatible
    yield f"::ffff:{high:x}:{low:x}"  # mapped
    yield f"::ffff:0:{high:x}:{low:x}"  # translated
    yield f"64:ff9b::{high:x}:{low:x}"  # NAT64
    yield f"64:ff9b:1::{high:x}:{low:x}"  # NAT64, local use
    yield f"2002:{high:x}:{low:x}::1"  # 6to4
    yield f"2001:0:4136:e378:8000:63bf:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}"  # Teredo
    yield f"2a00:1450::5efe:{high:x}:{low:x}"  # ISATAP
    yield f"2a00:1450::200:5efe:{high:x}:{low:x}"


BY_HAND = [
    "http://example.com/",
    "HTTPS://example.com/",
    "//example.com/",
    "example.com",
    "",
    "https://",
    "https:///x",
    "https:example.com",
    "https:/example.com",
    "https:\\\\example.com",
    "https://example.com\\@127.0.0.1/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://user:password@example.com/",
    "https://example.com:443@10.0.0.1/",
    "https://example.com/#fragment",
    "https://example.com/ HTTP/1.1",
    "https://example.com/\r\nHost: 127.0.0.1",
    "https://example.com\t.evil.example/",
    " https://example.com/",
    "https://example.com/\x00",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:80/",
    "https://example.com:65536/",
    "https://example.com:99999/",
    "https://example.com:-1/",
    "https://example.com:443x/",
    "https://example.com:4 43/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://foo.localhost/",
    "https://localhost.localdomain/",
    "https://printer.local/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://kubernetes.default.svc/",
    "https://intranet/",
    "https://db.corp/",
    "https://router.home.arpa/",
    "https://router.lan/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://facebookcorewwwi.onion/",
    "https://x.test/",
    "https://x.invalid/",
    "https://-a.example.com/",
    "https://a-.example.com/",
    "https://a..example.com/",
    "https://.example.com/",
    "https://a_b.example.com/",
    "https://ex%61mple.com/",
    "https://exämple.com/",
    "https://ⓔⓧⓐⓜⓟⓛⓔ.com/",
    "https://example.com:４４３/",
    "https://[::1",
    "https://::1/",
    "https://[::1]evil.example/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[127.0.0.1]/",
    "https://[v1.fe80::1]/",
    "https://[]/",
    "https://0/",
    "https://0x0/",
    "https://127.1/",
    "https://1.1.1/",
    "https://1.1.1.256/",
    "https://1.1.1.1.1/",
    "https://01.1.1.1/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/",
    "javascript:alert(1)",
    "jar:https://example.com!/",
    "unix:/var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fdocker.sock/",
    "https://example.com/" + "a" * 2000,
]
URLS = [
    *BY_HAND,
    *(f"https://{host}/hook" for address in INNER_V4 for host in spellings_v4(address)),
    *(f"https://[{address}]/hook" for address in INNER_V6),
    *(f"https://{address}:8443/" for address in INNER_V4),
]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every connection that this process tries to make, of whatever library."""
    tried: list[object] = []
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda _self, where: tried.append(where))
    return tried


def never(_name: str, _port: int, _seconds: float) -> Sequence[str]:
    raise AssertionError("the name should not have been looked up")


def test_the_list_is_long() -> None:
    assert len(set(URLS)) >= 300


def test_no_spelling_of_an_inner_address_is_connected_to(connections: list[object]) -> None:
    for url in URLS:
        with pytest.raises(InvalidError):
            Egress(resolve=never).check(read_target(url))
    assert connections == []


def test_no_name_that_leads_to_an_inner_address_is_connected_to(connections: list[object]) -> None:
    inner = [*INNER_V4, *INNER_V6, *(each for address in INNER_V4 for each in embeddings(address))]
    inner += [f"::ffff:{address}" for address in INNER_V4] + ["fe80::1%eth0", "2a00:1450::1%1", "no address"]
    assert len(inner) >= 300
    target = read_target("https://hooks.example.com/in")
    for address in inner:
        for answer in ([address], ["1.1.1.1", address], [address, "2606:4700:4700::1111"]):
            egress = Egress(resolve=lambda *_, answer=answer: answer)
            with pytest.raises(RefusedError):
                egress.check(target)
            with egress.client(target) as client:
                assert client.post(b"{}", {}).problem == "address-refused"
    assert connections == []


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)
    host = f"[{address}]" if ":" in address else address
    assert read_target(f"https://{host}/hook").host == address


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/a/b%20c?d=e&f=%2F",
        "https://xn--bcher-kva.example:8443/",
        "https://a.b-c.example.co.uk:443/x",
    ],
)
def test_ordinary_urls_pass(url: str) -> None:
    target = read_target(url)
    assert (target.scheme, target.trusted, target.url) == ("https", False, url)


class Dialled:
    """Where connections went; none is made."""

    def __init__(self) -> None:
        self.to: list[str] = []

    def __call__(self, address: str, _port: int, _seconds: float) -> httpcore2.NetworkStream:
        self.to.append(address)
        raise OSError("not today")


class Rebinding:
    """A name server that first says what is good and then what is wanted."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, _name: str, _port: int, _seconds: float) -> Sequence[str]:
        self.asked += 1
        return ["1.1.1.1"] if self.asked == 1 else ["127.0.0.1"]


def test_a_second_answer_of_the_name_server_changes_nothing() -> None:
    dialled, rebinding = Dialled(), Rebinding()
    egress = Egress(resolve=rebinding, dial=dialled)
    with egress.client(read_target("https://hooks.example.com/")) as client:
        for _ in range(3):
            assert client.post(b"{}", {}).problem == "unreachable"
    assert rebinding.asked == 1
    assert dialled.to == ["1.1.1.1"] * 3


def test_the_same_test_catches_checking_and_then_connecting_by_name() -> None:
    dialled, rebinding = Dialled(), Rebinding()
    assert all(is_public(each) for each in rebinding("hooks.example.com", 443, 5.0))
    with pytest.raises(OSError, match="not today"):
        dialled(rebinding("hooks.example.com", 443, 5.0)[0], 443, 5.0)
    assert dialled.to == ["127.0.0.1"]


def test_a_named_loopback_target_is_trusted_with_its_port_only() -> None:
    allowed = frozenset({"127.0.0.1:9000", "receiver:9001"})
    assert read_target("http://127.0.0.1:9000/", allowed).trusted
    for url in (
        "http://127.0.0.1:9001/",
        "https://127.0.0.1/",
        "http://localhost:9000/",
        "http://receiver:9000/",
    ):
        with pytest.raises(InvalidError):
            read_target(url, allowed)
    target = read_target("http://receiver:9001/", allowed)
    with pytest.raises(RefusedError):
        Egress(resolve=lambda *_: ["10.0.0.5"]).check(target)
    Egress(resolve=lambda *_: ["127.0.0.1"]).check(target)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving() as found:
        yield found


def trusted(receiver: Receiver) -> Target:
    return read_target(receiver.url, frozenset({f"127.0.0.1:{receiver.port}"}))


def test_a_request_arrives_and_the_connection_is_kept(receiver: Receiver) -> None:
    with Egress().client(trusted(receiver)) as client:
        for number in range(3):
            attempt = client.post(b'{"n":1}', {"Content-Type": "x/y", "webhook-id": str(number)})
            assert (attempt.status, attempt.problem) == (200, None)
    assert [each.headers["webhook-id"] for each in receiver.requests] == ["0", "1", "2"]
    assert receiver.requests[0].body == b'{"n":1}'
    assert receiver.connections == 1


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.plan = lambda _: (307, {"Location": receiver.url + "elsewhere"}, 0.0)
    with Egress().client(trusted(receiver)) as client:
        assert client.post(b"{}", {}).code == "redirect"
    assert len(receiver.requests) == 1


def test_a_slow_answer_ends_with_the_time(receiver: Receiver) -> None:
    receiver.plan = lambda _: (200, {}, 1.0)
    with Egress(Limits(seconds=0.3)).client(trusted(receiver)) as client:
        began = time.monotonic()
        assert client.post(b"{}", {}).problem == "timeout"
        assert time.monotonic() - began < 0.8


def _raw_server(answer: bytes, *, drip: float = 0.0) -> tuple[socket.socket, str]:
    """A server that says these bytes to whoever connects, all at once or one by one."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                for part in [answer[n : n + 1] for n in range(len(answer))] if drip else [answer]:
                    connection.sendall(part)
                    time.sleep(drip)
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    return listening, f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000, b""])
def test_a_receiver_that_drips_its_headers_holds_nobody(answer: bytes) -> None:
    listening, where = _raw_server(answer or b"HTTP/1.1 ", drip=0.05)
    with listening, Egress(Limits(seconds=0.5)).client(read_target(f"http://{where}/", {where})) as client:
        began = time.monotonic()
        assert client.post(b"{}", {}).problem in ("timeout", "unreachable")
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200", b"HTTP/1.1 999999 X\r\n\r\n", b"\x15\x03\x01" * 50]
)
def test_nonsense_is_a_failure_and_no_exception(answer: bytes) -> None:
    listening, where = _raw_server(answer)
    with listening, Egress(Limits(seconds=1)).client(read_target(f"http://{where}/", {where})) as client:
        assert client.post(b"{}", {}).problem in ("unreachable", "timeout")


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    listening, where = _raw_server(head + b"x" * 3_000_000)
    with (
        listening,
        Egress(Limits(seconds=5, bytes=100_000)).client(read_target(f"http://{where}/", {where})) as it,
    ):
        began = time.monotonic()
        assert it.post(b"{}", {}).status == 200
        assert time.monotonic() - began < 2


def test_a_body_over_the_limit_is_not_sent(receiver: Receiver) -> None:
    with Egress(Limits(bytes=10)).client(trusted(receiver)) as client:
        assert client.post(b"x" * 11, {}).problem == "too-large"
    assert receiver.connections == 0


def test_tls_speaks_the_name_to_the_pinned_address_and_checks_the_certificate(tmp_path: Path) -> None:
    trust, server = _certificates(tmp_path, "hooks.example.com")
    with serving(server) as receiver:
        egress = Egress(
            resolve=lambda *_: ["1.1.1.1"],
            dial=lambda _address, _port, seconds: system_dial("127.0.0.1", receiver.port, seconds),
            verify=trust,
        )
        with egress.client(read_target("https://hooks.example.com/in")) as client:
            assert client.post(b"{}", {}).status == 200
        assert receiver.requests[0].headers["host"] == "hooks.example.com"
        with egress.client(read_target("https://other.example.com/in")) as client:
            assert client.post(b"{}", {}).problem == "tls"
        unknown = Egress(resolve=egress.resolve, dial=egress.dial)
        with unknown.client(read_target("https://hooks.example.com/in")) as client:
            assert client.post(b"{}", {}).problem == "tls"
        assert len(receiver.requests) == 1


def _certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's trust in a new certificate of this name, and a server's use of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return ssl.create_default_context(cafile=str(pem)), server
