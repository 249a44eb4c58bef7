"""A small transformer that reads a query and a product together, to put the best candidates in order.

The first layers of the shop's own encoder with a linear head (MiniLM's layers
already know words), fitted on judged products and on what retrieval found and
nobody judged. The loss is a softmax over each query's products with their gains
as its target (ListNet, Cao et al. 2007), and cross entropy of each gain, so that
a score also means something by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.errors import ModelError
from aisle.learn.fitted import Fitted
from aisle.learn.judgements import Judgements
from aisle.learn.perturb import perturbed
from aisle.learn.tuning import HELD_OTHERS, Case, Course, Tokens, cases_of, ndcg, rows_of, run_bucketed, split, train
from aisle.models.exported import graph, in_eight_bits
from aisle.models.pooling import pooling_of
from aisle.ports import Reading
from aisle.types import Progress, Scores

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

CROSS_ENCODER: Final = "cross_encoder"
MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
READING_FILE: Final = "reading.json"
LEAST_QUERIES: Final = 50
_OPSET: Final = 17
_LEAST_AGREEMENT: Final = 0.9999
"""Least correlation of exported scores with the network's."""
_LEAST_OF_SMALL: Final = 0.98
"""The same for weights in eight bits, which also must not cost more nDCG@10 on held-out queries than `_DEAR`: half the
time is worth what a hundred queries cannot tell from chance, and whether it serves is decided on more of them."""
_DEAR: Final = 0.01


@dataclass(frozen=True, slots=True)
class CrossRecipe:
    """How the cross-encoder is fitted; `benchmarks/tuning.py --choose` measures a recipe on a fold of training queries.

    A step has `queries` queries with `judged` judged products and `negatives`
    others of each, these among its first `depth` candidates; `typed` is how
    often a query is read with an error in it. `absolute` weighs the gains by
    themselves against their order.
    """

    layers: int = 3
    epochs: float = 4.0
    queries: int = 16
    judged: int = 4
    negatives: int = 4
    depth: int = 30
    learning_rate: float = 2e-4
    temperature: float = 0.5
    absolute: float = 0.3
    typed: float = 0.1
    query_tokens: int = 16
    tokens: int = 40
    held: int = 100
    looks: int = 3


