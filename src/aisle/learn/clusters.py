"""Products and shoppers in groups: for browsing, and for a shopper of whom one click is known.

Products are clustered by what they are (their text's meaning, categories,
brand) with spherical k-means (Dhillon and Modha 2001) from k-means++ seeds
(Arthur and Vassilvitskii 2007); shoppers by the mean of what they did, in the
same space. How many groups is decided by the simplified silhouette, the
distance to the own centre against that to the next one (Hruschka et al. 2004).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.types import Vectors

CLUSTERS: Final = "clusters"
DIM: Final = 48
CANDIDATES: Final = (4, 6, 8, 10, 12, 16, 20)
LEAST: Final = 8
"""Products, or shoppers, a group has on average at least."""

FEWEST_SHOPPERS: Final = 40
LIKED: Final = 100
"""Products kept of what a group of shoppers likes."""

CATEGORY, BRAND = 0.8, 0.25
"""What categories and brand say of a product beside its text."""

LEAST_SHARE, LEAST_VALUE, MOST = 0.2, 0.1, 0.6
"""What of a group a category must hold, and how telling it must be, to name it; what two must hold together."""

MOST_KINDS: Final = 12
ROUNDS: Final = 25
_SAMPLE: Final = 4000


def fit_clusters(
    past: Interactions, items: ItemTable, *, progress: Callable[[str, int, int], None] | None = None, seed: int = 0
) -> Fitted | None:
    """Group the living products, and the shoppers by what they did; None for a catalogue too small to group.

    Arrays: `vectors` float16[n, d] unit rows (zeros: nothing known), `group`
    int32[n] (-1: none), `near` float32[n] the cosine to its centre;
    `shopper_centres` float32[s, d] and what their shoppers like more than
    others do, as CSR `liked_indptr`, `liked`, `liked_scores`; `names` uint8,
    a JSON list of the groups' names.
    """
    rng = np.random.default_rng(seed)
    alive = np.flatnonzero(items.alive)
    if len(alive) < CANDIDATES[0] * LEAST:
        return None
    vectors = _vectors(items, rng)
    known = alive[vectors[alive].any(axis=1)]
    if len(known) < CANDIDATES[0] * LEAST:
        return None
    centres, label, silhouette = _best(vectors[known], rng, len(known))
    if progress is not None:
        progress("grouping products", 1, 2)
    group = np.full(len(items), -1, np.int32)
    group[known] = label
    near = np.zeros(len(items), np.float32)
    near[known] = np.einsum("nd,nd->n", vectors[known], centres[label])
    names = _names(group, items, len(centres))
    arrays: dict[str, np.ndarray] = {
        "vectors": vectors.astype(np.float16),
        "group": group,
        "near": near,
        "names": np.frombuffer(json.dumps(names).encode(), np.uint8).copy(),
        **_shoppers(past, vectors, rng),
    }
    if progress is not None:
        progress("grouping shoppers", 2, 2)
    metrics = {"silhouette": round(silhouette, 4), "groups": float(len(centres))}
    metrics["shopper_groups"] = float(len(arrays["shopper_centres"]))
    return Fitted(CLUSTERS, arrays, params={"names": names, "seed": seed}, metrics=metrics)


# ------------------------------------------------------------------- vectors


def _vectors(items: ItemTable, rng: np.random.Generator) -> Vectors:
    """float32[n, d]: what each product is, as unit rows."""
    n = len(items)
    parts = [_unit(items.text)] if items.text.shape[1] else []
    kinds = rng.standard_normal((len(items.categories) + 1, 64)).astype(np.float32)
    of_kinds = np.zeros((n, 64), np.float32)
    np.add.at(of_kinds, items.ancestors.owners, kinds[items.ancestors.codes])
    brands = rng.standard_normal((len(items.brands) + 1, 32)).astype(np.float32)
    brands[-1] = 0.0  # no brand
    parts += [CATEGORY * _unit(of_kinds), BRAND * _unit(brands[items.brand])]
    whole = np.concatenate(parts, axis=1)
    alive = np.flatnonzero(items.alive)
    sample = rng.permutation(alive)[:_SAMPLE]
    middle = whole[sample].mean(axis=0)
    _, _, axes = np.linalg.svd(whole[sample] - middle, full_matrices=False)
    flat = (whole - middle) @ axes[:DIM].T
    flat[~whole.any(axis=1) | ~items.alive] = 0.0
    return _unit(flat.astype(np.float32))


def _unit(rows: Vectors) -> Vectors:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Vectors = np.divide(rows, length, out=np.zeros_like(rows, dtype=np.float32), where=length > 1e-9)
    return found


# ------------------------------------------------------------------ clusters


def _best(rows: Vectors, rng: np.random.Generator, n: int) -> tuple[Vectors, NDArray[np.int32], float]:
    """The clustering whose number of groups has the best silhouette."""
    found: tuple[Vectors, NDArray[np.int32], float] | None = None
    for k in CANDIDATES:
        if k > CANDIDATES[0] and n < k * LEAST:
            break
        centres = k_means(rows, k, rng)
        cosines = rows @ centres.T
        label = cosines.argmax(axis=1).astype(np.int32)
        own = 1 - cosines[np.arange(len(rows)), label]
        cosines[np.arange(len(rows)), label] = -2
        other = 1 - cosines.max(axis=1)
        silhouette = float(((other - own) / np.maximum(np.maximum(own, other), 1e-9)).mean())
        if found is None or silhouette > found[2]:
            found = (centres, label, silhouette)
    assert found is not None
    return found


def k_means(rows: Vectors, k: int, rng: np.random.Generator) -> Vectors:
    """Centres float32[k, d] of unit rows float32[n, d]: spherical k-means."""
    centres = np.empty((k, rows.shape[1]), np.float32)
    centres[0] = rows[rng.integers(len(rows))]
    far = 1 - rows @ centres[0]
    for place in range(1, k):
        weights = np.maximum(far, 0) ** 2
        total = weights.sum()
        drawn = rng.choice(len(rows), p=weights / total) if total > 0 else rng.integers(len(rows))
        centres[place] = rows[drawn]
        far = np.minimum(far, 1 - rows @ centres[place])
    label = np.full(len(rows), -1)
    for _ in range(ROUNDS):
        cosines = rows @ centres.T
        moved = cosines.argmax(axis=1)
        if (moved == label).all():
            break
        label = moved
        sums = np.zeros_like(centres)
        np.add.at(sums, label, rows)
        empty = np.bincount(label, minlength=k) == 0
        if empty.any():  # an empty group begins again at what its centre explains worst
            worst = np.argsort(cosines.max(axis=1))[: int(empty.sum())]
            sums[empty] = rows[worst]
        centres = _unit(sums)
    return centres


def _shoppers(past: Interactions, vectors: Vectors, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Groups of shoppers by taste, and what each likes more than the others do."""
    none: dict[str, np.ndarray] = {
        "shopper_centres": np.empty((0, vectors.shape[1]), np.float32),
        "liked_indptr": np.zeros(1, np.int64),
        "liked": np.empty(0, np.int32),
        "liked_scores": np.empty(0, np.float32),
    }
    inside = (past.ords >= 0) & (past.ords < len(vectors))
    ords, strength = past.ords[inside], past.strength[inside].astype(np.float32)
    visitors, who = np.unique(past.visitor[inside], return_inverse=True)
    if len(visitors) < FEWEST_SHOPPERS:
        return none
    tastes = np.zeros((len(visitors), vectors.shape[1]), np.float32)
    np.add.at(tastes, who, vectors[ords] * strength[:, None])
    tastes = _unit(tastes)
    telling = np.flatnonzero(tastes.any(axis=1))
    if len(telling) < FEWEST_SHOPPERS:
        return none
    centres, _, _ = _best(tastes[telling], rng, len(telling))
    label = (tastes @ centres.T).argmax(axis=1)
    everywhere = np.bincount(ords, strength, minlength=len(vectors))
    indptr, liked, scores = [0], [], []
    for place in range(len(centres)):
        theirs = label[who] == place
        here = np.bincount(ords[theirs], strength[theirs], minlength=len(vectors))
        share = here.sum() / max(everywhere.sum(), 1e-9)
        # Liked here beyond what as many of any shoppers would have liked: a share of the whole, shrunk.
        lift = (here + 5 * share) / (everywhere * share + 5 * share + 1e-9)
        value = np.where(here > 0, here * np.maximum(lift, 0), 0)
        best = np.argsort(-value, kind="stable")[:LIKED]
        best = best[value[best] > 0]
        liked.append(best.astype(np.int32))
        scores.append((value[best] / value[best[0]]).astype(np.float32) if len(best) else np.empty(0, np.float32))
        indptr.append(indptr[-1] + len(best))
    return {
        "shopper_centres": centres,
        "liked_indptr": np.array(indptr, np.int64),
        "liked": np.concatenate(liked),
        "liked_scores": np.concatenate(scores),
    }


