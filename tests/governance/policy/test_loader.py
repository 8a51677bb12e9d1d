# ruff: noqa: E501 -- one refusal a line reads as a table
"""Every refusal of the loader: file, line, sentence and the nearest known name."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

from governance.policy import loader
from governance.policy.compiled import compile_policy
from governance.policy.complaints import PolicyError
from governance.policy.documents import compose, from_canonical
from governance.policy.loader import check_documents, load, load_documents, read_documents

POLICIES = Path(__file__).parents[3] / "policies"

PACK = """pack: trial
title: A trial
speaks_about: [communication.send]
layer: channel
applies: {person.country: JP}
rules:
  - id: one
    effect: forbid
    when: {message.commercial: true, message.channel: email}
    unless: {consent.status: granted}
    code: consent-missing
    because: Consent is needed.
    cites: ["Act s. 1"]
    source: [out.eu.email]
    verified: false
"""
CASES = """pack: trial
now: 2026-11-21T15:00:00Z
cases:
  - name: no consent
    facts: {person.country: JP, message.channel: email, message.commercial: true, consent.status: none}
    expect: {forbids: [consent-missing]}
"""
Refuse = Callable[..., list[str]]
COMPOSED = lru_cache(maxsize=None)(compose)


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Write a pack and its cases, and give the complaints of the loader; the shipped files are parsed once."""
    monkeypatch.setattr(loader, "compose", COMPOSED)

    def run(pack: str, cases: str | None = CASES, room: str = "communications", **others: str) -> list[str]:
        folder = tmp_path / room
        folder.mkdir(exist_ok=True)
        (folder / "trial.yaml").write_text(pack, encoding="utf-8")
        if cases is not None:
            (folder / "trial.cases.yaml").write_text(cases, encoding="utf-8")
        for name, text in others.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        try:
            load(POLICIES, tmp_path)
        except PolicyError as refused:
            return [str(problem) for problem in refused.problems]
        return []

    return run


