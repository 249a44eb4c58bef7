"""The shop's text encoder, tuned on which products answer which queries.

A batch's queries are told apart by all of its products: those judged relevant
for the query share the softmax by their gains, everything else in the batch is
a negative (multiple negatives ranking, Henderson et al. 2017; hard negatives of
the present retrieval, Karpukhin et al. 2020). Each query is read a second time
with a typing error or a word out of place, and has to find the same products.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.fitted import Fitted
from aisle.learn.judgements import Judgements
from aisle.learn.perturb import perturbed
from aisle.learn.tuning import HELD_OTHERS, Case, Course, Tokens, cases_of, ndcg, rows_of, run_bucketed, split, train
from aisle.models.pooling import pooling_of
from aisle.types import Progress

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

BI_ENCODER: Final = "bi_encoder"
CARD_FILE: Final = "encoder.json"
TUNED: Final = "tuned"
"""What the names of tuned encoders begin with."""
LEAST_QUERIES: Final = 50
_CUT_QUERIES: Final = 100
_REACHING: Final = 0.9
"""Share of the relevant products that may join a hit set as neighbours: the ranking is there to order them."""


Export = Callable[[Path, Path], None]
"""Writes model.onnx, tokenizer.json and the card CARD_FILE of the model in one folder into another, empty one."""


@dataclass(frozen=True, slots=True)
class BiRecipe:
    """How the encoder is tuned; `benchmarks/tuning.py --choose` measures a recipe on a fold of training queries.

    A step has `queries` queries, `judged` judged and `negatives` hard negatives
    of each, these among its first `depth` candidates. `epochs` is how often each
    query is seen; `typed` how much the query with an error in it counts beside
    the one without. `held` queries are left out, to stop by.
    """

    epochs: float = 5.0
    queries: int = 32
    judged: int = 2
    negatives: int = 1
    depth: int = 50
    temperature: float = 0.05
    learning_rate: float = 2e-4
    typed: float = 0.5
    query_tokens: int = 16
    product_tokens: int = 40
    held: int = 100
    looks: int = 3


def fit_bi_encoder(
    judgements: Judgements,
    texts: Sequence[str],
    candidates: Sequence[NDArray[np.int32]],
    *,
    source: Path,
    export: Export,
    work: Path,
    among: NDArray[np.bool_] | None = None,
    recipe: BiRecipe | None = None,
    seconds: float = 0.0,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted | None:
    """Files model.onnx, tokenizer.json and encoder.json (the card) of the tuned encoder.

    `source` is the folder of the encoder to begin with, in Hugging Face's
    format; `texts[ord]` what is read of a product; `candidates[q]` int32[m] what
    retrieval finds for query q now, best first. Only the queries that `among`
    bool[queries] marks are learned from: scores of the others are those of an
    encoder that never saw them. `work` holds checkpoints; the same call goes on
    from there after a kill, and without a limit of `seconds` gives the same model.

    The parameter `neighbour_cut` is the cosine that nine in ten of the relevant products of the queries left out reach.
    Metrics: `ndcg@10_before`, `ndcg@10_after` on the queries left out, among
    their judged products and candidates. None with too few queries to learn from.

    Raises TrainingFailed.
    """
    import torch

    from aisle.models.text import SentenceNetwork, read_transformer, save_transformer

    recipe = recipe or BiRecipe()
    cases, held = split(cases_of(judgements, candidates, among), recipe.held, np.random.default_rng(seed))
    if len(cases) < LEAST_QUERIES:
        log.info("%s: not fitted: %d queries with a relevant product", BI_ENCODER, len(cases))
        return None
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    transformer = read_transformer(source)
    for embedding in transformer.get_input_embeddings().parameters():
        embedding.requires_grad_(False)  # most of the weights, and a word that no query has must not drift off
    network = SentenceNetwork(transformer, pooling_of(source)[0], additive_mask=False)
    fit = _Fit(network, cases, held, texts, recipe, source, seed)
    n_steps = max(1, round(recipe.epochs * len(cases) / recipe.queries))
    course = Course(n_steps, recipe.looks, recipe.learning_rate, seconds, seed, work / "steps")
    tell = progress or (lambda _stage, _done, _of: None)
    happened = train(
        BI_ENCODER, network, course, fit.loss, fit.held_ndcg, lambda done, of: tell("tuning the encoder", done, of)
    )
    tuned, out = work / "tuned", work / "exported"
    for folder in (tuned, out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    save_transformer(transformer, source, tuned)
    export(tuned, out)
    shutil.rmtree(tuned, ignore_errors=True)
    return Fitted(
        BI_ENCODER,
        # The numbers are in the graph; what stands here only tells two versions apart.
        {"probe": fit.encode_queries([case.text for case in held[:8]] or [cases[0].text])},
        {file.name: file for file in out.iterdir()},
        params={
            "base": source.name,
            "steps": happened["step"],
            "queries": len(cases),
            "neighbour_cut": round(float(np.quantile(fit.relevant_cosines(), 1.0 - _REACHING)), 4),
        },
        metrics={
            "ndcg@10_before": happened["before"],
            "ndcg@10_after": happened["best"],
            "best_step": happened["best_step"],
            "held_queries": float(len(held)),
        },
    )


class _Fit:
    """The losses and the measure of one fit."""

    def __init__(
        self,
        network: torch.nn.Module,
        cases: Sequence[Case],
        held: Sequence[Case],
        texts: Sequence[str],
        recipe: BiRecipe,
        source: Path,
        seed: int,
    ) -> None:
        self._network, self._cases, self._held, self._texts, self._recipe = network, cases, held, texts, recipe
        self._seed = seed
        self._queries = Tokens(source / "tokenizer.json", recipe.query_tokens)
        self._products = Tokens(source / "tokenizer.json", recipe.product_tokens)

    def loss(self, rng: np.random.Generator, step: int) -> torch.Tensor:
        import torch

        recipe = self._recipe
        cases = [self._cases[row] for row in rows_of(self._seed, step, recipe.queries, len(self._cases))]
        ords = np.unique(np.concatenate([self._drawn(case, rng) for case in cases]))
        target = np.zeros((len(cases), len(ords)), np.float32)  # [q, p]
        for line, case in zip(target, cases, strict=True):
            place = np.searchsorted(ords, case.ords).clip(max=len(ords) - 1)
            here = ords[place] == case.ords
            line[place[here]] = case.gain[here]
        weight = np.array([case.weight.mean() for case in cases], np.float32)
        plain = [case.text for case in cases]
        typed = [perturbed(text, rng) for text in plain] if recipe.typed else []
        queries = self._encode(self._queries, [*plain, *typed])  # [q or 2q, dim]
        products = self._encode(self._products, [self._texts[o] for o in ords.tolist()])  # [p, dim]
        chance = (queries @ products.T / recipe.temperature).log_softmax(1)  # [q or 2q, p]
        share = torch.from_numpy(target / np.maximum(target.sum(1, keepdims=True), 1e-6))
        counts = torch.from_numpy(weight / weight.sum())
        loss = -((share * chance[: len(cases)]).sum(1) * counts).sum()
        if typed:
            loss = loss - recipe.typed * ((share * chance[len(cases) :]).sum(1) * counts).sum()
        return loss

    def _drawn(self, case: Case, rng: np.random.Generator) -> NDArray[np.int32]:
        """Judged products, the better the likelier, and hard negatives: found, but not judged or judged irrelevant."""
        good = np.flatnonzero(case.gain > 0)
        chance = case.gain[good] / case.gain[good].sum()
        judged = rng.choice(good, min(self._recipe.judged, len(good)), replace=False, p=chance)
        hard = np.concatenate([case.ords[case.gain <= 0], case.others[: self._recipe.depth]])
        drawn = rng.choice(hard, min(self._recipe.negatives, len(hard)), replace=False) if len(hard) else hard
        return np.concatenate([case.ords[judged], drawn])

    def _encode(self, tokens: Tokens, texts: Sequence[str]) -> torch.Tensor:
        from aisle.models.text import fast_arithmetic

        with fast_arithmetic():
            return run_bucketed(self._network, tokens.of(texts), 48)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        with torch.no_grad():
            found: NDArray[np.float32] = self._encode(self._queries, texts).numpy()
        return found

    def held_ndcg(self) -> float:
        """Mean nDCG@10 of the queries left out, each over its judged products and its first candidates."""
        if not self._held:
            return 0.0
        ranked = [case.to_rank(HELD_OTHERS) for case in self._held]
        scores = self._scores(self._held)
        return float(np.mean([ndcg(s, gain) for s, (_, gain) in zip(scores, ranked, strict=True)]))

    def relevant_cosines(self) -> NDArray[np.float32]:
        """float32[n] of queries, left out if there are any, with the products that are relevant for them."""
        cases = (self._held or self._cases)[:_CUT_QUERIES]
        gains = [case.to_rank(HELD_OTHERS)[1] for case in cases]
        return np.concatenate([scores[gain > 0] for scores, gain in zip(self._scores(cases), gains, strict=True)])

    def _scores(self, cases: Sequence[Case]) -> list[NDArray[np.float32]]:
        """The cosines of each query with what it has to rank."""
        import torch

        ranked = [case.to_rank(HELD_OTHERS)[0] for case in cases]
        every, back = np.unique(np.concatenate(ranked), return_inverse=True)
        with torch.no_grad():
            products = self._encode(self._products, [self._texts[o] for o in every.tolist()]).numpy()
        queries = self.encode_queries([case.text for case in cases])
        rows = np.split(back, np.cumsum([len(ords) for ords in ranked])[:-1])
        return [products[r] @ query for r, query in zip(rows, queries, strict=True)]
