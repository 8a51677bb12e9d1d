"""Whatever way a request takes out of work, nothing that it ordered goes on; or the way is refused."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from governance.bootstrap import Runtime
from governance.erasure import saga
from governance.erasure import service as erasure
from governance.erasure import store as erasure_store
from governance.erasure.model import CANCELLED, UNDO_WINDOW
from governance.errors import ConflictError
from governance.rights import (
    leaving,
    lifting,
    package_store,
    recipient_store,
    recipients,
    states,
    store,
    verification,
)
from governance.rights import service as rights
from governance.rights.dossier import keep
from governance.rights.model import ANSWERED, CLOSED_STATES, IN_PROGRESS, STATES, WAITING
from governance.rights.service import NewRequest
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectChange, SubjectReference
from governance.systems import service as systems
from governance.work import Work
from retention_jobs import build_packages, match_rights_requests, run_erasures, run_rights_clocks
from tests.conftest import ACTOR, HandClock

EVIDENCE = {"seen": "a call to the number on file"}


def put(work: Work, external_id: str, *, country: str = "DE") -> str:
    address = Identifier("email", f"{external_id}@example.org")
    change = SubjectChange(identifiers=(address,), country=country, relationship="lead")
    return subjects.put(work, external_id, change).subject_ref


def proved(work: Work, type_: str = "erasure", *, external_id: str = "crm-1", country: str = "DE") -> str:
    """A verified request of a person; gives its id."""
    put(work, external_id, country=country)
    made = rights.submit(work, NewRequest(type_, [SubjectReference(id=external_id)]))
    identity = made.identities[0].identity_id
    rights.check(work, made.request_id, identity, method="staff", evidence=EVIDENCE)
    return made.request_id


def state_of(runtime: Runtime, request_id: str) -> str:
    with runtime.snapshot("acme", ACTOR) as snap:
        return rights.open_dossier(snap, request_id).request.state


def fate(runtime: Runtime, external_id: str = "crm-1") -> list[str]:
    """The states of a person's erasures, newest first, a day and a job later."""
    with runtime.snapshot("acme", ACTOR) as snap:
        ref = subjects.get(snap, external_id).subject_ref
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    with runtime.snapshot("acme", ACTOR) as snap:
        return [each.status for each in erasure.of_subject(snap, ref)]


@pytest.mark.parametrize(("state", "event"), sorted(states.TRANSITIONS))
def test_every_step_of_the_table_ends_the_erasure_or_keeps_the_request_at_work_or_is_refused(
    runtime: Runtime, state: str, event: str
) -> None:
    """A request in any state, with an erasure that may still be undone, takes any step there is."""
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work)
        store.update(work.connection, work.tenant_id, request_id, {"state": state})
    to = states.TRANSITIONS[state, event]
    refused = None
    try:
        with runtime.work("acme", ACTOR) as work:
            dossier = rights.open_dossier(work, request_id)
            keep(work, dossier, "tested", case=states.move(dossier.case, event))
    except ConflictError as no:
        refused = no.reason
    answers = state not in CLOSED_STATES and to in ANSWERED
    assert refused == ("erasure-open" if answers else None), "in the window every other way is free"
    with runtime.snapshot("acme", ACTOR) as snap:
        ref = subjects.get(snap, "crm-1").subject_ref
        (found,) = erasure.of_subject(snap, ref)
        now = rights.open_dossier(snap, request_id).request.state
        stopped = now in (*CLOSED_STATES, WAITING) or (state in (IN_PROGRESS, WAITING) and now != IN_PROGRESS)
        if stopped and state not in CLOSED_STATES:
            assert found.status == CANCELLED
            assert not subjects.get(snap, "crm-1").erasure_pending
        else:
            assert found.status == UNDO_WINDOW


def test_every_pair_of_states_is_known_as_a_way_out_or_not() -> None:
    for before in STATES:
        for after in STATES:
            out = leaving.is_exit(before, after)
            if before in CLOSED_STATES or before == after or after == IN_PROGRESS:
                assert not out
            elif after in CLOSED_STATES or before in (IN_PROGRESS, WAITING):
                assert out
            else:
                assert not out


