"""The facts of one question as variables of a solver, and conditions over them as its formulas.

A fact becomes a choice among the values that can be told apart, a bucket between counts, or a set of marks:
ages that are reached, stretches of the day and weekdays in which candidates lie, members of a set; and always
the possibility that it is absent. Conditions mean what `codegen` makes of them: doubt counts against acting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

from governance.policy.codegen import COUNTED, COVERED, midnight
from governance.policy.conditions import AllOf, Condition, Leaf
from governance.policy.cuts import Cut
from governance.policy.lengths import never_longer
from governance.policy.model import CheckedPack, CheckedRule, Effect, FactType

_CANDIDATES = frozenset({FactType.LOCAL_TIME, FactType.WEEKDAY})


@dataclass(frozen=True, slots=True)
class Choice:
    """A fact with one of `count` values: the number `var`, or `count` itself where the fact is absent."""

    var: Any
    count: int

    def among(self, places: Iterable[int]) -> Any:
        """The formula that the value is at one of these places."""
        return _any((self.var == place for place in places), self.var.ctx)

    @property
    def absent(self) -> Any:
        """The formula that the fact is absent."""
        return self.var == self.count


@dataclass(frozen=True, slots=True)
class Marks:
    """A fact that is a set of marks, or absent."""

    absent: Any
    bits: tuple[Any, ...]


def _any(parts: Iterable[Any], ctx: Any) -> Any:
    listed = list(parts)
    return _joined(z3.Z3_mk_or, listed, ctx) if listed else z3.BoolVal(False, ctx)


def _all(parts: Iterable[Any], ctx: Any) -> Any:
    listed = list(parts)
    return _joined(z3.Z3_mk_and, listed, ctx) if listed else z3.BoolVal(True, ctx)


def _joined(make: Any, parts: Sequence[Any], ctx: Any) -> Any:
    """Join formulas as `z3.And` and `z3.Or` do, which look at every part four times to see that it is one."""
    asts = (z3.Ast * len(parts))(*(part.as_ast() for part in parts))
    return z3.BoolRef(make(ctx.ref(), len(parts), asts), ctx)


@dataclass(slots=True)
class World:
    """All facts of one question; `limits` says which values of the variables are facts at all."""

    ctx: Any
    cut: Cut
    tag: str = ""
    held: dict[str, Choice | Marks] = field(default_factory=dict)
    limits: list[Any] = field(default_factory=list)
    epoch: Any = None
    _leaves: dict[tuple[Leaf, bool], Any] = field(default_factory=dict)
    _allowed: dict[int, tuple[Sequence[CheckedPack], Any]] = field(default_factory=dict)

    @classmethod
    def new(cls, ctx: Any, cut: Cut) -> World:
        """Make the variables of a world of its own."""
        world = cls(ctx, cut)
        for name in cut.names:
            world._add(name)
        bits = max(len(cut.dates).bit_length(), 1)
        world.epoch = z3.BitVec("epoch", bits, ctx)
        world.limits.append(z3.ULE(world.epoch, len(cut.dates)))
        world._define_coverage()
        return world

    def twin(self, differing: Iterable[str]) -> World:
        """Make a world that is the same but for the facts in `differing`, and for what follows from them."""
        apart = set(differing)
        if not apart.isdisjoint(("person.country", "message.channel", "contact_point.country")):
            apart.add(COVERED)
        other = World(self.ctx, self.cut, "'", {**self.held}, epoch=self.epoch)
        for name in self.cut.names:
            if name in apart:
                other._add(name)
        other._leaves = {key: held for key, held in self._leaves.items() if key[0].fact not in apart}
        other._define_coverage()
        return other

    # -- variables ----------------------------------------------------------------------------------

    def _add(self, name: str) -> None:
        """Make the variables of one fact."""
        kind = self.cut.facts[name].type
        if kind in COUNTED:
            self._choice(name, len(self.cut.numbers[name]) + 1)
            points = self.cut.numbers[name]
            if kind is FactType.COUNT and points and points[0] <= 0:
                # Nothing is counted less than never.
                least = sum(point <= 0 for point in points)
                self.limits.append(z3.Or(self.absent(name), z3.UGE(self.choice(name).var, least)))
        elif kind is FactType.AGE:
            marks = self._marks(name, len(self.cut.ages[name]))
            for place, one in enumerate(self.cut.ages[name]):
                for other_place, other in enumerate(self.cut.ages[name]):
                    if place != other_place and never_longer(one, other):
                        self.limits.append(z3.Implies(marks.bits[other_place], marks.bits[place]))
        elif kind is FactType.LOCAL_TIME:
            self._candidates(name, len(self.cut.stretches(name)))
        elif kind in (FactType.WEEKDAY, FactType.SET):
            self._candidates(name, len(self.cut.values[name]))
        else:
            self._choice(name, len(self.cut.values[name]))

    def _choice(self, name: str, count: int) -> None:
        var = z3.BitVec(name + self.tag, count.bit_length(), self.ctx)
        self.held[name] = Choice(var, count)
        self.limits.append(z3.ULE(var, count))

    def _marks(self, name: str, count: int) -> Marks:
        absent = z3.Bool(f"{name}{self.tag} absent", self.ctx)
        marks = Marks(absent, tuple(z3.Bool(f"{name}{self.tag} {i}", self.ctx) for i in range(count)))
        self.held[name] = marks
        self.limits += [z3.Implies(absent, z3.Not(bit)) for bit in marks.bits]
        return marks

    def _candidates(self, name: str, count: int) -> None:
        """A set that is absent where it is empty."""
        marks = self._marks(name, count)
        self.limits.append(z3.Or(marks.absent, *marks.bits))

    def _define_coverage(self) -> None:
        """`place.covered` is reckoned from three other facts, and never absent."""
        if COVERED not in self.held:
            return
        covered = [
            z3.And(
                self._is("message.channel", channel),
                self._in_place("person.country", places),
                z3.Or(self.absent("contact_point.country"), self._in_place("contact_point.country", places)),
            )
            for channel, places in self.cut.coverage.items()
            if channel in self.cut.values["message.channel"]
        ]
        choice = self.choice(COVERED)
        self.limits.append(choice.var == z3.If(_any(covered, self.ctx), choice.var * 0 + 1, choice.var * 0))

    def choice(self, name: str) -> Choice:
        """Give the variable of a fact with one value."""
        held = self.held[name]
        if not isinstance(held, Choice):
            raise TypeError(f"{name} has several values")
        return held

    def _is(self, name: str, value: object) -> Any:
        return self.choice(name).among([self.cut.values[name].index(value)])

    def _in_place(self, name: str, places: tuple[frozenset[str], bool]) -> Any:
        countries, inverse = places
        values = self.cut.values[name]
        return self.choice(name).among(
            [place for place, value in enumerate(values) if (value in countries) != inverse]
        )

    # -- formulas -----------------------------------------------------------------------------------

    def absent(self, name: str) -> Any:
        """The formula that a fact is absent."""
        return self.held[name].absent

    def condition(self, condition: Condition, doubt: bool) -> Any:
        """The formula of a condition; `doubt` says whether an absent fact meets a comparison."""
        if isinstance(condition, Leaf):
            key = (condition, doubt)
            if key not in self._leaves:
                self._leaves[key] = self._leaf(condition, doubt)
            return self._leaves[key]
        parts = [self.condition(part, doubt) for part in condition.parts]
        return _all(parts, self.ctx) if isinstance(condition, AllOf) else _any(parts, self.ctx)

    def _leaf(self, leaf: Leaf, doubt: bool) -> Any:
        absent = self.absent(leaf.fact)
        if leaf.op == "absent":
            return absent
        if leaf.op == "present":
            return z3.Not(absent)
        held = self.held[leaf.fact]
        compared = self._chosen(leaf, held) if isinstance(held, Choice) else self._marked(leaf, held, doubt)
        return z3.Or(absent, compared) if doubt else z3.And(z3.Not(absent), compared)

    def _chosen(self, leaf: Leaf, held: Choice) -> Any:
        """A comparison of a fact that has one value."""
        points = self.cut.numbers.get(leaf.fact, ())
        if leaf.op in ("under", "at_least"):
            bucket = points.index(leaf.value) + 1
            below = z3.ULT(held.var, bucket)
            return below if leaf.op == "under" else z3.Not(below)
        wanted = leaf.value if isinstance(leaf.value, frozenset) else frozenset({leaf.value})
        if leaf.fact in self.cut.values:
            values = self.cut.values[leaf.fact]
            places = [place for place, value in enumerate(values) if value in wanted]
        else:
            places = [points.index(number) + 1 for number in wanted]
        among = held.among(sorted(places))
        return z3.Not(among) if leaf.op == "not_in" else among

    def _marked(self, leaf: Leaf, held: Marks, doubt: bool) -> Any:
        """A comparison of a fact that is a set of marks."""
        kind = self.cut.facts[leaf.fact].type
        if kind is FactType.AGE:
            reached = held.bits[self.cut.ages[leaf.fact].index(leaf.value)]
            return z3.Not(reached) if leaf.op == "under" else reached
        inside = self._inside(leaf)
        within = _any((bit for bit, is_in in zip(held.bits, inside, strict=True) if is_in), self.ctx)
        if kind not in _CANDIDATES:
            return z3.Not(within) if leaf.op == "not_in" else within
        without = _any((bit for bit, is_in in zip(held.bits, inside, strict=True) if not is_in), self.ctx)
        if leaf.op == "not_in":
            within, without = without, within
        return within if doubt else z3.Not(without)

    def _inside(self, leaf: Leaf) -> list[bool]:
        """Whether each mark is one of those that a comparison names."""
        if isinstance(leaf.value, tuple):
            since, until = leaf.value
            minutes = self.cut.stretches(leaf.fact)
            if since < until:
                return [since <= minute < until for minute in minutes]
            return [not until <= minute < since for minute in minutes]
        wanted = leaf.value if isinstance(leaf.value, frozenset) else frozenset({leaf.value})
        return [value in wanted for value in self.cut.values[leaf.fact]]

    def dates(self, rule: CheckedRule) -> list[Any]:
        """The formulas of the dates of a rule: as many as it has."""
        found = []
        if rule.effective.since is not None:
            found.append(z3.UGT(self.epoch, self.cut.dates.index(midnight(rule.effective.since))))
        if rule.effective.until is not None:
            found.append(z3.ULE(self.epoch, self.cut.dates.index(midnight(rule.effective.until))))
        return found

    def conjuncts(self, pack: CheckedPack, rule: CheckedRule) -> list[Any]:
        """What must all hold for a rule to match, in the order in which shortfalls are counted."""
        doubt = rule.effect is not Effect.PERMIT
        dates = self.dates(rule)
        found = [_all(dates, self.ctx)] if dates else []
        if pack.applies is not None:
            found.append(self.condition(pack.applies, False))
        parts = rule.when.parts if isinstance(rule.when, AllOf) else (rule.when,)
        found += [self.condition(part, doubt) for part in parts]
        if rule.unless is not None:
            found.append(z3.Not(self.condition(rule.unless, False)))
        return found

    def matches(self, pack: CheckedPack, rule: CheckedRule) -> Any:
        """The formula that a rule matches."""
        return _all(self.conjuncts(pack, rule), self.ctx)

    def matching(self, packs: Sequence[CheckedPack], effect: Effect) -> Any:
        """The formula that some rule of an effect matches."""
        return _any(
            (self.matches(pack, rule) for pack in packs for rule in pack.rules if rule.effect is effect),
            self.ctx,
        )

    def allowed(self, packs: Sequence[CheckedPack]) -> Any:
        """The formula that the answer is yes: some rule permits and none forbids; made once."""
        made = self._allowed.get(id(packs))
        if made is None or made[0] is not packs:
            permitted, forbidden = (self.matching(packs, effect) for effect in (Effect.PERMIT, Effect.FORBID))
            made = self._allowed[id(packs)] = (packs, z3.And(permitted, z3.Not(forbidden)))
        return made[1]
