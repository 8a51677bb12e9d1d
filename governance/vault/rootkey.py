"""The root key: 32 random bytes as base64 text in a file of its own, readable by its owner only.

It lies outside every database and every database backup. Without it the keyring, and so every sealed value,
is lost: it needs a backup of its own.
"""

import base64
import binascii
import os
import stat
from pathlib import Path

from governance.errors import NotReadyError
from governance.ids import new_secret, random_bytes
from governance.vault.model import KEY_BYTES


def read_root_key(path: Path) -> bytes:
    """Read the root key; NotReadyError with one sentence if it is missing, open to others or malformed."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise NotReadyError(
                f"The root key {path} is not a file; set GOVERNANCE_ROOT_KEY_FILE to the key's file."
            )
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise NotReadyError(f"The root key file {path} is open to other users; run `chmod 600 {path}`.")
        text = path.read_bytes()
    except FileNotFoundError:
        raise NotReadyError(
            f"The root key file {path} is missing; put it back from its backup or set "
            "GOVERNANCE_ROOT_KEY_FILE (a new installation gets one from `governance init`)."
        ) from None
    except OSError as error:
        raise NotReadyError(f"The root key file {path} cannot be read: {error.strerror}.") from None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise NotReadyError(
            f"The root key file {path} does not hold a key: it must be 32 bytes as base64 text."
        )
    return key


def make_root_key(path: Path) -> None:
    """Make a root key file with mode 0600 unless there is one already; safe against a second maker.

    The file appears whole or not at all: it is written and synced under another name, then linked.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{new_secret()[:8]}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(random_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