# --------------------------------------------------------------------- names


def _names(group: NDArray[np.int32], items: ItemTable, k: int) -> list[str]:
    """A name for each group from its most telling categories, else brands, else traits; "" when nothing tells."""
    names: list[str] = []
    taken: set[str] = set()
    for place in range(k):
        members = np.flatnonzero(group == place)
        kinds = _telling(
            [items.ancestors.row(int(m)).tolist() for m in members],
            Counter(items.ancestors.codes[np.isin(items.ancestors.owners, np.flatnonzero(group >= 0))].tolist()),
            int((group >= 0).sum()),
        )
        name = _called({items.categories[code]: told for code, told in kinds.items()})
        if not name or name in taken:
            traits = _telling(
                [items.attributes.row(int(m)).tolist() for m in members],
                Counter(items.attributes.codes.tolist()),
                int(items.alive.sum()),
            )
            brands = Counter(items.brands[b] for b in items.brand[members].tolist() if b >= 0).most_common(1)
            trait = next(iter(traits), -1)
            own = items.attribute_names[trait].split(": ", 1)[-1] if trait >= 0 else brands[0][0] if brands else ""
            name = " · ".join(part for part in (name, own) if part)
        while name and name in taken:
            name += " +"
        taken.add(name)
        names.append(name)
    return names


