"""Connected systems and what is asked of them: values that every connector understands. Pure.

A connector is asked with `SubjectKeys` and answers with an `Outcome`. Nothing in an outcome says who somebody
is, except the values in `Outcome.items`, which only `collect` gives.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from governance.errors import InvalidError
from governance.systems.own_dates import OwnDates
from governance.systems.texts import keepable, keepable_json

COLLECT = "collect"
COUNT = "count"
ERASE = "erase"
CORRECT = "correct"
RESTRICT = "restrict"
RELEASE = "release"
DISPOSE = "dispose"
LOOK = "look"
VERBS = (COLLECT, COUNT, ERASE, CORRECT, RESTRICT, RELEASE, DISPOSE, LOOK)
"""What can be asked of a system. `restrict` and `release` set and lift the mark of GDPR Art. 18; `dispose` is
the end of governed records, by their own ids; `look` a second look after an erasure where nobody counts."""

DONE = "done"
WAITING = "waiting"
FAILED = "failed"
UNSUPPORTED = "unsupported"
"""This kind of system cannot be asked that at all; somebody must do it another way."""

ERASED = "erased"
ANONYMISED = "anonymised"
KEPT_UNTIL = "kept_until"
NOT_FOUND = "not_found"
CORRECTED = "corrected"
RESTRICTED = "restricted"
RELEASED = "released"

DELETE = "delete"
NULL = "null"
PSEUDONYMISE = "pseudonymise"
KEEP_UNTIL = "keep_until"
DISPOSITIONS = (DELETE, NULL, PSEUDONYMISE, KEEP_UNTIL)

MOST_RECORDS = 1000

KEY_KINDS = ("external_id", "email", "phone", "postal", "device", "social")
"""What a person's rows can be found by."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def may_name(system_id: str) -> bool:
    """Whether a text may name a system: 1 to 63 of a-z, 0-9, hyphen and underscore."""
    return _ID.fullmatch(system_id) is not None


@dataclass(frozen=True, slots=True)
class System:
    """A connected system as registered. `secrets` names the sealed members of its config, never their values.

    `data_classes` are codes of the catalogue. A system that `depends_on` another holds data derived from it
    and is erased before it (children before parents). `country` (ISO 3166-1) and `processor` say where it is
    and who runs it (GDPR Art. 30(1)(d), (e)). `retired_at`: since then it gets no new orders, and what it was
    asked before is somebody's to do by hand.
    """

    system_id: str
    kind: str
    country: str | None
    processor: str | None
    config: Mapping[str, Any]
    data_classes: tuple[str, ...]
    depends_on: tuple[str, ...]
    secrets: tuple[str, ...]
    version: int
    retired_at: datetime | None = None
    retired_by: str | None = None
    retired_because: str | None = None


@dataclass(frozen=True, slots=True)
class SubjectKeys:
    """What a person's rows are found by in other systems, each value in its one form (E.164, small letters).

    Never shown by `repr`: it names the person.
    """

    subject_ref: str
    external_ids: tuple[str, ...] = field(default=(), repr=False)
    emails: tuple[str, ...] = field(default=(), repr=False)
    phones: tuple[str, ...] = field(default=(), repr=False)
    postal: tuple[str, ...] = field(default=(), repr=False)
    devices: tuple[str, ...] = field(default=(), repr=False)
    socials: tuple[str, ...] = field(default=(), repr=False)

    def of(self, kind: str) -> tuple[str, ...]:
        """The values of one of KEY_KINDS."""
        values = (self.external_ids, self.emails, self.phones, self.postal, self.devices, self.socials)
        return dict(zip(KEY_KINDS, values, strict=True))[kind]

    def named(self) -> dict[str, list[str]]:
        """The values by kind, without the empty kinds: what goes over the wire."""
        return {kind: list(self.of(kind)) for kind in KEY_KINDS if self.of(kind)}


