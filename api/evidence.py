"""The evidence of one message: everything that shows why it was sent, in a file that verifies offline."""

from flask import Response

from api.audit import SIGNER
from api.disclosures import disclose, of_person, of_those_named
from api.rooms import Room
from api.runtime import request_work, this_runtime
from governance.communications import evidence
from governance.reports import person_evidence
from governance.subjects.identifiers import check_external_id
from governance.transfers.disclosures import PROOF

room = Room("evidence", description="Why a message was sent, with the proof.")

_BINARY = {"type": "string", "format": "binary"}


@room.get(
    "/v1/communications/<message_id>/evidence",
    scope="audit:read",
    discloses=of_those_named(*PROOF),
)
@room.answers(200, _BINARY, content_type="application/zip", description="A ZIP with a signed manifest.")
def get_evidence(message_id: str) -> Response:
    """Give the evidence of a message, for `governance evidence verify FILE`; that it was given is recorded.

    It holds what was sealed with the person's consent, for claims: the scope is that of auditors.
    """
    signer = this_runtime().vault.checkpoint_signer(SIGNER)
    with request_work() as work:
        disclose(work, [evidence.find(work, message_id).subject_ref])
        made = evidence.gather(work, message_id, signer)
    headers = {"Content-Disposition": 'attachment; filename="evidence.zip"'}
    return Response(made, 200, headers, content_type="application/zip")


@room.get(
    "/v1/subjects/<external_id>/evidence",
    scope="audit:read",
    discloses=of_person(*PROOF),
)
@room.answers(200, _BINARY, content_type="application/zip", description="A ZIP with a signed manifest.")
@room.refuses(409)
def get_person_evidence(external_id: str) -> Response:
    """Give everything that can be proved about a person, for `governance evidence verify FILE`; recorded."""
    signer = this_runtime().vault.checkpoint_signer(SIGNER)
    with request_work() as work:
        made = person_evidence.gather(work, check_external_id(external_id), signer)
    headers = {"Content-Disposition": 'attachment; filename="evidence.zip"'}
    return Response(made, 200, headers, content_type="application/zip")
