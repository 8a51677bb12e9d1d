"""What no policy may ever allow is proved of the shipped packs, and drafts that allow it are refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from governance.policy.complaints import PolicyError
from governance.policy.conditions import AllOf, AnyOf, Condition, Leaf
from governance.policy.invariants import read_invariants, shipped_text
from governance.policy.loader import check_documents, load, load_documents, read_documents
from governance.policy.model import ACTIONS, CheckedPolicies, Effect
from governance.policy.proof import prove as refuse
from governance.policy.proving import proof_of, prove
from governance.policy.service import shipped_documents

POLICIES = Path(__file__).parents[2] / "policies"
EVERYWHERE = POLICIES / "communications" / "everywhere.yaml"


def drafted(tmp_path: Path, room: str, **files: str) -> CheckedPolicies:
    """Check the shipped policies with drafts in place of files of the same name; no cases needed."""
    for name, text in files.items():
        path = tmp_path / room / f"{name.replace('_', '-')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check_documents(read_documents(POLICIES, tmp_path), scrutinised=True, proven=False)


def changed(path: Path, old: str, new: str) -> str:
    """Give the text of a shipped file with one thing changed."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    return text.replace(old, new)


def test_every_invariant_holds_of_the_shipped_policies() -> None:
    proof = proof_of(load(POLICIES))
    assert [str(one) for one in proof.found] == []
    entries = yaml.safe_load(shipped_text())["invariants"]
    said = sum(len(one["about"]) if isinstance(one["about"], list) else 1 for one in entries)
    assert proof.invariants == said
    assert set(ACTIONS) - {"*"} <= {
        action
        for one in entries
        for action in ([one["about"]] if isinstance(one["about"], str) else one["about"])
    }


def test_a_draft_that_would_mail_people_who_objected_is_refused_with_the_counter_example(
    tmp_path: Path,
) -> None:
    text = changed(
        EVERYWHERE,
        "when: {message.commercial: true, objection.state: {in: [marketing, purpose]}}",
        "when: {message.commercial: true, objection.state: {in: [marketing, purpose]}}\n"
        "    unless: {relationship.last_purchase_age: {under: 24 months}}",
    )
    found = prove(drafted(tmp_path, "communications", everywhere=text))
    one = next(one for one in found if one.invariant == "no-means-no")
    # A person, a message, the facts, the rule that let it pass, the invariant broken, with its clause.
    assert "the objection is marketing" in one.words
    assert "the last purchase is less than 24 months ago" in one.words
    assert "the message is commercial" in one.words
    assert "matrix.promotional permits it" in one.words
    assert "everywhere.objection-ends-marketing lets it through by its exception" in one.words
    assert "Art. 21(2)-(3)" in str(one)
    assert one.problem().file == "communications/everywhere.yaml"
    assert one.problem().line == next(
        number for number, line in enumerate(text.splitlines(), 1) if "id: objection-ends-marketing" in line
    )
    document = one.document()
    assert document["facts"]["objection.state"] == "marketing"
    assert document["facts"]["message.commercial"] is True
    assert document["permits"] == ["matrix.promotional"]
    assert document["excepted"][0] == "everywhere.objection-ends-marketing"
    with pytest.raises(PolicyError, match="No policy may do that"):
        refuse(drafted(tmp_path, "communications", everywhere=text))


# What has to be changed for each invariant to break: rules left out, exceptions added, clauses taken away.
LEFT_OUT = {
    "everywhere.withdrawn-means-no",  # no-means-no
    "everywhere.suppressed-altogether",  # silence-after-suppression
    "everywhere.restricted-means-stored-only",
    "everywhere.erasure-under-way",
    "everywhere.the-erased-are-left-alone",
    "standing.restricted-means-stored-only",
    "standing.erasure-under-way",
    "standing.the-erased-do-not-move",
    "transfers-standing.restricted-means-stored-only",
    "transfers-standing.erasure-under-way",
    "transfers-standing.the-erased-are-not-passed-on",
    "transfers-standing.the-unknown-are-not-passed-on",
    "transfers-standing.no-more-than-the-flow-carries",  # asking-for-more-never-helps
    "data-limits.objection-to-marketing",
    "data-limits.what-rests-on-consent-ends-with-it",  # withdrawing-never-helps
    "data-limits.restricted-means-stored-only",
    "data-limits.erasure-under-way",
    "data-limits.the-erased-are-kept-by-law-only",
    "data-limits.who-left-sees-nothing",
    "data-limits.who-asks-is-known",
}
UNKNOWN = "transfers-unknown-origin"
EXCEPTED: dict[str, Condition] = {
    # withdrawing-never-helps: what is confirmed only while a consent stands
    "kr.consent-is-confirmed-every-two-years": Leaf("consent.status", "is", "withdrawn"),
    # objecting-never-helps: whoever objects to profiling is written to for that
    "unknown-default.commercial-messages-need-consent": Leaf("objection.state", "is", "profiling"),
    # nothing-rests-on-what-is-suspended and the two that never help
    "transfers-unknown-origin.safeguards-as-in-the-strictest-places": AnyOf(
        (
            Leaf("mechanism.lost", "is", "suspended"),
            # a-framework-leads-to-its-own-country and -helps-those-who-recognise-it
            Leaf("mechanism.usable", "in", frozenset({"eu-us-dpf", "adequacy-decision"})),
        )
    ),
}


