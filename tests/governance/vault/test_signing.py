import json

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from governance.errors import InvalidError
from governance.ledger.note import parse_vkey, sign_note, verify_note
from governance.vault import keyring
from governance.vault.service import Vault


def test_a_receipt_verifies_with_the_published_keys(any_vault):
    receipt = any_vault.sign_receipt({"id": "rec_1", "status": "granted", "topics": ["a"]})
    keys = KeySet.import_key_set(any_vault.public_jwks())
    opened = jws.deserialize_compact(receipt, keys, algorithms=["ES256"])
    assert opened.headers()["typ"] == "governance-receipt+jws"
    assert json.loads(opened.payload) == {"id": "rec_1", "status": "granted", "topics": ["a"]}


def test_published_keys_hold_nothing_private(vault):
    keys = vault.public_jwks()["keys"]
    assert [(key["kty"], key["crv"], key["alg"], key["use"]) for key in keys] == [
        ("EC", "P-256", "ES256", "sig")
    ] * 2
    assert all("d" not in key for key in keys)
    assert len({key["kid"] for key in keys}) == 2


def test_tokens_and_receipts_have_keys_of_their_own(vault):
    receipt = vault.sign_receipt({"id": "rec_1"})
    token_key = vault.token_key()
    assert token_key.kid in {key["kid"] for key in vault.public_jwks()["keys"]}
    with pytest.raises(Exception, match=r"(?i)signature|key"):
        jws.deserialize_compact(receipt, token_key, algorithms=["ES256"])


def test_claims_that_are_no_json_are_refused(vault):
    with pytest.raises(InvalidError):
        vault.sign_receipt({"n": 2**70})


def test_a_checkpoint_signature_verifies_in_every_process(any_vault, any_settings):
    signer = any_vault.checkpoint_signer("privacy.example.org/tnt_1")
    note = sign_note("privacy.example.org/tnt_1\n0\nroot\n", signer)
    other = Vault.open(any_settings)
    assert other.checkpoint_signer("privacy.example.org/tnt_1").vkey == signer.vkey
    verify_note(note, [parse_vkey(signer.vkey)])
    assert len(signer.sign(b"x")) == 64
    other.close()


def test_private_keys_lie_wrapped(vault, settings):
    signer = vault.checkpoint_signer("x")
    token = vault.token_key().as_dict(private=True)
    file = (settings.data_dir / "keyring.db").read_bytes()
    assert signer.private_key.private_bytes_raw() not in file
    assert token["d"].encode() not in file
    with keyring.reading(vault._engine) as connection:
        assert all(
            len(keyring.signing_key_rows(connection, use)) == 1 for use in ("checkpoint", "token", "receipt")
        )
