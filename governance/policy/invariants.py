"""What no policy may ever allow: the values, and reading `policies/invariants.yaml`.

An *invariant* is said of actions, with a sentence and a clause, in one of three ways:

- `never` (and `unless`): no question for which this holds is ever allowed. It is read like a forbid: doubt
  counts against acting, so an absent fact meets `never` and does not meet `unless`.
- `no_help` from `before` to `after`: whoever is like `after` is never allowed what is refused to somebody
  like `before` who is the same in everything but the facts in `may_differ`. There an absent fact meets none.
- `every_refusal_has`: a `sentence`, a `clause`, or both, in every reason of every refusal.

`cannot_be` lists the few combinations of facts that the service itself never produces: `if` this holds,
`then` that holds. What is listed there is taken for granted in proofs; a test holds it against what the gates
give.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from governance.policy.complaints import Complaints, PolicyError
from governance.policy.conditions import Condition
from governance.policy.documents import Node, compose
from governance.policy.grammar import Grammar
from governance.policy.loader import INVARIANTS
from governance.policy.logic import leaves
from governance.policy.model import ACTIONS, Fact, Problem, Vocabulary

SHIPPED = Path(__file__).resolve().parents[2] / "policies" / INVARIANTS
"""The invariants come with the service; no folder of policies replaces them."""

SENTENCE, CLAUSE = "sentence", "clause"
_WAYS = ("never", "no_help", "every_refusal_has")


@dataclass(frozen=True, slots=True)
class NoHelp:
    """A change of facts that never turns a no into a yes; `among` narrows whom it is said of."""

    before: Condition
    after: Condition
    may_differ: tuple[str, ...]
    among: Condition | None = None


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that no policy may allow, said of one action; exactly one of the three ways is given."""

    id: str
    action: str
    because: str
    cites: tuple[str, ...]
    never: Condition | None = None
    unless: Condition | None = None
    no_help: NoHelp | None = None
    refusals_have: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Give all conditions that the invariant consists of."""
        parts: list[Condition | None] = [self.never, self.unless]
        if self.no_help is not None:
            parts += [self.no_help.before, self.no_help.after, self.no_help.among]
        return tuple(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Coherence:
    """A combination that the service never produces: wherever `when` holds, `then` holds too."""

    id: str
    action: str
    when: Condition
    then: Condition
    because: str


@dataclass(frozen=True, slots=True)
class Invariants:
    """All invariants and what may be taken for granted in proving them."""

    invariants: tuple[Invariant, ...]
    coherence: tuple[Coherence, ...]

    def about(self, action: str) -> tuple[Invariant, ...]:
        """Give the invariants of one action."""
        return tuple(one for one in self.invariants if one.action == action)

    def granted(self, action: str) -> tuple[Coherence, ...]:
        """Give what may be taken for granted about one action."""
        return tuple(one for one in self.coherence if one.action == action)

    @property
    def actions(self) -> tuple[str, ...]:
        """Give the actions that something is said about, in their order."""
        return tuple(dict.fromkeys(one.action for one in self.invariants))


@cache
def shipped_text() -> str:
    """Give the text of the shipped file, read once a process."""
    return SHIPPED.read_text(encoding="utf-8")


def read_invariants(
    text: str, vocabulary: Vocabulary, actions: Collection[str] = tuple(ACTIONS)
) -> Invariants:
    """Read what is said of `actions` against a vocabulary.

    Raises PolicyError with a line for every complaint.
    """
    tree = compose(INVARIANTS, text)
    if isinstance(tree, Problem):
        raise PolicyError([tree])
    desk = Complaints(INVARIANTS)
    reader = _Reader(vocabulary, desk, frozenset(actions))
    members = desk.members(tree, "the file", ("cannot_be",), ("invariants",))
    found = [
        one for node in desk.items(members.get("invariants"), "invariants") for one in reader.invariant(node)
    ]
    granted = [
        one for node in desk.items(members.get("cannot_be"), "cannot_be") for one in reader.coherence(node)
    ]
    if desk.found:
        raise PolicyError(desk.found)
    return Invariants(tuple(found), tuple(granted))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the entries of the file."""

    vocabulary: Vocabulary
    desk: Complaints
    actions: frozenset[str]

    def _facts(self, action: str) -> dict[str, Fact]:
        """Give the facts that may be spoken of in the gate of an action."""
        gate = ACTIONS[action]
        return {name: fact for name, fact in self.vocabulary.facts.items() if gate in fact.gates}

    def _actions(self, node: Node | None) -> tuple[str, ...]:
        """Read `about`: one action or several."""
        one = node is not None and isinstance(node.value, str)
        found = (self.desk.text(node, "about"),) if one else self.desk.texts(node, "about")
        for action in found:
            if node is not None and action not in ACTIONS:
                self.desk.unknown(node.line, "action", action, ACTIONS)
        return tuple(action for action in found if action in self.actions)

    def _condition(self, node: Node | None, what: str, action: str) -> Condition | None:
        """Read a condition over the facts of an action; None if absent or after a complaint."""
        if node is None:
            return None
        grammar = Grammar(self._facts(action), self.vocabulary.groups, self.desk, self.vocabulary.group_words)
        return grammar.condition(node, what)

    def invariant(self, node: Node) -> Iterable[Invariant]:
        """Read one invariant, once for every action that it is about."""
        needed = ("id", "about", "because", "cites")
        members = self.desk.members(node, "an invariant", (*_WAYS, "unless"), needed)
        name = self.desk.name(members.get("id"), "id")
        because = self.desk.text(members.get("because"), f"'because' of '{name}'")
        cites = self.desk.texts(members.get("cites"), f"'cites' of '{name}'")
        ways = [way for way in _WAYS if way in members]
        if len(ways) != 1 or ("unless" in members and ways != ["never"]):
            self.desk.add(node.line, f"'{name}' needs exactly one of {', '.join(_WAYS)}")
        if not cites:
            self.desk.add(node.line, f"'{name}' names no clause; every invariant rests on one")
        for action in self._actions(members.get("about")):
            yield Invariant(
                id=name,
                action=action,
                because=because,
                cites=cites,
                never=self._condition(members.get("never"), f"'never' of '{name}'", action),
                unless=self._condition(members.get("unless"), f"'unless' of '{name}'", action),
                no_help=self._no_help(members.get("no_help"), name, action),
                refusals_have=self._refusals(members.get("every_refusal_has"), name),
            )

    def _no_help(self, node: Node | None, name: str, action: str) -> NoHelp | None:
        """Read a change that never helps."""
        if node is None:
            return None
        members = self.desk.members(
            node, f"'no_help' of '{name}'", ("among",), ("before", "after", "may_differ")
        )
        before, after, among = (
            self._condition(members.get(part), f"'{part}' of '{name}'", action)
            for part in ("before", "after", "among")
        )
        may_differ = self.desk.texts(members.get("may_differ"), f"'may_differ' of '{name}'")
        known = self._facts(action)
        for fact in may_differ:
            if fact not in known:
                self.desk.unknown(node.line, "fact", fact, known)
        fixed = {leaf.fact for part in (before, after) for leaf in leaves(part)} - set(may_differ)
        if fixed:
            self.desk.add(node.line, f"'{name}' changes {', '.join(sorted(fixed))}, so it is in 'may_differ'")
        return None if before is None or after is None else NoHelp(before, after, may_differ, among)

    def _refusals(self, node: Node | None, name: str) -> tuple[str, ...]:
        """Read what every refusal has."""
        found = self.desk.texts(node, f"'every_refusal_has' of '{name}'")
        for word in found:
            if node is not None and word not in (SENTENCE, CLAUSE):
                self.desk.unknown(node.line, "part of a refusal", word, (SENTENCE, CLAUSE))
        return found

    def coherence(self, node: Node) -> Iterable[Coherence]:
        """Read one combination that cannot be, once for every action that it is about."""
        members = self.desk.members(node, "an entry", (), ("id", "about", "if", "then", "because"))
        name = self.desk.name(members.get("id"), "id")
        because = self.desk.text(members.get("because"), f"'because' of '{name}'")
        for action in self._actions(members.get("about")):
            when = self._condition(members.get("if"), f"'if' of '{name}'", action)
            then = self._condition(members.get("then"), f"'then' of '{name}'", action)
            if when is not None and then is not None:
                yield Coherence(name, action, when, then, because)


def facts_in(conditions: Iterable[Condition | None], facts: Mapping[str, Fact]) -> tuple[str, ...]:
    """Give the facts that conditions speak of, in the order of the vocabulary."""
    named = {leaf.fact for condition in conditions for leaf in leaves(condition)}
    return tuple(name for name in facts if name in named)