def broken(policies: CheckedPolicies) -> CheckedPolicies:
    """Give policies in which every invariant is broken somewhere."""
    names = {rule.id for pack in policies.packs for rule in pack.rules}
    assert names >= LEFT_OUT | set(EXCEPTED)
    packs = []
    for pack in policies.packs:
        rules = [rule for rule in pack.rules if rule.id not in LEFT_OUT]
        for place, rule in enumerate(rules):
            if rule.id in EXCEPTED:
                rules[place] = replace(rule, unless=either(rule.unless, EXCEPTED[rule.id]))
            if rule.id == "transfers-base.recognised-protection":
                # suspending-adequacy-never-helps: the fact is read the wrong way round
                rules[place] = replace(
                    rule,
                    when=AllOf(
                        (
                            Leaf("transfer.destination", "present", True),
                            Leaf("adequacy.suspended", "is", True),
                        )
                    ),
                )
            if rule.id == "transfers-base.mechanism-in-force":
                rules[place] = replace(rule, when=Leaf("mechanism.usable", "present", True))
            if rule.effect is Effect.PERMIT and pack.name in ("data-read", "data-use"):
                # who-left-sees-nothing: the permit no longer asks whether somebody still works here
                assert isinstance(rule.when, AllOf)
                kept = tuple(part for part in rule.when.parts if getattr(part, "fact", "") != "asker.state")
                rules[place] = replace(rule, when=AllOf(kept))
        silent = pack.name in ("matrix", "relationship", "transfers-base", "data-read", "data-use")
        if silent:  # a-no-says-why
            rules = [replace(rule, cites=()) if rule.effect is Effect.PERMIT else rule for rule in rules]
        packs.append(replace(pack, rules=tuple(rules), cites=() if silent else pack.cites))
    return replace(policies, packs=tuple(packs))


def either(one: Condition | None, other: Condition) -> Condition:
    return other if one is None else AnyOf((one, other))


def test_every_invariant_is_refused_where_it_is_broken() -> None:
    shipped = load_documents(load(POLICIES).canonical)
    found = proof_of(broken(shipped)).found
    invariants = read_invariants(shipped_text(), shipped.vocabulary).invariants
    assert {(one.invariant, one.action) for one in found} == {(one.id, one.action) for one in invariants}
    for one in found:
        assert one.found, one.words
        assert one.facts is not None
        assert one.at is not None
        assert one.permits or one.refused_by or one.invariant == "a-no-says-why", one.words
        json.dumps(one.document())


@pytest.mark.parametrize(
    ("listed", "broken"),
    [
        ("eu-us-dpf", {"a-framework-leads-to-its-own-country", "a-framework-helps-those-who-recognise-it"}),
        ("adequacy-decision", {"a-framework-leads-to-its-own-country"}),
    ],
)
def test_a_pack_that_lets_a_framework_or_adequacy_lead_elsewhere_is_refused(
    tmp_path: Path, listed: str, broken: set[str]
) -> None:
    origin, base = (POLICIES / "transfers" / f"transfers-{name}.yaml" for name in ("unknown-origin", "base"))
    found = prove(
        drafted(
            tmp_path,
            "transfers",
            transfers_unknown_origin=changed(origin, "[eu-scc, ", f"[{listed}, eu-scc, "),
            transfers_base=changed(base, "{in: LEADS_ANYWHERE}", "{present: true}"),
        )
    )
    assert broken <= {one.invariant for one in found}
    one = next(one for one in found if one.invariant == "a-framework-leads-to-its-own-country")
    assert "transfers-base.mechanism-in-force permits it" in one.words
    assert one.problem().file.startswith("transfers/")


def test_what_cannot_be_proved_in_time_is_refused() -> None:
    policies = replace(load_documents(load(POLICIES).canonical), sources={})
    proof = proof_of(policies, shipped_text() + "\n# not proved before\n", seconds=0.0)
    assert proof.found
    assert not proof.holds
    assert {one.found for one in proof.found} == {False}
    assert "could not be proved" in proof.found[0].words


def test_a_folder_with_invariants_of_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "invariants.yaml").write_text("invariants: []\n")
    with pytest.raises(PolicyError, match="come with the service"):
        shipped_documents(tmp_path)