@dataclass(frozen=True, slots=True)
class Disposition:
    """What becomes of the data of one class. `until` and `because` belong to `keep_until`.

    `until` is the first day on which nothing keeps the data any more; `because` is a sentence for the letter.
    `own`: what counts instead for data that tell their own date; connectors that cannot tell go by `until`.
    """

    kind: str
    until: date | None = None
    because: str = ""
    own: OwnDates | None = None

    def __post_init__(self) -> None:
        """Refuse what no connector could carry out."""
        if self.kind not in DISPOSITIONS:
            raise InvalidError(f"A disposition is one of {', '.join(DISPOSITIONS)}.")
        if (self.kind == KEEP_UNTIL) != (self.until is not None):
            raise InvalidError("What is kept has a last day, and nothing else has one.")
        if self.kind == KEEP_UNTIL and not self.because:
            raise InvalidError("What is kept has a reason that can be told to the person.")


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What becomes of each data class. Classes that are not named are left as they are.

    `ended`: classes that earlier passes of the same erasure ended; rows without anything else may go whole.
    """

    dispositions: Mapping[str, Disposition]
    ended: frozenset[str] = frozenset()

    def of(self, data_class: str) -> Disposition | None:
        """The disposition of a class; None if the plan does not speak of it."""
        return self.dispositions.get(data_class)

    @classmethod
    def delete(cls, data_classes: Iterable[str]) -> "ErasurePlan":
        """The plan that deletes everything of these classes."""
        return cls({each: Disposition(DELETE) for each in data_classes})

    def document(self) -> dict[str, dict[str, str]]:
        """The plan as JSON, for the wire and for telling plans apart."""
        return {
            name: {"disposition": each.kind}
            | ({"until": each.until.isoformat(), "because": each.because} if each.until else {})
            for name, each in self.dispositions.items()
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A correction (GDPR Art. 16). `name` is an attribute (`email`, `family_name`) or `table.column`.

    With `was`, only values that are still so are changed. Values are text, numbers, flags or None.
    """

    name: str
    value: str | int | float | bool | None = field(repr=False)
    was: str | int | float | bool | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Disposal:
    """Governed records of one data class, by the ids that the system gave them, and what becomes of them.

    At most 1,000 at once: they go in one transaction, all of them or none.
    """

    data_class: str
    record_ids: tuple[str, ...]
    disposition: Disposition

    def __post_init__(self) -> None:
        """Refuse what no connector could carry out."""
        if not 1 <= len(self.record_ids) <= MOST_RECORDS or self.disposition.kind == KEEP_UNTIL:
            raise InvalidError(
                f"Dispose of 1 to {MOST_RECORDS} records at once; what is kept is not disposed of."
            )

    def document(self) -> dict[str, Any]:
        """The disposal as JSON."""
        plan = ErasurePlan({self.data_class: self.disposition}).document()
        return {"records": list(self.record_ids), "data_class": self.data_class, "plan": plan}


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one data class: `rows` counts by table. A class can have several.

    `outcome`: erased (rows are gone), anonymised (rows stay and name nobody), kept_until (`until`, `because`
    say so), not_found, failed; corrected, restricted or released for the other verbs.
    """

    data_class: str
    outcome: str
    rows: Mapping[str, int] = field(default_factory=dict)
    because: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One row's values of one data class, as collected. `free_text` names fields a person should read first.

    `shared`: the row is about other people too. Values are JSON; binary ones are base64. `media`: the item is
    a file of this media type, its values are `name` and `base64`.
    """

    data_class: str
    table: str
    row: str
    values: Mapping[str, Any] = field(repr=False)
    free_text: tuple[str, ...] = ()
    shared: bool = False
    media: str = ""

    def __post_init__(self) -> None:
        """Put U+FFFD for what no text can hold, whoever gave it; ValueError if it is nested too deeply."""
        for name in ("data_class", "table", "row"):
            object.__setattr__(self, name, keepable(getattr(self, name)))
        object.__setattr__(self, "values", keepable_json(self.values))
        object.__setattr__(self, "free_text", tuple(keepable(each) for each in self.free_text))


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """What somebody must do by hand. `owner` is an opaque id; `days` until it is due."""

    owner: str
    instructions: str = field(repr=False)
    days: int = 14


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a system answered: done, waiting (asked, not finished), failed, unsupported (`because` says why).

    `transient`: worth trying again as it is. `reference`: how a waiting request is followed up. `steps` per
    data class; `counts` per table; `records`: outcome by record id; `warnings` are sentences for whoever set
    the system up. `changed` False: everything was so already.
    """

    status: str
    because: str = ""
    steps: tuple[StepOutcome, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, str] = field(default_factory=dict)
    items: tuple[Item, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    reference: str | None = None
    check_after: datetime | None = None
    transient: bool = False
    changed: bool = True
    task: TaskDraft | None = None

    @property
    def rows(self) -> int:
        """How many rows were found or changed."""
        return sum(sum(each.rows.values()) for each in self.steps) or sum(self.counts.values())


def failed(because: str, *, transient: bool = False, warnings: Sequence[str] = ()) -> Outcome:
    """The outcome of what could not be done; the sentence holds neither secrets nor personal data."""
    return Outcome(FAILED, because, transient=transient, warnings=tuple(warnings))


def unsupported(because: str) -> Outcome:
    """The outcome of what this kind of system cannot be asked."""
    return Outcome(UNSUPPORTED, because)


@dataclass(frozen=True, slots=True)
class Received:
    """What a far side reported: which request it means, and how that stands; or why it was not believed.

    `refused` is a code (`bad-signature`, `unknown-sender`, `malformed`, `not-taken`, `unknown-request`), None
    if it was believed. `results_elsewhere`: what was collected is not in the report, it is to be fetched.
    """

    reference: str = ""
    outcome: Outcome | None = None
    refused: str | None = None
    results_elsewhere: bool = False
