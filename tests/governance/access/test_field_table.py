"""Who sees which field of one client, for the right and the wrong purpose, before and after a restriction.

The client lives in Germany, consented to marketing by e-mail, and is in the stage `client`.
"""

from datetime import timedelta
from typing import Any

import pytest

from governance.access import service as access
from governance.access.model import ASSESSMENT, COMPONENT, STAFF
from governance.access.questions import read_question
from governance.bootstrap import Runtime
from governance.consent import service as consents
from governance.consent.consents import NewConsent
from governance.consent.objections import NewObjection
from governance.errors import InvalidError
from governance.evaluation import service as evaluation
from governance.evaluation.model import read_request
from governance.subjects import service as subjects
from governance.subjects.identifiers import Identifier
from governance.subjects.service import SubjectChange
from tests.conftest import ACTOR

ASKERS: dict[str, tuple[str, dict[str, Any]]] = {
    "support_agent": (STAFF, {"roles": ["support_agent"]}),
    "marketer": (STAFF, {"roles": ["marketer"]}),
    "analyst": (STAFF, {"roles": ["analyst"]}),
    "ai_agent": (COMPONENT, {"kind": "ai", "roles": ["ai_agent"]}),
    "call_centre": (COMPONENT, {"kind": "human_operated", "roles": ["call_centre"]}),
    "officer": (STAFF, {"roles": ["compliance_officer"]}),
}
FIELDS = ["first_name", "email", "phone", "birth_date", "topics", "orders", "tickets", "iban", "health"]

BEFORE = """
asker          purpose        first_name email  phone  birth_date topics orders tickets iban   health
support_agent  customer_care  allow      allow  allow  deny       deny   allow  allow   deny   deny
support_agent  marketing      deny       deny   deny   deny       deny   deny   deny    deny   deny
marketer       marketing      allow      allow  mask   mask       allow  deny   deny    deny   deny
marketer       segmentation   deny       deny   deny   mask       allow  mask   deny    deny   deny
marketer       customer_care  deny       deny   deny   deny       deny   deny   deny    deny   deny
analyst        segmentation   deny       deny   deny   mask       allow  mask   deny    deny   deny
analyst        profiling      deny       deny   deny   deny       deny   deny   deny    deny   deny
analyst        sales          deny       deny   deny   deny       deny   deny   deny    deny   deny
ai_agent       customer_care  allow      mask   mask   deny       deny   mask   allow   deny   deny
ai_agent       ai_insight     deny       deny   deny   deny       allow  mask   deny    deny   deny
ai_agent       marketing      deny       deny   deny   deny       deny   deny   deny    deny   deny
call_centre    customer_care  allow      mask   allow  deny       deny   deny   mask    deny   deny
call_centre    sales          allow      mask   allow  deny       deny   deny   deny    deny   deny
call_centre    segmentation   deny       deny   deny   deny       deny   deny   deny    deny   deny
officer        legal          allow      allow  allow  deny       deny   allow  deny    deny   deny
officer        marketing      deny       deny   deny   deny       deny   deny   deny    deny   deny
"""
# Restricted data are stored only, but for claims and what the person must be told (legal), and where the
# person consented to this very purpose (marketing).
AFTER = """
asker          purpose        first_name email  phone  birth_date topics orders tickets iban   health
support_agent  customer_care  deny       deny   deny   deny       deny   deny   deny    deny   deny
marketer       marketing      allow      allow  mask   mask       allow  deny   deny    deny   deny
marketer       segmentation   deny       deny   deny   deny       deny   deny   deny    deny   deny
analyst        segmentation   deny       deny   deny   deny       deny   deny   deny    deny   deny
ai_agent       customer_care  deny       deny   deny   deny       deny   deny   deny    deny   deny
ai_agent       ai_insight     deny       deny   deny   deny       deny   deny   deny    deny   deny
call_centre    customer_care  deny       deny   deny   deny       deny   deny   deny    deny   deny
call_centre    sales          deny       deny   deny   deny       deny   deny   deny    deny   deny
officer        legal          allow      allow  allow  deny       deny   allow  deny    deny   deny
"""
WITHDRAWN = """
asker          purpose        first_name email  phone  birth_date topics orders tickets iban   health
marketer       marketing      deny       deny   deny   deny       deny   deny   deny    deny   deny
officer        legal          allow      allow  allow  deny       deny   allow  deny    deny   deny
"""


