"""Keys and encryption: what identifies a person is readable only here, until its key is destroyed."""
