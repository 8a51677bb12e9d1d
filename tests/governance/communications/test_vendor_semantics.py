"""Microsoft's truth table for Customer Insights - Journeys, cell by cell, through the real gate.

How each setting is said here: `docs/coming-from-microsoft.md`.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import Runtime, assemble
from governance.communications import service as communications
from governance.communications.messages import OutcomeReport
from governance.consent import service as consents
from governance.consent.service import NewObjection, NewSuppression
from governance.errors import ConflictError
from governance.policy import service as policies
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.work import Work
from tests.conftest import ACTOR, HandClock, settings_in
from tests.governance.communications.conftest import Crm
from tests.governance.communications.test_stream import checked, populate, streamed

FIXTURE = Path(__file__).parents[2] / "fixtures/vendor-semantics/microsoft-customer-insights-journeys.json"
TABLE = json.loads(FIXTURE.read_text(encoding="utf-8"))
MODELS = {"restrictive": "opt_in", "nonrestrictive": "opt_out", "disabled": "law"}
SAID = {"opted_out": "withdrawn", "not_set": None, "opted_in": "granted"}
ADOPTED = policies.SHIPPED / "vendor" / "microsoft"
CLASSES = ["promotional", "newsletter", "customer_offer", "transactional", "service"]
COMMERCIAL = {"message_class": "promotional"}
TRANSACTIONAL = {"message_class": "transactional"}
HOUR = timedelta(hours=1)


class Journeys(Crm):
    """A tenant that came from there: the packs adopted, and a purpose of each enforcement model."""

    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        super().__init__(runtime)
        self.clock = clock
        clock.forward(timedelta(hours=8))  # one o'clock in New York: no quiet hours
        for model in MODELS:
            self.purpose(model, model)

    def purpose(self, purpose_id: str, model: str, version: int | None = None) -> None:
        body = {
            "title": purpose_id,
            "owner": "marketing",
            "lawful_basis": "legitimate_interests",
            "message_classes": CLASSES,
            "permission": MODELS[model],
        }
        with self.runtime.work("acme", ACTOR) as work:
            purposes.put(work, purpose_id, body, version)

    def customer(self, external_id: str, **named: Any) -> str:
        values = {"stage": "client", "region": "US-NY", "time_zone": "America/New_York", **named}
        return self.person(external_id, f"{external_id}@example.org", **values)

    def says(self, ref: str, consent: str, **named: Any) -> None:
        """An opt-in or opt-out by the person; nothing for `not_set`. Later ones are said later."""
        status = SAID[consent]
        if status is not None:
            self.clock.forward(timedelta(seconds=1))
            self.said(ref, status, **named)

    def tracked(self, message_id: str) -> bool:
        with self.runtime.work("acme", ACTOR) as work:
            return communications.outcome(work, message_id, OutcomeReport("opened")).kept


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that has adopted the packs: checked once, copied for each test."""
    folder = tmp_path_factory.mktemp("template-journeys") / "data"
    shutil.copytree(sqlite_template, folder)
    runtime = assemble(settings_in(folder), clock=HandClock())
    try:
        with runtime.work("acme", ACTOR) as work:
            policies.adopt(work, documents=policies.shipped_documents(ADOPTED))
    finally:
        runtime.close()
    return folder


@pytest.fixture
def journeys(template: Path, tmp_path: Path, clock: HandClock) -> Iterator[Journeys]:
    shutil.copytree(template, tmp_path / "data")
    runtime = assemble(settings_in(tmp_path / "data"), clock=clock)
    yield Journeys(runtime, clock)
    runtime.close()


def cells(table: str) -> list[tuple[str, str, str]]:
    return [(model, consent, told) for model, row in TABLE[table].items() for consent, told in row.items()]


def test_every_cell_of_message_enforcement_is_equal(journeys: Journeys) -> None:
    assert len(cells("message_enforcement")) == 9
    for number, (model, consent, told) in enumerate(cells("message_enforcement")):
        ref = journeys.customer(f"crm-{number}")
        journeys.says(ref, consent, purpose=model)
        # Under the law a message of the disabled model is one that is not commercial.
        for kind in [TRANSACTIONAL] if model == "disabled" else [TRANSACTIONAL, COMMERCIAL]:
            question = {"purpose": model, **kind}
            name = f"m-{number}-{kind['message_class']}"
            assert journeys.check(f"crm-{number}", **question).allowed is (told == "sent"), question
            assert journeys.authorise(name, f"crm-{number}", **question).allowed is (told == "sent")


def test_the_disabled_model_sends_no_advertising_after_a_no(journeys: Journeys) -> None:
    """The one thing that a setting cannot buy: the law of every place forbids it."""
    journeys.says(journeys.customer("crm-1"), "opted_out", purpose="disabled")
    assert journeys.check("crm-1", purpose="disabled", **COMMERCIAL).codes == ("consent-withdrawn",)
    assert journeys.check("crm-1", purpose="disabled", **TRANSACTIONAL).allowed


