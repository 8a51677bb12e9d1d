"""Which refusals would lack a sentence or a clause: of forbids, and of silence by its nearest permit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from governance.policy.compiled import CompiledPolicy
from governance.policy.invariants import CLAUSE, SENTENCE
from governance.policy.model import CheckedPack, CheckedRule, Effect
from governance.policy.worlds import World


@dataclass(frozen=True, slots=True)
class Wordless:
    """A rule whose refusal lacks something, and the formulas that all hold where it refuses."""

    rule: CheckedRule | None
    lacks: str
    claims: tuple[Any, ...]


def wordless(policy: CompiledPolicy, action: str, world: World, wanted: Sequence[str]) -> Iterator[Wordless]:
    """Give every rule of an action whose refusal would lack one of `wanted`; None is the bare silence."""
    packs = policy.program(action).packs
    for pack in packs:
        for rule in pack.rules:
            if rule.effect is Effect.FORBID:
                lacks = _lacking(wanted, rule.because, rule.cites)
                if lacks:
                    yield Wordless(rule, lacks, (world.matches(pack, rule),))
    permits = [(pack, rule) for pack in packs for rule in pack.rules if rule.effect is Effect.PERMIT]
    silent = z3.Not(world.matching(packs, Effect.PERMIT))
    if not permits and CLAUSE in wanted:
        yield Wordless(None, CLAUSE, (silent,))
    for place, (pack, rule) in enumerate(permits):
        lacks = _lacking(wanted, pack.because or rule.because, rule.cites or pack.cites)
        if lacks:
            yield Wordless(rule, lacks, (silent, _nearest(world, permits, place)))


def _lacking(wanted: Sequence[str], because: str, cites: Sequence[str]) -> str:
    held = {SENTENCE: bool(because.strip()), CLAUSE: any(clause.strip() for clause in cites)}
    return " and ".join(word for word in wanted if not held[word])


def _nearest(world: World, permits: Sequence[tuple[CheckedPack, CheckedRule]], place: int) -> Any:
    """The formula that silence is explained by the permit at `place`.

    It is the one that holds furthest in its written order, then the one that lacks fewest, then the first.
    """
    keys = [_key(world, pack, rule) for pack, rule in permits]
    first, lacking = keys[place]
    parts = []
    for other, (other_first, other_lacking) in enumerate(keys):
        if other != place:
            fewer = z3.ULT(lacking, other_lacking) if other < place else z3.ULE(lacking, other_lacking)
            parts.append(z3.Or(z3.UGT(first, other_first), z3.And(first == other_first, fewer)))
    return z3.And(parts) if parts else z3.BoolVal(True, world.ctx)


def _key(world: World, pack: CheckedPack, rule: CheckedRule) -> tuple[Any, Any]:
    """Give how far a permit holds in its written order and how many of its conditions do not, as numbers."""
    conjuncts = world.conjuncts(pack, rule)
    number = z3.BitVecSort(16, world.ctx)
    first = z3.BitVecVal(len(conjuncts), number, world.ctx)
    lacking = z3.BitVecVal(0, number, world.ctx)
    one, none = z3.BitVecVal(1, number, world.ctx), z3.BitVecVal(0, number, world.ctx)
    for position in reversed(range(len(conjuncts))):
        first = z3.If(conjuncts[position], first, z3.BitVecVal(position, number, world.ctx))
        lacking = lacking + z3.If(conjuncts[position], none, one)
    return first, lacking
