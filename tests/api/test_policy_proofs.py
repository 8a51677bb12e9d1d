"""Drafts that allow what no policy may: their cases hold, and the proof refuses them, in words, at a line."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.api.conftest import Caller

POLICIES = Path(__file__).parents[2] / "policies"
Change = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A draft: the file and what is changed in it, its cases and those of all packs; and what shows it.

    `rule` is the id of the rule that is named, `words` stand in the counter-example.
    """

    file: str
    changes: tuple[Change, ...]
    invariant: str
    rule: str
    words: tuple[str, ...]
    cases: tuple[Change, ...] = ()
    more_cases: str = ""
    whole_cases: tuple[Change, ...] = ()

    @property
    def pack(self) -> str:
        return Path(self.file).stem

    def body(self) -> dict[str, str]:
        """The draft as it is sent."""
        path = POLICIES / self.file
        sent = {
            "policy": changed(path, self.changes),
            "cases": changed(path.with_suffix(".cases.yaml"), self.cases) + self.more_cases,
        }
        if self.whole_cases:
            sent["whole_cases"] = changed(path.parent / "whole.cases.yaml", self.whole_cases)
        return sent


def changed(path: Path, changes: tuple[Change, ...]) -> str:
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
        text = text.replace(old, new)
    return text


GOOD = "person.known: true, person.restricted: false, person.erasure_pending: false"
TO_THE_RESTRICTED = (
    "{message.class: service, message.commercial: false, message.contains_promotion: false, "
    "message.in_reply_to: false, person.known: true, person.restricted: true, person.erasure_pending: false, "
    "person.erased: false, contact_point.state: open, consent.status: none, objection.state: none, "
    "suppression.marketing: false, suppression.all: false, suppression.undeliverable: false}\n    expect: "
)
MAILS_OBJECTORS = Wrong(
    "communications/everywhere.yaml",
    (
        (
            "when: {message.commercial: true, objection.state: {in: [marketing, purpose]}}",
            "when: {message.commercial: true, objection.state: {in: [marketing, purpose]}}\n"
            "    unless: {relationship.last_purchase_age: {under: 24 months}}",
        ),
        (
            "legal_notice, security]}, message.commercial: false}\n        - {consent.status: granted}\n"
            "    code: restricted",
            "legal_notice, security, service]}, message.commercial: false}\n"
            "        - {consent.status: granted}\n    code: restricted",
        ),
    ),
    "no-means-no",
    "objection-ends-marketing",
    (
        "the objection is marketing",
        "the message is commercial",
        "is allowed",
        "matrix.promotional permits it",
        "lets it through by its exception: the last purchase is less than 24 months ago",
    ),
    cases=((TO_THE_RESTRICTED + "{forbids: [restricted]}", TO_THE_RESTRICTED + "{forbids: []}"),),
    more_cases=f"""  - name: an objection, but a sale last year
    facts: {{message.class: promotional, message.commercial: true, message.contains_promotion: false,
             message.in_reply_to: false, {GOOD}, person.erased: false, contact_point.state: open,
             consent.status: granted, objection.state: marketing, suppression.marketing: false,
             suppression.all: false, suppression.undeliverable: false,
             relationship.last_purchase_age: 12 months}}
    expect: {{forbids: []}}
""",
)
WRITES_TO_THE_RESTRICTED = replace(
    MAILS_OBJECTORS,
    invariant="restricted-means-stored-only",
    rule="restricted-means-stored-only",
    words=("processing is restricted", "the message class is service", "matrix.service permits it"),
)
OTHERS = (
    Wrong(
        "access/data-limits.yaml",
        (
            (
                "when: {person.erased: true}\n    unless: {purpose.basis: legal_obligation}",
                "when: {person.erased: true}\n"
                "    unless: {any: [{purpose.basis: legal_obligation}, {purpose.id: research}]}",
            ),
        ),
        "erased-means-gone",
        "the-erased-are-kept-by-law-only",
        ("A reading of data", "the person is erased", "the purpose is research", "is allowed"),
    ),
    Wrong(
        "transfers/transfers-base.yaml",
        (
            (
                "  - id: recognised-protection\n",
                "  - id: there-was-a-contract\n    effect: permit\n"
                "    when: {transfer.direction: out, mechanism.lost: suspended}\n"
                "    because: The recipient signed clauses once.\n"
                '    cites: ["House rule 9"]\n'
                "  - id: recognised-protection\n",
            ),
        ),
        "nothing-rests-on-what-is-suspended",
        "there-was-a-contract",
        (
            "A transfer",
            "the mechanism that fell away is suspended",
            "is allowed",
            "transfers-base.there-was-a-contract permits it",
        ),
        more_cases="""  - name: on clauses that were suspended
    facts: {transfer.direction: out, transfer.errand: ordinary, transfer.origin: DE, transfer.destination: US,
            mechanism.lost: suspended, adequacy.suspended: false}
    expect: {permits: [there-was-a-contract]}
""",
        whole_cases=(
            (
                "expect: {allowed: false, codes: [transfer-suspended, transfer-no-mechanism]}",
                "expect: {allowed: false, codes: [transfer-suspended]}",
            ),
        ),
    ),
    Wrong(
        "communications/matrix.yaml",
        (('cites: ["Stage and message matrix, relationship model"]\n', ""),),
        "a-no-says-why",
        "",
        ("A message", "is refused by matrix.", "without a clause"),
    ),
)


