"""Schema of the keyring."""
