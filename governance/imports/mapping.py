"""Reads a mapping file. Everything doubtful is refused, with its line and the nearest known name."""

from collections.abc import Iterable, Mapping

from governance.consent.acts import check_code
from governance.consent.proof import PERSON_METHODS, REPORTED_METHODS
from governance.errors import InvalidError
from governance.imports.model import (
    ATTRIBUTES,
    POINT_TYPES,
    Choice,
    Condition,
    ConsentRule,
    EventRule,
    IdentifierColumn,
    ImportMapping,
    OptOutRule,
)
from governance.policy.complaints import Complaints, nearest
from governance.policy.documents import Node, compose
from governance.policy.model import Problem
from governance.subjects.relations import EVENT_EFFECTS

CHANNELS = ("email", "sms", "voice", "post", "push", "social")
SCOPES = ("marketing", "all", "undeliverable")
STATUSES = ("requested", "granted", "refused", "withdrawn")
STAGES = ("lead", "contact", "client", "active_service", "dormant", "churned")
ACQUIRED = ("person", "import", "acquired_list", "third_party", "unknown")
_TOP = ("mapping", "format", "subject", "attributes", "identifiers", "suppressions", "consents", "events")


class MappingError(InvalidError):
    """A mapping cannot be used; every complaint names file, line and value."""

    code = "mapping-refused"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda one: (one.line, one.sentence)))
        lines = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"The mapping cannot be used:\n{lines}")


def read_mapping(file: str, text: str) -> ImportMapping:
    """Read a mapping; raises MappingError naming everything that is wrong with it."""
    tree = compose(file, text)
    if isinstance(tree, Problem):
        raise MappingError([tree])
    reader = _Reader(Complaints(file))
    mapping = reader.mapping(tree)
    if reader.say.found:
        raise MappingError(reader.say.found)
    return mapping


def check_columns(file: str, mapping: ImportMapping, header: Iterable[str]) -> None:
    """Raise MappingError for every column that the mapping names and the file has not."""
    present = list(header)
    # A first line without any of the columns is no header but somebody's data, of which nothing is repeated.
    named = present if any(column in present for column in mapping.columns) else []
    problems = [
        Problem(file, line, f"the file has no column '{column}'{nearest(column, named)}")
        for column, line in mapping.columns.items()
        if column not in present
    ]
    problems += [
        Problem(file, line, f"the file has several columns '{column}'; name each one differently")
        for column, line in mapping.columns.items()
        if present.count(column) > 1
    ]
    if problems:
        raise MappingError(problems)


