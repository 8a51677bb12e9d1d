"""Shapes of the routes on data-subject requests."""

import marshmallow as ma

from api.shapes import Answer, Day, Flag, Instant, Page, Shape, SubjectName, Text
from governance.rights.clocks import ASKS
from governance.rights.model import BEHALVES, SAID_CHANNELS, STATES, TYPES
from governance.rights.recipients import NOTES


def plain(value: object) -> None:
    """Refuse what is no text, number, flag or null."""
    if isinstance(value, str) and len(value) > 1000:
        raise ma.ValidationError("Send at most 1000 characters.")
    if value is not None and not isinstance(value, str | int | float | bool):
        raise ma.ValidationError("Send a text, a number, true, false or null.")


class Behalf(Shape):
    """Who asks for somebody else. Everything but `kind` is sealed."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(BEHALVES))
    name = Text(256)
    contact = Text(512)
    evidence = ma.fields.Dict(keys=ma.fields.String())


class RequestBody(Shape):
    """A request. Required: type and identities (or identity)."""

    type = ma.fields.String(required=True, validate=ma.validate.OneOf(TYPES))
    identities = ma.fields.List(ma.fields.Nested(SubjectName))
    identity = ma.fields.Nested(SubjectName, metadata={"description": "In place of one entry in identities."})
    on_behalf_of = ma.fields.Nested(Behalf, allow_none=True)
    regime = Text(64, allow_none=True, metadata={"description": "Chosen by place if absent."})
    country = Text(2, allow_none=True, metadata={"description": "Where the person lives (ISO 3166-1)."})
    region = Text(8, allow_none=True, metadata={"description": "ISO 3166-2, such as US-CA."})
    language = Text(35, allow_none=True)
    received_at = Instant(allow_none=True)
    channel = ma.fields.String(load_default="api", validate=ma.validate.OneOf(SAID_CHANNELS))
    name = Text(256, allow_none=True)
    details = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)
    appeal_of = Text(
        64,
        allow_none=True,
        metadata={"description": "The refused request that an appeal is against, or a complaint about."},
    )


class RequestReply(Answer):
    """A request as it stands."""

    id = ma.fields.String(required=True)
    type = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(STATES))
    regime = ma.fields.String(required=True)
    clock = ma.fields.Dict(required=True)
    identities = ma.fields.List(ma.fields.Dict(), required=True)


class CorrectedReply(RequestReply):
    """A request after a correction."""

    not_so_here = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "Names of what was left here: it is something else than `was`."},
    )


class PackageLinkReply(Answer):
    """A new link was written: the letter that holds it, and when it runs out."""

    letter = ma.fields.String(required=True)
    expires_at = ma.fields.String(required=True)


class Choice(ma.fields.Boolean):
    """`true` or `false` in a query."""

    truthy = {"true"}  # noqa: RUF012  # the library's own form
    falsy = {"false"}  # noqa: RUF012


class RequestQuery(Page):
    """Which requests."""

    status = ma.fields.String(validate=ma.validate.OneOf(STATES))
    type = ma.fields.String(validate=ma.validate.OneOf(TYPES))
    regime = Text(64)
    overdue = Choice(load_default=False, metadata={"description": "Only open ones whose answer is late."})
    subject = Text(128, metadata={"description": "The CRM's id of somebody whom they were settled to mean."})


class VerifyBody(Shape):
    """One step of proof.

    `{"identity", "method": "code"}` sends a code; with `code` it tries one. `{"identity", "method": "staff" |
    "account", "evidence"}` notes a check. `{"identity", "method": "drop"}` leaves an identity out.
    `{"authority": "accepted" | "rejected", "evidence"}` settles an agent's or guardian's right to ask.
    """

    identity = Text(64)
    method = ma.fields.String(validate=ma.validate.OneOf(("code", "account", "staff", "drop")))
    contact_point = Text(64, allow_none=True)
    code = Text(32)
    evidence = ma.fields.Dict(keys=ma.fields.String())
    authority = ma.fields.String(validate=ma.validate.OneOf(("accepted", "rejected")))


class ExtendBody(Shape):
    """Why it takes longer; `until` only where the law leaves the day open."""

    because = Text(2000, required=True)
    until = Day(allow_none=True)


class PauseBody(Shape):
    """What the person was asked for, and when."""

    reason = ma.fields.String(required=True, validate=ma.validate.OneOf(ASKS))
    at = Instant(allow_none=True)


class ResumeBody(Shape):
    """When the person answered."""

    at = Instant(allow_none=True)


class RefuseBody(Shape):
    """On which ground, and what else the person is told."""

    ground = Text(64, required=True)
    because = Text(4000, allow_none=True)


class FulfilBody(Shape):
    """What the person is told of the answer. Of an appeal: `partly` grants the part that `because` names."""

    partly = Flag(load_default=False)
    reopen = Flag(
        load_default=True,
        metadata={"description": "`false`: a complaint is right though the answer that it is about stands."},
    )
    because = Text(4000, allow_none=True)


class WithdrawBody(Shape):
    """Why the person no longer wants it."""

    because = Text(2000, allow_none=True)


class AppealBody(Shape):
    """What the appeal says."""

    received_at = Instant(allow_none=True)
    details = ma.fields.Dict(keys=ma.fields.String(), allow_none=True)


class CorrectionShape(Shape):
    """One value to put right; with `was`, only what is still so."""

    name = Text(128, required=True, metadata={"description": "An attribute, or table.column of `system`."})
    value = ma.fields.Raw(required=True, allow_none=True, validate=plain)
    was = ma.fields.Raw(allow_none=True, validate=plain)
    system = Text(63, allow_none=True, metadata={"description": "Only this system is told; else all."})


class CorrectBody(Shape):
    """What is put right, here and at everybody who holds a copy."""

    changes = ma.fields.List(
        ma.fields.Nested(CorrectionShape), required=True, validate=ma.validate.Length(1, 50)
    )


class NoteBody(Shape):
    """What became of a recipient that cannot be asked by machine; `retry` asks it again."""

    outcome = ma.fields.String(required=True, validate=ma.validate.OneOf(NOTES))
    evidence = ma.fields.Dict(keys=ma.fields.String())


class MatchBody(Shape):
    """Whether an identity means a person."""

    identity = Text(64, required=True)
    subject = ma.fields.Nested(SubjectName, required=True)
    confirmed = Flag(load_default=True)
