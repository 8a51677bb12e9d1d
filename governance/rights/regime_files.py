"""The files of `policies/rights/`: regimes with their clocks, grounds for refusals, and what they rest on.

A file of the same name in the installation's own policies folder replaces the shipped one. They are read as
policies are (plain YAML, no tags, no duplicate keys); InvalidError names file and line of what is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node, compose
from governance.rights.clocks import STARTS, Clock, Extension, Ground
from governance.rights.model import ACCESS, TYPES
from governance.rights.periods import Period, read_period
from governance.rights.regimes import EVERYWHERE, Appeal, Regime, Regimes

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
SOURCES, GROUNDS, OPENDSR = "sources.yaml", "grounds.yaml", "opendsr.yaml"
_CHECKED = ("primary", "official")
_CLOCK_KEYS = frozenset(
    [
        "types",
        "from",
        "until",
        "starts",
        "first_day_counts",
        "acknowledge",
        "respond",
        "extend",
        "fee_term",
        "pauses",
        "ends_on_working_day",
        "statutory",
        "says",
        "cites",
        "source",
        "verified",
    ]
)
_REGIME_KEYS = frozenset(
    ["id", "title", "places", "default_of", "holidays", "rights", "appeal", "complaint", "clocks"]
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A ground on which a request may be refused.

    `regimes`, `types` empty: all; `identity`: nobody was proved; `cites_of`: what a letter cites, by regime.
    """

    id: str
    says: str
    ground: Ground
    regimes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    identity: bool = False
    cites_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def fits(self, regime: str, type_: str) -> bool:
        """Whether a request of this type under this regime may be refused on this ground."""
        return (not self.regimes or regime in self.regimes) and (not self.types or type_ in self.types)


@dataclass(frozen=True, slots=True)
class RightsLaw:
    """Everything that the files say. `regulations`: names of OpenDSR → the regime that each stands for."""

    regimes: Regimes
    refusals: Mapping[str, Refusal]
    regulations: Mapping[str, str]


@cache
def law(policies_dir: Path | None) -> RightsLaw:
    """Read the files once a process."""
    files = dict(texts(policies_dir, ".yaml"))
    sources = _sources(files.pop(SOURCES))
    refusals = {each.id: each for each in _refusals(files.pop(GROUNDS), sources)}
    regulations: Any = _tree(OPENDSR, files.pop(OPENDSR)).plain()["regulations"]  # type: ignore[index,call-overload]
    every: dict[str, Regime] = {}
    when_unknown: tuple[str, ...] = ()
    for name, text in sorted(files.items()):
        tree = _tree(name, text)
        members: dict[str, Node] = tree.value  # type: ignore[assignment]  # `_tree` saw to it
        if "when_unknown" in members:
            when_unknown = tuple(members["when_unknown"].plain())  # type: ignore[arg-type]
        for node in members["regimes"].value:  # type: ignore[union-attr]
            assert isinstance(node, Node)
            regime = _regime(_Place(name, node.line, sources), node.plain())
            if regime.id in every:
                raise InvalidError(f"{name}:{node.line}: the regime {regime.id} is there twice; keep one.")
            every[regime.id] = regime
    if not when_unknown or any(each not in every for each in when_unknown):
        raise InvalidError("policies/rights: `when_unknown` must name regimes that exist.")
    if not any(each.default_of == EVERYWHERE for each in every.values()):
        raise InvalidError("policies/rights: one regime must be the default of everywhere.")
    if any(each not in every for each in regulations.values()):
        raise InvalidError(f"rights/{OPENDSR}: a regulation must stand for a regime that exists.")
    return RightsLaw(Regimes(every, when_unknown), refusals, regulations)


def texts(policies_dir: Path | None, suffix: str, folder: str = "") -> Iterator[tuple[str, str]]:
    """The files of a folder of `policies/rights/` by name; the installation's own replace the shipped."""
    found: dict[str, Path] = {}
    for root in (SHIPPED, policies_dir):
        place = None if root is None else root / "rights" / folder
        if place is not None and place.is_dir():
            found.update({path.name: path for path in sorted(place.glob(f"*{suffix}"))})
    for name, path in found.items():
        yield name, path.read_bytes().decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something stands, and the rows that it may cite."""

    file: str
    line: int
    sources: Mapping[str, bool]

    def wrong(self, complaint: str) -> InvalidError:
        return InvalidError(f"rights/{self.file}:{self.line}: {complaint}")


def _tree(name: str, text: str) -> Node:
    tree = compose(f"rights/{name}", text)
    if not isinstance(tree, Node):
        raise InvalidError(str(tree))
    if not isinstance(tree.value, dict):
        raise InvalidError(f"rights/{name}:{tree.line}: this file is a mapping.")
    return tree


def _sources(text: str) -> Mapping[str, bool]:
    """Row → whether it was read whole, in the law's own text, with high confidence."""
    rows: Any = _tree(SOURCES, text).plain()
    return {
        row: said["verification"] in _CHECKED and said["whole"] and said["confidence"] == "high"
        for row, said in rows["sources"].items()
    }


