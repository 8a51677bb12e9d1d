"""The answer to a question, from cells."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.consent.kinds import (
    CLAIM,
    CONSENT,
    OBJECTION,
    PROFILING,
    REQUEST,
    SUPPRESSION,
    SUPPRESSION_ALL,
    UNDELIVERABLE,
)
from governance.consent.model import NOTHING, Cell, ConsentFacts, PointBar, Question
from governance.consent.resolving import resolve

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = Question("marketing", "", "email", None, "pnt_1", "sub_1")


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def no(seq: int, when: float, status: str = "withdrawn", kind: str = CONSENT, **place: str) -> Cell:
    where = {
        "purpose": "marketing",
        "controller": "",
        "channel": "email",
        "topic": "",
        "point_ref": "",
        **place,
    }
    return Cell(
        **where, kind=kind, neg_status=status, neg_seq=seq, neg_at=at(when), neg_event_id=f"evt_{seq}"
    )


def yes(seq: int, when: float, status: str = "granted", kind: str = CONSENT, **more: Any) -> Cell:
    where = {"purpose": "marketing", "controller": "", "channel": "email", "topic": "", "point_ref": "pnt_1"}
    where |= {name: more.pop(name) for name in list(more) if name in where}
    more.setdefault("pos_by_person", kind == CONSENT)
    return Cell(
        **where, kind=kind, pos_status=status, pos_seq=seq, pos_at=at(when), pos_event_id=f"evt_{seq}", **more
    )


def answer(*cells: Cell, bars: tuple[PointBar, ...] = (), asked: Question = ASKED) -> ConsentFacts:
    return resolve(cells, asked, bars, at(1000))


def test_nothing_said_is_no_answer() -> None:
    assert answer() is NOTHING


def test_a_grant_gives_its_age_and_event() -> None:
    facts = answer(yes(1, 1))
    assert (facts.status, facts.age_anchor, facts.grant_event_id) == ("granted", at(1), "evt_1")


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        (yes(2, 2), "granted"),
        (yes(2, 1), "withdrawn"),  # at the same instant
        (yes(2, 0.5), "withdrawn"),  # later told, earlier happened
        (yes(1, 2), "withdrawn"),  # earlier told: the position decides
        (yes(2, 2, kind=CLAIM), "withdrawn"),  # not the person's act
        (yes(2, 2, pos_by_person=False), "withdrawn"),
        (yes(2, 2, pos_expires_at=at(3)), "withdrawn"),  # run out
        (yes(2, 2, topic="a"), "withdrawn"),  # narrower
        (yes(2, 2, point_ref="pnt_2"), "withdrawn"),  # somewhere else
        (yes(2, 2, channel="", purpose="marketing"), "granted"),  # wider
        (yes(2, 2, channel="sms"), "withdrawn"),
        (yes(2, 2, controller="brand"), "withdrawn"),
        (yes(2, 2, "requested", REQUEST), "withdrawn"),
    ],
)
def test_a_withdrawal_stands_until_a_later_act_of_the_person_covers_the_question(
    grant: Cell, expected: str
) -> None:
    withdrawal = no(1 if grant.pos_seq == 2 else 2, 1)
    assert answer(withdrawal, grant).status == expected
    assert answer(grant, withdrawal).status == expected, "the order of cells says nothing"


def test_the_no_recorded_last_names_the_answer() -> None:
    assert answer(no(1, 1, purpose=""), no(2, 2, "refused")).status == "refused"


def test_every_covering_no_must_be_lifted() -> None:
    assert answer(no(1, 1), no(3, 3, channel=""), yes(2, 2)).status == "withdrawn"
    assert answer(no(1, 1), no(2, 2, channel=""), yes(3, 3)).status == "granted"


def test_leaving_out_topic_or_controller_lets_every_no_count_and_only_a_general_yes() -> None:
    topical = no(1, 1, topic="spring")
    assert answer(topical).status == "withdrawn"
    assert answer(topical, asked=Question("marketing", "", "email", "autumn", "pnt_1")).status == "none"
    assert answer(topical, asked=Question("marketing", "", "email", "", "pnt_1")).status == "none"
    assert answer(yes(1, 1, topic="spring")).status == "none"
    assert answer(yes(1, 1, controller="brand")).status == "none"
    assert answer(no(1, 1, controller="brand")).status == "withdrawn"


def test_a_yes_without_a_point_answers_only_questions_without_one() -> None:
    general = yes(1, 1, point_ref="")
    assert answer(general).status == "none"
    assert answer(general, asked=Question("marketing", "", "email")).status == "granted"
    assert answer(yes(1, 1), asked=Question("marketing", "", "email")).status == "none"


def test_claims_are_shown_and_never_taken_for_consent_unless_proven() -> None:
    assert answer(yes(1, 1, "unproven", CLAIM)).status == "unproven"
    assert answer(yes(1, 1, "granted", CLAIM)).status == "granted"


def test_a_sign_up_waits_and_shows_beneath_a_withdrawal() -> None:
    assert answer(yes(1, 1, "requested", REQUEST)).status == "requested"
    over = yes(1, 1, "requested", REQUEST, pos_expires_at=at(2))
    assert answer(over).status == "none"
    facts = answer(no(1, 1), yes(2, 2, "requested", REQUEST))
    assert (facts.status, facts.pending_request) == ("withdrawn", True)
    facts = answer(yes(1, 1, "requested", REQUEST), no(2, 2))
    assert (facts.status, facts.pending_request) == ("withdrawn", False)


def test_a_confirmed_sign_up_waits_no_longer() -> None:
    request = yes(1, 1, "requested", REQUEST)
    grant = yes(2, 2, pos_expires_at=at(5))
    assert answer(request, grant).status == "expired"


def test_objections_are_told_apart_and_lifted_like_withdrawals() -> None:
    everything = no(1, 1, "marketing", OBJECTION, purpose="", channel="")
    assert answer(everything).objection == "marketing"
    assert answer(everything).status == "none"
    assert answer(everything, yes(2, 2)).objection == "none"
    assert answer(yes(1, 1), no(2, 2, "purpose", OBJECTION, channel="")).objection == "purpose"
    assert answer(no(1, 1, "purpose", OBJECTION, purpose="analytics")).objection == "none"


def test_a_marketing_consent_does_not_lift_an_objection_to_profiling() -> None:
    objection = no(1, 1, "profiling", PROFILING, purpose="", channel="")
    assert answer(objection, yes(2, 2)).objection == "profiling"
    asked = Question("profiling", "", "", None, None)
    grant = yes(2, 2, purpose="profiling", channel="", point_ref="")
    assert answer(objection, grant, asked=asked).objection == "none"


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (SUPPRESSION, "suppressed_marketing"),
        (SUPPRESSION_ALL, "suppressed_all"),
        (UNDELIVERABLE, "undeliverable"),
    ],
)
def test_no_grant_lifts_a_suppression(kind: str, field: str) -> None:
    facts = answer(no(1, 1, "x", kind, purpose="", channel=""), yes(2, 2))
    assert getattr(facts, field)
    assert facts.status == "granted"
    other = answer(no(1, 1, "x", kind, purpose="", channel="sms"))
    assert not getattr(other, field)


def test_a_bar_left_by_another_person_yields_to_ones_own_later_grant_only() -> None:
    bar = PointBar("purpose", "marketing", "", "email", "", "sub_2", at(5), "evt_bar")
    assert answer(bars=(bar,)).suppressed_marketing
    assert answer(yes(1, 4), bars=(bar,)).suppressed_marketing
    assert not answer(yes(1, 6), bars=(bar,)).suppressed_marketing
    assert answer(yes(1, 6, kind=CLAIM), bars=(bar,)).suppressed_marketing
    own = PointBar("purpose", "marketing", "", "email", "", "sub_1", at(5), "evt_bar")
    assert not answer(bars=(own,)).suppressed_marketing


def test_other_bars_of_a_point_hold_for_everyone() -> None:
    for scope, field in (
        ("marketing", "suppressed_marketing"),
        ("all", "suppressed_all"),
        ("undeliverable", "undeliverable"),
    ):
        bar = PointBar(scope, origin_subject_ref="sub_1", recorded_at=at(1))
        assert getattr(answer(yes(9, 9), bars=(bar,)), field)


def test_the_events_that_the_answer_rests_on_are_named_first_the_decisive_one() -> None:
    facts = answer(yes(1, 1), no(2, 2), no(3, 3, "marketing", OBJECTION, purpose=""))
    assert facts.event_ids == ("evt_2", "evt_3")
