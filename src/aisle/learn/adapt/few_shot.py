"""A handful of examples of each label tune the encoder, and logistic regression reads its vectors.

After SetFit (Tunstall et al. 2022), with two departures that suit many labels
with few examples each. SetFit shows pairs, alike or not; here each example is
told apart from all labels at once: a label stands at a place of its own, which
begins at the mean of its examples and its name and is learned too, and the
cosines with all places share a softmax (proxy NCA, Movshovitz-Attias et al.
2017, with a margin-free temperature). Beside it the examples of a batch pull
their like closer than the others (supervised contrastive, Khosla et al. 2020).
And the vectors of the encoder as it was keep half of the say: what the tuned
one learned from a few examples is partly chance.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.errors import InvalidRequest, ModelDamaged, TrainingFailed
from aisle.learn.adapt.label_names import places
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.linear import STRENGTHS, Floats, Linear, fit_linear, softmax
from aisle.learn.adapt.sentences import Sentences
from aisle.learn.checkpoints import Checkpoints
from aisle.learn.fitted import Progress
from aisle.learn.tuning import SAVE_EVERY_S, rows_of

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

_CARD: Final = "few_shot.json"
_HEADS: Final = "heads.safetensors"
_TUNED: Final = "tuned"
_WARM: Final = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the encoder is tuned; `benchmarks/few_shot.py` measures one on draws of a training file.

    Each example is seen `epochs` times, or less often where that would be more than `steps` steps of `batch`.
    `contrast` is how much telling examples apart counts beside telling labels apart; `dropped` the share of an
    example's words that are left out. `names`: the label's name is an example, too. `frozen` is the say of the
    encoder as it was.
    """

    epochs: float = 10.0
    steps: int = 1000
    batch: int = 48
    learning_rate: float = 1e-4
    temperature: float = 0.07
    contrast: float = 0.5
    dropped: float = 0.1
    names: bool = True
    frozen: float = 0.5
    max_tokens: int = 64


@dataclass(frozen=True, slots=True)
class FewShot:
    """`frozen_head` reads the vectors of the encoder as it was, `tuned_head` those of the tuned one, if there is one.

    `frozen_say` is the share of the first in what both say.
    """

    names: tuple[str, ...]
    frozen: Sentences
    frozen_head: Linear
    tuned: Sentences | None
    tuned_head: Linear | None
    frozen_say: float

    def chances(self, texts: Sequence[str]) -> Floats:
        """float32[n, labels], each row adds up to 1."""
        as_it_was = np.log(self.frozen_head.chances(self.frozen.encode(texts)) + 1e-9)
        if self.tuned is None or self.tuned_head is None:
            return softmax(as_it_was)
        tuned = np.log(self.tuned_head.chances(self.tuned.encode(texts)) + 1e-9)
        return softmax(self.frozen_say * as_it_was + (1 - self.frozen_say) * tuned)

    def predict(self, texts: Sequence[str]) -> NDArray[np.int32]:
        places: NDArray[np.int32] = self.chances(texts).argmax(1).astype(np.int32)
        return places

    def write(self, folder: Path) -> None:
        """Keep it in `folder`; the encoder as it was is not copied, only named by who reads it back."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        heads = {"frozen.weights": self.frozen_head.weights, "frozen.bias": self.frozen_head.bias}
        if self.tuned is not None and self.tuned_head is not None:
            self.tuned.write(folder / _TUNED)
            heads |= {"tuned.weights": self.tuned_head.weights, "tuned.bias": self.tuned_head.bias}
        save_file({key: np.ascontiguousarray(value) for key, value in heads.items()}, folder / _HEADS)
        told = {
            "names": self.names,
            "frozen_say": self.frozen_say,
            "strength": self.frozen_head.strength,
            "tuned_strength": self.tuned_head.strength if self.tuned_head else None,
        }
        (folder / _CARD).write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))


def read_few_shot(folder: Path, source: Path) -> FewShot:
    """What `FewShot.write` left; `source` is the encoder it began with. Raises ModelDamaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        told = orjson.loads((folder / _CARD).read_bytes())
        heads = load_file(folder / _HEADS)
        frozen = Linear(heads["frozen.weights"], heads["frozen.bias"], told["strength"])
        tuned = (
            Linear(heads["tuned.weights"], heads["tuned.bias"], told["tuned_strength"])
            if told["tuned_strength"]
            else None
        )
        names, say = tuple(told["names"]), float(told["frozen_say"])
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise ModelDamaged(f"{folder}: not a few-shot model that can be read ({error}); fit it again") from error
    encoder = Sentences.read(folder / _TUNED) if tuned else None
    return FewShot(names, Sentences.read(source), frozen, encoder, tuned, say)


