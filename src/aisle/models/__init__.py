"""Torch modules, for training only: nothing that serves imports them, but for `pooling`, which needs no torch."""
