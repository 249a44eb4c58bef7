"""Training with torch so that the same seed gives the same model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def steadily(seed: int, threads: int) -> Iterator[None]:
    """On so many threads, sums in a fixed order, chance from the seed; all as it was afterwards."""
    import torch

    n_before, strict_before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(max(1, threads))
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(n_before)
            torch.use_deterministic_algorithms(strict_before)
