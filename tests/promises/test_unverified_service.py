"""The same promise as in `test_unverified_requests`, with the real service on a real database, at random.

An impostor who reads only an own mailbox, careless staff, a CRM that merges records and puts addresses on
file, time that passes: after every step nobody's data is restricted, being erased, or to be answered with,
unless the code that proves it went to an address of that person and came back in that very request.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.erasure import service as erasure
from governance.erasure.model import UNDO_WINDOW
from governance.errors import GovernanceError
from governance.rights import service as rights
from governance.rights import states
from governance.rights.model import Identity
from governance.rights.reach import reached
from governance.rights.service import NewRequest
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange, SubjectReference
from governance.work import Work
from retention_jobs import match_rights_requests, run_erasures, run_rights_clocks
from tests.conftest import ACTOR, HandClock

VICTIM, IMPOSTOR = "victim@example.org", "impostor@example.org"
TYPES = ("restriction", "erasure", "access")


@dataclass
class Story:
    """What happened so far. `proved`: (request, person) whose code came back from an address of theirs."""

    runtime: Runtime
    clock: HandClock
    type: str
    chance: random.Random
    victim: str = ""
    twin: str = ""
    requests: dict[str, str] = field(default_factory=dict)
    proved: set[tuple[str, str]] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def begin(self) -> None:
        with self.runtime.work("acme", ACTOR) as work:
            self.victim = _put(work, "crm-1", VICTIM)
            self.twin = _put(work, "crm-2", "twin@example.org")
        self.submit("own", [VICTIM])
        self.submit("other", [VICTIM, IMPOSTOR])
        self.clock.forward(timedelta(seconds=1))  # what is written later has a later id

    def submit(self, who: str, addresses: list[str]) -> None:
        named = [SubjectReference(email=each) for each in addresses]
        channel = self.chance.choice(("api", "web_form"))
        with self.runtime.work("acme", ACTOR) as work:
            dossier = rights.take(work, NewRequest(self.type, named, channel=channel))
            self.requests[who] = dossier.request_id
        match_rights_requests.run(self.runtime)

    def identity(self, work: Work, who: str, number: int) -> Identity:
        return rights.open_dossier(work, self.requests[who]).identities[number]

    def answer(self, work: Work, who: str, number: int, *, reads: str) -> None:
        """Whoever reads this mailbox answers the code that went there."""
        identity = self.identity(work, who, number)
        found = [
            each for each in rights.letters_of(work, self.requests[who]) if each["kind"] == "verification"
        ]
        mine = [each for each in found if each["to"]["value"] == reads]
        code = re.search(r"\b([0-9]{8})\.", mine[-1]["text"]) if mine else None
        guess = "".join(self.chance.choices("0123456789", k=8))
        people = reached(work, identity.blind_index or "")
        answered = rights.answer(
            work, self.requests[who], identity.identity_id, code.group(1) if code else guess
        )
        if answered.refusal is None:
            self.proved |= {(self.requests[who], each) for each in people}

    def check(self) -> None:
        """Nobody is touched who was not proved."""
        with self.runtime.work("acme", ACTOR) as work:
            for request_id in self.requests.values():
                try:
                    people = rights.entitled(work, request_id) or ()
                except GovernanceError:
                    people = ()
                for each in people:
                    assert (request_id, each) in self.proved, self.told
            for ref in (self.victim, self.twin):
                person = subjects.find_by_ref(work, ref)
                assert person is not None
                touched = person.restricted or person.erasure_pending
                proved = {people for _, people in self.proved}
                assert not touched or proved & {ref, self.victim, self.twin}, self.told
                if not person.erased:
                    self.check_fate(work, person.subject_ref)

    def check_fate(self, work: Work, ref: str) -> None:
        """No erasure lives that its request does not ask for any more, for this very person."""
        for each in erasure.of_subject(work, ref):
            if each.request_id is None or each.status != UNDO_WINDOW:
                continue
            case = rights.open_dossier(work, each.request_id).case
            assert case.state == "in_progress", (self.told, case.state)
            assert ref in states.entitled(case), self.told


def _put(work: Work, external_id: str, *addresses: str) -> str:
    points = tuple(Identifier("email", each) for each in addresses)
    # The law of the United Kingdom lets a request wait for more than proof.
    change = SubjectChange(identifiers=points, country="GB", relationship="lead")
    return subjects.put(work, external_id, change).subject_ref


def _challenge(story: Story, work: Work) -> None:
    who, number = story.chance.choice((("own", 0), ("other", 0), ("other", 1)))
    rights.challenge(work, story.requests[who], story.identity(work, who, number).identity_id)


def _settle(story: Story, work: Work) -> None:
    number, named = story.chance.choice((0, 1)), story.chance.choice(("crm-1", "crm-2"))
    identity = story.identity(work, "other", number).identity_id
    rights.decide(work, story.requests["other"], identity, named, story.chance.random() < 0.8)


def _drop(story: Story, work: Work) -> None:
    identity = story.identity(work, "other", story.chance.choice((0, 0, 1))).identity_id
    rights.drop(work, story.requests["other"], identity)


def _put_on_file(story: Story, work: Work) -> None:
    """The CRM puts the impostor's address on the person's file."""
    subjects.ensure_point(work, story.victim, "email", IMPOSTOR)


def _decline(story: Story, work: Work) -> None:
    """Whoever reads the person's mail opens the link again, after a yes perhaps, and says no."""
    found = rights.letters_of(work, story.requests["own"])
    links = [each["text"] for each in found if each["kind"] == "verification"]
    if links:
        rights.decline(work, links[-1].split("/privacy/requests/")[1].split()[0])


