"""Text, photo, attributes, price and behaviour of a product into one vector; measurement chooses how.

Three ways: *concatenation* of normalised blocks with weights chosen on
validation; *attention* over the modalities that are present; and a *joint
space* of two towers, one of content and one of behaviour (Radford et al. 2021
contrast two modalities of one thing; here the two sides of a pair are products
that one shopper went through, as in Barkan and Koenigstein's item2vec, 2016).
Departures: behaviour enters as factors of the shifted positive PMI of going
together (Levy and Goldberg 2014) and is dropped at random while learning, so
that what nobody has touched yet is at home in the same space.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.pairs import Cases, Pairs, cases_of, factors_of, pairs_of, recall
from aisle.learn.tower import MODALITIES, Modality, Tower, Way, words_of
from aisle.types import Progress, Vectors

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

CONTENT: Final = "content"
WAYS: Final[tuple[Way, ...]] = ("concatenation", "attention", "joint")

TEXT_AXES, IMAGE_AXES, WORD_AXES, PRICE_CENTRES = 128, 64, 192, 8
MOST_WORDS: Final = 4096
DIM: Final = 64
"""Numbers of a learned vector; a concatenation has as many as its blocks."""

WEIGHTS: Final[Mapping[Modality, float]] = {"text": 1.0, "image": 0.5, "words": 1.0, "price": 0.25, "behaviour": 1.0}
"""Of the concatenated blocks before anything is measured."""

_STEPS: Final = (0.0, 0.25, 0.5, 1.0, 1.5)
DROPPED: Final[Mapping[Modality, float]] = {"text": 0.1, "image": 0.2, "words": 0.1, "price": 0.2, "behaviour": 0.5}
"""How often a modality is hidden while learning: a missing photo must be no surprise, a new product even less."""

BATCH, RATE, TEMPERATURE, EPOCHS, PATIENCE = 512, 3e-3, 0.07, 40, 4
LEAST_PAIRS: Final = 200
LEAST_CASES: Final = 30


@dataclass(frozen=True, slots=True)
class _Split:
    """What is learned from, and the two questions it is judged by."""

    pairs: Pairs
    behaviour: Vectors
    warm: Cases
    cold: Cases


def fit_fusion(
    past: Interactions,
    items: ItemTable,
    *,
    work: Path | None = None,
    before: Fitted | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    minutes: float = 2.0,
    threads: int = 1,
    ways: tuple[Way, ...] = WAYS,
    cold_share: float = 0.1,
) -> Fitted | None:
    """One unit vector a product: arrays `vectors` float32[n, dim], and a tower for products still to come.

    The newest tenth of the sessions is held out, and `cold_share` of the
    products with all that was done with them. Each way is fitted on the rest and
    judged by `warm_<way>` (the next product among 20) and `cold_<way>` (the
    next product, one of those held out, among 50, everything ranked); the best
    by the product of both, each against the best of its kind, is fitted again on everything.
    With too few events to measure, blocks are concatenated by default weights.
    What `before`, fitted on an older part of the same log, chose is kept and not measured again.
    `minutes` bounds the learning of each way; what is learned is too quick to need `work`.
    None when the catalogue has neither words nor vectors.
    """
    tower, blocks = _blocks(items, seed)
    if not any(block.any() for block in blocks.values()):
        log.info("content: not fitted: the products have no text, photo, attribute or price")
        return None
    tell, n = progress or _silent, len(items)
    known = past.ords < n
    past = past.take(np.flatnonzero(known & items.alive[np.where(known, past.ords, 0)]))
    pairs = pairs_of(past)
    tell("fusing content", 0, len(ways) + 1)
    if before is not None and before.params.get("way") in ways and len(pairs) >= LEAST_PAIRS:
        chosen = _chosen(before)
        measured = {**before.metrics, "pairs": float(len(pairs))}
    else:
        split = _split(past, items, cold_share, seed)
        if split is None:
            arrays = {**tower.arrays, "weights": _weights(blocks, WEIGHTS)}
            nothing = {"pairs": float(len(pairs)), "warm_cases": 0.0, "cold_cases": 0.0}
            return _fitted(_Chosen("concatenation"), arrays, tower, blocks, items, nothing)
        choose = partial(_learned, seed=seed, minutes=minutes, threads=threads)
        chosen, measured = _measured(tower, blocks, split, ways, choose, minutes, tell)
    behaviour = factors_of(pairs, n, seed)
    whole: dict[Modality, Vectors] = {**blocks, "behaviour": behaviour}
    arrays = {**tower.arrays, "behaviour": behaviour}
    if chosen.way == "concatenation":
        arrays["weights"] = _weights(whole, chosen.weights)
    else:
        _, _, state = _learned(chosen.way, whole, pairs, None, seed, minutes, threads, epochs=chosen.epochs)
        arrays |= state
    tell("fusing content", len(ways) + 1, len(ways) + 1)
    return _fitted(chosen, arrays, tower, whole, items, measured)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A way and what was chosen for it: the weights of a concatenation, how long the others learn."""

    way: Way
    weights: Mapping[Modality, float] = field(default_factory=lambda: WEIGHTS)
    epochs: int = 0


