"""What a caller abroad is answered is a transfer: whose data it is, and whether they may go.

A refusal withholds the whole answer: who would be left out of a list silently would look as if there were no
such person. Many people are decided on by sorts: where they live and what their standing is.

Who sits in another state of the controller's own area (`at_home`) is in no third country: the law of the
controller, what was declared and packs of one's own are asked, as about somebody who lives there. The law of
where people live was met, or not, when their data came to the controller, and a restriction is for the gate
of reading (`data.read`): both are the same for a colleague next door.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from governance.decisions.record import DecisionRecord
from governance.transfers import facts
from governance.transfers.gate import Gate, open_gate
from governance.transfers.model import ORDINARY, Person, Question
from governance.work import Snapshot

PROFILE = ("contact_details", "demographics", "organisation")
PROOF = ("contact_details", "messages", "consent_proofs", "decisions")
PACKAGE = (*PROFILE, "preferences", "interactions", "transactions")
EVERYTHING = (*PACKAGE, "messages", "consent_proofs", "decisions", "rights_requests", "import_errors")
"""Data classes of what goes out together: a record, evidence, the package of an access request, a tenant."""

Sorts = Mapping[Person, int]
"""Sorts of people, with how many there are of each."""


EEA = "EEA"
"""The group of the vocabulary (`policies/facts.yaml`) that names the states of the European Economic Area."""


def at_home(country: str | None, eea: Iterable[str]) -> frozenset[str]:
    """The countries that are no third countries for a controller established in `country`.

    For one in a state of the EEA these are all its states (GDPR Art. 44 with the EEA Agreement); the laws of
    the United Kingdom, of Switzerland and of others look at their own country only. Nothing is near to one
    whose country nobody said.
    """
    states = frozenset(eea)
    if country in states:
        return states
    return frozenset() if country is None else frozenset({country})


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is answered: the country that the answer goes to, and the code by which flows name who is there.

    Without a code it belongs to every flow to that country.
    """

    country: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What goes out: by which door (a route or command, in words), data of which classes, on which errand."""

    door: str
    data_classes: frozenset[str]
    errand: str = ORDINARY


def of_person(snap: Snapshot, subject_ref: str) -> Sorts:
    """One person."""
    return {facts.person(snap.connection, snap.tenant_id, subject_ref): 1}


def of_people(snap: Snapshot, subject_refs: Iterable[str]) -> Sorts:
    """These people, each with their standing."""
    return facts.people(snap.connection, snap.tenant_id, subject_refs)


def of_ids(snap: Snapshot, external_ids: Iterable[str]) -> Sorts:
    """People by the CRM's ids. Of an id that nobody has here nothing is known, so nothing can go out."""
    return facts.people_by_id(snap.connection, snap.tenant_id, external_ids)


def by_residence(sorts: Sorts) -> Sorts:
    """The same people by where they live alone: their own requests are seen to whatever their standing."""
    found: Counter[Person] = Counter()
    for each, number in sorts.items():
        found[Person(True, country=each.country, region=each.region)] += number
    return found


def towards(gate: Gate, recipient: Recipient, sorts: Sorts) -> Sorts:
    """The people as they are asked about: as living with the controller where the recipient is near."""
    home = gate.register.tenant_country
    if recipient.country not in at_home(home, gate.ground.policy.vocabulary.groups.get(EEA, ())):
        return sorts
    found: Counter[Person] = Counter()
    for each, number in sorts.items():
        found[Person(True, each.subject_ref, country=home)] += number
    return found


def of_everybody(snap: Snapshot) -> Sorts:
    """Everybody of the tenant, by where they live, and somebody of whom that is not known."""
    return facts.everybody(snap.connection, snap.tenant_id)


def answers(
    snap: Snapshot, recipients: Collection[Recipient], disclosure: Disclosure, sorts: Sorts
) -> list[DecisionRecord]:
    """Decide for each recipient abroad whether it may be answered; to be logged before anything is.

    [] where nobody sits abroad or nobody's data would go: there is nothing to decide.
    """
    if not recipients or not sorts:
        return []
    gate = open_gate(snap)
    away = [each for each in recipients if each.country != gate.register.tenant_country]
    return [_answer(gate, each, disclosure, sorts) for each in away]


def _answer(gate: Gate, recipient: Recipient, disclosure: Disclosure, sorts: Sorts) -> DecisionRecord:
    asked = Question(recipient.country, recipient.code, disclosure.data_classes, errand=disclosure.errand)
    more = {"disclosure": disclosure.door, "people": sum(sorts.values())}
    named = [each.subject_ref for each in sorts]
    people = towards(gate, recipient, sorts)
    return gate.of_all(asked, people, subject_ref=named[0] if len(named) == 1 else None, more=more)
