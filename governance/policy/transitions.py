"""What the facts of a transition may hold: the models that are declared, and the stages of each.

The vocabulary declares `transition.model`, `transition.from` and `transition.to` once; which models and
stages there are is said by the stage models themselves, those of a tenant included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from governance.policy.complaints import Complaints
from governance.policy.documents import Node
from governance.policy.model import Alias, Fact, StageModel, Vocabulary

MODEL, FROM, TO = "transition.model", "transition.from", "transition.to"
BEFORE = "none"
"""What stands in `transition.from` before the first stage."""


def opened(vocabulary: Vocabulary, trees: Mapping[str, Node]) -> Vocabulary:
    """Let the facts of a transition hold every declared model and stage."""
    models = [tree.value for tree in trees.values() if isinstance(tree.value, dict) and "model" in tree.value]
    names = [str(model["model"].value) for model in models]
    stages = [
        name
        for model in models
        if "stages" in model and isinstance(model["stages"].value, dict)
        for name in model["stages"].value
    ]
    facts = dict(vocabulary.facts)
    for fact, more in ((MODEL, names), (FROM, [BEFORE, *stages]), (TO, stages)):
        if fact in facts:
            held = tuple(dict.fromkeys((*facts[fact].values, *more)))
            facts[fact] = replace(facts[fact], values=held)
    return replace(vocabulary, facts=facts)


def facts_of_model(facts: Mapping[str, Fact], name: str, stages: Sequence[str]) -> dict[str, Fact]:
    """Narrow the facts of a transition to one model: its rules and cases speak of no other's stages."""
    narrow = {MODEL: (name,), FROM: (BEFORE, *stages), TO: tuple(stages)}
    return {key: replace(fact, values=narrow[key]) if key in narrow else fact for key, fact in facts.items()}


def read_aliases(tree: Node, desk: Complaints) -> list[tuple[Alias, int]]:
    """Read which stages of several models mean much the same, with the line of each row."""
    members = desk.members(tree, "a file of aliases", ("title",), ("aliases", "rows", "because"))
    desk.name(members.get("aliases"), "name of aliases")
    desk.text(members.get("because"), "because")
    found = []
    for node in desk.items(members.get("rows"), "rows"):
        row = desk.members(node, "a row of aliases", (), ("means", "stages"))
        stages = {
            model: desk.texts(item, f"the stages of '{model}'")
            for model, item in desk.mapping(row.get("stages"), "stages").items()
        }
        if len(stages) < 2:
            desk.add(node.line, "a row of aliases names stages of two models at least")
        found.append((Alias(desk.text(row.get("means"), "means"), stages), node.line))
    return found


def check_aliases(rows: Iterable[tuple[Alias, int]], models: Sequence[StageModel], desk: Complaints) -> None:
    """Complain about aliases of models and stages that nobody declares."""
    known = {model.name: [stage.id for stage in model.stages] for model in models}
    for row, line in rows:
        for model, stages in row.stages.items():
            if model not in known:
                desk.unknown(line, "stage model", model, known)
                continue
            for stage in stages:
                if stage not in known[model]:
                    desk.unknown(line, f"stage of {model}", stage, known[model])
