"""From events to state."""

from datetime import UTC, datetime, timedelta
from typing import Any

from governance.consent.kinds import CLAIM, CONSENT, OBJECTION
from governance.consent.model import Cell
from governance.consent.projection import ConsentEvent, changed, fold, in_force, kind_of_grant

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def event(seq: int, status: str, hours: float | None = None, **more: Any) -> ConsentEvent:
    plain: dict[str, Any] = {
        "subject_ref": "sub_1",
        "consent_id": f"con_{seq}",
        "kind": CONSENT,
        "purpose": "marketing",
        "controller": "",
        "channel": "email",
        "topic": "",
        "point_ref": "",
        "scope": status,
        "method": "web_form",
        "by_person": True,
        "proven": True,
        "double_opt_in": False,
        "occurred_at": T0 + timedelta(hours=seq if hours is None else hours),
        "recorded_at": T0 + timedelta(hours=seq),
        "event_id": f"evt_{seq}",
    }
    return ConsentEvent(seq=seq, status=status, **{**plain, **more})


def only(*events: ConsentEvent) -> Cell:
    (cell,) = fold(events).values()
    return cell


def test_the_no_of_a_cell_keeps_the_greatest_sequence_and_instant() -> None:
    cell = only(event(1, "withdrawn", 9), event(2, "refused", 3))
    assert (cell.neg_status, cell.neg_seq, cell.neg_event_id) == ("refused", 2, "evt_2")
    assert cell.neg_at == T0 + timedelta(hours=9)


def test_the_grant_that_happened_last_stands_not_the_one_told_last() -> None:
    cell = only(event(1, "granted", 9), event(2, "granted", 3))
    assert (cell.pos_seq, cell.pos_event_id) == (1, "evt_1")
    assert only(event(1, "granted", 9), event(2, "granted", 9)).pos_seq == 2


def test_a_claim_never_displaces_a_proven_claim() -> None:
    proven = event(1, "granted", kind=CLAIM, by_person=False)
    unproven = event(2, "granted", kind=CLAIM, by_person=False, proven=False)
    assert only(proven, unproven).pos_status == "granted"
    assert only(unproven, event(3, "granted", 0, kind=CLAIM, by_person=False)).pos_status == "granted"


def test_only_a_proven_act_of_the_person_is_kept_as_consent() -> None:
    assert kind_of_grant(proven=True, by_person=True) == CONSENT
    assert kind_of_grant(proven=False, by_person=True) == CLAIM
    assert kind_of_grant(proven=True, by_person=False) == CLAIM


def test_a_release_uncovers_the_objection_before_it() -> None:
    first = event(1, "objected", kind=OBJECTION, scope="purpose", consent_id="obj_1")
    second = event(2, "objected", kind=OBJECTION, scope="purpose", consent_id="obj_2")
    release = event(3, "released", kind=OBJECTION, consent_id="obj_2")
    assert only(first, second, release).neg_event_id == "evt_1"
    assert fold([first, event(4, "released", kind=OBJECTION, consent_id="obj_1")]) == {}


def test_voiding_takes_out_every_yes_before_it_or_only_those_of_one_record() -> None:
    own, lent = event(1, "granted"), event(2, "granted", point_ref="pnt_1", merged_from="sub_2")
    refusal = event(3, "withdrawn", channel="sms")
    everything = event(4, "voided")
    assert {each.seq for each in in_force([own, lent, refusal, everything])} == {3}
    only_lent = event(4, "voided", merged_from="sub_2")
    assert {each.seq for each in in_force([own, lent, refusal, only_lent])} == {1, 3}
    assert in_force([only_lent, event(5, "granted", merged_from="sub_2")])[0].seq == 5


def test_the_difference_of_two_states_is_what_has_to_be_written_and_removed() -> None:
    before = fold([event(1, "granted"), event(2, "withdrawn", channel="sms")])
    after = fold([event(1, "granted"), event(3, "withdrawn")])
    written, removed = changed(before, after)
    assert [cell.neg_seq for cell in written] == [3]
    assert [place[2] for place in removed] == ["sms"]
    assert changed(after, after) == ([], [])
