"""What neighbouring rooms ask of this one; the composition root hands it to them as functions."""

from collections.abc import Callable
from datetime import datetime

from governance.decisions.ground import Ground
from governance.decisions.model import Verdict
from governance.decisions.record import merged
from governance.systems.model import System
from governance.transfers.gate import open_gate
from governance.transfers.model import ANSWER, Person, Question
from governance.transfers.situations import worlds
from governance.work import Snapshot

NO_MECHANISM, HALTED, LOCALISED, ALLOWED = "no_mechanism", "suspended", "localised", "allowed"
"""The answers that the message gate is told (`transfer.answer`)."""


def sent_from(
    snap: Snapshot,
    ground: Ground,
    sender_country: str,
    recipient: str | None,
    time: datetime | None = None,
) -> Callable[[str | None], str]:
    """What a message sent from a country means for people, by the country that they live in.

    The sending system gets their contact details. Answers are those of `transfer.answer`.
    """
    gate = open_gate(snap, ground, time)
    question = Question(sender_country, recipient, frozenset({"contact_details"}))
    known: dict[str | None, str] = {}

    def answer(country: str | None) -> str:
        if country not in known:
            found = worlds(gate.register, question, Person.living_in(country), gate.now)
            known[country] = _in_a_word(merged([gate.verdict(world) for world in found]))
        return known[country]

    return answer


def refusal_of_system(snap: Snapshot, system: System, subject_ref: str) -> str | None:
    """Why a correction may not be written to a connected system.

    The recipient is the system's own id. It holds the data already: putting them right answers the person
    (Art. 16, 19 GDPR) and carries what is put right. None if it may; nothing leaves the own country.
    """
    gate = open_gate(snap)
    if system.country == gate.register.tenant_country:
        return None
    classes = frozenset(system.data_classes)
    asked = Question(system.country, system.system_id, classes, errand=ANSWER, replaces=True)
    record = gate.answer(asked, subject_ref)
    if record.allowed:
        return None
    return f"The data may not go to the country of this system ({', '.join(record.codes)})."


def _in_a_word(verdict: Verdict) -> str:
    codes = {reason.code for reason in verdict.reasons}
    if verdict.allowed:
        return ALLOWED
    if "localisation" in codes:
        return LOCALISED
    return HALTED if "transfer-suspended" in codes else NO_MECHANISM