def _chosen(before: Fitted) -> _Chosen:
    """What a fit on an older part of the log chose."""
    params = before.params
    return _Chosen(params["way"], {**WEIGHTS, **params.get("weights", {})}, int(params.get("epochs", 0)) or EPOCHS)


def _measured(
    tower: Tower,
    blocks: Mapping[Modality, Vectors],
    split: _Split,
    ways: tuple[Way, ...],
    learned: Callable[..., tuple[tuple[float, float], int, dict[str, np.ndarray]]],
    minutes: float,
    tell: Progress,
) -> tuple[_Chosen, dict[str, float]]:
    """The best way, and what was measured of each."""
    found: dict[Way, _Chosen] = {}
    with_behaviour: dict[Modality, Vectors] = {**blocks, "behaviour": split.behaviour}
    measured = {
        "pairs": float(len(split.pairs)), "warm_cases": float(len(split.warm)), "cold_cases": float(len(split.cold))
    }  # fmt: skip
    for done, way in enumerate(ways):
        judge = _judge(tower, way, with_behaviour, split)
        if way == "concatenation":
            recalls, weights = _concatenated(judge, with_behaviour, minutes)
            found[way] = _Chosen(way, weights)
        else:
            recalls, epochs, _ = learned(way, with_behaviour, split.pairs, judge)
            found[way] = _Chosen(way, epochs=epochs)
        measured |= {f"warm_{way}": recalls[0], f"cold_{way}": recalls[1]}
        tell("fusing content", done + 1, len(ways) + 1)
    best = _best(ways, measured)
    measured |= {"warm": measured[f"warm_{best}"], "cold": measured[f"cold_{best}"]}
    return found[best], measured


