from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from governance.errors import UnreadableError
from governance.vault import keyring
from governance.vault.model import EVIDENCE, OPERATIONAL, Place
from governance.vault.service import Vault

AT = datetime(2026, 11, 28, 3, tzinfo=UTC)
EMAIL = Place("contact_point", "value", "pnt_1")


def epochs(vault):
    with keyring.reading(vault._engine) as connection:
        return list(
            connection.scalars(sa.select(keyring.epoch_key.c.epoch).order_by(keyring.epoch_key.c.epoch))
        )


def test_nothing_is_lost_by_a_new_epoch(any_vault, any_settings):
    vault, other = any_vault, Vault.open(any_settings)
    refs = [f"sub_{n}" for n in range(30)]
    vault.ensure_keys("acme", refs)
    sealed = {ref: vault.seal("acme", ref, OPERATIONAL, EMAIL, ref.encode()) for ref in refs}
    index, keys = vault.blind_index("acme", "email", "a"), vault.public_jwks()
    vault.shred("acme", "sub_0", OPERATIONAL, AT)
    assert vault.open_epoch(AT) == 2
    assert vault.destroy_old_epochs() == 0
    done = 0
    while step := vault.rewrap(limit=10):
        done += step
        # Half done, everything is readable: to who rotates and to who does not know of it.
        for each in (vault, other):
            assert each.reveal("acme", "sub_7", OPERATIONAL, EMAIL, sealed["sub_7"]) == b"sub_7"
    assert done == 59 + 1 + 3
    assert vault.destroy_old_epochs() == 1
    assert epochs(vault) == [2]
    third = Vault.open(any_settings)
    for each in (vault, other, third):
        assert all(
            each.reveal("acme", ref, OPERATIONAL, EMAIL, sealed[ref]) == ref.encode() for ref in refs[1:]
        )
        with pytest.raises(UnreadableError):
            each.reveal("acme", "sub_0", OPERATIONAL, EMAIL, sealed["sub_0"])
        assert each.blind_index("acme", "email", "a") == index
        assert each.public_jwks() == keys
    other.seal("acme", "sub_new", EVIDENCE, EMAIL, b"x")
    assert vault.rewrap() == 0
    other.close()
    third.close()


def test_after_a_rotation_an_old_copy_of_a_wrapped_key_is_useless(vault):
    sealed = vault.seal("acme", "sub_1", OPERATIONAL, EMAIL, b"ada@example.org")
    table = keyring.subject_key
    which = (table.c.subject_ref == "sub_1", table.c.kind == OPERATIONAL)
    with keyring.reading(vault._engine) as connection:
        backup = connection.execute(sa.select(table).where(*which)).one()
    vault.shred("acme", "sub_1", OPERATIONAL, AT)
    vault.open_epoch(AT)
    while vault.rewrap():
        pass
    vault.destroy_old_epochs()
    # Whoever puts the row back has no epoch key for it: neither as it was (the old epoch is gone) ...
    with pytest.raises(sa.exc.IntegrityError), keyring.writing(vault._engine) as connection:
        connection.execute(sa.insert(table).values(**backup._mapping))
    # ... nor under the new one.
    with keyring.writing(vault._engine) as connection:
        connection.execute(sa.insert(table).values(**{**backup._mapping, "epoch": 2}))
    with pytest.raises(UnreadableError):
        vault.reveal("acme", "sub_1", OPERATIONAL, EMAIL, sealed)


def test_a_reader_that_holds_on_does_not_keep_the_old_epoch_alive(any_vault):
    any_vault.ensure_keys("acme", ["sub_1"])
    with any_vault._engine.connect() as reader:
        reader.execute(sa.select(keyring.epoch_key.c.epoch)).all()
        if any_vault._engine.dialect.name == "sqlite":
            reader.rollback()  # a statement is a transaction of its own there
        any_vault.open_epoch(AT)
        while any_vault.rewrap():
            pass
        assert any_vault.destroy_old_epochs() == 1
    assert epochs(any_vault) == [2]
    any_vault.open_epoch(AT)
    while any_vault.rewrap():
        pass
    assert any_vault.destroy_old_epochs() == 1