@pytest.fixture
def crm(runtime: Runtime) -> Runtime:
    """Everybody who asks, and the one client."""
    with runtime.work("acme", ACTOR) as work:
        for name, (kind, body) in ASKERS.items():
            access.put(work, kind, name, body)
        identifiers = (Identifier("email", "anna@example.org"), Identifier("phone", "+4915112345678"))
        person(work, "crm-1", identifiers=identifiers)
        say(work, "crm-1", "granted")
    return runtime


def person(work: Any, external_id: str, *, stage: str = "client", **change: Any) -> None:
    subjects.put(work, external_id, SubjectChange(country="DE", relationship=stage, **change))


def say(
    work: Any, external_id: str, status: str, purpose: str = "marketing", channel: str | None = "email"
) -> None:
    ref = subjects.resolve_existing(work, subjects.SubjectReference(id=external_id)).subject_ref
    consents.record(
        work,
        NewConsent(
            ref, purpose, status, "web_form", channel=channel, evidence={"form_url": "https://example.org/"}
        ),
    )


def ask(
    runtime: Runtime, asker: tuple[str, str], action: str, external_id: str = "crm-1", **said: Any
) -> dict[str, Any]:
    body = {
        "subject": {"type": asker[0], "id": asker[1]},
        "action": {"name": action, "properties": said},
        "resource": {"type": "data_subject", "id": external_id},
    }
    with runtime.snapshot("acme", ACTOR) as snap:
        record = evaluation.evaluate(snap, read_request(body))
    runtime.decision_log.append("acme", [record])
    return record.answer()


def read(
    runtime: Runtime, name: str, purpose: str | None, fields: list[str], external_id: str = "crm-1"
) -> dict[str, Any]:
    said = {"fields": fields} if purpose is None else {"fields": fields, "purpose": purpose}
    return ask(runtime, (ASKERS[name][0], name), "data.read", external_id, **said)


def table(runtime: Runtime, expected: str) -> str:
    """The table as the service answers it now, in the rows of the expected one."""
    head, *rows = expected.strip().splitlines()
    assert head.split()[2:] == FIELDS
    lines = [head]
    for row in rows:
        asker, purpose = row.split()[:2]
        answer = read(runtime, asker, purpose, FIELDS)
        shown = answer["context"]["fields"]
        line = f"{asker:<15}{purpose:<15}" + "".join(
            shown[name].ljust(head.find(f" {following}") + 1 - head.find(f" {name}") - 1 if following else 0)
            for name, following in zip(FIELDS, [*FIELDS[1:], ""], strict=True)
        )
        lines.append(line.rstrip())
        assert answer["decision"] is all(each != "deny" for each in shown.values())
    return "\n".join(lines)


def restrict(runtime: Runtime, restricted: bool) -> None:
    with runtime.work("acme", ACTOR) as work:
        ref = subjects.resolve_existing(work, subjects.SubjectReference(id="crm-1")).subject_ref
        subjects.set_restriction(work, ref, restricted)


def test_everyone_sees_what_the_table_says_before_and_after_the_restriction(crm: Runtime) -> None:
    assert table(crm, BEFORE) == BEFORE.strip()
    restrict(crm, True)
    assert table(crm, AFTER) == AFTER.strip()
    with crm.work("acme", ACTOR) as work:
        say(work, "crm-1", "withdrawn")
    assert table(crm, WITHDRAWN) == WITHDRAWN.strip()
    restrict(crm, False)
    assert read(crm, "support_agent", "customer_care", ["email"])["decision"] is True


def codes(answer: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in answer["context"]["reasons"]}


def actions(answer: dict[str, Any]) -> set[str]:
    return {each["properties"]["action"] for each in answer["context"]["obligations"]}


def test_every_denied_field_says_why_and_every_masked_one_what_is_left_of_it(crm: Runtime) -> None:
    answer = read(crm, "call_centre", "customer_care", ["first_name", "email", "iban"])
    assert answer["decision"] is False
    context = answer["context"]
    assert context["fields"] == {"first_name": "allow", "email": "mask", "iban": "deny"}
    assert context["masks"] == {"email": "domain"}
    assert context["denied"] == {"iban": ["field-not-permitted"]}
    assert context["stage"] == {"relationship": "client"}
    (duty,) = context["obligations"]
    assert duty["properties"] == {"action": "mask-value", "fields": {"email": "domain"}}
    reasons = {reason["rule"]: reason for reason in context["reasons"]}
    assert reasons["data-limits.only-what-the-purpose-needs"]["cites"]
    kept = crm.decision_log.find("acme", context["id"])
    assert kept is not None
    assert kept.document()["fields"] == context["fields"]


