"""Fitting LightGCN: sampled softmax over the graph of who took what.

He et al. (2020) train with one negative a pair (BPR); here each pair is told
from some hundred others at once, corrected for how often they are drawn
(logQ: Yi et al. 2019), between unit vectors (Wu et al. 2022). Measured by
benchmarks/graph.py.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aisle.errors import TrainingFailed
from aisle.learn.steady import steadily
from aisle.learn.tastes import HeldOut, Tastes
from aisle.types import Progress, Vectors

if TYPE_CHECKING:
    import torch

    from aisle.models.lightgcn import LightGCN, Pairs

DIM: Final = 64
LAYERS: Final = 2
RATE: Final = 0.02
TEMPERATURE: Final = 0.1
SPREAD: Final = 0.5
"""Share of the pairs that spread in a round; the others are predicted."""

LEAST_BATCH: Final = 512
MOST_STEPS: Final = 10
"""Steps of a round: each costs the whole graph, so large data takes larger batches."""
NEGATIVES: Final = 512
MOST_ROUNDS: Final = 60
LOOK_EVERY: Final = 5
"""Rounds between looks at the held-out cases; two looks without gain end the fit."""
LOOK_HALF: Final = 1.5
KEEP_EVERY_S: Final = 30.0


def fit_lightgcn(
    tastes: Tastes,
    cases: HeldOut | None,
    *,
    rounds: int,
    work: Path,
    progress: Progress,
    seed: int,
    ends: float = float("inf"),
    threads: int = 1,
) -> tuple[Vectors, int]:
    """(unit vectors float32[m, DIM], rounds): with `cases` as many rounds as help them, else `rounds` exactly.

    A fit that was killed goes on from its newest checkpoint in `work`. At
    `ends` (time.monotonic) it stops where it is. Raises TrainingFailed.
    """
    with steadily(seed, threads):
        run = _Run(tastes, seed)
        file = work / "lightgcn.safetensors"
        run.restore(file)
        best, best_at, best_vectors = -1.0, 0, run.vectors()
        most = MOST_ROUNDS if cases is not None else max(1, rounds)
        kept = time.monotonic()
        while run.round < most and time.monotonic() < ends:
            run.one_round()
            progress("LightGCN", run.round, most)
            if cases is not None and run.round % LOOK_EVERY == 0:
                vectors = run.vectors()
                ndcg = _look(cases, vectors)
                if ndcg > best:
                    best, best_at, best_vectors = ndcg, run.round, vectors
                elif run.round - best_at >= 2 * LOOK_EVERY:
                    break
            elif time.monotonic() - kept > KEEP_EVERY_S:
                run.keep(file)
                kept = time.monotonic()
        file.unlink(missing_ok=True)
        if cases is None or best < 0:
            return run.vectors(), run.round
        return best_vectors, best_at


def _look(cases: HeldOut, vectors: Vectors) -> float:
    from aisle.learn.factors import Factorised

    return cases.ndcg(Factorised("lightgcn", vectors, half=LOOK_HALF).shoppers(cases), vectors)[0]


class _Run:
    """The model, its optimiser and how many rounds it has had."""

    def __init__(self, tastes: Tastes, seed: int) -> None:
        import torch

        from aisle.models.lightgcn import LightGCN, Pairs

        self.round, self._seed, self._n = 0, seed, len(tastes)
        n_items = len(tastes.ords)
        self._n_shoppers = tastes.n_shoppers
        self._model: LightGCN = LightGCN(self._n_shoppers, n_items, DIM, LAYERS)
        self._pairs: Pairs = Pairs(tastes.shopper, tastes.item, self._n_shoppers, n_items)
        self._optimiser = torch.optim.Adam(self._model.parameters(), lr=RATE)
        self._shopper = torch.from_numpy(tastes.shopper.astype(np.int64))
        self._item = torch.from_numpy(tastes.item.astype(np.int64))
        self._weight = torch.from_numpy(tastes.weight)
        drawn = torch.bincount(self._item, minlength=n_items).float() / self._n
        self._log_drawn = torch.log(drawn.clamp(min=1e-9) * NEGATIVES)

    def one_round(self) -> None:
        """Draw who spreads, predict the others. A round depends on the seed and its number alone."""
        import torch

        chance = torch.Generator().manual_seed(self._seed * 100_003 + self.round)
        spreads = torch.rand(self._n, generator=chance) < SPREAD
        adjacency = self._pairs.adjacency(spreads.float())
        told = torch.nonzero(~spreads)[:, 0]
        told = told[torch.randperm(len(told), generator=chance)]
        for batch in told.split(max(LEAST_BATCH, -(-len(told) // MOST_STEPS))):  # type: ignore[no-untyped-call]
            loss = self._loss(adjacency, batch, chance)
            if not torch.isfinite(loss):
                raise TrainingFailed("LightGCN: its loss is not finite; nothing was saved. Train again")
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
        self.round += 1

    def _loss(self, adjacency: torch.Tensor, batch: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
        import torch

        vectors = self._model(adjacency)
        items = vectors[self._n_shoppers :]
        right = self._item[batch]
        others = self._item[torch.randint(self._n, (NEGATIVES,), generator=chance)]
        shoppers = vectors[self._shopper[batch]] / TEMPERATURE
        good = (shoppers * items[right]).sum(1)
        bad = shoppers @ items[others].T - self._log_drawn[others]
        bad = bad.masked_fill(others[None, :] == right[:, None], -1e9)
        missed = torch.logsumexp(torch.cat([good[:, None], bad], 1), 1) - good
        loss: torch.Tensor = (missed * self._weight[batch]).mean()
        return loss

    def vectors(self) -> Vectors:
        """Unit vectors of the products, with every pair spreading: float32[m, DIM]."""
        import torch

        with torch.no_grad():
            everyone = self._model(self._pairs.adjacency(torch.ones(self._n)))
        found: Vectors = everyone[self._n_shoppers :].numpy().copy()
        return found

    # ----------------------------------------------------------- checkpoints

    def keep(self, file: Path) -> None:
        import torch
        from safetensors.torch import save_file

        (state,) = self._optimiser.state.values()
        weight = self._model.embedding.weight.detach()
        kept = {
            "weight": weight, "mean": state["exp_avg"], "square": state["exp_avg_sq"],
            "at": torch.tensor([self.round, float(state["step"]), self._seed, self._n]),
        }  # fmt: skip
        making = file.with_suffix(".new")
        save_file(kept, making)
        making.replace(file)

    def restore(self, file: Path) -> None:
        """Go on where a killed run was; one about other data, or damaged, is passed over."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            kept = load_file(file)
            done, step, seed, n = kept["at"].tolist()
            weight = self._model.embedding.weight
            if (seed, n) != (self._seed, self._n) or kept["weight"].shape != weight.shape:
                return
        except (OSError, SafetensorError, KeyError, ValueError):
            return
        with torch.no_grad():
            weight.copy_(kept["weight"])
        state: dict[str, Any] = {"step": torch.tensor(step), "exp_avg": kept["mean"], "exp_avg_sq": kept["square"]}
        self._optimiser.state[weight] = state
        self.round = int(done)