def fit_cross_encoder(
    judgements: Judgements,
    texts: Sequence[str],
    candidates: Sequence[NDArray[np.int32]],
    *,
    source: Path,
    work: Path,
    among: NDArray[np.bool_] | None = None,
    recipe: CrossRecipe | None = None,
    seconds: float = 0.0,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted | None:
    """Files model.onnx (eight-bit weights where they order as well), tokenizer.json and reading.json (`ports.Reading`).

    The parameters are those of `learn.bi_encoder.fit_bi_encoder`. Metrics:
    `ndcg@10` on the queries left out, among their judged products and
    candidates; `agreement`, the correlation of the exported scores with torch's.
    None with too few queries.

    Raises TrainingFailed, and ModelError when the network cannot be exported.
    """
    import torch

    from aisle.models.text import PairNetwork, read_transformer

    recipe = recipe or CrossRecipe()
    cases, held = split(cases_of(judgements, candidates, among), recipe.held, np.random.default_rng(seed))
    if len(cases) < LEAST_QUERIES:
        log.info("%s: not fitted: %d queries with a relevant product", CROSS_ENCODER, len(cases))
        return None
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    network = PairNetwork(read_transformer(source), recipe.layers, pooling_of(source)[0])
    for embedding in network.network.get_input_embeddings().parameters():
        embedding.requires_grad_(False)
    fit = _Fit(network, cases, held, texts, recipe, source, seed)
    n_steps = max(1, round(recipe.epochs * len(cases) / recipe.queries))
    course = Course(n_steps, recipe.looks, recipe.learning_rate, seconds, seed, work / "steps")
    tell = progress or (lambda _stage, _done, _of: None)
    happened = train(
        CROSS_ENCODER, network, course, fit.loss, fit.held_ndcg, lambda done, of: tell("learning to read", done, of)
    )
    files, agreement, small = _export(network, fit, source, recipe, work / "exported")
    return Fitted(
        CROSS_ENCODER,
        # The numbers are in the graph; what stands here only tells two versions apart.
        {"head": network.head.weight.detach().numpy()[0]},
        files,
        params={"base": source.name, "steps": happened["step"], "queries": len(cases), "eight_bit": small},
        metrics={"ndcg@10": happened["best"], "best_step": happened["best_step"],
                 "held_queries": float(len(held)), "agreement": agreement},
    )  # fmt: skip


class _Fit:
    """The losses and the measure of one fit."""

    def __init__(
        self,
        network: torch.nn.Module,
        cases: Sequence[Case],
        held: Sequence[Case],
        texts: Sequence[str],
        recipe: CrossRecipe,
        source: Path,
        seed: int,
    ) -> None:
        self._network, self._cases, self._held, self._texts, self._recipe = network, cases, held, texts, recipe
        self._seed = seed
        self._queries = Tokens(source / TOKENIZER_FILE, recipe.query_tokens)
        self._products = Tokens(source / TOKENIZER_FILE, recipe.tokens, special=False)

    def loss(self, rng: np.random.Generator, step: int) -> torch.Tensor:
        import torch

        recipe = self._recipe
        cases = [self._cases[row] for row in rows_of(self._seed, step, recipe.queries, len(self._cases))]
        width = recipe.judged + recipe.negatives
        gain = np.zeros((len(cases), width), np.float32)  # [q, p]
        real = np.zeros((len(cases), width), np.bool_)
        pairs: list[NDArray[np.int64]] = []
        for line, case in enumerate(cases):
            judged = rng.choice(len(case.ords), min(recipe.judged, len(case.ords)), replace=False)
            found = case.others[: recipe.depth]
            others = rng.choice(found, min(recipe.negatives, len(found)), replace=False) if len(found) else found
            n = len(judged) + len(others)
            gain[line, : len(judged)], real[line, :n] = case.gain[judged], True
            text = perturbed(case.text, rng) if rng.random() < recipe.typed else case.text
            pairs += self._pairs(text, np.concatenate([case.ords[judged], others]))
        kept = torch.from_numpy(real)
        logits = torch.zeros(real.shape)
        logits[kept] = self._scores(pairs)
        target = torch.from_numpy(gain)
        weight = torch.from_numpy(np.array([case.weight.mean() for case in cases], np.float32))
        weight = weight / weight.sum()
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        absolute = ((each * kept).sum(1) / kept.sum(1) * weight).sum()
        chance = logits.masked_fill(~kept, -1e9).log_softmax(1)  # [q, p]
        share = (target / recipe.temperature).exp_().sub_(1) * kept  # nothing for no gain, more than its part for much
        share = share / share.sum(1, keepdim=True).clamp(min=1e-6)
        ordered: torch.Tensor = -((share * chance).sum(1) * weight).sum()
        return ordered + recipe.absolute * absolute

    def _pairs(self, text: str, ords: NDArray[np.int32]) -> list[NDArray[np.int64]]:
        (query,) = self._queries.of([text])
        products = self._products.of([self._texts[o] for o in ords.tolist()])
        return [np.concatenate([query, product[: self._recipe.tokens - len(query)]]) for product in products]

    def _scores(self, pairs: Sequence[NDArray[np.int64]]) -> torch.Tensor:
        from aisle.models.text import fast_arithmetic

        with fast_arithmetic():
            return run_bucketed(self._network, pairs, 48)

    def held_ndcg(self, exported: Path | None = None) -> float:
        """Mean nDCG@10 of the queries left out, each over its judged products and its first candidates.

        As the network orders them or, given its file, as the exported model does.
        """
        import torch

        if not self._held:
            return 0.0
        ranked = [case.to_rank(HELD_OTHERS) for case in self._held]
        pairs = [p for case, (own, _) in zip(self._held, ranked, strict=True) for p in self._pairs(case.text, own)]
        with torch.no_grad():
            scored = self._scores(pairs) if exported is None else run_bucketed(graph(exported), pairs, 16)
            scores: Scores = scored.numpy()
        ends = np.cumsum([len(own) for own, _ in ranked])
        return float(np.mean([ndcg(s, g) for s, (_, g) in zip(np.split(scores, ends[:-1]), ranked, strict=True)]))

    def examples(self) -> list[NDArray[np.int64]]:
        """Pairs on which an export is compared with the original."""
        cases = [*self._held, *self._cases][:16]
        return [pair for case in cases for pair in self._pairs(case.text, np.concatenate([case.ords, case.others])[:8])]


# --------------------------------------------------------------------- export


def _export(
    network: Any, fit: _Fit, source: Path, recipe: CrossRecipe, out: Path
) -> tuple[dict[str, Path], float, bool]:
    """The files, how well their scores agree with the network's (correlation), and whether weights have eight bits."""
    import shutil
    import warnings

    import torch

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    whole, small, file = out / "whole.onnx", out / "small.onnx", out / MODEL_FILE
    ids = torch.ones((2, 7), dtype=torch.int64)
    axes = {0: "pairs", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (ids, torch.ones_like(ids)), str(whole),
            input_names=["input_ids", "attention_mask"], output_names=["score"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "score": {0: "pairs"}},
            opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
    examples = fit.examples()
    with torch.no_grad():
        expected = run_bucketed(network, examples, 16)
        agreement, eight_bit = _correlation(run_bucketed(graph(whole), examples, 16), expected), False
        if agreement < _LEAST_AGREEMENT:
            raise ModelError(f"{source}: its cross-encoder cannot be exported: scores agree only to {agreement:.4f}")
        in_eight_bits(whole, small)
        of_small = _correlation(run_bucketed(graph(small), examples, 16), expected)
        if fit.held_ndcg(small) >= fit.held_ndcg(whole) - _DEAR and of_small >= _LEAST_OF_SMALL:
            agreement, eight_bit = of_small, True
    (small if eight_bit else whole).replace(file)
    for rest in (whole, small):
        rest.unlink(missing_ok=True)
    shutil.copyfile(source / TOKENIZER_FILE, out / TOKENIZER_FILE)
    (out / READING_FILE).write_bytes(orjson.dumps(asdict(Reading(recipe.query_tokens, recipe.tokens))))
    return {name: out / name for name in (MODEL_FILE, TOKENIZER_FILE, READING_FILE)}, agreement, eight_bit


def _correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(np.corrcoef(one.numpy(), other.numpy())[0, 1])