def test_who_is_refused_in_time_is_not_erased(any_runtime: Runtime, clock: HandClock) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        request_id = proved(work)
        rights.refuse(work, request_id, ground="legal-obligation")
    clock.forward(timedelta(hours=26))
    assert fate(any_runtime) == [CANCELLED]
    assert state_of(any_runtime, request_id) == "refused"


@pytest.mark.parametrize("act", ["refuse", "withdraw", "matches", "decline"])
@pytest.mark.parametrize("begun", [False, True])
def test_what_has_begun_is_neither_refused_nor_withdrawn_nor_turned_to_somebody_else(
    runtime: Runtime, clock: HandClock, act: str, begun: bool
) -> None:
    """Once the window is over; and when it is done and the request is about to be answered."""
    with runtime.work("acme", ACTOR) as work:
        put(work, "crm-1")
        put(work, "crm-2")
        named = [SubjectReference(email="crm-1@example.org")]
        rights.take(work, NewRequest("erasure", named, channel="web_form"))
    match_rights_requests.run(runtime)
    with runtime.work("acme", ACTOR) as work:
        (request,) = store.page(work.connection, work.tenant_id, filters={}, limit=9)
        token = link_of(work, request.request_id)
        rights.confirm(work, token)
    clock.forward(timedelta(hours=26))
    if begun:
        run_erasures.run(runtime)
    request_id = request.request_id
    ways: dict[str, Callable[[Work], object]] = {
        "refuse": lambda work: rights.refuse(work, request_id, ground="legal-obligation"),
        "withdraw": lambda work: rights.withdraw(work, request_id),
        "decline": lambda work: rights.decline(work, token),
        "matches": lambda work: rights.decide(work, request_id, identity_of(work, request_id), "crm-2", True),
    }
    with pytest.raises(ConflictError) as late, runtime.work("acme", ACTOR) as work:
        ways[act](work)
    assert late.value.reason == "too-late"
    assert state_of(runtime, request_id) == IN_PROGRESS


def identity_of(work: Work, request_id: str) -> str:
    return rights.open_dossier(work, request_id).identities[0].identity_id


def link_of(work: Work, request_id: str) -> str:
    """The token of the link in the verification letter."""
    text = next(
        each["text"] for each in rights.letters_of(work, request_id) if each["kind"] == "verification"
    )
    return str(text.split("/privacy/requests/")[1].split()[0])


def test_that_was_not_me_ends_what_an_earlier_yes_began(any_runtime: Runtime, clock: HandClock) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        put(work, "crm-1")
        named = [SubjectReference(email="crm-1@example.org")]
        request_id = rights.take(work, NewRequest("erasure", named, channel="web_form")).request_id
    match_rights_requests.run(runtime)
    with runtime.work("acme", ACTOR) as work:
        token = link_of(work, request_id)
        assert rights.confirm(work, token).request.state == IN_PROGRESS
    with runtime.work("acme", ACTOR) as work:
        assert verification.decline(work, token).request.outcome == "not-me"
    clock.forward(timedelta(hours=26))
    assert fate(runtime) == [CANCELLED]
    with runtime.snapshot("acme", ACTOR) as snap:
        assert not subjects.get(snap, "crm-1").erasure_pending


def test_nothing_is_erased_while_a_request_waits_and_what_goes_on_has_a_window_of_its_own(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, country="GB")
        rights.pause(work, request_id, reason="identity")
        assert not subjects.get(work, "crm-1").erasure_pending
    clock.forward(timedelta(days=9))
    assert fate(runtime) == [CANCELLED]
    assert state_of(runtime, request_id) == WAITING
    with runtime.work("acme", ACTOR) as work:
        assert rights.resume(work, request_id).request.state == IN_PROGRESS
        assert subjects.get(work, "crm-1").erasure_pending
    clock.forward(timedelta(hours=23))
    assert fate(runtime) == [UNDO_WINDOW, CANCELLED]
    clock.forward(timedelta(hours=3))
    with runtime.snapshot("acme", ACTOR) as snap:
        ref = subjects.get(snap, "crm-1").subject_ref
    run_erasures.run(runtime)
    run_rights_clocks.run(runtime)
    with runtime.snapshot("acme", ACTOR) as snap:
        assert erasure.of_subject(snap, ref)[0].status in ("complete", "partly_complete")
    assert state_of(runtime, request_id) in ANSWERED


