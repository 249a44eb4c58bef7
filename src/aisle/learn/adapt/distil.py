"""A small student that gives the vectors of a large teacher, on the shop's own texts.

The student begins as a pruned teacher and learns to point where the teacher
points: the cosine of each text's two vectors, and the likeness of the texts of
a batch to one another, as the teacher sees it (relational distillation, Park et
al. 2019). No labels are needed, and the teacher's vectors are computed once.
Since the student lives in the teacher's own space, an index of the teacher's
vectors can be searched with the student's queries.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.prune import Size, nearness, prune
from aisle.learn.tuning import Course, Tokens, rows_of, run_bucketed, train
from aisle.models.pooling import pooling_of
from aisle.types import Progress, Vectors

if TYPE_CHECKING:
    import torch

STUDENT: Final = "student"
LEAST_TEXTS: Final = 100
_WORDS_OF_A_PIECE: Final = 5
_MEASURED_BY: Final = 256
"""Texts that say which layers, heads and neurons are needed least."""
_MEASURED_TOKENS: Final = 48


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a student learns.

    A step reads `batch` texts; `epochs` is how often each is read, if there is
    time. `alike` weighs the likeness of the batch's texts (the mean squared
    error of their cosines) beside the vectors themselves (one less the cosine).
    `held` texts (a tenth at most) are left out, to stop by.
    """

    epochs: float = 30.0
    batch: int = 128
    learning_rate: float = 5e-4
    alike: float = 1.0
    tokens: int = 48
    held: int = 1000
    looks: int = 6


@dataclass(frozen=True, slots=True)
class Student:
    """What distilling gave: `folder` in Hugging Face's format, how it was made, and the mean cosine to the teacher.

    `pruned` is the cosine before the student learned anything, `cosine` after, both on texts left out.
    """

    folder: Path
    layers: tuple[int, ...]
    size: Size
    pruned: float
    cosine: float
    n_texts: int
    steps: int
    seconds: float


def distil(
    texts: Sequence[str],
    vectors: Vectors,
    *,
    source: Path,
    out: Path,
    work: Path,
    size: Size | None = None,
    recipe: Recipe | None = None,
    seconds: float = 0.0,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Student:
    """Write a student of the model in `source` into the folder `out`.

    `vectors` float32[n, dim], of length 1, are the teacher's of `texts`. `work`
    holds checkpoints: the same call goes on from there after a kill. With
    `seconds` the learning ends in time, its rate falling by the clock.

    Raises InvalidRequest with too few texts, ModelError for a size that the
    teacher does not have, TrainingFailed when the loss is no longer a number.
    """
    import torch

    from aisle.models.text import SentenceNetwork, read_transformer, save_transformer

    recipe, size = recipe or Recipe(), size or Size()
    if len(texts) < LEAST_TEXTS:
        raise InvalidRequest(
            f"{len(texts)} texts are too few to teach a student ({LEAST_TEXTS} at least); add some", field="texts"
        )
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    order = np.random.default_rng(seed).permutation(len(texts))
    n_held = min(recipe.held, len(texts) // 10)
    held, learned = np.sort(order[:n_held]), np.sort(order[n_held:])
    reader = Tokens(source / "tokenizer.json", recipe.tokens)
    begun = work / "begun"
    if not (begun / "config.json").exists():
        making = work / ".begun"
        shutil.rmtree(making, ignore_errors=True)
        write_pruned([texts[row] for row in learned.tolist()], vectors[learned], source=source, out=making, size=size)
        making.replace(begun)
    transformer = read_transformer(begun)
    for embedding in transformer.get_input_embeddings().parameters():
        embedding.requires_grad_(False)  # most of the weights, and words that no text has must stay where they are
    network = SentenceNetwork(transformer, pooling_of(source)[0], additive_mask=False)
    fit = _Fit(network, reader, texts, vectors, learned, held, recipe, seed)
    tell = progress or (lambda _stage, _done, _of: None)
    n_steps = max(1, round(recipe.epochs * len(learned) / recipe.batch))
    course = Course(n_steps, recipe.looks, recipe.learning_rate, seconds, seed, work / "steps")
    happened = train(STUDENT, network, course, fit.loss, fit.held, lambda done, of: tell("distilling", done, of))
    shutil.rmtree(out, ignore_errors=True)
    save_transformer(transformer, source, out)
    return Student(
        out, *_left(transformer.config), happened["before"], happened["best"],
        len(learned), happened["step"], happened["spent"],
    )  # fmt: skip


def write_pruned(texts: Sequence[str], vectors: Vectors, *, source: Path, out: Path, size: Size) -> None:
    """Write the student as it is before it learns anything: the teacher in `source`, pruned by some of the texts.

    Raises ModelError for a size that the teacher does not have.
    """
    from aisle.models.text import read_transformer, save_transformer

    few = slice(None, None, -(-len(texts) // _MEASURED_BY))
    tokens = Tokens(source / "tokenizer.json", _MEASURED_TOKENS).of(texts[few])
    network = read_transformer(source)
    network.config.kept_layers = list(prune(network, source, size, tokens, vectors[few]).layers)
    save_transformer(network, source, out)


def pieces(texts: Sequence[str], seed: int = 0) -> list[str]:
    """Of each text a few words in a row, as shoppers type them; those of one word are left as they are."""
    rng = np.random.default_rng([seed, 11])
    found = []
    for text in texts:
        words = text.split()
        n = int(rng.integers(1, _WORDS_OF_A_PIECE + 1))
        begin = int(rng.integers(0, max(1, len(words) - n + 1)))
        found.append(" ".join(words[begin : begin + n]))
    return found


class _Fit:
    """The loss and the measure of one student."""

    def __init__(
        self,
        network: torch.nn.Module,
        reader: Tokens,
        texts: Sequence[str],
        vectors: Vectors,
        learned: NDArray[np.intp],
        held: NDArray[np.intp],
        recipe: Recipe,
        seed: int,
    ) -> None:
        self._network, self._reader, self._texts, self._vectors = network, reader, texts, vectors
        self._learned, self._held, self._recipe, self._seed = learned, held, recipe, seed

    def loss(self, rng: np.random.Generator, step: int) -> torch.Tensor:
        import torch

        from aisle.models.text import fast_arithmetic

        rows = self._learned[rows_of(self._seed, step, self._recipe.batch, len(self._learned))]
        with fast_arithmetic():
            # Two halves: padding the short ones to the longest would cost as much again.
            found = run_bucketed(self._network, self._tokens(rows), max(1, -(-len(rows) // 2)))
        found = found.float()
        wanted = torch.from_numpy(self._vectors[rows])
        pointing = 1.0 - (found * wanted).sum(1).mean()
        alike = (found @ found.T - wanted @ wanted.T).square().mean()
        return pointing + self._recipe.alike * alike

    def held(self) -> float:
        return nearness(self._network, self._tokens(self._held), self._vectors[self._held])

    def _tokens(self, rows: NDArray[np.intp]) -> list[NDArray[np.int64]]:
        return self._reader.of([self._texts[row] for row in rows.tolist()])


def _left(config: Any) -> tuple[tuple[int, ...], Size]:
    """Which of the teacher's layers a student has, and how large it is; 0 heads and neurons: as many as the teacher."""
    from aisle.models.text import KEPT_HEADS

    layers, heads = tuple(config.kept_layers), getattr(config, KEPT_HEADS, 0)
    return layers, Size(len(layers), heads, config.intermediate_size if heads else 0)