def test_without_a_purpose_an_asker_or_a_person_nothing_is_read(crm: Runtime) -> None:
    assert codes(read(crm, "support_agent", None, ["email"])) >= {"purpose-missing"}
    assert codes(read(crm, "support_agent", "fun", ["email"])) >= {"purpose-missing"}
    assert codes(read(crm, "support_agent", "marketing", ["email"])) == {"purpose-not-granted"}
    assert codes(read(crm, "support_agent", "customer_care", ["emial"])) == {"field-not-permitted"}
    assert codes(read(crm, "support_agent", "customer_care", [])) == {"field-not-permitted"}
    assert codes(read(crm, "support_agent", "customer_care", ["email"], "crm-9")) >= {"unknown-subject"}
    stranger = ask(crm, (STAFF, "st-99"), "data.read", fields=["email"], purpose="customer_care")
    assert codes(stranger) >= {"asker-unknown"}
    crowd = ask(crm, ("user", "support_agent"), "data.read", fields=["email"], purpose="customer_care")
    assert codes(crowd) >= {"asker-unknown"}
    with crm.work("acme", ACTOR) as work:
        access.put(work, STAFF, "support_agent", {"status": "left"})
    left = read(crm, "support_agent", "customer_care", ["email"])
    assert left["decision"] is False
    assert codes(left) >= {"asker-left"}


def test_a_lead_shows_less_than_a_client_and_a_grant_ends_at_its_stage(crm: Runtime) -> None:
    with crm.work("acme", ACTOR) as work:
        person(work, "crm-2", stage="lead")
    client = read(crm, "support_agent", "customer_care", ["email", "phone", "postal_address"])
    lead = read(crm, "support_agent", "customer_care", ["email", "phone", "postal_address"], "crm-2")
    assert client["context"]["fields"] == {"email": "allow", "phone": "allow", "postal_address": "allow"}
    assert lead["context"]["fields"] == {"email": "allow", "phone": "mask", "postal_address": "deny"}
    assert lead["context"]["denied"] == {"postal_address": ["stage-mismatch"]}


def test_a_machine_gets_stage_fields_and_duties_in_one_answer(crm: Runtime) -> None:
    answer = read(crm, "ai_agent", "customer_care", ["first_name", "email"])
    assert answer["decision"] is True
    assert answer["context"]["stage"] == {"relationship": "client"}
    assert actions(answer) == {"mask-value", "disclose-ai", "keep-within-purpose", "no-training"}
    with crm.work("acme", ACTOR) as work:
        person(work, "crm-2", stage="lead")
    assert "speak-of-offers-only" in actions(read(crm, "ai_agent", "sales", ["first_name"], "crm-2"))


def use(runtime: Runtime, name: str, purpose: str, **said: Any) -> dict[str, Any]:
    return ask(runtime, (ASKERS[name][0], name), "data.use", purpose=purpose, **said)


def test_a_support_call_serves_no_marketing_until_an_assessment_says_so(crm: Runtime) -> None:
    def call() -> dict[str, Any]:
        return use(crm, "marketer", "segmentation", collected_for="customer_care")

    assert codes(call()) == {"purpose-incompatible"}
    assert codes(use(crm, "marketer", "segmentation")) == {"purpose-incompatible"}, "nobody says what for"
    assert use(crm, "marketer", "segmentation", collected_for="marketing")["decision"] is True, "declared"
    assessment = {
        "from": "customer_care",
        "to": "segmentation",
        "outcome": "compatible",
        "owner": "privacy",
        "reference": "CA-7",
        "expires_at": "2026-12-01T00:00:00Z",
    }
    with crm.work("acme", ACTOR) as work:
        access.put(work, ASSESSMENT, "calls", assessment)
    answer = call()
    assert answer["decision"] is True
    assert actions(answer) == {"tell-of-profiling", "tell-of-new-purpose"}
    said = {"purpose": "segmentation", "collected_for": "customer_care"}
    body = {
        "subject": {"type": STAFF, "id": "marketer"},
        "action": {"name": "data.use", "properties": said},
        "resource": {"type": "data_subject", "id": "crm-1"},
        "context": {"time": "2026-12-01T00:00:00Z"},
    }
    with crm.snapshot("acme", ACTOR) as snap:
        assert evaluation.evaluate(snap, read_request(body)).codes == ("purpose-incompatible",), (
            "it has ended"
        )
    with crm.work("acme", ACTOR) as work:
        access.put(work, ASSESSMENT, "calls", {**assessment, "outcome": "incompatible"}, 1)
    assert codes(call()) == {"purpose-incompatible"}


