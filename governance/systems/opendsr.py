"""The connector `opendsr`: a processor that is sent requests by OpenDSR 2.0, ourselves being the controller.

OpenDSR erases all or nothing, answers with a status, and reports changes of it to a callback, signed. Where
the specification differs from itself: requests and their status are under `/requests` (7.2, 8.2), not under
`/status` (3.1); the signature is taken from the header (7.4), not from the body (7.3).
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from governance.clock import wire
from governance.egress.model import Answer
from governance.systems import far_side, opendsr_results
from governance.systems.connector import Checked, Context, Draft, Problem
from governance.systems.findings import Finding, Report
from governance.systems.model import (
    COLLECT,
    DELETE,
    DONE,
    ERASED,
    NOT_FOUND,
    WAITING,
    Change,
    Disposal,
    ErasurePlan,
    Outcome,
    Received,
    StepOutcome,
    SubjectKeys,
    failed,
    unsupported,
)
from governance.systems.opendsr_config import POLL_HOURS, TYPES, complaints
from governance.systems.opendsr_signature import (
    DOMAIN_HEADER,
    SIGNATURE_HEADER,
    is_signed,
    trusted_certificate,
)

VERSION = "2.0"

_CONFIRMED = "The processor confirmed it with its signature."
_STATUSES = ("pending", "in_progress", "completed", "cancelled")


class OpenDsrConnector:
    """Processors that speak OpenDSR. `authorization` is sent as it is, in the header of that name."""

    secret_members: tuple[str, ...] = ("url", "authorization")

    def check(self, draft: Draft) -> Checked:
        """Check the config without sending anything."""
        return Checked(complaints(draft))

    def probe(self, context: Context) -> Report:
        """Ask what the processor can do (`/discovery`), and see whether its certificate can be trusted."""
        try:
            return Report(tuple(_discovered(context)))
        except Problem as problem:
            return Report((far_side.away(problem),))

    def count(self, context: Context, keys: SubjectKeys) -> Outcome:
        """OpenDSR cannot be asked that."""
        return unsupported("OpenDSR does not count; the processor's signed answer stands for it.")

    def look(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Nor that."""
        return self.count(context, keys)

    def collect(self, context: Context, keys: SubjectKeys) -> Outcome:
        """Ask for access."""
        return _guarded(lambda: _request(context, "access", keys))

    def erase(self, context: Context, keys: SubjectKeys, plan: ErasurePlan) -> Outcome:
        """Ask for erasure: all that the processor holds, or nothing."""
        held = [plan.of(each) for each in context.data_classes]
        if any(each is None or each.kind != DELETE for each in held):
            return unsupported(
                "OpenDSR erases all or nothing, and some of what this processor holds must stay; "
                "ask it directly."
            )
        context.remember([StepOutcome(each, ERASED) for each in context.data_classes])
        return _guarded(lambda: _request(context, "erasure", keys))

    def correct(self, context: Context, keys: SubjectKeys, changes: Sequence[Change]) -> Outcome:
        """OpenDSR cannot be asked that."""
        return unsupported("OpenDSR knows no correction; ask the processor directly.")

    def restrict(self, context: Context, keys: SubjectKeys, on: bool) -> Outcome:
        """OpenDSR cannot be asked that."""
        return unsupported("OpenDSR knows no restriction; ask the processor directly.")

    def dispose(self, context: Context, disposal: Disposal) -> Outcome:
        """OpenDSR cannot be asked that."""
        return unsupported("OpenDSR knows persons and no records; ask the processor directly.")

    def follow_up(self, context: Context, verb: str, reference: str) -> Outcome:
        """Ask for the status of a request."""

        def answer() -> Outcome:
            got = _ask(context, "GET", f"/requests/{reference}")
            if not got.attempt.delivered:
                return far_side.refusal(got.attempt.status or 0)
            return _standing(context, _believed(context, got, reference), verb)

        return _guarded(answer)

    def receive(self, context: Context, headers: Mapping[str, str], body: bytes) -> Received:
        """Take a status that the processor reports: its domain, its certificate, its signature, its JSON."""
        if headers.get(DOMAIN_HEADER, "").lower() != context.draft.config["domain"]:
            return Received(refused="unknown-sender")
        try:
            certificate = _certificate(context)
        except Problem:
            return Received(refused="unknown-sender")
        if not is_signed(certificate, headers.get(SIGNATURE_HEADER, ""), body):
            return Received(refused="bad-signature")
        try:
            document = far_side.read_object(body)
            reference = document.get("subject_request_id")
            if not isinstance(reference, str):
                raise Problem("The report names no request.")
            return Received(reference, _standing(context, document), results_elsewhere=True)
        except Problem:
            return Received(refused="malformed")


def _guarded(answer: Any) -> Outcome:
    try:
        outcome: Outcome = answer()
    except Problem as problem:
        return failed(problem.sentence, transient=problem.transient)
    return outcome


def _discovered(context: Context) -> list[Finding]:
    got = _ask(context, "GET", "/discovery")
    if not got.attempt.delivered:
        return [Finding("problem", "url", f"The processor answered {got.attempt.status} to /discovery.")]
    document = far_side.read_object(got.body)
    found = [Finding("ok", "url", "The processor answers to /discovery.")]
    kinds = document.get("supported_subject_request_types")
    for each in ("erasure", "access"):
        level = "ok" if isinstance(kinds, list) and each in kinds else "warning"
        found.append(Finding(level, "url", f"Requests of type {each}: {'yes' if level == 'ok' else 'no'}."))
    _certificate(context, document)
    return [*found, Finding("ok", "domain", "The processor's certificate can be trusted.")]


