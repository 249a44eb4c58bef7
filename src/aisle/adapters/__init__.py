"""What fulfils the ports: a folder a technology. Only `aisle.wiring` imports from here."""
