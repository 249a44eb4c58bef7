"""The training loop of every task and method: batches of like length, schedules, averaged weights, checkpoints.

A step's batch and its chance depend on the seed and the step alone, so that a
training that was killed goes on from its checkpoint to the same weights.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from aisle.errors import TrainingFailed
from aisle.learn.adapt.methods import after_step, own_state, penalty, ranks, take_ranks
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import arithmetic
from aisle.learn.checkpoints import Checkpoints

if TYPE_CHECKING:
    from aisle.learn.adapt.curves import Curves
    from aisle.learn.adapt.tasks import Task

log = logging.getLogger("aisle.learn")

SAVE_EVERY_S: Final = 60.0
_SORTED: Final = 32
"""Batches whose examples are sorted by length together."""
_TOLD_EVERY: Final = 10
"""Steps between two points of the loss's curve."""


@dataclass(frozen=True)
class Plan:
    """Which units each step learns from."""

    lengths: NDArray[np.int64]
    recipe: Recipe

    @cached_property
    def steps_an_epoch(self) -> int:
        return max(1, math.ceil(len(self.lengths) / (self.recipe.batch * self.recipe.accumulate)))

    @cached_property
    def n_steps(self) -> int:
        return max(1, round(self.recipe.epochs * self.steps_an_epoch))

    def batches(self, step: int) -> list[NDArray[np.intp]]:
        """The units of a step's batches."""
        epoch, place = divmod(step, self.steps_an_epoch)
        batches = self._epoch(epoch)
        n = self.recipe.accumulate
        return batches[place * n : place * n + n]

    def _epoch(self, epoch: int) -> list[NDArray[np.intp]]:
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] != epoch:
            rng = np.random.default_rng([self.recipe.seed, 7, epoch])
            order, batch = rng.permutation(len(self.lengths)), self.recipe.batch
            pools = [order[at : at + batch * _SORTED] for at in range(0, len(order), batch * _SORTED)]
            order = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
            batches = [order[at : at + batch] for at in range(0, len(order), batch)]
            kept = epoch, [batches[number] for number in rng.permutation(len(batches))]
            self.__dict__["_kept"] = kept
        found: list[NDArray[np.intp]] = kept[1]
        return found


class Trained(nn.Module):
    """The weights that are trained and their averages: what a checkpoint must hold, and no more."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = [network]  # in a list, so that its frozen weights are not ours
        self.names = [name for name, p in network.named_parameters() if p.requires_grad]
        self.live = nn.ParameterList([p for p in network.parameters() if p.requires_grad])
        for number, parameter in enumerate(self.live):
            self.register_buffer(f"mean_{number}", parameter.detach().clone())
        self._own: list[tuple[dict[str, Any], str]] = []
        state = own_state(network)
        # The allocator calls weights as the model beneath it does.
        by_name = dict(network.body.base_model.model.named_parameters()) if state else {}  # type: ignore[union-attr]
        for kind, of_kind in (state or {}).items():
            for name in [n for n in by_name if "lora_" in n]:
                of_kind[name] = torch.zeros_like(by_name[name])
                self.register_buffer(f"own_{kind}_{len(self._own)}", of_kind[name].clone())
                self._own.append((of_kind, name))
        self._kinds = [kind for kind in (state or {}) for n in by_name if "lora_" in n]

    def means(self) -> list[torch.Tensor]:
        return [getattr(self, f"mean_{number}") for number in range(len(self.live))]

    def average(self, decay: float, step: int) -> None:
        """Move the averages towards the weights: quickly at first, when there is little to average."""
        kept = min(decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self.means(), [p.detach() for p in self.live], 1 - kept)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with its averaged weights, for as long as it lasts."""
        with torch.no_grad():
            own = [p.detach().clone() for p in self.live]
            for parameter, mean in zip(self.live, self.means(), strict=True):
                parameter.copy_(mean)
            try:
                yield
            finally:
                for parameter, before in zip(self.live, own, strict=True):
                    parameter.copy_(before)

    def gather(self) -> None:
        """Before a checkpoint: take in what the method knows beside its weights (nothing, once ranks are settled)."""
        for number, (of_kind, name) in enumerate(self._own):
            if name in of_kind:
                getattr(self, f"own_{self._kinds[number]}_{number}").copy_(of_kind[name])

    def spread(self) -> None:
        """After a checkpoint was read: give it back."""
        for number, (of_kind, name) in enumerate(self._own):
            of_kind[name] = getattr(self, f"own_{self._kinds[number]}_{number}").clone()


