"""Reading the three kinds of rule files: packs, the stage x message-class matrix, stage models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from governance.policy.complaints import Complaints
from governance.policy.documents import Node
from governance.policy.grammar import Grammar
from governance.policy.model import (
    ACTIONS,
    AllOf,
    Basis,
    CheckedPack,
    CheckedRule,
    Effect,
    Entity,
    Fact,
    Layer,
    Leaf,
    Matrix,
    Scalar,
    Source,
    Stage,
    StageModel,
    Transition,
    Vocabulary,
)
from governance.policy.rules import RuleReader
from governance.policy.vocabulary import read_declarations

_PACK_MEMBERS = ("title", "applies", "covers", "basis", "declares", "entities", "because", "cites", "remedy")
_COUNTRY_LAYERS = (Layer.EVERYWHERE, Layer.UNKNOWN, Layer.CHANNEL, Layer.DATA_PROTECTION)
_BASES = ("opt_out", "opt_in")


@dataclass(frozen=True, slots=True)
class PackReader:
    """Reads the rule files of one room (`communications`, `lifecycle`, `access`)."""

    room: str
    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    desk: Complaints

    def _rules(self, pack: str, facts: Mapping[str, Fact], may_permit: bool, is_access: bool) -> RuleReader:
        """Give a reader of rules over `facts`."""
        grammar = Grammar(facts, self.vocabulary.groups, self.desk)
        return RuleReader(pack, self.vocabulary, self.sources, grammar, self.desk, may_permit, is_access)

    def _facts(self, actions: Iterable[str]) -> dict[str, Fact]:
        """Give the facts that rules about all of `actions` may speak of."""
        gates = {ACTIONS[action] for action in actions}
        return {name: fact for name, fact in self.vocabulary.facts.items() if gates <= fact.gates}

    def read_pack(self, tree: Node) -> CheckedPack:
        """Read a `pack:` file."""
        needed = ("pack", "speaks_about", "layer", "rules")
        members = self.desk.members(tree, "a pack", _PACK_MEMBERS, needed)
        name = self.desk.name(members.get("pack"), "pack name")
        actions = self._actions(members.get("speaks_about"))
        layer = self._layer(members.get("layer"))
        is_access = layer is Layer.ACCESS
        facts = self._facts(actions) | read_declarations(members.get("declares"), is_access, self.desk)
        reader = self._rules(name, facts, may_permit=is_access, is_access=is_access)
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
        """Read the layer; access packs have their own."""
        known = (Layer.ACCESS,) if self.room == "access" else _COUNTRY_LAYERS
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

    # -- the base of communications ------------------------------------------------------------------------------

    def read_matrix(self, tree: Node) -> tuple[CheckedPack, Matrix]:
        """Read the stage x message-class table; each row becomes the permit `matrix.<class>`."""
        members = self.desk.members(
            tree, "the matrix", ("cites", "remedy"), ("matrix", "stages", "permit", "because")
        )
        stage_fact = self.vocabulary.facts["stage.relationship"]
        class_fact = self.vocabulary.facts["message.class"]
        stages = self.desk.texts(members.get("stages"), "stages")
        for stage in stages:
            if stage not in stage_fact.values:
                self.desk.unknown(tree.line, "stage", stage, stage_fact.values)
        because = self.desk.text(members.get("because"), "because")
        cites = self.desk.texts(members.get("cites"), "cites")
        permit: dict[str, tuple[str, ...] | None] = {}
        rules: list[CheckedRule] = []
        for name, cell in self.desk.mapping(members.get("permit"), "permit").items():
            if name not in class_fact.values:
                self.desk.unknown(cell.line, "class", name, class_fact.values)
                continue
            permit[name] = None if cell.value == "everyone" else self._row(name, cell, stages)
            rules.append(_matrix_rule(name, permit[name], because, cites, cell.line))
        pack = CheckedPack(
            name="matrix",
            title="Stages and message classes",
            file=self.desk.file,
            actions=("communication.send",),
            layer=Layer.BASE,
            applies=None,
            rules=tuple(rules),
            because=because,
            cites=cites,
            remedy=self.desk.text(members.get("remedy"), "remedy"),
        )
        return pack, Matrix(self.desk.text(members.get("matrix"), "matrix"), stages, permit)

    def _row(self, name: str, cell: Node, stages: tuple[str, ...]) -> tuple[str, ...]:
        """Read the stages of one class."""
        if isinstance(cell.value, str):
            self.desk.unknown(cell.line, "word in the matrix", cell.value, ("everyone",))
            return ()
        row = self.desk.texts(cell, f"the row '{name}'")
        for stage in row:
            if stage not in stages:
                self.desk.unknown(cell.line, "stage", stage, stages)
        if not row:
            self.desk.add(cell.line, f"the row '{name}' is empty; name stages or leave the class out")
        return row

    # -- the base of lifecycle --------------------------------------------------------------------------------------

    def read_model(self, tree: Node) -> tuple[CheckedPack, StageModel]:
        """Read a stage model: stages with lawful bases, transitions (permits) and rules that forbid."""
        needed = ("model", "title", "stages", "transitions", "because")
        members = self.desk.members(
            tree, "a stage model", ("rules", "cites", "remedy", "source", "verified"), needed
        )
        name = self.desk.name(members.get("model"), "model name")
        stages = tuple(
            self._stage(stage, node)
            for stage, node in self.desk.mapping(members.get("stages"), "stages").items()
        )
        reader = self._rules(name, self._facts(("lifecycle.transition",)), may_permit=False, is_access=False)
        known = {stage.id for stage in stages}
        because = self.desk.text(members.get("because"), "because")
        cites = self.desk.texts(members.get("cites"), "cites")
        moves = [
            self._transition(name, node, reader, known, cites)
            for node in self.desk.items(members.get("transitions"), "transitions")
        ]
        forbids = [reader.read(node) for node in self.desk.items(members.get("rules"), "rules")]
        pack = CheckedPack(
            name=name,
            title=self.desk.text(members.get("title"), "title"),
            file=self.desk.file,
            actions=("lifecycle.transition",),
            layer=Layer.BASE,
            applies=None,
            rules=(*(move[0] for move in moves if move), *(rule for rule in forbids if rule is not None)),
            because=because,
            cites=cites,
            remedy=self.desk.text(members.get("remedy"), "remedy"),
        )
        model = StageModel(name, pack.title, stages, tuple(move[1] for move in moves if move))
        return pack, model

    def _stage(self, name: str, node: Node) -> Stage:
        """Read one stage."""
        members = self.desk.members(node, f"the stage '{name}'", (), ("means", "bases"))
        known = self.vocabulary.facts["transition.to"].values
        if name not in known:
            self.desk.unknown(node.line, "stage", name, known)
        return Stage(
            name,
            self.desk.text(members.get("means"), "means"),
            self.desk.texts(members.get("bases"), "bases"),
        )

    def _transition(
        self, model: str, node: Node, reader: RuleReader, stages: set[str], cites: tuple[str, ...]
    ) -> tuple[CheckedRule, Transition] | None:
        """Read one transition as the permit `<model>.<id>`."""
        members = self.desk.members(node, "a transition", ("when", "remedy"), ("id", "from", "to", "because"))
        name = self.desk.name(members.get("id"), "id")
        origins = self.desk.texts(members.get("from"), "from")
        to = self.desk.text(members.get("to"), "to")
        for stage in (*origins, to):
            if stage and stage not in stages and not (stage == "none" and stage in origins):
                self.desk.unknown(node.line, "stage", stage, stages)
        needs = (
            reader.grammar.condition(members["when"], f"'when' of '{name}'") if "when" in members else None
        )
        if not origins or not to or ("when" in members and needs is None):
            return None
        fixed = (
            Leaf("transition.model", "is", model),
            Leaf("transition.to", "is", to),
            Leaf("transition.from", "in", frozenset(origins), ", ".join(origins)),
        )
        rule = CheckedRule(
            pack=model,
            id=f"{model}.{name}",
            effect=Effect.PERMIT,
            when=AllOf(fixed if needs is None else (*fixed, needs)),
            unless=None,
            because=self.desk.text(members.get("because"), "because"),
            remedy=self.desk.text(members.get("remedy"), "remedy"),
            cites=cites,
            line=node.line,
        )
        return rule, Transition(rule.id, origins, to, needs)


def _matrix_rule(
    name: str, stages: tuple[str, ...] | None, because: str, cites: tuple[str, ...], line: int
) -> CheckedRule:
    """Make the permit of one row; the order of its conditions is the order in which an answer explains them."""
    parts = [
        Leaf("message.class", "is", name),
        Leaf("purpose.state", "is", "active"),
        Leaf("purpose.allows_class", "is", True),
    ]
    if stages is not None:
        parts.append(Leaf("stage.relationship", "in", frozenset(stages), ", ".join(stages)))
    return CheckedRule(
        pack="matrix",
        id=f"matrix.{name}",
        effect=Effect.PERMIT,
        when=AllOf(tuple(parts)),
        unless=None,
        because=because,
        cites=cites,
        line=line,
    )