def test_the_trial_pack_is_accepted_as_it_stands(refuse: Refuse) -> None:
    assert refuse(PACK) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("consent.status: granted", "consent.statsu: granted", ":10: unknown fact 'consent.statsu'; did you mean 'consent.status'?"),
        ("channel: email", "channel: {inn: [email]}", ":9: unknown operator 'inn'; did you mean 'in'?"),
        ("channel: email", "channel: {under: 3}", ":9: 'message.channel' is of type enum: 'under' does not compare it"),
        ("code: consent-missing", "code: consent-mising", ":11: unknown code 'consent-mising'; did you mean 'consent-missing'?"),
        ("channel: email", "class: promotinal", ":9: unknown value of 'message.class': 'promotinal'; did you mean 'promotional'?"),
        ("channel: email", "channel: e-mail", "did you mean 'email'?"),
        ("message.channel: email", "purpose.id: marketting", "did you mean 'marketing'?"),
        ("source: [out.eu.email]", "source: [out.eu.emial]", ":14: unknown source 'out.eu.emial'; did you mean 'out.eu.email'?"),
        ("message.commercial: true", "message.commercial: maybe", ":9: 'maybe' is not of type boolean"),
        ("message.commercial: true", "contract.ended_age: {under: 24}", "the age 24 has no unit; write for example '24 months'"),
        ("message.commercial: true", "contract.ended_age: {under: 24 moons}", "'24 moons' is no age"),
        ("message.commercial: true", "contract.ended_age: 24 months", "needs an operator: under or at_least"),
        ("message.commercial: true", "local.clock: {between: [9, 10]}", "two times of day"),
        ("message.commercial: true", 'local.clock: {between: ["09:00", "09:00"]}', "two different times"),
        ("message.commercial: true", "person.region: Bavaria", "is no region code"),
        ("message.commercial: true", "person.country: EEA", "'EEA' is a group; write 'person.country: {in: EEA}'"),
        ("message.commercial: true", "person.country: {in: [stages]}", "the group 'stages' does not hold values of 'person.country'"),
        ("message.commercial: true", "person.country: XX", "'XX' is no country code"),
        ("message.commercial: true", "transition.to: lead", "unknown fact 'transition.to'"),
        ("message.commercial: true", "message.class: {absent: yes}", "'absent' is written with true"),
        ("message.channel: email}", "message.channel: {in: []}}", "'in' needs at least one value"),
        ("    because: Consent is needed.\n", "", "a rule needs 'because'"),
        ("    code: consent-missing\n", "", "the forbid 'one' needs 'code'"),
        ('    cites: ["Act s. 1"]\n', "", "the forbid 'one' needs 'cites'"),
        ("{message.commercial: true, message.channel: email}", "{}", "'when' of 'one' is empty, so it would always hold"),
        ("{message.commercial: true, message.channel: email}", "{any: []}", "'any' is empty"),
        ("{consent.status: granted}", "{consent.status: {}}", "the condition on 'consent.status' is empty"),
        ("channel: email}", "channel: email, all: [{message.channel: sms}]}", "can never apply"),
        ("channel: email}", "channel: email, person.country: US}", "can never apply"),
        ("channel: email}", "channel: email, contract.ended_age: {under: 1 month, at_least: 2 months}}", "can never apply"),
        ("channel: email}", "channel: {not_in: [email, sms, voice, post, push, social]}}", "can never apply"),
        ("{consent.status: granted}", "{message.channel: {in: [email, sms]}}", "can never apply"),
        ("verified: false", "effective: {from: 2026-02-01, until: 2026-02-01}", "it ends before it begins"),
        ("verified: false", "effective: {from: 2026-02-31}", "'2026-02-31' is no date"),
        ("verified: false", "effective: {}", "'effective' is empty"),
        ("effect: forbid", "effect: permit", "this pack may only forbid and oblige"),
        ("effect: forbid", "effect: forbit", "unknown effect 'forbit'; did you mean 'forbid'?"),
        ("verified: false", "verified: true", "the source 'out.eu.email' was not read at its origin"),
        ("    source: [out.eu.email]\n    verified: false", "    verified: true", "a rule without a source cannot say verified: true"),
        ("verified: false", "veryfied: false", "unknown member of a rule 'veryfied'; did you mean 'verified'?"),
        ("verified: false", "obligations: [identify-sender]", "needs obligations if it obliges, and only then"),
        ("layer: channel", "layer: chanel", "unknown layer 'chanel'; did you mean 'channel'?"),
        ("[communication.send]", "[communication.sent]", "did you mean 'communication.send'?"),
        ("- id: one", "- id: One Rule", "'One Rule' is no id"),
        ("pack: trial", "pack: matrix", "the pack name 'matrix' is taken"),
        ("layer: channel", "layer: channel\ncovers: [emial]", "unknown channel 'emial'; did you mean 'email'?"),
        ("code: consent-missing", "code: consent-missing\n    codes: {consent.status: {expird: consent-expired}}", "did you mean 'expired'?"),
        ("code: consent-missing", "code: consent-missing\n    codes: {consent.status: {expired: consent-expird}}", "did you mean 'consent-expired'?"),
    ],
)  # fmt: skip
def test_the_loader_refuses(refuse: Refuse, old: str, new: str, complaint: str) -> None:
    assert old in PACK
    problems = refuse(PACK.replace(old, new, 1))
    assert any(complaint in problem for problem in problems), problems
    assert all(problem.startswith("communications/trial") or "taken" in complaint for problem in problems)


def oblige(text: str) -> str:
    return PACK + text


def test_an_unknown_obligation_is_refused(refuse: Refuse) -> None:
    rule = "  - {id: two, effect: oblige, when: {message.channel: email}, obligations: [identify-sendr], because: So.}\n"
    assert any(
        "unknown obligation 'identify-sendr'; did you mean 'identify-sender'?" in one
        for one in refuse(oblige(rule))
    )


def test_two_rules_of_one_id_are_refused(refuse: Refuse) -> None:
    second = PACK[PACK.index("  - id: one") :].replace("channel: email", "channel: sms")
    assert any("stands here twice" in one for one in refuse(PACK + second))