def test_who_withdraws_while_the_request_waits_is_not_erased(any_runtime: Runtime, clock: HandClock) -> None:
    with any_runtime.work("acme", ACTOR) as work:
        request_id = proved(work, country="GB")
        rights.pause(work, request_id, reason="fee")
        assert rights.withdraw(work, request_id).request.state == "withdrawn"
    clock.forward(timedelta(hours=26))
    assert fate(any_runtime) == [CANCELLED]


def test_an_erasure_that_has_begun_waits_for_nobody(runtime: Runtime, clock: HandClock) -> None:
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, country="GB")
    clock.forward(timedelta(hours=25))
    with pytest.raises(ConflictError) as late, runtime.work("acme", ACTOR) as work:
        rights.pause(work, request_id, reason="fee")
    assert late.value.reason == "too-late"


def test_an_erasure_is_not_ordered_before_the_fee_came_that_was_asked_for_first(
    runtime: Runtime, clock: HandClock
) -> None:
    with runtime.work("acme", ACTOR) as work:
        put(work, "crm-1", country="GB")
        made = rights.submit(work, NewRequest("erasure", [SubjectReference(id="crm-1")]))
        rights.pause(work, made.request_id, reason="fee")
        identity = made.identities[0].identity_id
        answered = rights.check(work, made.request_id, identity, method="staff", evidence=EVIDENCE)
        assert answered.dossier.request.state == WAITING
        assert answered.dossier.request.verified_at is not None
    assert fate(runtime) == []
    with runtime.work("acme", ACTOR) as work:
        rights.resume(work, made.request_id)
    assert fate(runtime) == [UNDO_WINDOW]


def test_whoever_a_request_does_not_mean_after_all_is_not_erased(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work)
        put(work, "crm-2")
        identity = rights.open_dossier(work, request_id).identities[0].identity_id
        assert rights.decide(work, request_id, identity, "crm-2", True).request.state == "verifying"
    assert fate(runtime, "crm-2") == []
    with runtime.work("acme", ACTOR) as work:
        rights.check(work, request_id, identity, method="staff", evidence=EVIDENCE)
    clock.forward(timedelta(hours=26))
    with runtime.snapshot("acme", ACTOR) as snap:
        other = subjects.get(snap, "crm-2").subject_ref
    assert fate(runtime) == [CANCELLED], "the wrong person"
    with runtime.snapshot("acme", ACTOR) as snap:
        assert not subjects.get(snap, "crm-1").erased
        assert erasure.of_subject(snap, other)[0].status in ("complete", "partly_complete")


def test_a_worker_that_comes_to_an_erasure_just_taken_back_does_not_take_it_up(
    any_runtime: Runtime, clock: HandClock
) -> None:
    """The job had read that it was due, then the person withdrew."""
    with any_runtime.work("acme", ACTOR) as work:
        request_id = proved(work)
        (found,) = erasure.of_subject(work, subjects.get(work, "crm-1").subject_ref)
        rights.withdraw(work, request_id)
        erasure_store.change(work.connection, work.tenant_id, found.erasure_id, {"next_at": work.now})
    clock.forward(timedelta(hours=26))
    assert saga.advance(any_runtime, "acme", found.erasure_id) == 0
    assert fate(any_runtime) == [CANCELLED]


def package_of(runtime: Runtime, request_id: str) -> bool:
    with runtime.snapshot("acme", ACTOR) as snap:
        return package_store.made_at(snap.connection, snap.tenant_id, request_id) is not None


@pytest.mark.parametrize("way", ["withdraw", "refuse", "matches"])
def test_a_package_that_was_begun_goes_with_the_request(any_runtime: Runtime, way: str) -> None:
    """Else it would be there when the request is proved anew, for somebody else."""
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, "access")
        put(work, "crm-2")
        package_store.put(work.connection, work.tenant_id, request_id, work.now, [b"what was found so far"])
        identity = rights.open_dossier(work, request_id).identities[0].identity_id
    assert package_of(runtime, request_id)
    with runtime.work("acme", ACTOR) as work:
        if way == "withdraw":
            rights.withdraw(work, request_id)
        elif way == "refuse":
            rights.refuse(work, request_id, ground="rights-of-others")
        else:
            rights.decide(work, request_id, identity, "crm-2", True)
    assert not package_of(runtime, request_id)


