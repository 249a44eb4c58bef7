"""Sorting texts into kinds by asking a language model: with the labels' names alone, or with a few examples.

The model can only choose among the labels. What it would say of an empty text
is its prejudice, of the labels' names and of the examples' order, and is taken
out (contextual calibration: Zhao et al. 2021; here the corrected probabilities
are scaled to sum to 1, where the paper takes a softmax of them, which gives the
same winner). Where the model fails, a plain classifier answers in its place.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest, LanguageFailed
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.templates import Template, classify_template
from aisle.ports import Chosen, LanguageModel, Message
from aisle.ports.language import quoted
from aisle.types import Progress, Scores, Vectors

log = logging.getLogger("aisle.learn")

Embed: TypeAlias = Callable[[Sequence[str]], Vectors]
"""Texts to float32[n, dim] of length 1: what examples are near by."""

Plain: TypeAlias = Callable[[Sequence[str]], Scores]
"""Texts to float32[n, n_labels], probabilities: who answers where the language model does not."""

EMPTY: Final = ("", "N/A")
"""Texts that say nothing."""

LONGEST_TEXT: Final = 1000
"""Characters of a text that are shown to the model."""

LEAST_PRIOR: Final = 1e-3
"""A label that the model never says of nothing is not made a thousand times likelier by that."""

_PRIORS_KEPT: Final = 1024


@dataclass(frozen=True, slots=True)
class Sorted:
    """`probabilities` float32[n, n_labels]; `by_plain` bool[n] where the plain classifier answered, `faults` counts
    why; `n_graded` texts got more from the model than one name."""

    probabilities: Scores
    by_plain: NDArray[np.bool_]
    faults: Mapping[str, int]
    n_graded: int

    @property
    def labels(self) -> NDArray[np.int32]:
        """int32[n]: the likeliest label of each text."""
        found: NDArray[np.int32] = self.probabilities.argmax(1).astype(np.int32)
        return found


class Examples:
    """`shots` of the labelled texts for each question: of as many labels as there are places, the nearest first.

    Nearness is by `embed`; without it everyone gets the same, drawn by `seed`.
    The nearest label's example is shown last, next to the question, where models heed it most.
    """

    def __init__(self, labelled: Labelled, shots: int, *, embed: Embed | None = None, seed: int = 0) -> None:
        self._labelled, self._shots, self._embed = labelled, min(shots, len(labelled)), embed
        self._fixed = self._round(np.random.default_rng(seed).permutation(len(labelled))) if embed is None else ()
        self._vectors = embed(labelled.texts) if embed is not None and self._shots else None

    def of(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Rows of the labelled texts for each text, in the order in which they are shown."""
        if self._embed is None or self._vectors is None:
            return [self._fixed] * len(texts)
        near = self._embed(texts) @ self._vectors.T
        return [self._round(np.argsort(-row, kind="stable")) for row in near]

    def shown(self, rows: Sequence[int]) -> list[tuple[str, int]]:
        """Each example's text and label."""
        return [(self._labelled.texts[row], int(self._labelled.labels[row])) for row in rows]

    def _round(self, order: NDArray[np.intp]) -> tuple[int, ...]:
        """One of each label before a second of any, in that order; the first of them shown last."""
        labels, had = self._labelled.labels[order].tolist(), Counter[int]()
        turns = []
        for place, (row, label) in enumerate(zip(order.tolist(), labels, strict=True)):
            turns.append((had[label], place, row))
            had[label] += 1
        return tuple(row for _, _, row in sorted(turns)[: self._shots])[::-1]