def _uphold(work: Work, request_id: str) -> None:
    """Somebody complains about the answer, and staff agree: the request is open again."""
    complaint = rights.submit(work, NewRequest("complaint", [], appeal_of=request_id))
    rights.fulfil(work, complaint.request_id)


STEPS: dict[str, Callable[[Story, Work], object]] = {
    "challenge": _challenge,
    "challenge the person": lambda story, work: rights.challenge(
        work, story.requests["own"], story.identity(work, "own", 0).identity_id
    ),
    "the person answers": lambda story, work: story.answer(work, "own", 0, reads=VICTIM),
    "the impostor guesses": lambda story, work: story.answer(work, "other", 0, reads=IMPOSTOR),
    "the impostor answers": lambda story, work: story.answer(work, "other", 1, reads=IMPOSTOR),
    "staff settle": _settle,
    "staff drop": _drop,
    "staff fulfil": lambda story, work: rights.fulfil(
        work, story.requests["other"], partly=True, because="By hand."
    ),
    "staff refuse": lambda story, work: rights.refuse(
        work, story.requests["other"], ground="identity-not-verified"
    ),
    "staff uphold a complaint": lambda story, work: _uphold(work, story.requests["other"]),
    "withdraw": lambda story, work: rights.withdraw(work, story.requests["own"]),
    "that was not me": lambda story, work: _decline(story, work),
    "staff refuse the person": lambda story, work: rights.refuse(
        work, story.requests["own"], ground="identity-not-verified"
    ),
    "staff pause": lambda story, work: rights.pause(work, story.requests["own"], reason="identity"),
    "staff resume": lambda story, work: rights.resume(work, story.requests["own"]),
    "staff settle on another": lambda story, work: rights.decide(
        work, story.requests["own"], story.identity(work, "own", 0).identity_id, "crm-2", True
    ),
    "merge": lambda story, work: subjects.move_to(work, story.victim, story.twin),
    "on file": _put_on_file,
}


def tell(story: Story, steps: int) -> None:
    """One story of so many steps."""
    story.begin()
    story.check()
    for _ in range(steps):
        name = story.chance.choice((*STEPS, "challenge", "the impostor answers", "resubmit", "time"))
        story.told.append(name)
        try:
            if name == "resubmit":
                story.submit("other", [VICTIM, IMPOSTOR])
            elif name == "time":
                story.clock.forward(timedelta(days=story.chance.choice((1, 8, 31))))
                run_rights_clocks.run(story.runtime)
            else:
                with story.runtime.work("acme", ACTOR) as work:
                    STEPS[name](story, work)
        except GovernanceError:
            pass
        story.clock.forward(timedelta(seconds=1))
        story.check()


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.full) for n in range(6, 200))]
)
def test_no_story_touches_anybody_who_was_not_proved(runtime: Runtime, clock: HandClock, seed: int) -> None:
    tell(Story(runtime, clock, TYPES[seed % 3], random.Random(seed)), 8)


ORDERED = ("challenge the person", "the person answers")
WAYS_OUT = (
    ("that was not me",),
    ("staff refuse the person",),
    ("withdraw",),
    ("staff pause", "withdraw"),
    ("staff pause", "that was not me"),
    ("staff pause", "staff refuse the person"),
    ("staff pause", "staff resume", "withdraw"),
    ("staff settle on another",),
    ("staff settle on another", "withdraw"),
)


