"""The values of the policy room: vocabulary, rules, packs, stage models and their cases. Pure.

What a rule says *when* is in `conditions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

from governance.policy.conditions import Condition, Scalar
from governance.policy.durations import Duration
from governance.policy.schedules import NO_SCHEDULES, Schedules


class FactType(StrEnum):
    """The types that a fact may have."""

    ENUM = "enum"
    SET = "set"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    COUNT = "count"
    AGE = "age"
    LOCAL_TIME = "local_time"
    WEEKDAY = "weekday"
    COUNTRY = "country"
    REGION = "region"
    TEXT = "text"


class Effect(StrEnum):
    """What a rule does when it matches."""

    PERMIT = "permit"
    FORBID = "forbid"
    OBLIGE = "oblige"


class Layer(StrEnum):
    """Where a pack stands in the combination; only `base` and `access` packs may permit."""

    BASE = "base"
    EVERYWHERE = "everywhere"
    UNKNOWN = "unknown"
    CHANNEL = "channel"
    DATA_PROTECTION = "data_protection"
    ACCESS = "access"


# The gate that owns each action; "*" stands for every action on a tenant's own resources.
ACTIONS: Mapping[str, str] = {
    "communication.send": "communications",
    "lifecycle.transition": "lifecycle",
    "data.transfer": "transfers",
    "data.read": "access",
    "data.use": "access",
    "*": "access",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One word of the vocabulary; `says` names it in sentences, `is_open` lets records hold other values."""

    name: str
    type: FactType
    means: str
    gates: frozenset[str]
    supplied_by: str
    says: str
    values: tuple[str, ...] = ()
    may_be_absent: bool = False
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All words: facts, groups of values and what sentences call them, obligations, codes (as published)."""

    facts: Mapping[str, Fact]
    groups: Mapping[str, frozenset[str]]
    obligations: Mapping[str, str]
    codes: Mapping[str, str]
    group_words: Mapping[str, str] = field(default_factory=dict)

    def rank(self, code: str) -> int:
        """Give the place of a code in the published order, after all known codes if it is unknown."""
        known = list(self.codes)
        return known.index(code) if code in known else len(known)


@dataclass(frozen=True, slots=True)
class Effective:
    """The dates of a rule: from 00:00 UTC of `since`, until 00:00 UTC of `until` (not included)."""

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule that the loader has accepted; `id` is `<pack>.<rule id>`."""

    pack: str
    id: str
    effect: Effect
    when: Condition
    unless: Condition | None
    because: str
    code: str = ""
    finer_codes: tuple[tuple[str, Mapping[str, str]], ...] = ()
    remedy: str = ""
    cites: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    verified: bool = False
    obligations: tuple[str, ...] = ()
    effective: Effective = Effective()
    line: int = 0
    overridable: bool = False
    review_by: date | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """A declaration that a channel needs no consent in a place, with the clause that says so."""

    channel: str
    basis: str
    clause: str
    source: str


@dataclass(frozen=True, slots=True)
class Entity:
    """A principal or resource whose properties an access pack states."""

    type: str
    id: str
    properties: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class CheckedPack:
    """A pack that the loader has accepted."""

    name: str
    title: str
    file: str
    actions: tuple[str, ...]
    layer: Layer
    applies: Condition | None
    rules: tuple[CheckedRule, ...]
    covers: tuple[str, ...] = ()
    basis: tuple[Basis, ...] = ()
    entities: tuple[Entity, ...] = ()
    because: str = ""
    cites: tuple[str, ...] = ()
    remedy: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A row of facts that rules rest on (`no_rule`: why none does); `solid` ones make rules `verified`."""

    id: str
    citation: str
    jurisdiction: str
    verification: str
    confidence: str
    no_rule: str = ""

    @property
    def solid(self) -> bool:
        """Say whether the law's own text or an official page was read, with high confidence."""
        return self.verification in ("primary", "official") and self.confidence == "high"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a model, with the lawful bases of processing in it (journeys have the relationship's)."""

    id: str
    means: str
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """A move that a stage model permits; `rule` is the id of the permit that says under which conditions."""

    rule: str
    origins: tuple[str, ...]
    to: str
    needs: Condition | None


@dataclass(frozen=True, slots=True)
class Inactivity:
    """Who is moved without asking: idle for `after`, told `warning` before, kept by nobody for `grace`."""

    rule: str
    origin: str
    to: str
    after: Duration
    warning: Duration
    grace: Duration


@dataclass(frozen=True, slots=True)
class Alias:
    """Stages of several models that mean much the same; shown, never decided by."""

    means: str
    stages: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class StageModel:
    """Stages and the moves between them."""

    name: str
    title: str
    stages: tuple[Stage, ...]
    transitions: tuple[Transition, ...]
    inactivity: tuple[Inactivity, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """The stage x message-class table; a class maps to its stages, or to None where everyone is meant."""

    model: str
    stages: tuple[str, ...]
    permit: Mapping[str, tuple[str, ...] | None]


FactValue: TypeAlias = (
    str | int | bool | datetime | Duration | frozenset[str] | tuple[int, ...] | tuple[str, ...] | None
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its expected answer (None: not compared); ages are Durations or instants."""

    pack: str
    name: str
    action: str
    now: datetime
    facts: Mapping[str, FactValue]
    allowed: bool | None = None
    forbids: tuple[str, ...] | None = None
    codes: tuple[str, ...] | None = None
    obligations: tuple[str, ...] | None = None
    permits: tuple[str, ...] | None = None
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What the loader objects to, and where (1-based line, 0 if it concerns a whole file)."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class CheckedPolicies:
    """Everything that a directory of policies says, checked; the digest is the hash of `canonical`."""

    vocabulary: Vocabulary
    sources: Mapping[str, Source]
    packs: tuple[CheckedPack, ...]
    models: tuple[StageModel, ...]
    matrices: tuple[Matrix, ...]
    cases: tuple[Case, ...]
    declared: Mapping[str, Fact]
    aliases: tuple[Alias, ...] = ()
    retention: Schedules = NO_SCHEDULES
    canonical: bytes = field(repr=False, default=b"")