class PromptClassifier:
    """Sorts texts into `names` by asking `model`. Raises InvalidRequest for names that cannot be told apart.

    `words` maps a name to what the model is told instead of it (without: the
    name with spaces for underscores). `plain` answers where the model does not;
    without it the model's failure is raised. `at_once` texts are asked about
    together: more than one helps where a server works on several at a time.
    """

    def __init__(
        self,
        model: LanguageModel,
        names: Sequence[str],
        *,
        template: Template | None = None,
        examples: Examples | None = None,
        words: Mapping[str, str] | None = None,
        calibrate: bool = True,
        plain: Plain | None = None,
        at_once: int = 1,
    ) -> None:
        self._model, self._examples, self._plain = model, examples, plain
        self._template = template or classify_template()
        if examples is not None and "answer" not in self._template.sections:
            told = f"template {self._template.name}: has no [answer], which examples need"
            raise InvalidRequest(told, field="template")
        self._calibrate, self._at_once = calibrate, max(1, at_once)
        said = [(words or {}).get(name, name.replace("_", " ")).strip() for name in names]
        if len(names) < 2 or not all(said) or len({one.casefold() for one in said}) < len(said):
            told = "there must be two labels or more, whose words differ by more than their case"
            raise InvalidRequest(f"{told}: {', '.join(said)[:200]}", field="names")
        self._said = tuple(said)
        self._priors: OrderedDict[tuple[int, ...], Scores | None] = OrderedDict()

    def classify(self, texts: Sequence[str], progress: Progress | None = None) -> Sorted:
        """Each text's label. Raises LanguageFailed where the model fails and there is no plain classifier."""
        n, k = len(texts), len(self._said)
        shown = self._examples.of(texts) if self._examples is not None and n else [()] * n
        probabilities, by_plain = np.zeros((n, k), np.float32), np.zeros(n, bool)
        faults, n_graded = Counter[str](), 0
        with ThreadPoolExecutor(self._at_once, "aisle-prompting") as threads:
            asked = [threads.submit(self._one, text, rows) for text, rows in zip(texts, shown, strict=True)]
            try:
                for row, future in enumerate(asked):
                    try:
                        chosen = future.result()
                        probabilities[row], n_graded = chosen.probabilities, n_graded + chosen.graded
                    except LanguageFailed as error:
                        if self._plain is None:
                            raise
                        by_plain[row] = True
                        faults[f"{type(error).__name__}: {error}"[:120]] += 1
                    if progress is not None:
                        progress("texts sorted by prompt", row + 1, n)
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        if self._plain is not None and by_plain.any():
            rows = np.flatnonzero(by_plain)
            probabilities[rows] = self._plain([texts[row] for row in rows.tolist()])
            told = "; ".join(f"{count} x {fault}" for fault, count in faults.most_common(3))
            log.warning("%d of %d texts are sorted by the plain classifier: %s", len(rows), n, told)
        return Sorted(probabilities, by_plain, dict(faults), n_graded)

    def messages(self, text: str, rows: Sequence[int] = ()) -> list[Message]:
        """What the model is asked about a text, with those examples."""
        fill, listed = self._template.fill, "\n".join(f"- {label}" for label in self._said)
        system = fill("system", {"labels": listed})
        found = [Message("system", system)] if system else []
        for example, label in self._examples.shown(rows) if self._examples is not None else ():
            found.append(Message("user", self._question(example, listed)))
            found.append(Message("assistant", fill("answer", {"label": self._said[label]})))
        return [*found, Message("user", self._question(text, listed))]

    def _question(self, text: str, listed: str) -> str:
        return self._template.fill("question", {"text": quoted(text, LONGEST_TEXT), "labels": listed})

    def _one(self, text: str, rows: tuple[int, ...]) -> Chosen:
        chosen = self._model.choose(self.messages(text, rows), self._said)
        prior = self._prior(rows) if self._calibrate and chosen.graded else None
        if prior is None:
            return chosen
        corrected = chosen.probabilities / prior
        return Chosen((corrected / corrected.sum()).astype(np.float32), graded=True)

    def _prior(self, rows: tuple[int, ...]) -> Scores | None:
        """What the model says of nothing after those examples, float32[n_labels]; None where it does not grade that."""
        if rows in self._priors:
            return self._priors[rows]
        said = [self._model.choose(self.messages(empty, rows), self._said) for empty in EMPTY]
        found = None
        if all(chosen.graded for chosen in said):
            found = np.maximum(np.mean([chosen.probabilities for chosen in said], 0), LEAST_PRIOR).astype(np.float32)
        self._priors[rows] = found
        while len(self._priors) > _PRIORS_KEPT:
            self._priors.popitem(last=False)
        return found
