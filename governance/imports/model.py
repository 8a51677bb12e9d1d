"""What a mapping says about a file, and what one row of it says about a person.

A mapping turns columns and their values into identifiers, attributes, a stage, opt-outs and consents. It
never guesses: a value that its table does not list makes the row an error, unless it says `otherwise`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from dateutil import parser as dates

ATTRIBUTES = ("country", "region", "time_zone", "language", "birth_date", "customer_type")
POINT_TYPES = ("email", "phone", "postal", "device", "social")


class RowError(Exception):
    """A row cannot be taken in; `column` and `value` say where and what, the sentence says why.

    `text` is the row as it came, where it could not be read into columns. The sentence and the column are
    kept plainly, so they never repeat what the file holds below its header.
    """

    def __init__(self, sentence: str, *, column: str = "", value: str = "", text: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.column = column
        self.value = value
        self.text = text


@dataclass(frozen=True, slots=True)
class Choice:
    """A value taken from a column: as it stands, or by a table of values. `line` is the mapping's line."""

    column: str
    values: Mapping[str, str | None] | None
    otherwise: str | None
    strict: bool
    line: int

    def read(self, row: Mapping[str, str]) -> str | None:
        """The value for this row; raises RowError for a value that the table does not list."""
        text = row[self.column].strip()
        if self.values is None:
            return text or None
        if text in self.values:
            return self.values[text]
        if self.strict:
            raise RowError(
                f"The mapping (line {self.line}) does not say what this value means.",
                column=self.column,
                value=text,
            )
        return self.otherwise


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds for a row in which every named column has one of its listed values ('' is an empty field)."""

    columns: Mapping[str, frozenset[str]]

    def holds(self, row: Mapping[str, str]) -> bool:
        """Whether the row meets it."""
        return all(row[column].strip() in values for column, values in self.columns.items())


@dataclass(frozen=True, slots=True)
class IdentifierColumn:
    """A column that holds an e-mail address, a telephone number or the like."""

    type: str
    column: str
    subscriber: str | None
    region: str | None


@dataclass(frozen=True, slots=True)
class OptOutRule:
    """When a row says that a person must not be contacted. `scope`: marketing, all or undeliverable."""

    when: Condition
    scope: str
    channel: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """When a row says that a person consented, refused or withdrew; `line` is the mapping's."""

    when: Condition
    purpose: str
    channel: str
    topic: str
    status: str
    method: str
    occurred_at: str | None
    line: int


@dataclass(frozen=True, slots=True)
class EventRule:
    """When a row says that something happened in the relationship, what it was about, and on which channel.

    `opt_out_offered`: whether a way to refuse messages was offered then, always or where a condition holds.
    """

    when: Condition
    event: str
    occurred_at: str | None
    product_family: Choice | str | None = None
    opt_out_offered: Condition | bool | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """How to read one kind of file."""

    name: str
    format: str
    external_id: str
    acquired: Choice | str | None
    acquired_at: str | None
    relationship: Choice | str | None
    attributes: Mapping[str, Choice | str]
    identifiers: Sequence[IdentifierColumn]
    suppressions: Sequence[OptOutRule]
    consents: Sequence[ConsentRule]
    events: Sequence[EventRule]
    columns: Mapping[str, int]
    """Every column that the mapping names, with the line that names it first."""


@dataclass(frozen=True, slots=True)
class RowConsent:
    """A consent event that a row reports."""

    purpose: str
    channel: str
    topic: str
    status: str
    method: str
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class RowEvent:
    """Something that happened, as a row reports it; `channel` is that of the address that was given in it."""

    event: str
    occurred_at: datetime | None
    product_family: str | None = None
    opt_out_offered: bool | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """What one row says about one person. `number` counts the data rows of the file from 1."""

    number: int
    external_id: str
    attributes: Mapping[str, str]
    identifiers: Sequence[tuple[str, str, str | None]]
    relationship: str | None
    acquired: str
    acquired_at: datetime | None
    suppressions: Sequence[OptOutRule]
    consents: Sequence[RowConsent]
    events: Sequence[RowEvent]


