"""What must hold between processes and in files: no key twice, none after its end, no bytes left behind."""

import base64
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from governance.errors import ConflictError, UnreadableError
from governance.vault import keyring
from governance.vault.model import KINDS, OPERATIONAL, Place
from governance.vault.service import Vault

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
EMAIL = Place("contact_point", "value", "pnt_1")

CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
from governance.settings import Settings
from governance.vault.model import OPERATIONAL, Place
from governance.vault.service import Vault

settings = Settings.from_environ(
    {"GOVERNANCE_DATA_DIR": sys.argv[1], "GOVERNANCE_KEYRING_URL": sys.argv[2]}
)
vault = Vault.open(settings)
print("ready", flush=True)
sys.stdin.readline()
place = Place("contact_point", "value", "pnt_1")
for n in range(int(sys.argv[3])):
    print(vault.seal("acme", f"sub_{n}", OPERATIONAL, place, b"x").hex(), flush=True)
sys.stdin.readline()
for line in sys.stdin:
    try:
        vault.reveal("acme", "sub_0", OPERATIONAL, place, bytes.fromhex(line))
        print("readable", flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


def child(settings, count):
    command = [sys.executable, "-c", CHILD, str(settings.data_dir), settings.keyring_url, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process, line=""):
    process.stdin.write(line + "\n")
    process.stdin.flush()


def test_processes_that_make_the_same_keys_agree_and_all_lose_a_destroyed_one(any_vault, any_settings):
    count = 12
    children = [child(any_settings, count) for _ in range(3)]
    try:
        for each in children:
            assert each.stdout.readline() == "ready\n"
        for each in children:
            say(each)
        sealed = [[each.stdout.readline().strip() for _ in range(count)] for each in children]
        for by_one in sealed:
            for n, text in enumerate(by_one):
                assert any_vault.reveal("acme", f"sub_{n}", OPERATIONAL, EMAIL, bytes.fromhex(text)) == b"x"
        for each in children:
            say(each)
            say(each, sealed[0][0])
            assert each.stdout.readline() == "readable\n"
        any_vault.shred("acme", "sub_0", OPERATIONAL, AT)
        for each in children:
            say(each, sealed[0][0])
            assert each.stdout.readline() == "UnreadableError\n"
    finally:
        for each in children:
            each.stdin.close()
            each.wait(timeout=30)
            each.stdout.close()


def test_no_key_is_made_while_it_is_destroyed(any_vault, any_settings):
    other = Vault.open(any_settings)
    start = threading.Barrier(2)
    sealed: dict[str, bytes] = {}

    def make() -> None:
        start.wait()
        for n in range(60):
            try:
                sealed[f"sub_{n}"] = other.seal("acme", f"sub_{n}", OPERATIONAL, EMAIL, b"x")
            except ConflictError:
                continue

    thread = threading.Thread(target=make)
    thread.start()
    start.wait()
    for n in range(60):
        any_vault.shred("acme", f"sub_{n}", OPERATIONAL, AT)
    thread.join()
    for ref, ciphertext in sealed.items():
        with pytest.raises(UnreadableError):
            any_vault.reveal("acme", ref, OPERATIONAL, EMAIL, ciphertext)
    with keyring.reading(any_vault._engine) as connection:
        left = keyring.subject_keys(connection, "acme", [f"sub_{n}" for n in range(60)])
    assert [row for row in left if row.kind == OPERATIONAL] == []
    other.close()


def test_two_makings_at_once_make_one_installation(settings):
    errors: list[BaseException] = []

    def make() -> None:
        try:
            Vault.create(settings)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    vault = Vault.open(settings)
    assert len(vault.public_jwks()["keys"]) == 2
    vault.close()


def test_no_key_and_no_plaintext_stands_in_any_file(vault, settings):
    refs = [f"sub_{n}" for n in range(20)]
    plain = b"canary-7f3a@example.org"
    for ref in refs:
        vault.seal("acme", ref, OPERATIONAL, EMAIL, plain)
    vault.blind_index("acme", "email", plain.decode())
    epoch_ciphers = vault._keys
    with keyring.reading(vault._engine) as connection:
        wrapped = {(r.subject_ref, r.kind): r.wrapped for r in keyring.subject_keys(connection, "acme", refs)}
    assert len(wrapped) == len(refs) * len(KINDS)
    raw = [epoch_ciphers.of_tenant("acme", "blind-index")]
    root = base64.b64decode(settings.root_key_file.read_bytes())
    for ref in refs[:10]:
        vault.shred("acme", ref, OPERATIONAL, AT)
    files = {p: p.read_bytes() for p in settings.data_dir.rglob("*") if p.is_file()}
    del files[settings.root_key_file]
    for content in files.values():
        assert plain not in content
        assert root not in content
        assert base64.b64encode(root) not in content
        assert raw[0] not in content
        for (ref, kind), bytes_ in wrapped.items():
            gone = ref in refs[:10] and kind == OPERATIONAL
            assert (bytes_ in content) is not gone
    assert {p.name for p in files} == {"keyring.db"}
    assert (settings.data_dir / "keyring.db").stat().st_mode & 0o777 == 0o600


def test_the_residue_check_would_see_a_key_that_was_only_deleted(vault, settings):
    vault.ensure_keys("acme", ["sub_1"])
    with keyring.reading(vault._engine) as connection:
        wrapped = keyring.subject_keys(connection, "acme", ["sub_1"])[0].wrapped
    careless = sqlite3.connect(settings.data_dir / "keyring.db")
    careless.execute("PRAGMA secure_delete=OFF")
    careless.execute("DELETE FROM subject_key")
    careless.commit()
    careless.close()
    assert wrapped in (settings.data_dir / "keyring.db").read_bytes()


def test_the_keyring_of_sqlite_is_durable_and_leaves_no_log(vault):
    with keyring.reading(vault._engine) as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "secure_delete", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "delete", "secure_delete": 1, "synchronous": 3, "foreign_keys": 1}
