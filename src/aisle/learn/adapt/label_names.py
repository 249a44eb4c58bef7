"""Sorting texts under labels of which nothing is known but their names: no text has a label.

A name is read as several sentences, and the mean of their vectors is where the
label stands. Where there are unlabelled texts, three things are learned from them:

- the middle: what all texts have in common tells no labels apart, nor does what all names have in common;
- the places: each label moves to the middle of the texts that are shared out to it, and these are shared out
  again (soft k-means, or EM of equal round clusters; the name goes on counting as so many texts), while labels
  that draw more than their part are held back (half of what would make all parts equal: Sinkhorn's step);
- a logistic regression on the half of each label's texts that is surest (self-training, Yarowsky 1995).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.linear import Floats, Linear, fit_linear, softmax

Encode = Callable[[Sequence[str]], Floats]
"""Unit vectors float32[n, dim] of texts."""

PHRASINGS: Final = (
    "{}",
    "{}?",
    "I have a question about: {}",
    "I want to know about {}",
    "what about {}?",
    "what is the {}?",
)
"""How a label's name is said; a description is read as it stands, too."""
_WARMTH: Final = 0.03
"""What cosines are divided by before a text is shared out among labels."""
_NAME_COUNTS: Final = 30.0
"""As how many texts a name counts when its label moves to the middle of its texts."""
_HELD_BACK: Final = 0.5
_LEAST: Final = 5
"""Unlabelled texts for each label; with fewer, what is learned from them does harm, and only the middle is used."""
_LEAST_MIDDLE: Final = 20
"""Unlabelled texts in all whose middle says what texts have in common: that of one text is that text."""
_ROUNDS: Final = 4
_SUREST: Final = 0.5
_STRENGTH: Final = 10.0
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class FromNames:
    """`centre` float32[dim] is taken off every vector before `head` reads it.

    `n_unlabelled` texts were learned from, `n_taken` of them with the label they were given.
    """

    names: tuple[str, ...]
    centre: Floats
    head: Linear
    n_unlabelled: int
    n_taken: int

    def chances(self, vectors: Floats) -> Floats:
        """float32[n, labels] of unit vectors float32[n, dim]."""
        return self.head.chances(_unit(vectors - self.centre))

    def predict(self, vectors: Floats) -> NDArray[np.int32]:
        places: NDArray[np.int32] = self.chances(vectors).argmax(1).astype(np.int32)
        return places


def fit_names(
    names: Sequence[str],
    encode: Encode,
    *,
    unlabelled: Floats | None = None,
    descriptions: Mapping[str, str] | None = None,
    train: bool = True,
) -> FromNames:
    """Learn labels from their names, from descriptions where there are any, and from texts without labels.

    `unlabelled` are the texts' unit vectors float32[n, dim]; without twenty of them a text goes to the nearest name.
    With `train` false only the middle is taken off.
    """
    if not names:
        raise InvalidRequest("there is no label to sort under: name at least one", field="names")
    at = places(names, encode, descriptions)
    if unlabelled is None or len(unlabelled) < _LEAST_MIDDLE:
        nothing = np.zeros(at.shape[1], np.float32)
        return FromNames(tuple(names), nothing, _nearest(at, 0.0), 0, 0)
    centre: Floats = unlabelled.mean(0)
    at = _unit(at - at.mean(0)) if len(names) > 2 else _unit(at - centre)
    texts = _unit(unlabelled - centre)
    if not train or len(names) < 2 or len(texts) < _LEAST * len(names):
        return FromNames(tuple(names), centre, _nearest(at, 0.0), len(texts), 0)
    scores, bias = _settled(texts, at)
    label, sure = scores.argmax(1).astype(np.int32), softmax(scores / _WARMTH).max(1)
    taken = _surest(label, sure, len(names))
    if not len(taken):
        return FromNames(tuple(names), centre, _nearest(at, bias), len(texts), 0)
    # The names stand among the examples, so that a label to which no text went is known all the same.
    head = fit_linear(
        np.concatenate([texts[taken], at]),
        np.concatenate([label[taken], np.arange(len(names), dtype=np.int32)]),
        len(names),
        strengths=(_STRENGTH,),
    )
    return FromNames(tuple(names), centre, head, len(texts), len(taken))


