"""A transformer made smaller where it is needed least: whole layers, heads of attention, neurons.

Layers go one by one, each time the one without which the vectors stay nearest
to the teacher's. Heads and neurons are ranked by how much the distance to the
teacher would change without them, to first order: |activation x gradient|
(Michel et al. 2019, Molchanov et al. 2017). Every layer keeps as many as the
others, so that the model stays one that a plain configuration describes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ModelError
from aisle.learn.tuning import run_bucketed
from aisle.models.pooling import pooling_of
from aisle.types import Scores, Vectors

if TYPE_CHECKING:
    import torch

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Size:
    """How large a model is: layers, heads and neurons of each layer; 0 means as many as the teacher has.

    None: half of the layers, two thirds of the heads, half of the neurons; of a
    model whose heads and neurons cannot be cut off, all of these.
    """

    layers: int | None = None
    heads: int | None = None
    neurons: int | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is left: `layers` by their number in the teacher, `heads` and `neurons` of each of them."""

    layers: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    neurons: tuple[tuple[int, ...], ...]


def prune(network: Any, source: Path, size: Size, tokens: Sequence[NDArray[np.int64]], vectors: Vectors) -> Pruned:
    """Shrink the transformer that was read from `source`, in place; its config says what it has become.

    `tokens` are ids int64[t] of some texts, `vectors` float32[n, dim] the
    teacher's of the same; a few hundred are enough. Raises ModelError when the
    model has fewer of something than is asked for, or heads and neurons where
    they cannot be cut off.
    """
    from aisle.models.text import KEPT_HEADS, SentenceNetwork, layers_of, narrow

    layers: Any = layers_of(network)
    n_layers = _asked("layers", size.layers, len(layers), 1 / 2)
    can = all(_is_bert(layer) for layer in layers)
    size = size if can else replace(size, heads=size.heads or 0, neurons=size.neurons or 0)
    sentence = SentenceNetwork(network, pooling_of(source)[0], additive_mask=False)
    kept = _drop_layers(layers, n_layers, lambda: nearness(sentence, tokens, vectors))
    network.config.num_hidden_layers = len(layers)
    if size.heads == 0 and size.neurons == 0:
        return Pruned(kept, (), ())
    if not can:
        raise ModelError(
            f"{type(network).__name__}: its heads and neurons cannot be cut off, only its layers; "
            "ask for 0 heads and 0 neurons, which keeps them all"
        )
    n_heads = _asked("heads", size.heads, int(layers[0].attention.self.num_attention_heads), 2 / 3)
    n_neurons = _asked("neurons", size.neurons, int(layers[0].intermediate.dense.out_features), 1 / 2)
    of_heads, of_neurons = importance(sentence, layers, tokens, vectors)
    heads = [_best(one, n_heads) for one in of_heads]
    neurons = [_best(one, n_neurons) for one in of_neurons]
    for layer, of_layer, of_dense in zip(layers, heads, neurons, strict=True):
        narrow(layer, of_layer, of_dense)
    network.config.intermediate_size = len(neurons[0])
    setattr(network.config, KEPT_HEADS, len(heads[0]))
    return Pruned(kept, tuple(heads), tuple(neurons))


def nearness(sentence: torch.nn.Module, tokens: Sequence[NDArray[np.int64]], vectors: Vectors) -> float:
    """The mean cosine of what the network makes of those texts with the vectors float32[n, dim] of length 1."""
    import torch

    from aisle.models.text import fast_arithmetic

    with torch.no_grad(), fast_arithmetic():
        found = run_bucketed(sentence, tokens, _AT_ONCE).float().numpy()
    return float((found * vectors).sum(1).mean())


def importance(
    sentence: torch.nn.Module, layers: Sequence[Any], tokens: Sequence[NDArray[np.int64]], vectors: Vectors
) -> tuple[list[Scores], list[Scores]]:
    """For each layer, float32[heads] and float32[neurons]: how much the vectors' errors would change without each."""
    import torch

    inner = [part for layer in layers for part in (layer.attention.output.dense, layer.output.dense)]
    seen: list[torch.Tensor] = []
    hooks = [part.register_forward_pre_hook(lambda _part, given: _remember(seen, given[0])) for part in inner]
    totals: list[Any] = [0.0] * len(inner)
    try:
        for begin in range(0, len(tokens), _AT_ONCE):
            seen.clear()
            found = run_bucketed(sentence, tokens[begin : begin + _AT_ONCE], _AT_ONCE)
            wanted = torch.from_numpy(np.ascontiguousarray(vectors[begin : begin + _AT_ONCE]))
            error = (1.0 - (found * wanted).sum(1)).sum()
            gradients = torch.autograd.grad(error, seen)
            for place, (given, gradient) in enumerate(zip(seen, gradients, strict=True)):
                by_text = (given * gradient).sum(1).detach()  # [n, width]
                if place % 2 == 0:  # a head's parts act together
                    n_heads = layers[place // 2].attention.self.num_attention_heads
                    by_text = by_text.view(len(by_text), n_heads, -1).sum(2)  # [n, heads]
                totals[place] = totals[place] + by_text.abs().sum(0)
    finally:
        for hook in hooks:
            hook.remove()
    return [one.numpy() for one in totals[::2]], [one.numpy() for one in totals[1::2]]


def _remember(seen: list[torch.Tensor], given: torch.Tensor) -> None:
    seen.append(given)


def _drop_layers(layers: Any, n: int, measured: Callable[[], float]) -> tuple[int, ...]:
    kept = list(range(len(layers)))
    while len(layers) > n:
        best, best_place = -2.0, 0
        for place in range(len(layers)):
            layer = layers[place]
            del layers[place]
            found = measured()
            layers.insert(place, layer)
            if found > best:
                best, best_place = found, place
        del layers[best_place]
        del kept[best_place]
    return tuple(kept)


def _best(scores: Scores, n: int) -> tuple[int, ...]:
    return tuple(sorted(np.argsort(-scores, kind="stable")[:n].tolist()))


def _is_bert(layer: Any) -> bool:
    attention = getattr(getattr(layer, "attention", None), "self", None)
    linear = all(hasattr(attention, name) for name in ("query", "key", "value", "num_attention_heads"))
    return linear and all(hasattr(getattr(layer, part, None), "dense") for part in ("intermediate", "output"))


def _asked(what: str, asked: int | None, there: int, usual: float) -> int:
    """How many are to be left. Raises ModelError for more than there are."""
    if asked is None:
        return max(1, round(there * usual))
    if not 0 <= asked <= there:
        raise ModelError(f"{asked} {what} are asked for, and the model has {there}; 0 keeps all of them")
    return asked or there
