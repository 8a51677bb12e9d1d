"""Shapes of the reports for officers."""

import marshmallow as ma

from api.shapes import Answer, Instant, Shape


class Format(Shape):
    """How a report is given."""

    format = ma.fields.String(
        load_default="json",
        validate=ma.validate.OneOf(("json", "csv")),
        metadata={"description": "csv: its main table, for a spreadsheet, with formulas made harmless."},
    )


class Period(Format):
    """A period: 400 days at most."""

    since = Instant(metadata={"description": "From this instant on; absent: a usual period before the end."})
    until = Instant(metadata={"description": "Up to this instant, which is not included; absent: now."})


class LifecyclePeriod(Period):
    """A period, and the model whose stages are looked at."""

    model = ma.fields.String(load_default="relationship", validate=ma.validate.Length(min=1, max=100))


class Posture(Answer):
    """Where we stand: the worst first."""

    at = ma.fields.String(required=True)
    level = ma.fields.String(required=True)
    lines = ma.fields.List(ma.fields.Dict(), required=True)


class Requests(Answer):
    """Requests and their clocks, what is overdue first; `closed` is about the last 365 days."""

    open = ma.fields.List(ma.fields.Dict(), required=True)
    overdue = ma.fields.Integer(required=True)
    due_soon = ma.fields.Integer(required=True)
    unacknowledged = ma.fields.Integer(required=True)
    by_type = ma.fields.Dict(required=True)
    by_regime = ma.fields.Dict(required=True)
    closed = ma.fields.Dict(required=True)


class Retention(Answer):
    """What should be gone, what goes when, and what keeps it."""

    backlog = ma.fields.List(ma.fields.Dict(), required=True)
    waiting = ma.fields.Integer(required=True)
    oldest = ma.fields.String(required=True, allow_none=True)
    records = ma.fields.Dict(required=True)
    holds = ma.fields.Dict(required=True)
    erasures = ma.fields.Dict(required=True)
    forecast = ma.fields.Dict(required=True, allow_none=True)


class Decisions(Answer):
    """What was decided, and which rules refused."""

    since = ma.fields.String(required=True)
    until = ma.fields.String(required=True)
    decisions = ma.fields.Integer(required=True)
    whole = ma.fields.Boolean(required=True)
    by_action = ma.fields.List(ma.fields.Dict(), required=True)
    by_code = ma.fields.List(ma.fields.Dict(), required=True)
    by_rule = ma.fields.List(ma.fields.Dict(), required=True)
    by_day = ma.fields.List(ma.fields.Dict(), required=True)


class Lifecycle(Answer):
    """People by stage and their moves; null where so few are concerned that they could be told."""

    model = ma.fields.String(required=True)
    since = ma.fields.String(required=True)
    until = ma.fields.String(required=True)
    not_shown_below = ma.fields.Integer(required=True)
    stages = ma.fields.Dict(required=True)
    moves = ma.fields.List(ma.fields.Dict(), required=True)


class ProcessingRecord(Answer):
    """The record of processing activities (GDPR Art. 30)."""

    controller = ma.fields.Dict(required=True)
    activities = ma.fields.List(ma.fields.Dict(), required=True)
    data_subjects = ma.fields.Dict(required=True)
    recipients = ma.fields.List(ma.fields.Dict(), required=True)
    transfers = ma.fields.List(ma.fields.Dict(), required=True)
    security = ma.fields.List(ma.fields.String(), required=True)


class PolicyReviews(Answer):
    """What somebody has to look at again."""

    digest = ma.fields.String(required=True)
    overdue = ma.fields.List(ma.fields.Dict(), required=True)
    coming = ma.fields.List(ma.fields.Dict(), required=True)
    undated = ma.fields.Integer(required=True)
    rollbacks = ma.fields.List(ma.fields.Dict(), required=True)
