import json

import pytest

from governance.errors import InvalidError, UnreadableError
from governance.vault.model import (
    OPERATIONAL,
    Place,
    canonical_payload,
    commitment,
    field_context,
    joined,
    pack_evidence,
    read_payload,
    unpack_evidence,
)

SALT = bytes(range(32))


def test_parts_cannot_flow_into_each_other():
    assert joined("ab", "c") != joined("a", "bc")
    assert joined("", "a") != joined("a", "")
    assert joined("1") != joined(1)


def test_every_part_of_the_place_changes_the_associated_data():
    base = ("acme", "sub_1", OPERATIONAL, 1, Place("contact_point", "value", "pnt_1"))
    others = [
        ("other", *base[1:]),
        ("acme", "sub_2", *base[2:]),
        ("acme", "sub_1", "evidence", *base[3:]),
        (*base[:3], 2, base[4]),
        (*base[:4], Place("subject", "value", "pnt_1")),
        (*base[:4], Place("contact_point", "name", "pnt_1")),
        (*base[:4], Place("contact_point", "value", "pnt_2")),
    ]
    contexts = {field_context(*each) for each in [base, *others]}
    assert len(contexts) == 8


def test_a_commitment_depends_on_salt_person_event_and_payload():
    payload = canonical_payload({"ip": "203.0.113.9"})
    whole = commitment(SALT, "acme", "sub_1", "evt_1", payload)
    assert whole == commitment(SALT, "acme", "sub_1", "evt_1", payload)
    assert len(whole) == 64
    assert whole != commitment(bytes(32), "acme", "sub_1", "evt_1", payload)
    assert whole != commitment(SALT, "other", "sub_1", "evt_1", payload)
    assert whole != commitment(SALT, "acme", "sub_2", "evt_1", payload)
    assert whole != commitment(SALT, "acme", "sub_1", "evt_2", payload)
    assert whole != commitment(SALT, "acme", "sub_1", "evt_1", payload + b" ")


def test_evidence_is_written_canonically_and_its_length_is_blurred():
    payload = canonical_payload({"b": [1, "é"], "a": None})
    assert payload == '{"a":null,"b":[1,"é"]}'.encode()
    packed = pack_evidence(SALT, payload)
    assert len(packed) == 32 + 64
    assert unpack_evidence(packed) == (SALT, payload)
    assert len(pack_evidence(SALT, b"{}")) == len(packed)


@pytest.mark.parametrize("value", [2**60, float("nan"), "\ud800", object()])
def test_evidence_that_is_no_json_is_refused(value):
    with pytest.raises(InvalidError):
        canonical_payload({"value": value})


def test_evidence_nested_too_deep_is_refused():
    deep = json.loads("[" * 900 + "]" * 900)
    for _ in range(40):
        deep = [deep] * 1
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(InvalidError):
        canonical_payload({"deep": deep})


@pytest.mark.parametrize("payload", [b"", b"[1]", b"{"])
def test_evidence_that_is_no_object_cannot_be_read(payload):
    with pytest.raises(UnreadableError):
        read_payload(payload)


def test_text_with_half_a_character_is_refused_not_crashed_on():
    with pytest.raises(InvalidError):
        joined("\udc80")
