"""What a route discloses: every one that answers with people's data says which, and whose.

Where the caller sits abroad (a country stands in the record of the component or of the member of staff), the
answer is a transfer: it is asked about in the snapshot that is answered from, before anything is read for it,
and the decision is logged. Callers without a declared country sit where the tenant is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app, g, request
from werkzeug.exceptions import HTTPException

from api.problems import denied
from api.telemetry import count_decision
from api.tokens import Caller
from governance.access import service as access
from governance.bootstrap import Runtime
from governance.decisions.record import DecisionRecord
from governance.errors import NotFoundError
from governance.rights import service as rights
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.transfers import disclosures
from governance.transfers.disclosures import Disclosure, Recipient, Sorts
from governance.transfers.model import ORDINARY
from governance.work import Snapshot

REFUSED = "People's data may not go to the country where you are; see `decision`."

Whose = Callable[[Snapshot], Sorts]


@dataclass(frozen=True, slots=True)
class Discloses:
    """What a route answers with. `whose` None: the view names the people itself, by `disclose`."""

    data_classes: frozenset[str]
    whose: Whose | None


def of_person(*data_classes: str) -> Discloses:
    """Data of the person in the path."""
    return Discloses(frozenset(("identification", *data_classes)), _in_the_path)


def of_request(*data_classes: str) -> Discloses:
    """Data of the people whom the request in the path means."""
    return Discloses(frozenset(("identification", "rights_requests", *data_classes)), _of_the_request)


def of_anybody(*data_classes: str) -> Discloses:
    """Data of people who may be anybody: it goes where everybody's may go."""
    return Discloses(frozenset(("identification", *data_classes)), disclosures.of_everybody)


def of_those_named(*data_classes: str) -> Discloses:
    """Data of people whom only the view can name."""
    return Discloses(frozenset(("identification", *data_classes)), None)


def recipients(snapshot: Snapshot, caller: Caller) -> list[Recipient]:
    """Where whoever asks sits, as far as a country is declared; read anew in every snapshot."""
    seats = access.seats(snapshot, caller.client_id, caller.staff_id)
    return [Recipient(each.country, each.recipient) for each in seats]


def of_the_route(snapshot: Snapshot) -> None:
    """Ask for what the route says of itself, if it says whose data it discloses."""
    told: Discloses | None = g.discloses
    if told is not None and told.whose is not None:
        _ask(snapshot, told.whose, ORDINARY)


def disclose(
    snapshot: Snapshot,
    subject_refs: Iterable[str | None] = (),
    *,
    errand: str = ORDINARY,
    own_request: bool = False,
) -> None:
    """Say whose data this request is answered with, where the route leaves that to its view.

    A caller abroad to whom data of one of them may not go gets 403 with the decision.
    `own_request`: it serves what the people themselves asked for, which their own restriction does not stop.
    """
    refs = [each for each in subject_refs if each is not None]

    def whose(snap: Snapshot) -> Sorts:
        found = disclosures.of_people(snap, refs)
        return disclosures.by_residence(found) if own_request else found

    _ask(snapshot, whose, errand)


def disclose_ids(snapshot: Snapshot, ids: Callable[[], Iterable[str]]) -> None:
    """Say it by the CRM's ids; `ids` is called for callers abroad only, and read once."""
    _ask(snapshot, lambda snap: disclosures.of_ids(snap, ids()), ORDINARY)


def disclose_anybody(snapshot: Snapshot) -> None:
    """Say that the view answers with data of people who may be anybody."""
    _ask(snapshot, disclosures.of_everybody, ORDINARY)


def reached(snapshot: Snapshot) -> list[Recipient]:
    """Whom the view answers, if it sorts out itself what may go there."""
    g.disclosed = True
    return recipients(snapshot, g.caller)


def keep(snapshot: Snapshot, records: Sequence[DecisionRecord]) -> None:
    """Log what was decided, before anything is answered."""
    runtime: Runtime = current_app.extensions["governance"]
    runtime.decision_log.append(snapshot.tenant_id, records)
    for each in records:
        count_decision(each.action, each.allowed)


def door() -> str:
    """The route that is asked, as decisions name it."""
    return f"{request.method} {request.url_rule}"


def left_of(snapshot: Snapshot, subject_ref: str, document: dict[str, Any]) -> dict[str, Any]:
    """What whoever brought data of a person is answered: only the ids where more may not go there.

    What comes in is taken from everywhere, so this refuses nothing.
    """
    refused = _refusal(snapshot, lambda snap: disclosures.of_people(snap, [subject_ref]), ORDINARY)
    return (
        document
        if refused is None
        else {"id": document["id"], "ref": document["ref"], "withheld": list(refused.codes)}
    )


def _ask(snapshot: Snapshot, whose: Whose, errand: str) -> None:
    refused = _refusal(snapshot, whose, errand)
    if refused is not None:
        raise HTTPException(response=denied(refused.answer(), REFUSED))


def _refusal(snapshot: Snapshot, whose: Whose, errand: str) -> DecisionRecord | None:
    """Decide whether this request may be answered with these people's data, and log it; None if it may."""
    g.disclosed = True
    away = recipients(snapshot, g.caller)
    if not away:
        return None
    told = Disclosure(door(), g.discloses.data_classes, errand)
    found = disclosures.answers(snapshot, away, told, whose(snapshot))
    keep(snapshot, found)
    return next((each for each in found if not each.allowed), None)


def _in_the_path(snapshot: Snapshot) -> Sorts:
    try:
        person = subjects.get(snapshot, check_external_id((request.view_args or {})["external_id"]))
    except NotFoundError:
        return {}  # the view says so
    return disclosures.of_person(snapshot, person.subject_ref)


def _of_the_request(snapshot: Snapshot) -> Sorts:
    """The people whom a request means or may mean; where nobody is known yet it may be anybody."""
    try:
        dossier = rights.open_dossier(snapshot, (request.view_args or {})["request_id"])
    except NotFoundError:
        return {}
    named = [one.subject_ref for one in dossier.identities] + [one.subject_ref for one in dossier.matches]
    refs = {ref for ref in named if ref is not None}
    if not refs:
        return disclosures.of_everybody(snapshot)
    return disclosures.by_residence(disclosures.of_people(snapshot, refs))