def test_overlapping_dates_of_one_id_are_refused_and_disjoint_ones_are_not(refuse: Refuse) -> None:
    first = PACK.replace("verified: false", "effective: {until: 2026-06-01}")
    second = PACK[PACK.index("  - id: one") :]
    cases = CASES + CASES[CASES.index("  - name") :].replace(
        "no consent\n", "before\n    now: 2026-01-01T00:00:00Z\n"
    )
    overlapping = first + second.replace("verified: false", "effective: {from: 2026-05-01}")
    assert any("dates of the two rules 'trial.one' overlap" in one for one in refuse(overlapping, cases))
    disjoint = first + second.replace("verified: false", "effective: {from: 2026-06-01}")
    assert refuse(disjoint, cases) == []


def test_a_rule_of_each_date_needs_its_own_case(refuse: Refuse) -> None:
    first = PACK.replace("verified: false", "effective: {until: 2026-06-01}")
    second = PACK[PACK.index("  - id: one") :].replace("verified: false", "effective: {from: 2026-06-01}")
    assert refuse(first + second) == [
        "communications/trial.yaml:7: no case reaches the rule 'trial.one': add one that fails without it"
    ]


def test_a_rule_that_another_makes_needless_is_refused(refuse: Refuse) -> None:
    second = PACK[PACK.index("  - id: one") :].replace("id: one", "id: two")
    narrower = second.replace("channel: email", "channel: email, person.customer_type: business")
    assert any(
        "'trial.two' never makes a difference: 'trial.one' always forbids first" in one
        for one in refuse(PACK + narrower)
    )
    wider_exception = second.replace(
        "{consent.status: granted}", "{any: [{consent.status: granted}, {contract.state: in_force}]}"
    )
    assert any("'trial.two' never makes a difference" in one for one in refuse(PACK + wider_exception))
    other_code = narrower.replace("code: consent-missing", "code: objection")
    assert not any("difference" in one for one in refuse(PACK + other_code))


WITHDRAWN = """pack: trial
speaks_about: [communication.send]
layer: channel
applies: {person.country: JP}
rules:
  - id: one
    effect: forbid
    when: {message.commercial: true, consent.status: withdrawn}
    code: consent-withdrawn
    because: A no is a no.
    cites: ["Regulation (EU) 2016/679 Art. 7(3)"]
"""
WITHDRAWN_CASES = CASES.replace("consent.status: none", "consent.status: withdrawn").replace(
    "consent-missing", "consent-withdrawn"
)


def test_a_rule_that_one_of_another_pack_shadows_is_refused_with_both_names(refuse: Refuse) -> None:
    (problem,) = refuse(WITHDRAWN, WITHDRAWN_CASES)
    assert problem == (
        "communications/trial.yaml:6: the rule 'trial.one' never makes a difference: "
        "'everywhere.withdrawn-means-no' always forbids first"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Regulation (EU) 2016/679 Art. 7(3)", "Act s. 1"),
        ("code: consent-withdrawn", "code: objection"),
        ("message.commercial: true, ", ""),
    ],
)
def test_a_rule_with_a_clause_a_code_or_a_reach_of_its_own_stands_beside_another(
    refuse: Refuse, old: str, new: str
) -> None:
    assert not any("difference" in one for one in refuse(WITHDRAWN.replace(old, new), WITHDRAWN_CASES))


def test_of_two_packs_that_say_the_same_one_is_named_needless(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "communications").mkdir()
    for kind, text in (("yaml", PACK), ("cases.yaml", CASES)):
        twin = text.replace("pack: trial", "pack: twin")
        (tmp_path / "communications" / f"twin.{kind}").write_text(twin, encoding="utf-8")
    (problem,) = refuse(PACK)
    assert "'trial.one' never makes a difference: 'twin.one' always forbids first" in problem


