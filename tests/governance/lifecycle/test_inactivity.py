"""Who does nothing for long: the warning, the review, the reset, and everything that stops it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.bootstrap import Runtime
from governance.communications import service as communications
from governance.communications.messages import OutcomeReport, SendRequest
from governance.communications.model import read_check
from governance.consent import service as consents
from governance.consent.service import NewConsent
from governance.errors import ConflictError, NotFoundError
from governance.ledger import service as ledger
from governance.lifecycle import inactivity
from governance.lifecycle import service as lifecycle
from governance.lifecycle.review_store import ENDED, KEPT, OPEN, RESET, Review
from governance.policy import service as policies
from governance.purposes import service as purposes
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.model import SubjectReference
from governance.subjects.service import SubjectChange
from retention_jobs import reset_inactive
from tests.conftest import ACTOR, HandClock

DAY = timedelta(days=1)
START = datetime.fromisoformat("2026-11-21T10:00:00+00:00")


class Firm:
    """An installation with a clock, told what happens."""

    def __init__(self, runtime: Runtime, clock: HandClock) -> None:
        self.runtime, self.clock = runtime, clock

    def client(self, external_id: str = "crm-1", *, ended: bool = True) -> str:
        email = Identifier("email", f"{external_id}@example.org")
        change = SubjectChange(relationship="lead", country="US", identifiers=[email])
        with self.runtime.work("acme", ACTOR) as work:
            ref = subjects.put(work, external_id, change).subject_ref
            lifecycle.transition(
                work, ref, model="relationship", to="client", evidence={"contract_reference": "C-1"}
            )
        if ended:
            self.happened(ref, "contract_ended")
        return ref

    def happened(self, ref: str, event: str) -> None:
        with self.runtime.work("acme", ACTOR) as work:
            subjects.record_event(work, ref, event=event)

    def run(self) -> int:
        return reset_inactive.run(self.runtime)

    def until(self, days: int) -> int:
        """Let days since the start pass, then run the job."""
        self.clock.at = START + timedelta(days=days)
        return self.run()

    def reviews(self, state: str = OPEN) -> list[Review]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return inactivity.reviews(snap, state=state)

    def stage(self, ref: str) -> str | None:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return subjects.get_by_ref(snap, ref).stage_relationship

    def kinds(self, ref: str) -> list[str]:
        with self.runtime.snapshot("acme", ACTOR) as snap:
            return [one.kind for one in ledger.entries(snap.connection, "acme", subject_ref=ref, limit=500)]


@pytest.fixture
def firm(any_runtime: Runtime, clock: HandClock) -> Firm:
    return Firm(any_runtime, clock)


@pytest.fixture
def small(runtime: Runtime, clock: HandClock) -> Firm:
    return Firm(runtime, clock)


def test_a_client_who_does_nothing_for_two_years_is_warned_of_reviewed_and_becomes_a_lead(firm: Firm) -> None:
    ref = firm.client()
    assert firm.until(700) == 0
    assert firm.reviews() == []
    assert firm.until(701) == 0
    (waiting,) = firm.reviews()
    assert waiting.due_at == START.replace(year=2028)
    assert waiting.resets_at == waiting.due_at + 14 * DAY
    assert firm.kinds(ref)[-1] == "lifecycle.reset_warned"
    assert firm.stage(ref) == "client"
    assert firm.until(731 + 13) == 0
    assert len(firm.reviews()) == 1
    assert firm.until(731 + 14) == 1
    assert firm.stage(ref) == "lead"
    (done,) = firm.reviews(RESET)
    assert done.review_id == waiting.review_id
    assert firm.run() == 0
    assert firm.reviews() == []
    with firm.runtime.snapshot("acme", ACTOR) as snap:
        entry = ledger.entry(snap.connection, "acme", done.event_id)
    assert entry.kind == "lifecycle.moved"
    assert (entry.facts["trigger"], entry.facts["to"]) == ("inactivity", "lead")
    assert entry.actor_ref == "job:reset-inactive"


def test_the_review_says_what_lapses_on_reset(small: Firm) -> None:
    small.client()
    small.until(701)
    with small.runtime.snapshot("acme", ACTOR) as snap:
        (shown,) = inactivity.documents(snap, inactivity.reviews(snap))
    assert (shown["subject"], shown["phase"]) == ("crm-1", "warned")
    assert shown["consequences"]["lawful_bases_lost"] == ["contract", "legal_obligation"]
    assert {"customer_offer", "onboarding", "service"} <= set(shown["consequences"]["messages_now_blocked"])
    assert {"clock": "lead-inactivity", "change": "started", "at": shown["resets_at"]} in shown[
        "consequences"
    ]["retention_clocks"]
    small.clock.at = START + timedelta(days=732)
    with small.runtime.snapshot("acme", ACTOR) as snap:
        assert inactivity.documents(snap, inactivity.reviews(snap))[0]["phase"] == "grace"


def test_a_reset_by_hand_says_what_to_let_go_of(small: Firm) -> None:
    ref = small.client()
    with small.runtime.work("acme", ACTOR) as work:
        done = lifecycle.transition(
            work, ref, model="relationship", to="lead", because="requirements changed", dry_run=True
        )
    assert done.allowed
    assert done.consequences.obligations == (
        "rest-nothing-on-the-former-contract",
        "take-away-access-of-the-contract",
    )


@pytest.mark.parametrize(
    "matter",
    ["contract_signed", "subscription_started", "invoice_opened", "warranty_opened", "complaint_opened"],
)
def test_nobody_is_reset_while_something_is_open(small: Firm, matter: str) -> None:
    ref = small.client()
    small.happened(ref, matter)
    assert small.until(900) == 0
    assert small.reviews() == []
    assert small.until(1000) == 0
    assert small.stage(ref) == "client"


def test_what_opens_after_the_warning_calls_the_reset_off(firm: Firm) -> None:
    ref = firm.client()
    firm.until(701)
    firm.happened(ref, "invoice_opened")
    assert firm.until(760) == 0
    (ended,) = firm.reviews(ENDED)
    assert ended.closed_because == "transition-not-allowed"
    assert firm.stage(ref) == "client"
    firm.happened(ref, "invoice_closed")
    firm.run()
    (again,) = firm.reviews()
    assert again.due_at == firm.clock.now() + 30 * DAY, "a warning that comes late is given in full"


@pytest.mark.parametrize("act", ["purchase", "inquiry", "meaningful_contact"])
def test_a_meaningful_act_after_the_warning_calls_the_reset_off(small: Firm, act: str) -> None:
    ref = small.client()
    small.until(701)
    small.clock.forward(DAY)
    small.happened(ref, act)
    assert small.until(760) == 0
    assert [one.closed_because for one in small.reviews(ENDED)] == ["acted"]
    assert small.reviews() == []
    assert small.kinds(ref)[-1] == "lifecycle.reset_called_off"
    small.until(701 + 732)
    assert len(small.reviews()) == 1


def sent(firm: Firm, ref: str) -> None:
    """Authorise a service message to the person."""
    asked = read_check(
        SubjectReference(id="crm-1"),
        {"channel": "email", "message_class": "service", "purpose": "service"},
        {},
    )
    with firm.runtime.work("acme", ACTOR) as work:
        assert communications.authorise(work, SendRequest("m-1", asked)).allowed


def became(firm: Firm, outcome: str) -> bool:
    with firm.runtime.work("acme", ACTOR) as work:
        return communications.outcome(work, "m-1", OutcomeReport(outcome)).kept


@pytest.mark.parametrize(
    ("outcome", "tracked", "counts"),
    [
        ("clicked", True, True),
        ("clicked", False, False),  # it may not be kept, so it may not be used either
        ("opened", True, False),
        ("delivered", False, False),
        ("replied", False, True),
    ],
)
def test_a_click_and_a_reply_count_an_open_does_not(
    small: Firm, outcome: str, tracked: bool, counts: bool
) -> None:
    ref = small.client()
    if tracked:
        body = {
            "title": "Tracking",
            "owner": "marketing",
            "lawful_basis": "consent",
            "message_classes": ["newsletter"],
        }
        granted = NewConsent(ref, "tracking", "granted", "web_form", channel="email")
        with small.runtime.work("acme", ACTOR) as work:
            purposes.put(work, "tracking", body, None)
            consents.record(work, granted)
    sent(small, ref)
    small.clock.at = START + timedelta(days=690)
    assert became(small, outcome) == (tracked or counts or outcome == "delivered")
    small.until(701)
    assert len(small.reviews()) == (0 if counts else 1)


def test_somebody_may_be_kept_by_hand_with_a_reason_and_only_once(firm: Firm) -> None:
    ref = firm.client()
    firm.until(740)
    (waiting,) = firm.reviews()
    with firm.runtime.work("acme", ACTOR) as work:
        kept = inactivity.keep(work, waiting.review_id, because="Ms Doe is on parental leave")
    assert kept.state == KEPT
    assert kept.kept_until == firm.clock.now().replace(year=2030)
    with firm.runtime.work("acme", ACTOR) as work, pytest.raises(ConflictError):
        inactivity.keep(work, waiting.review_id, because="again")
    assert firm.until(900) == 0
    assert (firm.reviews(), firm.stage(ref)) == ([], "client")
    firm.clock.at = kept.kept_until + DAY
    firm.run()
    assert len(firm.reviews()) == 1
    for file in firm.runtime.settings.data_dir.rglob("*"):
        assert not file.is_file() or b"parental leave" not in file.read_bytes()


def test_a_review_of_nobody_is_not_found(small: Firm) -> None:
    with small.runtime.work("acme", ACTOR) as work, pytest.raises(NotFoundError):
        inactivity.keep(work, "rvw_none", because="why")


def test_who_is_merged_away_or_moved_or_restricted_is_not_reset(small: Firm) -> None:
    gone, moved, still = small.client("crm-1"), small.client("crm-2"), small.client("crm-3")
    small.until(701)
    assert len(small.reviews()) == 3
    with small.runtime.work("acme", ACTOR) as work:
        subjects.move_to(work, gone, subjects.put(work, "crm-9", SubjectChange()).subject_ref)
        lifecycle.transition(work, moved, model="relationship", to="churned")
        subjects.set_restriction(work, still, True)
    assert small.until(760) == 0
    told = {one.subject_ref: one.closed_because for one in small.reviews(ENDED)}
    assert told == {gone: "merged", moved: "stage-changed", still: "restricted"}


def test_a_job_that_did_not_run_for_years_still_warns_first(small: Firm) -> None:
    ref = small.client()
    assert small.until(3000) == 0
    assert small.until(3000 + 43) == 0
    assert small.until(3000 + 44) == 1
    assert small.stage(ref) == "lead"


def test_a_tenant_sets_its_own_time_by_its_own_copy_of_the_model(small: Firm, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "lifecycle"
    folder.mkdir(parents=True)
    for name in ("relationship.yaml", "relationship.cases.yaml"):
        text = (policies.SHIPPED / "lifecycle" / name).read_text()
        text = text.replace("after: 24 months", "after: 6 months")
        (folder / name).write_text(text.replace("2024-11-22T15:00:00Z", "2026-05-22T15:00:00Z"))
    with small.runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=policies.shipped_documents(tmp_path / "own"))
    ref = small.client()
    small.until(152)
    assert len(small.reviews()) == 1
    assert small.until(200) == 1
    assert small.stage(ref) == "lead"


def test_a_model_of_the_tenant_s_own_may_lapse_too_and_is_as_careful(
    any_runtime: Runtime, clock: HandClock, tmp_path: Path
) -> None:
    firm = Firm(any_runtime, clock)
    folder = tmp_path / "own" / "lifecycle"
    folder.mkdir(parents=True)
    (folder / "trial.yaml").write_text(
        "model: trial\ntitle: Trial\nstages:\n  on: {means: Tries it.}\n  off: {means: Does not.}\n"
        "because: Trials end.\ncites: [House rule 1]\nremedy: Ask.\n"
        "transitions:\n  - {id: begins, from: [none], to: on, because: A trial begins.}\n"
        "inactivity:\n  - {from: on, to: off, after: 60 days, warning: 10 days, grace: 5 days}\n"
    )
    (folder / "trial.cases.yaml").write_text(
        "pack: trial\nnow: 2026-11-21T15:00:00Z\ncases:\n"
        "  - name: begins\n    facts: {transition.model: trial, transition.from: none, transition.to: on}\n"
        "    expect: {allowed: true}\n"
        "  - name: ends\n    facts: {transition.model: trial, transition.from: 'on', transition.to: 'off',"
        " transition.trigger: inactivity, relationship.last_act_age: 60 days, contract.state: none,"
        " subscription.state: none}\n    expect: {allowed: true}\n"
    )
    with any_runtime.work("acme", ACTOR) as work:
        policies.adopt(work, documents=policies.shipped_documents(tmp_path / "own"))
    free, bound = firm.client("crm-1"), firm.client("crm-2", ended=False)
    for ref in (free, bound):
        with any_runtime.work("acme", ACTOR) as work:
            assert lifecycle.transition(work, ref, model="trial", to="on").allowed
    firm.until(50)
    assert [one.subject_ref for one in firm.reviews()] == [free]
    assert firm.until(66) == 1
    with any_runtime.snapshot("acme", ACTOR) as snap:
        found: dict[str, Any] = {ref: subjects.stages(snap, ref)["trial"][0] for ref in (free, bound)}
    assert found == {free: "off", bound: "on"}
