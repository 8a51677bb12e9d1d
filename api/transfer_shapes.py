"""Shapes of transfers: mechanisms, the kill switch, flows, the map and the report."""

import marshmallow as ma

from api.shapes import Answer, Flag, Instant, Page, Shape, Text, Whole
from governance.transfers.checks import MOST_PEOPLE
from governance.transfers.model import FLOW_STATES, KINDS, RECIPIENT_KINDS, STATES


class TransferScopeShape(Shape):
    """What a mechanism covers; a list that is empty or left out means any."""

    recipients = ma.fields.List(Text(64))
    destinations = ma.fields.List(Text(2))
    data_classes = ma.fields.List(Text(64))


class MechanismBody(Shape):
    """What transfers may rest on."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(KINDS))
    instruments = ma.fields.List(
        Text(64),
        metadata={
            "description": "What it is in the laws that it serves; left out: the usual one of its kind for "
            "the controller's country."
        },
    )
    scope = ma.fields.Nested(TransferScopeShape)
    valid_from = Instant(allow_none=True)
    expires_at = Instant(allow_none=True)
    owner = Text(64, allow_none=True)
    assessment_reference = Text(
        64, allow_none=True, metadata={"description": "The transfer impact assessment (TIA), as a code."}
    )
    consent_purpose = Text(
        64,
        allow_none=True,
        metadata={
            "description": "The purpose that people consent to, where the mechanism is their consent; "
            "left out: `transfer_abroad`."
        },
    )


class MechanismReply(Answer):
    """A mechanism and how it stands."""

    id = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    instruments = ma.fields.List(ma.fields.String(), required=True)
    scope = ma.fields.Dict(required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(STATES))
    expires_at = ma.fields.String(required=True, allow_none=True)


class SuspendBody(Shape):
    """Why; `dry_run` only says what it would do. The reason is sealed."""

    reason = Text(2000, required=True)
    dry_run = Flag(load_default=False)


class ImpactReply(Answer):
    """What it did, or would do: flows that stop, carry on or resume, and how many people are concerned."""

    mechanism = ma.fields.Dict(required=True)
    dry_run = ma.fields.Boolean(required=True)
    flows = ma.fields.List(ma.fields.Dict(), required=True)
    stopped = ma.fields.List(ma.fields.String(), required=True)
    carried_on = ma.fields.List(ma.fields.String(), required=True)
    people = ma.fields.Integer(required=True)
    people_declared = ma.fields.Integer(required=True)


class TransferFlowBody(Shape):
    """A transfer that happens again and again."""

    origin = Text(2, required=True)
    destination = Text(2, required=True)
    recipient = Text(64, required=True)
    recipient_kind = ma.fields.String(allow_none=True, validate=ma.validate.OneOf(RECIPIENT_KINDS))
    data_classes = ma.fields.List(Text(64), required=True, validate=ma.validate.Length(1, 100))
    mechanisms = ma.fields.List(Text(64), metadata={"description": "First choice first."})
    mechanism = Text(64, metadata={"description": "In place of `mechanisms` with one entry."})
    people_per_year = Whole(
        0, MOST_PEOPLE, metadata={"description": "People concerned beyond those recorded here."}
    )


class TransferFlowReply(Answer):
    """A flow and how it stands now."""

    id = ma.fields.String(required=True)
    origin = ma.fields.String(required=True)
    destination = ma.fields.String(required=True)
    recipient = ma.fields.String(required=True)
    mechanisms = ma.fields.List(ma.fields.String(), required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(FLOW_STATES))
    because = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Why a stopped flow is stopped."}
    )
    mechanism_in_use = ma.fields.String(required=True, allow_none=True)
    codes = ma.fields.List(ma.fields.String(), required=True)
    people = ma.fields.Integer(required=True, allow_none=True)


class FlowQuery(Page):
    """Which flows."""

    status = ma.fields.String(validate=ma.validate.OneOf(FLOW_STATES))


class TransferMapReply(Answer):
    """Countries with their people, flows between them, and decisions of the last 30 days by route."""

    countries = ma.fields.List(ma.fields.Dict(), required=True)
    flows = ma.fields.List(ma.fields.Dict(), required=True)
    decisions = ma.fields.Dict(required=True)


class TransfersReportQuery(Shape):
    """In which form."""

    format = ma.fields.String(load_default="json", validate=ma.validate.OneOf(("json", "csv")))


class TransfersReport(Answer):
    """How transfers stand."""

    flows = ma.fields.List(ma.fields.Dict(), required=True)
    by_status = ma.fields.Dict(required=True)
    people_affected = ma.fields.Integer(required=True)
    mechanisms = ma.fields.List(ma.fields.Dict(), required=True)
    residency = ma.fields.List(ma.fields.Dict(), required=True)
    decisions = ma.fields.Dict(required=True)
