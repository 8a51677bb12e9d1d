"""The leaf's form, and the guard that keeps persons out of it."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import assume, given
from hypothesis import strategies as st

from governance.events import Event, Fact, Sealed
from governance.ledger.model import LEAF_MEMBERS, UnfitLeafError, build_leaf, check_event, is_fact_text

AT = datetime(2026, 11, 21, 10, 0, 0, 5, tzinfo=UTC)


def an_event(**changes: Any) -> Event:
    values: dict[str, Any] = {
        "id": "evt_1",
        "kind": "consent.granted",
        "at": AT,
        "actor_ref": "client_1",
        "subject_ref": "sub_1",
        "facts": {"purpose": "newsletter", "count": 3, "proven": True, "channel": None, "topics": ["a", "b"]},
    }
    return Event(**(values | changes))


def test_a_leaf_is_canonical_json_with_exactly_its_members() -> None:
    sealed = Sealed(b"ciphertext", "ab" * 32)
    leaf = build_leaf(an_event(sealed=sealed), tenant_ref="ref", position=7)
    told = json.loads(leaf)
    assert set(told) == LEAF_MEMBERS
    assert told == {
        "v": 1,
        "tenant": "ref",
        "seq": 7,
        "id": "evt_1",
        "at": "2026-11-21T10:00:00.000005Z",
        "kind": "consent.granted",
        "actor": "client_1",
        "subject": "sub_1",
        "facts": {"purpose": "newsletter", "count": 3, "proven": True, "channel": None, "topics": ["a", "b"]},
        "commit": "ab" * 32,
        "sealed": hashlib.sha256(b"ciphertext").hexdigest(),
    }
    assert leaf == json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
        st.one_of(
            st.text(max_size=30),
            st.lists(st.text(max_size=10), max_size=3),
            st.integers(-(2**53) + 1, 2**53 - 1),
            st.booleans(),
            st.none(),
        ),
        max_size=6,
    )
)
def test_whatever_may_enter_a_leaf_is_written_as_rfc_8785_has_it(facts: dict[str, Any]) -> None:
    try:
        leaf = build_leaf(an_event(facts=facts), tenant_ref="ref", position=0)
    except UnfitLeafError:
        assume(False)
    else:
        assert leaf == rfc8785.dumps(json.loads(leaf))


def test_the_ciphertext_itself_never_enters_the_leaf() -> None:
    leaf = build_leaf(an_event(sealed=Sealed(b"ciphertext", "ab" * 32)), tenant_ref="ref", position=0)
    assert b"ciphertext" not in leaf


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.org",
        "mailto:jane.doe@mail.example.co.uk",
        "by jane@exämple.de today",
        "+491701234567",
        "tel:+49 170 123-4567",
        "+1 (415) 555-0100",
        "10.0.0.1",
        "from 192.168.1.77, twice",
        "203.0.113.9/32",
        "2001:db8::1",
        "ip:2001:db8::1",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "2001:0db8:0000:0000:0000:ff00:0042:8329",
        "x" * 257,
        "two\nlines",
        "nul\x00",
        "\ud800",
    ],
)
def test_what_looks_like_a_person_or_like_free_text_is_refused(text: str) -> None:
    assert not is_fact_text(text)
    for facts in ({"fact": text}, {"fact": ["code", text]}):
        with pytest.raises(UnfitLeafError) as caught:
            check_event(an_event(facts=facts))
        assert text not in str(caught.value)
    with pytest.raises(UnfitLeafError):
        check_event(an_event(subject_ref=text))
    with pytest.raises(UnfitLeafError):
        check_event(an_event(actor_ref=text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "newsletter",
        "sub_0193f0a1b2c3d4e5f60718293a4b5c6d",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "9f86d081-884c-7d65-9a2f-eaa0c55ad015",
        "us-can-spam@2026.1",
        "1.2.3",
        "2026-11-21T10:00:00.000000Z",
        "2026-11-21T10:00:00+01:00",
        "10:00:00",
        "DE",
        "Basic Consent",
        "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        "job:seal-checkpoint",
    ],
)
def test_codes_references_digests_and_instants_may_stand_in_a_leaf(text: str) -> None:
    assert is_fact_text(text)
    check_event(an_event(facts={"fact": text}))


@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53), {"a": 1}, b"bytes", ["a", 1], [["a"]], AT])
def test_values_outside_the_closed_set_are_refused(value: Fact) -> None:
    with pytest.raises(UnfitLeafError):
        check_event(an_event(facts={"fact": value}))


@pytest.mark.parametrize(
    "kind", ["", "granted", "Consent.granted", "consent.", "consent..x", "consent granted.x"]
)
def test_kinds_that_are_not_dotted_words_are_refused(kind: str) -> None:
    with pytest.raises(UnfitLeafError):
        check_event(an_event(kind=kind))


@pytest.mark.parametrize("name", ["", "Fact", "a b", "ä", "1a"])
def test_names_of_facts_that_are_not_lower_case_words_are_refused(name: str) -> None:
    with pytest.raises(UnfitLeafError):
        check_event(an_event(facts={name: 1}))


def test_empty_references_and_malformed_commitments_are_refused() -> None:
    for changes in ({"id": ""}, {"actor_ref": ""}, {"subject_ref": ""}, {"sealed": Sealed(b"x", "AB" * 32)}):
        with pytest.raises(UnfitLeafError):
            check_event(an_event(**changes))