def places(names: Sequence[str], encode: Encode, descriptions: Mapping[str, str] | None = None) -> Floats:
    """float32[labels, dim]: the mean of what each label's phrasings say, of length 1."""
    said = [phrased(name, (descriptions or {}).get(name, "")) for name in names]
    vectors = encode([text for texts in said for text in texts])
    ends = np.cumsum([len(texts) for texts in said])[:-1]
    return _unit(np.stack([_spoken(part) for part in np.split(vectors, ends)]))


def phrased(name: str, description: str = "") -> list[str]:
    """A label's name as sentences, and its description, if it has one, last."""
    plain = plain_name(name)
    return [phrase.format(plain) for phrase in PHRASINGS] + ([description] if description else [])


def plain_name(name: str) -> str:
    """ "cardPayment_declined?" -> "card payment declined"; a name without any letter stays as it is."""
    return _BETWEEN.sub(" ", _CAMEL.sub(" ", name)).strip().lower() or name


def read_descriptions(file: Path, names: Sequence[str]) -> dict[str, str]:
    """Names with what they mean, from a JSON object `{"name": "description", …}`; not every name needs one.

    Raises InvalidRequest for a file that is no such object, and for a name that is not among `names`.
    """
    try:
        read = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InvalidRequest(f"{file}: cannot be read as JSON: {str(error)[:200]}", field="descriptions") from error
    if not isinstance(read, dict) or not all(isinstance(text, str) for text in read.values()):
        raise InvalidRequest(
            f'{file}: must be one object of texts: {{"name": "what it means", …}}', field="descriptions"
        )
    if unknown := sorted(set(read) - set(names)):
        raise InvalidRequest(f"{file}: no label is called {', '.join(unknown[:5])}", field="descriptions")
    return {name: text.strip() for name, text in read.items() if text.strip()}


def _settled(texts: Floats, names: Floats) -> tuple[Floats, Floats]:
    """Cosines float32[n, labels] with the labels where they settled, held back; and by how much, float32[labels]."""
    at = names
    for _ in range(_ROUNDS):
        scores = texts @ at.T
        shares = softmax((scores + _held_back(scores)) / _WARMTH)  # [n, labels]
        mass = shares.sum(0)[:, None]
        middle = _unit(shares.T @ texts)  # [labels, dim]
        at = _unit(_NAME_COUNTS * names + mass * middle)
    scores = texts @ at.T
    bias = _held_back(scores)
    return scores + bias, bias


def _held_back(scores: Floats) -> Floats:
    """float32[labels]: what to add to the cosines so that labels draw more equal parts of the texts."""
    bias = np.zeros(scores.shape[1], np.float32)
    for _ in range(10):
        drawn = softmax((scores + bias) / _WARMTH).mean(0)
        bias -= _WARMTH * np.log(drawn * len(bias) + 1e-6).astype(np.float32)
    return bias * np.float32(_HELD_BACK)


def _surest(label: NDArray[np.int32], sure: Floats, n_labels: int) -> NDArray[np.intp]:
    """The surest half of each label's texts."""
    found = [np.empty(0, np.intp)]
    for number in range(n_labels):
        rows = np.flatnonzero(label == number)
        found.append(rows[np.argsort(-sure[rows], kind="stable")][: int(np.ceil(len(rows) * _SUREST))])
    return np.concatenate(found)


def _nearest(at: Floats, bias: Floats | float) -> Linear:
    """The head that gives a text to the nearest of `at` float32[labels, dim]."""
    moved = np.broadcast_to(np.asarray(bias, np.float32), len(at))
    return Linear((at.T / _WARMTH).astype(np.float32), (moved / _WARMTH).astype(np.float32), _STRENGTH)


def _spoken(vectors: Floats) -> Floats:
    """The mean of a label's sentences; a description, the last where there is one, counts as all the others do."""
    named: Floats = vectors[: len(PHRASINGS)].mean(0, keepdims=True)
    both: Floats = named[0] if len(vectors) == len(PHRASINGS) else _unit(named)[0] + vectors[-1]
    return both


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt((vectors * vectors).sum(1, keepdims=True))
    scaled: Floats = (vectors / np.maximum(length, 1e-9)).astype(np.float32)
    return scaled
