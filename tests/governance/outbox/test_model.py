"""Which events a webhook wants, when a failed one is tried again, and CloudEvents of the right form."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from governance.clock import wire
from governance.egress.model import Attempt, read_retry_after
from governance.errors import InvalidError
from governance.events import Event
from governance.ledger.model import Entry, build_leaf
from governance.outbox.model import (
    GIVE_UP_AFTER,
    Webhook,
    check_types,
    check_webhook_id,
    cloud_event,
    delay,
    next_try,
)

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SCHEMA = json.loads((Path(__file__).parents[2] / "fixtures/cloudevents/cloudevents.schema.json").read_text())


def webhook(*types: str) -> Webhook:
    return Webhook("crm", "whk_1", "https://crm.example.org", types, "active", None, 1, None, NOW, NOW)


def entry(subject_ref: str | None = "sub_1") -> Entry:
    event = Event(
        "evt_1", "consent.withdrawn", NOW, "client_1", subject_ref, {"purpose": "marketing", "n": 1}
    )
    leaf = build_leaf(event, tenant_ref="tnt_1", position=7)
    return Entry(7, event.id, event.kind, subject_ref, event.actor_ref, NOW, leaf, bytes(32))


@pytest.mark.parametrize(
    ("types", "kind", "wanted"),
    [
        (("governance",), "consent.withdrawn", True),
        (("governance.consent",), "consent.withdrawn", True),
        (("governance.consent.withdrawn",), "consent.withdrawn", True),
        (("governance.consent.with",), "consent.withdrawn", False),
        (("governance.cons",), "consent.withdrawn", False),
        (("governance.subject", "governance.consent"), "consent.withdrawn", True),
        (("governance.subject",), "consent.withdrawn", False),
        (("governance.webhook",), "webhook.disabled", True),
        (("governance",), "webhook.undelivered", False),
    ],
)
def test_types_are_beginnings_in_whole_words(types: tuple[str, ...], kind: str, wanted: bool) -> None:
    assert webhook(*types).wants(kind) is wanted


def test_types_are_checked_sorted_and_named_once() -> None:
    assert check_types(["governance.subject.", "governance.consent", "governance.subject"]) == (
        "governance.consent",
        "governance.subject",
    )
    for wrong in ([], ["consent"], ["governance.*"], ["governance..x"], ["governanceconsent"], [""]):
        with pytest.raises(InvalidError):
            check_types(wrong)


@pytest.mark.parametrize("wrong", ["", "-a", "A", "a.b", "a@b", "a" * 65, "a b", "ä", "a\n"])
def test_an_id_that_may_not_stand_in_the_ledger_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidError):
        check_webhook_id(wrong)


def test_waiting_grows_and_is_spread() -> None:
    assert delay(1, 0.5) == timedelta(seconds=5)
    assert [delay(1, share) for share in (0.0, 1.0)] == [timedelta(seconds=4), timedelta(seconds=6)]
    waits = [delay(attempts, 0.5) for attempts in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=12)
    assert delay(10_000, 1.0) < timedelta(hours=15)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_an_event_is_tried_for_72_hours_and_then_given_up(share: float) -> None:
    at, attempts = NOW, 0
    while True:
        attempts += 1
        due = next_try(NOW, attempts, Attempt(at, 500), share)
        if due is None:
            break
        at = due
    assert GIVE_UP_AFTER - timedelta(hours=15) < at - NOW < GIVE_UP_AFTER
    assert 10 <= attempts <= 16


def test_retry_after_is_honoured_but_never_shortens_nor_lasts_more_than_a_day() -> None:
    def due(header: str | None) -> timedelta:
        found = next_try(NOW, 1, Attempt(NOW, 429, retry_after=read_retry_after(header, NOW)), 0.5)
        assert found is not None
        return found - NOW

    assert due(None) == due("0") == due("2") == timedelta(seconds=5)
    assert due("120") == timedelta(seconds=120)
    assert due("Sat, 21 Nov 2026 10:07:00 GMT") == timedelta(minutes=7)
    assert due("Sat, 21 Nov 2026 09:00:00 GMT") == timedelta(seconds=5)
    assert due("999999999") == timedelta(days=1)
    for nonsense in ("soon", "-5", "1.5", "", "Sat, 99 Nov 2026", "9" * 40):
        assert due(nonsense) == timedelta(seconds=5), nonsense


@pytest.mark.parametrize(
    ("status", "delivered", "gone", "code"),
    [
        (200, True, False, None),
        (204, True, False, None),
        (299, True, False, None),
        (199, False, False, "http-199"),
        (301, False, False, "redirect"),
        (307, False, False, "redirect"),
        (400, False, False, "http-400"),
        (410, False, True, "http-410"),
        (500, False, False, "http-500"),
        (None, False, False, "unreachable"),
    ],
)
def test_only_2xx_is_an_acknowledgement(
    status: int | None, delivered: bool, gone: bool, code: str | None
) -> None:
    attempt = Attempt(NOW, status)
    assert (attempt.delivered, attempt.gone, attempt.code) == (delivered, gone, code)


@pytest.mark.parametrize("subject_ref", ["sub_1", None])
def test_an_entry_is_written_as_a_cloud_event(subject_ref: str | None) -> None:
    event: dict[str, Any] = cloud_event(entry(subject_ref), tenant_ref="tnt_1", external_id="crm-1")
    jsonschema.validate(event, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert event == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "urn:governance:tnt_1",
        "type": "governance.consent.withdrawn",
        "time": wire(NOW),
        "datacontenttype": "application/json",
        **({"subject": "sub_1"} if subject_ref else {}),
        "data": {"position": 7, "facts": {"purpose": "marketing", "n": 1}, "external_id": "crm-1"},
    }