def test_packs_that_contradict_each_other_are_refused_with_both_names(refuse: Refuse) -> None:
    never = PACK.replace("applies: {person.country: JP}\n", "").replace(
        "{message.commercial: true, message.channel: email}\n    unless: {consent.status: granted}",
        "{message.class: {in: [win_back, survey]}}",
    )
    problems = refuse(never, CASES.replace("message.channel: email", "message.class: win_back"))
    for name in ("win_back", "survey"):
        sentence = f"the permit 'matrix.{name}' permits nothing: 'trial.one' forbids all of it"
        assert any(sentence in one and one.startswith("communications/matrix.yaml:") for one in problems)
    assert len(problems) == 2
    narrowed = never.replace("{in: [win_back, survey]}", "win_back, message.channel: sms")
    assert not any("permits nothing" in one for one in refuse(narrowed))
    excepted = never.replace("    code:", "    unless: {consent.status: granted}\n    code:")
    assert not any("permits nothing" in one for one in refuse(excepted))
    dated = never.replace("verified: false", "effective: {until: 2027-01-01}")
    assert not any("permits nothing" in one for one in refuse(dated))


def test_access_packs_that_contradict_each_other_are_refused(refuse: Refuse, tmp_path: Path) -> None:
    permit = """pack: trial
speaks_about: ["*"]
layer: access
rules:
  - {id: auditors-read, effect: permit, when: {principal.type: auditor, action.name: read}, because: They look.}
"""
    forbid = """pack: closed
speaks_about: ["*"]
layer: access
rules:
  - {id: nobody-reads, effect: forbid, when: {action.name: read}, code: no-permit, because: Closed., cites: [House]}
"""
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "closed.yaml").write_text(forbid, encoding="utf-8")
    cases = """pack: closed
now: 2026-11-21T15:00:00Z
cases: [{name: reading, facts: {action.name: read}, expect: {forbids: [no-permit]}}]
"""
    (tmp_path / "access" / "closed.cases.yaml").write_text(cases, encoding="utf-8")
    own = (
        cases.replace("pack: closed", "pack: trial")
        .replace("{action.name: read}", "{principal.type: auditor, action.name: read}")
        .replace("{forbids: [no-permit]}", "{permits: [auditors-read]}")
    )
    (problem,) = refuse(permit, own, room="access")
    assert (
        "the permit 'trial.auditors-read' permits nothing: 'closed.nobody-reads' forbids all of it" in problem
    )


def test_a_permit_for_everything_is_refused(refuse: Refuse) -> None:
    pack = """pack: trial
speaks_about: ["*"]
layer: access
declares: {resource.secret: boolean}
rules:
  - {id: all, effect: permit, when: {any: [{resource.secret: true}, {resource.secret: false}]}, because: Open door.}
"""
    assert any("applies to everything" in one for one in refuse(pack, room="access"))


def test_a_pack_without_cases_is_refused(refuse: Refuse) -> None:
    assert refuse(PACK, cases=None) == [
        "communications/trial.yaml:1: the pack 'trial' has no cases; write trial.cases.yaml beside it"
    ]


def test_a_rule_that_no_case_reaches_is_refused(refuse: Refuse) -> None:
    harmless = CASES.replace("consent.status: none", "consent.status: granted").replace(
        "[consent-missing]", "[]"
    )
    assert refuse(PACK, harmless) == [
        "communications/trial.yaml:7: no case reaches the rule 'trial.one': add one that fails without it"
    ]


def test_a_case_that_fails_is_refused_with_what_it_got(refuse: Refuse) -> None:
    wrong = CASES.replace("[consent-missing]", "[objection]")
    assert refuse(PACK, wrong) == [
        "communications/trial.cases.yaml:4: the case 'no consent' fails: "
        "expected forbids ['objection'], got ['consent-missing']"
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("pack: trial", "pack: trail", "unknown pack 'trail'; did you mean 'trial'?"),
        ("consent.status: none", "consent.status: non", "did you mean 'none'?"),
        ("now: 2026-11-21T15:00:00Z\n", "", "the case has no time"),
        ("now: 2026-11-21T15:00:00Z", "now: 2026-11-21T15:00:00", "is no instant"),
        ("expect: {forbids: [consent-missing]}", "expect: {}", "the case expects nothing"),
        ("consent.status: none", "consent.age: 3", "'3' is no age"),
    ],
)
def test_doubtful_cases_are_refused(refuse: Refuse, old: str, new: str, complaint: str) -> None:
    problems = refuse(PACK, CASES.replace(old, new))
    assert any(complaint in problem for problem in problems), problems