def _telling(rows: Sequence[Sequence[int]], everywhere: Counter[int], n: int) -> dict[int, tuple[float, float]]:
    """Codes that many of the rows have and few others, the most telling first: how telling, and their share."""
    here = Counter(code for row in rows for code in set(row))
    size = max(1, len(rows))
    found = {}
    for code, count in here.items():
        share, usual = count / size, everywhere[code] / max(1, n)
        value = share * float(np.log(max(share / max(usual, 1e-9), 1.0)))
        if share >= LEAST_SHARE and value > LEAST_VALUE:
            found[code] = (value, share)
    return dict(sorted(found.items(), key=lambda told: (-told[1][0], told[0])))


def _called(kinds: Mapping[str, tuple[float, float]]) -> str:
    """The category, or the two beside each other, that tell the most of a group: `Mugs & Tea` rather than `Kitchen`.

    Two are better only when together they are most of the group.
    """
    paths = list(kinds)[:MOST_KINDS]
    best = 0.0
    chosen: tuple[str, ...] = ()
    for place, one in enumerate(paths):
        for both in ((one,), *((one, other) for other in paths[place + 1 :] if not _nested(one, other))):
            told = sum(kinds[path][0] for path in both)
            if told > best and (len(both) == 1 or sum(kinds[path][1] for path in both) >= MOST):
                best, chosen = told, both
    return " & ".join(dict.fromkeys(path.rsplit(">", 1)[-1].strip() for path in chosen))


def _nested(one: str, other: str) -> bool:
    return f"{one} >".startswith(f"{other} >") or f"{other} >".startswith(f"{one} >")