def read_row(mapping: ImportMapping, number: int, row: Mapping[str, str]) -> ImportRow:
    """Read one row as the mapping says; raises RowError."""
    external_id = row[mapping.external_id].strip()
    if not external_id:
        raise RowError("The row has no id.", column=mapping.external_id)
    attributes: dict[str, str] = {}
    for name, source in mapping.attributes.items():
        value = _value(source, row)
        if value is not None:
            attributes[name] = value if name != "birth_date" else _day(source, value)
    return ImportRow(
        number=number,
        external_id=external_id,
        attributes=attributes,
        identifiers=_identifiers(mapping, row),
        relationship=_value(mapping.relationship, row),
        acquired=_value(mapping.acquired, row) or "import",
        acquired_at=_instant(mapping.acquired_at, row),
        suppressions=[rule for rule in mapping.suppressions if rule.when.holds(row)],
        consents=[_consent(rule, row) for rule in mapping.consents if rule.when.holds(row)],
        events=_events(mapping, row),
    )


def read_opt_outs(mapping: ImportMapping, number: int, row: Mapping[str, str]) -> ImportRow:
    """Read of a row only who said no to what; whatever else is wrong with it does not matter.

    A no of which it cannot be read when it was said counts from now on.
    """
    said: list[RowConsent] = []
    for rule in mapping.consents:
        if rule.status in ("refused", "withdrawn") and rule.when.holds(row):
            try:
                said.append(_consent(rule, row))
            except RowError:
                said.append(_consent(replace(rule, occurred_at=None), row))
    barred = [rule for rule in mapping.suppressions if rule.scope != "undeliverable" and rule.when.holds(row)]
    external_id = row[mapping.external_id].strip()
    try:
        country = _value(mapping.attributes.get("country"), row)
    except RowError:
        country = None
    known = {} if country is None else {"country": country}
    addresses = _identifiers(mapping, row)
    return ImportRow(number, external_id, known, addresses, None, "import", None, barred, said, ())


def _identifiers(mapping: ImportMapping, row: Mapping[str, str]) -> list[tuple[str, str, str | None]]:
    return [
        (one.type, row[one.column].strip(), one.subscriber)
        for one in mapping.identifiers
        if row[one.column].strip()
    ]


def _value(source: Choice | str | None, row: Mapping[str, str]) -> str | None:
    return source.read(row) if isinstance(source, Choice) else source


def _consent(rule: ConsentRule, row: Mapping[str, str]) -> RowConsent:
    return RowConsent(
        rule.purpose, rule.channel, rule.topic, rule.status, rule.method, _instant(rule.occurred_at, row)
    )


def _events(mapping: ImportMapping, row: Mapping[str, str]) -> list[RowEvent]:
    """What happened; an empty column for the instant means that nothing did."""
    found = []
    for rule in mapping.events:
        at = _instant(rule.occurred_at, row)
        if rule.when.holds(row) and (rule.occurred_at is None or at is not None):
            offered = rule.opt_out_offered
            found.append(
                RowEvent(
                    rule.event,
                    at,
                    _value(rule.product_family, row),
                    offered.holds(row) if isinstance(offered, Condition) else offered,
                    rule.channel,
                )
            )
    return found


def _day(source: Choice | str, text: str) -> str:
    """A date, as ISO 8601 writes it; RowError for anything else."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        column = source.column if isinstance(source, Choice) else ""
        raise RowError("This is no ISO 8601 date.", column=column, value=text) from None


def latest_column(mapping: ImportMapping, field: str, row: Mapping[str, str]) -> str:
    """The column that holds a row's latest instant, of those that a field was read from, or ''."""
    named = [each.occurred_at for each in mapping.consents] + [each.occurred_at for each in mapping.events]
    if field == "acquired_at":
        named = [mapping.acquired_at]
    read = [(at, column) for column in named if column and (at := _instant(column, row)) is not None]
    return max(read)[1] if read else ""


def _instant(column: str | None, row: Mapping[str, str]) -> datetime | None:
    """An instant from a column; a date without an offset is taken as UTC. Raises RowError."""
    text = row[column].strip() if column else ""
    if not text:
        return None
    try:
        found = dates.isoparse(text)
    except ValueError:
        raise RowError("This is no ISO 8601 date or instant.", column=column or "", value=text) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
