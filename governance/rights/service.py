"""Use cases of data-subject requests: the one module that other rooms and doors call.

Taking in lives in `intake`, whom a request means in `matching`, proof in `verification`, what staff do in
`handling` and `refusing`, what a verified request starts in `execution`, appeals in `appeals`, letters in
`letters`, time in `watching`.
"""

from governance.errors import ConflictError
from governance.rights import package_store, recipients, sealing, store
from governance.rights.appeals import Appealed, appeal, complain
from governance.rights.challenges import challenge
from governance.rights.documents import document, matches
from governance.rights.dossier import Dossier, keep, open_dossier
from governance.rights.execution import people_of
from governance.rights.handling import (
    Handled,
    assign,
    extend,
    fulfil,
    pause,
    resume,
    withdraw,
)
from governance.rights.intake import NewRequest, take
from governance.rights.letters import listed as letters_of
from governance.rights.letters import sent
from governance.rights.matching import decide, match
from governance.rights.model import APPEAL, CLOSED_STATES, COMPLAINT, OPEN_STATES
from governance.rights.refusing import refuse
from governance.rights.verification import (
    Answered,
    answer,
    authorise,
    check,
    confirm,
    decline,
    drop,
    status_of,
    vouch,
)
from governance.rights.watching import is_due, unmatched, waiting, watch
from governance.work import Work

__all__ = [
    "Answered",
    "Appealed",
    "Dossier",
    "Handled",
    "NewRequest",
    "answer",
    "appeal",
    "assign",
    "authorise",
    "challenge",
    "check",
    "confirm",
    "decide",
    "decline",
    "document",
    "drop",
    "entitled",
    "extend",
    "forget",
    "fulfil",
    "is_due",
    "letters_of",
    "match",
    "matches",
    "open_dossier",
    "pause",
    "refuse",
    "resume",
    "sent",
    "status_of",
    "submit",
    "take",
    "unmatched",
    "vouch",
    "waiting",
    "watch",
    "withdraw",
]


def submit(work: Work, new: NewRequest) -> Dossier:
    """Take a request in and look at once whom it means: for components of the controller.

    An appeal goes to the request that it names, under the law of that request, and so does a complaint.
    """
    if new.type == APPEAL and new.appeal_of is not None:
        return appeal(work, new.appeal_of, details=new.details, received_at=new.received_at).dossier
    if new.type == COMPLAINT and new.appeal_of is not None:
        return complain(work, new)
    return match(work, take(work, new).request_id)


def entitled(work: Work, request_id: str) -> tuple[str, ...] | None:
    """The people whose data a request may disclose, correct or delete, now: the door of packages.

    None if a record was merged since and has to be proved anew (that is recorded: commit, then refuse).
    Raises ConflictError `not-verified`.
    """
    return people_of(work, open_dossier(work, request_id))[1]


def forget(work: Work, request_id: str) -> Dossier:
    """Take away everything personal of a closed request and destroy its key; its codes and instants stay.

    For retention, at the end of a request's own term. Again changes nothing; ConflictError `open`.
    """
    dossier = open_dossier(work, request_id)
    if dossier.request.state not in CLOSED_STATES:
        raise ConflictError("This request is open; close it before it is forgotten.", reason="open")
    at = (work.connection, work.tenant_id, request_id)
    if any(each.state in OPEN_STATES for each in store.about(*at)):
        raise ConflictError(
            "An appeal or complaint about this request is open; decide it first.", reason="open"
        )
    if dossier.request.content_sealed is None:
        return dossier
    keep(work, dossier, "forgotten")
    store.remove_contents(work.connection, work.tenant_id, request_id)
    recipients.forget(work, request_id)
    package_store.remove(work.connection, work.tenant_id, request_id)
    package_store.end_links(work.connection, work.tenant_id, request_id, work.now)
    sealing.shred(work, request_id)
    return open_dossier(work, request_id)
