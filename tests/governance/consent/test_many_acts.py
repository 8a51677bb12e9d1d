"""Many acts of one person: each costs what the first did, and the stored state is what folding gives."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consents
from governance.consent import store, views
from governance.consent.service import NewConsent, NewObjection, NewSuppression
from governance.subjects import service as subjects
from governance.subjects.service import SubjectChange
from governance.work import Work
from tests.conftest import ACTOR, HandClock

EVIDENCE = {"form_url": "https://www.example.org/preferences"}


def people(runtime: Runtime, count: int) -> list[str]:
    with runtime.work("acme", ACTOR) as work:
        return [subjects.put(work, f"crm-{number}", SubjectChange()).subject_ref for number in range(count)]


def seconds(runtime: Runtime, refs: list[str], act: Callable[[Work, str, int], object]) -> float:
    began = time.process_time()
    with runtime.work("acme", ACTOR) as work:
        for number, ref in enumerate(refs):
            act(work, ref, number)
    return time.process_time() - began


def topic(work: Work, ref: str, number: int) -> None:
    new = NewConsent(
        ref, "marketing", "granted", "web_form", channel="email", topic=f"t{number}", evidence=EVIDENCE
    )
    consents.record(work, new)


def toggled(work: Work, ref: str, number: int) -> None:
    status = "granted" if number % 2 else "withdrawn"
    consents.record(
        work, NewConsent(ref, "marketing", status, "web_form", channel="email", evidence=EVIDENCE)
    )


@pytest.mark.parametrize("act", [topic, toggled])
def test_many_acts_of_one_person_take_about_as_long_as_those_of_many(
    runtime: Runtime, act: Callable[[Work, str, int], object]
) -> None:
    refs = people(runtime, 200)
    # Once before: the first acts of a process compile statements.
    seconds(runtime, refs[1:20], act)
    many = seconds(runtime, refs, act)
    one = seconds(runtime, [refs[0]] * len(refs), act)
    # Judging everything anew at each act made it twenty times as long at this size already.
    assert one < 4 * many


def test_whatever_a_person_says_the_stored_state_is_what_folding_gives(
    any_runtime: Runtime, clock: HandClock
) -> None:
    chance = random.Random(12)
    [ref] = people(any_runtime, 1)
    said: list[tuple[str, str]] = []
    for _ in range(6):
        clock.forward(timedelta(hours=1))
        with any_runtime.work("acme", ACTOR) as work:
            for kind, which in said[-3:]:
                if kind == "objection":
                    consents.release_objection(work, which, method="web_form", evidence=EVIDENCE)
        with any_runtime.work("acme", ACTOR) as work:
            for _ in range(15):
                _something(work, ref, chance, said)
        with any_runtime.snapshot("acme", ACTOR) as snap:
            stored = store.cells_of(snap.connection, "acme", ref)
            assert stored == views.rebuild(snap.connection, "acme", ref)


def _something(work: Work, ref: str, chance: random.Random, said: list[tuple[str, str]]) -> None:
    dice = chance.random()
    if dice < 0.5:
        status = chance.choice(("granted", "withdrawn", "refused"))
        made = consents.record(
            work,
            NewConsent(
                ref,
                chance.choice(("marketing", "newsletter")),
                status,
                "web_form",
                channel=chance.choice(("email", "sms", None)),
                topic=chance.choice((None, "spring", "autumn")),
                evidence=EVIDENCE,
            ),
        )
        # What is told of the act is what the whole state says at its places.
        state = {
            (each.purpose, each.channel, each.topic, each.point_ref): each
            for each in consents.state(work, ref).consents
        }
        for each in made.state:
            assert state[each.purpose, each.channel, each.topic, each.point_ref] == each
    elif dice < 0.65:
        scope = chance.choice(("all", "profiling"))
        said.append(("objection", consents.object_(work, NewObjection(ref, scope)).objection_id))
    elif dice < 0.8:
        scope = chance.choice(("marketing", "all"))
        new = NewSuppression(scope, subject_ref=ref, channel=chance.choice(("email", None)), reason="asked")
        said.append(("suppression", consents.suppress(work, new).suppression_id))
    elif said:
        kind, which = chance.choice(said)
        if kind == "suppression":
            consents.release_suppression(work, which, because="a mistake")
