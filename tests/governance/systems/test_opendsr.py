"""OpenDSR as the controller: requests to a processor, its signed answers, and callbacks that prove it."""

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from governance.bootstrap import Runtime
from governance.systems import callbacks, operations
from governance.systems import service as systems
from governance.systems.model import Disposition, ErasurePlan, Outcome
from governance.systems.operations import Operation
from tests.conftest import ACTOR, START
from tests.fixtures.crm import ANNA
from tests.fixtures.far_system import Answer, FarSystem, Request, serving
from tests.governance.systems.conftest import allowing

DOMAIN = "dsr.processor.example"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(key: Key, issuer: x509.Certificate | None, issuer_key: Key, **more: Any) -> x509.Certificate:
    """A certificate of an authority (no issuer) or of a processor."""
    days, domain = more.get("days", (-10, 10)), more.get("domain", DOMAIN)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("root" if issuer is None else domain))
        .issuer_name(name("root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START + timedelta(days=days[0]))
        .not_valid_after(START + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        builder = builder.add_extension(authority, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(*chain: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = certificate(ROOT_KEY, None, ROOT_KEY)
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def signed(key: Key, body: bytes) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        raw = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    else:
        raw = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return base64.encodebytes(raw).decode().replace("\n", " ").strip()  # folded, as in the specification


@dataclass
class Processor:
    """A processor that keeps requests and signs its answers."""

    key: Key = RSA_KEY
    certificate: bytes = field(default_factory=lambda: pem(certificate(RSA_KEY, ROOT, ROOT_KEY)))
    requests: dict[str, Any] = field(default_factory=dict)
    status: str = "pending"
    results: dict[str, Any] = field(default_factory=dict)
    place: str = ""
    home: str = ""
    found: Answer = (404, {}, b"")

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith("/v2/results/"):
            return self.found
        if request.path == "/v2/discovery":
            where = self.home or f"http://{self.place}/v2/cert.pem"
            kinds = ["erasure", "access"]
            return self.plain({"processor_certificate": where, "supported_subject_request_types": kinds})
        if request.path == "/v2/cert.pem":
            return 200, {}, self.certificate
        if request.method == "POST":
            document = json.loads(request.body)
            if document["subject_request_id"] in self.requests:
                return 400, {}, b"{}"
            self.requests[document["subject_request_id"]] = document
            return self.answer(201, document["subject_request_id"])
        return self.answer(200, request.path.rpartition("/")[2])

    def plain(self, document: dict[str, Any]) -> Answer:
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def answer(self, status: int, request_id: str) -> Answer:
        if request_id not in self.requests:
            return 404, {}, b"{}"
        body = self.body(request_id)
        return (
            status,
            {"X-OpenDSR-Processor-Domain": DOMAIN, "X-OpenDSR-Signature": signed(self.key, body)},
            body,
        )

    def body(self, request_id: str) -> bytes:
        return json.dumps(
            {
                "controller_id": "acme",
                "expected_completion_time": (START + timedelta(days=30)).isoformat(),
                "subject_request_id": request_id,
                "request_status": self.status,
                **self.results,
            }
        ).encode()


@pytest.fixture
def processor() -> Processor:
    return Processor()


@pytest.fixture
def far(processor: Processor) -> Iterator[FarSystem]:
    with serving(processor) as found:
        processor.place = found.place
        yield found


@pytest.fixture
def registered(runtime: Runtime, far: FarSystem) -> Runtime:
    allowing(runtime, far.place)
    put(runtime, far, None)
    return runtime


def put(runtime: Runtime, far: FarSystem, version: int | None, **more: Any) -> None:
    config = {
        "url": f"http://{far.place}/v2",
        "authorization": "Bearer sesame",
        "domain": DOMAIN,
        "authorities": pem(ROOT).decode(),
        **more,
    }
    body = {"kind": "opendsr", "config": config, "data_classes": ["contact_details", "interactions"]}
    with runtime.work("acme", ACTOR) as work:
        systems.put(work, "mailer", body, version)


def ask(runtime: Runtime, verb: str = "erase", id: str = "op-1", plan: ErasurePlan | None = None) -> Outcome:
    if verb == "erase" and plan is None:
        plan = ErasurePlan.delete(["contact_details", "interactions", "financial"])
    return operations.run(runtime, ACTOR, "acme", Operation(id, "mailer", verb, ANNA, plan))


def report(runtime: Runtime, body: bytes, domain: str, signature: str) -> str | None:
    with runtime.snapshot("acme", ACTOR) as snap:
        secret = systems.callback_url(snap, "mailer").rpartition(".")[2]
    headers = {"x-opendsr-processor-domain": domain, "x-opendsr-signature": signature}
    return callbacks.receive(runtime, "acme", "mailer", secret, headers, body).refused


def test_an_erasure_is_asked_for_polled_and_done(
    registered: Runtime, processor: Processor, far: FarSystem
) -> None:
    first = ask(registered)
    assert (first.status, first.because) == ("waiting", "The processor has taken the request.")
    (request,) = processor.requests.values()
    assert uuid.UUID(request["subject_request_id"]).version == 4
    assert request["subject_request_type"] == "erasure"
    assert request["subject_identities"] == [
        {"identity_type": "controller_customer_id", "identity_value": "crm-1", "identity_format": "raw"},
        {"identity_type": "email", "identity_value": "anna@example.org", "identity_format": "raw"},
    ]
    assert request["status_callback_urls"][0].startswith("https://privacy.example.org/callbacks/mailer/")
    assert far.requests[0].headers["authorization"] == "Bearer sesame"
    assert ask(registered).status == "waiting"  # polled
    processor.status, processor.results = "completed", {"results_count": 4}
    done = ask(registered)
    assert done.status == "done"
    assert [(each.data_class, each.outcome, dict(each.rows)) for each in done.steps] == [
        ("contact_details", "erased", {"opendsr": 4}),
        ("interactions", "erased", {"opendsr": 4}),
    ]
    assert len(processor.requests) == 1


def test_waiting_requests_come_up_to_be_polled(registered: Runtime) -> None:
    ask(registered)
    with registered.snapshot("acme", ACTOR) as snap:
        assert operations.due(snap) == []
    registered.clock.forward(timedelta(hours=25))  # type: ignore[attr-defined]
    with registered.snapshot("acme", ACTOR) as snap:
        assert operations.due(snap) == ["op-1"]


def test_a_request_that_was_sent_before_a_crash_is_known_again(
    registered: Runtime, processor: Processor
) -> None:
    ask(registered)
    with registered.work("acme", ACTOR) as work, work.bookkeeping():
        from governance.systems import operation_store

        operation_store.change(
            work.connection, "acme", "op-1", work.now, {"status": "started", "outcome": None}
        )
    assert ask(registered).status == "waiting"
    assert len(processor.requests) == 1


@pytest.mark.parametrize(("status", "outcome"), [("cancelled", "failed"), ("perfect", "failed")])
def test_a_status_that_is_no_end_is_a_failure(
    registered: Runtime, processor: Processor, status: str, outcome: str
) -> None:
    ask(registered)
    processor.status = status
    assert ask(registered).status == outcome


def test_nothing_held_is_not_found(registered: Runtime, processor: Processor) -> None:
    ask(registered)
    processor.status, processor.results = "completed", {"results_count": 0}
    assert {each.outcome for each in ask(registered).steps} == {"not_found"}


def test_what_opendsr_cannot_do_is_said(registered: Runtime, processor: Processor) -> None:
    from datetime import date

    kept = ErasurePlan(
        {
            "contact_details": Disposition("delete"),
            "interactions": Disposition("keep_until", date(2030, 1, 1), "A dispute."),
        }
    )
    refused = ask(registered, plan=kept)  # data is there and stays: never anything but failed
    assert (refused.status, refused.transient) == ("failed", False)
    assert "all or nothing" in refused.because
    assert ask(registered, "restrict", "op-2").status == "unsupported"
    assert ask(registered, "count", "op-3").status == "unsupported"
    assert processor.requests == {}


OTHER_ROOT_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "chain",
    [
        pem(certificate(RSA_KEY, ROOT, ROOT_KEY, days=(-10, -1))),
        pem(certificate(RSA_KEY, ROOT, ROOT_KEY, days=(1, 10))),
        pem(certificate(RSA_KEY, ROOT, ROOT_KEY, domain="dsr.other.example")),
        pem(certificate(RSA_KEY, certificate(OTHER_ROOT_KEY, None, OTHER_ROOT_KEY), OTHER_ROOT_KEY)),
        pem(certificate(RSA_KEY, None, RSA_KEY)),
        b"nonsense",
    ],
    ids=["expired", "not yet", "another domain", "another authority", "self-signed", "no certificate"],
)
def test_an_answer_under_a_certificate_that_cannot_be_trusted_is_not_believed(
    registered: Runtime, processor: Processor, chain: bytes
) -> None:
    processor.certificate = chain
    outcome = ask(registered)
    assert outcome.status == "failed"
    assert "certificate" in outcome.because


def test_an_answer_that_is_not_signed_or_of_another_place_is_not_believed(
    registered: Runtime, processor: Processor
) -> None:
    processor.key = EC_KEY
    assert "not signed" in ask(registered).because
    processor.key, processor.home = RSA_KEY, "https://evil.example.net/cert.pem"
    assert "on its own domain" in ask(registered, id="op-2").because


@pytest.mark.parametrize("key", [RSA_KEY, EC_KEY], ids=["rsa", "ec"])
def test_a_callback_is_believed_by_domain_certificate_and_signature(
    registered: Runtime, processor: Processor, far: FarSystem, key: Key
) -> None:
    put(registered, far, 1, certificate=pem(certificate(key, ROOT, ROOT_KEY)).decode())  # pinned
    processor.key = key
    ask(registered)
    processor.status, processor.results = "completed", {"results_count": 1}
    (request_id,) = processor.requests
    body = processor.body(request_id)
    good = signed(key, body)
    assert report(registered, body, "evil.example.net", good) == "unknown-sender"
    assert report(registered, body + b" ", DOMAIN, good) == "bad-signature"
    assert report(registered, body, DOMAIN, "AAAA") == "bad-signature"
    assert report(registered, body, DOMAIN, "") == "bad-signature"
    assert report(registered, b"[]", DOMAIN, signed(key, b"[]")) == "malformed"
    other = processor.body(str(uuid.UUID(int=1, version=4)))
    assert report(registered, other, DOMAIN, signed(key, other)) == "unknown-request"
    with registered.snapshot("acme", ACTOR) as snap:
        now = operations.standing(snap, "op-1")
        assert now is not None
        assert now.status == "waiting"
    assert report(registered, body, DOMAIN, good) is None
    assert ask(registered).status == "done"


def test_the_test_asks_for_discovery_and_the_certificate(registered: Runtime, processor: Processor) -> None:
    def probed() -> str:
        with registered.snapshot("acme", ACTOR) as snap:
            connector, context = systems.connect(snap, "mailer", "test", "")
        return " ".join(f"{each.level}: {each.sentence}" for each in connector.probe(context).findings)

    assert "ok: The processor's certificate can be trusted." in probed()
    processor.certificate = b"nonsense"
    assert "problem: The processor's certificate is not valid" in probed()
    assert processor.requests == {}


def test_identities_go_out_hashed_where_that_is_agreed(
    registered: Runtime, processor: Processor, far: FarSystem
) -> None:
    put(registered, far, 1, identities=[{"type": "email", "format": "sha256"}])
    ask(registered)
    (request,) = processor.requests.values()
    (identity,) = request["subject_identities"]
    assert identity["identity_format"] == "sha256"
    assert "anna" not in json.dumps(request)
