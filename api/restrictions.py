"""Restricted processing (Art. 18 GDPR): set, and lifted once the person has been informed."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response

from api import subject_documents
from api.disclosures import left_of, of_person, of_those_named
from api.problems import problem
from api.rooms import Room
from api.runtime import reply, request_snapshot, request_work
from api.shapes import Answer, Flag, Instant, Shape, Text
from api.subjects import SubjectReply
from governance.rights import lifting
from governance.rights.lifting import Informed, NotInformed
from governance.subjects import service as subjects
from governance.subjects.identifiers import check_external_id
from governance.transfers.disclosures import PROFILE

room = Room("restrictions", description="Restricted processing, and letters before it ends.")


class InformedShape(Shape):
    """How the person was told that the restriction is about to end, where it was not by our letter."""

    at = Instant(required=True)
    how = Text(2000, required=True, metadata={"description": "Sealed as evidence: by telephone, at a desk."})


class RestrictionBody(Shape):
    """Restricted processing: storage only (Art. 18 GDPR)."""

    restricted = Flag(required=True)
    because = Text(2000)
    informed = ma.fields.Nested(InformedShape)


class RestrictionReply(Answer):
    """Whether processing is restricted, and the letters that said that this is about to end."""

    restricted = ma.fields.Boolean(required=True)
    notices = ma.fields.List(ma.fields.Dict(), required=True)


@room.put(
    "/v1/subjects/<external_id>/restriction", scope="subjects:write", discloses=of_those_named(*PROFILE)
)
@room.body(RestrictionBody)
@room.refuses(409)
@room.answers(200, SubjectReply)
def restrict(body: Mapping[str, Any], external_id: str) -> Response:
    """Restrict processing to storage, or lift that: 409 `person-not-informed` until the person was told.

    The refusal writes the letter (`GET …/restriction`); once it was sent, lift again. Where the person was
    told in another way, say so in `informed`.
    """
    with request_work() as work:
        person = subjects.get(work, check_external_id(external_id))
        because = body.get("because")
        if body["restricted"]:
            person = subjects.set_restriction(work, person.subject_ref, True, because=because)
        else:
            said = body.get("informed")
            informed = None if said is None else Informed(said["at"], said["how"])
            done = lifting.lift(work, person.subject_ref, because=because, informed=informed)
            if isinstance(done, NotInformed):
                return _not_informed(done)
            person = done
        document = subject_documents.person(work, person, values=False)
        document = left_of(work, person.subject_ref, document)
    return reply(document)


@room.get(
    "/v1/subjects/<external_id>/restriction", scope="rights:read", discloses=of_person("contact_details")
)
@room.answers(200, RestrictionReply)
def get_restriction(external_id: str) -> Response:
    """Say whether processing is restricted; with the letters, to be sent as `rights_correspondence`."""
    with request_snapshot() as snapshot:
        person = subjects.get(snapshot, check_external_id(external_id))
        found = lifting.notices(snapshot, person.subject_ref)
        shown = [lifting.document(snapshot, each) for each in found]
        return reply({"restricted": person.restricted, "notices": shown})


@room.post("/v1/subjects/<external_id>/restriction/notices/<notice_id>/sent", scope="rights:write")
@room.answers(200, Answer)
def notice_sent(external_id: str, notice_id: str) -> Response:
    """Note that the letter went out: from now on the restriction may be lifted."""
    with request_work() as work:
        person = subjects.get(work, check_external_id(external_id))
        notice = lifting.sent(work, person.subject_ref, notice_id)
        shown = lifting.document(work, notice)
    return reply({name: shown[name] for name in ("id", "language", "written_at", "sent_at", "lifted_at")})


def _not_informed(refused: NotInformed) -> Response:
    return problem(
        409,
        "The person was not informed",
        "Before a restriction is lifted the person is told (Regulation (EU) 2016/679 Art. 18(3)). The letter "
        "is written: send it, note that it was sent, then lift the restriction.",
        code="person-not-informed",
        notice=refused.notice.notice_id,
    )