def _silent(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


def _fitted(
    chosen: _Chosen,
    arrays: dict[str, np.ndarray],
    tower: Tower,
    blocks: Mapping[Modality, Vectors],
    items: ItemTable,
    measured: dict[str, float],
) -> Fitted:
    arrays["about"] = Tower.about(chosen.way, tower.words)
    vectors = Tower.of(arrays).fuse(blocks) * items.alive[:, None]
    sizes = {name: block.shape[1] for name, block in blocks.items()}
    params = {"way": chosen.way, "blocks": sizes, "weights": dict(chosen.weights), "epochs": chosen.epochs}
    return Fitted(CONTENT, {**arrays, "vectors": vectors}, params=params, metrics=measured)


# ---------------------------------------------------------------------- blocks


def _blocks(items: ItemTable, seed: int) -> tuple[Tower, dict[Modality, Vectors]]:
    """How each modality becomes a block, fitted on the living products, and the blocks of all."""
    arrays: dict[str, np.ndarray] = {}
    for name, vectors, most in (("text", items.text, TEXT_AXES), ("image", items.image, IMAGE_AXES)):
        told = vectors[items.alive & vectors.any(1)] if vectors.shape[1] else vectors[:0]
        if len(told) >= 2:
            # What all products of a shop share says nothing of any of them, so the mean is taken away.
            mean = told.mean(0)
            arrays[f"{name}_mean"] = mean.astype(np.float32)
            arrays[f"{name}_axes"] = _axes((told - mean).T @ (told - mean), most)
    told_words = words_of(items)
    words = _vocabulary([told_words[row] for row in np.flatnonzero(items.alive)])
    if words:
        counts = np.array(list(words.values()), np.float32)
        arrays["words_weights"] = np.log1p(items.alive.sum() / counts).astype(np.float32)
        arrays["words_axes"] = _word_axes(told_words, list(words), arrays["words_weights"], seed)
    prices = items.log_price[items.alive & np.isfinite(items.log_price)]
    if len(prices) >= 2 and prices.max() > prices.min():
        centres = np.linspace(np.quantile(prices, 0.02), np.quantile(prices, 0.98), PRICE_CENTRES).astype(np.float32)
        if centres[-1] > centres[0]:
            arrays["price_centres"] = centres
            arrays["price_width"] = (centres[1:2] - centres[:1]).astype(np.float32)
    tower = Tower("concatenation", {word: row for row, word in enumerate(words)}, arrays)
    return tower, tower.blocks(items)


def _axes(covariance: NDArray[Any], most: int) -> Vectors:
    """The leading eigenvectors as columns, float32[d, at most `most`]."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    n = int(min(most, max(1, (values > 1e-8 * max(float(values[-1]), 1e-30)).sum())))
    return np.ascontiguousarray(vectors[:, ::-1][:, :n]).astype(np.float32)


def _vocabulary(told: list[list[str]]) -> dict[str, int]:
    """Words of at least two products and not of all, the most frequent first, with their counts."""
    counts: dict[str, int] = {}
    for words in told:
        for word in dict.fromkeys(words):
            counts[word] = counts.get(word, 0) + 1
    kept = sorted(((c, w) for w, c in counts.items() if 2 <= c < len(told)), key=lambda cw: (-cw[0], cw[1]))
    return {word: count for count, word in kept[:MOST_WORDS]}


def _word_axes(told: list[list[str]], words: list[str], weights: Vectors, seed: int) -> Vectors:
    """float32[v, k]: each word itself, or where there are too many its place among the leading axes."""
    if len(words) <= WORD_AXES:
        return np.eye(len(words), dtype=np.float32)
    # The Gram matrix of the words adds up product by product: no matrix of products by words is made.
    gram = np.zeros((len(words), len(words)), np.float32)
    place = {word: n for n, word in enumerate(words)}
    for row in told:
        codes = [place[word] for word in dict.fromkeys(row) if word in place]
        if codes:
            scaled = weights[codes] / np.sqrt((weights[codes] ** 2).sum())
            gram[np.ix_(codes, codes)] += np.outer(scaled, scaled)
    if len(words) <= 1024:
        return _axes(gram, WORD_AXES)
    # Halko, Martinsson and Tropp (2011): a few rounds of subspace iteration.
    axes = np.random.default_rng(seed).standard_normal((len(words), WORD_AXES)).astype(np.float32)
    for _ in range(4):
        axes, _ = np.linalg.qr(gram @ axes)
    return np.ascontiguousarray(axes).astype(np.float32)


def _weights(blocks: Mapping[Modality, Vectors], given: Mapping[Modality, float]) -> Vectors:
    return np.array([given[m] if m in blocks else 0.0 for m in MODALITIES], np.float32)


# ------------------------------------------------------------------- measuring


def _split(past: Interactions, items: ItemTable, cold_share: float, seed: int) -> _Split | None:
    """Sessions and products held out; None when there is too little to learn from or to be judged by."""
    if len(pairs_of(past)) < LEAST_PAIRS:
        return None
    rng = np.random.default_rng(seed)
    before, after = past.split(0.1)
    if not len(after):  # times that are only places in a sequence: none is the newest
        held = rng.random(int(past.session.max()) + 1) < 0.1
        before = past.take(np.flatnonzero(~held[past.session]))
        after = past.take(np.flatnonzero(held[past.session]))
    touched = np.unique(after.ords)
    if not len(touched):
        return None
    chosen = rng.choice(touched, max(1, round(cold_share * len(touched))), replace=False)
    is_cold = np.zeros(max(len(items), past.n_ords), bool)
    is_cold[chosen] = True
    known = before.take(np.flatnonzero(~is_cold[before.ords]))
    pairs = pairs_of(known)
    warm, cold = cases_of(past, after, is_cold, items.alive, seed)
    if len(pairs) < LEAST_PAIRS or len(warm) < LEAST_CASES or len(cold) < LEAST_CASES:
        return None
    return _Split(pairs, factors_of(pairs, len(items), seed), warm, cold)


Judge = Callable[[Mapping[str, np.ndarray]], tuple[float, float]]


def _judge(tower: Tower, way: Way, blocks: Mapping[Modality, Vectors], split: _Split) -> Judge:
    """Recall of the next product: among those known among 20, among those held out among 50."""

    def judged(state: Mapping[str, np.ndarray]) -> tuple[float, float]:
        arrays = {**tower.arrays, "behaviour": split.behaviour, **state}
        vectors = Tower(way, tower.words, arrays).fuse(blocks)
        return recall(vectors, split.warm, 20), recall(vectors, split.cold, 50)

    return judged


def _goodness(found: tuple[float, float]) -> float:
    """Both recalls matter: their geometric mean, with a little ground so that one zero does not hide the other."""
    return float(np.sqrt((found[0] + 1e-3) * (found[1] + 1e-3)))


def _best(ways: tuple[Way, ...], measured: Mapping[str, float]) -> Way:
    """The way with the best geometric mean of both recalls; of equals the first, which is the plainest."""
    return max(ways, key=lambda way: _goodness((measured[f"warm_{way}"], measured[f"cold_{way}"])))


def _concatenated(
    judge: Judge, blocks: Mapping[Modality, Vectors], minutes: float
) -> tuple[tuple[float, float], dict[Modality, float]]:
    """Weights chosen one after the other, twice around or until the time is up, each by both recalls."""
    until = time.monotonic() + 60 * minutes
    weights: dict[Modality, float] = {m: WEIGHTS[m] for m in MODALITIES if m in blocks}
    best = judge({"weights": _weights(blocks, weights)})
    for _ in range(2):
        for modality in tuple(weights):
            for value in _STEPS:
                tried = {**weights, modality: value}
                if value == weights[modality] or not any(tried.values()) or time.monotonic() > until:
                    continue
                found = judge({"weights": _weights(blocks, tried)})
                if _goodness(found) > _goodness(best):
                    best, weights = found, tried
    return best, weights


# -------------------------------------------------------------------- learning


def _learned(
    way: Way,
    blocks: Mapping[Modality, Vectors],
    pairs: Pairs,
    judge: Judge | None,
    seed: int,
    minutes: float,
    threads: int,
    *,
    epochs: int = EPOCHS,
) -> tuple[tuple[float, float], int, dict[str, np.ndarray]]:
    """Fit one way: its best recalls by the judge and after how many epochs, and the parameters at the end.

    Raises TrainingFailed when the loss is no number.
    """
    import torch

    from aisle.models.fusion import AttentiveFusion, JointFusion

    torch.set_num_threads(max(1, threads))
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sizes = {str(m): blocks[m].shape[1] for m in MODALITIES if m in blocks}
    network = (AttentiveFusion if way == "attention" else JointFusion)(sizes, DIM)
    scale = torch.nn.Parameter(torch.tensor(float(-np.log(TEMPERATURE))))
    optimiser = torch.optim.AdamW([*network.parameters(), scale], lr=RATE, weight_decay=1e-4)
    tensors = {str(m): torch.from_numpy(np.ascontiguousarray(blocks[m], np.float32)) for m in MODALITIES if m in blocks}
    log_share = torch.from_numpy(pairs.log_share(len(next(iter(blocks.values())))))
    # A small shop still takes some steps an epoch.
    size = min(BATCH, max(32, len(pairs) // 16))
    best, best_epoch, until = (0.0, 0.0), 1, time.monotonic() + 60 * minutes
    for epoch in range(1, epochs + 1):
        network.train()
        for left, right in pairs.batches(rng, size):
            one, other = (network(_hidden(tensors, rows, rng)) for rows in (left, right))
            loss = _contrast(one, other, torch.from_numpy(left), torch.from_numpy(right), log_share, scale)
            if not torch.isfinite(loss):
                raise TrainingFailed(
                    f"content: the loss of the way {way} is no number; the version that serves is kept. "
                    "Look for vectors or prices in the catalogue that are not finite"
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if judge is not None:
            found = judge(_state(network))
            if _goodness(found) > _goodness(best):
                best, best_epoch = found, epoch
            elif epoch - best_epoch >= PATIENCE:
                break
        if time.monotonic() > until:
            break
    return best, best_epoch, _state(network)


def _hidden(tensors: Mapping[str, torch.Tensor], rows: NDArray[np.int64], rng: np.random.Generator) -> Any:
    """The blocks of those rows, with modalities hidden at random."""
    import torch

    at = torch.from_numpy(rows)
    shown = {}
    for name, block in tensors.items():
        kept = rng.random(len(rows)) >= DROPPED[name]  # type: ignore[index]
        shown[name] = block[at] * torch.from_numpy(kept.astype(np.float32))[:, None]
    return shown


def _contrast(one: Any, other: Any, left: Any, right: Any, log_share: Any, scale: Any) -> torch.Tensor:
    """In-batch softmax both ways, corrected for how often a product is drawn as a negative (logQ)."""
    import torch

    logits = one @ other.T * torch.exp(scale.clamp(max=4.6))  # [b, b]
    own = torch.arange(len(left))
    # A product that is also another row's answer, or the row itself, is no negative.
    same = (right[None, :] == right[:, None]) | (right[None, :] == left[:, None])
    back = (left[None, :] == left[:, None]) | (left[None, :] == right[:, None])
    same[own, own] = back[own, own] = False
    forward = (logits - log_share[right][None, :]).masked_fill(same, -1e4)
    backward = (logits.T - log_share[left][None, :]).masked_fill(back, -1e4)
    loss: torch.Tensor = torch.nn.functional.cross_entropy(forward, own)
    return 0.5 * (loss + torch.nn.functional.cross_entropy(backward, own))


def _state(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
