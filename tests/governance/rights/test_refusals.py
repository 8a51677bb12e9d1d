"""Refusals rest on a clause of the law of the person, under every law that is shipped."""

import itertools
import re
from collections import defaultdict
from pathlib import Path

import pytest

from governance.errors import InvalidError
from governance.rights.law_files import SHIPPED, sources_of
from governance.rights.letter_files import LANGUAGES, words, write
from governance.rights.letters import _SILENT, REFUSAL
from governance.rights.model import APPEAL, TYPES
from governance.rights.refusals import Clause, Refusal, read_refusals
from governance.rights.regime_files import law
from governance.rights.regimes import Regime

LAW = law(None)
REGIMES = LAW.regimes.every
SOURCES = sources_of((SHIPPED / "rights/sources.yaml").read_text())
GROUNDS = (SHIPPED / "rights/grounds.yaml").read_text()
FILES = {path.name: path.read_text() for path in (SHIPPED / "rights/refusals").glob("*.yaml")}
CHECKED = "{cites: [A], source: [dsr.eu.gdpr], verified: true}"


def usable() -> list[tuple[Regime, str, str, Clause]]:
    """Every refusal that is possible: law, type of request, ground, and what it cites."""
    return [
        (regime, type_, ground, clause)
        for regime, type_ in itertools.product(REGIMES.values(), TYPES)
        for ground, clause in LAW.grounds(regime, type_).items()
        if type_ != APPEAL or regime.appeal is not None
    ]


def read(grounds: str = GROUNDS, **files: str) -> dict[str, Refusal]:
    """Read these files as they would be read in place of the shipped ones of the same names."""
    own = {f"{name.replace('_', '-')}.yaml": text for name, text in files.items()}
    return dict(read_refusals(grounds, {**FILES, **own}, SOURCES, REGIMES))


def test_every_refusal_that_is_possible_cites_a_clause_and_says_what_that_rests_on() -> None:
    found = usable()
    assert len(found) > 1500
    for regime, type_, ground, clause in found:
        assert clause.ground.source, (regime.id, type_, ground)
        assert bool(clause.ground.cites) or (not clause.statutory and ground == "no-such-right")
        assert clause.statutory or regime.default_of, f"{regime.id} has a law of its own"


def test_somebody_can_be_refused_under_every_law_for_every_type_of_request() -> None:
    here = defaultdict(set)
    for regime, type_, ground, _ in usable():
        here[regime.id, type_].add(ground)
    for regime, type_ in itertools.product(REGIMES.values(), TYPES):
        if type_ == APPEAL and regime.appeal is None:
            continue
        assert {"identity-not-verified", "authority-not-shown"} <= here[regime.id, type_]
        if type_ in ("erasure", "restriction", "portability"):
            assert {"no-such-right", "conditions-not-met"} & here[regime.id, type_]
        if regime.gives(type_) == "yes":
            assert "no-such-right" not in here[regime.id, type_]
        if type_ in ("complaint", APPEAL):
            assert "not-upheld" in here[regime.id, type_]
            assert "manifestly-unfounded-or-excessive" not in here[regime.id, type_]


def test_no_clause_belongs_to_two_laws() -> None:
    owners = defaultdict(set)
    for regime, _, _, clause in usable():
        if clause.statutory:
            for cite in clause.ground.cites:
                owners[cite].add(regime.id)
    assert len(owners) > 200
    assert {cite: found for cite, found in owners.items() if len(found) > 1} == {}


def test_what_was_not_read_is_not_called_checked() -> None:
    for _, _, _, clause in usable():
        rows = clause.ground.source
        assert not clause.ground.verified or all(SOURCES[row] for row in rows)
    checked = {regime.id for regime, _, _, clause in usable() if clause.ground.verified}
    assert {"eu-gdpr", "ch-fadp", "us-va", "us-tx", "ca-pipeda", "nz-privacy-act"} <= checked
    assert not {"sa-pdpl", "id-pdp", "vn-pdpl", "elsewhere", "us-other"} & checked


