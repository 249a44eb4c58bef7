"""A handful of examples of each label tune the encoder, and logistic regression reads its vectors.

After SetFit (Tunstall et al. 2022), with a departure that suits many labels
with few examples each. SetFit shows pairs, alike or not; here each example is
told apart from all labels at once: a label stands at a place of its own, which
begins at the mean of its examples and its name and is learned too, and the
cosines with all places share a softmax (a proxy loss, Movshovitz-Attias et al.
2017). Beside it the examples of a batch pull their like closer than the others
(supervised contrastive, Khosla et al. 2020).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.errors import InvalidRequest, ModelDamaged, TrainingFailed
from aisle.learn.adapt.label_names import places
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.linear import Floats, Linear, fit_linear
from aisle.learn.adapt.recipe import FewRecipe
from aisle.learn.adapt.self_training import surest, taught
from aisle.learn.adapt.sentences import Sentences
from aisle.learn.checkpoints import Checkpoints
from aisle.learn.tuning import SAVE_EVERY_S, rows_of
from aisle.types import Progress

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

_CARD: Final = "few_shot.json"
_HEAD: Final = "head.safetensors"
_ENCODER: Final = "encoder"
_WARM: Final = 0.1
_ROUNDS: Final = ((5000, 0.7), (6500, 0.8))
"""How many texts without labels are guessed at, at most, and on which share of them (the surest of each guessed label)
the encoder is tuned as well: a round for each, in which what the last one made guesses."""
_AGAIN: Final = 3.0
"""Epochs of these tunings, which see many more texts."""
_STRENGTH: Final = 30.0
"""Of the head that reads guessed labels as well: with more texts than a handful it is this on all sets looked at."""


@dataclass(frozen=True, slots=True)
class FewShot:
    """`head` reads the vectors of `encoder`, tuned for so many `steps` or as it was."""

    names: tuple[str, ...]
    encoder: Sentences
    head: Linear
    steps: int = 0

    def chances(self, texts: Sequence[str]) -> Floats:
        """float32[n, labels], each row adds up to 1."""
        return self.head.chances(self.encoder.encode(texts))

    def predict(self, texts: Sequence[str]) -> NDArray[np.int32]:
        places: NDArray[np.int32] = self.chances(texts).argmax(1).astype(np.int32)
        return places

    def write(self, folder: Path) -> None:
        """Keep all of it in `folder`; the encoder lies in `encoder`, in Hugging Face's format."""
        from safetensors.numpy import save_file

        self.encoder.write(folder / _ENCODER)
        arrays = {"weights": self.head.weights, "bias": self.head.bias}
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / _HEAD)
        told = {"names": self.names, "strength": self.head.strength, "max_tokens": self.encoder.max_tokens,
                "steps": self.steps}  # fmt: skip
        (folder / _CARD).write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))


