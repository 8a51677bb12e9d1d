"""Signatures: the published vector, the published list of what must be refused and accepted, and rotation."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from governance.egress import signatures
from governance.egress.signatures import BadSignatureError, read_secret, sign, verify, write_secret

VECTORS = json.loads((Path(__file__).parents[2] / "fixtures/standard-webhooks/vectors.json").read_text())
[VECTOR] = VECTORS["sign"]
SECRET = VECTOR["secret"]
AT = datetime.fromtimestamp(VECTOR["timestamp"], UTC)
BODY = VECTOR["payload"].encode()


def headers(**changed: str | None) -> dict[str, str]:
    """The vector's headers; a value replaced, or left out by None. Names with `_` for `-`."""
    found = {
        "webhook-id": VECTOR["msg_id"],
        "webhook-timestamp": str(VECTOR["timestamp"]),
        "webhook-signature": VECTOR["expected"],
    }
    for name, value in changed.items():
        found[name.replace("_", "-")] = value or ""
    return {name: value for name, value in found.items() if value}


def test_the_published_vector_is_signed_as_published() -> None:
    made = sign([read_secret(SECRET)], VECTOR["msg_id"], AT, BODY)
    assert made == headers()


REFUSED = {
    "one character of the signature changed": (SECRET, headers(), VECTORS["verify_reject"][0]["signature"]),
    "missing webhook-id": (SECRET, headers(webhook_id=None), None),
    "missing webhook-timestamp": (SECRET, headers(webhook_timestamp=None), None),
    "webhook-timestamp: hello": (SECRET, headers(webhook_timestamp="hello"), None),
    "missing webhook-signature": (SECRET, headers(webhook_signature=None), None),
    'empty secret: ""': ("", headers(), None),
    'empty secret: "whsec_"': ("whsec_", headers(), None),
    "signature no base64": (SECRET, headers(), "v1,dawfeoifkpqwoekfpqoekf"),
    "truncated": (SECRET, headers(), VECTOR["expected"][:-4]),
    "v1 and nothing": (SECRET, headers(), "v1,"),
    "no comma": (SECRET, headers(), "v1"),
    "other version only": (SECRET, headers(), VECTOR["expected"].replace("v1,", "v2,")),
    "not ASCII": (SECRET, headers(), "v1,é\udcff"),
    "timestamp with a sign": (SECRET, headers(webhook_timestamp="+1614265330"), None),
    "timestamp in other digits": (SECRET, headers(webhook_timestamp="١٦١٤٢٦٥٣٣٠"), None),
    "secret no base64": ("whsec_!!!!", headers(), None),
}


def test_the_list_covers_what_is_published() -> None:
    assert len(VECTORS["verify_reject"]) == 9  # a longer list wants more cases here
    assert len(VECTORS["verify_accept"]) == 3


@pytest.mark.parametrize("why", REFUSED)
def test_what_must_be_refused_is_refused(why: str) -> None:
    secret, given, signature = REFUSED[why]
    if signature is not None:
        given = given | {"webhook-signature": signature}
    with pytest.raises(BadSignatureError):
        verify(secret, given, BODY, AT)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_more_than_five_minutes_away_is_refused_and_five_are_not(seconds: int) -> None:
    with pytest.raises(BadSignatureError):
        verify(SECRET, headers(), BODY, AT + timedelta(seconds=seconds))
    verify(SECRET, headers(), BODY, AT + timedelta(seconds=seconds - seconds // abs(seconds)))


def test_a_changed_body_id_or_time_is_refused() -> None:
    for given, body in (
        (headers(), BODY + b" "),
        (headers(webhook_id="msg_other"), BODY),
        (headers(webhook_timestamp=str(VECTOR["timestamp"] + 1)), BODY),
    ):
        with pytest.raises(BadSignatureError):
            verify(SECRET, given, body, AT)


@pytest.mark.parametrize(
    "signature",
    [
        f"v1,Zm9v v2,{VECTOR['expected'][3:]} {VECTOR['expected']} v1,YmFy",
        VECTOR["expected"],
    ],
)
def test_a_list_with_one_good_signature_is_accepted(signature: str) -> None:
    verify(SECRET, headers(webhook_signature=signature), BODY, AT)
    verify(SECRET.removeprefix("whsec_"), headers(webhook_signature=signature), BODY, AT)


@pytest.mark.parametrize("text", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr"])
def test_secrets_without_padding_are_read(text: str) -> None:
    made = sign([read_secret(text)], "evt_1", AT, BODY)
    verify(text, made, BODY, AT)


def test_during_a_rotation_both_receivers_are_served() -> None:
    old, new = bytes(range(32)), bytes(range(1, 33))
    made = sign([new, old], "evt_1", AT, BODY)
    assert len(made["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        verify(write_secret(secret), made, BODY, AT)
    with pytest.raises(BadSignatureError):
        verify(write_secret(bytes(32)), made, BODY, AT)
    assert len(read_secret(write_secret(new))) == signatures.SECRET_BYTES


def test_the_receiver_in_the_guide_acts_once_and_refuses_what_is_forged() -> None:
    guide = (Path(__file__).parents[3] / "docs/integrate.md").read_text()
    [snippet] = [each.split("```")[0] for each in guide.split("```python\n")[1:] if "def receive(" in each]
    told: dict[str, Any] = {"json": json, "SECRET": SECRET}
    exec(compile(snippet, "docs/integrate.md", "exec"), told)
    acts: list[object] = []
    seen: set[str] = set()
    made = sign([read_secret(SECRET)], "evt_1", AT, BODY)
    answers = [told["receive"](made, BODY, AT, seen, acts.append) for _ in range(3)]
    assert (answers, acts) == ([204] * 3, [json.loads(BODY)])
    assert told["receive"](made, BODY + b" ", AT, seen, acts.append) == 400
    assert len(acts) == 1