@dataclass(frozen=True, slots=True)
class Happened:
    """What a training did: measured `before` and at its `best`, the step of that, steps in all, seconds."""

    before: dict[str, float]
    best: dict[str, float]
    best_step: int
    steps: int
    seconds: float


def fit(
    network: nn.Module,
    task: Task,
    held: Task | None,
    recipe: Recipe,
    *,
    work: Path,
    curves: Curves,
    tell: Callable[[int, int], None] = lambda _done, _of: None,
    look: Callable[[int, float], None] = lambda _step, _value: None,
) -> Happened:
    """Train the network, which ends with its averaged weights: the best on `held`, or without it the last.

    `look(step, value)` is called with each measurement and may raise, to end a trial early.
    Raises TrainingFailed when the loss is no longer a number, StorageError when a checkpoint cannot be written.
    """
    return _Fit(network, task, held, recipe, work, curves).run(tell, look)


class _Fit:
    def __init__(
        self, network: nn.Module, task: Task, held: Task | None, recipe: Recipe, work: Path, curves: Curves
    ) -> None:
        self._network, self._task, self._held, self._recipe, self._curves = network, task, held, recipe, curves
        self._plan = Plan(task.lengths(), recipe)
        self._trained = Trained(network)
        self._optimizer = optimizer_of(network, recipe)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self._checkpoints = Checkpoints(work)
        self._saved = time.monotonic()

    def run(self, tell: Callable[[int, int], None], look: Callable[[int, float], None]) -> Happened:
        plan, recipe = self._plan, self._recipe
        state = self._state()
        started = time.monotonic() - state["spent"]
        self._network.train()
        while (done := self._done(state)) < 1.0 and state["stale"] < recipe.patience:
            self._step(state["step"], done)
            state["step"] += 1
            tell(round(done * plan.n_steps), plan.n_steps)
            better = False
            if state["step"] % plan.steps_an_epoch == 0 or state["step"] == plan.n_steps:
                better = self._look(state, look)
            state["spent"] = time.monotonic() - started
            if better or time.monotonic() - self._saved > SAVE_EVERY_S:
                self._save(state, best=better)
        ended_early = state["looked_at"] != state["step"]  # by the clock, within an epoch
        if self._held is None or (ended_early and self._look(state, look)):
            self._save(state, best=True)
        self._checkpoints.take_best(self._trained)
        with torch.no_grad():
            for parameter, mean in zip(self._trained.live, self._trained.means(), strict=True):
                parameter.copy_(mean)
        self._network.eval()
        tell(plan.n_steps, plan.n_steps)
        best_step = state["best_step"] if self._held is not None else state["step"]
        return Happened(state["before"], state["best"], best_step, state["step"], time.monotonic() - started)

    def _state(self) -> dict[str, Any]:
        """Where a killed training was, or the beginning."""
        state = self._checkpoints.load(self._trained, self._optimizer)
        if state is not None:
            self._trained.spread()
            take_ranks(self._network, state["ranks"])
            self._curves.begin_at(state["step"])
            log.info("%s: taken up at step %d", self._task.name, state["step"])
            return state
        self._curves.begin_at(0)
        begun = time.monotonic()
        before = self._held.metrics(self._network) if self._held is not None else {}
        self._curves.add(0, {f"held/{name}": value for name, value in before.items()})
        spent = time.monotonic() - begun
        state = {"step": 0, "before": before, "best": before, "best_step": 0, "stale": 0, "looked_at": 0,
                 "spent": spent, "look_s": spent}  # fmt: skip
        self._save(state, best=True)
        return state

    def _done(self, state: dict[str, Any]) -> float:
        """How much is done, from 0 to 1: by steps or, where time is short, by the clock."""
        by_steps: float = state["step"] / self._plan.n_steps
        if not self._recipe.seconds:
            return by_steps
        by_clock: float = state["spent"] / max(1e-9, self._recipe.seconds - state["look_s"])
        return max(by_steps, by_clock)

    def rate(self, done: float) -> float:
        """The share of its peak that the learning rate has: it rises, then falls to nothing."""
        warm = self._recipe.warm_up
        if done < warm:
            return (done + 1 / self._plan.n_steps) / (warm + 1 / self._plan.n_steps)
        left = (1.0 - done) / max(1e-9, 1.0 - warm)
        return left if self._recipe.schedule == "linear" else 0.5 * (1.0 - math.cos(math.pi * left))

    def _step(self, step: int, done: float) -> None:
        recipe, network = self._recipe, self._network
        rate = self.rate(done)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * rate
        torch.manual_seed(recipe.seed * 100_003 + step)
        batches = self._plan.batches(step)
        n_units = sum(len(units) for units in batches)
        lost = 0.0
        for units in batches:
            with arithmetic(network):
                loss = self._task.loss(network, units, recipe) * (len(units) / n_units)
            lost += loss.item()
            loss.backward()  # type: ignore[no-untyped-call]
        penalty(network)
        if not math.isfinite(lost):
            raise TrainingFailed(
                f"{self._task.name}: the loss is no longer a number after {step} steps; what serves is kept. "
                "Train again with another seed; if it comes back, lower the learning rate"
            )
        torch.nn.utils.clip_grad_norm_(self._trained.live, recipe.clip)
        self._optimizer.step()
        after_step(network, step)
        self._optimizer.zero_grad(set_to_none=True)
        self._trained.average(recipe.average, step)
        if step % _TOLD_EVERY == 0:
            self._curves.add(step, {"train/loss": lost, "train/rate": rate * max(self._peaks)})

    def _look(self, state: dict[str, Any], look: Callable[[int, float], None]) -> bool:
        """Measure the averaged weights; whether they are the best so far."""
        state["looked_at"] = state["step"]
        if self._held is None:
            return False
        begun = time.monotonic()
        with self._trained.averaged():
            found = self._held.metrics(self._network)
        self._network.train()
        state["look_s"] = time.monotonic() - begun
        self._curves.add(state["step"], {f"held/{name}": value for name, value in found.items()})
        value, best = found[self._task.measure], state["best"][self._task.measure]
        log.debug("%s: step %d: %s %.4f (best %.4f)", self._task.name, state["step"], self._task.measure, value, best)
        better: bool = value > best
        state |= {"best": found, "best_step": state["step"], "stale": 0} if better else {"stale": state["stale"] + 1}
        look(state["step"], value)
        return better

    def _save(self, state: dict[str, Any], *, best: bool) -> None:
        self._trained.gather()
        state["ranks"] = ranks(self._network)
        self._checkpoints.save(self._trained, self._optimizer, state, best=best)
        self._saved = time.monotonic()


def optimizer_of(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The trained weights in groups: the head's rate, each layer's, and no decay of what is no matrix."""
    depths = _depths(network)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        head = name.startswith("head.")
        rate = recipe.learning_rate * (recipe.head_rate if head else recipe.layer_decay ** depths.get(name, 0))
        word = name.endswith("word_embeddings.weight")  # decay would pull at words that no example has
        decay = recipe.weight_decay if parameter.dim() > 1 and not word else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    listed = [{"params": part, "lr": rate, "weight_decay": decay} for (rate, decay), part in groups.items()]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(listed, lr=recipe.learning_rate, momentum=0.9)
    return torch.optim.AdamW(listed, lr=recipe.learning_rate, fused=True)


def _depths(network: nn.Module) -> dict[str, int]:
    """How many layers lie above the one that a weight belongs to."""
    from aisle.models.text import layers_of

    try:
        layers = layers_of(network.body)
    except ValueError:
        return {}
    place = {id(p): len(layers) - 1 - number for number, layer in enumerate(layers) for p in layer.parameters()}
    return {name: place.get(id(p), len(layers)) for name, p in network.named_parameters()}
