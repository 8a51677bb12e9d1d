"""Two records of one person: what a merge keeps, what a split gives back (nothing)."""

from datetime import timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent import store
from governance.consent.model import Question
from governance.consent.service import NewConsent, NewObjection, NewSuppression
from governance.events import Actor
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange

ACTOR = Actor("client_test")
ONE = Identifier("email", "ada@example.org")
TWO = Identifier("email", "ada@work.example")
PROOF = {"form_url": "https://x.example"}


@pytest.fixture
def both(runtime: Runtime) -> tuple[str, str]:
    return put(runtime, "crm-1", ONE), put(runtime, "crm-2", TWO)


def put(runtime: Runtime, external_id: str, *points: Identifier) -> str:
    with runtime.work("acme", ACTOR) as work:
        return subjects.put(work, external_id, SubjectChange(identifiers=list(points))).subject_ref


def say(runtime: Runtime, ref: str, status: str, **more: Any) -> None:
    new = NewConsent(ref, "marketing", status, "web_form", channel="email", evidence=PROOF, **more)
    with runtime.work("acme", ACTOR) as work:
        consent.record(work, new)


def merge(runtime: Runtime, gone: str, stays: str) -> None:
    with runtime.work("acme", ACTOR) as work:
        consent.merge(work, gone, stays)
    projected(runtime, gone, stays)


def projected(runtime: Runtime, *refs: str) -> None:
    with runtime.snapshot("acme", ACTOR) as snap:
        for ref in refs:
            assert store.cells_of(snap.connection, "acme", ref) == consent.rebuild(
                snap.connection, "acme", ref
            )


def facts(runtime: Runtime, ref: str, at: Identifier) -> Any:
    with runtime.snapshot("acme", ACTOR) as snap:
        point = subjects.find_point(snap, ref, at.type, at.value)
        assert point is not None
        question = Question("marketing", "", "email", None, point.point_ref, ref)
        return consent.facts_for(snap, ref, question, suppression_hash=point.suppression_hash)


def status(runtime: Runtime, ref: str, at: Identifier) -> str:
    answer: str = facts(runtime, ref, at).status
    return answer


def test_a_grant_stays_on_its_contact_point(runtime: Runtime, both: tuple[str, str]) -> None:
    gone, stays = both
    say(runtime, gone, "granted", contact_point=ONE)
    merge(runtime, gone, stays)
    assert status(runtime, stays, ONE) == "granted"
    assert status(runtime, stays, TWO) == "none"


@pytest.mark.parametrize("order", ["no first", "yes first"])
@pytest.mark.parametrize("side", ["gone says no", "survivor says no"])
def test_a_withdrawal_of_either_record_wins(
    runtime: Runtime, clock: Any, both: tuple[str, str], order: str, side: str
) -> None:
    gone, stays = both
    refuser, granter = (gone, stays) if side == "gone says no" else (stays, gone)
    acts = [(refuser, "withdrawn"), (granter, "granted")]
    for ref, said in acts if order == "no first" else reversed(acts):
        say(runtime, ref, said)
        clock.forward(timedelta(hours=1))
    merge(runtime, gone, stays)
    for at in (ONE, TWO):
        assert status(runtime, stays, at) == "withdrawn"
    clock.forward(timedelta(hours=1))
    say(runtime, stays, "granted")
    assert status(runtime, stays, ONE) == "granted"


def test_a_withdrawal_that_the_same_record_had_lifted_stays_lifted(
    runtime: Runtime, clock: Any, both: tuple[str, str]
) -> None:
    gone, stays = both
    say(runtime, gone, "withdrawn")
    clock.forward(timedelta(hours=1))
    say(runtime, gone, "granted", contact_point=ONE)
    merge(runtime, gone, stays)
    assert status(runtime, stays, ONE) == "granted"


def test_objections_and_suppressions_come_along_and_can_be_released(
    runtime: Runtime, clock: Any, both: tuple[str, str]
) -> None:
    gone, stays = both
    with runtime.work("acme", ACTOR) as work:
        objected = consent.object_(work, NewObjection(gone, "all", method="reply"))
        held = consent.suppress(work, NewSuppression("all", subject_ref=gone))
    merge(runtime, gone, stays)
    assert facts(runtime, stays, TWO).objection == "marketing"
    assert facts(runtime, stays, TWO).suppressed_all
    clock.forward(timedelta(hours=1))
    with runtime.work("acme", ACTOR) as work:
        consent.release_objection(work, objected.objection_id, method="reply")
        consent.release_suppression(work, held.suppression_id, because="mistake")
    assert facts(runtime, stays, TWO).objection == "none"
    assert not facts(runtime, stays, TWO).suppressed_all
    projected(runtime, gone, stays)


def test_a_link_that_names_the_record_merged_away_still_withdraws(
    runtime: Runtime, clock: Any, both: tuple[str, str]
) -> None:
    gone, stays = both
    say(runtime, gone, "granted")
    with runtime.snapshot("acme", ACTOR) as snap:
        point_ref = subjects.points(snap, gone)[0].point_ref
    merge(runtime, gone, stays)
    clock.forward(timedelta(hours=1))
    with runtime.work("acme", ACTOR) as work:
        consent.withdraw(work, gone, purpose="marketing", channel="email", point_ref=point_ref)
    assert status(runtime, stays, ONE) == "withdrawn"
    other = put(runtime, "crm-3", ONE)
    assert facts(runtime, other, ONE).suppressed_marketing


def test_a_sign_up_of_the_record_merged_away_can_still_be_confirmed(
    runtime: Runtime, clock: Any, both: tuple[str, str]
) -> None:
    gone, stays = both
    with runtime.work("acme", ACTOR) as work:
        new = NewConsent(
            gone,
            "marketing",
            "requested",
            "web_form",
            channel="email",
            contact_point=ONE,
            double_opt_in=True,
        )
        waiting = consent.record(work, new).confirmation
    assert waiting is not None
    merge(runtime, gone, stays)
    with runtime.work("acme", ACTOR) as work:
        consent.confirm(work, waiting.token)
    assert status(runtime, stays, ONE) == "granted"


def test_a_split_grants_nothing_again_and_takes_every_no_along(any_runtime: Runtime, clock: Any) -> None:
    runtime = any_runtime
    gone, stays = put(runtime, "crm-1", ONE), put(runtime, "crm-2", TWO)
    say(runtime, gone, "granted", contact_point=ONE)
    say(runtime, stays, "granted", contact_point=TWO)
    merge(runtime, gone, stays)
    with runtime.work("acme", ACTOR) as work:
        consent.split(work, gone)
    projected(runtime, gone, stays)
    assert status(runtime, gone, ONE) == "none"
    assert status(runtime, stays, TWO) == "granted"

    clock.forward(timedelta(hours=1))
    merge(runtime, gone, stays)
    say(runtime, stays, "withdrawn")
    with runtime.work("acme", ACTOR) as work:
        consent.split(work, gone)
    projected(runtime, gone, stays)
    assert status(runtime, gone, ONE) == status(runtime, stays, TWO) == "withdrawn"
