"""The stream and the single check must give the same answer for everybody."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from governance.communications import facts
from governance.communications import service as communications
from governance.communications.gate import open_gate
from governance.communications.model import ACTION
from governance.communications.narrowing import narrowed, reached
from governance.communications.selection import EVERYONE, Selection
from governance.communications.stream import vectors
from governance.consent import service as consents
from governance.consent.service import NewObjection, NewSuppression
from governance.database import Instant
from governance.decisions.model import decide
from governance.policy.durations import Duration, cutoff
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from tests.conftest import ACTOR, HandClock

if TYPE_CHECKING:
    from tests.governance.communications.conftest import Crm

COUNTRIES = ["US", "DE", "CA", "FR", "IN", "KR", "GB", None]
STAGES = ["lead", "contact", "client", "active_service", "dormant", "churned"]
EVENTS = [
    "purchase",
    "inquiry",
    "contract_signed",
    "contract_ended",
    "subscription_started",
    "subscription_ended",
    "negotiation",
    "charity_support",
]


def populate(crm: "Crm", clock: HandClock, count: int, seed: int) -> list[str]:
    """People of every kind: with and without addresses (some shared), events, yeses, noes, bars."""
    world = random.Random(seed)
    ids = []
    for number in range(count):
        external_id = f"crm-{number}"
        ids.append(external_id)
        emails = [f"p{world.randrange(count)}@example.org" for _ in range(world.choice([0, 0, 1, 1, 2]))]
        ref = crm.person(
            external_id,
            *dict.fromkeys(emails),
            country=world.choice(COUNTRIES),
            stage=world.choice(STAGES),
            customer_type=world.choice(["consumer", "business", None]),
            birth_date=world.choice(
                [None, None, date(world.randrange(2005, 2016), world.randrange(1, 13), 9)]
            ),
        )
        with crm.runtime.work("acme", ACTOR) as work:
            for event in world.sample(EVENTS, world.choice([0, 0, 1, 2])):
                then = clock.now() - timedelta(days=world.randrange(900), seconds=world.randrange(86400))
                subjects.record_event(
                    work,
                    ref,
                    event=event,
                    occurred_at=then,
                    product_family=world.choice([None, "shoes", "shoes", "wine"]),
                    point_ref=world.choice([None, *crm_points(work, ref)]),
                    opt_out_offered=world.choice([None, True, True, False]),
                )
        for _ in range(world.choice([0, 0, 1, 2])):
            status = world.choice(["granted", "granted", "withdrawn", "refused", "requested"])
            is_no = status in ("withdrawn", "refused")
            crm.said(
                ref,
                status,
                purpose=world.choice(
                    ["marketing", "marketing", "newsletter", None if is_no else "marketing"]
                ),
                channel=world.choice(["email", "sms", None]),
                topic=world.choice([None, None, "spring"]),
                occurred_at=clock.now() - timedelta(days=world.randrange(500)),
                expires_at=None if is_no else world.choice([None, clock.now() + timedelta(days=30)]),
                guardian=world.choice([None, None, {"name": "Grace", "verified_by": "card"}]),
                night=status != "requested" and world.random() < 0.2,
            )
        with crm.runtime.work("acme", ACTOR) as work:
            if world.random() < 0.1:
                consents.object_(work, NewObjection(ref, "all"))
            if world.random() < 0.1:
                consents.suppress(work, NewSuppression("undeliverable", subject_ref=ref, channel="email"))
            if emails and world.random() < 0.1:
                point = Identifier("email", emails[0])
                consents.suppress(work, NewSuppression("marketing", contact_point=point))
            if world.random() < 0.1:
                subjects.set_restriction(work, ref, restricted=True)
        if emails and world.random() < 0.2:
            with crm.runtime.work("acme", ACTOR) as work:
                for point_ref in list(crm_points(work, ref))[:1]:
                    subjects.set_point_state(work, ref, point_ref, world.choice(["closed", "undeliverable"]))
    return ids


def crm_points(work: object, ref: str) -> list[str]:
    return [point.point_ref for point in subjects.points(work, ref)]  # type: ignore[arg-type]


Streamed = dict[str, tuple[bool, frozenset[str], frozenset[str], frozenset[str]]]


def streamed(crm: "Crm", selection: Selection = EVERYONE, days: int = 0, **more: object) -> Streamed:
    """Everybody's answer by the stream: allowed, codes, obligations, permitted points."""
    found: Streamed = {}
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        gate = open_gate(snap)
        policy = gate.ground.policy
        asked = gate.asked(crm.request("crm-0", **more))
        people = vectors(
            snap.connection,
            "acme",
            asked,
            policy,
            snap.now + timedelta(days=days),
            selection,
            evaluate=lambda vector: decide(policy, ACTION, vector),
        )
        for subject_ref, worlds in people:
            external_id = subjects.get_by_ref(snap, subject_ref).external_id
            assert external_id not in found
            found[external_id] = (
                all(verdict.allowed for _, verdict in worlds),
                frozenset(reason.code for _, verdict in worlds for reason in verdict.reasons),
                frozenset(each for _, verdict in worlds for each in verdict.obligations),
                frozenset(ref for ref, verdict in worlds if ref is not None and verdict.allowed),
            )
    return found


