"""Reading packs: what they apply to, what they cover, their rules, declarations and entities."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from governance.policy.complaints import Complaints
from governance.policy.conditions import Scalar
from governance.policy.documents import Node
from governance.policy.grammar import Grammar
from governance.policy.model import ACTIONS, Basis, CheckedPack, Entity, Fact, Layer, Source, Vocabulary
from governance.policy.rules import RuleReader
from governance.policy.vocabulary import ACCESS_PREFIXES, read_declarations

_PACK_MEMBERS = ("title", "applies", "covers", "basis", "declares", "entities", "because", "cites", "remedy")
_COUNTRY_LAYERS = (Layer.EVERYWHERE, Layer.UNKNOWN, Layer.CHANNEL, Layer.DATA_PROTECTION)
_BASES = ("opt_out", "opt_in")


@dataclass(frozen=True, slots=True)
class PackReader:
    """Reads the rule files of one room (`communications`, `lifecycle`, `access`, `transfers`)."""

    room: str
    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    desk: Complaints

    def rule_reader(
        self, pack: str, facts: Mapping[str, Fact], may_permit: bool, is_access: bool
    ) -> RuleReader:
        """Give a reader of rules over `facts`."""
        grammar = Grammar(facts, self.vocabulary.groups, self.desk, self.vocabulary.group_words)
        return RuleReader(pack, self.vocabulary, self.sources, grammar, self.desk, may_permit, is_access)

    def facts_about(self, actions: Collection[str]) -> dict[str, Fact]:
        """Give the facts that rules about all of `actions` may speak of.

        Of a tenant's own resource only what the question says is known: nothing about a person.
        """
        gates = {ACTIONS[action] for action in actions}
        own = "*" in actions
        return {
            name: fact
            for name, fact in self.vocabulary.facts.items()
            if gates <= fact.gates and (not own or name.startswith(ACCESS_PREFIXES))
        }

    def read_pack(self, tree: Node) -> CheckedPack:
        """Read a `pack:` file."""
        needed = ("pack", "speaks_about", "layer", "rules")
        members = self.desk.members(tree, "a pack", _PACK_MEMBERS, needed)
        name = self.desk.name(members.get("pack"), "pack name")
        actions = self._actions(members.get("speaks_about"))
        layer = self._layer(members.get("layer"))
        is_access = layer is Layer.ACCESS
        facts = self.facts_about(actions) | read_declarations(members.get("declares"), is_access, self.desk)
        may_permit = is_access or layer is Layer.BASE
        reader = self.rule_reader(name, facts, may_permit=may_permit, is_access=is_access)
        applies = reader.grammar.condition(members["applies"], "'applies'") if "applies" in members else None
        rules = [reader.read(node) for node in self.desk.items(members.get("rules"), "rules")]
        if not rules:
            self.desk.add(tree.line, f"the pack '{name}' has no rules")
        return CheckedPack(
            name=name,
            title=self.desk.text(members.get("title"), "title", name),
            file=self.desk.file,
            actions=actions,
            layer=layer,
            applies=applies,
            rules=tuple(rule for rule in rules if rule is not None),
            covers=self._channels(members.get("covers"), "covers"),
            basis=self._basis(members.get("basis")),
            entities=self._entities(members.get("entities"), facts),
            because=self.desk.text(members.get("because"), "because"),
            cites=self.desk.texts(members.get("cites"), "cites"),
            remedy=self.desk.text(members.get("remedy"), "remedy"),
        )

    def _actions(self, node: Node | None) -> tuple[str, ...]:
        """Read `speaks_about`; the actions must belong to the room of the file."""
        known = tuple(action for action, gate in ACTIONS.items() if gate == self.room)
        actions = self.desk.texts(node, "speaks_about")
        for action in actions:
            if node is not None and action not in known:
                self.desk.unknown(node.line, f"action of the room {self.room}", action, known)
        return tuple(action for action in actions if action in known)

    def _layer(self, node: Node | None) -> Layer:
        """Read the layer; access packs have their own, and only transfers write their base as a pack."""
        known = (Layer.ACCESS,) if self.room == "access" else _COUNTRY_LAYERS
        if self.room == "transfers":
            known = (*known, Layer.BASE)
        word = self.desk.text(node, "layer")
        if node is not None and word not in known:
            self.desk.unknown(node.line, "layer", word, known)
        return Layer(word) if word in known else known[0]

    def _channels(self, node: Node | None, what: str) -> tuple[str, ...]:
        """Read channel names."""
        known = self.vocabulary.facts["message.channel"].values
        found = self.desk.texts(node, what)
        for channel in found:
            if node is not None and channel not in known:
                self.desk.unknown(node.line, "channel", channel, known)
        return found

    def _basis(self, node: Node | None) -> tuple[Basis, ...]:
        """Read `basis: {channel: {basis, clause, source}}`."""
        known = self.vocabulary.facts["message.channel"].values
        found: list[Basis] = []
        for channel, item in self.desk.mapping(node, "basis").items():
            members = self.desk.members(item, f"the basis of '{channel}'", (), ("basis", "clause", "source"))
            if channel not in known:
                self.desk.unknown(item.line, "channel", channel, known)
            word = self.desk.text(members.get("basis"), "basis")
            if word and word not in _BASES:
                self.desk.unknown(item.line, "basis", word, _BASES)
            source = self.desk.text(members.get("source"), "source")
            if source and source not in self.sources:
                self.desk.unknown(item.line, "source", source, self.sources)
            found.append(Basis(channel, word, self.desk.text(members.get("clause"), "clause"), source))
        return tuple(found)

    def _entities(self, node: Node | None, facts: Mapping[str, Fact]) -> tuple[Entity, ...]:
        """Read the principals and resources whose properties the pack states."""
        found: list[Entity] = []
        grammar = Grammar(facts, {}, self.desk)
        for item in self.desk.items(node, "entities"):
            members = self.desk.members(item, "an entity", ("properties",), ("type", "id"))
            properties: dict[str, Scalar] = {}
            for name, value in self.desk.mapping(members.get("properties"), "properties").items():
                declared = [
                    facts[full] for full in (f"principal.{name}", f"resource.{name}") if full in facts
                ]
                if not declared:
                    self.desk.unknown(value.line, "property", name, {one.split(".", 1)[1] for one in facts})
                    continue
                read = grammar.scalar(declared[0], value)
                if read is not None:
                    properties[name] = read
            kind, key = (self.desk.text(members.get(part), part) for part in ("type", "id"))
            if any(one.type == kind and one.id == key for one in found):
                self.desk.add(item.line, f"the entity {kind} '{key}' stands here twice; keep one")
            found.append(Entity(kind, key, properties))
        return tuple(found)
