"""A slow interpreter of policy files, written independently of the one that is shipped.

It reads the YAML itself, walks conditions as they are written, keeps ages as instants and adds calendar
units with `dateutil`. It shares no code with `governance.policy`: whatever the two agree on was understood
twice.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from dateutil.relativedelta import relativedelta

COUNTRY_ACTION = "communication.send"


class Oracle:
    """Evaluates raw policy files over raw facts."""

    def __init__(self, *directories: Path) -> None:
        self.types: dict[str, str] = {}
        self.groups: dict[str, list[str]] = {}
        self.packs: list[dict[str, Any]] = []
        for directory in directories:
            for path in sorted(directory.rglob("*.yaml")):
                if (
                    path.name.endswith(".cases.yaml")
                    or path.relative_to(directory).parts[0] in ("catalogue", "retention", "rights", "vendor")
                    or path.name in ("sources.yaml", "invariants.yaml")
                ):
                    continue
                self._take(yaml.safe_load(path.read_text(encoding="utf-8")))

    def _take(self, body: dict[str, Any]) -> None:
        if "facts" in body:
            self.types |= {name: fact["type"] for name, fact in body["facts"].items()}
            self.groups |= body["groups"]
        elif "matrix" in body:
            self.packs.append({"pack": "matrix", "speaks_about": [COUNTRY_ACTION], "rules": _matrix(body)})
        elif "model" in body:
            rules = [*_moves(body), *_lapses(body), *body.get("rules", [])]
            self.packs.append(
                {
                    "pack": body["model"],
                    "speaks_about": ["lifecycle.transition"],
                    "applies": {"transition.model": body["model"]},
                    "rules": rules,
                }
            )
        elif "aliases" in body:
            return
        else:
            for name, declared in body.get("declares", {}).items():
                self.types[name] = declared if isinstance(declared, str) else declared["type"]
            self.packs.append(body)

    def rules(
        self, action: str, facts: Mapping[str, Any], now: datetime
    ) -> list[tuple[str, str, str | None]]:
        """Give (rule id, effect, code) of all rules that match, sorted."""
        seen = dict(facts)
        if action == COUNTRY_ACTION and "place.covered" not in seen:
            seen["place.covered"] = self._covered(facts)
        found = []
        for pack in self.packs:
            if action not in pack["speaks_about"] or not self._met(
                pack.get("applies"), seen, now, doubt=False
            ):
                continue
            for rule in pack["rules"]:
                if self._matches(rule, seen, now):
                    found.append((f"{pack['pack']}.{rule['id']}", rule["effect"], _code(rule, seen)))
        return sorted(found, key=str)

    def allowed(self, action: str, facts: Mapping[str, Any], now: datetime) -> bool:
        """Say whether some rule permits and none forbids."""
        effects = {effect for _, effect, _ in self.rules(action, facts, now)}
        return "permit" in effects and "forbid" not in effects

    def _covered(self, facts: Mapping[str, Any]) -> bool:
        def covers(country: str) -> bool:
            return any(
                facts.get("message.channel") in pack.get("covers", ())
                and self._met(
                    pack.get("applies"), {"person.country": country}, datetime.now(UTC), doubt=False
                )
                for pack in self.packs
            )

        person, point = facts.get("person.country"), facts.get("contact_point.country")
        return person is not None and covers(person) and (point is None or covers(point))

    def _matches(self, rule: dict[str, Any], facts: Mapping[str, Any], now: datetime) -> bool:
        dates = rule.get("effective", {})
        if "from" in dates and now < _midnight(dates["from"]):
            return False
        if "until" in dates and now >= _midnight(dates["until"]):
            return False
        if not self._met(rule["when"], facts, now, doubt=rule["effect"] != "permit"):
            return False
        return "unless" not in rule or not self._met(rule["unless"], facts, now, doubt=False)

    def _met(self, condition: Any, facts: Mapping[str, Any], now: datetime, doubt: bool) -> bool:
        if condition is None:
            return True
        for key, wanted in condition.items():
            if key == "any":
                held = any(self._met(part, facts, now, doubt) for part in wanted)
            elif key == "all":
                held = all(self._met(part, facts, now, doubt) for part in wanted)
            else:
                operators = wanted if isinstance(wanted, dict) else {"is": wanted}
                held = all(
                    self._compare(key, op, operand, facts.get(key), now, doubt)
                    for op, operand in operators.items()
                )
            if not held:
                return False
        return True

    def _compare(self, name: str, op: str, operand: Any, value: Any, now: datetime, doubt: bool) -> bool:
        kind = self.types[name]
        if kind in ("local_time", "weekday", "set") and value is not None and not value:
            value = None
        if op == "absent":
            return value is None
        if op == "present":
            return value is not None
        if value is None:
            return doubt
        if kind == "age":
            reached = value + _delta(operand) <= now
            return reached if op == "at_least" else not reached
        if op == "under":
            return value < operand
        if op == "at_least":
            return value >= operand
        if op == "between":
            inside = [_between(operand, minute) for minute in value]
            return any(inside) if doubt else all(inside)
        wanted = self._wanted(operand) if op in ("in", "not_in") else [operand]
        if kind == "weekday":
            answers = [(day in wanted) == (op != "not_in") for day in value]
            return any(answers) if doubt else all(answers)
        if kind == "set":
            return bool(set(value) & set(wanted)) == (op != "not_in")
        return (value in wanted) == (op != "not_in")

    def _wanted(self, operand: Any) -> list[Any]:
        entries = operand if isinstance(operand, list) else [operand]
        return [one for entry in entries for one in self.groups.get(entry, [entry])]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _delta(text: str) -> relativedelta:
    count, unit = text.split()
    return relativedelta(**{unit.rstrip("s") + "s": int(count)})  # type: ignore[arg-type]


def _between(ends: list[str], minute: int) -> bool:
    since, until = (int(end[:2]) * 60 + int(end[3:]) for end in ends)
    if since < until:
        return since <= minute < until
    return not until <= minute < since


def _code(rule: dict[str, Any], facts: Mapping[str, Any]) -> str | None:
    for name, codes in rule.get("codes", {}).items():
        if facts.get(name) in codes:
            return str(codes[facts[name]])
    return rule.get("code")


def _matrix(body: dict[str, Any]) -> list[dict[str, Any]]:
    rules = []
    for name, stages in body["permit"].items():
        when = {"message.class": name, "purpose.state": "active", "purpose.allows_class": True}
        if stages != "everyone":
            when["stage.relationship"] = {"in": stages}
        rules.append({"id": name, "effect": "permit", "when": when})
    return rules


def _moves(body: dict[str, Any]) -> list[dict[str, Any]]:
    rules = []
    for move in body["transitions"]:
        when = {
            "transition.model": body["model"],
            "transition.from": {"in": move["from"]},
            "transition.to": move["to"],
            "all": [move["when"]] if "when" in move else [{}],
        }
        rules.append({"id": move["id"], "effect": "permit", "when": when})
    return rules


def _lapses(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"inactivity-{one['from']}-{one['to']}".replace("_", "-"),
            "effect": "permit",
            "when": {
                "transition.from": one["from"],
                "transition.to": one["to"],
                "transition.trigger": "inactivity",
                "relationship.last_act_age": {"at_least": one["after"]},
                "contract.state": {"not_in": ["in_force"]},
                "subscription.state": {"not_in": ["in_force"]},
            },
            "unless": {"any": [{f"{open_}.open": True} for open_ in ("invoice", "warranty", "dispute")]},
        }
        for one in body.get("inactivity", [])
    ]
