import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance.errors import UnreadableError
from governance.vault import envelope

KEY = AESGCM(bytes(range(32)))


def test_a_sealed_field_opens_at_its_place_only():
    sealed = envelope.seal(KEY, 1, b"ada@example.org", b"here")
    assert len(sealed) == len(b"ada@example.org") + envelope.OVERHEAD
    assert envelope.reveal(KEY, 1, sealed, b"here") == b"ada@example.org"
    for key, version, context in [(KEY, 1, b"there"), (KEY, 2, b"here"), (AESGCM(bytes(32)), 1, b"here")]:
        with pytest.raises(UnreadableError):
            envelope.reveal(key, version, sealed, context)


def test_every_single_flipped_bit_is_noticed():
    sealed = envelope.seal(KEY, 1, b"+14165550123", b"here")
    for position in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(UnreadableError):
            envelope.reveal(KEY, 1, bytes(flipped), b"here")


def test_every_truncation_is_noticed():
    sealed = envelope.seal(KEY, 1, b"", b"here")
    for length in range(len(sealed)):
        with pytest.raises(UnreadableError):
            envelope.reveal(KEY, 1, sealed[:length], b"here")
    with pytest.raises(UnreadableError):
        envelope.reveal(KEY, 1, sealed + b"\x00", b"here")


def test_no_nonce_is_used_twice():
    start = envelope.OVERHEAD - 16 - envelope.NONCE_BYTES
    nonces = {envelope.seal(KEY, 1, b"", b"")[start : start + envelope.NONCE_BYTES] for _ in range(20_000)}
    assert len(nonces) == 20_000


def test_a_wrapped_key_opens_in_its_context_only():
    wrapped = envelope.wrap(KEY, bytes(32), b"epoch 1")
    assert len(wrapped) == 60
    assert envelope.unwrap(KEY, wrapped, b"epoch 1") == bytes(32)
    with pytest.raises(UnreadableError):
        envelope.unwrap(KEY, wrapped, b"epoch 2")


def test_all_failures_read_the_same():
    sealed = envelope.seal(KEY, 1, b"x", b"here")
    sentences = set()
    for key, version, bad in [
        (AESGCM(bytes(32)), 1, sealed),
        (KEY, 1, b""),
        (KEY, 1, sealed[:-1]),
        (KEY, 9, sealed),
    ]:
        with pytest.raises(UnreadableError) as caught:
            envelope.reveal(key, version, bad, b"here")
        sentences.add(str(caught.value))
    assert len(sentences) == 1
