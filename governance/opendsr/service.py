"""Use cases of OpenDSR as a processor: take a request in, tell its status, take it back.

Controllers validate requests before they send them (3.1): with the credentials of a component that may write
requests, their word proves who is meant, and is recorded as that. An address that reaches several people
proves nobody, whoever vouches for it: such a request stays `pending` until staff have said whom it means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.clock import wire
from governance.egress.addresses import read_target
from governance.errors import ConflictError, InvalidError, NotFoundError
from governance.events import Fact
from governance.happened import happened_at
from governance.opendsr import store
from governance.opendsr.model import CANCELLED, COMPLETED, VERSION, NewRequest, OpenRequest, Report, status_of
from governance.rights import package_store, regime_files, sealing
from governance.rights import service as rights
from governance.rights.model import CLOSED_STATES, ERASURE
from governance.settings import Settings
from governance.vault.model import Place
from governance.vault.service import Vault
from governance.work import Snapshot, Work

CHANNEL = "opendsr"
_USE = "opendsr-body"


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that was taken in now (`new`) or before."""

    request: OpenRequest
    new: bool


def take(work: Work, client_id: str, asked: NewRequest, body: bytes) -> Taken:
    """Take a request in, prove whom it means by the controller's word, and begin on it.

    The same request again is answered as the first time; another one under its id is refused. Raises
    InvalidError for callbacks that may not be called, and for identities that cannot be.
    """
    mac = work.resource(Vault).mac(work.tenant_id, _USE, client_id.encode() + b"\n" + body).hex()
    before = store.find(work.connection, work.tenant_id, client_id, asked.subject_request_id)
    if before is not None:
        if before.body_mac != mac:
            complaint = "Another request was sent under this id; every request has its own."
            raise InvalidError(complaint, fields={"subject_request_id": [complaint]})
        return Taken(before, False)
    _check_callbacks(work, asked.callbacks)
    made = rights.submit(
        work,
        rights.NewRequest(
            type=asked.type,
            identities=list(asked.identities),
            regime=_regime(work, asked.regulation),
            received_at=happened_at(asked.submitted_at, work.now, "submitted_time"),
            channel=CHANNEL,
            details={"subject_request_id": asked.subject_request_id},
        ),
    )
    for identity in made.identities:
        told = {"controller": client_id, "subject_request_id": asked.subject_request_id}
        rights.vouch(work, made.request_id, identity.identity_id, evidence=told)
    dossier = rights.open_dossier(work, made.request_id)
    event_id = work.new_id("evt")
    facts: dict[str, Fact] = {
        "request": made.request_id,
        "client": client_id,
        "type": asked.type,
        "identities": len(asked.identities),
        "unusable": asked.unusable,
        "callbacks": len(asked.callbacks),
    }
    work.record("opendsr.received", facts=facts, event_id=event_id)
    place = _place(made.request_id)
    new = OpenRequest(
        client_id=client_id,
        subject_request_id=asked.subject_request_id,
        request_id=made.request_id,
        type=asked.type,
        body_mac=mac,
        received_at=work.now,
        expected_at=dossier.request.due_at,
        callbacks_sealed=sealing.seal(work, made.request_id, place, {"urls": list(asked.callbacks)}),
        callbacks=len(asked.callbacks),
        reported="",
        event_id=event_id,
    )
    store.add(work.connection, work.tenant_id, new)
    note(work, new)
    return Taken(new, True)


def get(snap: Snapshot, client_id: str, subject_request_id: str) -> OpenRequest:
    """A controller's own request; NotFoundError for any other."""
    found = store.find(snap.connection, snap.tenant_id, client_id, subject_request_id)
    if found is None:
        raise NotFoundError("There is no request of this id.")
    return found


def cancel(work: Work, client_id: str, subject_request_id: str) -> OpenRequest:
    """Take a request back, as long as nothing was done that cannot be undone; again changes nothing.

    Raises ConflictError `too-late` afterwards.
    """
    found = get(work, client_id, subject_request_id)
    state = rights.open_dossier(work, found.request_id).request.state
    if status_of(state) == CANCELLED:
        return found
    if state in CLOSED_STATES:
        raise ConflictError("This request was carried out; it cannot be cancelled.", reason="too-late")
    rights.withdraw(work, found.request_id, because="cancelled by the controller")
    note(work, found)
    return found


def note(work: Work, found: OpenRequest) -> bool:
    """Let the callbacks be told of a request's status if it is another than they were told last."""
    status = status_of(rights.open_dossier(work, found.request_id).request.state)
    if status == found.reported:
        return False
    facts: dict[str, Fact] = {"request": found.request_id, "client": found.client_id, "status": status}
    work.record("opendsr.status_changed", facts=facts)
    store.set_reported(work.connection, work.tenant_id, found, status)
    for number in range(found.callbacks):
        report = Report(
            report_id=work.new_id("odr"),
            client_id=found.client_id,
            subject_request_id=found.subject_request_id,
            number=number,
            status=status,
            state="pending",
            attempts=0,
            created_at=work.now,
            next_at=work.now,
            problem=None,
        )
        store.add(work.connection, work.tenant_id, report)
    return True


def document(snap: Snapshot, found: OpenRequest, status: str | None = None) -> dict[str, Any]:
    """What is told of a request (8.3); `status`: another than the present one, for a report of it."""
    dossier = rights.open_dossier(snap, found.request_id)
    told: dict[str, Any] = {
        "controller_id": found.client_id,
        "expected_completion_time": wire(dossier.request.due_at),
        "subject_request_id": found.subject_request_id,
        "request_status": status or status_of(dossier.request.state),
        "api_version": VERSION,
    }
    if told["request_status"] != COMPLETED:
        return told
    if dossier.request.outcome == "nothing-held":
        told["results_count"] = 0
    elif found.type != ERASURE and package_store.made_at(snap.connection, snap.tenant_id, found.request_id):
        public = snap.resource(Settings).public_url
        told["results_url"] = f"{public}/v1/rights-requests/{found.request_id}/package"
    return told


def callbacks(snap: Snapshot, found: OpenRequest) -> list[str]:
    """The addresses that a controller wants to be told at; none once the request was forgotten."""
    place = _place(found.request_id)
    opened: Mapping[str, Any] = sealing.reveal(snap, found.request_id, place, found.callbacks_sealed) or {}
    return list(opened.get("urls", []))


def _check_callbacks(work: Work, urls: Sequence[str]) -> None:
    """Refuse addresses inside a network, and others that webhooks may not have either."""
    complaints: dict[str, list[str]] = {}
    for number, url in enumerate(urls):
        try:
            read_target(url, work.resource(Settings).webhook_allow)
        except InvalidError as error:
            complaints[f"status_callback_urls.{number}"] = [error.message]
    if complaints:
        raise InvalidError("A callback may not be called.", fields=complaints)


def _regime(snap: Snapshot, regulation: str | None) -> str | None:
    """The regime that a regulation's name stands for; None: by where the person lives."""
    if regulation is None:
        return None
    return regime_files.law(snap.resource(Settings).policies_dir).regulations[regulation]


def _place(request_id: str) -> Place:
    return Place("opendsr_request", "callbacks_sealed", request_id)
