"""Proving a whole policy against what no policy may ever allow, over all facts at all instants.

Nothing is sampled: the checked rules of an action become one formula, an invariant another, and a solver says
that no facts meet both, or gives facts that do. What it gives is checked with the compiled policy. A proof
has a limit; what cannot be proved within it is refused.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import z3

from governance.policy.compiled import CompiledPolicy, compile_policy
from governance.policy.counterexamples import CounterExample, unproved
from governance.policy.cuts import Cut, cut
from governance.policy.exhibits import Exhibit
from governance.policy.invariants import Invariant, Invariants, NoHelp, read_invariants, shipped_text
from governance.policy.model import CheckedPack, CheckedPolicies
from governance.policy.refusals import Wordless, wordless
from governance.policy.worlds import World

SECONDS = 60.0
"""How long one proof of everything may take."""

STEPS = 50_000_000
"""How much work the solver may put into one question; its own count, the same on every machine."""

_KEPT = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of a policy: how many invariants, in how many milliseconds; every counter-example."""

    invariants: int
    milliseconds: int
    found: tuple[CounterExample, ...]

    @property
    def holds(self) -> bool:
        """Say whether the policy may be put in force."""
        return not self.found


def prove(checked: CheckedPolicies) -> list[CounterExample]:
    """Give a counter-example for every invariant that a policy breaks, or that could not be proved of it.

    `checked` is the whole policy as the loader gives it (`check_documents`): a draft is proved together with
    everything that is in force beside it. An empty list means: proved, over all facts at all instants, and
    the policy may be put in force. Each counter-example has `str()` for people, `problem()` (file, line,
    sentence) for complaints and `document()` for machines. Takes half a second, never longer than `SECONDS`;
    an action of which everything was proved once in a process is not proved again. `governance.policy.proof`
    calls this before a policy is proposed, activated or adopted. Raises PolicyError if the vocabulary lacks a
    fact that an invariant speaks of.
    """
    return list(proof_of(checked).found)


class _Kept:
    """What holds, by the name of all that was looked at: such a name means one policy for ever."""

    def __init__(self, size: int) -> None:
        self._held: OrderedDict[str, Proof | None] = OrderedDict()
        self._size = size
        self._lock = Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def get(self, name: str) -> Proof | None:
        """Give what was kept under a name, None if nothing was."""
        return self._held.get(name)

    def put(self, name: str, proof: Proof | None = None) -> None:
        """Keep what holds; what was kept longest makes room."""
        with self._lock:
            self._held[name] = proof
            while len(self._held) > self._size:
                self._held.popitem(last=False)


_known = _Kept(_KEPT)
_actions = _Kept(_KEPT * 8)
"""The actions of which everything was proved: who changes transfers leaves messages as they were."""


def proof_of(checked: CheckedPolicies, text: str | None = None, *, seconds: float = SECONDS) -> Proof:
    """Prove a policy, unless it was proved before; `text` are the invariants (else the shipped ones)."""
    said = shipped_text() if text is None else text
    key = _named(said, _unplaced(checked.packs), checked.vocabulary, checked.declared)
    held = _known.get(key)
    if held is not None:
        return held
    proof = _prove(checked, said, seconds)
    if proof.holds:
        _known.put(key, proof)
    return proof


def _named(*looked_at: object) -> str:
    """Give a name of all that a proof looks at.

    The digest of the documents would say nothing of a policy that was put together by hand.
    """
    return hashlib.sha256(repr(looked_at).encode()).hexdigest()


def _unplaced(packs: Iterable[CheckedPack]) -> list[CheckedPack]:
    """Give packs without the lines on which their rules stand: they are nothing to a proof."""
    return [replace(pack, rules=tuple(replace(rule, line=0) for rule in pack.rules)) for pack in packs]


