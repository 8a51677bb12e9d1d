"""Why a request may be refused: `grounds.yaml` of `policies/rights/`, and the clauses in its `refusals/`.

A ground may be used where the law that applies has a clause for it, and nowhere else: that clause is what the
letter cites. A ground that is there `everywhere` needs one under every regime, for every type of request that
it may be used for; the loader refuses a regime that lacks it. Where no law is known (`statutory: false`) the
clause names the law that is taken as a model, and the letter says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node
from governance.rights.clocks import Ground
from governance.rights.law_files import Place, ground_of, tree_of, types_of
from governance.rights.model import APPEAL, TYPES
from governance.rights.regimes import Regime

GROUNDS = "grounds.yaml"
GIVEN = ("yes", "partial", "no", "unknown")
"""Whether a law gives a right, as `Regime.gives` says it."""

_OF_GROUND = ("id", "says", "identity", "everywhere", "given", "types", "regimes")
_GROUND_KEYS = frozenset([*_OF_GROUND, "cites_of", "cites", "source", "verified"])
_CLAUSE_KEYS = frozenset(["types", "cites", "source", "verified", "statutory"])


@dataclass(frozen=True, slots=True)
class Clause:
    """What a refusal rests on under one law, for some types of request (none: all others).

    `statutory` False: no law is known; what is cited is a model, or nothing.
    """

    ground: Ground
    types: tuple[str, ...] = ()
    statutory: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """A ground on which a request may be refused.

    `types`, `given`, `regimes` empty: all; `given`: only where the law gives the right so. `identity`: nobody
    was proved. `clauses`: by regime.
    """

    id: str
    says: str
    identity: bool = False
    everywhere: bool = False
    types: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    clauses: Mapping[str, Sequence[Clause]] = field(default_factory=dict)

    def may_be(self, regime: Regime, type_: str) -> bool:
        """Whether the ground makes sense for such a request under this law, whatever its clauses are."""
        return (
            (not self.regimes or regime.id in self.regimes)
            and (not self.types or type_ in self.types)
            and (not self.given or regime.gives(type_) in self.given)
        )

    def clause(self, regime: Regime, type_: str) -> Clause | None:
        """What a refusal of this type on this ground rests on under this law; None if it may not be."""
        if not self.may_be(regime, type_):
            return None
        found = self.clauses.get(regime.id, ())
        return next((each for each in found if not each.types or type_ in each.types), None)


def read_refusals(
    grounds: str, files: Mapping[str, str], sources: Mapping[str, bool], regimes: Mapping[str, Regime]
) -> Mapping[str, Refusal]:
    """Read the grounds and their clauses; what `grounds.yaml` says of a regime goes before the other files.

    InvalidError for what is unknown, said twice, can never be used, or is missing.
    """
    members: Any = tree_of(GROUNDS, grounds).value
    known: dict[str, Refusal] = {}
    for node in members["grounds"].value:
        refusal = _refusal(Place(GROUNDS, node.line, sources), node.plain(), regimes)
        known[refusal.id] = refusal
    elsewhere: dict[tuple[str, str], Sequence[Clause]] = {}
    for name, text in sorted(files.items()):
        for at, regime, ground, said in _said(f"refusals/{name}", text, sources):
            _check(at, regime in regimes, f"there is no regime {regime}.")
            _check(at, ground in known, f"{GROUNDS} has no ground {ground}.")
            _check(at, (ground, regime) not in elsewhere, f"{ground} is there twice for {regime}; keep one.")
            elsewhere[ground, regime] = _clauses(at, said, known[ground].types, regimes[regime])
    for (ground, regime), clauses in elsewhere.items():
        own = known[ground].clauses
        if regime not in own:
            known[ground] = replace(known[ground], clauses={**own, regime: clauses})
    _complete(known.values(), tuple(regimes.values()))
    return known


def _said(name: str, text: str, sources: Mapping[str, bool]) -> Iterator[tuple[Place, str, str, Any]]:
    """What a file says: regime → ground → its clauses."""
    members: Any = tree_of(name, text).value
    if set(members) != {"refusals"}:
        raise InvalidError(f"rights/{name}:1: this file has one member, `refusals`.")
    for regime, grounds in members["refusals"].value.items():
        for ground, node in grounds.value.items():
            assert isinstance(node, Node)
            yield Place(name, node.line, sources), regime, ground, node.plain()


def _refusal(at: Place, said: Any, regimes: Mapping[str, Regime]) -> Refusal:
    unknown = set(said) - _GROUND_KEYS
    _check(at, not unknown, f"a ground knows no member {min(unknown, default='')!r}.")
    types, given = types_of(at, said), tuple(said.get("given", ()))
    _check(at, set(given) <= set(GIVEN), f"`given` is some of {', '.join(GIVEN)}.")
    own = {"source": said.get("source", []), "verified": said.get("verified", False)}
    clauses = {}
    for regime, each in said.get("cites_of", {}).items():
        _check(at, regime in regimes, f"there is no regime {regime}.")
        # The short form: clauses only, which rest on what the ground itself rests on.
        short = isinstance(each, list) and all(isinstance(cite, str) for cite in each)
        clauses[regime] = _clauses(at, {"cites": each, **own} if short else each, types, regimes[regime])
    return Refusal(
        said["id"],
        said["says"],
        said.get("identity", False),
        said.get("everywhere", False),
        types,
        given,
        tuple(said.get("regimes", ())),
        clauses,
    )


def _clauses(at: Place, said: Any, of_ground: tuple[str, ...], regime: Regime) -> Sequence[Clause]:
    """One clause, or several by type of request with that for all other types last."""
    found: list[Clause] = []
    for each in said if isinstance(said, list) else [said]:
        clause = _clause(at, each)
        _check(at, clause.statutory or not regime.places, "a law that has places is cited itself.")
        _check(at, not found or bool(found[-1].types), "the clause for all other types comes last.")
        misplaced = [type_ for type_ in clause.types if of_ground and type_ not in of_ground]
        _check(at, not misplaced, f"this ground is not for {', '.join(misplaced)}.")
        twice = [type_ for type_ in clause.types if any(type_ in other.types for other in found)]
        _check(at, not twice, f"{', '.join(twice)} is there twice; keep one.")
        found.append(clause)
    _check(at, bool(found), "there is no clause here.")
    return tuple(found)


def _clause(at: Place, said: Any) -> Clause:
    _check(at, isinstance(said, dict), "a clause has `cites`, `source` and `verified`.")
    unknown = set(said) - _CLAUSE_KEYS
    _check(at, not unknown, f"a clause knows no member {min(unknown, default='')!r}.")
    lacking = {"cites", "source", "verified"} - set(said)
    _check(at, not lacking, f"a clause needs its `{min(lacking, default='')}`.")
    clause = Clause(ground_of(at, said), types_of(at, said), said.get("statutory", True))
    texts = [isinstance(cite, str) and bool(cite.strip()) for cite in clause.ground.cites]
    _check(at, all(texts), "a clause is a text.")
    _check(at, bool(texts) or not clause.statutory, "where there is a law, its clause is cited.")
    return clause


def _complete(refusals: Iterable[Refusal], regimes: Sequence[Regime]) -> None:
    """A ground that is there everywhere has a clause under every law, for each type that it is for."""
    for refusal in refusals:
        for regime in regimes if refusal.everywhere else ():
            for type_ in TYPES:
                if type_ == APPEAL and regime.appeal is None:
                    continue  # nobody can appeal there
                if refusal.may_be(regime, type_) and refusal.clause(regime, type_) is None:
                    lacks = f"the ground {refusal.id} has no clause for {type_} under {regime.id}"
                    raise InvalidError(f"rights/refusals: {lacks}; say what a refusal cites there.")


def _check(at: Place, right: bool, complaint: str) -> None:
    if not right:
        raise at.wrong(complaint)