def test_facts_of_a_country_pack_must_be_declared_as_custom(refuse: Refuse) -> None:
    pack = PACK.replace("rules:\n", "declares: {consent.extra: boolean}\nrules:\n", 1)
    assert any("cannot be declared by a pack; it must start with custom." in one for one in refuse(pack))


def test_a_custom_fact_of_a_tenant_can_be_used(refuse: Refuse) -> None:
    pack = PACK.replace("rules:\n", "declares: {custom.vip: boolean}\nrules:\n", 1)
    pack = pack.replace("{consent.status: granted}", "{any: [{consent.status: granted}, {custom.vip: true}]}")
    assert refuse(pack) == []


def test_all_complaints_come_at_once_in_order_of_lines(refuse: Refuse) -> None:
    broken = PACK.replace("consent.status: granted", "consent.statsu: x").replace(
        "code: consent-missing", "code: y"
    )
    lines = [int(problem.split(":")[1]) for problem in refuse(broken)]
    assert lines == sorted(lines)
    assert len(lines) >= 2


def test_rules_outside_a_room_and_files_of_no_kind_are_refused(refuse: Refuse) -> None:
    assert any("rules lie in the folder of their room" in one for one in refuse(PACK, stray=PACK))
    assert any("no pack, matrix or model" in one for one in refuse("title: nothing\n"))


def test_a_broken_vocabulary_is_refused(refuse: Refuse) -> None:
    problems = refuse(
        PACK,
        facts="facts: {a.b: {type: enumm, means: x, gate: [communications], supplied_by: x}}\ngroups: {}\nobligations: {}\ncodes: {}\n",
    )
    assert any("unknown type 'enumm'; did you mean 'enum'?" in one for one in problems)


def test_a_pack_of_the_same_name_replaces_the_shipped_one(tmp_path: Path) -> None:
    folder = tmp_path / "communications"
    folder.mkdir()
    (folder / "my-germany.yaml").write_text(
        PACK.replace("pack: trial", "pack: de").replace("JP", "DE"), encoding="utf-8"
    )
    (folder / "my-germany.cases.yaml").write_text(
        CASES.replace("pack: trial", "pack: de").replace("JP", "DE"), encoding="utf-8"
    )
    checked = load(POLICIES, tmp_path)
    packs = {pack.name: pack for pack in checked.packs}
    assert packs["de"].file == "communications/my-germany.yaml"
    assert [rule.id for rule in packs["de"].rules] == ["de.one"]


def test_the_example_of_the_policy_form_loads_beside_the_shipped_packs(tmp_path: Path) -> None:
    folder = tmp_path / "communications"
    folder.mkdir()
    text = (POLICIES / "communications" / "ca-casl.yaml").read_text(encoding="utf-8")
    (folder / "ca-casl.yaml").write_text(text.replace("24 months", "2 years"), encoding="utf-8")
    assert load(POLICIES, tmp_path).packs


def test_stored_documents_read_back_to_the_same_policies() -> None:
    checked = check_documents(read_documents(POLICIES))
    again = load_documents(checked.canonical)
    assert again.canonical == checked.canonical
    assert list(again.vocabulary.codes) == list(checked.vocabulary.codes), "the waterfall's order is kept"
    assert list(again.vocabulary.facts) == list(checked.vocabulary.facts), "the vector's order is kept"
    assert [rule.id for pack in again.packs for rule in pack.rules] == [
        rule.id for pack in checked.packs for rule in pack.rules
    ]
    assert from_canonical(checked.canonical).keys() == read_documents(POLICIES).keys()
    assert compile_policy(again).source("communication.send") == compile_policy(checked).source(
        "communication.send"
    )
