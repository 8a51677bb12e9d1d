"""Soft opt-in: who bought, bargained or gave, was told how to refuse, and hears of the like."""

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from governance.communications import dealings
from governance.communications.gate import open_gate
from governance.communications.model import ACTION
from governance.communications.selection import Selection
from governance.communications.stream import vectors
from governance.consent import service as consents
from governance.decisions.model import decide
from governance.subjects import service as subjects
from tests.conftest import ACTOR, HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

MAIL = "a@example.org"
SHOES = {"product_family": "shoes"}


def happened(crm: "Crm", ref: str, event: str = "purchase", mail: str | None = MAIL, **more: Any) -> None:
    """Something happened in which this address was given and a way to refuse was offered."""
    values = {"product_family": "shoes", "opt_out_offered": True, **more}
    with crm.runtime.work("acme", ACTOR) as work:
        point = None if mail is None else subjects.ensure_point(work, ref, "email", mail).point_ref
        subjects.record_event(work, ref, event=event, point_ref=point, **values)


@pytest.mark.parametrize("country", ["FR", "ES", "SE", "GB", "ZA", "DE", "IT"])
def test_who_bought_shoes_and_could_refuse_hears_of_shoes_with_a_way_to_leave(
    crm: "Crm", country: str
) -> None:
    ref = crm.person("crm-1", MAIL, country=country, stage="client")
    assert "consent-missing" in crm.check("crm-1", **SHOES).codes
    happened(crm, ref)
    found = crm.check("crm-1", **SHOES)
    assert found.allowed
    assert "include-unsubscribe" in found.verdict.obligations
    assert crm.authorise("m-1", "crm-1", **SHOES).allowed
    assert not crm.check("crm-1", product_family="wine").allowed
    assert not crm.check("crm-1").allowed, "nobody says what the message is about"
    crm.said(ref, "withdrawn")
    assert "consent-withdrawn" in crm.check("crm-1", **SHOES).codes


@pytest.mark.parametrize(
    "less",
    [
        {"opt_out_offered": None},
        {"opt_out_offered": False},
        {"product_family": None},
        {"product_family": "wine"},
        {"mail": "b@example.org"},
        {"mail": None},
        {"event": "inquiry"},
        {"event": "meaningful_contact"},
        {"event": "charity_support"},
    ],
)
def test_a_sale_that_lacks_anything_is_no_soft_opt_in(small: "Crm", less: dict[str, Any]) -> None:
    ref = small.person("crm-1", MAIL, country="FR", stage="client")
    happened(small, ref, **less)
    assert "consent-missing" in small.check("crm-1", contact_point=MAIL, **SHOES).codes


def test_the_sale_counts_for_the_address_that_was_given_in_it(small: "Crm") -> None:
    ref = small.person("crm-1", MAIL, "b@example.org", country="FR", stage="client")
    happened(small, ref)
    assert small.check("crm-1", contact_point=MAIL, **SHOES).allowed
    assert not small.check("crm-1", contact_point="b@example.org", **SHOES).allowed
    whole = small.check("crm-1", **SHOES)
    assert not whole.allowed
    assert len(whole.contact_points) == 1


def test_of_whom_no_address_is_known_here_a_sale_without_one_counts(small: "Crm") -> None:
    ref = small.person("crm-1", country="FR", stage="client")
    happened(small, ref, mail=None)
    assert small.check("crm-1", **SHOES).allowed


@pytest.mark.parametrize(("country", "allowed"), [("GB", True), ("FR", False), ("DE", False)])
@pytest.mark.parametrize("event", ["negotiation", "inquiry"])
def test_a_negotiation_is_enough_in_the_united_kingdom_only(
    small: "Crm", country: str, allowed: bool, event: str
) -> None:
    ref = small.person("crm-1", MAIL, country=country)
    happened(small, ref, event)
    assert small.check("crm-1", **SHOES).allowed is allowed


def test_a_british_charity_writes_to_its_supporters_whatever_the_family(
    small: "Crm", clock: HandClock
) -> None:
    ref = small.person("crm-1", MAIL, country="GB")
    happened(small, ref, "charity_support", opt_out_offered=None)
    assert not small.check("crm-1").allowed
    happened(small, ref, "charity_support", product_family=None)
    found = small.check("crm-1")
    assert found.allowed
    assert "include-unsubscribe" in found.verdict.obligations


def test_in_korea_the_sale_of_such_goods_is_less_than_six_months_ago(crm: "Crm", clock: HandClock) -> None:
    ref = crm.person("crm-1", MAIL, country="KR", stage="client")
    sold = datetime(2026, 6, 1, 12, tzinfo=UTC)
    happened(crm, ref, occurred_at=sold)
    # Wine was bought later; it says nothing about shoes.
    happened(crm, ref, occurred_at=clock.now(), product_family="wine")
    last = datetime(2026, 12, 1, 11, 59, tzinfo=UTC)
    assert crm.check("crm-1", time=last, **SHOES).allowed
    late = crm.check("crm-1", time=last + timedelta(minutes=1), **SHOES)
    assert late.codes == ("consent-missing",)
    happened(crm, ref, occurred_at=clock.now())
    assert crm.check("crm-1", time=last + timedelta(minutes=1), **SHOES).allowed