def checked(crm: "Crm", ids: Sequence[str], clock: HandClock, days: int = 0, **more: object) -> Streamed:
    """Everybody's answer by single checks."""
    found: Streamed = {}
    for external_id in ids:
        record = crm.check(external_id, time=clock.now() + timedelta(days=days), **more)
        found[external_id] = (
            record.allowed,
            frozenset(record.codes),
            frozenset(record.verdict.obligations),
            frozenset(point.ref for point in record.contact_points),
        )
    return found


def test_the_stream_gives_everybody_the_answer_of_the_single_check(crm: "Crm", clock: HandClock) -> None:
    ids = populate(crm, clock, 80, seed=11)
    for more in (
        {},
        {"topic": "spring"},
        {"message_class": "newsletter", "purpose": "newsletter"},
        {"message_class": "transactional", "purpose": "contract"},
        {"message_class": "consent_request"},
        {"channel": "sms"},
        {"product_family": "shoes"},
        {"product_family": "hats"},
    ):
        found = streamed(crm, **more)
        assert found == checked(crm, ids, clock, **more), more
    answers = streamed(crm)
    assert 0 < sum(allowed for allowed, *_ in answers.values()) < len(ids)
    assert streamed(crm, days=200) == checked(crm, ids, clock, days=200)
    assert streamed(crm, days=200) != answers


def test_the_stream_passes_over_a_selection_only(crm: "Crm") -> None:
    refs = {
        country: crm.person(f"crm-{country}", country=country, stage=stage)
        for country, stage in (("US", "lead"), ("DE", "lead"), ("CA", "client"))
    }
    assert set(streamed(crm, Selection(country=("DE", "CA")))) == {"crm-DE", "crm-CA"}
    assert set(streamed(crm, Selection(relationship=("lead",), country=("DE", "CA")))) == {"crm-DE"}
    assert set(streamed(crm, Selection(subject_refs=[refs["US"], refs["CA"], refs["US"]]))) == {
        "crm-US",
        "crm-CA",
    }
    assert streamed(crm, Selection(subject_refs=[])) == {}


def test_a_merged_record_is_not_counted(crm: "Crm") -> None:
    first, second = crm.person("crm-1"), crm.person("crm-2")
    with crm.runtime.work("acme", ACTOR) as work:
        consents.merge(work, second, first)
    assert set(streamed(crm)) == {"crm-1"}


def test_several_people_are_read_as_one_by_one(crm: "Crm") -> None:
    refs = [crm.person(f"crm-{number}", f"p{number}@example.org") for number in range(5)]
    crm.said(refs[2], "withdrawn")
    named = {"point_type": "email", "purpose": "marketing", "channel": "email"}
    with crm.runtime.snapshot("acme", ACTOR) as snap:
        ids = [f"crm-{number}" for number in reversed(range(5))]
        several = list(facts.rows(snap.connection, "acme", ids, **named))
        single = [facts.find(snap.connection, "acme", subject_ref=ref, **named) for ref in sorted(refs)]
    assert several == single


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 2, 28, 12, 30, tzinfo=UTC),
        datetime(2028, 2, 29, 0, 0, tzinfo=UTC),
        datetime(2026, 4, 30, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 31, 6, 0, tzinfo=UTC),
        datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    ],
)
def test_the_database_reduces_ages_exactly_as_the_rules_do(now: datetime) -> None:
    engine = sa.create_engine("sqlite://")
    table = sa.Table("anchors", sa.MetaData(), sa.Column("at", Instant))
    world = random.Random(3)
    for duration in (Duration(6, "month"), Duration(24, "month"), Duration(1, "month"), Duration(30, "day")):
        edge = cutoff(duration, now)
        anchors = {
            edge.surely,
            edge.possibly,
            edge.surely + timedelta(microseconds=1),
            edge.possibly + timedelta(microseconds=1),
        }
        anchors |= {edge.surely + timedelta(seconds=world.randrange(-400_000, 400_000)) for _ in range(300)}
        with engine.begin() as connection:
            table.drop(connection, checkfirst=True)
            table.create(connection)
            connection.execute(sa.insert(table), [{"at": anchor} for anchor in anchors])
            rows = connection.execute(sa.select(table.c.at).where(reached(table.c.at, edge))).scalars()
            assert set(rows) == {anchor for anchor in anchors if edge.reached(anchor)}


def test_a_key_is_read_back_as_the_facts_it_was_made_of() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    thresholds = {
        "relationship.last_purchase_age": (Duration(6, "month"), Duration(24, "month")),
        "person.age": (Duration(13, "year"), Duration(16, "year")),
    }
    used = [
        "person.restricted",
        "person.country",
        "relationship.last_purchase_age",
        "person.age",
        "message.class",
    ]
    key = narrowed(used, thresholds, now)
    # restricted 1 + 2 * (age digit 1 + bits 0b01) + 2 * 5 * (age digit 1 + bits 0b01)
    assert key.person((1 + 2 * 2 + 10 * 2, "DE")) == {
        "person.known": True,
        "person.restricted": True,
        "relationship.last_purchase_age": 1,
        "person.age": 1,
        "person.country": "DE",
    }


def test_the_history_names_no_row_of_another_tenant(small: "Crm") -> None:
    small.person("crm-1")
    with small.runtime.snapshot("acme", ACTOR) as snap:
        assert (
            facts.find(
                snap.connection,
                "other",
                external_id="crm-1",
                point_type="email",
                purpose="marketing",
                channel="email",
            )
            is None
        )
        assert communications.history(snap, "sub_none") == ([], None)
