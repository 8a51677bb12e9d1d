"""Drafts: a pack as somebody sends it, with its cases, read line by line, laid over what is in force. Pure.

A draft is either one document, the pack with two more members (`cases`, with `now`; `whole_cases`), or the
texts of its files one by one. What it does not bring stays as it is in force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.policy.casefiles import WHOLE
from governance.policy.complaints import PolicyError, nearest
from governance.policy.documents import Node, canonical, compose
from governance.policy.model import ACTIONS, Problem

ONE_DOCUMENT = "draft"
"""The name under which a draft is complained about that was sent as one document."""

RULES, CASES, WHOLE_CASES = "policy", "cases", "whole_cases"
FILES = (RULES, CASES, WHOLE_CASES)
"""The files that a draft may bring, by the names under which they are sent one by one."""

MOST_RULES = 400
MOST_CASES = 3_000

_KINDS = ("pack", "matrix", "model")


@dataclass(frozen=True, slots=True)
class Sent:
    """A draft as it was sent: name of each text -> text."""

    texts: Mapping[str, str]

    @classmethod
    def one(cls, text: str) -> Sent:
        """A draft in one document."""
        return cls({ONE_DOCUMENT: text})


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft read: path of each file -> tree, as it would lie in the folder of policies.

    `shown` gives for a path the name of the text in which its lines are counted. `digest` names the content,
    whatever its layout.
    """

    pack: str
    documents: Mapping[str, Node]
    shown: Mapping[str, str]

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical form of the draft's own files."""
        return "sha256:" + hashlib.sha256(canonical(self.documents)).hexdigest()

    def over(self, in_force: Mapping[str, Node]) -> dict[str, Node]:
        """Lay the draft over the documents in force."""
        return {**in_force, **self.documents}

    def localised(self, problems: Sequence[Problem]) -> list[Problem]:
        """Name the text that was sent in place of the file that it would become."""
        return [Problem(self.shown.get(one.file, one.file), one.line, one.sentence) for one in problems]


def read_draft(pack: str, sent: Sent, in_force: Mapping[str, Node]) -> Draft:
    """Read a draft of `pack`; raises PolicyError with a line for every complaint."""
    trees: dict[str, Node] = {}
    problems: list[Problem] = []
    for name, text in sent.texts.items():
        tree = compose(name, text)
        if isinstance(tree, Problem):
            problems.append(tree)
        else:
            trees[name] = tree
    if problems:
        raise PolicyError(problems)
    if ONE_DOCUMENT in trees:
        shown = dict.fromkeys(FILES, ONE_DOCUMENT)
        trees = _taken_apart(pack, trees[ONE_DOCUMENT])
    else:
        shown = {name: name for name in FILES}
    if RULES not in trees:
        raise PolicyError(
            [Problem(ONE_DOCUMENT, 1, f"the draft has no rules; send the pack '{pack}' itself")]
        )
    path = _path_of(pack, trees[RULES], shown[RULES], in_force)
    room, stem = path.split("/", 1)[0], path.removesuffix(".yaml")
    places = {RULES: path, CASES: f"{stem}.cases.yaml", WHOLE_CASES: f"{room}/{WHOLE}.cases.yaml"}
    for name, known in ((CASES, pack), (WHOLE_CASES, WHOLE)):
        if name in trees:
            _speaks_of(trees[name], known, shown[name])
    draft = Draft(
        pack,
        {places[name]: tree for name, tree in trees.items()},
        {place: shown[name] for name, place in places.items()},
    )
    _check_size(trees, shown)
    return draft


def pack_path(pack: str, documents: Mapping[str, Node]) -> str | None:
    """Give the file of a pack, matrix or stage model among documents; None if there is none."""
    for path, tree in documents.items():
        if not path.endswith(".cases.yaml") and _named(tree) == pack:
            return path
    return None


