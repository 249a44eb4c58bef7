"""What a shopper would click of everything there is: the model of `learn.clicks`, asked about one shopper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from aisle.ports import Shopper
from aisle.types import Candidates, Ords, Scores

NAME: Final = "taste"
KEPT: Final = 2.0
"""Strength from which a step was more than a look: in the cart, on the list, bought."""

TELLING: Final = 0.15
"""Least part in a product's logit for something taken before to be named as its reason."""

LOOKED_BACK: Final = 30
"""Products taken last among which a reason is looked for."""

CLICK_MS: Final = 1_800_000
"""After so long a click does not belong to a list any more."""

ROUNDS: Final = 3
"""Times that what is known of a taste sharpens what each row says of it."""

HOME, ASKED, BESIDE = range(3)
"""Kinds of lists, rows of `offsets`."""

POOL: Final = 4
"""Products whose uncertainty is looked at, as a multiple of those that are proposed."""


class Seen(Protocol):
    """What a shopper was shown (`learn.seen.Seen`), oldest first."""

    @property
    def ords(self) -> Ords: ...
    @property
    def place(self) -> NDArray[np.int32]: ...
    @property
    def page(self) -> NDArray[np.uint64]: ...
    @property
    def beside(self) -> NDArray[np.bool_]: ...
    @property
    def time_ms(self) -> NDArray[np.int64]: ...