def _prove(checked: CheckedPolicies, text: str, seconds: float) -> Proof:
    began = time.monotonic()
    policy = compile_policy(checked)
    invariants = read_invariants(text, policy.vocabulary, policy.programs)
    beside = _named(text, policy.vocabulary, policy.coverage)
    found: list[CounterExample] = []
    for action in invariants.actions:
        name = _named(beside, action, _unplaced(policy.program(action).packs))
        if name in _actions:
            continue
        ground = Ground.of(policy, action, invariants, began + seconds)
        broken = [one for invariant in invariants.about(action) for one in ground.broken(invariant)]
        if not broken:
            _actions.put(name)
        found += broken
    return Proof(len(invariants.invariants), round((time.monotonic() - began) * 1000), tuple(found))


@dataclass(slots=True)
class Ground:
    """The rules of one action as formulas, ready to be asked about invariants."""

    policy: CompiledPolicy
    action: str
    cut: Cut
    world: World
    granted: Invariants
    deadline: float

    @classmethod
    def of(cls, policy: CompiledPolicy, action: str, invariants: Invariants, deadline: float) -> Ground:
        """Make the formulas of an action."""
        conditions = [part for one in invariants.about(action) for part in one.conditions]
        conditions += [part for one in invariants.granted(action) for part in (one.when, one.then)]
        parts = cut(policy.vocabulary.facts, policy.program(action).packs, conditions, policy.coverage)
        # A context of its own: proofs in several threads share nothing, and all memory goes with it.
        return cls(policy, action, parts, World.new(z3.Context(), parts), invariants, deadline)

    def broken(self, invariant: Invariant) -> list[CounterExample]:
        """Give the counter-examples to one invariant; none if it is proved."""
        if invariant.refusals_have:
            return self._wordless(invariant)
        if invariant.no_help is not None:
            return self._helped(invariant, invariant.no_help)
        packs = self.policy.program(self.action).packs
        claims = [self.world.allowed(packs)]
        if invariant.never is not None:
            claims.append(self.world.condition(invariant.never, True))
        if invariant.unless is not None:
            claims.append(z3.Not(self.world.condition(invariant.unless, False)))
        return self._asked(invariant, [self.world], claims, lambda exhibit: exhibit.allowed())

    def _helped(self, invariant: Invariant, no_help: NoHelp) -> list[CounterExample]:
        packs = self.policy.program(self.action).packs
        before, after = self.world.twin(no_help.may_differ), self.world
        claims = [
            z3.Not(before.allowed(packs)),
            after.allowed(packs),
            before.condition(no_help.before, False),
            after.condition(no_help.after, False),
        ]
        if no_help.among is not None:
            claims.append(before.condition(no_help.among, False))
        return self._asked(invariant, [after, before], claims, lambda exhibit: exhibit.helped())

    def _wordless(self, invariant: Invariant) -> list[CounterExample]:
        """Give the first refusal that says too little; whoever mends it is told of the next."""
        for one in wordless(self.policy, self.action, self.world, invariant.refusals_have):
            found = self._asked(invariant, [self.world], one.claims, _refused(one))
            if found:
                return found
        return []

    def _asked(
        self,
        invariant: Invariant,
        worlds: list[World],
        claims: Iterable[Any],
        show: Callable[[Exhibit], CounterExample | None],
    ) -> list[CounterExample]:
        """Ask the solver for facts that meet all claims, and show them if there are any."""
        solver = z3.SolverFor("QF_FD", ctx=self.world.ctx)
        for world in worlds:
            solver.add(*world.limits)
            for one in self.granted.granted(self.action):
                holds = z3.Implies(world.condition(one.when, False), world.condition(one.then, False))
                solver.add(holds)
        solver.add(*claims)
        answer = self._check(solver)
        if answer == z3.unsat:
            return []
        if answer != z3.sat:
            return [unproved(invariant, "it took too long")]
        shown = show(Exhibit(self.policy, invariant, solver, worlds))
        if shown is None:
            shown = unproved(invariant, "the compiled policy does not agree with what the proof found")
        return [shown]

    def _check(self, solver: Any) -> Any:
        left = self.deadline - time.monotonic()
        if left <= 0:
            return z3.unknown
        solver.set("timeout", max(int(left * 1000), 1))
        solver.set("rlimit", STEPS)
        return solver.check()


def _refused(one: Wordless) -> Callable[[Exhibit], CounterExample | None]:
    return lambda exhibit: exhibit.refused(one.rule, one.lacks)
