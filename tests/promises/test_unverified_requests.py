"""Nobody is answered, corrected or deleted unverified, on any path through the state machine.

The walk is exhaustive: two requests about the same person, the person's own and an impostor's, and everything
that can happen to either in eight steps: codes, guesses, proofs, staff who settle whom an address means,
duplicates, resubmissions, merges, withdrawals, approvals, timeouts, refusals,
granted appeals. What was really proved is kept apart from
the machine. Machines with seeded bugs (a duplicate that inherits the proof; a merge that carries it along)
must be caught by the same walk.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from governance.errors import ConflictError
from governance.rights import leaving, states
from governance.rights.model import NEED_PROOF
from governance.rights.states import Case, Proof

VICTIM, MERGED, BYSTANDER = "sub_victim", "sub_merged", "sub_bystander"
DEPTH = 8

Machine = Any


@dataclass(frozen=True)
class World:
    """Both requests, and the truth: (request, identity, person) that were really proved, agents who really
    may. `erasing`: (request, person) whose erasure was ordered and may still be undone.
    """

    own: Case
    other: Case
    proved: frozenset[tuple[str, str, str | None]] = frozenset()
    authorised: frozenset[str] = frozenset()
    merged: bool = False
    erasing: frozenset[tuple[str, str]] = frozenset()


ADDRESSES = {
    "file": Proof("file", subject=VICTIM),
    "mine": Proof("mine"),
    "shared": Proof("shared", shared=True),
}


def begin(type_: str, named: tuple[str, ...], *, agent: bool) -> World:
    """The person names an address on file. The impostor may name it too, an own address and a shared one."""
    own = Case(type_, proofs=(ADDRESSES["file"],))
    proofs = tuple(ADDRESSES[each] for each in named)
    return World(own, Case(type_, proofs=proofs, authority="asked" if agent else None))


Step = Callable[[World, Machine], World]


def on(name: str, act: Callable[[Case, Machine], Case]) -> Step:
    """A step that changes one of the requests; what it does to a case is asked once for each machine."""
    known: dict[tuple[int, Case], Case | None] = {}

    def step(world: World, machine: Machine) -> World:
        case: Case = getattr(world, name)
        key = (id(machine), case)
        if key not in known:
            try:
                known[key] = act(case, machine)
            except ConflictError:
                known[key] = None
        after = known[key]
        if after is None:
            raise ConflictError("refused")
        return replace(world, **{name: after})

    return step


def prove(name: str, identity: str) -> Step:
    """Whoever holds the address answers the code."""

    def step(world: World, machine: Machine) -> World:
        case = machine.prove(getattr(world, name), identity)
        proof = next(each for each in case.proofs if each.identity == identity)
        meant = {VICTIM, BYSTANDER} if proof.shared else {proof.subject}
        added = {(name, identity, each) for each in meant}
        return replace(world, proved=world.proved | added, **{name: case})

    return step


def authorise(accepted: bool) -> Step:
    def step(world: World, machine: Machine) -> World:
        case = machine.authorise(world.other, accepted)
        return replace(world, other=case, authorised=frozenset({"other"}) if accepted else frozenset())

    return step


def merge(world: World, machine: Machine) -> World:
    """The CRM merges the person's record into another; both requests are looked at again."""

    def moved(case: Case) -> Case:
        for each in case.proofs:
            if each.subject == VICTIM:
                case = machine.mean(case, each.identity, MERGED)
        return case

    return replace(world, own=moved(world.own), other=moved(world.other), merged=True)


def resubmit(world: World, _: Machine) -> World:
    """The impostor asks again, as if new."""
    fresh = tuple(ADDRESSES[each.identity] for each in world.other.proofs)
    authority = None if world.other.authority is None else "asked"
    left = frozenset(each for each in world.proved if each[0] == "own")
    return replace(
        world,
        other=Case(world.other.type, proofs=fresh, authority=authority),
        proved=left,
        authorised=frozenset(),
        erasing=frozenset(each for each in world.erasing if each[0] == "own"),
    )


def join(world: World, machine: Machine) -> World:
    """The impostor's request is noted as a repetition of the person's."""
    return replace(world, other=machine.join(world.other, "own", world.own))


