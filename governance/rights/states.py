"""The state machine of a request: which event leads where, and who may be answered. Pure.

`TRANSITIONS` is the whole table. A request carries its own proof: nothing that happens to another request,
not even to one that it repeats, proves anything here (`join`). A record that was merged into another is
proved anew (`unsettle`). `entitled` is the one door to everything that discloses, corrects or deletes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from governance.errors import ConflictError
from governance.rights.model import (
    ABOUT_AN_ANSWER,
    ACT_ON_RECEIPT,
    CLOSED_STATES,
    EXPIRED,
    FULFILLED,
    IN_PROGRESS,
    NEED_PROOF,
    OPEN_STATES,
    PARTLY_FULFILLED,
    RECEIVED,
    REFUSED,
    REOPENABLE,
    VERIFIED,
    VERIFYING,
    WAITING,
    WITHDRAWN,
)

OPEN, CHALLENGED, PROVED, DROPPED = "open", "challenged", "verified", "dropped"
ASKED, ACCEPTED, REJECTED = "asked", "accepted", "rejected"

CHALLENGE, PROVE, SETTLE, UNSETTLE = "challenge", "prove", "settle", "unsettle"
BEGIN, WAIT, GO_ON = "begin", "wait", "go_on"
FULFIL, FULFIL_PARTLY, REFUSE, WITHDRAW, EXPIRE = "fulfil", "fulfil_partly", "refuse", "withdraw", "expire"
REOPEN = "reopen"

TRANSITIONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (RECEIVED, CHALLENGE): VERIFYING,
        (VERIFYING, CHALLENGE): VERIFYING,
        (RECEIVED, PROVE): VERIFYING,
        (VERIFYING, PROVE): VERIFYING,
        (VERIFYING, SETTLE): VERIFIED,
        (VERIFIED, UNSETTLE): VERIFYING,
        (IN_PROGRESS, UNSETTLE): VERIFYING,
        (WAITING, UNSETTLE): VERIFYING,
        (RECEIVED, BEGIN): IN_PROGRESS,  # only what needs no proof, see `begin`
        (VERIFIED, BEGIN): IN_PROGRESS,
        (IN_PROGRESS, WAIT): WAITING,
        (WAITING, GO_ON): IN_PROGRESS,
        (IN_PROGRESS, FULFIL): FULFILLED,
        (IN_PROGRESS, FULFIL_PARTLY): PARTLY_FULFILLED,
        **{(state, REFUSE): REFUSED for state in OPEN_STATES},
        **{(state, WITHDRAW): WITHDRAWN for state in OPEN_STATES},
        (RECEIVED, EXPIRE): EXPIRED,
        (VERIFYING, EXPIRE): EXPIRED,
        **{(state, REOPEN): RECEIVED for state in REOPENABLE},  # and no further by itself, see `reopen`
    }
)
"""(state, event) → state. What is not here is refused."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How far one identity has come. `subject`: whom it was settled to mean; None: nobody here."""

    identity: str
    state: str = OPEN
    subject: str | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What the machine knows of a request. `authority` None: the person asks for themself."""

    type: str
    state: str = RECEIVED
    proofs: tuple[Proof, ...] = ()
    authority: str | None = None
    repeats: str | None = None

    @property
    def is_proved(self) -> bool:
        """Whether every identity is settled, at least one proved, and who asks for another may do so.

        A proved identity that several people share settles nothing until it is known which of them is meant.
        Who asks for another asks for one person: an answer about two would tell each of them of the other.
        """
        settled = all(
            each.state == DROPPED or (each.state == PROVED and not each.shared) for each in self.proofs
        )
        proved = any(each.state == PROVED for each in self.proofs)
        one = self.authority is None or len(self.meant) < 2
        return settled and proved and one and self.authority in (None, ACCEPTED)

    @property
    def meant(self) -> frozenset[str]:
        """The people whom identities that were not dropped mean, proved or not."""
        found = (each.subject for each in self.proofs if each.state != DROPPED)
        return frozenset(each for each in found if each is not None)


def move(case: Case, event: str) -> Case:
    """Take a step of the table; ConflictError `closed` or `not-now`."""
    to = TRANSITIONS.get((case.state, event))
    if to is None:
        if case.state in CLOSED_STATES:
            raise ConflictError("This request is closed; a new one may be made.", reason="closed")
        raise ConflictError(f"A request that is {case.state} cannot do this.", reason="not-now")
    return replace(case, state=to)


def challenge(case: Case, identity: str) -> Case:
    """A code or link went out to prove an identity."""
    proof = _proof(case, identity)
    if proof.state not in (OPEN, CHALLENGED):
        raise ConflictError("This identity is proved or dropped already.", reason="already-settled")
    return _with(move(case, CHALLENGE), replace(proof, state=CHALLENGED))


def prove(case: Case, identity: str) -> Case:
    """One identity was proved; the request is verified once all are settled."""
    proof = _proof(case, identity)
    if proof.state in (PROVED, DROPPED):
        raise ConflictError("This identity is proved or dropped already.", reason="already-settled")
    return settle(_with(move(case, PROVE), replace(proof, state=PROVED)))


def drop(case: Case, identity: str) -> Case:
    """An identity is left out: it can neither be proved nor be answered. The last one cannot be left out."""
    proof = _proof(case, identity)
    if proof.state == DROPPED:
        raise ConflictError("This identity is dropped already.", reason="already-settled")
    if all(each.state == DROPPED for each in case.proofs if each is not proof):
        raise ConflictError("Refuse or close the request: no other identity is left.", reason="last-identity")
    if case.state not in (RECEIVED, VERIFYING):
        raise ConflictError("Who asks is settled already.", reason="not-now")
    return settle(_with(case, replace(proof, state=DROPPED)))


def mean(case: Case, identity: str, subject: str | None, *, shared: bool = False) -> Case:
    """Say whom an identity means. One that was proved and settled is proved anew if it means another.

    Whoever proved to be one person, or nobody whom we know, has not proved to be somebody else.
    """
    proof = _proof(case, identity)
    if proof.state == PROVED and not proof.shared and proof.subject != subject:
        return unsettle(_with(case, replace(proof, subject=subject, shared=shared)), identity)
    return settle(_with(case, replace(proof, subject=subject, shared=shared)))


def authorise(case: Case, accepted: bool) -> Case:
    """Say whether somebody who asks for another showed the right to."""
    if case.authority is None:
        raise ConflictError(
            "The person asks for themself; there is no authority to check.", reason="no-agent"
        )
    if case.state not in (RECEIVED, VERIFYING):
        raise ConflictError("Who asks is settled already.", reason="not-now")
    if accepted and len(case.meant) > 1:
        raise ConflictError(
            "The request names several people; drop all but one, and take in a request for each.",
            reason="several-people",
        )
    return settle(replace(case, authority=ACCEPTED if accepted else REJECTED))


def settle(case: Case) -> Case:
    """Let a request be verified if everything that it takes is there; else it stays as it is."""
    if not case.is_proved:
        return case
    if case.state == RECEIVED:
        case = replace(case, state=VERIFYING)
    return move(case, SETTLE) if case.state == VERIFYING else case


def unsettle(case: Case, identity: str) -> Case:
    """An identity must be proved anew: its record was merged, split, or turned out to mean somebody else."""
    proof = _proof(case, identity)
    back = case if case.state in (RECEIVED, VERIFYING) else move(case, UNSETTLE)
    return _with(back, replace(proof, state=OPEN))


def begin(case: Case) -> Case:
    """Start on what is asked. What needs proof begins only when verified; what acts on receipt at once."""
    if case.type in NEED_PROOF and case.state != VERIFIED:
        raise ConflictError("This request is not verified; nothing may be done yet.", reason="not-verified")
    return move(case, BEGIN)


def reopen(case: Case) -> Case:
    """Open an answered request again because its appeal was granted: it says nothing about who asks.

    Whatever was proved stays proved; whatever was not has to be, before anything happens. ConflictError
    `not-refused`: only a refusal, whole or in part, is taken back.
    """
    if case.state not in REOPENABLE or case.type in ABOUT_AN_ANSWER:
        raise ConflictError("Only a request that was refused can be opened again.", reason="not-refused")
    back = move(case, REOPEN)
    return settle(replace(back, state=VERIFYING)) if case.type in NEED_PROOF else back


def join(case: Case, earlier: str) -> Case:
    """Note that a request repeats an earlier one. It keeps its own proof, or the lack of it."""
    return replace(case, repeats=earlier)


def entitled(case: Case) -> tuple[str, ...]:
    """The people whose data this request may disclose, correct or delete, now; ConflictError `not-verified`.

    May be empty: somebody proved to be nobody whom we know.
    """
    if case.state not in (VERIFIED, IN_PROGRESS) or not case.is_proved:
        raise ConflictError("This request is not verified; nothing may be done yet.", reason="not-verified")
    found = [each.subject for each in case.proofs if each.state == PROVED and each.subject is not None]
    return tuple(dict.fromkeys(found))


def fulfil(case: Case, *, partly: bool = False) -> Case:
    """Close a request as answered."""
    if case.type in NEED_PROOF:
        entitled(case)
    return move(case, FULFIL_PARTLY if partly else FULFIL)


def acts_at_once(type_: str) -> bool:
    """Whether a request of this type acts on receipt, whoever asks."""
    return type_ in ACT_ON_RECEIPT


def _proof(case: Case, identity: str) -> Proof:
    for each in case.proofs:
        if each.identity == identity:
            return each
    raise ConflictError("This request names no such identity.", reason="no-such-identity")


def _with(case: Case, proof: Proof) -> Case:
    proofs: Sequence[Proof] = [proof if each.identity == proof.identity else each for each in case.proofs]
    return replace(case, proofs=tuple(proofs))