def test_a_request_that_repeats_another_is_not_answered_with_the_package_of_somebody_else(
    runtime: Runtime,
) -> None:
    with runtime.work("acme", ACTOR) as work:
        first = proved(work, "access")
        put(work, "crm-2")
    build_packages.run(runtime)
    with runtime.work("acme", ACTOR) as work:
        again = proved(work, "access", external_id="crm-2")
        store.update(work.connection, work.tenant_id, again, {"duplicate_of": first})
    with runtime.work("acme", ACTOR) as work:
        rights.fulfil(work, again, partly=True, because="By hand.")
        assert package_store.newest_link(work.connection, work.tenant_id, first) is not None
        assert package_store.newest_link(work.connection, work.tenant_id, again) is None


def restricted(runtime: Runtime, external_id: str = "crm-1") -> bool:
    with runtime.snapshot("acme", ACTOR) as snap:
        return subjects.get(snap, external_id).restricted


def test_who_withdraws_a_restriction_is_restricted_no_more_and_recipients_release(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        systems.put(work, "binder", {"kind": "manual", "config": {"owner": "staff-7"}}, None)
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, "restriction")
    assert restricted(runtime)
    clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        (told,) = recipients.of_request(work, request_id)
        recipient_store.change(work.connection, work.tenant_id, told, {"status": "done"})
        assert rights.withdraw(work, request_id).request.state == "withdrawn"
        assert [each.verb for each in recipients.of_request(work, request_id)] == ["release", "restrict"]
    assert not restricted(runtime)


def test_a_restriction_in_force_is_lifted_before_it_is_refused(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, "restriction")
    clock.forward(timedelta(minutes=1))
    with pytest.raises(ConflictError) as no, runtime.work("acme", ACTOR) as work:
        rights.refuse(work, request_id, ground="legal-claims")
    assert no.value.reason == "restriction-in-force"
    assert restricted(runtime)
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.get(work, "crm-1").subject_ref
        lifting.lift(work, ref, informed=lifting.Informed(work.now, "By telephone."))
        assert rights.refuse(work, request_id, ground="legal-claims").request.state == "refused"
    assert not restricted(runtime)


def test_a_restriction_that_rests_on_something_else_stays(runtime: Runtime, clock: HandClock) -> None:
    """Staff restricted the person before; or another request asks for the same."""
    with runtime.work("acme", ACTOR) as work:
        subjects.set_restriction(work, put(work, "crm-1"), True, because="an open dispute")
        clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, proved(work, "restriction"))
        first = proved(work, "restriction", external_id="crm-2")
    clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        second = proved(work, "restriction", external_id="crm-2")
    assert restricted(runtime)
    clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, first)
    assert restricted(runtime, "crm-2"), "the second still asks for it"
    with runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, second)
    assert not restricted(runtime, "crm-2")


def test_whoever_a_restriction_does_not_mean_after_all_is_free(
    any_runtime: Runtime, clock: HandClock
) -> None:
    runtime = any_runtime
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, "restriction")
        put(work, "crm-2")
    clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        rights.decide(work, request_id, identity_of(work, request_id), "crm-2", True)
    assert not restricted(runtime)
    assert not restricted(runtime, "crm-2"), "nobody proved it yet"


def test_a_restriction_stays_while_a_merged_record_is_proved_anew_and_ends_when_it_is_withdrawn(
    runtime: Runtime, clock: HandClock
) -> None:
    with runtime.work("acme", ACTOR) as work:
        request_id = proved(work, "restriction")
        one, two = subjects.get(work, "crm-1").subject_ref, put(work, "crm-2")
    clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        subjects.move_to(work, one, two)
        assert rights.entitled(work, request_id) is None
    assert restricted(runtime, "crm-2")
    clock.forward(timedelta(minutes=1))
    with runtime.work("acme", ACTOR) as work:
        rights.withdraw(work, request_id)
    assert not restricted(runtime, "crm-2")
