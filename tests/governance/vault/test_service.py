from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from governance.errors import ConflictError, NotReadyError, UnreadableError
from governance.vault import keyring
from governance.vault.model import EVIDENCE, OPERATIONAL, Place, canonical_payload, commitment
from governance.vault.rootkey import make_root_key
from governance.vault.service import Vault

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
EMAIL = Place("contact_point", "value", "pnt_1")


def commits(vault):
    """Count the keyring's commits from now on."""
    seen = []
    sa.event.listen(vault._engine, "commit", seen.append)
    return seen


def rows(vault, table):
    with keyring.reading(vault._engine) as connection:
        return list(connection.execute(sa.select(table)))


def test_what_is_sealed_comes_out_again(any_vault):
    sealed = any_vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    assert b"ada" not in sealed
    assert any_vault.reveal("acme", "sub_1", OPERATIONAL, EMAIL, sealed) == b"ada@example.org"


def test_two_keys_per_person_are_made_at_the_first_seal_and_stay(any_vault):
    first = any_vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"a")
    kept = rows(any_vault, keyring.subject_key)
    assert sorted(row.kind for row in kept) == [EVIDENCE, OPERATIONAL]
    any_vault.seal("acme", "sub_1", EVIDENCE, EMAIL, b"b")
    any_vault.ensure_keys("acme", ["sub_1"])
    assert rows(any_vault, keyring.subject_key) == kept
    assert any_vault.reveal("acme", "sub_1", OPERATIONAL, EMAIL, first) == b"a"


def test_a_person_known_by_id_only_has_no_key(any_vault):
    with pytest.raises(UnreadableError):
        any_vault.reveal("acme", "sub_1", OPERATIONAL, EMAIL, b"anything")
    assert rows(any_vault, keyring.subject_key) == []


@pytest.mark.parametrize(
    ("tenant", "subject", "kind", "place"),
    [
        ("other", "sub_1", OPERATIONAL, EMAIL),
        ("acme", "sub_2", OPERATIONAL, EMAIL),
        ("acme", "sub_1", EVIDENCE, EMAIL),
        ("acme", "sub_1", OPERATIONAL, replace(EMAIL, row_id="pnt_2")),
        ("acme", "sub_1", OPERATIONAL, replace(EMAIL, column="name")),
        ("acme", "sub_1", OPERATIONAL, replace(EMAIL, table="subject")),
    ],
)
def test_a_moved_ciphertext_cannot_be_opened(vault, tenant, subject, kind, place):
    sealed = vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    vault.ensure_keys("other", ["sub_1"])
    vault.ensure_keys("acme", ["sub_2"])
    with pytest.raises(UnreadableError):
        vault.reveal(tenant, subject, kind, place, sealed)


def test_the_place_check_would_see_a_vault_that_binds_nothing(vault, monkeypatch):
    monkeypatch.setattr("governance.vault.held.field_context", lambda *_: b"")
    sealed = vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    elsewhere = replace(EMAIL, row_id="pnt_2")
    assert vault.reveal("acme", "sub_1", OPERATIONAL, elsewhere, sealed) == b"ada@example.org"


def test_even_a_moved_wrapped_key_opens_nothing(vault):
    vault.ensure_keys("acme", ["sub_1", "sub_2"])
    sealed = vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    table = keyring.subject_key
    theirs = next(r for r in rows(vault, table) if (r.subject_ref, r.kind) == ("sub_1", OPERATIONAL))
    with keyring.writing(vault._engine) as connection:
        moved = sa.update(table).where(table.c.subject_ref == "sub_2", table.c.kind == OPERATIONAL)
        connection.execute(moved.values(wrapped=theirs.wrapped))
    with pytest.raises(UnreadableError):
        vault.reveal("acme", "sub_2", OPERATIONAL, EMAIL, sealed)
    assert vault.reveal("acme", "sub_1", OPERATIONAL, EMAIL, sealed) == b"ada@example.org"


def test_keys_of_a_thousand_persons_are_one_commit(any_vault):
    seen = commits(any_vault)
    any_vault.ensure_keys("acme", [f"sub_{n}" for n in range(1000)])
    assert len(seen) == 1
    assert len(rows(any_vault, keyring.subject_key)) == 2000
    held = any_vault.hold("acme", [f"sub_{n}" for n in range(1000)])
    sealed = [held.seal(f"sub_{n}", OPERATIONAL, EMAIL, b"x") for n in range(1000)]
    assert len(seen) == 1
    assert len(set(sealed)) == 1000
    assert any_vault.reveal("acme", "sub_999", OPERATIONAL, EMAIL, sealed[999]) == b"x"


