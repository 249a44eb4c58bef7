"""What tuning a text encoder and a cross-encoder have in common: cases, tokens, steps that survive a kill."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.checkpoints import Checkpoints
from aisle.learn.judgements import Judgements
from aisle.types import Ords, Scores

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

SAVE_EVERY_S: Final = 60.0
HELD_OTHERS: Final = 10
"""Unjudged candidates among which a held-out query's judged products are put in order."""
_WARM: Final = 0.1
"""Share of a training in which the learning rate rises."""
_DISCOUNT: Final = 1.0 / np.log2(np.arange(2, 12))


@dataclass(frozen=True, slots=True)
class Case:
    """A query, its judged products `ords` int32[n] with `gain` and `weight` float32[n], and unjudged ones.

    `others` int32[m] are what retrieval finds for it now and nobody judged, best first.
    """

    text: str
    ords: Ords
    gain: Scores
    weight: Scores
    others: Ords

    def to_rank(self, n_others: int) -> tuple[Ords, Scores]:
        """Its judged products and the first `n_others` of the others, with their gains (0 for the others)."""
        ords = np.concatenate([self.ords, self.others[:n_others]])
        return ords, np.concatenate([self.gain, np.zeros(len(ords) - len(self.ords), np.float32)])


def cases_of(judgements: Judgements, candidates: Sequence[Ords], among: NDArray[np.bool_] | None = None) -> list[Case]:
    """A case for each query with a relevant product; `candidates[q]` are what retrieval finds for query q.

    `among` bool[queries] marks those that may be learned from (None: all).
    """
    order = np.argsort(judgements.query, kind="stable")
    bounds = np.searchsorted(judgements.query[order], np.arange(len(judgements.queries) + 1))
    found = []
    for number, text in enumerate(judgements.queries):
        rows = order[bounds[number] : bounds[number + 1]]
        if (among is not None and not among[number]) or not (judgements.gain[rows] > 0).any():
            continue
        ords = judgements.ords[rows]
        others = candidates[number][~np.isin(candidates[number], ords)]
        found.append(Case(text, ords, judgements.gain[rows], judgements.weight[rows], others))
    return found


