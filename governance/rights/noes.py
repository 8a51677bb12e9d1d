"""What acts on receipt: opt-outs, objections and withdrawals, for the identifier given, unverified.

Two steps. `at_address` bars the address by its keyed hash, the same work for every address. `for_person` is
the no of the one person who is reached there (or whom the CRM's id names), on every channel and address of
theirs.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NoReturn

from governance.consent import service as consent
from governance.consent.model import LIMIT_SENSITIVE as LIMIT_PURPOSE
from governance.consent.model import SALE_SHARING
from governance.consent.service import NewObjection
from governance.errors import InvalidError
from governance.rights.model import (
    LIMIT_SENSITIVE,
    OBJECTION,
    OPT_OUT_OF_SALE,
    WITHDRAW_CONSENT,
    Identity,
    Request,
)
from governance.work import Snapshot, Work

METHOD = "rights_request"
_SCOPES = ("all", "purpose", "profiling")


def check_details(snap: Snapshot, type_: str, details: Mapping[str, Any]) -> None:
    """Refuse what a no cannot mean, the same for everybody; InvalidError names the member of `details`.

    Whatever is refused later would tell who is known: only of them a no is recorded as a consent event.
    """
    if type_ not in (OBJECTION, WITHDRAW_CONSENT):
        return
    if type_ == OBJECTION:
        scope = details.get("scope", "all")
        if scope not in _SCOPES:
            complaint = f"Give one of {', '.join(_SCOPES)}."
            raise InvalidError(
                "The scope of an objection is not known.", fields={"details.scope": [complaint]}
            )
        if scope == "purpose" and details.get("purpose") in (None, ""):
            _refuse("purpose", "An objection to a purpose names it.")
    for name, check in (
        ("purpose", partial(consent.check_purpose, snap)),
        ("channel", consent.check_channel),
    ):
        value = details.get(name)
        if value is None or (name == "channel" and type_ == OBJECTION):
            continue
        if not isinstance(value, str) or not value.isprintable():
            _refuse(name, f"Name the {name} by its code, a text.")
        try:
            check(value)
        except InvalidError as error:
            raise InvalidError(
                error.message, fields={f"details.{name}": error.fields.get(name, [error.message])}
            ) from error


def _refuse(name: str, complaint: str) -> NoReturn:
    raise InvalidError(complaint, fields={f"details.{name}": [complaint]})


def at_address(
    work: Work, request: Request, identities: Iterable[Identity], details: Mapping[str, Any]
) -> None:
    """Bar the addresses that the request names; whose they are is not asked."""
    type_ = request.type
    purpose = details.get("purpose")
    channel = details.get("channel") if type_ == WITHDRAW_CONSENT else None
    if type_ == OPT_OUT_OF_SALE:
        purpose = SALE_SHARING
    elif type_ == LIMIT_SENSITIVE:
        purpose = LIMIT_PURPOSE
    elif type_ == OBJECTION and details.get("scope", "all") != "purpose":
        purpose = None
    if type_ == OBJECTION and details.get("scope") == "profiling":
        return  # profiling is of a person, not of an address
    for each in identities:
        if each.suppression_hash is not None:
            consent.bar_address(
                work,
                each.suppression_hash,
                reason=f"rights-{type_.replace('_', '-')}",
                purpose=purpose,
                channel=channel,
                occurred_at=request.received_at,
            )


def for_person(work: Work, request: Request, subject_ref: str, details: Mapping[str, Any]) -> str:
    """Record the no of a person; returns the id of the consent event."""
    proof = {"request": request.request_id, "channel": request.channel}
    if request.type == WITHDRAW_CONSENT:
        return consent.withdraw(
            work,
            subject_ref,
            purpose=details.get("purpose"),
            channel=details.get("channel"),
            method=METHOD,
            evidence=proof,
        ).event_id
    scope, purpose = "purpose", details.get("purpose")
    if request.type == OPT_OUT_OF_SALE:
        purpose = SALE_SHARING
    elif request.type == LIMIT_SENSITIVE:
        purpose = LIMIT_PURPOSE
    else:
        scope = details.get("scope", "all")
    new = NewObjection(subject_ref, scope, purpose, METHOD, occurred_at=request.received_at, evidence=proof)
    return consent.object_(work, new).event_id