def test_every_cell_of_tracking_enforcement_is_equal(journeys: Journeys) -> None:
    assert len(cells("tracking_enforcement")) == 9
    for version, (model, row) in enumerate(TABLE["tracking_enforcement"].items()):
        journeys.purpose("tracking", model, version or None)
        for consent, told in row.items():
            person = f"crm-{model}-{consent}"
            journeys.says(journeys.customer(person), consent, purpose="tracking")
            message = f"m-{model}-{consent}"
            assert journeys.authorise(message, person, purpose="disabled", **TRANSACTIONAL).allowed
            assert journeys.tracked(message) is (told == "tracked"), (model, consent)


def test_where_consent_is_the_rule_no_setting_tracks_without_it(journeys: Journeys) -> None:
    """Not in Germany, not where nobody knows, and not for messages that the record of tracking leaves out."""
    body = {"title": "Tracking", "owner": "x", "lawful_basis": "legitimate_interests", "permission": "law"}
    with journeys.runtime.work("acme", ACTOR) as work:
        purposes.put(work, "tracking", body | {"message_classes": ["transactional"]}, None)
    for country, kind in (("DE", "transactional"), (None, "transactional"), ("US", "service")):
        person = f"crm-{country}-{kind}"
        ref = journeys.customer(person, region=None, time_zone=None, country=country)
        assert journeys.authorise(person, person, purpose="disabled", message_class=kind).allowed
        assert not journeys.tracked(person), (country, kind)
        journeys.said(ref, "granted", purpose="tracking")
        journeys.clock.forward(HOUR)
        assert journeys.tracked(person)


def test_nobody_is_tracked_without_a_yes_unless_the_record_says_so(small: Crm) -> None:
    small.person("crm-1", "a@example.org")
    small.authorise("m-1", "crm-1")
    with small.runtime.work("acme", ACTOR) as work:
        assert not communications.outcome(work, "m-1", OutcomeReport("opened")).kept


def test_defaults(journeys: Journeys) -> None:
    """What a purpose gets whose record says nothing: the defaults of there are those of here."""
    defaults = TABLE["defaults"]
    assert defaults["commercial"] == "nonrestrictive"
    assert defaults["transactional"] == "disabled"
    mail = {
        "commercial": {"purpose": "marketing", **COMMERCIAL},
        "transactional": {"purpose": "contract", **TRANSACTIONAL},
    }
    for kind, consent in product(mail, SAID):
        person = f"crm-{kind}-{consent}"
        journeys.says(journeys.customer(person), consent, purpose=mail[kind]["purpose"])
        told = TABLE["message_enforcement"][defaults[kind]][consent]
        assert journeys.check(person, **mail[kind]).allowed is (told == "sent"), (kind, consent)


def test_defaults_of_the_other_channels(journeys: Journeys) -> None:
    defaults = TABLE["defaults"]
    assert defaults["commercial_sms_or_custom_channel"] == "opt-in always needed"
    assert defaults["voice"] == "restrictive"
    told = TABLE["message_enforcement"]["restrictive"]
    for number, (channel, consent) in enumerate(product(("sms", "push", "voice"), SAID)):
        person = f"crm-{channel}-{consent}"
        ref = journeys.customer(person)
        if channel != "push":
            with journeys.runtime.work("acme", ACTOR) as work:
                subjects.ensure_point(work, ref, "phone", f"+1202555010{number}")
        journeys.says(ref, consent, channel=channel, purpose="nonrestrictive")
        asked = {"channel": channel, "purpose": "nonrestrictive", "message_class": "customer_offer"}
        asked |= {"call_mode": "live"} if channel == "voice" else {}
        assert journeys.check(person, **asked).allowed is (told[consent] == "sent"), person


def counts_as(parent: str, topic: str) -> str:
    """What a person's words about a purpose and its topic come to for a message on the topic."""
    if parent == "opted_out":
        return "opted_out"
    return "not_set" if topic == "opted_in" and parent != "opted_in" else topic


def test_the_parent_purpose_is_checked_before_the_topic_whichever_was_said_first(journeys: Journeys) -> None:
    cases = product(("restrictive", "nonrestrictive"), SAID, SAID, ("parent", "topic"))
    for model, parent, topic, first in cases:
        person = f"crm-{model}-{parent}-{topic}-{first}"
        ref = journeys.customer(person)
        for act in ("parent", "topic") if first == "parent" else ("topic", "parent"):
            named = {} if act == "parent" else {"topic": "spring"}
            journeys.says(ref, parent if act == "parent" else topic, purpose=model, **named)
        answer = journeys.check(person, purpose=model, topic="spring", **COMMERCIAL)
        told = TABLE["message_enforcement"][model][counts_as(parent, topic)]
        assert answer.allowed is (told == "sent"), (person, answer.codes)


def end(work: Work, ref: str, purpose: str | None, channel: str | None) -> None:
    consents.withdraw(
        work, ref, purpose=purpose, channel=channel, topic=None, point_ref=None, method="web_form"
    )