STEPS: dict[str, Step] = {
    "own.challenge": on("own", lambda case, m: m.challenge(case, "file")),
    "own.prove": prove("own", "file"),
    "own.begin": on("own", lambda case, m: m.begin(case)),
    "own.refuse": on("own", lambda case, m: m.move(case, "refuse")),
    "own.wait": on("own", lambda case, m: m.move(case, "wait")),
    "own.go on": on("own", lambda case, m: m.move(case, "go_on")),
    "own.settle on another": on("own", lambda case, m: m.mean(case, "file", BYSTANDER)),
    "own.reopen": on("own", lambda case, m: m.reopen(case)),
    "own.withdraw": on("own", lambda case, m: m.move(case, "withdraw")),
    "other.challenge": on("other", lambda case, m: m.challenge(case, "file")),
    "other.prove own address": prove("other", "mine"),
    "other.prove shared address": prove("other", "shared"),
    "other.settle shared": on("other", lambda case, m: m.mean(case, "shared", BYSTANDER)),
    "other.settle mine": on("other", lambda case, m: m.mean(case, "mine", VICTIM)),
    "other.drop file": on("other", lambda case, m: m.drop(case, "file")),
    "other.drop shared": on("other", lambda case, m: m.drop(case, "shared")),
    "other.drop mine": on("other", lambda case, m: m.drop(case, "mine")),
    "other.approve": authorise(True),
    "other.disapprove": authorise(False),
    "other.settle": on("other", lambda case, m: m.settle(case)),
    "other.begin": on("other", lambda case, m: m.begin(case)),
    "other.wait": on("other", lambda case, m: m.move(case, "wait")),
    "other.go on": on("other", lambda case, m: m.move(case, "go_on")),
    "other.fulfil": on("other", lambda case, m: m.fulfil(case)),
    "other.fulfil partly": on("other", lambda case, m: m.fulfil(case, partly=True)),
    "other.refuse": on("other", lambda case, m: m.move(case, "refuse")),
    "other.reopen": on("other", lambda case, m: m.reopen(case)),
    "other.expire": on("other", lambda case, m: m.move(case, "expire")),
    "other.unsettle": on("other", lambda case, m: m.unsettle(case, "mine")),
    "resubmit": resubmit,
    "join": join,
    "merge": merge,
}


def carry(before: World, after: World, machine: Machine) -> World:
    """What a step does to erasures: ordered for whom a request is proved when it begins or goes on.

    Whatever way it takes out of work, `is_exit` sees it, and what it ordered is taken back.
    """
    erasing = set(after.erasing)
    for name in ("own", "other"):
        was, now = getattr(before, name), getattr(after, name)
        if was.state == now.state:
            continue
        if now.state == "in_progress":
            erasing |= {(name, person) for person in answered(now)}
        elif machine.is_exit(was.state, now.state):  # what was answered is done, the rest taken back
            erasing -= {each for each in erasing if each[0] == name}
    return replace(after, erasing=frozenset(erasing))


@cache
def answered(case: Case) -> tuple[str, ...]:
    """Whose data the request may be answered with now."""
    try:
        return states.entitled(case)
    except ConflictError:
        return ()


def wrongs(world: World) -> Iterator[str]:
    """What the machine lets happen that was not really proved."""
    for name in ("own", "other"):
        case: Case = getattr(world, name)
        for person in answered(case):
            if not any(each[0] == name and each[2] == person for each in world.proved):
                yield f"{name} is answered about {person}, which nobody proved"
            if case.authority is not None and name not in world.authorised:
                yield f"{name} is answered to somebody who may not ask"
        for person in (each for request, each in world.erasing if request == name):
            if case.state != "in_progress":
                yield f"{person} is being erased though {name} is {case.state}"
            elif person not in answered(case):
                yield f"{person} is being erased though {name} does not mean them"
        begun = case.state in ("in_progress", "waiting", "fulfilled", "partly_fulfilled")
        if begun and not any(each[0] == name for each in world.proved):
            yield f"{name} was {case.state} although nobody proved anything"


def walk(
    machine: Machine, type_: str, named: tuple[str, ...], *, agent: bool = False, depth: int = DEPTH
) -> tuple[int, set[str]]:
    """Every path of so many steps: what behaves alike from some point on is followed once."""
    seen = {begin(type_, named, agent=agent)}
    edge, found = set(seen), set()
    for _ in range(depth):
        reached = set()
        for world in edge:
            for step in STEPS.values():
                try:
                    after = step(world, machine)
                except ConflictError:
                    continue
                if type_ == "erasure":
                    after = carry(world, after, machine)
                if after not in seen:
                    found.update(wrongs(after))
                    seen.add(after)
                    reached.add(after)
        edge = reached
    return len(seen), found


def machine_with(**replaced: Any) -> Machine:
    """The real machine with some of its steps replaced."""
    names = (
        "challenge",
        "prove",
        "begin",
        "move",
        "mean",
        "drop",
        "authorise",
        "settle",
        "unsettle",
        "fulfil",
        "reopen",
    )
    steps = {name: getattr(states, name) for name in (*names, "entitled")}
    honest = {"join": lambda case, earlier, _: states.join(case, earlier)}
    return SimpleNamespace(**{**steps, **honest, "is_exit": leaving.is_exit, **replaced})


