"""Contract suites that an adapter of any port must pass; they need pytest."""