def fit_few_shot(
    train: Labelled,
    *,
    source: Path,
    work: Path | None = None,
    recipe: Recipe | None = None,
    descriptions: Mapping[str, str] | None = None,
    tune: bool = True,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> FewShot:
    """Fit on a handful of texts of each label; `source` is the encoder's folder in Hugging Face's format.

    With `tune` false the encoder stays as it is, and only the head is fitted. `work` holds checkpoints: the same
    call with the same folder goes on from there after a kill. Raises InvalidRequest for texts of fewer than two
    labels, TrainingFailed when the loss is no longer a number.
    """
    import torch

    recipe = recipe or Recipe()
    if len(np.unique(train.labels)) < 2:
        raise InvalidRequest("there is nothing to tell apart: give texts of at least two labels", field="label")
    torch.set_num_threads(threads)
    frozen = Sentences.read(source, recipe.max_tokens)
    named = places(train.names, frozen.encode, descriptions) if recipe.names else None
    vectors = frozen.encode(train.texts)
    head = _head(vectors, train, named, STRENGTHS, seed)
    if not tune:
        return FewShot(train.names, frozen, head, None, None, 1.0)
    tuned = Sentences.read(source, recipe.max_tokens)
    _tune(tuned, train, _middles(vectors, train, named), recipe, work, seed, progress)
    named = places(train.names, tuned.encode, descriptions) if recipe.names else None
    # Not chosen again by cross-validation: the tuned encoder has seen every label, and any strength would look right.
    tuned_head = _head(tuned.encode(train.texts), train, named, (head.strength,), seed)
    return FewShot(train.names, frozen, head, tuned, tuned_head, recipe.frozen)


def _head(vectors: Floats, train: Labelled, named: Floats | None, strengths: Sequence[float], seed: int) -> Linear:
    """Logistic regression; a label's name is one example more of it."""
    strength = fit_linear(vectors, train.labels, len(train.names), strengths=strengths, seed=seed)
    if named is None:
        return strength
    both = np.concatenate([vectors, named])
    labels = np.concatenate([train.labels, np.arange(len(named), dtype=np.int32)])
    found = fit_linear(both, labels, len(named), strengths=(strength.strength,))
    return Linear(found.weights, found.bias, found.strength, strength.held)


def _middles(vectors: Floats, train: Labelled, named: Floats | None) -> Floats:
    """float32[labels, dim]: where each label begins, the mean of its examples and its name."""
    sums = np.zeros((len(train.names), vectors.shape[1]), np.float32) if named is None else named.copy()
    np.add.at(sums, train.labels, vectors)
    return sums


def _tune(
    sentences: Sentences,
    train: Labelled,
    middles: Floats,
    recipe: Recipe,
    work: Path | None,
    seed: int,
    progress: Progress | None,
) -> None:
    """Tune `sentences` in place, going on from the checkpoint in `work` where there is one."""
    import torch

    transformer = sentences.network.network
    for embedding in transformer.get_input_embeddings().parameters():
        embedding.requires_grad_(False)  # most of the weights, and a word that no example has must not drift off
    both = torch.nn.Module()  # one module, for one checkpoint
    both.network = sentences.network
    both.places = torch.nn.Parameter(torch.nn.functional.normalize(torch.from_numpy(middles), dim=1))
    body = [p for p in sentences.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": body, "weight_decay": 0.01, "times": 1.0}, {"params": [both.places], "times": 10.0}],
        lr=recipe.learning_rate,
        fused=True,
    )
    steps = max(1, min(recipe.steps, math.ceil(recipe.epochs * len(train) / recipe.batch)))
    ids = sentences.tokens.of(train.texts)
    checkpoints = Checkpoints(work) if work else None
    state: dict[str, Any] = (checkpoints.load(both, optimizer) if checkpoints else None) or {"step": 0}
    saved = time.monotonic()
    sentences.network.train()
    for step in range(state["step"], steps):
        done = step / steps
        rate = recipe.learning_rate * min((step + 1) / (_WARM * steps + 1), (1 - done) / (1 - _WARM), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["times"]
        torch.manual_seed(seed * 100_003 + step)
        loss = _loss(sentences, both.places, train, ids, recipe, step, seed)
        if not math.isfinite(loss.item()):
            raise TrainingFailed("few-shot tuning: the loss is no longer a number; lower the learning rate")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([*body, both.places], 1.0)
        optimizer.step()
        if progress is not None:
            progress("tuning the encoder on examples", step + 1, steps)
        if checkpoints and time.monotonic() - saved > SAVE_EVERY_S:
            # There is nothing held out of a handful to say which weights are best: the last ones are taken.
            checkpoints.save(both, optimizer, {"step": step + 1}, best=True)
            saved = time.monotonic()
    sentences.network.eval()


def _loss(
    sentences: Sentences,
    middles: torch.Tensor,
    train: Labelled,
    ids: Sequence[NDArray[np.int64]],
    recipe: Recipe,
    step: int,
    seed: int,
) -> torch.Tensor:
    """Each example of a batch told apart from all labels, and from the batch's other examples."""
    import torch

    rng = np.random.default_rng([seed, step])
    rows = rows_of(seed, step, recipe.batch, len(train))
    labels = torch.from_numpy(train.labels[rows].astype(np.int64))  # [b]
    vectors = sentences.encode_to_train([_dropped(ids[row], recipe.dropped, rng) for row in rows])  # [b, dim]
    cosines = vectors @ torch.nn.functional.normalize(middles, dim=1).T  # [b, labels]
    loss = torch.nn.functional.cross_entropy(cosines / recipe.temperature, labels)
    if not recipe.contrast:
        return loss
    alike = (labels[:, None] == labels[None, :]).float().fill_diagonal_(0.0)  # [b, b]
    among = (vectors @ vectors.T / recipe.temperature).fill_diagonal_(-1e4).log_softmax(1)  # [b, b]
    has = alike.sum(1) > 0
    if not bool(has.any()):
        return loss
    pulled = -(alike * among).sum(1)[has] / alike.sum(1)[has]
    return loss + recipe.contrast * pulled.mean()


def _dropped(ids: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The tokens without some of them; the first and the last, which the model puts there itself, stay."""
    if len(ids) <= 4 or not share:
        return ids
    stays = rng.random(len(ids)) >= share
    stays[[0, -1]] = True
    return ids[stays]