@pytest.mark.parametrize(
    ("type_", "named", "agent"),
    [
        ("access", ("file", "mine"), False),
        ("rectification", ("file", "shared"), False),
        ("erasure", ("file",), True),
        pytest.param("erasure", ("file", "mine", "shared"), True, marks=pytest.mark.full),
    ],
)
def test_no_path_of_eight_steps_answers_anybody_who_was_not_proved(
    type_: str, named: tuple[str, ...], agent: bool
) -> None:
    assert type_ in NEED_PROOF
    worlds, found = walk(machine_with(), type_, named, agent=agent)
    assert found == set()
    assert worlds > 300, "the walk went somewhere"


def test_a_duplicate_that_inherits_the_proof_is_caught() -> None:
    def inheriting(case: Case, earlier: str, first: Case) -> Case:
        joined = states.join(case, earlier)
        known = {each.identity: each.state for each in first.proofs}
        proofs = tuple(replace(each, state=known.get(each.identity, "dropped")) for each in joined.proofs)
        return replace(joined, state=first.state, proofs=proofs)

    _, found = walk(machine_with(join=inheriting), "erasure", ("file", "mine"), depth=5)
    assert any("which nobody proved" in each for each in found)


def test_a_merge_that_carries_the_proof_along_is_caught() -> None:
    def carrying(case: Case, identity: str, subject: str | None, *, shared: bool = False) -> Case:
        proofs = tuple(
            replace(each, subject=subject, shared=shared) if each.identity == identity else each
            for each in case.proofs
        )
        return replace(case, proofs=proofs)

    _, found = walk(machine_with(mean=carrying), "access", ("file",), depth=5)
    assert any(MERGED in each for each in found)


@pytest.mark.parametrize("forgotten", ["refused", "withdrawn", "waiting", "verifying"])
def test_a_way_out_that_forgets_the_erasure_is_caught(forgotten: str) -> None:
    """Refused, withdrawn or declined after a yes; paused; turned to another person after the order."""

    def forgetful(before: str, after: str) -> bool:
        return after != forgotten and leaving.is_exit(before, after)

    _, found = walk(machine_with(is_exit=forgetful), "erasure", ("file",), depth=5)
    assert any(f"is being erased though own is {forgotten}" in each for each in found)


def test_a_request_that_begins_before_it_is_verified_is_caught() -> None:
    def hasty(case: Case) -> Case:
        return replace(case, state="in_progress") if case.state == "received" else states.begin(case)

    _, found = walk(machine_with(begin=hasty), "erasure", ("file",), depth=3)
    assert any("nobody proved anything" in each for each in found)


def test_an_appeal_that_opens_a_request_as_if_it_were_proved_is_caught() -> None:
    def trusting(case: Case) -> Case:
        return replace(states.reopen(case), state="in_progress")

    _, found = walk(machine_with(reopen=trusting), "access", ("file",), depth=3)
    assert any("nobody proved anything" in each for each in found)


def test_an_appeal_that_takes_the_identity_for_proved_is_caught() -> None:
    def believing(case: Case) -> Case:
        proofs = tuple(replace(each, state="verified") for each in case.proofs)
        return states.settle(replace(states.reopen(case), proofs=proofs))

    _, found = walk(machine_with(reopen=believing), "erasure", ("file", "mine"), depth=3)
    assert any("which nobody proved" in each for each in found)


@pytest.mark.parametrize("type_", sorted(NEED_PROOF))
@pytest.mark.parametrize("state", ["refused", "partly_fulfilled"])
def test_an_opened_request_is_where_its_proof_is_and_no_further(type_: str, state: str) -> None:
    proved = Proof("file", "verified", VICTIM)
    assert states.reopen(Case(type_, state, (proved,))).state == "verified"
    for proofs in ((Proof("file", subject=VICTIM),), (proved, Proof("mine", "challenged"))):
        again = states.reopen(Case(type_, state, proofs))
        assert again.state == "verifying"
        with pytest.raises(ConflictError):
            states.entitled(again)
    unsettled = states.reopen(Case(type_, state, (proved,), authority="rejected"))
    assert states.authorise(unsettled, True).state == "verified"


def test_nothing_else_is_opened_again() -> None:
    for type_, state in (
        ("access", "fulfilled"),
        ("access", "withdrawn"),
        ("access", "expired"),
        ("access", "in_progress"),
        ("appeal", "refused"),
        ("complaint", "refused"),
    ):
        with pytest.raises(ConflictError) as no:
            states.reopen(Case(type_, state))
        assert no.value.reason == "not-refused"
    assert states.begin(states.reopen(Case("objection", "refused"))).state == "in_progress"


def test_the_table_has_no_way_around_verification() -> None:
    into = {event for (_, event), to in states.TRANSITIONS.items() if to == "verified"}
    assert into == {"settle"}
    for type_ in NEED_PROOF:
        for state in ("received", "verifying"):
            for act in (states.begin, states.fulfil, states.entitled):
                try:
                    act(Case(type_, state, (Proof("a", subject=VICTIM),)))  # type: ignore[operator]
                except ConflictError:
                    continue
                raise AssertionError(f"{type_} that is {state} could {act.__name__}")