@pytest.mark.parametrize("ways", WAYS_OUT, ids=" then ".join)
def test_whoever_is_let_go_in_time_is_there_a_day_later(
    any_runtime: Runtime, clock: HandClock, ways: tuple[str, ...]
) -> None:
    runtime = any_runtime
    story = Story(runtime, clock, "erasure", random.Random(0))
    story.begin()
    for name in (*ORDERED, *ways):
        story.told.append(name)
        with runtime.work("acme", ACTOR) as work:
            STEPS[name](story, work)
        story.clock.forward(timedelta(seconds=1))
        if name == ORDERED[-1]:
            with runtime.snapshot("acme", ACTOR) as snap:
                assert erasure.of_subject(snap, story.victim)[0].status == UNDO_WINDOW
        story.check()
    clock.forward(timedelta(days=2))
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    story.check()
    with runtime.snapshot("acme", ACTOR) as snap:
        person = subjects.get_by_ref(snap, story.victim)
        assert (person.erased, person.erasure_pending) == (False, False)


def test_a_way_out_that_forgets_the_erasure_is_caught_here_too(
    runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.rights.leaving.is_exit", lambda before, after: False)
    story = Story(runtime, clock, "erasure", random.Random(0))
    story.begin()
    for name in ("challenge the person", "the person answers", "that was not me"):
        with runtime.work("acme", ACTOR) as work:
            STEPS[name](story, work)
        clock.forward(timedelta(seconds=1))
    with pytest.raises(AssertionError):
        story.check()


def test_a_story_in_which_a_complaint_is_upheld_touches_nobody_either(
    runtime: Runtime, clock: HandClock
) -> None:
    story = Story(runtime, clock, "restriction", random.Random(0))
    story.begin()
    for name in (
        "staff refuse",
        "staff uphold a complaint",
        "challenge",
        "the impostor guesses",
        "staff fulfil",
    ):
        story.told.append(name)
        try:
            with runtime.work("acme", ACTOR) as work:
                STEPS[name](story, work)
        except GovernanceError:
            pass
        clock.forward(timedelta(seconds=1))
        story.check()
    with runtime.snapshot("acme", ACTOR) as snap:
        assert rights.open_dossier(snap, story.requests["other"]).request.state == "verifying"


def test_an_appeal_that_takes_the_identity_for_proved_is_caught_here_too(
    runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.rights import appeals, states

    def believing(case: states.Case) -> states.Case:
        proofs = tuple(states.Proof(each.identity, states.PROVED, story.victim) for each in case.proofs)
        return states.settle(states.Case(case.type, "verifying", proofs, case.authority, case.repeats))

    monkeypatch.setattr(appeals.states, "reopen", believing)
    story = Story(runtime, clock, "restriction", random.Random(0))
    story.begin()
    for name in ("staff refuse", "staff uphold a complaint"):
        with runtime.work("acme", ACTOR) as work:
            STEPS[name](story, work)
    with pytest.raises(AssertionError):
        story.check()


def test_an_unchecked_address_that_staff_settle_is_caught(
    runtime: Runtime, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: staff's word turns the proof of any address into that of the person."""
    from governance.rights import matching, states

    def trusting(
        case: states.Case, identity: str, subject: str | None, *, shared: bool = False
    ) -> states.Case:
        proofs = tuple(
            states.Proof(each.identity, each.state, subject, shared) if each.identity == identity else each
            for each in case.proofs
        )
        return states.settle(states.Case(case.type, case.state, proofs, case.authority, case.repeats))

    monkeypatch.setattr(matching.states, "mean", trusting)
    monkeypatch.setattr(matching, "reached", lambda work, index: {story.victim, story.twin})
    story = Story(runtime, clock, "restriction", random.Random(1))
    story.begin()
    with runtime.work("acme", ACTOR) as work:
        _drop_first(story, work)
        rights.challenge(work, story.requests["other"], story.identity(work, "other", 1).identity_id)
        rights.decide(
            work, story.requests["other"], story.identity(work, "other", 1).identity_id, "crm-1", True
        )
    monkeypatch.setattr("governance.rights.verification.reached", lambda work, index: {story.victim})
    for room in ("verification", "execution"):
        monkeypatch.setattr(f"governance.rights.{room}.still_holds", lambda work, identity: True)
    with runtime.work("acme", ACTOR) as work:
        story.answer(work, "other", 1, reads=IMPOSTOR)
    with pytest.raises(AssertionError):
        story.check()


def _drop_first(story: Story, work: Work) -> None:
    rights.drop(work, story.requests["other"], story.identity(work, "other", 0).identity_id)
