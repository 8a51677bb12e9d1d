"""The only way out: where requests may go, how they are sent, and how they are signed."""