def test_all_wrapped_keys_have_nonces_of_their_own(vault):
    vault.ensure_keys("acme", [f"sub_{n}" for n in range(500)])
    assert len({row.wrapped[:12] for row in rows(vault, keyring.subject_key)}) == 1000


def test_a_destroyed_key_is_lost_to_other_open_vaults_at_once(any_vault, any_settings):
    other = Vault.open(any_settings)
    sealed = any_vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    proof = any_vault.seal("acme", "sub_1", EVIDENCE, EMAIL, b"signed in May")
    assert other.reveal("acme", "sub_1", OPERATIONAL, EMAIL, sealed) == b"ada@example.org"
    any_vault.shred("acme", "sub_1", OPERATIONAL, AT)
    for each in (any_vault, other):
        with pytest.raises(UnreadableError):
            each.reveal("acme", "sub_1", OPERATIONAL, EMAIL, sealed)
        assert each.is_shredded("acme", "sub_1")
        assert not each.is_shredded("acme", "sub_1", EVIDENCE)
        assert each.reveal("acme", "sub_1", EVIDENCE, EMAIL, proof) == b"signed in May"
    other.close()


def test_the_loss_check_would_see_a_process_that_remembers_keys(vault, settings):
    other = Vault.open(settings)
    sealed = vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    remembered = other.hold("acme", ["sub_1"])
    vault.shred("acme", "sub_1", OPERATIONAL, AT)
    assert remembered.reveal("sub_1", OPERATIONAL, EMAIL, sealed) == b"ada@example.org"
    other.close()


def test_a_destroyed_key_is_never_made_again(any_vault):
    any_vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"x")
    any_vault.shred("acme", "sub_1", OPERATIONAL, AT)
    any_vault.shred("acme", "sub_1", OPERATIONAL, AT)
    any_vault.ensure_keys("acme", ["sub_1", "sub_2"])
    for _ in range(20):
        with pytest.raises(ConflictError) as caught:
            any_vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"x")
        assert caught.value.reason == "resurrection-blocked"
    assert {(r.subject_ref, r.kind) for r in rows(any_vault, keyring.subject_key)} == {
        ("sub_1", EVIDENCE),
        ("sub_2", EVIDENCE),
        ("sub_2", OPERATIONAL),
    }


def test_a_person_without_keys_can_be_shredded_too(any_vault):
    any_vault.shred("acme", "sub_9", OPERATIONAL, AT)
    assert any_vault.is_shredded("acme", "sub_9")
    assert not any_vault.is_shredded("other", "sub_9")
    with pytest.raises(ConflictError):
        any_vault.seal("acme", "sub_9", OPERATIONAL, EMAIL, b"x")


def test_evidence_comes_out_and_matches_its_commitment(any_vault):
    payload = {"ip": "203.0.113.9", "form": {"fields": ["email"], "n": 2}, "note": None}
    sealed = any_vault.seal_evidence("acme", "sub_1", "evt_1", payload)
    assert (
        any_vault.reveal_evidence("acme", "sub_1", "evt_1", sealed.ciphertext, sealed.commitment) == payload
    )
    assert b"203.0.113.9" not in sealed.ciphertext


def test_evidence_of_another_event_or_commitment_is_refused(vault):
    one = vault.seal_evidence("acme", "sub_1", "evt_1", {"a": 1})
    two = vault.seal_evidence("acme", "sub_1", "evt_2", {"a": 1})
    assert one.commitment != two.commitment
    for event_id, committed in [("evt_1", two.commitment), ("evt_2", one.commitment), ("evt_1", "é")]:
        with pytest.raises(UnreadableError):
            vault.reveal_evidence("acme", "sub_1", event_id, one.ciphertext, committed)


def test_who_is_shown_salt_and_payload_can_repeat_the_commitment(vault):
    sealed = vault.seal_evidence("acme", "sub_1", "evt_1", {"a": 1})
    packed = vault.reveal(
        "acme", "sub_1", EVIDENCE, Place("ledger_payload", "payload", "evt_1"), sealed.ciphertext
    )
    assert sealed.commitment == commitment(packed[:32], "acme", "sub_1", "evt_1", canonical_payload({"a": 1}))


