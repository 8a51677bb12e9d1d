"""A screening: one question asked about many people in one snapshot, and the counts that come of it. Pure.

Each person is answered with an *outcome*: whether a message is permitted, and for which reasons. There are
few outcomes (hundreds) and many people, so people are kept as numbers of outcomes, in chunks of 10,000.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import rfc8785

from governance.errors import InvalidError
from governance.subjects.model import RELATIONSHIP_STAGES
from governance.subjects.places import check_country

CHUNK_PEOPLE = 10_000
MAX_IDS = 1_000_000
UNKNOWN_SUBJECT = "unknown-subject"


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a screening asks about: everyone, those that a filter names, or a list of external ids.

    `kind` is `all`, `filter` or `ids`. An empty `relationship` or `country` filters nothing out. `duplicates`
    counts ids that were there already.
    """

    kind: str
    relationship: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    duplicates: int = 0

    def document(self) -> dict[str, Any]:
        """What is stored and signed; ids stand in chunks of their own, here is only their number."""
        if self.kind == "all":
            return {"all": True}
        if self.kind == "ids":
            return {"ids": len(self.ids)}
        named = {"relationship": list(self.relationship), "country": list(self.country)}
        return {"filter": {name: values for name, values in named.items() if values}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer that people share.

    `reasons` are complete (text, clause, remedy); `codes` are in published order. `first` is the code under
    which the waterfall counts the person, None where the message is permitted.
    """

    number: int
    allowed: bool
    codes: tuple[str, ...]
    first: str | None
    reasons: tuple[Mapping[str, Any], ...]
    obligations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How a screening came out. `waterfall` and `reasons` are (code, people); allowed + denied = total.

    `overlap` has each combination of reasons that somebody was denied for, with how many people have exactly
    that one; most people first. None for screenings of before it was counted.
    """

    total: int = 0
    allowed: int = 0
    denied: int = 0
    waterfall: tuple[tuple[str, int], ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    overlap: tuple[tuple[tuple[str, ...], int], ...] | None = None

    def claims(self) -> dict[str, Any]:
        """The counts as they are signed; the overlap follows from the results, whose root is signed too."""
        return {
            "total": self.total,
            "allowed": self.allowed,
            "denied": self.denied,
            "waterfall": [{"code": code, "count": count} for code, count in self.waterfall],
            "reasons": [{"code": code, "count": count} for code, count in self.reasons],
        }

    def document(self) -> dict[str, Any]:
        """The counts as they are answered.

        `alone` says of each reason how many people nothing else stands in the way of, `overlap` how many have
        exactly the named combination.
        """
        if self.overlap is None:
            return {**self.claims(), "alone": None, "overlap": None}
        alone = {codes[0]: count for codes, count in self.overlap if len(codes) == 1}
        return {
            **self.claims(),
            "alone": [{"code": code, "count": alone.get(code, 0)} for code, _ in self.reasons],
            "overlap": [{"codes": list(codes), "count": count} for codes, count in self.overlap],
        }


@dataclass(frozen=True, slots=True)
class Screening:
    """One screening as it is kept. `status` is `queued`, `running`, `completed` or `failed`.

    `epoch` is the number of ledger entries that the snapshot saw; `question_digest` names question and
    audience, so that two screenings can be told to have asked the same. `results_root` (hex) is the RFC 9162
    root over the outcomes and the chunks. `progress` counts people answered so far.
    """

    screening_id: str
    question: Mapping[str, Any]
    audience: Mapping[str, Any]
    question_digest: str
    status: str
    created_at: datetime
    progress: int = 0
    finished_at: datetime | None = None
    evaluated_at: datetime | None = None
    epoch: int | None = None
    policy: str | None = None
    counts: Counts = field(default_factory=Counts)
    results_root: str | None = None
    receipt: str | None = None
    failure: str | None = None

    def document(self) -> dict[str, Any]:
        """The answer of `GET /v1/screenings/{id}` (api.md §6)."""
        return {
            "id": self.screening_id,
            "status": self.status,
            "progress": self.progress,
            "question": dict(self.question),
            "audience": dict(self.audience),
            "epoch": self.epoch,
            "policy": self.policy,
            **self.counts.document(),
            "receipt": self.receipt,
            "failure": self.failure,
        }


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to 10,000 people in the order of their references.

    `known` is False where `members` are external ids that lead to nobody. `outcomes` has the number of each
    member's outcome; `points` the permitted contact points of each member.
    """

    number: int
    known: bool
    members: Sequence[str]
    outcomes: Sequence[int]
    points: Sequence[tuple[str, ...]]


def read_audience(body: Mapping[str, Any]) -> Audience:
    """Read `{"all": true}`, `{"filter": {…}}` or `{"ids": […]}`; raises InvalidError naming the field."""
    if not isinstance(body, Mapping) or len(body) != 1:
        raise InvalidError(
            "An audience is one of all, filter, ids.",
            fields={"audience": ["Give exactly one of all, filter, ids."]},
        )
    kind, value = next(iter(body.items()))
    if kind == "all" and value is True:
        return Audience("all")
    if kind == "ids" and isinstance(value, list | tuple):
        ids = _ids(value)
        return Audience("ids", ids=ids, duplicates=len(value) - len(ids))
    if kind == "filter" and isinstance(value, Mapping):
        return _filter(value)
    raise InvalidError(
        "An audience is one of all, filter, ids.",
        fields={"audience": ['Give {"all": true}, {"filter": {…}} or {"ids": […]}.']},
    )


def _ids(values: Sequence[Any]) -> tuple[str, ...]:
    if not values or len(values) > MAX_IDS:
        raise InvalidError(
            "The list of ids has no usable length.", fields={"audience.ids": [f"Give 1 to {MAX_IDS} ids."]}
        )
    wrong = {
        place: "Give the id as text." for place, value in enumerate(values) if not isinstance(value, str)
    }
    if wrong:
        raise InvalidError(
            "An id is text.", fields={f"audience.ids.{at}": [said] for at, said in wrong.items()}
        )
    # Asked twice is answered once: the first mention keeps its place.
    return tuple(dict.fromkeys(values))


def _filter(value: Mapping[str, Any]) -> Audience:
    fields: dict[str, list[str]] = {}
    for name in value:
        if name not in ("relationship", "country"):
            fields[f"audience.filter.{name}"] = ["Filter by relationship or country."]
    parts: dict[str, tuple[str, ...]] = {}
    for name in ("relationship", "country"):
        chosen = value.get(name, [])
        if not isinstance(chosen, list | tuple) or not all(isinstance(each, str) and each for each in chosen):
            fields[f"audience.filter.{name}"] = ["Give a list of codes."]
            continue
        parts[name] = tuple(sorted({_code(name, each, fields) for each in chosen}))
    if fields:
        raise InvalidError("The audience's filter cannot be read; see the fields.", fields=fields)
    if not any(parts.values()):
        raise InvalidError(
            "The audience's filter names nothing.",
            fields={"audience.filter": ['Name a relationship or a country, or ask for {"all": true}.']},
        )
    return Audience("filter", parts["relationship"], parts["country"])


def _code(name: str, code: str, fields: dict[str, list[str]]) -> str:
    """A stage or country in its one form; what is neither is never kept, whatever it is."""
    place = f"audience.filter.{name}"
    if name == "country":
        try:
            return check_country(code, place)
        except InvalidError as problem:
            fields |= problem.fields
    elif code not in RELATIONSHIP_STAGES:
        fields[place] = [f"The stages are {', '.join(RELATIONSHIP_STAGES)}."]
    return code


def question_digest(question: Mapping[str, Any], audience: Audience) -> str:
    """Name a question and its audience: SHA-256 (hex) over canonical JSON, ids as a hash of their set."""
    asked: dict[str, Any] = {"question": dict(question), "audience": audience.document()}
    if audience.kind == "ids":
        listed = "\n".join(sorted(set(audience.ids))).encode()
        asked["ids"] = hashlib.sha256(listed).hexdigest()
    return hashlib.sha256(rfc8785.dumps(asked)).hexdigest()


def count(outcomes: Iterable[Outcome], people: Mapping[int, int], order: Sequence[str]) -> Counts:
    """Count people by answer: `people` maps an outcome's number to how many have it, `order` is the published
    order of the codes.

    The waterfall has each denied person once, at the first code; `reasons` counts every code of a denied
    person.
    """
    allowed = denied = 0
    waterfall: dict[str, int] = {}
    reasons: dict[str, int] = {}
    overlap: dict[tuple[str, ...], int] = {}
    for outcome in outcomes:
        number = people.get(outcome.number, 0)
        if outcome.allowed:
            allowed += number
            continue
        denied += number
        if number and outcome.first is not None:
            waterfall[outcome.first] = waterfall.get(outcome.first, 0) + number
            overlap[outcome.codes] = overlap.get(outcome.codes, 0) + number
            for code in outcome.codes:
                reasons[code] = reasons.get(code, 0) + number
    place = {code: index for index, code in enumerate(order)}

    def ordered(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
        return tuple(sorted(counts.items(), key=lambda item: (place.get(item[0], len(place)), item[0])))

    together = sorted(overlap.items(), key=lambda item: (-item[1], item[0]))
    return Counts(allowed + denied, allowed, denied, ordered(waterfall), ordered(reasons), tuple(together))
