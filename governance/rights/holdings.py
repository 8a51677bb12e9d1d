"""What this service itself holds about a person, for the package of an access request.

Which tables, and which of their columns, stands in `held_tables`. What lies in other systems is collected by
their connectors.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from governance.clock import wire
from governance.communications import store as messages
from governance.decisions.service import DecisionLog
from governance.decisions.store import decision, logged_decision
from governance.errors import UnreadableError
from governance.ledger.store import ledger_entry
from governance.retention import service as retention
from governance.rights import held_requests
from governance.rights.held_tables import HELD, Held
from governance.rights.opening import open_value
from governance.subjects import service as subjects
from governance.vault.model import EVIDENCE, Place, evidence_place, read_payload, unpack_evidence
from governance.work import Snapshot

_CHUNK = 400
_WITHHELD = "retention.hold%"
"""Acts about legal holds: what those are about is not told."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: values by name, as JSON; `at` begins its term, `system` and `record` name a registered one.

    `unreadable`: names of values that are there and could not be opened.
    """

    values: dict[str, Any]
    at: datetime | None
    closed_at: datetime | None = None
    system: str | None = None
    record: str | None = None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one kind and class of data. `title` is a key of the words."""

    data_class: str
    title: str
    rows: list[Row]


def own(snap: Snapshot, subject_ref: str) -> list[Section]:
    """All that is held here about a person and the records merged into it; no section is empty."""
    refs = subjects.group(snap, subject_ref)
    reader = _Reader(snap, refs)
    found = [section for held in HELD for section in reader.sections(held)]
    found.append(Section("access_logs", "acts", reader.acts()))
    found.append(Section("rights_requests", "holds", _holds(snap, subject_ref)))
    for title, rows in held_requests.read(snap, refs).items():
        told = [Row(values, at, unreadable=lost) for values, at, lost in rows]
        found.append(Section("rights_requests", title, told))
    return [each for each in found if each.rows]