@pytest.mark.parametrize(
    ("regime", "type_", "ground", "cites"),
    [
        ("eu-gdpr", "objection", "legal-claims", "Regulation (EU) 2016/679 Art. 21(1)"),
        ("eu-gdpr", "portability", "rights-of-others", "Regulation (EU) 2016/679 Art. 20(4)"),
        ("eu-gdpr", "restriction", "conditions-not-met", "Regulation (EU) 2016/679 Art. 18(1)"),
        ("eu-gdpr", "restriction", "legal-obligation", None),
        ("uk-gdpr", "human_review", "conditions-not-met", "UK GDPR Art. 22A-22D"),
        ("uk-gdpr", "complaint", "not-upheld", "Data Protection Act 2018 s. 164A"),
        ("ch-fadp", "portability", "manifestly-unfounded-or-excessive", "FADP Art. 26(1)(c), 29(1)"),
        ("ch-fadp", "erasure", "manifestly-unfounded-or-excessive", None),
        ("us-ca", "access", "identity-not-verified", "11 CCR § 7024(a)-(b)"),
        ("us-va", "appeal", "not-upheld", "Va. Code § 59.1-577(C)"),
        ("us-va", "access", "legal-obligation", None),
        ("us-co", "access", "manifestly-unfounded-or-excessive", None),
        ("us-ut", "access", "identity-not-verified", "Utah Code § 13-61-203(5)"),
        ("us-md", "erasure", "legal-claims", "Md. Code, Com. Law § 14-4712(a)(4)"),
        ("ca-pipeda", "access", "exempt-from-disclosure", "PIPEDA s. 9(3)"),
        ("in-dpdp", "erasure", "legal-obligation", "DPDP Act 2023 s. 12(3)"),
        ("kr-pipa", "restriction", "legal-obligation", "PIPA Art. 37(2)"),
        ("cn-pipl", "complaint", "not-upheld", "PIPL Art. 50"),
        ("th-pdpa", "access", "rights-of-others", "PDPA B.E. 2562 s. 30"),
        ("nz-privacy-act", "access", "manifestly-unfounded-or-excessive", "Privacy Act 2020 s. 53(h)"),
        ("au-privacy-act", "erasure", "no-such-right", "Privacy Act 1988 APP 7, 12, 13"),
    ],
)
def test_named_clauses(regime: str, type_: str, ground: str, cites: str | None) -> None:
    clause = LAW.grounds(REGIMES[regime], type_).get(ground)
    assert (None if clause is None else "; ".join(clause.ground.cites)) == cites


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_tells_every_ground_with_its_clause_or_that_there_is_no_law(language: str) -> None:
    file = words(language, None)
    assert set(file.grounds) == set(LAW.refusals)
    common = {**_SILENT, "what": file.types["access"], "received": "x", "controller": "y", "reference": "z"}
    for ground, sentence in file.grounds.items():
        cited = write(file, REFUSAL, {**common, "ground": sentence, "cites": "Art. 99 <b>"})
        assert sentence in cited.text
        assert "Art. 99 <b>" in cited.text, ground
        assert "Art. 99 &lt;b&gt;" in cited.html
        by_model = write(file, REFUSAL, {**common, "ground": sentence, "lawless": True, "model": "Art. 98"})
        assert "Art. 98" in by_model.text
        without = write(file, REFUSAL, {**common, "ground": sentence, "lawless": True})
        assert len(cited.text.split("\n\n")) == len(without.text.split("\n\n"))
        assert len(by_model.text.split("\n\n")) == len(without.text.split("\n\n")) + 1


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("atlantis: {not-wrong: GOOD}", r"refusals/own.yaml:2: there is no regime atlantis"),
        ("us-va: {not-so: GOOD}", "has no ground not-so"),
        ("us-va: {not-wrong: GOOD}", "not-wrong is there twice for us-va"),
        ("br-lgpd: {rights-of-others: {cites: [], source: [dsr.br], verified: false}}", "clause is cited"),
        ("br-lgpd: {rights-of-others: {cites: [' '], source: [dsr.br], verified: false}}", "is a text"),
        ("br-lgpd: {rights-of-others: {cites: [A], source: [dsr.br], verified: true}}", "read whole"),
        ("br-lgpd: {rights-of-others: {cites: [A], source: [nobody], verified: false}}", "no row nobody"),
        ("br-lgpd: {rights-of-others: {cites: [A], source: [dsr.br]}}", "needs its `verified`"),
        ("br-lgpd: {rights-of-others: OF(of: x)}", "no member 'of'"),
        ("br-lgpd: {rights-of-others: OF(types: [erasure])}", "not for erasure"),
        ("br-lgpd: {rights-of-others: OF(types: [x])}", "a type of request is one of"),
        ("br-lgpd: {rights-of-others: OF(statutory: false)}", "a law that has places is cited itself"),
        ("br-lgpd: {rights-of-others: [GOOD, OF(types: [access])]}", "comes last"),
        ("br-lgpd: {rights-of-others: [OF(types: [access]), OF(types: [access])]}", "access is there twice"),
        ("br-lgpd: {rights-of-others: []}", "no clause here"),
        ("br-lgpd: {rights-of-others: text}", "a clause has"),
    ],
)
def test_the_loader_refuses_what_is_wrong_and_says_where(said: str, complaint: str) -> None:
    text = re.sub(r"OF\((.*?)\)", rf"{{\1, {CHECKED[1:]}", said).replace("GOOD", CHECKED)
    with pytest.raises(InvalidError, match=complaint):
        read(own=f"refusals:\n  {text}\n")


