"""Reading `facts.yaml` (the vocabulary) and `sources.yaml` (the rows of law that packs cite)."""

from __future__ import annotations

import re
from dataclasses import replace

from governance.policy.complaints import Complaints
from governance.policy.documents import Node
from governance.policy.model import ACTIONS, Fact, FactType, Source, Vocabulary

_FACT_NAME = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
_SUPPLIERS = ("request", "record", "policy")
_GATES = frozenset({*ACTIONS.values(), "retention"})
_FACT_MEMBERS = ("values", "gate", "supplied_by", "may_be_absent", "open", "means", "says")
_LEVELS = ("primary", "official", "secondary", "general")


def read_vocabulary(tree: Node, desk: Complaints) -> Vocabulary:
    """Read the vocabulary; complaints go to `desk`, doubtful facts are left out."""
    members = desk.members(
        tree, "the vocabulary", ("group_words",), ("facts", "groups", "obligations", "codes")
    )
    facts: dict[str, Fact] = {}
    for name, node in desk.mapping(members.get("facts"), "facts").items():
        fact = read_fact(name, node, desk)
        if fact is not None:
            facts[name] = fact
    groups = {
        name: frozenset(desk.texts(node, f"the group {name}"))
        for name, node in desk.mapping(members.get("groups"), "groups").items()
    }
    words = members.get("group_words")
    for name, node in desk.mapping(words, "group_words").items() if words is not None else ():
        if name not in groups:
            desk.unknown(node.line, "group", name, groups)
    return Vocabulary(
        facts=facts,
        groups=groups,
        group_words={} if words is None else _sentences(words, "group_words", desk),
        obligations=_sentences(members.get("obligations"), "obligations", desk),
        codes=_sentences(members.get("codes"), "codes", desk),
    )


def _sentences(node: Node | None, what: str, desk: Complaints) -> dict[str, str]:
    """Read a mapping of names to sentences, in its order."""
    return {name: desk.text(item, f"{name} in {what}") for name, item in desk.mapping(node, what).items()}


def read_fact(name: str, node: Node, desk: Complaints) -> Fact | None:
    """Read one declaration; `means` is required, and values for an enum or set."""
    before = len(desk.found)
    members = desk.members(
        node, f"the fact '{name}'", _FACT_MEMBERS, ("type", "means", "gate", "supplied_by")
    )
    if not _FACT_NAME.match(name):
        desk.add(node.line, f"'{name}' is no fact name; write words of a-z, 0-9 and _ joined by dots")
    kind = desk.text(members.get("type"), "type")
    if kind and kind not in tuple(FactType):
        desk.unknown(node.line, "type", kind, tuple(FactType))
    supplier = desk.text(members.get("supplied_by"), "supplied_by")
    if supplier and supplier not in _SUPPLIERS:
        desk.unknown(node.line, "supplier", supplier, _SUPPLIERS)
    gates = desk.texts(members.get("gate"), "gate")
    for gate in gates:
        if gate not in _GATES:
            desk.unknown(node.line, "gate", gate, _GATES)
    values = desk.texts(members.get("values"), "values")
    if (kind in (FactType.ENUM, FactType.SET)) != bool(values):
        desk.add(node.line, f"the fact '{name}' needs 'values' if it is an enum or a set, and only then")
    if len(desk.found) > before:
        return None
    return Fact(
        name=name,
        type=FactType(kind),
        means=desk.text(members.get("means"), "means"),
        gates=frozenset(gates),
        supplied_by=supplier,
        says=desk.text(members.get("says"), "says", name.replace(".", " ").replace("_", " ")),
        values=values,
        may_be_absent=desk.flag(members.get("may_be_absent"), "may_be_absent"),
        is_open=desk.flag(members.get("open"), "open"),
    )


ACCESS_PREFIXES = ("principal.", "resource.", "action.", "context.")


def read_declarations(node: Node | None, is_access: bool, desk: Complaints) -> dict[str, Fact]:
    """Read `declares:` of a pack: `name: type`, or a mapping with `type`, `values` and `means`.

    Access packs declare `principal.*`, `resource.*`, `action.*` and `context.*`; other packs `custom.*`.
    """
    prefixes = ACCESS_PREFIXES if is_access else ("custom.",)
    declared: dict[str, Fact] = {}
    for name, item in desk.mapping(node, "declares").items():
        if not name.startswith(prefixes):
            desk.add(
                item.line,
                f"'{name}' cannot be declared by a pack; it must start with {' or '.join(prefixes)}",
            )
            continue
        full = _declaration(name, item, is_access)
        fact = read_fact(name, full, desk)
        if fact is not None:
            declared[name] = replace(fact, may_be_absent=True)
    return declared


def _declaration(name: str, item: Node, is_access: bool) -> Node:
    """Complete a short declaration with the members that every fact of a pack shares."""
    said = item.value if isinstance(item.value, dict) else {"type": item}
    gates = ["access"] if is_access else ["communications", "lifecycle"]
    implied = {
        "means": Node(f"A property that the pack declares: {name}.", item.line),
        "gate": Node([Node(gate, item.line) for gate in gates], item.line),
        "supplied_by": Node("request" if is_access else "record", item.line),
    }
    return Node({**implied, **said}, item.line, item.keys)


def read_sources(tree: Node, desk: Complaints) -> dict[str, Source]:
    """Read the table of sources: id -> citation, jurisdiction, verification, confidence (and why no rule)."""
    found: dict[str, Source] = {}
    top = desk.members(tree, "the sources", (), ("sources",))
    for name, node in desk.mapping(top.get("sources"), "sources").items():
        members = desk.members(
            node,
            f"the source '{name}'",
            ("says", "no_rule"),
            ("citation", "jurisdiction", "verification", "confidence"),
        )
        level = desk.text(members.get("verification"), "verification")
        if level and level not in _LEVELS:
            desk.unknown(node.line, "verification", level, _LEVELS)
        found[name] = Source(
            id=name,
            citation=desk.text(members.get("citation"), "citation"),
            jurisdiction=desk.text(members.get("jurisdiction"), "jurisdiction"),
            verification=level,
            confidence=desk.text(members.get("confidence"), "confidence"),
            no_rule=desk.text(members.get("no_rule"), "no_rule", ""),
        )
    return found
