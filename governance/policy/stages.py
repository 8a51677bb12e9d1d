"""Reading the two files that permit: the stage x message-class matrix and the stage models."""

from __future__ import annotations

from governance.policy.conditions import AllOf, AnyOf, Leaf
from governance.policy.documents import Node
from governance.policy.durations import Duration, parse_duration
from governance.policy.model import (
    CheckedPack,
    CheckedRule,
    Effect,
    Inactivity,
    Layer,
    Matrix,
    Stage,
    StageModel,
    Transition,
)
from governance.policy.packs import PackReader
from governance.policy.rules import RuleReader
from governance.policy.transitions import FROM, MODEL, TO, facts_of_model


class StageReader(PackReader):
    """Reads the files that speak of stages."""

    __slots__ = ()

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

    def read_model(self, tree: Node) -> tuple[CheckedPack, StageModel]:
        """Read a stage model: stages with lawful bases, transitions (permits) and rules that forbid."""
        needed = ("model", "title", "stages", "transitions", "because")
        members = self.desk.members(
            tree, "a stage model", ("rules", "inactivity", "cites", "remedy", "source", "verified"), needed
        )
        name = self.desk.name(members.get("model"), "model name")
        stages = tuple(
            self._stage(stage, node)
            for stage, node in self.desk.mapping(members.get("stages"), "stages").items()
        )
        known = tuple(stage.id for stage in stages)
        facts = facts_of_model(self.facts_about(("lifecycle.transition",)), name, known)
        reader = self.rule_reader(name, facts, may_permit=False, is_access=False)
        because = self.desk.text(members.get("because"), "because")
        cites = self.desk.texts(members.get("cites"), "cites")
        moves = [
            self._transition(name, node, reader, known, cites)
            for node in self.desk.items(members.get("transitions"), "transitions")
        ]
        lapses = [
            self._inactivity(name, node, known, because, cites)
            for node in self.desk.items(members.get("inactivity"), "inactivity")
        ]
        forbids = [reader.read(node) for node in self.desk.items(members.get("rules"), "rules")]
        self._check_stages(tree, name, known)
        permits = [*(move[0] for move in moves if move), *(lapse[0] for lapse in lapses if lapse)]
        pack = CheckedPack(
            name=name,
            title=self.desk.text(members.get("title"), "title"),
            file=self.desk.file,
            actions=("lifecycle.transition",),
            layer=Layer.BASE,
            applies=Leaf(MODEL, "is", name),
            rules=(*permits, *(rule for rule in forbids if rule is not None)),
            because=because,
            cites=cites,
            remedy=self.desk.text(members.get("remedy"), "remedy"),
        )
        model = StageModel(
            name,
            pack.title,
            stages,
            tuple(move[1] for move in moves if move),
            tuple(lapse[1] for lapse in lapses if lapse),
        )
        return pack, model

    def _check_stages(self, tree: Node, model: str, known: tuple[str, ...]) -> None:
        """Complain about a relationship without the stages that the matrix and the gates speak of."""
        if not known:
            self.desk.add(tree.line, f"the model '{model}' has no stages")
        if model == "relationship":
            for stage in self.vocabulary.facts["stage.relationship"].values:
                if stage not in known:
                    self.desk.add(tree.line, f"the relationship lacks the stage '{stage}' of the matrix")

    def _stage(self, name: str, node: Node) -> Stage:
        """Read one stage."""
        members = self.desk.members(node, f"the stage '{name}'", ("bases",), ("means",))
        self.desk.name(Node(name, node.line), "stage name")
        if name == "none":
            self.desk.add(node.line, "'none' stands before the first stage; choose another name")
        return Stage(
            name,
            self.desk.text(members.get("means"), "means"),
            self.desk.texts(members.get("bases"), "bases"),
        )

    def _transition(
        self, model: str, node: Node, reader: RuleReader, stages: tuple[str, ...], cites: tuple[str, ...]
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
        # That it is about this model stands in `applies` of the pack.
        fixed = (
            Leaf(TO, "is", to),
            Leaf(FROM, "in", frozenset(origins), tuple(origins)),
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
            verified=True,  # The house's own decision, not a reading of law.
            line=node.line,
        )
        return rule, Transition(rule.id, origins, to, needs)

    def _inactivity(
        self, model: str, node: Node, stages: tuple[str, ...], because: str, cites: tuple[str, ...]
    ) -> tuple[CheckedRule, Inactivity] | None:
        """Read who lapses by inactivity, as the permit `<model>.inactivity-<from>-<to>`.

        Whatever the model says, nobody lapses with a contract or subscription in force, or with an open
        invoice, warranty or dispute.
        """
        needed = ("from", "to", "after", "warning", "grace")
        members = self.desk.members(node, "an inactivity", ("because",), needed)
        origin, to = (self.desk.text(members.get(name), name) for name in ("from", "to"))
        for stage in (origin, to):
            if stage and stage not in stages:
                self.desk.unknown(node.line, "stage", stage, stages)
        spans = [self._span(members.get(name), name) for name in ("after", "warning", "grace")]
        after, warning, grace = spans
        if not (origin and to and after and warning and grace):
            return None
        if warning.approximate_hours >= after.approximate_hours:
            self.desk.add(node.line, "the warning must come after the last act; make it shorter than 'after'")
        rule = CheckedRule(
            pack=model,
            id=f"{model}.inactivity-{origin.replace('_', '-')}-{to.replace('_', '-')}",
            effect=Effect.PERMIT,
            when=AllOf(
                (
                    Leaf(TO, "is", to),
                    Leaf(FROM, "is", origin),
                    Leaf("transition.trigger", "is", "inactivity"),
                    Leaf("relationship.last_act_age", "at_least", after),
                    Leaf("contract.state", "in", frozenset({"none", "ended"}), ("none", "ended")),
                    Leaf("subscription.state", "in", frozenset({"none", "ended"}), ("none", "ended")),
                )
            ),
            unless=AnyOf(
                tuple(Leaf(name, "is", True) for name in ("invoice.open", "warranty.open", "dispute.open"))
            ),
            because=self.desk.text(members.get("because"), "because") or because,
            cites=cites,
            verified=True,  # The house's own decision, not a reading of law.
            line=node.line,
        )
        return rule, Inactivity(rule.id, origin, to, after, warning, grace)

    def _span(self, node: Node | None, what: str) -> Duration | None:
        """Read a length of time."""
        if node is None:
            return None
        span = parse_duration(node.value) if isinstance(node.value, str) else None
        if span is None:
            self.desk.add(node.line, f"'{what}' is a length of time such as '24 months' or '30 days'")
        return span


def _matrix_rule(
    name: str, stages: tuple[str, ...] | None, because: str, cites: tuple[str, ...], line: int
) -> CheckedRule:
    """Make the permit of one row; an answer explains its conditions in their order."""
    parts = [
        Leaf("message.class", "is", name),
        Leaf("purpose.state", "is", "active"),
        Leaf("purpose.allows_class", "is", True),
    ]
    if stages is not None:
        parts.append(Leaf("stage.relationship", "in", frozenset(stages), stages))
    return CheckedRule(
        pack="matrix",
        id=f"matrix.{name}",
        effect=Effect.PERMIT,
        when=AllOf(tuple(parts)),
        unless=None,
        because=because,
        cites=cites,
        verified=True,  # The house's own decision, not a reading of law.
        line=line,
    )