def split(cases: Sequence[Case], held: int, rng: np.random.Generator) -> tuple[list[Case], list[Case]]:
    """Cases to learn from, and `held` of them (a tenth at most) to stop by, drawn at random."""
    order = rng.permutation(len(cases))
    n = min(held, len(cases) // 10)
    return [cases[row] for row in np.sort(order[n:])], [cases[row] for row in np.sort(order[:n])]


def ndcg(scores: Scores, gain: Scores) -> float:
    """nDCG@10 of products with those scores and gains, float32[n]; 0 when none has a gain."""
    best = np.sort(gain)[::-1][:10]
    ideal = float(best @ _DISCOUNT[: len(best)])
    got = gain[np.argsort(-scores, kind="stable")[:10]]
    return float(got @ _DISCOUNT[: len(got)]) / ideal if ideal > 0 else 0.0


def rows_of(seed: int, step: int, n: int, of: int) -> list[int]:
    """The rows of a step: each epoch goes through all of them in an order of its own."""
    found: list[int] = []
    at = step * n
    while len(found) < min(n, of):
        epoch, place = divmod(at + len(found), of)
        order = np.random.default_rng([seed, 7, epoch]).permutation(of)
        found += order[place : place + n - len(found)].tolist()
    return found


class Tokens:
    """Texts as token ids, each read once; `special` puts the model's own first and last tokens around them.

    `tokenizer` is the file of the `tokenizers` library; only the first `most` tokens are kept.
    """

    def __init__(self, tokenizer: Path, most: int, *, special: bool = True) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(most)
        self._special = special
        self._known: dict[str, NDArray[np.int64]] = {}

    def of(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            clean = [text.encode("utf-8", "replace").decode("utf-8") for text in new]
            read = self._tokenizer.encode_batch_fast(clean, add_special_tokens=self._special)
            self._known.update((text, np.array(one.ids, np.int64)) for text, one in zip(new, read, strict=True))
        return [self._known[text] for text in texts]


def padded(tokens: Sequence[NDArray[np.int64]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask) int64[n, t] of rows of token ids; t is the longest, and at least 1."""
    import torch

    width = max(1, max(len(ids) for ids in tokens))
    ids, mask = np.zeros((len(tokens), width), np.int64), np.zeros((len(tokens), width), np.int64)
    for line, row in enumerate(tokens):
        ids[line, : len(row)] = row
        mask[line, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def run_bucketed(
    network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], tokens: Sequence[NDArray[np.int64]], at_once: int
) -> torch.Tensor:
    """What the network gives for each row of ids, in their order; rows of like length share a batch."""
    import torch

    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    begins = range(0, len(order), at_once)
    parts = [network(*padded([tokens[row] for row in order[at : at + at_once].tolist()])) for at in begins]
    back = torch.from_numpy(np.argsort(order, kind="stable"))
    return torch.cat(parts)[back]


@dataclass(frozen=True, slots=True)
class Course:
    """How a training goes: `n_steps`, or as many as there is time for; `looks` times it is measured.

    The learning rate rises over the first tenth and then falls to nothing.
    `seconds` is the time it may take (0: no limit): where there is too little
    for all the steps, the rate falls by the clock, for it has to fall to nothing all the same.
    """

    n_steps: int
    looks: int
    learning_rate: float
    seconds: float
    seed: int
    work: Path

    def done(self, step: int, spent: float, look_s: float) -> float:
        """How much of it is done, from 0 to 1; the looks to come take `look_s` seconds each."""
        by_steps = step / self.n_steps
        if not self.seconds:
            return by_steps
        return min(1.0, max(by_steps, spent / max(1e-9, self.seconds - look_s)))

    def rate(self, done: float) -> float:
        return self.learning_rate * min((done + 1 / self.n_steps) / _WARM, (1 - done) / (1 - _WARM), 1.0)


def train(
    name: str,
    network: torch.nn.Module,
    course: Course,
    loss_of: Callable[[np.random.Generator, int], torch.Tensor],
    evaluate: Callable[[], float],
    tell: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train the network; it ends with the weights that did best on what is held out. Returns what happened.

    `loss_of(rng, step)` gives the loss of a step; its random numbers depend on
    the seed and the step only, so a training that was killed goes on from its
    last checkpoint in `course.work` as it would have. Keys: `before`, `best`,
    `best_step`, `step` (how many there were), `spent` (seconds).

    Raises TrainingFailed when the loss is no longer a number.
    """
    import torch

    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=course.learning_rate, weight_decay=0.01, fused=True)
    checkpoints = Checkpoints(course.work)
    state = checkpoints.load(network, optimizer)
    if state is None:
        begun = time.monotonic()
        before = evaluate()
        look_s = time.monotonic() - begun
        state = {"step": 0, "looks": 0, "before": before, "best": before, "best_step": 0, "look_s": look_s,
                 "spent": look_s}  # fmt: skip
        checkpoints.save(network, optimizer, state, best=True)
    saved, started = time.monotonic(), time.monotonic() - state["spent"]
    while state["looks"] < course.looks:
        step, done = state["step"], course.done(state["step"], state["spent"], state["look_s"])
        better = False
        if done >= (state["looks"] + 1) / course.looks:
            found = evaluate()
            log.debug("%s: step %d: %.4f on what is held out (best %.4f)", name, step, found, state["best"])
            better = found > state["best"]
            state["looks"] += 1
            if better:
                state |= {"best": found, "best_step": step}
        else:
            for group in optimizer.param_groups:
                group["lr"] = course.rate(done)
            torch.manual_seed(course.seed * 100_003 + step)
            loss = loss_of(np.random.default_rng([course.seed, step]), step)
            if not math.isfinite(loss.item()):
                raise TrainingFailed(
                    f"model {name}: the loss is no longer a number; what serves is kept. Train again with "
                    "another train.seed; if it comes back, lower the learning rate"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            state["step"] = step + 1
            tell(round(course.n_steps * done), course.n_steps)
        state["spent"] = time.monotonic() - started
        if better or time.monotonic() - saved > SAVE_EVERY_S:
            checkpoints.save(network, optimizer, state, best=better)
            saved = time.monotonic()
    checkpoints.take_best(network)
    tell(course.n_steps, course.n_steps)
    return state