def test_a_law_that_lacks_a_clause_for_what_is_there_everywhere_is_refused() -> None:
    without = "\n".join(
        line
        for line in FILES["americas.yaml"].splitlines()
        if "not-wrong: " not in line or "LGPD" not in line
    )
    with pytest.raises(InvalidError, match="not-wrong has no clause for rectification under br-lgpd"):
        read(americas=without)
    with pytest.raises(InvalidError, match="one member"):
        read(own="grounds: []\n")


def test_clauses_may_stand_with_the_grounds_in_short_and_in_long_form_and_go_first() -> None:
    short = "cites_of: {us-va: [B, C], us-tx: {cites: [D], source: [], verified: false}}, source: [ret.hold]"
    own = GROUNDS.replace(
        "  - id: legal-claims\n", f"  - {{id: tried, says: S, {short}}}\n  - id: legal-claims\n"
    )
    tried = read(own)["tried"]
    clause = tried.clause(REGIMES["us-va"], "access")
    assert clause is not None
    assert clause.ground == type(clause.ground)(("B", "C"), ("ret.hold",), False)
    other = tried.clause(REGIMES["us-tx"], "erasure")
    assert other is not None
    assert other.ground.cites == ("D",)
    assert tried.clause(REGIMES["us-co"], "access") is None, "where no clause is said, there is no ground"
    moved = GROUNDS.replace("    everywhere: true\n", "    everywhere: true\n    cites_of: {us-va: [E]}\n", 1)
    first = read(moved)["identity-not-verified"].clause(REGIMES["us-va"], "access")
    assert first is not None
    assert first.ground.cites == ("E",)
    narrowed = own.replace("says: S,", "says: S, regimes: [us-tx],")
    assert read(narrowed)["tried"].clause(REGIMES["us-va"], "access") is None
    for wrong in (
        own.replace("says: S,", "says: S, of: x,"),
        own.replace("says: S,", "says: S, given: [so],"),
    ):
        with pytest.raises(InvalidError, match=r"member 'of'|`given` is some of"):
            read(wrong)


def test_a_language_names_laws_its_own_way_and_keeps_what_it_has_no_name_for() -> None:
    cites = ["Regulation (EU) 2016/679 Art. 16", "CQLR c. P-39.1 ss. 27-40", "Va. Code § 59.1-577(A)"]
    french = words("fr", None).clauses(cites)
    assert french == "Règlement (UE) 2016/679 Art. 16; RLRQ c. P-39.1 art. 27-40; Va. Code § 59.1-577(A)"
    assert words("en", None).clauses(cites) == "; ".join(cites)
    begun = {cite for _, _, _, clause in usable() for cite in clause.ground.cites}
    for language in LANGUAGES:
        for begins in words(language, None).acts:
            assert any(cite.startswith(begins) for cite in begun), f"nothing begins with {begins}"


def test_an_installation_brings_a_law_of_its_own_with_its_clauses(tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    (rights / "refusals").mkdir(parents=True)
    clock = "{starts: [receipt], respond: 30 days, cites: [X], source: [dsr.eu.gdpr], verified: false}"
    (rights / "atlantis.yaml").write_text(
        "regimes:\n"
        f"  - {{id: at-sea, title: Atlantis, places: [AQ], rights: {{access: yes}}, clocks: [{clock}]}}\n"
    )
    with pytest.raises(InvalidError, match="identity-not-verified has no clause for access under at-sea"):
        law(tmp_path)
    grounds = ("identity-not-verified", "authority-not-shown", "no-such-right", "not-upheld")
    lines = [f"    {each}: {CHECKED.replace('[A]', f'[Sea {each}]')}" for each in grounds]
    (rights / "refusals" / "atlantis.yaml").write_text("\n".join(["refusals:", "  at-sea:", *lines]) + "\n")
    mine = law(tmp_path)
    found = mine.grounds(mine.regimes.get("at-sea"), "erasure")
    assert set(found) == {"identity-not-verified", "authority-not-shown", "no-such-right"}
    assert found["no-such-right"].ground.cites == ("Sea no-such-right",)