def test_a_merged_duplicates_sale_counts_for_the_address_that_both_had_and_a_split_takes_it_along(
    crm: "Crm",
) -> None:
    stays = crm.person("crm-1", MAIL, country="FR", stage="client")
    gone = crm.person("crm-2", MAIL, "b@example.org", country="FR", stage="client")
    happened(crm, gone)
    happened(crm, gone, mail="b@example.org")
    assert not crm.check("crm-1", **SHOES).allowed
    with crm.runtime.work("acme", ACTOR) as work:
        consents.merge(work, gone, stays)
    found = crm.check("crm-1", **SHOES)
    assert found.allowed
    assert len(found.contact_points) == 2
    assert len(streamed(crm, SHOES)["crm-1"]) == 2
    with crm.runtime.work("acme", ACTOR) as work:
        consents.split(work, gone)
    assert not crm.check("crm-1", **SHOES).allowed
    assert crm.check("crm-2", **SHOES).allowed


def test_messages_that_are_not_commercial_need_no_dealings(small: "Crm") -> None:
    small.person("crm-1", MAIL, country="FR", stage="client")
    found = small.check("crm-1", message_class="transactional", purpose="contract", **SHOES)
    assert found.allowed
    assert "relationship.soft_opt_in" not in found.facts[0]


def streamed(
    crm: "Crm", properties: dict[str, Any], selection: Selection | None = None, days: int = 0
) -> dict[str, set[tuple[str | None, frozenset[str]]]]:
    """By the stream: per person, per contact point the codes."""
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        gate = open_gate(snap)
        asked = gate.asked(crm.request("crm-1", **properties))
        found = vectors(
            snap.connection,
            "acme",
            asked,
            gate.ground.policy,
            snap.now + timedelta(days=days),
            selection or Selection(),
            evaluate=lambda vector: decide(gate.ground.policy, ACTION, vector),
        )
        return {
            subjects.get_by_ref(snap, ref).external_id: {
                (point, frozenset(reason.code for reason in verdict.reasons)) for point, verdict in worlds
            }
            for ref, worlds in found
        }


def test_stream_and_check_agree_on_dealings_merges_and_ages(crm: "Crm", clock: HandClock) -> None:
    world = random.Random(23)
    refs = []
    for number in range(60):
        mails = [f"p{world.randrange(40)}@example.org" for _ in range(world.choice([0, 1, 1, 2]))]
        country = world.choice(["FR", "GB", "KR", "DE", "US"])
        refs.append(crm.person(f"crm-{number}", *dict.fromkeys(mails), country=country, stage="client"))
        for _ in range(world.choice([0, 0, 1, 2])):
            event = world.choice(
                ["purchase", "purchase", "negotiation", "charity_support", "contract_signed"]
            )
            ago = timedelta(days=world.choice([1, 170, 183, 186, 400]))
            happened(
                crm,
                refs[-1],
                event,
                mail=world.choice([None, *mails]),
                product_family=world.choice(["shoes", "shoes", "wine", None]),
                opt_out_offered=world.choice([True, True, True, False, None]),
                occurred_at=clock.now() - ago,
            )
        if world.random() < 0.1:
            crm.said(refs[-1], "withdrawn")
    merged = set()
    for _ in range(12):
        gone, stays = world.sample(range(60), 2)
        if not {gone, stays} & merged:
            merged |= {gone, stays}
            with crm.runtime.work("acme", ACTOR) as work:
                consents.merge(work, refs[gone], refs[stays])
    outcomes: set[bool] = set()
    for properties in ({}, SHOES, {"product_family": "wine"}, {"channel": "sms", **SHOES}):
        for days in (0, 12):
            found = streamed(crm, properties, days=days)
            part = Selection(subject_refs=refs[:30])
            for who, answer in streamed(crm, properties, part, days).items():
                assert found[who] == answer
            for who, answer in found.items():
                record = crm.check(who, time=clock.now() + timedelta(days=days), **properties)
                assert set(record.codes) == {code for _, codes in answer for code in codes}, (who, properties)
                permitted = {point for point, codes in answer if point is not None and not codes}
                assert {each.ref for each in record.contact_points} == permitted
                outcomes.add(record.allowed)
    assert outcomes == {True, False}


def test_the_query_for_one_person_reads_no_other_tenants_rows(small: "Crm") -> None:
    ref = small.person("crm-1", MAIL, country="FR", stage="client")
    happened(small, ref)
    with small.runtime.snapshot("acme", ACTOR) as snap:
        gate = open_gate(snap)
        asked = gate.asked(small.request("crm-1", **SHOES))
        query = dealings.offered()
        mine, theirs = (
            snap.connection.execute(query, {"tenant": tenant, **dealings.values(asked)}).all()
            for tenant in ("acme", "other")
        )
    assert len(mine) == 1
    assert theirs == []
