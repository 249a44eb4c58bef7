"""Keys, passwords and secrets."""
