"""OpenDSR as a processor: a controller sends requests about people and is told, signed, how they stand."""

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from werkzeug.test import TestResponse

from governance.bootstrap import Runtime, assemble
from governance.rights import service as rights
from governance.settings import Settings
from governance.systems.opendsr_signature import is_signed
from retention_jobs import build_packages, report_opendsr
from tests.api.conftest import Caller, new_component
from tests.conftest import ACTOR, HandClock
from tests.fixtures.far_system import Answer, FarSystem, Request, serving
from tests.governance.systems.test_opendsr import ROOT, ROOT_KEY, RSA_KEY, certificate, pem

DOMAIN = "privacy.example.org"
PATH = "/opendsr/v2/requests"
LEAF = certificate(RSA_KEY, ROOT, ROOT_KEY, domain=DOMAIN, days=(-3000, 3000))


@dataclass
class Listener:
    """A controller's callback: it fails as often as it is told to, and keeps what it took."""

    fails: int = 0
    taken: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        if self.fails:
            self.fails -= 1
            return 503, {}, b""
        self.taken.append(request)
        return 202, {}, b""


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def controller(listener: Listener) -> Iterator[FarSystem]:
    with serving(listener) as far:
        yield far


def with_certificate(settings: Settings, folder: Path, leaf: x509.Certificate = LEAF) -> Settings:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(pem(leaf, ROOT))
    key.write_bytes(
        RSA_KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return replace(settings, opendsr_certificate_file=chain, opendsr_key_file=key)


@pytest.fixture
def runtime(make_settings: Any, tmp_path: Path, clock: HandClock, controller: FarSystem) -> Iterator[Runtime]:
    settings = replace(make_settings("sqlite"), webhook_allow=frozenset({controller.place}))
    runtime = assemble(with_certificate(settings, tmp_path), clock=clock)
    yield runtime
    runtime.close()


def body(kind: str = "erasure", email: str = "anna@example.org", **more: Any) -> dict[str, Any]:
    return {
        "regulation": "gdpr",
        "subject_request_id": str(uuid.uuid4()),
        "subject_request_type": kind,
        "submitted_time": "2026-11-20T15:00:00Z",
        "subject_identities": [{"identity_type": "email", "identity_value": email, "identity_format": "raw"}],
        "api_version": "2.0",
        **more,
    }


def person(caller: Caller, external_id: str = "crm-1", email: str = "anna@example.org") -> None:
    said = {"identifiers": [{"type": "email", "value": email}], "attributes": {"country": "DE"}}
    assert caller.put(f"/v1/subjects/{external_id}", {**said, "relationship": "lead"}).status_code == 201


def is_ours(answer: TestResponse) -> bool:
    assert answer.headers["X-OpenDSR-Processor-Domain"] == DOMAIN
    return is_signed(LEAF, answer.headers["X-OpenDSR-Signature"], answer.data)


def status(caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    answer = caller.get(f"{PATH}/{asked['subject_request_id']}")
    assert answer.status_code == 200
    assert is_ours(answer)
    assert caller.get(f"/opendsr/v2/status/{asked['subject_request_id']}").get_json() == answer.get_json()
    return dict(answer.get_json())


def test_discovery_says_what_is_supported_and_where_the_certificate_is(caller: Caller) -> None:
    answer = caller.client.get("/opendsr/v2/discovery")
    assert is_ours(answer)
    told = answer.get_json()
    assert told["api_version"] == "2.0"
    assert set(told["supported_subject_request_types"]) == {"access", "portability", "erasure"}
    assert {"identity_type": "email", "identity_format": "raw"} in told["supported_identities"]
    assert told["processor_certificate"] == f"https://{DOMAIN}/opendsr/v2/certificate.pem"
    served = caller.client.get("/opendsr/v2/certificate.pem")
    assert x509.load_pem_x509_certificates(served.data)[0] == LEAF


def test_without_a_certificate_this_is_no_processor(runtime: Runtime, caller: Caller) -> None:
    runtime.settings = replace(runtime.settings, opendsr_certificate_file=None, opendsr_key_file=None)
    for answer in (caller.client.get("/opendsr/v2/discovery"), caller.post(PATH, body())):
        assert answer.status_code == 404


def test_a_certificate_of_another_domain_or_of_oneself_is_not_used(
    runtime: Runtime, caller: Caller, tmp_path: Path
) -> None:
    other = certificate(RSA_KEY, ROOT, ROOT_KEY, domain="other.example.org")
    for leaf in (other, certificate(RSA_KEY, None, RSA_KEY)):
        runtime.settings = with_certificate(runtime.settings, tmp_path, leaf)
        assert caller.client.get("/opendsr/v2/discovery").status_code == 503
        assert caller.post(PATH, body()).status_code == 503


def test_an_erasure_is_taken_signed_begun_by_the_controllers_word_and_can_be_cancelled(
    runtime: Runtime, caller: Caller
) -> None:
    person(caller)
    asked = body()
    answer = caller.post(PATH, asked)
    assert answer.status_code == 201, answer.get_json()
    assert is_ours(answer)
    told = answer.get_json()
    assert json.loads(base64.b64decode(told["encoded_request"])) == asked
    assert told["subject_request_id"] == asked["subject_request_id"]
    assert told["controller_id"] == caller.made.component.client_id
    assert told["received_time"] < told["expected_completion_time"]
    assert status(caller, asked)["request_status"] == "in_progress"
    # Frozen at once: every gate says no.
    standing = caller.get("/v1/subjects/crm-1").get_json()
    assert standing["standing"]["erasure_pending"] is True
    # Nobody here writes to the person: the controller does.
    listed = caller.get("/v1/rights-requests").get_json()["items"]
    assert [each["channel"] for each in listed] == ["opendsr"]
    assert caller.get(f"/v1/rights-requests/{listed[0]['id']}/letters").get_json()["items"] == []

    cancelled = caller.delete(f"{PATH}/{asked['subject_request_id']}")
    assert cancelled.status_code == 202
    assert is_ours(cancelled)
    assert status(caller, asked)["request_status"] == "cancelled"
    assert caller.get("/v1/subjects/crm-1").get_json()["standing"]["erasure_pending"] is False
    assert caller.delete(f"{PATH}/{asked['subject_request_id']}").status_code == 202


def test_the_same_request_again_is_answered_alike_and_another_under_its_id_refused(caller: Caller) -> None:
    person(caller)
    asked = body("access")
    first, second = caller.post(PATH, asked), caller.post(PATH, asked)
    assert (first.status_code, first.get_json()) == (second.status_code, second.get_json())
    assert len(caller.get("/v1/rights-requests").get_json()["items"]) == 1
    other = caller.post(PATH, {**asked, "subject_request_type": "erasure"})
    assert other.status_code == 400
    assert other.get_json()["error"]["errors"][0]["reason"] == "subject_request_id"


def test_another_controller_does_not_see_a_request(runtime: Runtime, caller: Caller) -> None:
    person(caller)
    asked = body("access")
    assert caller.post(PATH, asked).status_code == 201
    stranger = Caller(caller.client, new_component(runtime))
    for answer in (
        stranger.get(f"{PATH}/{asked['subject_request_id']}"),
        stranger.delete(f"{PATH}/{asked['subject_request_id']}"),
    ):
        assert answer.status_code == 404
    reader = Caller(caller.client, new_component(runtime, "rights:read"))
    assert reader.post(PATH, body()).status_code == 403


def test_of_whom_nothing_is_held_the_request_is_completed_with_no_results(caller: Caller) -> None:
    asked = body("access", "nobody@example.org")
    assert caller.post(PATH, asked).status_code == 201
    told = status(caller, asked)
    assert (told["request_status"], told["results_count"]) == ("completed", 0)
    assert caller.delete(f"{PATH}/{asked['subject_request_id']}").status_code == 400


def test_an_address_of_several_people_proves_nobody_whoever_vouches_for_it(
    runtime: Runtime, caller: Caller
) -> None:
    person(caller, "crm-1", "office@example.org")
    person(caller, "crm-2", "office@example.org")
    asked = body("erasure", "office@example.org")
    assert caller.post(PATH, asked).status_code == 201
    assert status(caller, asked)["request_status"] == "pending"
    with runtime.snapshot("acme", ACTOR) as snapshot:
        request_id = caller.get("/v1/rights-requests").get_json()["items"][0]["id"]
        assert rights.open_dossier(snapshot, request_id).request.state == "verifying"


def test_access_ends_with_the_place_of_the_package(runtime: Runtime, caller: Caller) -> None:
    person(caller)
    asked = body("access")
    assert caller.post(PATH, asked).status_code == 201
    assert build_packages.run(runtime) == 1
    told = status(caller, asked)
    assert told["request_status"] == "completed"
    where = told["results_url"].removeprefix(f"https://{DOMAIN}")
    assert caller.get(where).data[:2] == b"PK"


def test_every_change_is_told_to_every_callback_signed_until_it_is_taken(
    runtime: Runtime, caller: Caller, clock: HandClock, listener: Listener, controller: FarSystem
) -> None:
    person(caller)
    urls = [f"http://{controller.place}/one", f"http://{controller.place}/two"]
    asked = body("access", status_callback_urls=urls)
    listener.fails = 1
    assert caller.post(PATH, asked).status_code == 201
    assert report_opendsr.run(runtime) == 1
    assert report_opendsr.run(runtime) == 0  # the one that failed waits a while
    clock.forward(timedelta(minutes=10))
    assert report_opendsr.run(runtime) == 1
    assert build_packages.run(runtime) == 1
    assert report_opendsr.run(runtime) == 2
    assert report_opendsr.run(runtime) == 0
    told = [json.loads(each.body) for each in listener.taken]
    assert {(each["status_callback_url"], each["request_status"]) for each in told} == {
        (url, stands) for url in urls for stands in ("in_progress", "completed")
    }
    for each in listener.taken:
        headers = {name.lower(): value for name, value in each.headers.items()}
        assert headers["x-opendsr-processor-domain"] == DOMAIN
        assert is_signed(LEAF, headers["x-opendsr-signature"], each.body)
        assert not is_signed(LEAF, headers["x-opendsr-signature"], each.body + b" ")


def test_a_controller_that_never_answers_is_given_up_after_three_days_and_said_so(
    runtime: Runtime, caller: Caller, clock: HandClock, listener: Listener, controller: FarSystem
) -> None:
    listener.fails = 10_000
    asked = body("access", "nobody@example.org", status_callback_urls=[f"http://{controller.place}/gone"])
    assert caller.post(PATH, asked).status_code == 201
    for _ in range(60):
        assert report_opendsr.run(runtime) == 0
        clock.forward(timedelta(hours=3))
    kinds = [
        each["kind"]
        for each in Caller(caller.client, caller.made).get("/v1/audit/entries?limit=500").get_json()["items"]
    ]
    assert kinds.count("opendsr.undelivered") == 1
    assert 5 < 10_000 - listener.fails < 60


def test_an_extension_moves_the_day_that_is_told_and_the_versions_name_may_be_short(caller: Caller) -> None:
    person(caller)
    asked = body("access", api_version="2")
    first = caller.post(PATH, asked).get_json()["expected_completion_time"]
    (made,) = caller.get("/v1/rights-requests").get_json()["items"]
    assert status(caller, asked)["expected_completion_time"] == first == made["clock"]["due_at"]
    longer = caller.post(f"/v1/rights-requests/{made['id']}/extend", {"because": "There is much of it."})
    due_at = longer.get_json()["clock"]["due_at"]
    assert status(caller, asked)["expected_completion_time"] == due_at > first


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"subject_request_id": "A7551968-D5D6-44B2-9831-815AC9017798"}, "subject_request_id"),
        ({"subject_request_id": "a7551968-d5d6-11b2-9831-815ac9017798"}, "subject_request_id"),
        ({"subject_request_id": None}, "subject_request_id"),
        ({"subject_request_type": "rectification"}, "subject_request_type"),
        ({"regulation": "lgpd"}, "regulation"),
        ({"submitted_time": "yesterday"}, "submitted_time"),
        ({"submitted_time": "2026-02-30T00:00:00Z"}, "submitted_time"),
        ({"submitted_time": "2126-02-01T00:00:00Z"}, "submitted_time"),
        ({"subject_identities": []}, "subject_identities"),
        ({"subject_identities": None}, "subject_identities"),
        (
            {
                "subject_identities": [
                    {"identity_type": "email", "identity_value": "ab" * 32, "identity_format": "sha256"}
                ]
            },
            "subject_identities",
        ),
        (
            {
                "subject_identities": [
                    {"identity_type": "phone", "identity_value": "+1", "identity_format": "raw"}
                ]
            },
            "subject_identities.0.identity_type",
        ),
        ({"api_version": "3.0"}, "api_version"),
        ({"api_version": ""}, "api_version"),
        ({"status_callback_urls": ["http://127.0.0.1:1/x"]}, "status_callback_urls.0"),
        ({"status_callback_urls": ["http://10.0.0.1/x", "ftp://x"]}, "status_callback_urls.0"),
        ({"status_callback_urls": ["https://169.254.169.254/latest"]}, "status_callback_urls.0"),
    ],
)
def test_what_cannot_be_used_is_400_and_says_where(
    caller: Caller, change: dict[str, Any], where: str
) -> None:
    answer = caller.post(PATH, {**body(), **change})
    assert answer.status_code == 400
    told = answer.get_json()
    assert where in [each["reason"] for each in told["error"]["errors"]]
    assert told["error"]["code"] == 400
    assert caller.get("/v1/rights-requests").get_json()["items"] == []


def test_null_members_extensions_and_identities_that_nobody_knows_here_are_left_aside(caller: Caller) -> None:
    person(caller)
    asked = body(
        "access", regulation=None, status_callback_urls=None, extensions={"other.example": {"mpids": [1]}}
    )
    asked["subject_identities"].append(
        {"identity_type": "android_id", "identity_value": "x", "identity_format": "raw"}
    )
    assert caller.post(PATH, asked).status_code == 201
    assert status(caller, asked)["request_status"] == "in_progress"