def put(caller: Caller, wrong: Wrong) -> dict[str, str]:
    """Write the draft, which is well formed; gives the header that names it."""
    written = caller.put(f"/v1/policies/{wrong.pack}/draft", wrong.body())
    assert written.status_code == 201, written.get_json()
    return {"If-Match": written.headers["ETag"]}


def refused_by_the_proof(caller: Caller, wrong: Wrong, match: dict[str, str]) -> list[dict[str, object]]:
    """Propose it: the cases hold, so that every complaint is a counter-example."""
    before = caller.get("/v1/policies").get_json()["digest"]
    answer = caller.post(f"/v1/policies/{wrong.pack}/draft/propose", {}, headers=match)
    assert answer.status_code == 422, answer.get_json()
    problems: list[dict[str, object]] = answer.get_json()["problems"]
    assert all("No policy may do that" in str(one["sentence"]) for one in problems), problems
    assert caller.get("/v1/policies").get_json()["digest"] == before
    return problems


def shown(wrong: Wrong, problems: list[dict[str, object]]) -> None:
    """The counter-example is among these, in words, at the rule that lets it happen."""
    named = [one for one in problems if f"({wrong.invariant})" in str(one["sentence"])]
    assert named, problems
    one = next(one for one in named if all(part in str(one["sentence"]) for part in wrong.words))
    assert str(one["sentence"]).endswith("]"), "it ends with the clause"
    lines = wrong.body()["policy"].splitlines()
    assert one["file"] == "policy"
    assert isinstance(one["line"], int)
    assert one["line"] > 0
    if wrong.rule:
        assert f"id: {wrong.rule}" in lines[one["line"] - 1]


def test_trying_a_draft_that_mails_objectors_and_the_restricted_shows_both(caller: Caller) -> None:
    """Long before anybody proposes it; proposing gives the same."""
    match = put(caller, MAILS_OBJECTORS)
    answer = caller.post("/v1/policies/everywhere/draft/test")
    assert answer.status_code == 200, answer.get_json()
    tried = answer.get_json()
    assert (tried["failed"], tried["problems"]) == ([], [])
    assert tried["ok"] is False
    assert tried["invariants"] > 20
    problems = refused_by_the_proof(caller, MAILS_OBJECTORS, match)
    for found in (tried["counter_examples"], problems):
        shown(MAILS_OBJECTORS, found)
        shown(WRITES_TO_THE_RESTRICTED, found)
    one = next(each for each in tried["counter_examples"] if each["invariant"] == "no-means-no")
    assert one["facts"]["objection.state"] == "marketing"
    assert one["cites"]


@pytest.mark.parametrize("wrong", OTHERS, ids=lambda wrong: wrong.invariant)
def test_what_no_policy_may_allow_is_refused_with_the_counter_example(wrong: Wrong, caller: Caller) -> None:
    shown(wrong, refused_by_the_proof(caller, wrong, put(caller, wrong)))
