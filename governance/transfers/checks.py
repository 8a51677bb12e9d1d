"""Reading what callers say about transfers; what cannot be used is named with what may stand there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import pycountry

from governance.decisions.ground import Ground
from governance.errors import InvalidError
from governance.policy.compiled import CompiledPolicy
from governance.purposes import catalogue
from governance.purposes import service as purposes
from governance.settings import Settings
from governance.subjects.identifiers import check_code
from governance.transfers.model import (
    CONSENT_PURPOSE,
    ERRANDS,
    KINDS,
    ORDINARY,
    RECIPIENT_KINDS,
    Flow,
    Mechanism,
    Question,
)
from governance.work import Snapshot

MOST_NAMES = 500
MOST_MECHANISMS = 20
MOST_PEOPLE = 10_000_000_000


@dataclass(slots=True)
class Reader:
    """Collects complaints while members are read, so that a caller hears of all of them at once."""

    complaints: dict[str, list[str]] = field(default_factory=dict)

    def complain(self, path: str, sentence: str) -> None:
        """Note what is wrong with a member."""
        self.complaints.setdefault(path, []).append(sentence)

    def finish(self, what: str) -> None:
        """Raise InvalidError if anything was wrong."""
        if self.complaints:
            raise InvalidError(f"{what} cannot be read; see the fields.", fields=self.complaints)

    def code(self, value: object, path: str) -> str | None:
        """An opaque code."""
        if value is None:
            return None
        try:
            return check_code(value, path) if isinstance(value, str) else check_code("", path)
        except InvalidError as error:
            self.complain(path, error.message)
            return None

    def choice(self, value: object, path: str, known: Collection[str]) -> str | None:
        """One of a few words."""
        if value is None or (isinstance(value, str) and value in known):
            return value if isinstance(value, str) else None
        self.complain(path, f"Give one of {', '.join(known)}.")
        return None

    def country(self, value: object, path: str) -> str | None:
        """A country that there is."""
        if value is None:
            return None
        if isinstance(value, str) and value in _countries():
            return value
        self.complain(path, "There is no such country; give an ISO 3166-1 alpha-2 code such as DE.")
        return None

    def names(self, value: object, path: str, read: Any, most: int = MOST_NAMES) -> tuple[str, ...]:
        """A list, each entry read by `read(entry, path)`; every name counts once, order stays."""
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or len(value) > most:
            self.complain(path, f"Give a list of at most {most}.")
            return ()
        found = [read(each, f"{path}.{place}") for place, each in enumerate(value)]
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def required(self, value: object, path: str) -> None:
        """A member that must be there."""
        if value is None or value == () or value == []:
            self.complain(path, "This member is required.")


def check_country(country: str | None, path: str = "country") -> str | None:
    """Return a country if there is such a one (ISO 3166-1); InvalidError names `path`."""
    reader = Reader()
    found = reader.country(country, path)
    reader.finish("The country")
    return found


def data_classes(snap: Snapshot, policy: CompiledPolicy) -> frozenset[str]:
    """The classes that may be named: those of the catalogue, and the finer ones that rules count by."""
    known = catalogue.vocabulary(snap.resource(Settings).policies_dir).data_classes
    fact = policy.vocabulary.facts.get("transfer.data_classes")
    return known | frozenset(fact.values if fact is not None else ())


def read_question(snap: Snapshot, policy: CompiledPolicy, properties: Mapping[str, Any]) -> Question:
    """Read the properties of a `data.transfer` check; unknown members are ignored. Raises InvalidError."""
    reader = Reader()
    known = data_classes(snap, policy)
    reader.required(properties.get("destination"), "destination")
    classes = properties.get("data_classes")
    question = Question(
        destination=reader.country(properties.get("destination"), "destination"),
        recipient=reader.code(properties.get("recipient"), "recipient"),
        data_classes=None if classes is None else frozenset(_classes(reader, classes, known)),
        origin=reader.country(properties.get("origin"), "origin"),
        recipient_kind=reader.choice(properties.get("recipient_kind"), "recipient_kind", RECIPIENT_KINDS),
        errand=reader.choice(properties.get("errand"), "errand", ERRANDS) or ORDINARY,
    )
    reader.finish("The question")
    return question


def read_mechanism(
    snap: Snapshot, ground: Ground, mechanism_id: str, version: int, body: Mapping[str, Any]
) -> Mechanism:
    """Read a mechanism as the contract writes it; instants are read already. Raises InvalidError."""
    reader = Reader()
    reader.code(mechanism_id, "id")
    instruments = catalogue.transfer_instruments(snap.resource(Settings).policies_dir)
    scope = body.get("scope") or {}
    kind = reader.choice(body.get("kind"), "kind", KINDS)
    reader.required(body.get("kind"), "kind")
    reference = reader.code(body.get("assessment_reference"), "assessment_reference")
    chosen = reader.names(
        body.get("instruments"),
        "instruments",
        lambda each, path: reader.choice(
            each, path, sorted(name for name, of in instruments.items() if kind in (None, of.get("kind")))
        ),
    )
    if not chosen and kind is not None:
        chosen = usual(instruments, kind, ground.tenant_country)
    consent = any(instruments.get(each, {}).get("consent") is True for each in chosen)
    valid_from: datetime = body.get("valid_from") or snap.now
    expires_at: datetime | None = body.get("expires_at")
    if expires_at is not None and expires_at <= snap.now:
        reader.complain("expires_at", "This mechanism has expired already; give an end that is to come.")
    elif expires_at is not None and expires_at <= valid_from:
        reader.complain("expires_at", "Give an end after valid_from.")
    found = Mechanism(
        mechanism_id=mechanism_id,
        version=version,
        kind=kind or "",
        instruments=chosen,
        recipients=reader.names(scope.get("recipients"), "scope.recipients", reader.code),
        destinations=reader.names(scope.get("destinations"), "scope.destinations", reader.country),
        data_classes=_classes(
            reader, scope.get("data_classes"), data_classes(snap, ground.policy), "scope.data_classes"
        ),
        valid_from=valid_from,
        expires_at=expires_at,
        owner=reader.code(body.get("owner"), "owner"),
        assessment_reference=reference,
        suspended_at=None,
        unassessed=()
        if reference is not None
        else tuple(each for each in chosen if instruments.get(each, {}).get("assessment") is True),
        consent_purpose=_consent_purpose(snap, reader, body.get("consent_purpose"), consent),
    )
    reader.finish("The mechanism")
    return found


def _consent_purpose(snap: Snapshot, reader: Reader, value: object, consent: bool) -> str | None:
    """What people consent to where a mechanism is their consent: a purpose of this tenant."""
    if not consent:
        if value is not None:
            reader.complain("consent_purpose", "Only a mechanism that is consent names what is consented to.")
        return None
    named = value if isinstance(value, str) else CONSENT_PURPOSE
    if purposes.find(snap, named) is None:
        reader.complain(
            "consent_purpose", "Name a purpose of yours that people consent to for this transfer."
        )
    return named


def usual(
    instruments: Mapping[str, Mapping[str, Any]], kind: str, tenant_country: str | None
) -> tuple[str, ...]:
    """What a mechanism of a kind is where nobody says: the controller's country's, else the general one."""
    own = tuple(
        name
        for name, of in instruments.items()
        if of.get("kind") == kind and tenant_country is not None and tenant_country in (of.get("home") or ())
    )
    return own or tuple(
        name for name, of in instruments.items() if of.get("kind") == kind and of.get("general") is True
    )


def read_flow(
    snap: Snapshot,
    flow_id: str,
    version: int,
    body: Mapping[str, Any],
    mechanisms: Mapping[str, Mechanism],
    policy: CompiledPolicy,
) -> Flow:
    """Read a flow as the contract writes it: `mechanisms`, or `mechanism` with one. Raises InvalidError.

    What it rests on must be registered and not have expired: an expired mechanism is named by nobody anew.
    """
    reader = Reader()
    reader.code(flow_id, "id")
    for member in ("origin", "destination", "recipient", "data_classes"):
        reader.required(body.get(member), member)
    if "mechanism" in body and "mechanisms" in body:
        reader.complain("mechanism", "Give mechanism or mechanisms, not both.")
    named = body.get("mechanisms")
    if named is None and body.get("mechanism") is not None:
        named = [body["mechanism"]]

    def mechanism(value: object, path: str) -> str | None:
        found = mechanisms.get(value) if isinstance(value, str) else None
        if found is None:
            known = ", ".join(sorted(mechanisms)[:20]) or "none is registered yet"
            reader.complain(path, f"There is no such mechanism; give one of: {known}.")
        elif found.expires_at is not None and found.expires_at <= snap.now:
            reader.complain(path, "This mechanism has expired; name one that is in force.")
        return None if found is None else found.mechanism_id

    flow = Flow(
        flow_id=flow_id,
        version=version,
        origin=reader.country(body.get("origin"), "origin") or "",
        destination=reader.country(body.get("destination"), "destination") or "",
        recipient=reader.code(body.get("recipient"), "recipient") or "",
        recipient_kind=reader.choice(body.get("recipient_kind"), "recipient_kind", RECIPIENT_KINDS),
        data_classes=_classes(reader, body.get("data_classes"), data_classes(snap, policy)),
        mechanisms=reader.names(named, "mechanisms", mechanism, MOST_MECHANISMS),
        people_per_year=_people(reader, body.get("people_per_year")),
    )
    reader.finish("The flow")
    return flow


def _people(reader: Reader, value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_PEOPLE:
        return value
    reader.complain("people_per_year", f"Give a whole number from 0 to {MOST_PEOPLE}.")
    return 0


def _classes(
    reader: Reader, value: object, known: Collection[str], path: str = "data_classes"
) -> tuple[str, ...]:
    return reader.names(value, path, lambda each, place: reader.choice(each, place, sorted(known)))


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)