def _refusals(text: str, sources: Mapping[str, bool]) -> Iterator[Refusal]:
    members: Any = _tree(GROUNDS, text).value
    for node in members["grounds"].value:
        at = _Place(GROUNDS, node.line, sources)
        said = node.plain()
        yield Refusal(
            said["id"],
            said["says"],
            _ground(at, said),
            tuple(said.get("regimes", ())),
            _types(at, said),
            said.get("identity", False),
            {regime: tuple(cites) for regime, cites in said.get("cites_of", {}).items()},
        )


def _regime(at: _Place, said: Any) -> Regime:
    unknown = set(said) - _REGIME_KEYS
    if unknown:
        raise at.wrong(f"a regime knows no member {min(unknown)!r}.")
    appeal = said.get("appeal", "none")
    clocks = tuple(_clock(at, each) for each in said["clocks"])
    if not said.get("places") and not said.get("default_of"):
        raise at.wrong(f"the regime {said['id']} names no places.")
    return Regime(
        id=said["id"],
        title=said["title"],
        places=tuple(said.get("places", ())),
        default_of=said.get("default_of"),
        clocks=clocks,
        appeal=None
        if appeal == "none"
        else Appeal(_ground(at, appeal), _period(at, appeal["decide"]), _maybe(at, appeal.get("extend"))),
        rights=said.get("rights", {}),
        complaint=said.get("complaint"),
        holidays=said.get("holidays"),
    )


def _clock(at: _Place, said: Any) -> Clock:
    unknown = set(said) - _CLOCK_KEYS
    if unknown:
        raise at.wrong(f"a clock knows no member {min(unknown)!r}.")
    starts = tuple(said["starts"])
    if "receipt" not in starts or any(each not in STARTS for each in starts):
        raise at.wrong(f"a clock starts at receipt and others of {', '.join(STARTS)}.")
    pauses = said.get("pauses")
    ends = said.get("ends_on_working_day")
    return Clock(
        ground=_ground(at, said),
        starts=starts,
        respond=_period(at, said["respond"]),
        types=_types(at, said),
        since=_day(said.get("from")),
        until=_day(said.get("until")),
        first_day_counts=said.get("first_day_counts", False),
        acknowledge=_maybe(at, said.get("acknowledge")),
        extension=_extension(at, said.get("extend")),
        fee_term=_maybe(at, said.get("fee_term")),
        pauses=None if pauses is None else tuple(pauses.get("types", (ACCESS,))),
        pause_ground=None if pauses is None else _ground(at, pauses),
        on_working_day=None if ends is None else _ground(at, ends),
        statutory=said.get("statutory", True),
        says=said.get("says"),
    )


def _extension(at: _Place, said: Any) -> Extension | None:
    if said is None:
        return None
    by = None if said["by"] == "open" else _period(at, said["by"])
    return Extension(by, _period(at, said["notice_within"]), said.get("times", 1))


def _ground(at: _Place, said: Any) -> Ground:
    """What a rule rests on; verified only if every row behind it is."""
    rows = tuple(said["source"])
    missing = [row for row in rows if row not in at.sources]
    if missing:
        raise at.wrong(f"there is no row {missing[0]} in {SOURCES}.")
    if said["verified"] and not (rows and all(at.sources[row] for row in rows)):
        raise at.wrong("`verified: true` needs rows that were read whole in the law's own text.")
    return Ground(tuple(said["cites"]), rows, said["verified"])


def _types(at: _Place, said: Any) -> tuple[str, ...]:
    types = tuple(said.get("types", ()))
    if any(each not in TYPES for each in types):
        raise at.wrong(f"a type of request is one of {', '.join(TYPES)}.")
    return types


def _period(at: _Place, text: Any) -> Period:
    period = read_period(text) if isinstance(text, str) else None
    if period is None:
        raise at.wrong("a period reads like `1 month`, `45 days`, `10 business days`, `72 hours`.")
    return period


def _maybe(at: _Place, text: Any) -> Period | None:
    return None if text is None else _period(at, text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
