"""Migrations of the keyring."""

from governance.migrations.environment import run
from governance.vault.keyring import keyring_metadata

run(keyring_metadata)