def files_of(pack: str, documents: Mapping[str, Node]) -> dict[str, Node]:
    """Give the files of a pack: its rules and its cases."""
    path = pack_path(pack, documents)
    if path is None:
        return {}
    names = (path, f"{path.removesuffix('.yaml')}.cases.yaml")
    return {name: documents[name] for name in names if name in documents}


def _named(tree: Node) -> str | None:
    """Give the name under which rules of a file are known; that of the matrix is `matrix`."""
    if not isinstance(tree.value, dict):
        return None
    if "matrix" in tree.value:
        return "matrix"
    for kind in ("pack", "model"):
        if kind in tree.value and isinstance(tree.value[kind].value, str):
            return str(tree.value[kind].value).strip()
    return None


def _taken_apart(pack: str, tree: Node) -> dict[str, Node]:
    """Take one document apart into the files that it stands for; every node keeps its line."""
    if not isinstance(tree.value, dict):
        raise PolicyError(
            [Problem(ONE_DOCUMENT, tree.line, f"a draft is a mapping; begin it with 'pack: {pack}'")]
        )
    members, lines = dict(tree.value), dict(tree.keys)
    now = members.pop("now", None)
    found: dict[str, Node] = {}
    for name, of in ((CASES, pack), (WHOLE_CASES, WHOLE)):
        cases = members.pop(name, None)
        if cases is None:
            continue
        line = lines.get(name, tree.line)
        inside = {"pack": Node(of, line), "cases": cases}
        if now is not None:
            inside["now"] = now
        found[name] = Node(inside, line, dict.fromkeys(inside, line), tree.text)
    kept = {name: line for name, line in lines.items() if name in members}
    return {RULES: Node(members, tree.line, kept, tree.text), **found}


def _path_of(pack: str, rules: Node, shown: str, in_force: Mapping[str, Node]) -> str:
    """Give the file that a draft takes the place of, or makes; it must bear the name it is sent under."""
    named = _named(rules)
    if named != pack:
        kinds = ", ".join(f"'{kind}:'" for kind in _KINDS)
        said = (
            f"it calls itself '{named}'{nearest(str(named), [pack])}" if named else f"it has none of {kinds}"
        )
        raise PolicyError([Problem(shown, rules.line, f"this is the draft of the pack '{pack}', but {said}")])
    present = pack_path(pack, in_force)
    if present is not None:
        return present
    value = rules.value if isinstance(rules.value, dict) else {}
    about = value["speaks_about"].value if "speaks_about" in value else None
    actions = [item.value for item in about] if isinstance(about, list) else []
    rooms = [ACTIONS[action] for action in actions if isinstance(action, str) and action in ACTIONS]
    room = rooms[0] if rooms else "lifecycle" if "model" in value else next(iter(ACTIONS.values()))
    path = f"{room}/{pack}.yaml"
    if path in in_force:
        raise PolicyError(
            [Problem(shown, rules.line, f"the file of the name '{pack}' is taken; choose another")]
        )
    return path


def _speaks_of(cases: Node, name: str, shown: str) -> None:
    """Complain about cases of another pack."""
    said = cases.value.get("pack") if isinstance(cases.value, dict) else None
    if said is not None and said.value != name:
        raise PolicyError([Problem(shown, said.line, f"these are cases of '{said.value}', not of '{name}'")])


def _check_size(trees: Mapping[str, Node], shown: Mapping[str, str]) -> None:
    """Complain about more than anybody could read; comparing rules takes time with the square of them."""
    problems: list[Problem] = []
    for name, member, most in (
        (RULES, "rules", MOST_RULES),
        (CASES, "cases", MOST_CASES),
        (WHOLE_CASES, "cases", MOST_CASES),
    ):
        value = trees[name].value if name in trees else None
        listed = value.get(member) if isinstance(value, dict) else None
        if listed is not None and isinstance(listed.value, list) and len(listed.value) > most:
            sentence = f"a draft holds at most {most} {member}; split the pack"
            problems.append(Problem(shown[name], listed.line, sentence))
    if problems:
        raise PolicyError(problems)
