"""The files of `policies/rights/`: regimes with their clocks, grounds for refusals, and what they rest on.

A file of the same name in the installation's own policies folder replaces the shipped one. They are read as
policies are (plain YAML, no tags, no duplicate keys); InvalidError names file and line of what is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from governance.errors import InvalidError
from governance.policy.documents import Node
from governance.rights.clocks import STARTS, Clock, Extension
from governance.rights.law_files import SOURCES, Place, ground_of, sources_of, texts, tree_of, types_of
from governance.rights.model import ACCESS
from governance.rights.periods import Period, read_period
from governance.rights.refusals import GROUNDS, Clause, Refusal, read_refusals
from governance.rights.regimes import EVERYWHERE, Appeal, Regime, Regimes

OPENDSR = "opendsr.yaml"
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
class RightsLaw:
    """Everything that the files say. `regulations`: names of OpenDSR → the regime that each stands for."""

    regimes: Regimes
    refusals: Mapping[str, Refusal]
    regulations: Mapping[str, str]

    def grounds(self, regime: Regime, type_: str) -> Mapping[str, Clause]:
        """The grounds on which a request of this type may be refused under this law, with their clauses."""
        found = {each.id: each.clause(regime, type_) for each in self.refusals.values()}
        return {ground: clause for ground, clause in found.items() if clause is not None}


@cache
def law(policies_dir: Path | None) -> RightsLaw:
    """Read the files once a process."""
    files = dict(texts(policies_dir, ".yaml"))
    sources, grounds = sources_of(files.pop(SOURCES)), files.pop(GROUNDS)
    regulations: Any = tree_of(OPENDSR, files.pop(OPENDSR)).plain()["regulations"]  # type: ignore[index,call-overload]
    every: dict[str, Regime] = {}
    when_unknown: tuple[str, ...] = ()
    for name, text in sorted(files.items()):
        tree = tree_of(name, text)
        members: dict[str, Node] = tree.value  # type: ignore[assignment]  # `tree_of` saw to it
        if "when_unknown" in members:
            when_unknown = tuple(members["when_unknown"].plain())  # type: ignore[arg-type]
        for node in members["regimes"].value:  # type: ignore[union-attr]
            assert isinstance(node, Node)
            regime = _regime(Place(name, node.line, sources), node.plain())
            if regime.id in every:
                raise InvalidError(f"{name}:{node.line}: the regime {regime.id} is there twice; keep one.")
            every[regime.id] = regime
    if not when_unknown or any(each not in every for each in when_unknown):
        raise InvalidError("policies/rights: `when_unknown` must name regimes that exist.")
    if not any(each.default_of == EVERYWHERE for each in every.values()):
        raise InvalidError("policies/rights: one regime must be the default of everywhere.")
    if any(each not in every for each in regulations.values()):
        raise InvalidError(f"rights/{OPENDSR}: a regulation must stand for a regime that exists.")
    clauses = dict(texts(policies_dir, ".yaml", "refusals"))
    refusals = read_refusals(grounds, clauses, sources, every)
    return RightsLaw(Regimes(every, when_unknown), refusals, regulations)


def _regime(at: Place, said: Any) -> Regime:
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
        else Appeal(ground_of(at, appeal), _period(at, appeal["decide"]), _maybe(at, appeal.get("extend"))),
        rights=said.get("rights", {}),
        complaint=said.get("complaint"),
        holidays=said.get("holidays"),
    )


def _clock(at: Place, said: Any) -> Clock:
    unknown = set(said) - _CLOCK_KEYS
    if unknown:
        raise at.wrong(f"a clock knows no member {min(unknown)!r}.")
    starts = tuple(said["starts"])
    if "receipt" not in starts or any(each not in STARTS for each in starts):
        raise at.wrong(f"a clock starts at receipt and others of {', '.join(STARTS)}.")
    pauses = said.get("pauses")
    ends = said.get("ends_on_working_day")
    return Clock(
        ground=ground_of(at, said),
        starts=starts,
        respond=_period(at, said["respond"]),
        types=types_of(at, said),
        since=_day(said.get("from")),
        until=_day(said.get("until")),
        first_day_counts=said.get("first_day_counts", False),
        acknowledge=_maybe(at, said.get("acknowledge")),
        extension=_extension(at, said.get("extend")),
        fee_term=_maybe(at, said.get("fee_term")),
        pauses=None if pauses is None else tuple(pauses.get("types", (ACCESS,))),
        pause_ground=None if pauses is None else ground_of(at, pauses),
        on_working_day=None if ends is None else ground_of(at, ends),
        statutory=said.get("statutory", True),
        says=said.get("says"),
    )


def _extension(at: Place, said: Any) -> Extension | None:
    if said is None:
        return None
    by = None if said["by"] == "open" else _period(at, said["by"])
    return Extension(by, _period(at, said["notice_within"]), said.get("times", 1))


def _period(at: Place, text: Any) -> Period:
    period = read_period(text) if isinstance(text, str) else None
    if period is None:
        raise at.wrong("a period reads like `1 month`, `45 days`, `10 business days`, `72 hours`.")
    return period


def _maybe(at: Place, text: Any) -> Period | None:
    return None if text is None else _period(at, text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