class _Reader:
    """Reads the rows of one person; knows the person's addresses and what was sealed with acts."""

    def __init__(self, snap: Snapshot, refs: Sequence[str]) -> None:
        self._snap, self._refs = snap, tuple(refs)
        self._addresses: dict[str, str] = {}
        self._hashes: dict[str, str] = {}
        for ref in refs:
            for point in subjects.points(snap, ref):
                try:
                    value = subjects.reveal_point(snap, point)
                except UnreadableError:  # told with the contact point itself
                    continue
                self._addresses[point.point_ref] = value
                self._hashes[point.suppression_hash] = value
        self._shown: set[str] = set()

    def sections(self, held: Held) -> Iterator[Section]:
        """The rows of a table, by class of data."""
        by_class: dict[str, list[Row]] = {}
        for row in self._rows(held):
            data_class = row[held.data_class[1:]] if held.data_class.startswith("=") else held.data_class
            by_class.setdefault(data_class, []).append(self._row(held, row))
        for data_class, rows in by_class.items():
            yield Section(data_class, held.title, rows)

    def acts(self) -> list[Row]:
        """What was sealed with acts about the person that no other section shows."""
        at = ledger_entry.c
        query = (
            sa.select(at.event_id, at.kind, at.at, at.subject_ref, at.leaf, at.payload)
            .where(at.tenant_id == self._snap.tenant_id, at.subject_ref.in_(self._refs))
            .where(at.payload.is_not(None), ~at.kind.like(_WITHHELD))
            .order_by(at.position)
        )
        found = []
        for entry in self._snap.connection.execute(query):
            if entry.event_id in self._shown:
                continue
            lost: list[str] = []
            told = self._opened(_keepers(entry), entry.event_id, entry.payload, "told", lost)
            if told or lost:
                values = {"act": entry.kind, "occurred_at": wire(entry.at)} | ({"told": told} if told else {})
                found.append(Row(values, entry.at, unreadable=tuple(lost)))
        return found

    def _rows(self, held: Held) -> Iterator[Mapping[str, Any]]:
        keys = list(self._hashes) if held.by == "suppression_hash" else list(self._refs)
        yield from self._of(self._snap.connection, held.table, held, keys)
        if held.table is decision:
            with self._snap.resource(DecisionLog).engine.connect() as connection:
                yield from self._of(connection, logged_decision, held, keys)

    def _of(
        self, connection: Connection, table: sa.Table, held: Held, keys: Sequence[str]
    ) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(keys), _CHUNK):
            query = (
                sa.select(table)
                .where(table.c.tenant_id == self._snap.tenant_id)
                .where(table.c[held.by].in_(keys[start : start + _CHUNK]))
                .order_by(table.c[held.at], *table.primary_key.columns)
            )
            yield from (dict(row) for row in connection.execute(query).mappings())

    def _row(self, held: Held, row: Mapping[str, Any]) -> Row:
        lost: list[str] = []
        values = {name: _plain(row[name]) for name in held.shown}
        values |= {
            name.removesuffix("_sealed"): self._revealed(held, row, name, lost) for name in held.sealed
        }
        values |= self._more(held, row, lost)
        shown = {name: value for name, value in values.items() if value not in (None, "", [], {})}
        record = held.title in ("records", "dispositions")
        return Row(
            shown,
            row[held.at],
            row["closed_at"] if held.title == "records" else None,
            row["system"] if record else None,
            row["record_id"] if record else None,
            tuple(lost),
        )

    def _more(self, held: Held, row: Mapping[str, Any], lost: list[str]) -> dict[str, Any]:
        """What belongs to a row and lies elsewhere: the address, the evidence of an act, a message's fate."""
        if held.by == "suppression_hash":
            told: dict[str, Any] = {"contact_point": self._hashes.get(row["suppression_hash"])}
            if held.title == "suppressions":
                told["evidence"] = self._evidence(row["event_id"], row["suppression_id"], lost)
            return told
        if held.title in ("consents", "messages"):
            told = {"contact_point": self._addresses.get(row["point_ref"] or "")}
            if held.title == "consents":
                return told | {"evidence": self._evidence(row["event_id"], row["subject_ref"], lost)}
            return told | {"outcomes": self._outcomes(row["message_ref"])}
        return {}

    def _outcomes(self, message_ref: str) -> list[dict[str, Any]]:
        at = (self._snap.connection, self._snap.tenant_id, [message_ref])
        told = [each.document() for each in messages.outcomes(*at)]
        return told + [{"refused_at": wire(each.refused_at)} for each in messages.refusals(*at)]

    def _evidence(self, event_id: str, keeper: str, lost: list[str]) -> dict[str, Any] | None:
        at = ledger_entry.c
        query = sa.select(at.payload, at.subject_ref).where(
            at.tenant_id == self._snap.tenant_id, at.event_id == event_id
        )
        entry = self._snap.connection.execute(query).one_or_none()
        self._shown.add(event_id)
        if entry is None or entry.payload is None:
            return None
        return self._opened((entry.subject_ref or keeper,), event_id, entry.payload, "evidence", lost)

    def _opened(
        self, keepers: Sequence[str], event_id: str, payload: bytes, name: str, lost: list[str]
    ) -> dict[str, Any] | None:
        opened = open_value(self._snap, keepers, EVIDENCE, evidence_place(event_id), payload)
        if opened.plain is not None:
            return read_payload(unpack_evidence(opened.plain)[1])
        if opened.lost:
            lost.append(name)
        return None

    def _revealed(self, held: Held, row: Mapping[str, Any], column: str, lost: list[str]) -> Any:
        place = Place(held.table.name, column, str(row[held.row_id]))
        opened = open_value(self._snap, (row[held.by],), held.sealed[column], place, row[column])
        if opened.lost:
            lost.append(column.removesuffix("_sealed"))
        return None if opened.plain is None else _read(opened.plain)


def _keepers(entry: Any) -> tuple[str, ...]:
    """Under whose key an act's payload may lie: that of the request that it is about, else the person's."""
    request = json.loads(entry.leaf)["facts"].get("request") if entry.kind.startswith("rights.") else None
    return (entry.subject_ref,) if request is None else (str(request), entry.subject_ref)


def _holds(snap: Snapshot, subject_ref: str) -> list[Row]:
    """That data are held for claims; what a hold is about is nobody's to tell."""
    return [
        Row({"placed_at": wire(each.placed_at), "expires_at": _plain(each.expires_at)}, each.placed_at)
        for each in retention.holds_on(snap, subject_ref)
    ]


def _read(plain: bytes) -> Any:
    """A sealed value: an object is JSON, anything else a text."""
    text = plain.decode(errors="replace")
    if text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return wire(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