NOES: dict[str, Callable[[Work, str, str], object]] = {
    "person": lambda work, ref, _: consents.object_(work, NewObjection(ref, "all", method="web_form")),
    "channel": lambda work, ref, _: end(work, ref, None, "email"),
    "purpose": lambda work, ref, purpose: end(work, ref, purpose, None),
    "suppression": lambda work, ref, _: consents.suppress(work, NewSuppression("marketing", subject_ref=ref)),
}


def test_a_no_of_the_person_or_channel_beats_a_yes_to_a_topic_whichever_came_first(
    journeys: Journeys,
) -> None:
    question = {"purpose": "nonrestrictive", "topic": "spring", **COMMERCIAL}
    for level, first in product(NOES, ("no", "topic")):
        person = f"crm-{level}-{first}"
        ref = journeys.customer(person)
        assert journeys.check(person, **question).allowed
        for act in ("no", "topic") if first == "no" else ("topic", "no"):
            journeys.clock.forward(timedelta(seconds=1))
            if act == "topic":
                journeys.said(ref, "granted", purpose="nonrestrictive", topic="spring")
                continue
            with journeys.runtime.work("acme", ACTOR) as work:
                NOES[level](work, ref, "nonrestrictive")
        assert not journeys.check(person, **question).allowed, person


def test_a_later_no_beats_a_yes_to_a_topic_without_any_vendor_pack(small: Crm, clock: HandClock) -> None:
    for level in NOES:
        person = f"crm-{level}"
        ref = small.person(person, f"{person}@example.org")
        small.said(ref, "granted", topic="spring", purpose="newsletter")
        asked = {"purpose": "newsletter", "message_class": "newsletter", "topic": "spring"}
        assert small.check(person, **asked).allowed
        clock.forward(HOUR)
        with small.runtime.work("acme", ACTOR) as work:
            NOES[level](work, ref, "newsletter")
        assert not small.check(person, **asked).allowed, level


def leave(journeys: Journeys, message_id: str, headers: dict[str, str]) -> None:
    journeys.clock.forward(HOUR)
    token = headers["List-Unsubscribe"].strip("<>").rsplit("/", 1)[1]
    with journeys.runtime.work("acme", ACTOR) as work:
        communications.unsubscribe_by(work, token)


def test_one_click_ends_the_topic_if_the_message_had_one_else_the_purpose(journeys: Journeys) -> None:
    journeys.customer("crm-1")
    mail = {"purpose": "nonrestrictive", **COMMERCIAL}
    on_spring = journeys.authorise("m-1", "crm-1", topic="spring", **mail)
    on_nothing = journeys.authorise("m-2", "crm-1", **mail)
    leave(journeys, "m-1", dict(on_spring.headers))
    assert not journeys.check("crm-1", topic="spring", **mail).allowed
    assert journeys.check("crm-1", topic="autumn", **mail).allowed
    leave(journeys, "m-2", dict(on_nothing.headers))
    assert not journeys.check("crm-1", topic="autumn", **mail).allowed
    assert journeys.check("crm-1", purpose="marketing", **COMMERCIAL).allowed


def test_leaving_ends_what_the_message_was_sent_for_even_if_it_was_edited_or_the_contact_point_is_gone(
    journeys: Journeys,
) -> None:
    ref = journeys.customer("crm-1")
    mail = {"purpose": "nonrestrictive", **COMMERCIAL}
    sent = journeys.authorise("m-1", "crm-1", topic="spring", **mail)
    with pytest.raises(ConflictError, match="message_id"):
        journeys.authorise("m-1", "crm-1", topic="autumn", **mail)
    with journeys.runtime.work("acme", ACTOR) as work:
        for point in subjects.points(work, ref):
            subjects.set_point_state(work, ref, point.point_ref, "closed")
        subjects.ensure_point(work, ref, "email", "new@example.org")
    leave(journeys, "m-1", dict(sent.headers))
    assert not journeys.check("crm-1", topic="spring", **mail).allowed
    assert journeys.check("crm-1", topic="autumn", **mail).allowed


def test_one_click_headers_only_on_commercial_mail(journeys: Journeys) -> None:
    journeys.customer("crm-1")
    assert journeys.authorise("m-1", "crm-1", purpose="nonrestrictive", **COMMERCIAL).headers
    for model in MODELS:
        plain = journeys.authorise(f"m-{model}", "crm-1", purpose=model, **TRANSACTIONAL)
        assert plain.allowed is (model != "restrictive")
        assert plain.headers == {}


def test_a_screening_gives_the_same_answers(journeys: Journeys) -> None:
    ids = populate(journeys, journeys.clock, 60, seed=3)
    answers = checked(journeys, ids, journeys.clock, topic="spring")
    assert streamed(journeys, topic="spring") == answers
    assert {allowed for allowed, *_ in answers.values()} == {True, False}


def test_every_rule_of_the_vector_has_its_test() -> None:
    assert len(TABLE["topic_rules"]) == 6
    assert set(TABLE["message_enforcement"]) == set(TABLE["tracking_enforcement"]) == set(MODELS)
    assert all(set(row) == set(SAID) for row in TABLE["message_enforcement"].values())
