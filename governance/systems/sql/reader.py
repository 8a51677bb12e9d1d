"""Reads the mapping of a database from its config, and says all that is wrong with it at once. Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from governance.systems.model import DELETE, DISPOSITIONS, KEEP_UNTIL, KEY_KINDS
from governance.systems.sql.mapping import (
    PERIOD,
    FieldMap,
    KeepRule,
    Key,
    Link,
    Restriction,
    SqlMapping,
    TableMap,
)

PERSON_LIMIT = 10
ROW_LIMIT = 1000
MOST_ROWS = 100_000

_NAME = re.compile(r"[^\x00-\x1f\"`;\[\]]{1,128}")
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class Reader:
    """Reads a config and gathers everything that is wrong with it, by path."""

    def __init__(self, data_classes: Collection[str]) -> None:
        self.complaints: dict[str, list[str]] = {}
        self._data_classes = data_classes

    def read(self, config: Mapping[str, Any], country: str | None) -> SqlMapping:
        """Read the mapping; look at `complaints` before using it."""
        self.members("", config, {"schema", "tables", "phone_country", "timeout_seconds", "lock_seconds"})
        raw = config.get("tables")
        tables: dict[str, TableMap] = {}
        if not isinstance(raw, Mapping) or not 1 <= len(raw) <= 500:
            self.add("tables", "Name the tables that hold personal data, each with how its rows are found.")
        else:
            for name, body in raw.items():
                if _NAME.fullmatch(name) and isinstance(body, Mapping):
                    tables[name] = self._table(name, body)
                else:
                    self.add(f"tables.{name[:40]}", "A table is an object under the table's name.")
        mapping = SqlMapping(
            self.name("schema", config.get("schema"), optional=True),
            tables,
            self._country(config.get("phone_country")) or country,
            self._whole("timeout_seconds", config.get("timeout_seconds", 30), 1, 600),
            self._whole("lock_seconds", config.get("lock_seconds", 5), 1, 60),
        )
        self._check_ways(mapping)
        return mapping

    def add(self, path: str, sentence: str) -> None:
        """Note what is wrong with a member."""
        self.complaints.setdefault(path or "config", []).append(sentence)

    def members(self, path: str, body: Mapping[str, Any], known: Collection[str]) -> None:
        """Complain of members that mean nothing."""
        for each in sorted(set(body) - set(known)):
            self.add(f"{path}.{each[:40]}".lstrip("."), f"Use only {', '.join(sorted(known))}.")

    def name(self, path: str, value: object, *, optional: bool = False) -> str | None:
        """Read the name of a table or column."""
        if value is None and optional:
            return None
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            self.add(path, "Use the name as the database has it.")
            return None
        return value

    def _table(self, name: str, body: Mapping[str, Any]) -> TableMap:
        path = f"tables.{name}"
        self.members(path, body, _TABLE_MEMBERS)
        person = body.get("person", False) is True
        disposition, keep = self._disposition(f"{path}.disposition", body.get("disposition", DELETE))
        table = TableMap(
            name,
            self._class(f"{path}.data_class", body.get("data_class")),
            person,
            tuple(self._keys(f"{path}.keys", body.get("keys") or [])),
            tuple(self._links(f"{path}.belongs_to", body.get("belongs_to") or [])),
            tuple(self._links(f"{path}.shared_through", body.get("shared_through") or [])),
            tuple(self._fields(f"{path}.fields", body.get("fields") or {})),
            frozenset(self._names(f"{path}.ignore", body.get("ignore") or [])),
            disposition,
            keep,
            self._restriction(f"{path}.restriction", body.get("restriction")),
            frozenset(self._names(f"{path}.unlink", body.get("unlink") or [])),
            tuple(self._names(f"{path}.depends_on", body.get("depends_on") or [])),
            self._whole(
                f"{path}.limit", body.get("limit", PERSON_LIMIT if person else ROW_LIMIT), 1, MOST_ROWS
            ),
            body.get("shared_addresses", False) is True,
            self.name(f"{path}.record_key", body.get("record_key"), optional=True),
        )
        if not (table.keys or table.belongs_to or table.shared_through):
            self.add(path, "Say how a person's rows are found: keys, belongs_to or shared_through.")
        return table

    def _keys(self, path: str, raw: object) -> list[Key]:
        found = []
        for at, each in self._objects(path, raw, {"column", "matches"}):
            column = self.name(f"{at}.column", each.get("column"))
            if each.get("matches") not in KEY_KINDS:
                self.add(f"{at}.matches", f"A key matches one of {', '.join(KEY_KINDS)}.")
            elif column:
                found.append(Key(column, each["matches"]))
        return found

    def _links(self, path: str, raw: object) -> list[Link]:
        found = []
        for at, each in self._objects(path, raw, {"table", "column", "references"}):
            table = self.name(f"{at}.table", each.get("table"))
            column = self.name(f"{at}.column", each.get("column"), optional=True)
            references = self.name(f"{at}.references", each.get("references"), optional=True)
            if table:
                found.append(Link(table, column, references))
        return found

    def _fields(self, path: str, raw: object) -> list[FieldMap]:
        if not isinstance(raw, Mapping):
            self.add(path, "Map columns to data classes.")
            return []
        found = []
        for column, value in raw.items():
            at = f"{path}.{column[:40]}"
            body = {"data_class": value} if isinstance(value, str) else value
            if not isinstance(body, Mapping):
                self.add(at, "Name a data class, or an object with data_class.")
                continue
            self.members(at, body, {"data_class", "free_text", "attribute", "replace_with"})
            replace = body.get("replace_with")
            if not isinstance(replace, str | int | float | bool | None):
                self.add(f"{at}.replace_with", "Use a text, a number or a flag.")
            attribute = body.get("attribute")
            if attribute is not None and not (isinstance(attribute, str) and _CODE.fullmatch(attribute)):
                self.add(f"{at}.attribute", "Use a code such as email or family_name.")
                attribute = None
            name = self.name(at, column) or ""
            free = body.get("free_text", False) is True
            found.append(FieldMap(name, self._class(at, body.get("data_class")), free, attribute, replace))
        return found

    def _disposition(self, path: str, raw: object) -> tuple[str, KeepRule | None]:
        if isinstance(raw, str) and raw in DISPOSITIONS and raw != KEEP_UNTIL:
            return raw, None
        rule = raw.get(KEEP_UNTIL) if isinstance(raw, Mapping) and set(raw) == {KEEP_UNTIL} else None
        if not isinstance(rule, Mapping):
            self.add(path, "Use delete, null, pseudonymise or {keep_until: {column, period, from, because}}.")
            return DELETE, None
        self.members(f"{path}.keep_until", rule, {"column", "period", "from", "because"})
        column = self.name(f"{path}.keep_until.column", rule.get("column")) or ""
        period, because, start = rule.get("period"), rule.get("because"), rule.get("from", "date")
        if not isinstance(period, str) or not PERIOD.fullmatch(period):
            self.add(f"{path}.keep_until.period", "Use a period of years, months and days such as P10Y.")
            return DELETE, None
        if start not in ("date", "end_of_year"):
            self.add(f"{path}.keep_until.from", "Use date or end_of_year.")
        if not isinstance(because, str) or not 1 <= len(because) <= 500:
            self.add(f"{path}.keep_until.because", "Say why, in a sentence for the person.")
            because = ""
        return DELETE, KeepRule(column, period, start == "end_of_year", because)

    def _restriction(self, path: str, raw: object) -> Restriction | None:
        if raw is None:
            return None
        if not isinstance(raw, Mapping) or "column" not in raw:
            self.add(path, "Name the column, and its values on and off.")
            return None
        self.members(path, raw, {"column", "on", "off"})
        on, off = raw.get("on", True), raw.get("off", False)
        if not isinstance(on, str | int | bool) or not isinstance(off, str | int | bool | None) or on == off:
            self.add(path, "The values on and off are texts, whole numbers or flags, and differ.")
            return None
        column = self.name(f"{path}.column", raw["column"])
        return Restriction(column, on, off) if column else None

    def _country(self, value: object) -> str | None:
        if value is None or (isinstance(value, str) and re.fullmatch("[A-Z]{2}", value)):
            return value
        self.add("phone_country", "Use the ISO 3166-1 code of a country, such as DE.")
        return None

    def _class(self, path: str, value: object) -> str:
        if not isinstance(value, str) or value not in self._data_classes:
            self.add(path, "Name a data class of the catalogue (data-classes.yaml).")
            return ""
        return value

    def _whole(self, path: str, value: object, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.add(path, f"Use a whole number from {least} to {most}.")
            return least
        return value

    def _names(self, path: str, raw: object) -> list[str]:
        if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
            self.add(path, "Use a list of names.")
            return []
        return raw

    def _objects(self, path: str, raw: object, known: Collection[str]) -> list[tuple[str, Mapping[str, Any]]]:
        if not isinstance(raw, list) or not all(isinstance(each, Mapping) for each in raw) or len(raw) > 20:
            self.add(path, "Use a list of objects.")
            return []
        for index, each in enumerate(raw):
            self.members(f"{path}.{index}", each, known)
        return [(f"{path}.{index}", each) for index, each in enumerate(raw)]

    def _check_ways(self, mapping: SqlMapping) -> None:
        """Every table that another one names is mapped, and the ways to rows do not run in circles."""
        for name, table in mapping.tables.items():
            for part, others in (("belongs_to", table.through()), ("depends_on", set(table.depends_on))):
                for other in sorted(others - set(mapping.tables)):
                    self.add(f"tables.{name}.{part}", f"The table {other} is not mapped.")
            if name in table.through():
                self.add(f"tables.{name}.belongs_to", "A table's rows cannot be found through itself.")
        lost = set(mapping.tables) - set(mapping.finding_order())
        if lost and not self.complaints:
            self.add("tables", f"Rows of {', '.join(sorted(lost))} would be found through each other.")


_TABLE_MEMBERS = frozenset(
    {"data_class", "person", "keys", "belongs_to", "shared_through", "fields", "ignore", "disposition"}
    | {"restriction", "unlink", "depends_on", "limit", "shared_addresses", "record_key"}
)