def _certificate(context: Context, discovery: Mapping[str, Any] | None = None) -> Any:
    """The processor's certificate: pinned in the config, else where its discovery says; Problem."""
    config = context.draft.config
    pem = config.get("certificate", "").encode()
    if not pem:
        document = discovery
        if document is None:
            document = far_side.read_object(_ask(context, "GET", "/discovery").body)
        where = document.get("processor_certificate")
        homes = {config["domain"], urlsplit(context.draft.secrets["url"]).hostname}
        if not isinstance(where, str) or urlsplit(where).hostname not in homes:
            raise Problem("The processor does not say where on its own domain its certificate is.")
        pem = far_side.ask(context, "GET", where, b"", {}).body
    return trusted_certificate(pem, config.get("authorities"), config["domain"], context.now)


def _ask(context: Context, method: str, path: str, body: bytes = b"") -> Answer:
    headers = {"Accept": "application/json"}
    if body:
        headers["Content-Type"] = "application/json"
    if "authorization" in context.draft.secrets:
        headers["Authorization"] = context.draft.secrets["authorization"]
    return far_side.ask(context, method, context.draft.secrets["url"].rstrip("/") + path, body, headers)


def _request_id(context: Context) -> str:
    """The request's UUID (version 4 in form): the same for one operation, so that a repeat is known."""
    name = f"{context.tenant_id}\0{context.system_id}\0{context.operation_id}"
    return str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16], version=4))


def _request(context: Context, kind: str, keys: SubjectKeys) -> Outcome:
    identities = _identities(context, keys)
    if not identities:
        return Outcome(
            DONE,
            steps=tuple(StepOutcome(each, NOT_FOUND) for each in context.data_classes),
            warnings=("The processor is asked by e-mail address or id, and this person has neither.",),
        )
    reference = _request_id(context)
    body = {
        "regulation": context.draft.config.get("regulation", "gdpr"),
        "subject_request_id": reference,
        "subject_request_type": kind,
        "submitted_time": wire(context.now),
        "subject_identities": identities,
        "api_version": VERSION,
        "status_callback_urls": [context.callback_url],
    }
    got = _ask(context, "POST", "/requests", json.dumps(body, separators=(",", ":")).encode())
    if got.attempt.status != 201:
        # A repeat may be refused as such: the request is there all the same.
        again = _ask(context, "GET", f"/requests/{reference}")
        if not again.attempt.delivered:
            return far_side.refusal(got.attempt.status or 0)
        got = again
    return _waiting(context, _believed(context, got, reference), reference)


def _believed(context: Context, got: Answer, reference: str) -> Mapping[str, Any]:
    """The answer's body, if the processor signed it and it is about this request; Problem."""
    if not is_signed(_certificate(context), got.headers.get(SIGNATURE_HEADER, ""), got.body):
        raise Problem("The processor's answer is not signed with its certificate; it was not believed.")
    document = far_side.read_object(got.body)
    if document.get("subject_request_id") != reference:
        raise Problem("The processor's answer is about another request.")
    return document


def _standing(context: Context, document: Mapping[str, Any], verb: str = "") -> Outcome:
    """What a status means: steps for an erasure; for an access the results themselves, never their place."""
    status, count = document.get("request_status"), document.get("results_count")
    if status not in _STATUSES:
        raise Problem("The processor's answer has no status that there is.")
    if status == "cancelled":
        return failed("The processor cancelled the request; ask it why, then ask again.")
    if status != "completed":
        return _waiting(context, document, str(document.get("subject_request_id")))
    if count == 0:
        return Outcome(DONE, steps=tuple(StepOutcome(each, NOT_FOUND) for each in context.data_classes))
    if verb == COLLECT:
        return _results(context, document)
    rows = {"opendsr": count} if isinstance(count, int) and not isinstance(count, bool) and count > 0 else {}
    steps = tuple(StepOutcome(each, ERASED, rows, _CONFIRMED) for each in context.data_classes)
    return Outcome(DONE, steps=steps)


def _results(context: Context, document: Mapping[str, Any]) -> Outcome:
    where, reference = document.get("results_url"), str(document.get("subject_request_id"))
    if not isinstance(where, str):
        return failed("The processor says that it is done and not where its results are; ask it for them.")
    longest = timedelta(hours=context.draft.config.get("poll_hours", POLL_HOURS))
    found = opendsr_results.fetch(context, where, reference, longest)
    return found if isinstance(found, Outcome) else Outcome(DONE, items=found)


def _waiting(context: Context, document: Mapping[str, Any], reference: str) -> Outcome:
    hours = timedelta(hours=context.draft.config.get("poll_hours", POLL_HOURS))
    check_after = context.now + hours
    try:
        expected = datetime.fromisoformat(str(document.get("expected_completion_time")))
        if expected.tzinfo is not None and expected > context.now:
            check_after = min(check_after, expected)
    except ValueError:
        pass
    return Outcome(
        WAITING, "The processor has taken the request.", reference=reference, check_after=check_after
    )


def _identities(context: Context, keys: SubjectKeys) -> list[dict[str, str]]:
    wanted = context.draft.config.get("identities") or [{"type": each, "format": "raw"} for each in TYPES]
    return [
        {
            "identity_type": TYPES[each["type"]],
            "identity_value": _formatted(value, each["format"]),
            "identity_format": each["format"],
        }
        for each in wanted
        for value in keys.of(each["type"])
    ]


def _formatted(value: str, form: str) -> str:
    if form == "raw":
        return value
    return hashlib.new(form, value.encode(), usedforsecurity=False).hexdigest()
