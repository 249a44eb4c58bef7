"""Torch modules, for training only: nothing that serves imports them, but for `pooling` and `words`, without torch."""
