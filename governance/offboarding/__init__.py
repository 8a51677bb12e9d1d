"""How a tenant leaves: everything of it in one file, and its deletion with a certificate."""