class TasteOfClicks:
    """Scores every product by the probability that this shopper clicks it when they see it.

    The shopper's taste is worked out anew from what they took, each time: the
    next answer knows the last event. `vectors` float32[n, k], `appeal`
    float32[n] and the rest are as `learn.clicks` writes them; `seen` tells what
    a visitor was shown: what was passed over counts too, then.
    """

    name = NAME

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]], seen: Callable[[str], Seen] | None = None) -> None:
        self._vectors = np.ascontiguousarray(arrays["vectors"], np.float32)
        self._appeal = arrays["appeal"]
        self._category = arrays["category"].astype(np.int32)
        self._information, self._pull = arrays["information"], arrays["pull"]
        self._ask_vectors = arrays["ask_vectors"]
        self._ask_information, self._ask_pull = arrays["ask_information"], arrays["ask_pull"]
        self._offset, self._kept_offset = (float(x) for x in arrays["offset"])
        self._kept_weight = float(arrays["kept_weight"][0])
        self._k = self._vectors.shape[1]
        self._offsets, self._asked = arrays["offsets"], arrays["asked_offsets"]
        self._level_sd = float(arrays["level_sd"][0])
        self._seen = seen if len(self._offsets) else None  # a log without lists has not taught what they do
        # Before anything is known of a shopper, every direction is as uncertain as any other.
        self._usual = _shrink((self._vectors**2).sum(1))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]], seen: Callable[[str], Seen] | None = None) -> Self:
        """From a fitted model's arrays."""
        return cls(arrays, seen)

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Best first, what was taken before included; `seeds` count as just taken. Empty for somebody new."""
        taken, taste, covariance = self._taste(shopper, seeds)
        if not len(taken):
            return Candidates.none(self.name)
        logits = self._vectors @ taste
        logits += self._appeal
        logits += self._offset
        logits[seeds[(seeds >= 0) & (seeds < len(logits))]] = -np.inf
        found = self._uppermost(logits * self._usual, POOL * top_k)
        found = found[np.isfinite(logits[found])]
        vectors = self._vectors[found]
        scores = _sigmoid(logits[found] * _shrink(((vectors @ covariance) * vectors).sum(1)))
        order = np.argsort(-scores, kind="stable")[:top_k]
        found = found[order].astype(np.int32)
        return Candidates(self.name, found, scores[order], self._because(vectors[order], covariance, taken))

    def score(self, shopper: Shopper, ords: Ords) -> Scores:
        """The probability of a click at the top of a home page for those products, float32[n]; 0 for unknown ones."""
        known = (ords >= 0) & (ords < len(self._appeal))
        found = np.zeros(len(ords), np.float32)
        _, taste, covariance = self._taste(shopper, np.empty(0, np.int32))
        vectors = self._vectors[ords[known]]
        logits = vectors @ taste + self._appeal[ords[known]] + np.float32(self._offset)
        found[known] = _sigmoid(logits * _shrink(((vectors @ covariance) * vectors).sum(1)))
        return found

    # ----------------------------------------------------------------- taste

    def _taste(self, shopper: Shopper, seeds: Ords) -> tuple[Ords, Scores, Scores]:
        """What was taken, oldest first, and the mean float32[k] and covariance float32[k, k] of the taste it speaks of.

        The first coordinate inside is how readily this shopper clicks at all, which decides nothing between products.
        """
        ords, strengths, time_ms = self._steps(shopper, seeds)
        seen = self._seen(shopper.visitor_id) if self._seen is not None and shopper.visitor_id else None
        precision = np.eye(self._k + 1)
        precision[0, 0] = 1 / self._level_sd**2
        right = np.zeros(self._k + 1)
        # (vectors, offsets, yes): trials whose weight depends on what is known of the taste.
        vectors = [self._rows_of(ords)]
        offsets = [self._kept_offset + self._appeal[ords]]
        yes = [strengths >= KEPT]
        usual = np.ones(len(ords), bool)
        asked = np.empty(0, np.int32)
        if seen is not None:
            known = seen.ords < len(self._appeal)
            shown = seen.ords[known]
            kind, asked = self._lists(shown, seen.place[known], seen.page[known], seen.beside[known])
            clicked, usual = _clicks(shown, seen.time_ms[known], ords, time_ms)
            vectors.append(self._rows_of(shown))
            apart = np.where(kind == HOME, 0.0, self._asked[self._category[shown] + 1])
            offsets.append(self._offsets[kind, seen.place[known]] + apart + self._appeal[shown])
            yes.append(clicked)
        self._as_usual(ords[usual], precision, right)
        asked = np.concatenate([asked, self._turns(ords[usual])])
        if len(asked) and len(self._ask_vectors):
            precision[1:, 1:] += len(asked) * self._ask_information
            right[1:] += self._ask_vectors[asked].sum(0) - len(asked) * self._ask_pull
        turned = shopper.disliked[(shopper.disliked >= 0) & (shopper.disliked < len(self._appeal))]
        away = self._rows_of(turned)
        precision += away.T @ away / 4
        right -= away.sum(0)
        x, o, y = np.concatenate(vectors), np.concatenate(offsets), np.concatenate(yes)
        if not self._kept_weight:  # nothing is known of what is done with what was opened
            x, o, y = x[len(ords) :], o[len(ords) :], y[len(ords) :]
        return ords, *_posterior(x, o, y, precision, right)

    def _rows_of(self, ords: Ords) -> Scores:
        return np.concatenate([np.ones((len(ords), 1), np.float32), self._vectors[ords]], axis=1)

    def _steps(self, shopper: Shopper, seeds: Ords) -> tuple[Ords, Scores, NDArray[np.int64]]:
        """What was taken in order, how strongly, and when."""
        taken, strengths, time_ms = shopper.sequence, shopper.strengths, shopper.sequence_ms
        if not len(taken):
            taken, strengths = shopper.recent[::-1], np.ones(len(shopper.recent), np.float32)
            time_ms = np.full(len(taken), -1, np.int64)
        ords = np.concatenate([taken, seeds]).astype(np.int32)
        strengths = np.concatenate([strengths, np.ones(len(seeds), np.float32)])
        time_ms = np.concatenate([time_ms, np.full(len(seeds), -1, np.int64)])
        known = (ords >= 0) & (ords < len(self._appeal))
        return ords[known], strengths[known], time_ms[known]

    def _as_usual(self, ords: Ords, precision: NDArray[np.float64], right: NDArray[np.float64]) -> None:
        """Clicks of which it is not known beside what they were: beside the usual, then."""
        codes = self._category[ords]
        precision[1:, 1:] += self._information[codes + 1].sum(0)
        right[1:] += self._vectors[ords].sum(0) - self._pull[codes + 1].sum(0)

    def _turns(self, ords: Ords) -> NDArray[np.int32]:
        """The categories that were turned to, one after the other."""
        codes = self._category[ords]
        turned: NDArray[np.int32] = codes[(np.diff(codes, prepend=-2) != 0) & (codes >= 0)]
        return turned

    def _lists(
        self, ords: Ords, place: NDArray[np.int32], page: NDArray[np.uint64], beside: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The kind of list that each row stood in, and the categories that were asked for."""
        codes = self._category[ords]
        pages, of = np.unique(page, return_inverse=True)
        size = np.bincount(of[codes >= 0], minlength=len(pages))
        pair, counts = np.unique(of[codes >= 0] * np.int64(2**31) + codes[codes >= 0], return_counts=True)
        most = np.zeros(len(pages), np.int64)
        np.maximum.at(most, pair >> 31, counts)
        kind = np.where(beside, BESIDE, np.where((most > 0.5 * size)[of], ASKED, HOME))
        return kind, self._turns(ords[(kind == ASKED) & (place == 0)])

    @staticmethod
    def _uppermost(scores: Scores, n: int) -> NDArray[np.int64]:
        """The places of the `n` highest, in no order."""
        if n >= len(scores):
            return np.arange(len(scores))
        found: NDArray[np.int64] = np.argpartition(-scores, n)[:n]
        return found

    def _because(self, vectors: Scores, covariance: Scores, taken: Ords) -> Ords:
        """Which of the products taken last speaks most for each; -1 where none says much."""
        last = np.unique(taken[-LOOKED_BACK:])
        if not len(last):
            return np.full(len(vectors), -1, np.int32)
        says = vectors @ (covariance @ self._vectors[last].T)
        most = says.argmax(1)
        return np.where(says[np.arange(len(most)), most] > TELLING, last[most], -1).astype(np.int32)