def test_indexes_are_stable_and_apart_by_tenant_field_and_use(any_vault, any_settings):
    index = any_vault.blind_index("acme", "email", "ada@example.org")
    assert len(index) == 32
    assert int(index, 16)
    others = [
        any_vault.blind_index("acme", "email", "bob@example.org"),
        any_vault.blind_index("acme", "phone", "ada@example.org"),
        any_vault.blind_index("other", "email", "ada@example.org"),
        any_vault.suppression_hash("acme", "email", "ada@example.org"),
    ]
    assert len({index, *others}) == 5
    again = Vault.open(any_settings)
    assert again.blind_index("acme", "email", "ada@example.org") == index
    assert again.suppression_hash("acme", "email", "ada@example.org") == others[3]
    again.close()


def test_macs_are_apart_by_use(vault):
    mac = vault.mac("acme", "unsubscribe", b"message")
    assert len(mac) == 32
    assert mac == vault.mac("acme", "unsubscribe", b"message")
    assert (
        len({mac, vault.mac("acme", "confirm", b"message"), vault.mac("other", "unsubscribe", b"message")})
        == 3
    )


def test_ping_answers_and_says_when_it_cannot(vault):
    vault.ping()
    with keyring.writing(vault._engine) as connection:
        connection.execute(sa.update(keyring.keyring_meta).values(schema_version=99))
    with pytest.raises(NotReadyError):
        vault.ping()


def test_making_again_changes_nothing(any_vault, any_settings):
    sealed = any_vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"x")
    keys = any_vault.public_jwks()
    Vault.create(any_settings)
    again = Vault.open(any_settings)
    assert again.reveal("acme", "sub_1", OPERATIONAL, EMAIL, sealed) == b"x"
    assert again.public_jwks() == keys
    again.close()


def test_a_wrong_root_key_is_one_clear_sentence(any_settings):
    any_settings.root_key_file.unlink()
    make_root_key(any_settings.root_key_file)
    for start in (Vault.open, Vault.create):
        with pytest.raises(
            NotReadyError, match=r"^The root key in \S+ is not the one that the keyring .* with; put"
        ):
            start(any_settings)


def test_a_missing_root_key_is_one_clear_sentence_and_none_is_made(any_settings):
    any_settings.root_key_file.unlink()
    for start in (Vault.open, Vault.create):
        with pytest.raises(NotReadyError, match=r"^The root key file \S+ is missing; put it back"):
            start(any_settings)
    assert not any_settings.root_key_file.exists()


def test_a_missing_keyring_is_one_clear_sentence_and_none_is_made(settings):
    make_root_key(settings.root_key_file)
    with pytest.raises(NotReadyError, match=r"^The keyring \S+keyring\.db is missing; put it back"):
        Vault.open(settings)
    assert not (settings.data_dir / "keyring.db").exists()


def test_a_missing_keyring_database_does_not_tell_its_password(settings, postgres):
    url = sa.make_url(postgres.url("no_such_database")).set(password="s3cret-word")
    make_root_key(settings.root_key_file)
    with pytest.raises(NotReadyError, match="cannot be opened") as caught:
        Vault.open(replace(settings, keyring_url=url.render_as_string(hide_password=False)))
    assert "s3cret-word" not in str(caught.value)


def test_an_empty_keyring_is_one_clear_sentence(settings):
    make_root_key(settings.root_key_file)
    (settings.data_dir / "keyring.db").touch()
    with pytest.raises(NotReadyError, match="is not set up; run `governance init`"):
        Vault.open(settings)


def test_a_keyring_that_is_no_database_is_one_clear_sentence(settings):
    make_root_key(settings.root_key_file)
    (settings.data_dir / "keyring.db").write_bytes(b"scrambled eggs " * 400)
    for start in (Vault.open, Vault.create):
        with pytest.raises(NotReadyError, match="cannot be opened"):
            start(settings)


def test_a_keyring_of_another_version_is_one_clear_sentence(vault, settings):
    with keyring.writing(vault._engine) as connection:
        connection.execute(sa.update(keyring.keyring_meta).values(schema_version=99))
    with pytest.raises(NotReadyError, match="has version 99"):
        Vault.open(settings)