def read_few_shot(folder: Path) -> FewShot:
    """What `FewShot.write` left. Raises ModelDamaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        told = orjson.loads((folder / _CARD).read_bytes())
        arrays = load_file(folder / _HEAD)
        head = Linear(arrays["weights"], arrays["bias"], float(told["strength"]))
        encoder = Sentences.read(folder / _ENCODER, int(told["max_tokens"]))
        names, steps = tuple(told["names"]), int(told.get("steps", 0))
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise ModelDamaged(f"{folder}: not a few-shot model that can be read ({error}); fit it again") from error
    return FewShot(names, encoder, head, steps)


def fit_few_shot(
    train: Labelled,
    *,
    source: Path,
    work: Path | None = None,
    recipe: FewRecipe | None = None,
    descriptions: Mapping[str, str] | None = None,
    tune: bool = True,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> FewShot:
    """Fit on a handful of texts of each label; `source` is the encoder's folder in Hugging Face's format.

    With `tune` false the encoder stays as it is, and only the head is fitted. `work` holds checkpoints: the same
    call with the same folder goes on from there after a kill. Raises InvalidRequest for
    texts of fewer than two labels, TrainingFailed when the loss is no longer a number, StorageError.
    """
    recipe = recipe or FewRecipe()
    if len(np.unique(train.labels)) < 2:
        raise InvalidRequest("there is nothing to tell apart: give texts of at least two labels", field="label")
    import torch

    torch.set_num_threads(threads)
    encoder, vectors, steps = _encoder(train, source, recipe, descriptions, work, seed, progress, "examples", tune=tune)
    # The strength stays the one of the encoder as it was: the tuned one has seen every label, so that in
    # cross-validation any strength would look right.
    chosen = fit_linear(vectors, train.labels, len(train.names), seed=seed)
    named = places(train.names, encoder.encode, descriptions) if recipe.names else None
    vectors = encoder.encode(train.texts) if tune else vectors
    return FewShot(train.names, encoder, _head(vectors, train, named, chosen), steps)


def fit_with_unlabelled(
    train: Labelled,
    unlabelled: Sequence[str],
    *,
    source: Path,
    work: Path | None = None,
    recipe: FewRecipe | None = None,
    descriptions: Mapping[str, str] | None = None,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> FewShot:
    """As `fit_few_shot`, and it learns from texts without labels: for those that are surely about one of the labels.

    What the examples taught guesses the labels of the others, and the encoder, as it was, is tuned again on examples
    and surest guesses (noisy student, Xie et al. 2020, with tokens left out for noise); its head then learns from all
    the guesses of the new one, at a lower weight. And once more, with what that made as the teacher. With fewer texts
    than examples it is `fit_few_shot`.
    """
    recipe = recipe or FewRecipe()
    known = {text.casefold() for text in train.texts}
    others = [text for text in dict.fromkeys(unlabelled) if text.strip() and text.casefold() not in known]
    others = [others[row] for row in np.random.default_rng(seed).permutation(len(others)).tolist()]
    model = fit_few_shot(
        train, source=source, work=work / "examples" if work else None, recipe=recipe, descriptions=descriptions,
        threads=threads, seed=seed, progress=progress,
    )  # fmt: skip
    if len(others) < len(train):
        return model
    again = replace(recipe, epochs=min(_AGAIN, recipe.epochs), learning_rate=recipe.learning_rate / 2)
    guessing = _told(progress, "guessing labels of texts without")
    for number, (most, share) in enumerate(_ROUNDS, 1):
        texts = others[:most]
        chances = model.head.chances(model.encoder.encode(texts, guessing))
        rows = surest(chances, share)
        labels = np.concatenate([train.labels, chances.argmax(1).astype(np.int32)[rows]])
        both = Labelled((*train.texts, *(texts[row] for row in rows)), labels, train.names)
        encoder, _, steps = _encoder(
            both, source, again, descriptions, work / f"guesses-{number}" if work else None, seed,
            progress, f"examples and guesses ({number} of {len(_ROUNDS)})",
        )  # fmt: skip
        vectors, their = encoder.encode(both.texts), encoder.encode(texts, guessing)
        first = fit_linear(vectors, both.labels, len(both.names), strengths=(_STRENGTH,))
        head, _ = taught(first, vectors[: len(train)], train.labels, their, 1.0)
        model = FewShot(train.names, encoder, head, model.steps + steps)
    return model


def _encoder(
    train: Labelled,
    source: Path,
    recipe: FewRecipe,
    descriptions: Mapping[str, str] | None,
    work: Path | None,
    seed: int,
    progress: Progress | None,
    what: str,
    *,
    tune: bool = True,
) -> tuple[Sentences, Floats, int]:
    """The encoder, if it is to `tune` tuned by the recipe; the texts' vectors float32[n, dim] as it was; the steps."""
    encoder = Sentences.read(source, recipe.max_tokens)
    vectors = encoder.encode(train.texts, _told(progress, f"reading {what}"))
    if not tune:
        return encoder, vectors, 0
    named = places(train.names, encoder.encode, descriptions) if recipe.names else None
    tell = _told(progress, f"tuning the encoder on {what}")
    return encoder, vectors, _tune(encoder, train, _middles(vectors, train, named), recipe, work, seed, tell)


def _told(progress: Progress | None, stage: str) -> Callable[[int, int], None]:
    """`progress` of one stage."""
    return partial(progress, stage) if progress is not None else lambda _done, _of: None


def _head(vectors: Floats, train: Labelled, named: Floats | None, chosen: Linear) -> Linear:
    """Logistic regression of the strength that was chosen; a label's name is one example more of it."""
    labels = train.labels
    if named is not None:
        vectors = np.concatenate([vectors, named])
        labels = np.concatenate([labels, np.arange(len(named), dtype=np.int32)])
    found = fit_linear(vectors, labels, len(train.names), strengths=(chosen.strength,))
    return replace(found, held=chosen.held)


def _middles(vectors: Floats, train: Labelled, named: Floats | None) -> Floats:
    """float32[labels, dim]: where each label begins, the mean of its examples and its name."""
    sums = np.zeros((len(train.names), vectors.shape[1]), np.float32) if named is None else named.copy()
    np.add.at(sums, train.labels, vectors)
    return sums


def _tune(
    sentences: Sentences,
    train: Labelled,
    middles: Floats,
    recipe: FewRecipe,
    work: Path | None,
    seed: int,
    tell: Callable[[int, int], None],
) -> int:
    """Tune `sentences` in place, going on from the checkpoint in `work` where there is one; how many steps it took."""
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
    batch = min(recipe.batch, len(train))
    steps = max(1, min(recipe.steps, math.ceil(recipe.epochs * len(train) / batch)))
    ids = sentences.tokens.of(train.texts)
    begun = {name: weight.detach().clone() for name, weight in sentences.network.named_parameters()}
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
        tell(step + 1, steps)
        if checkpoints and time.monotonic() - saved > SAVE_EVERY_S:
            # There is nothing held out of a handful to say which weights are best: the last ones are taken.
            checkpoints.save(both, optimizer, {"step": step + 1}, best=True)
            saved = time.monotonic()
    with torch.no_grad():
        for name, weight in sentences.network.named_parameters():
            weight.lerp_(begun[name], recipe.kept)
    sentences.network.eval()
    return steps


def _loss(
    sentences: Sentences,
    middles: torch.Tensor,
    train: Labelled,
    ids: Sequence[NDArray[np.int64]],
    recipe: FewRecipe,
    step: int,
    seed: int,
) -> torch.Tensor:
    """Each example of a batch told apart from all labels, and from the batch's other examples."""
    import torch

    rng = np.random.default_rng([seed, step])
    rows = rows_of(seed, step, min(recipe.batch, len(train)), len(train))
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