def _clicks(
    shown: Ords, shown_ms: NDArray[np.int64], taken: Ords, taken_ms: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows shown were clicked, and which of what was taken was in no list: a click is of the last list before."""
    since = taken_ms[:, None] - shown_ms[None, :]
    meets = (taken[:, None] == shown[None, :]) & (since >= 0) & (since <= CLICK_MS)
    found = meets.any(1)
    clicked = np.zeros(len(shown), bool)
    if len(shown):
        clicked[len(shown) - 1 - meets[found, ::-1].argmax(1)] = True
    return clicked, ~found


def _posterior(
    x: Scores, offset: Scores, yes: NDArray[np.bool_], precision: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[Scores, Scores]:
    """Mean and covariance of a taste after logistic trials (Jaakkola and Jordan 2000), without its first coordinate."""
    covariance = np.linalg.inv(precision)
    mean = covariance @ right
    for _ in range(ROUNDS if len(x) else 0):
        xi = np.sqrt((x @ mean + offset) ** 2 + ((x @ covariance) * x).sum(1)) + 1e-6
        weight = np.tanh(xi / 2) / (2 * xi)
        covariance = np.linalg.inv(precision + x.T @ (x * weight[:, None]))
        mean = covariance @ (right + x.T @ (yes - 0.5 - weight * offset))
    return mean[1:].astype(np.float32), covariance[1:, 1:].astype(np.float32)


def _shrink(variance: Scores) -> Scores:
    """What a logit's uncertainty makes of it, on average over the taste (MacKay 1992)."""
    found: Scores = (1 / np.sqrt(1 + np.pi / 8 * variance)).astype(np.float32)
    return found


def _sigmoid(x: Scores) -> Scores:
    found: Scores = (1 / (1 + np.exp(-x))).astype(np.float32)
    return found
