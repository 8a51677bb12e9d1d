"""From a directory of policies to checked policies, or to a list of everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from governance.policy.casefiles import WHOLE, CaseReader
from governance.policy.cases import case_problems
from governance.policy.complaints import Complaints, PolicyError
from governance.policy.documents import Node, canonical, compose, read_files, some_from_canonical
from governance.policy.model import (
    ACTIONS,
    Alias,
    Case,
    CheckedPack,
    CheckedPolicies,
    Fact,
    Matrix,
    Problem,
    Source,
    StageModel,
    Vocabulary,
)
from governance.policy.schedule_files import is_schedule, read_schedules
from governance.policy.scrutiny import confront, scrutinise
from governance.policy.stages import StageReader
from governance.policy.transitions import check_aliases, facts_of_model, opened, read_aliases
from governance.policy.vocabulary import read_declarations, read_sources, read_vocabulary

FACTS = "facts.yaml"
SOURCES = "sources.yaml"
INVARIANTS = "invariants.yaml"
_CASES = ".cases.yaml"
# What lies in the same directory and is no candidate: data of other rooms, packs that a tenant may choose,
# and what is proved of every candidate.
_ELSEWHERE = ("catalogue", "vendor", "rights", INVARIANTS)
_KINDS = ("pack", "matrix", "model", "aliases", "schedule")


def load(*directories: Path) -> CheckedPolicies:
    """Read and check directories of policies; a later one adds packs or replaces those of the same name.

    Raises PolicyError with every complaint.
    """
    return check_documents(read_documents(*directories))


def read_documents(*directories: Path) -> dict[str, Node]:
    """Read the rule files, cases, vocabulary and sources of directories as path -> tree.

    Raises PolicyError if a file cannot be read.
    """
    trees: dict[str, Node] = {}
    problems: list[Problem] = []
    for directory in directories:
        added: dict[str, Node] = {}
        for path, text in read_files(directory).items():
            if path.split("/", 1)[0] in _ELSEWHERE:
                continue
            tree = compose(path, text)
            if isinstance(tree, Problem):
                problems.append(tree)
            else:
                added[path] = tree
        trees = {path: tree for path, tree in trees.items() if not _superseded(path, tree, added)} | added
    if problems:
        raise PolicyError(problems)
    return trees


def _superseded(path: str, tree: Node, added: Mapping[str, Node]) -> bool:
    """Say whether the files of a later directory take the place of an earlier one.

    They replace what bears the same name. Whoever changes the rules of a room also changes its whole
    answer, so earlier cases about that answer no longer hold; the later directory may bring its own.
    """
    name = _named(path, tree)
    if name is not None and name in {_named(other, node) for other, node in added.items()}:
        return True
    room = path.split("/", 1)[0]
    changed = {other.split("/", 1)[0] for other in added if not other.endswith(_CASES)}
    return name in (f"cases {WHOLE}", f"schedule cases {WHOLE}") and room in changed


def load_documents(text: bytes) -> CheckedPolicies:
    """Read policies without their cases back from their canonical form, which was checked when stored."""
    trees = some_from_canonical(text, lambda path: is_schedule(path) or not path.endswith(_CASES))
    return check_documents(trees, scrutinised=True, proven=False, text=text)


def _named(path: str, tree: Node) -> str | None:
    """Give the name under which a file of rules or cases is replaced."""
    if not isinstance(tree.value, dict):
        return None
    for kind in _KINDS:
        if kind in tree.value and isinstance(tree.value[kind].value, str):
            # A schedule and a pack may share a name; a pack, a model and a matrix may not.
            of = "schedule " if kind == "schedule" else ""
            return f"{of}{'cases' if path.endswith('.cases.yaml') else kind} {tree.value[kind].value}"
    return None


@dataclass(slots=True)
class _Findings:
    """What has been read so far."""

    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    problems: list[Problem]
    packs: list[CheckedPack] = field(default_factory=list)
    models: list[StageModel] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    declared: dict[str, Fact] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)


def check_documents(
    trees: Mapping[str, Node],
    *,
    scrutinised: bool = False,
    proven: bool = True,
    about: Collection[str] | None = None,
    text: bytes | None = None,
) -> CheckedPolicies:
    """Check documents; `scrutinised` skips what was proved before (logic and cases).

    Without `proven` a pack may lack cases: for drafts that are looked at before their cases are written.
    `about`: the files that are new among documents whose logic was checked together before. `text`: the
    canonical form, where they were read from it.

    Raises PolicyError with a line for every complaint.
    """
    found = _foundation(trees)
    rule_files = [path for path in sorted(trees) if path not in (FACTS, SOURCES) and not is_schedule(path)]
    for path in rule_files:
        if not path.endswith(_CASES) and not _is_aliases(trees[path]):
            known = scrutinised or (about is not None and path not in about)
            _read_rules(path, trees[path], found, known)
    for path in rule_files:
        if path.endswith(_CASES):
            _read_cases(path, trees[path], found)
        elif _is_aliases(trees[path]):
            _read_aliases(path, trees[path], found)
    retention, problems = read_schedules(
        trees, found.vocabulary, found.sources, scrutinised=scrutinised, proven=proven
    )
    found.problems += problems
    if proven:
        _without_cases(found)
    if not found.problems and not scrutinised:
        found.problems += confront(found.packs, {**found.vocabulary.facts, **found.declared}, about)
    checked = CheckedPolicies(
        vocabulary=found.vocabulary,
        sources=found.sources,
        packs=tuple(sorted(found.packs, key=_combination_order)),
        models=tuple(found.models),
        matrices=tuple(found.matrices),
        cases=tuple(found.cases),
        declared=found.declared,
        aliases=tuple(found.aliases),
        retention=retention,
        canonical=canonical(trees) if text is None else text,
    )
    if not found.problems and not scrutinised and proven:
        found.problems += case_problems(checked)
    if found.problems:
        raise PolicyError(found.problems)
    return checked


def _combination_order(pack: CheckedPack) -> tuple[int, str]:
    """Order packs for readers: base, everywhere, unknown, then countries and access by name."""
    order = ("base", "everywhere", "unknown", "channel", "data_protection", "access")
    return order.index(pack.layer), pack.name


def _foundation(trees: Mapping[str, Node]) -> _Findings:
    """Read vocabulary and sources, without which nothing can be checked."""
    problems = [
        Problem(name, 0, "this file is missing; copy the shipped one")
        for name in (FACTS, SOURCES)
        if name not in trees
    ]
    if problems:
        raise PolicyError(problems)
    facts_desk, sources_desk = Complaints(FACTS), Complaints(SOURCES)
    vocabulary = read_vocabulary(trees[FACTS], facts_desk)
    sources = read_sources(trees[SOURCES], sources_desk)
    problems = facts_desk.found + sources_desk.found
    missing = [
        name
        for name in ("message.channel", "message.class", "stage.relationship", "transition.to")
        if name not in vocabulary.facts
    ]
    problems += [Problem(FACTS, 0, f"the vocabulary lacks the fact '{name}'") for name in missing]
    if problems:
        raise PolicyError(problems)
    return _Findings(opened(vocabulary, trees), sources, [])


def _is_aliases(tree: Node) -> bool:
    """Say whether a file tells which stages of several models mean the same."""
    return isinstance(tree.value, dict) and "aliases" in tree.value


def _read_aliases(path: str, tree: Node, found: _Findings) -> None:
    """Read one file of aliases into `found`; all stage models are known by now."""
    desk = Complaints(path)
    rows = read_aliases(tree, desk)
    check_aliases(rows, found.models, desk)
    found.aliases += [row for row, _ in rows]
    found.problems += desk.found


def _read_rules(path: str, tree: Node, found: _Findings, scrutinised: bool) -> None:
    """Read one file of rules into `found`."""
    desk = Complaints(path)
    room = path.split("/", 1)[0]
    kinds = [kind for kind in _KINDS if isinstance(tree.value, dict) and kind in tree.value]
    if room not in ACTIONS.values() or "/" not in path:
        desk.add(
            tree.line, f"rules lie in the folder of their room: {', '.join(sorted(set(ACTIONS.values())))}"
        )
    elif not kinds:
        desk.add(tree.line, "the file is no pack, matrix or model; begin it with 'pack: <name>'")
    else:
        reader = StageReader(room, found.vocabulary, found.sources, desk)
        pack = _read_kind(kinds[0], tree, reader, found)
        if any(other.name in (pack.name, WHOLE) for other in found.packs) or pack.name == WHOLE:
            desk.add(tree.line, f"the pack name '{pack.name}' is taken; choose another one")
        declared = _declare(tree, pack, found, desk)
        if not desk.found and not scrutinised:
            scrutinise(pack, {**found.vocabulary.facts, **declared}, desk)
        found.packs.append(pack)
    found.problems += desk.found


def _read_kind(kind: str, tree: Node, reader: StageReader, found: _Findings) -> CheckedPack:
    """Read a pack, a matrix or a stage model."""
    if kind == "matrix":
        pack, matrix = reader.read_matrix(tree)
        found.matrices.append(matrix)
        return pack
    if kind == "model":
        pack, model = reader.read_model(tree)
        found.models.append(model)
        return pack
    return reader.read_pack(tree)


def _declare(tree: Node, pack: CheckedPack, found: _Findings, desk: Complaints) -> dict[str, Fact]:
    """Add the facts that a pack declares; two packs may declare one fact only alike."""
    node = tree.value.get("declares") if isinstance(tree.value, dict) else None
    # Complaints about the declarations themselves were made when the pack was read.
    declared = read_declarations(node, "*" in pack.actions, Complaints(desk.file))
    for name, fact in declared.items():
        other = found.declared.get(name)
        if name in found.vocabulary.facts or (
            other is not None and (other.type, other.values) != (fact.type, fact.values)
        ):
            desk.add(tree.line, f"'{name}' is declared elsewhere in another way; use another name")
        found.declared[name] = fact
    return declared


def _read_cases(path: str, tree: Node, found: _Findings) -> None:
    """Read one file of cases into `found`."""
    desk = Complaints(path)
    name = tree.value["pack"].value if isinstance(tree.value, dict) and "pack" in tree.value else None
    pack = next((pack for pack in found.packs if pack.name == name), None)
    room = path.split("/", 1)[0]
    whole = next((action for action, gate in ACTIONS.items() if gate == room), None)
    action = whole if name == WHOLE else pack.actions[0] if pack is not None and pack.actions else None
    said = tree.value.get("action") if isinstance(tree.value, dict) else None
    possible = [each for each, gate in ACTIONS.items() if gate == room] if pack is None else pack.actions
    if action is not None and said is not None:
        if said.value in possible:
            action = str(said.value)
        else:
            desk.unknown(said.line, "action of these cases", str(said.value), possible)
    if action is None:
        desk.unknown(tree.line, "pack", str(name), [pack.name for pack in found.packs])
    else:
        gate = ACTIONS[action]
        facts = {name: fact for name, fact in found.vocabulary.facts.items() if gate in fact.gates}
        for model in found.models:
            if model.name == name:
                facts = facts_of_model(facts, model.name, [stage.id for stage in model.stages])
        declared = {name: fact for name, fact in found.declared.items() if gate in fact.gates}
        found.cases += CaseReader({**facts, **declared}, found.vocabulary, desk).read(tree, action)
    found.problems += desk.found


def _without_cases(found: _Findings) -> None:
    """Complain about packs that no file of cases proves."""
    proven = {case.pack for case in found.cases}
    for pack in found.packs:
        if pack.name not in proven:
            found.problems.append(
                Problem(
                    pack.file,
                    1,
                    f"the pack '{pack.name}' has no cases; write {pack.name}.cases.yaml beside it",
                )
            )