def test_an_objection_to_profiling_stops_every_kind_of_it_and_nothing_else(crm: Runtime) -> None:
    origin = {"collected_for": "sales"}
    assert use(crm, "ai_agent", "ai_insight", **origin)["decision"] is True
    assert use(crm, "analyst", "segmentation", **origin)["decision"] is True
    with crm.work("acme", ACTOR) as work:
        ref = subjects.resolve_existing(work, subjects.SubjectReference(id="crm-1")).subject_ref
        objected = consents.object_(work, NewObjection(ref, "profiling", method="web_form"))
    for name, purpose in (("ai_agent", "ai_insight"), ("analyst", "segmentation")):
        assert codes(use(crm, name, purpose, **origin)) == {"objection"}
        assert codes(read(crm, name, purpose, ["topics"])) == {"objection"}
    assert read(crm, "marketer", "marketing", ["email"])["decision"] is True
    with crm.work("acme", ACTOR) as work:
        crm.clock.forward(timedelta(minutes=1))  # type: ignore[attr-defined]
    with crm.work("acme", ACTOR) as work:
        consents.release_objection(work, objected.objection_id, method="web_form")
    assert use(crm, "analyst", "segmentation", **origin)["decision"] is True


def test_an_objection_to_marketing_closes_the_data_to_marketing_and_to_nobody_else(crm: Runtime) -> None:
    with crm.work("acme", ACTOR) as work:
        ref = subjects.resolve_existing(work, subjects.SubjectReference(id="crm-1")).subject_ref
        consents.object_(work, NewObjection(ref, "all", method="phone"))
    assert "objection" in codes(read(crm, "marketer", "marketing", ["email"]))
    assert read(crm, "support_agent", "customer_care", ["email"])["decision"] is True


def test_what_is_sensitive_is_never_inferred_and_models_learn_from_a_yes_only(crm: Runtime) -> None:
    with crm.work("acme", ACTOR) as work:
        every = {"purposes": ["profiling", "ai_training"], "fields": ["health", "topics", "orders"]}
        access.put(work, COMPONENT, "miner", {"kind": "service", **every})
        say(work, "crm-1", "granted", "profiling", None)

    def mine(purpose: str, *attributes: str) -> dict[str, Any]:
        said = {"purpose": purpose, "attributes": list(attributes), "collected_for": purpose}
        return ask(crm, (COMPONENT, "miner"), "data.use", **said)

    assert mine("profiling", "topics", "orders")["decision"] is True
    answer = mine("profiling", "topics", "health")
    assert answer["decision"] is False
    assert answer["context"]["fields"] == {"topics": "allow", "health": "deny"}
    assert "sensitive-inference" in answer["context"]["denied"]["health"]
    assert codes(mine("ai_training", "topics")) == {"consent-missing"}
    with crm.work("acme", ACTOR) as work:
        say(work, "crm-1", "granted", "ai_training", None)
    assert mine("ai_training", "topics")["decision"] is True
    assert actions(mine("ai_training", "topics")) == {"human-decides", "disclose-ai"}


@pytest.mark.parametrize(
    ("action", "said", "member"),
    [
        ("data.read", {"fields": "email", "purpose": "customer_care"}, "fields"),
        ("data.read", {"fields": ["email", 7]}, "fields.1"),
        ("data.read", {"fields": ["email", None]}, "fields.1"),
        ("data.read", {"fields": ["email"], "purpose": ["x"]}, "purpose"),
        ("data.read", {"fields": ["f"] * 201}, "fields"),
        ("data.use", {"purpose": "marketing", "collected_for": 5}, "collected_for"),
        ("data.use", {"purpose": "marketing", "attributes": {"a": 1}}, "attributes"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(action: str, said: dict[str, Any], member: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read_question(action, said, {})
    assert member in refused.value.fields


def test_an_answer_never_outlives_its_snapshot_and_a_broken_part_denies(
    crm: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("governance.access.gate.facts.find", broken)
    answer = read(crm, "support_agent", "customer_care", ["email"])
    assert answer["decision"] is False
    assert codes(answer) == {"evaluation-failed"}
