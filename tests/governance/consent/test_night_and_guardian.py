"""Two consents that are more than a yes: a guardian's for a child, and the one to be contacted at night."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.consent import service as consent
from governance.consent.kinds import CLAIM, CONSENT, GUARDIAN, NIGHT
from governance.consent.model import Cell, ConsentFacts, Question
from governance.consent.proof import is_guardian
from governance.consent.resolving import resolve
from governance.consent.service import NewConsent
from governance.errors import InvalidError
from governance.subjects import service as subjects
from governance.subjects.model import Identifier, SubjectChange
from tests.conftest import ACTOR

AT = datetime(2026, 11, 21, tzinfo=UTC)
DAY = timedelta(days=1)
ASKED = Question("marketing", channel="sms", subject_ref="sub_1")
GUARDIAN_DATA = {"name": "Grace Hopper", "verified_by": "card"}


def yes(kind: str, seq: int, **more: Any) -> Cell:
    said = {"pos_status": "granted", "pos_seq": seq, "pos_at": AT + seq * DAY, "pos_by_person": True, **more}
    return Cell("marketing", "", "sms", "", "", kind, **said)


def no(kind: str, seq: int, **more: Any) -> Cell:
    place = {"purpose": "marketing", "controller": "", "channel": "sms", "topic": "", "point_ref": "", **more}
    return Cell(**place, kind=kind, neg_status="withdrawn", neg_seq=seq, neg_at=AT + seq * DAY)


def found(*cells: Cell, days: int = 30) -> ConsentFacts:
    return resolve(cells, ASKED, (), AT + days * DAY)


def test_a_general_yes_is_no_consent_to_the_night_and_the_other_way_round() -> None:
    assert not found(yes(CONSENT, 1)).night
    alone = found(yes(NIGHT, 1))
    assert (alone.status, alone.night) == ("none", True)
    both = found(yes(CONSENT, 1), yes(NIGHT, 2))
    assert (both.status, both.night) == ("granted", True)


def test_every_no_covers_the_night_and_a_new_general_yes_does_not_bring_it_back() -> None:
    back = Cell(
        "marketing", "", "sms", "", "", CONSENT, "withdrawn", 3, AT + 3 * DAY, None,
        "granted", 4, AT + 4 * DAY, True,
    )  # fmt: skip
    assert found(back).status == "granted"
    assert not found(back, yes(NIGHT, 2)).night
    assert found(back, yes(NIGHT, 5)).night
    assert not found(no("objection", 3, purpose="", channel=""), yes(NIGHT, 2)).night
    assert found(no("profiling", 3), yes(NIGHT, 2)).night


def test_a_no_to_the_night_leaves_the_day_alone() -> None:
    told = found(yes(CONSENT, 1), no(NIGHT, 3), yes(NIGHT, 2))
    assert (told.status, told.night, told.suppressed_marketing) == ("granted", False, False)


def test_a_consent_to_the_night_runs_out_and_holds_on_its_own_contact_point_only() -> None:
    ends = yes(NIGHT, 1, pos_expires_at=AT + 10 * DAY)
    assert found(ends, days=9).night
    assert not found(ends, days=10).night
    elsewhere = Cell("marketing", "", "sms", "", "pnt_2", NIGHT, pos_status="granted", pos_seq=1, pos_at=AT)
    assert not found(elsewhere).night
    assert not found(yes(NIGHT, 1, pos_status="unproven")).night
    assert not found(no(NIGHT, 1), yes(NIGHT, 2, pos_by_person=False)).night


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (None, False),
        ({}, False),
        ({"name": "Grace"}, False),
        ({"verified_by": "card"}, False),
        ({"name": "", "verified_by": "card"}, False),
        ({"name": "Grace", "verified_by": None}, False),
        ({"name": "Grace", "verified_by": "card"}, True),
        ({"reference": "crm-9", "verified_by": "id document"}, True),
    ],
)
def test_a_guardian_counts_who_is_named_and_was_verified(told: Any, counts: bool) -> None:
    assert is_guardian(told) is counts


def test_a_guardians_yes_stands_beside_the_childs_own_and_lifts_an_earlier_no() -> None:
    assert not found(yes(CONSENT, 1)).guardian
    assert found(yes(GUARDIAN, 1)).guardian
    assert found(yes(GUARDIAN, 1), yes(CONSENT, 2)).guardian
    later_no = found(yes(GUARDIAN, 1), no(CONSENT, 2))
    assert (later_no.status, later_no.guardian) == ("withdrawn", False)
    lifted = found(no(CONSENT, 1), yes(GUARDIAN, 2))
    assert (lifted.status, lifted.guardian) == ("granted", True)
    again = Cell(
        "marketing", "", "sms", "", "", CONSENT, "withdrawn", 2, AT + 2 * DAY, None,
        "granted", 3, AT + 3 * DAY, True,
    )  # fmt: skip
    alone = found(yes(GUARDIAN, 1), again)
    assert (alone.status, alone.guardian) == ("granted", False), "the child's new yes revives no guardian's"
    assert found(yes(GUARDIAN, 4), again).guardian
    assert not found(yes(CLAIM, 1)).guardian
    ended = found(yes(GUARDIAN, 1, pos_expires_at=AT + 2 * DAY), yes(CONSENT, 2))
    assert (ended.status, ended.guardian) == ("granted", False)


def person(runtime: Runtime, external_id: str = "crm-1") -> str:
    phone = Identifier("phone", f"+82101234567{external_id[-1]}")
    with runtime.work("acme", ACTOR) as work:
        return subjects.put(work, external_id, SubjectChange(identifiers=[phone], country="KR")).subject_ref


def say(runtime: Runtime, ref: str, status: str, **more: Any) -> consent.ConsentOutcome:
    values: dict[str, Any] = {"channel": "sms", "night": True, **more}
    with runtime.work("acme", ACTOR) as work:
        return consent.record(work, NewConsent(ref, "marketing", status, "app", **values))


def facts(runtime: Runtime, ref: str) -> ConsentFacts:
    with runtime.snapshot("acme", ACTOR) as snap:
        return consent.facts_for(snap, ref, ASKED)


def test_the_night_is_recorded_shown_and_taken_back(any_runtime: Runtime) -> None:
    ref = person(any_runtime)
    made = say(any_runtime, ref, "granted")
    assert {(each.status, each.night) for each in made.state} == {("granted", True)}
    assert (facts(any_runtime, ref).status, facts(any_runtime, ref).night) == ("none", True)
    say(any_runtime, ref, "granted", night=False)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        shown = consent.state(snap, ref).consents
    assert {(each.status, each.night) for each in shown} == {("granted", True), ("granted", False)}
    taken = say(any_runtime, ref, "withdrawn")
    assert {(each.status, each.night) for each in taken.state} == {("withdrawn", True)}
    assert (facts(any_runtime, ref).status, facts(any_runtime, ref).night) == ("granted", False)
    with any_runtime.snapshot("acme", ACTOR) as snap:
        state = consent.state(snap, ref)
        assert not state.point_bars, "a no to the night bars nobody who shares the number"
        assert consent.rebuild(snap.connection, "acme", ref)


def test_a_consent_to_the_night_waits_for_no_confirmation(runtime: Runtime) -> None:
    ref = person(runtime)
    with pytest.raises(InvalidError) as refused:
        say(runtime, ref, "requested", double_opt_in=True)
    assert "night" in refused.value.fields


def test_a_guardians_sign_up_becomes_a_guardians_consent(runtime: Runtime) -> None:
    ref = person(runtime)
    made = say(
        runtime, ref, "requested", night=False, double_opt_in=True, guardian=GUARDIAN_DATA,
        contact_point=Identifier("phone", "+821012345671"),
    )  # fmt: skip
    assert made.confirmation is not None
    with runtime.work("acme", ACTOR) as work:
        confirmed = consent.confirm(work, made.confirmation.token)
    assert [(each.status, each.guardian) for each in confirmed.state] == [("granted", True)]


def test_a_merge_brings_back_no_consent_to_the_night(runtime: Runtime) -> None:
    stays, gone = person(runtime, "crm-1"), person(runtime, "crm-2")
    say(runtime, stays, "granted")
    say(runtime, stays, "withdrawn")
    say(runtime, gone, "granted")
    with runtime.work("acme", ACTOR) as work:
        consent.merge(work, gone, stays)
    assert not facts(runtime, stays).night