class _Reader:
    """Reads the tree of one mapping file, collecting complaints."""

    def __init__(self, say: Complaints) -> None:
        self.say = say
        self.columns: dict[str, int] = {}

    def mapping(self, tree: Node) -> ImportMapping:
        top = self.say.members(tree, "the mapping", _TOP, ("mapping", "subject"))
        subject = self._members(
            top.get("subject"), "subject", ("external_id", "relationship", "acquired", "acquired_at")
        )
        return ImportMapping(
            name=self.say.text(top.get("mapping"), "mapping"),
            format=self._one_of(top.get("format"), "format", ("csv", "ndjson")),
            external_id=self._column(subject.get("external_id"), "subject.external_id") or "",
            relationship=self._source(subject.get("relationship"), "relationship", STAGES),
            acquired=self._source(subject.get("acquired"), "acquired", ACQUIRED),
            acquired_at=self._column(subject.get("acquired_at"), "subject.acquired_at", optional=True),
            attributes=self._attributes(top.get("attributes")),
            identifiers=[
                self._identifier(node) for node in self.say.items(top.get("identifiers"), "identifiers")
            ],
            suppressions=[
                self._opt_out(node) for node in self.say.items(top.get("suppressions"), "suppressions")
            ],
            consents=[self._consent(node) for node in self.say.items(top.get("consents"), "consents")],
            events=[self._event(node) for node in self.say.items(top.get("events"), "events")],
            columns=self.columns,
        )

    def _members(self, node: Node | None, what: str, known: Iterable[str]) -> Mapping[str, Node]:
        return {} if node is None else self.say.members(node, what, known)

    def _column(self, node: Node | None, what: str, *, optional: bool = False) -> str | None:
        if node is None:
            if not optional:
                self.say.add(0, f"{what} must name a column")
            return None
        name = self.say.text(node, what)
        self.columns.setdefault(name, node.line)
        return name

    def _one_of(self, node: Node | None, what: str, known: Iterable[str], default: str = "") -> str:
        text = self.say.text(node, what, default)
        if text and text not in known and node is not None:
            self.say.unknown(node.line, what, text, known)
        return text

    def _source(self, node: Node | None, what: str, known: Iterable[str] | None) -> Choice | str | None:
        """A constant, or `{column, values, otherwise}`."""
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, dict):
            return self._one_of(node, what, known) if known else self.say.text(node, what)
        members = self.say.members(node, what, ("column", "values", "otherwise"), ("column",))
        column = self._column(members.get("column"), f"{what}.column") or ""
        values: dict[str, str | None] | None = None
        if "values" in members:
            values = {}
            for key, target in self.say.mapping(members["values"], f"{what}.values").items():
                values[key] = self._target(target, what, known)
        otherwise = members.get("otherwise")
        return Choice(
            column,
            values,
            self._target(otherwise, what, known) if otherwise else None,
            values is not None and otherwise is None,
            node.line,
        )

    def _target(self, node: Node, what: str, known: Iterable[str] | None) -> str | None:
        if node.value is None:
            return None
        text = self.say.text(node, f"a value of {what}")
        if known and text and text not in known:
            self.say.unknown(node.line, what, text, known)
        return text

    def _attributes(self, node: Node | None) -> Mapping[str, Choice | str]:
        found: dict[str, Choice | str] = {}
        for name, source in self._members(node, "attributes", ATTRIBUTES).items():
            known = ("consumer", "business") if name == "customer_type" else None
            read = self._source(source, name, known)
            if read is not None:
                found[name] = read
        return found

    def _identifier(self, node: Node) -> IdentifierColumn:
        members = self.say.members(node, "an identifier", ("subscriber", "region"), ("type", "column"))
        return IdentifierColumn(
            self._one_of(members.get("type"), "type", POINT_TYPES),
            self._column(members.get("column"), "column") or "",
            self._one_of(members.get("subscriber"), "subscriber", ("individual", "sole_trader", "corporate"))
            or None,
            self.say.text(members.get("region"), "region") or None,
        )

    def _when(self, node: Node | None, what: str) -> Condition:
        if node is None:
            self.say.add(0, f"{what} needs 'when'")
            return Condition({})
        columns: dict[str, frozenset[str]] = {}
        for column, wanted in self.say.mapping(node, "when").items():
            self.columns.setdefault(column, node.keys.get(column, node.line))
            nodes = wanted.value if isinstance(wanted.value, list) else [wanted]
            columns[column] = frozenset(_as_in_a_file(item.value) for item in nodes)
        if not columns:
            self.say.add(node.line, "an empty 'when' would hold for every row; name a column and its values")
        return Condition(columns)

    def _opt_out(self, node: Node) -> OptOutRule:
        members = self.say.members(node, "a suppression", ("channel", "reason"), ("when", "scope"))
        return OptOutRule(
            self._when(members.get("when"), "a suppression"),
            self._one_of(members.get("scope"), "scope", SCOPES),
            self._one_of(members.get("channel"), "channel", CHANNELS),
            self.say.text(members.get("reason"), "reason", "reported by an import"),
        )

    def _consent(self, node: Node) -> ConsentRule:
        members = self.say.members(
            node, "a consent", ("channel", "topic", "method", "occurred_at"), ("when", "purpose", "status")
        )
        status = self._one_of(members.get("status"), "status", STATUSES)
        # Whatever a file says, a yes in it is somebody's report of an act and not the act itself.
        methods = (
            REPORTED_METHODS if status in ("requested", "granted") else REPORTED_METHODS | PERSON_METHODS
        )
        return ConsentRule(
            self._when(members.get("when"), "a consent"),
            self.say.text(members.get("purpose"), "purpose"),
            self._one_of(members.get("channel"), "channel", CHANNELS),
            self._topic(members.get("topic")),
            status,
            self._one_of(members.get("method"), "method", methods, "import"),
            self._column(members.get("occurred_at"), "occurred_at", optional=True),
            members["purpose"].line if "purpose" in members else node.line,
        )

    def _topic(self, node: Node | None) -> str:
        topic = self.say.text(node, "topic")
        try:
            return check_code("topic", topic or None)
        except InvalidError as problem:
            self.say.add(node.line if node else 0, problem.message)
            return ""

    def _event(self, node: Node) -> EventRule:
        members = self.say.members(
            node,
            "an event",
            ("occurred_at", "product_family", "opt_out_offered", "channel"),
            ("when", "event"),
        )
        return EventRule(
            self._when(members.get("when"), "an event"),
            self._one_of(members.get("event"), "event", EVENT_EFFECTS),
            self._column(members.get("occurred_at"), "occurred_at", optional=True),
            self._source(members.get("product_family"), "product_family", None),
            self._offered(members.get("opt_out_offered")),
            self._one_of(members.get("channel"), "channel", CHANNELS),
        )

    def _offered(self, node: Node | None) -> Condition | bool | None:
        """`true`, `false`, or a condition under which a way to refuse was offered."""
        if node is None:
            return None
        if isinstance(node.value, bool):
            return node.value
        if not isinstance(node.value, dict):
            self.say.add(node.line, "opt_out_offered is true, false or a condition on columns")
            return None
        return self._when(node, "opt_out_offered")


def _as_in_a_file(value: object) -> str:
    """A value of the mapping as a field of a file holds it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
