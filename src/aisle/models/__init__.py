"""Torch modules, for training only: no I/O, and nothing that serves imports them."""
